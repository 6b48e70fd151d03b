//! The parameters of an audit.

use utoipa::IntoParams;

use crate::answers::Target;
use crate::api::host_list::read_hosts_or_fleet;
use crate::api::params::Params;
use crate::api::problem::Problem;
use crate::api::reading::{Reading, read_engine};
use crate::images::Architecture;
use crate::platforms::engines::Store;
use crate::windows::Platform;

/// The parameters of an audit.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct AuditParams {
    /// The hosts, separated by commas or semicolons, each as in `/resolve`. At most 64. Give these
    /// or `fleet`.
    #[param(example = "ltsc2019,10.0.26100.4061", min_length = 1, pattern = "[0-9A-Za-z]")]
    pub hosts: Option<String>,
    /// The name of a fleet of the configuration, instead of `hosts`.
    #[param(pattern = "^[A-Za-z0-9._-]{1,64}$")]
    pub fleet: Option<String>,
    /// The architecture of the hosts; `amd64` by default.
    #[param(inline)]
    pub arch: Option<Architecture>,
    /// Where the containers run; `docker` by default.
    #[param(inline)]
    pub platform: Option<Platform>,
    /// The engine that pulls the images, as in `/check`; without it, all of today's.
    #[param(max_length = 64)]
    pub engine: Option<String>,
    /// The image store of Docker, if `engine` is one; `classic` by default.
    #[param(inline)]
    pub store: Option<Store>,
}

/// Reads the parameters of an audit.
///
/// # Errors
/// A problem that lists everything that is wrong.
pub fn read_target(pairs: Vec<(String, String)>, reading: Reading<'_>) -> Result<Target, Problem> {
    let mut params = Params::new::<AuditParams>(pairs);
    let hosts = read_hosts_or_fleet(&mut params, reading);
    let architecture = params.word_with("arch", Architecture::read).unwrap_or_default();
    let platform = params.word("platform").unwrap_or_default();
    let engine = read_engine(&mut params);
    let hosts = params.finish_with(hosts)?;
    Ok(Target { hosts, architecture, platform, engine })
}
