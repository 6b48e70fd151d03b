//! The use case behind `/matrix`: every host against every image, by the rule alone.

use std::collections::BTreeSet;

use jiff::civil::Date;

use crate::windows::{
    Edition, Host, HostFacts, HostKind, Platform, Tables, Verdict, WindowsVersion, verdict,
};

use super::host::HostDescription;

/// A host of the matrix.
#[derive(Clone, Debug)]
pub struct MatrixHost {
    /// Its facts.
    pub facts: HostFacts,
    /// Its description.
    pub description: HostDescription,
}

/// The verdicts for one host and one image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    /// The host.
    pub host: WindowsVersion,
    /// Server or client.
    pub host_kind: HostKind,
    /// The image.
    pub image: WindowsVersion,
    /// In process isolation.
    pub process: Verdict,
    /// In Hyper-V isolation.
    pub hyperv: Verdict,
    /// Why, as codes.
    pub reasons: Vec<&'static str>,
    /// What to look out for, as codes.
    pub warnings: Vec<&'static str>,
}

/// The answer of `/matrix`.
#[derive(Clone, Debug)]
pub struct Matrix {
    /// One cell for each host and image, host by host.
    pub cells: Vec<Cell>,
    /// The hosts.
    pub hosts: Vec<MatrixHost>,
    /// The images, described as the server release of their build.
    pub images: Vec<HostDescription>,
}

impl MatrixHost {
    /// A host that was read.
    pub fn of(host: &Host, tables: &Tables, today: Date) -> Self {
        let facts = HostFacts { version: host.version, kind: host.kind, edition: host.edition };
        Self { facts, description: HostDescription::of_host(host, tables, today) }
    }

    /// A host of this version.
    pub fn new(
        requested: &str,
        version: WindowsVersion,
        kind: HostKind,
        edition: Edition,
        tables: &Tables,
        today: Date,
    ) -> Self {
        Self {
            facts: HostFacts { version, kind, edition },
            description: HostDescription::new(requested, version, kind, tables, today),
        }
    }
}

/// The hosts of the matrix when none are asked for: every build in the tables, oldest first, once
/// as server and once as client where it is both.
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
            MatrixHost::new(&version.to_string(), version, kind, Edition::Other, tables, today)
        })
        .collect()
}

/// The images of the matrix when none are asked for: every build that base images were made of,
/// described as the server release of that build.
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
        images.iter().map(|image| cell(host.facts, image.version, platform)).collect()
    };
    let cells = hosts.iter().flat_map::<Vec<Cell>, _>(of_host).collect();
    Matrix { cells, hosts, images }
}

fn cell(host: HostFacts, image: WindowsVersion, platform: Platform) -> Cell {
    let compatibility = verdict(host, Some(image), platform);
    let modes = [&compatibility.process, &compatibility.hyperv];
    let mut reasons: Vec<&'static str> =
        modes.iter().flat_map(|mode| &mode.reasons).map(|reason| reason.as_str()).collect();
    reasons.dedup();
    let warnings =
        modes.iter().flat_map(|mode| &mode.warnings).map(|reason| reason.as_str()).collect();
    Cell {
        host: host.version,
        host_kind: host.kind,
        image,
        process: compatibility.process.verdict,
        hyperv: compatibility.hyperv.verdict,
        reasons,
        warnings,
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
        assert_eq!((hosts.len(), images.len()), (29, 10));
        let matrix = matrix(hosts, images, Platform::Docker);
        assert_eq!(matrix.cells.len(), 29 * 10);
    }
}
