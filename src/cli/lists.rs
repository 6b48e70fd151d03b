//! The commands that print lists: those of hosts, tags and nodes, as over HTTP.

use super::diagnose::{MAX_TEXT_BYTES, read_input};
use super::ending::{Ending, explain, print, print_json};
use super::list_arguments::{
    FleetArguments, HistoryArguments, HostsArguments, IdentifyArguments, MatrixArguments,
    NodesArguments, TagsArguments,
};
use super::question::{build, parameters};
use crate::answers::{self, Fleet, FleetImage, FleetRefusal};
use crate::api::fleet::{fleet_text, read_fleet};
use crate::api::history::{HistoryFormat, atom, read_history, svg};
use crate::api::hosts::read_hosts_question;
use crate::api::lists::read_identify;
use crate::api::matrix::read_matrix;
use crate::api::nodes::{NodesObject, read_nodes};
use crate::api::problem::Problem;
use crate::api::reading::Reading;
use crate::api::tags::{TagsObject, read_tags};
use crate::app::App;
use crate::config::{ConfigFile, SourceSettings};

/// The longest list of nodes, as over HTTP.
pub(super) const MAX_NODES_BYTES: u64 = 3 << 20;

/// Prints the answer of an application that is built for it, or explains why there is none.
async fn answer<T: serde::Serialize>(
    source: &SourceSettings,
    file: ConfigFile,
    work: impl AsyncFnOnce(&App) -> Result<T, Problem>,
) -> Ending {
    let app = match build(source, file) {
        Ok(app) => app,
        Err(ending) => return ending,
    };
    match work(&app).await {
        Ok(answer) => print_json(&answer),
        Err(problem) => explain(&problem),
    }
}

/// As [`answer`], or prints its text if it has one; the exit status says whether each host has a
/// tag.
async fn answer_for_groups(
    source: &SourceSettings,
    file: ConfigFile,
    work: impl AsyncFnOnce(&App) -> Result<(NodesObject, Option<String>, Fleet), Problem>,
) -> Ending {
    let app = match build(source, file) {
        Ok(app) => app,
        Err(ending) => return ending,
    };
    let (nodes, text, fleet) = match work(&app).await {
        Ok(answer) => answer,
        Err(problem) => return explain(&problem),
    };
    match text.map_or_else(|| print_json(&nodes), |text| print(text.trim_end())) {
        Ending::Answered if !fleet.is_complete() => Ending::NoTag,
        ending => ending,
    }
}

pub(super) async fn fleet(arguments: FleetArguments, file: ConfigFile) -> Ending {
    let pairs = parameters([
        ("image", Some(arguments.image)),
        ("hosts", arguments.hosts),
        ("fleet", arguments.fleet),
        ("platform", arguments.platform),
        ("format", arguments.format),
    ]);
    answer_for_groups(&arguments.source, file, async |app| {
        let question = read_fleet(pairs, Reading::from(app.context()))?;
        let (image, platform) = (&question.image, question.platform);
        let fleet = answers::fleet(app.context(), image, platform, question.hosts).await;
        let fleet = fleet.map_err(|refusal| of_fleet(app, &refusal, image))?;
        let text = fleet_text(&fleet, question.format)?;
        Ok((NodesObject::new(&fleet, platform), text, fleet))
    })
    .await
}

pub(super) async fn nodes(arguments: NodesArguments, file: ConfigFile) -> Ending {
    let list = match read_input(arguments.file.as_deref(), MAX_NODES_BYTES) {
        Ok(list) => list,
        Err(ending) => return ending,
    };
    answer_for_groups(&arguments.source, file, async |app| {
        let pairs = parameters([("image", Some(arguments.image)), ("format", arguments.format)]);
        let (image, format) = read_nodes(pairs, Reading::from(app.context()))?;
        let context = app.context();
        let kubernetes = answers::kubernetes_nodes(context, &image, &list).await;
        let (fleet, answer): (_, fn(&_) -> _) = match kubernetes {
            Err(FleetRefusal::List(refused)) => {
                match answers::swarm_nodes(context, &image, &list).await {
                    // The list is of neither; the message names the command of Kubernetes.
                    Err(FleetRefusal::List(_)) => {
                        (Err(FleetRefusal::List(refused)), NodesObject::of_kubernetes)
                    }
                    fleet => (fleet, NodesObject::of_swarm),
                }
            }
            fleet => (fleet, NodesObject::of_kubernetes),
        };
        let fleet = fleet.map_err(|refusal| of_fleet(app, &refusal, &image))?;
        Ok((answer(&fleet), fleet_text(&fleet, format)?, fleet))
    })
    .await
}

