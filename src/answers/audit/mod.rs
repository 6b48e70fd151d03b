//! The use case behind `wintag audit`: the images that files name, against the hosts there are.
//!
//! Each image is asked for once, however often it is named. How it runs is decided by the use cases
//! behind `/check` and `/resolve` alone.

// In reading order.

mod finding;
mod audited;
mod judgement;
mod judge;
mod uses;
mod report;

use std::collections::{BTreeMap, BTreeSet};

use futures_util::stream::{self, StreamExt as _};

use super::context::Context;
use super::host::HostDescription;
use crate::audit::{Mention, System};

pub use audited::{AuditFile, Audited, Counts, FileProblem, HostVerdict, Reference, Unchecked};
pub use finding::{Finding, FindingCode, Level};
use judge::Asked;
pub use judge::Target;
use judgement::{Holds, Judgement};
use report::Report;
use uses::{Uses, image_of};

/// How many images are looked up at once. What a registry is sent at once is limited further down.
const MAX_PARALLEL: usize = 16;

/// Answers the question. `step` is called when an image was looked up, with how many are done and
/// how many there are.
pub async fn audit(
    context: &Context,
    files: Vec<AuditFile>,
    target: &Target,
    step: impl Fn(usize, usize),
) -> Audited {
    let images: BTreeSet<&str> = files
        .iter()
        .flat_map(|file| &file.reading.mentions)
        .filter(|mention| mention.system != Some(System::Linux))
        .filter_map(image_of)
        .collect();
    let total = images.len();
    // Lists of futures, because a stream of closures over references is not `Send` to the compiler.
    let mut lookups = Vec::new();
    for image in images {
        lookups.push(look_up(context, target, image));
    }
    let mut lookups = stream::iter(lookups).buffer_unordered(MAX_PARALLEL);
    let mut known = BTreeMap::new();
    while let Some((image, held)) = lookups.next().await {
        known.insert(image, held);
        step(known.len(), total);
    }
    drop(lookups);
    let holds = |mention: &Mention| match known.get(image_of(mention)?)? {
        Ok((holds, _)) => Some(*holds),
        Err(judgement) => judgement.names_windows.then_some(Holds::Windows),
    };
    let uses = Uses::new(&files, &holds);
    let mut asked = Vec::new();
    for (image, held) in &known {
        if let Ok((_, image_asked)) = held
            && uses.windows.contains(image)
        {
            asked.push(judge(context, target, image, image_asked));
        }
    }
    let judged = stream::iter(asked).buffer_unordered(MAX_PARALLEL);
    let mut judgements: BTreeMap<&str, Judgement> = judged.collect().await;
    for (image, held) in &known {
        if let Err(judgement) = held {
            judgements.insert(image, judgement.clone());
        }
    }
    let today = context.now().date();
    let describe = |host| HostDescription::of(host, &context.tables, today);
    let hosts = target.hosts.iter().map(describe).collect();
    Report { target, judgements: &judgements, uses: &uses }.of(&files, hosts)
}

/// What an image holds, or what is known of one that cannot be looked up.
async fn look_up<'i>(
    context: &Context,
    target: &Target,
    image: &'i str,
) -> (&'i str, Result<(Holds, Asked), Judgement>) {
    let held = match Asked::read(context, image) {
        Ok(asked) => asked.holds(context, target).await.map(|holds| (holds, asked)),
        Err(judgement) => Err(judgement),
    };
    (image, held)
}

async fn judge<'i>(
    context: &Context,
    target: &Target,
    image: &'i str,
    asked: &Asked,
) -> (&'i str, Judgement) {
    (image, asked.judge(context, target).await)
}
