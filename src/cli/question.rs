//! `wintag resolve` and `wintag check`: the same questions as over HTTP, and the same JSON.

use super::arguments::{CheckArguments, HostArguments, ResolveArguments};
use super::ending::{Ending, explain, fail, print, print_json, say};
use crate::answers;
use crate::api::check::read_check;
use crate::api::choices::Format;
use crate::api::problem::Problem;
use crate::api::reading::Reading;
use crate::api::resolve::{ResolveRequest, resolution_text};
use crate::app::App;
use crate::config::{ConfigFile, Settings, SourceSettings};

/// Builds the application for one question.
pub(super) fn build(source: &SourceSettings, file: ConfigFile) -> Result<App, Ending> {
    let failed = |error: &dyn std::error::Error| fail(Ending::Failed, error);
    let settings = Settings::of_command(source, file).map_err(|error| failed(&error))?;
    for warning in &settings.warnings {
        say(&format!("wintag: {warning}"));
    }
    App::new(settings).map_err(|error| failed(&error))
}

pub(super) async fn resolve(arguments: ResolveArguments, file: ConfigFile) -> Ending {
    let app = match build(&arguments.source, file) {
        Ok(app) => app,
        Err(ending) => return ending,
    };
    let mut pairs = pairs(arguments.image, arguments.host);
    pairs.extend(parameters([
        ("isolation", arguments.isolation),
        ("pin", arguments.pin),
        ("kb", arguments.kb),
        ("format", arguments.format),
    ]));
    let asked = match ResolveRequest::read(pairs, Reading::from(app.context())) {
        Ok(asked) => asked,
        Err(problem) => return explain(&problem),
    };
    match answers::resolve(app.context(), &asked.question).await {
        Err(refusal) => explain(&Problem::of_refusal(&refusal, &asked.question)),
        Ok(resolution) => match asked.format {
            Some(Format::Text(format)) => match resolution_text(&resolution, format) {
                Ok(text) => {
                    // The text has no room for them.
                    for warning in &resolution.warnings {
                        say(&format!("wintag: {}", warning.message));
                    }
                    print(text.trim_end())
                }
                Err(problem) => explain(&problem),
            },
            Some(Format::Json) | None => print_json(&resolution),
        },
    }
}

pub(super) async fn check(arguments: CheckArguments, file: ConfigFile) -> Ending {
    let app = match build(&arguments.source, file) {
        Ok(app) => app,
        Err(ending) => return ending,
    };
    let pairs = pairs(arguments.image, arguments.host);
    let (question, requested) = match read_check(pairs, Reading::from(app.context())) {
        Ok(asked) => asked,
        Err(problem) => return explain(&problem),
    };
    match answers::check_with_platform(app.context(), &question, requested).await {
        Err(unchecked) => {
            let mirror = app.context().catalogue.mirror_of(&question.image.repository);
            explain(&Problem::of_check(&unchecked, &question).asked_of(mirror))
        }
        Ok(checked) => match print_json(&checked) {
            Ending::Answered if checked.isolation.is_none() => Ending::No,
            ending => ending,
        },
    }
}

/// The arguments as the parameters of HTTP, so that the same code reads both.
fn pairs(image: String, host: HostArguments) -> Vec<(String, String)> {
    parameters([
        ("image", Some(image)),
        ("host", Some(host.host)),
        ("host_type", host.host_type),
        ("arch", host.arch),
        ("platform", host.platform),
        ("engine", host.engine),
        ("store", host.store),
        ("as_of", host.as_of),
    ])
}

/// The parameters of HTTP that are given.
pub(super) fn parameters<const N: usize>(
    given: [(&str, Option<String>); N],
) -> Vec<(String, String)> {
    given.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}
