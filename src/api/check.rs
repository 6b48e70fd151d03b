//! The parameters of `/check`.

use utoipa::IntoParams;

use super::choices::PlatformChoice;
use super::params::Params;
use super::problem::Problem;
use super::reading::{Pull, Reading, read_pull, refuse_engine_then};
use crate::answers::CheckQuestion;
use crate::images::Architecture;
use crate::platforms::engines::{Requested, Store};
use crate::windows::HostKind;

/// The parameters of `/check`.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct CheckParams {
    /// An image reference in an allowed registry, with a tag or digest; without either it means
    /// `latest`, which base images do not have.
    #[param(
        example = "mcr.microsoft.com/windows/servercore:10.0.20348.2113",
        min_length = 1,
        max_length = 512
    )]
    pub image: String,
    /// The host, in any form that a machine prints.
    #[param(example = "10.0.20348.2113", min_length = 1, pattern = "[0-9A-Za-z]")]
    pub host: String,
    /// Whether the host is a server or a client.
    #[param(inline)]
    pub host_type: Option<HostKind>,
    /// The architecture of the host; `amd64` by default.
    #[param(inline)]
    pub arch: Option<Architecture>,
    /// Where the container runs: `docker` (the default), `kubernetes` or `swarm`; or, with
    /// `engine`, the `--platform` in its command, such as `windows/amd64` or
    /// `windows(10.0.20348)/amd64`.
    #[param(inline)]
    pub platform: Option<PlatformChoice>,
    /// The engine that pulls the image: a name of `/engines`, or a product and a version, such as
    /// `docker-29.6.2` or `containerd-2.1.4`. Without it, `engines` has those of today that do not
    /// take the entry of the answer.
    #[param(example = "containerd-2.2", min_length = 1, max_length = 48)]
    pub engine: Option<String>,
    /// The image store of Docker, if `engine` is one; `classic` by default, as on Windows.
    #[param(inline)]
    pub store: Option<Store>,
    /// A former day, such as `2024-03-01`, or a moment: the answer as it was then, from
    /// observations only. What is not known of that day is null, and a warning says why.
    #[param(min_length = 10, max_length = 35)]
    pub as_of: Option<String>,
}

/// Reads the parameters of `/check`: the question, and the platform in the command of the engine.
///
/// # Errors
/// A problem that lists everything that is wrong.
pub fn read_check(
    pairs: Vec<(String, String)>,
    reading: Reading<'_>,
) -> Result<(CheckQuestion, Requested), Problem> {
    let mut params = Params::new::<CheckParams>(pairs);
    let reference = reading.reference(&mut params);
    let host = reading.host(&mut params);
    let arch = params.word_with("arch", Architecture::read);
    let Pull { platform, engine, requested, architecture } = read_pull(&mut params, arch);
    let as_of = reading.as_of(&mut params);
    refuse_engine_then(&mut params, engine.is_some(), as_of);
    let ((image, selector), host) = params.finish_with(reference.zip(host))?;
    let platform = platform.unwrap_or_default();
    Ok((CheckQuestion { image, selector, host, architecture, platform, engine, as_of }, requested))
}
