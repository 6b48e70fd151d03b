//! The parameters of an audit.

use utoipa::IntoParams;

use crate::answers::Target;
use crate::api::host_list::read_hosts;
use crate::api::params::Params;
use crate::api::problem::Problem;
use crate::api::reading::Reading;
use crate::images::Architecture;
use crate::windows::Platform;

/// The parameters of an audit.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct AuditParams {
    /// The hosts, separated by commas or semicolons, each as in `/resolve`. At most 64.
    #[param(example = "ltsc2019,10.0.26100.4061", min_length = 1, pattern = "[0-9A-Za-z]")]
    pub hosts: String,
    /// The architecture of the hosts; `amd64` by default.
    #[param(inline)]
    pub arch: Option<Architecture>,
    /// Where the containers run; `docker` by default.
    #[param(inline)]
    pub platform: Option<Platform>,
}

/// Reads the parameters of an audit.
///
/// # Errors
/// A problem that lists everything that is wrong.
pub fn read_target(pairs: Vec<(String, String)>, reading: Reading<'_>) -> Result<Target, Problem> {
    let mut params = Params::new::<AuditParams>(pairs);
    // Notes it if there are none.
    params.required("hosts", "ltsc2019,ltsc2022");
    let hosts = read_hosts(&mut params, reading);
    let architecture = params.word_with("arch", Architecture::read).unwrap_or_default();
    let platform = params.word("platform").unwrap_or_default();
    let hosts = params.finish_with(hosts)?;
    Ok(Target { hosts, architecture, platform })
}
