//! The parameters of `/identify`.

use jiff::civil::Date;
use utoipa::IntoParams;

use super::params::Params;
use super::problem::Problem;
use super::reading::Reading;
use crate::answers::Identity;
use crate::windows::HostKind;

/// The parameters of `/identify`.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct IdentifyParams {
    /// Any text that a machine prints about itself.
    #[param(
        example = "10.0 14393 (14393.1715.amd64fre.rs1_release_inmarket.170906-1810)",
        min_length = 1,
        pattern = "[0-9A-Za-z]"
    )]
    pub host: String,
    /// Whether the host is a server or a client.
    #[param(inline)]
    pub host_type: Option<HostKind>,
}

/// The parameters of `/identify` with the host in the body.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct IdentifyTextParams {
    /// Whether the host is a server or a client.
    #[param(inline)]
    pub host_type: Option<HostKind>,
}

/// Reads the parameters of `/identify` and answers.
///
/// # Errors
/// A problem that lists everything that is wrong.
pub fn read_identify(
    pairs: Vec<(String, String)>,
    reading: Reading<'_>,
    today: Date,
) -> Result<Identity, Problem> {
    let mut params = Params::new::<IdentifyParams>(pairs);
    let host = reading.host_reading(&mut params);
    let requested = params.optional("host").unwrap_or_default();
    Ok(Identity::new(requested, params.finish_with(host)?, reading.tables, today))
}
