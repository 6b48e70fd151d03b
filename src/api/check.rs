//! The parameters of `/check`.

use utoipa::IntoParams;

use super::params::Params;
use super::problem::Problem;
use super::reading::{Reading, read_engine};
use crate::answers::CheckQuestion;
use crate::images::Architecture;
use crate::platforms::engines::Store;
use crate::windows::{HostKind, Platform};

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
    /// Where the container runs; `docker` by default.
    #[param(inline)]
    pub platform: Option<Platform>,
    /// The engine that pulls the image: a name of `/engines`, or a product and a version, such as
    /// `docker-29.6.2` or `containerd-2.1.4`. Without it, `engines` has those of today that do not
    /// take the entry of the answer.
    #[param(example = "containerd-2.2", min_length = 1, max_length = 48)]
    pub engine: Option<String>,
    /// The image store of Docker, if `engine` is one; `classic` by default, as on Windows.
    #[param(inline)]
    pub store: Option<Store>,
}

/// Reads the parameters of `/check`.
///
/// # Errors
/// A problem that lists everything that is wrong.
pub fn read_check(
    pairs: Vec<(String, String)>,
    reading: Reading<'_>,
) -> Result<CheckQuestion, Problem> {
    let mut params = Params::new::<CheckParams>(pairs);
    let reference = reading.reference(&mut params);
    let host = reading.host(&mut params);
    let architecture = params.word_with("arch", Architecture::read).unwrap_or_default();
    let platform = params.word("platform").unwrap_or_default();
    let engine = read_engine(&mut params);
    let ((image, selector), host) = params.finish_with(reference.zip(host))?;
    Ok(CheckQuestion { image, selector, host, architecture, platform, engine })
}
