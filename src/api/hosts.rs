//! The parameters of `/hosts`.

use utoipa::IntoParams;

use super::params::Params;
use super::problem::Problem;
use super::reading::Reading;
use crate::answers::HostsQuestion;
use crate::images::Architecture;
use crate::windows::Platform;

/// The parameters of `/hosts`.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct HostsParams {
    /// An image reference, as in `/check`.
    #[param(
        example = "mcr.microsoft.com/windows/servercore:ltsc2022",
        min_length = 1,
        max_length = 512
    )]
    pub image: String,
    /// The architecture of the hosts; `amd64` by default.
    #[param(inline)]
    pub arch: Option<Architecture>,
    /// Where the container runs; `docker` by default.
    #[param(inline)]
    pub platform: Option<Platform>,
}

/// Reads the parameters of `/hosts`.
///
/// # Errors
/// A problem that lists everything that is wrong.
pub fn read_hosts_question(
    pairs: Vec<(String, String)>,
    reading: Reading<'_>,
) -> Result<HostsQuestion, Problem> {
    let mut params = Params::new::<HostsParams>(pairs);
    let reference = reading.reference(&mut params);
    let architecture = params.word_with("arch", Architecture::read).unwrap_or_default();
    let platform = params.word("platform").unwrap_or_default();
    let (image, selector) = params.finish_with(reference)?;
    Ok(HostsQuestion { image, selector, architecture, platform })
}
