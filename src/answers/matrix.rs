//! The use case behind `/matrix`: every host against every image, by the rule alone.

use std::collections::BTreeSet;

use jiff::civil::Date;
use serde::Serialize;
use utoipa::ToSchema;

use super::host::HostDescription;
use super::question::AskedHost;
use crate::windows::{
    Edition, HostFacts, HostKind, Platform, Tables, Verdict, WindowsVersion, verdict,
};

/// A host of the matrix.
#[derive(Clone, Debug)]
pub struct MatrixHost {
    facts: HostFacts,
    description: HostDescription,
}

/// The verdicts for one host and one image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Cell {
    /// The host's os.version.
    #[schema(value_type = String, example = "10.0.17763")]
    pub host: WindowsVersion,
    /// Whether the host is a server or a client; some builds are both.
    pub host_kind: HostKind,
    /// The image's os.version.
    #[schema(value_type = String, example = "10.0.20348")]
    pub image: WindowsVersion,
    /// Whether the image runs in process isolation.
    pub process: Verdict,
    /// Whether the image runs in Hyper-V isolation.
    pub hyperv: Verdict,
    /// Why, as codes.
    #[schema(value_type = Vec<String>, example = json!(["image-newer-than-host"]))]
    pub reasons: Vec<&'static str>,
    /// Possible problems, as codes.
    #[schema(value_type = Vec<String>)]
    pub warnings: Vec<&'static str>,
}

/// The answer of `/matrix`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Matrix {
    /// One cell for each host and image, host by host.
    pub cells: Vec<Cell>,
    /// The hosts.
    pub hosts: Vec<HostDescription>,
    /// The images, described as the server release of their build.
    pub images: Vec<HostDescription>,
}

impl MatrixHost {
    /// This host.
    pub fn of(host: &AskedHost, tables: &Tables, today: Date) -> Self {
        Self { facts: host.facts(), description: HostDescription::of(host, tables, today) }
    }

    /// The host of a question.
    pub fn asked(self) -> AskedHost {
        let HostFacts { version, kind, edition } = self.facts;
        let HostDescription { requested, name, .. } = self.description;
        AskedHost { requested, version, kind, edition, name, could_mean: Vec::new() }
    }
}

/// The default hosts of the matrix: every build in the tables, oldest first, once as server and
/// once as client if it is both.
pub fn all_hosts(tables: &Tables, today: Date) -> Vec<MatrixHost> {
    let known: BTreeSet<(bool, u32)> = tables
        .releases()
        .iter()
        .map(|release| (release.kind == HostKind::Client, release.build))
        .collect();
    known
        .into_iter()
        .map(|(is_client, build)| {
            let version = WindowsVersion::of_build(build);
            let kind = if is_client { HostKind::Client } else { HostKind::Server };
            let requested = version.to_string();
            MatrixHost {
                facts: HostFacts { version, kind, edition: Edition::Other },
                description: HostDescription::new(&requested, version, kind, tables, today),
            }
        })
        .collect()
}

/// The default images of the matrix: every build that has base images, described as the server
/// release of that build.
pub fn all_images(tables: &Tables, today: Date) -> Vec<HostDescription> {
    let with_images = tables.releases().iter().filter(|release| !release.lines.is_empty());
    let builds: BTreeSet<u32> = with_images.map(|release| release.build).collect();
    let versions = builds.into_iter().map(WindowsVersion::of_build);
    versions
        .map(|version| {
            HostDescription::new(&version.to_string(), version, HostKind::Server, tables, today)
        })
        .collect()
}

/// Every host against every image.
pub fn matrix(hosts: Vec<MatrixHost>, images: Vec<HostDescription>, platform: Platform) -> Matrix {
    let of_host = |host: &MatrixHost| {
        images.iter().map(|image| cell(host.facts, image.os_version, platform)).collect()
    };
    let cells = hosts.iter().flat_map::<Vec<Cell>, _>(of_host).collect();
    let hosts = hosts.into_iter().map(|host| host.description).collect();
    Matrix { cells, hosts, images }
}

fn cell(host: HostFacts, image: WindowsVersion, platform: Platform) -> Cell {
    let compatibility = verdict(host, Some(image), platform);
    let warnings = compatibility.process.warnings.iter().chain(&compatibility.hyperv.warnings);
    Cell {
        host: host.version,
        host_kind: host.kind,
        image,
        process: compatibility.process.verdict,
        hyperv: compatibility.hyperv.verdict,
        reasons: compatibility.reason_codes(),
        warnings: warnings.map(|reason| reason.as_str()).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn today() -> Date {
        jiff::civil::date(2026, 11, 23)
    }

    #[test]
    fn the_whole_matrix_has_every_host_and_image() {
        let tables = Tables::embedded();
        let hosts = all_hosts(tables, today());
        let images = all_images(tables, today());
        assert_eq!((hosts.len(), images.len()), (30, 10));
        let matrix = matrix(hosts, images, Platform::Docker);
        assert_eq!(matrix.cells.len(), 30 * 10);
    }
}