fn of_fleet(app: &App, refusal: &FleetRefusal, image: &FleetImage) -> Problem {
    let mirror = app.context().catalogue.mirror_of(&image.image.repository);
    Problem::of_fleet(refusal, &image.image).asked_of(mirror)
}

pub(super) async fn hosts(arguments: HostsArguments, file: ConfigFile) -> Ending {
    let pairs = parameters([
        ("image", Some(arguments.image)),
        ("arch", arguments.arch),
        ("platform", arguments.platform),
    ]);
    answer(&arguments.source, file, async |app| {
        let question = read_hosts_question(pairs, Reading::from(app.context()))?;
        answers::hosts(app.context(), &question).await.map_err(|refused| {
            let mirror = app.context().catalogue.mirror_of(&question.image.repository);
            Problem::of_check(&refused.refusal, &refused.question).asked_of(mirror)
        })
    })
    .await
}

pub(super) async fn tags(arguments: TagsArguments, file: ConfigFile) -> Ending {
    let number = |number: Option<u32>| number.map(|number| number.to_string());
    let pairs = parameters([
        ("image", Some(arguments.image)),
        ("build", number(arguments.build)),
        ("release", arguments.release),
        ("kb", arguments.kb),
        ("tag", arguments.tag),
        ("stem", arguments.stem),
        ("base", arguments.base),
        ("arch", arguments.arch),
        ("as_of", arguments.as_of),
        ("offset", number(arguments.offset)),
        ("limit", number(arguments.limit)),
    ]);
    answer(&arguments.source, file, async |app| {
        let question = read_tags(pairs, Reading::from(app.context()))?;
        let listed = answers::tags(app.context(), &question).await.map_err(|miss| {
            let mirror = app.context().catalogue.mirror_of(&question.image.repository);
            Problem::of_miss(&miss, &question.image).asked_of(mirror)
        })?;
        Ok(TagsObject::new(&question, listed))
    })
    .await
}

pub(super) async fn history(arguments: HistoryArguments, file: ConfigFile) -> Ending {
    let app = match build(&arguments.source, file) {
        Ok(app) => app,
        Err(ending) => return ending,
    };
    let pairs = parameters([
        ("image", Some(arguments.image)),
        ("tag", Some(arguments.tag)),
        ("format", arguments.format),
    ]);
    let (question, format) = match read_history(pairs, Reading::from(app.context())) {
        Ok(read) => read,
        Err(problem) => return explain(&problem),
    };
    match answers::history(app.context(), &question).await {
        Err(miss) => {
            let mirror = app.context().catalogue.mirror_of(&question.image.repository);
            explain(&Problem::of_history(&miss, &question).asked_of(mirror))
        }
        Ok(timeline) => match format.unwrap_or(HistoryFormat::Json) {
            HistoryFormat::Json => print_json(&timeline),
            HistoryFormat::Atom => print(atom(&timeline).trim_end()),
            HistoryFormat::Svg => print(svg(&timeline, answers::update_days).trim_end()),
        },
    }
}

pub(super) async fn identify(arguments: IdentifyArguments, file: ConfigFile) -> Ending {
    let text = match arguments.host {
        Some(text) => text,
        None => match read_input(None, MAX_TEXT_BYTES) {
            Ok(text) => String::from_utf8_lossy(&text).into_owned(),
            Err(ending) => return ending,
        },
    };
    let pairs = parameters([("host", Some(text)), ("host_type", arguments.host_type)]);
    answer(&arguments.source, file, async |app| {
        let context = app.context();
        read_identify(pairs, Reading::from(context), context.now().date())
    })
    .await
}

pub(super) async fn matrix(arguments: MatrixArguments, file: ConfigFile) -> Ending {
    let pairs = parameters([
        ("hosts", arguments.hosts),
        ("fleet", arguments.fleet),
        ("images", arguments.images),
        ("platform", arguments.platform),
    ]);
    answer(&arguments.source, file, async |app| {
        let context = app.context();
        read_matrix(pairs, Reading::from(context), context.now().date())
    })
    .await
}
