//! placeholder
use super::*;
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Edition {
    Home,
    Other,
}
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    pub requested: String,
    pub version: WindowsVersion,
    pub kind: HostKind,
    pub edition: Edition,
}
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostCandidate {
    pub build: u32,
    pub kind: HostKind,
    pub name: Option<String>,
}
pub struct HostReading {
    pub host: Option<Host>,
    pub could_mean: Vec<HostCandidate>,
}
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    #[error("x")]
    Empty,
    #[error("u")]
    Unknown { suggestions: Vec<String> },
    #[error("u")]
    NotWindows {},
    #[error("u")]
    TooOld {},
    #[error("u")]
    TooLong,
    #[error("u")]
    Automatic,
}
pub fn read_host(_text: &str, _host_type: Option<HostKind>, _tables: &Tables) -> Result<HostReading, HostError> {
    Err(HostError::Empty)
}
