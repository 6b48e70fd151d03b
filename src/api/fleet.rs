//! The parameters of `/fleet`.

use std::sync::Arc;

use utoipa::IntoParams;

use super::choices::TaggedImage;
use super::host_list::read_hosts_apart;
use super::params::Params;
use super::problem::Problem;
use super::reading::Reading;
use crate::answers::{AskedHost, FleetImage};
use crate::platforms::node::Skipped;
use crate::windows::Platform;

pub use super::fleet_text::{FleetFormat, fleet_text};

/// The parameters of `/fleet`.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct FleetParams {
    /// The image that the hosts are to run; as in `/resolve`, also with a tag.
    #[param(inline, example = "servercore")]
    pub image: TaggedImage,
    /// The hosts, separated by commas or semicolons, each as in `/resolve`. At most 64. Give these
    /// or `fleet`. Hosts that cannot be read are under `skipped`, unless none can.
    #[param(example = "ltsc2019,20348.2113,26100.4061", min_length = 1, pattern = "[0-9A-Za-z]")]
    pub hosts: Option<String>,
    /// The name of a fleet of the configuration, instead of `hosts`.
    #[param(pattern = "^[A-Za-z0-9._-]{1,64}$")]
    pub fleet: Option<String>,
    /// Where the containers run; `docker` by default.
    #[param(inline)]
    pub platform: Option<Platform>,
    /// The form of the answer; `json` by default.
    #[param(inline)]
    pub format: Option<FleetFormat>,
}

#[derive(Debug)]
pub struct FleetQuestion {
    pub image: FleetImage,
    /// The hosts, and those that could not be read; at least one of the former.
    pub hosts: Vec<Result<AskedHost, Skipped>>,
    pub platform: Platform,
    pub format: FleetFormat,
}

/// Reads the parameters.
///
/// # Errors
/// A problem that lists everything that is wrong.
pub fn read_fleet(
    pairs: Vec<(String, String)>,
    reading: Reading<'_>,
) -> Result<FleetQuestion, Problem> {
    let mut params = Params::new::<FleetParams>(pairs);
    let image = reading.tagged_image(&mut params);
    let hosts = read_hosts_apart(&mut params, reading);
    let platform = params.word("platform").unwrap_or_default();
    let format = params.word("format").unwrap_or_default();
    let ((image, tag), hosts) = params.finish_with(image.zip(hosts))?;
    let image = FleetImage { image: Arc::new(image), tag };
    Ok(FleetQuestion { image, hosts, platform, format })
}
