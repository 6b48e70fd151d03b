//! The parameters of `/matrix`.

use jiff::civil::Date;
use utoipa::IntoParams;

use super::host_list::{read_hosts, read_list};
use super::params::Params;
use super::problem::Problem;
use super::reading::{self, Reading};
use crate::answers::{HostDescription, Matrix, MatrixHost, all_hosts, all_images, matrix};
use crate::windows::Platform;

/// The parameters of `/matrix`.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct MatrixParams {
    /// The hosts, separated by commas or semicolons, each as in `/resolve`; all known builds by
    /// default. At most 64.
    #[param(example = "ltsc2019,10.0.26100.4061", min_length = 1, pattern = "[0-9A-Za-z]")]
    pub hosts: Option<String>,
    /// The name of a fleet of the configuration, instead of `hosts`.
    #[param(pattern = "^[A-Za-z0-9._-]{1,64}$")]
    pub fleet: Option<String>,
    /// The images, separated by commas or semicolons: builds, versions or release words; all
    /// builds with base images by default. At most 64.
    #[param(example = "ltsc2022,10.0.26100.4061", min_length = 1, pattern = "[0-9A-Za-z]")]
    pub images: Option<String>,
    /// Where the containers run; `docker` by default.
    #[param(inline)]
    pub platform: Option<Platform>,
}

/// Reads the parameters of `/matrix` and answers.
///
/// # Errors
/// A problem that lists everything that is wrong.
pub fn read_matrix(
    pairs: Vec<(String, String)>,
    reading: Reading<'_>,
    today: Date,
) -> Result<Matrix, Problem> {
    let tables = reading.tables;
    let mut params = Params::new::<MatrixParams>(pairs);
    let platform = params.word("platform").unwrap_or_default();
    let hosts = read_hosts(&mut params, reading);
    let images = read_list(&mut params, "images", |text| {
        let host = reading::decided("images", reading.read_version("images", text)?)?;
        Ok(HostDescription::of(&host, tables, today))
    });
    params.finish()?;
    let given =
        |hosts: Vec<_>| hosts.iter().map(|host| MatrixHost::of(host, tables, today)).collect();
    let hosts = hosts.map_or_else(|| all_hosts(tables, today), given);
    let images = images.unwrap_or_else(|| all_images(tables, today));
    Ok(matrix(hosts, images, platform))
}
