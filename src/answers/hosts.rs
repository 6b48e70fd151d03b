//! The use case behind `/hosts`: on which Windows releases does this image run?

use serde::Serialize;
use utoipa::ToSchema;

use super::check::{CheckQuestion, CheckRefusal, check};
use super::checked::{Checked, CheckedImage};
use super::context::Context;
use super::host::HostDescription;
use super::matrix::all_hosts;
use super::remark::Remark;
use crate::catalogue::Freshness;
use crate::images::{Architecture, NamedImage, Selector};
use crate::windows::{Isolation, Platform};

#[derive(Clone, Debug)]
pub struct HostsQuestion {
    pub image: NamedImage,
    /// Its tag or digest.
    pub selector: Selector,
    pub architecture: Architecture,
    pub platform: Platform,
}

/// The answer of `/hosts`: each known Windows release, and whether the image runs on it.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Hosts)]
pub struct HostsOfImage {
    /// The requested image.
    pub image: CheckedImage,
    /// Every release, the oldest server first, then the clients.
    pub hosts: Vec<HostRun>,
    /// Possible problems that are the same on every host.
    pub warnings: Vec<Remark>,
    /// Where the answer comes from, and how old it is.
    pub freshness: Freshness,
}

/// Whether an image runs on a host.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct HostRun {
    /// The host.
    pub host: HostDescription,
    /// Whether it runs; null if that is unknown because the image does not say which Windows it
    /// is.
    pub runs: Option<bool>,
    /// The isolation mode to use; null if the image does not run.
    pub isolation: Option<Isolation>,
    /// All isolation modes that work.
    pub isolation_supported: Vec<Isolation>,
    /// Why, as codes; those of `/check`.
    #[schema(value_type = Vec<String>, example = json!(["image-newer-than-host"]))]
    pub reasons: Vec<&'static str>,
    /// A reference of the same software that runs, if this one does not; null if none is known.
    pub suggestion: Option<String>,
}

/// Why there is no answer: the question that failed, and why.
#[derive(Debug)]
pub struct HostsRefusal {
    /// The question for the first host.
    pub question: CheckQuestion,
    pub refusal: CheckRefusal,
}

/// Checks an image against every release of the tables. The registry is asked once, because all
/// checks need the same manifest.
///
/// # Errors
/// As [`check`].
pub async fn hosts(context: &Context, asked: &HostsQuestion) -> Result<HostsOfImage, HostsRefusal> {
    let mut hosts = Vec::new();
    let mut of_image: Option<(CheckedImage, Freshness, Vec<Remark>)> = None;
    for host in all_hosts(&context.tables, context.now().date()) {
        let question = CheckQuestion {
            image: asked.image.clone(),
            selector: asked.selector.clone(),
            host: host.asked(),
            architecture: asked.architecture,
            platform: asked.platform,
            engine: None,
            as_of: None,
        };
        let checked = match check(context, &question).await {
            Ok(checked) => checked,
            Err(mut refusal) => {
                // It is for the first host alone.
                refusal.suggestions.runs = None;
                return Err(HostsRefusal { question, refusal });
            }
        };
        let reasons = checked.reasons();
        let Checked { runs, isolation, isolation_supported, suggestion, .. } = checked;
        // The first check asked the registry, the others its answer.
        match &mut of_image {
            Some((.., warnings)) => warnings.retain(|warning| checked.warnings.contains(warning)),
            None => of_image = Some((checked.image, checked.freshness, checked.warnings)),
        }
        hosts.push(HostRun {
            host: checked.host,
            runs,
            isolation,
            isolation_supported,
            reasons,
            suggestion,
        });
    }
    let (image, freshness, warnings) = of_image.expect("the tables have releases");
    Ok(HostsOfImage { image, hosts, warnings, freshness })
}
