//! How far an image is behind the updates of its build.
//!
//! An image is measured against the updates that images get: no hotpatches and no previews, which
//! are revisions of hosts alone, and no updates of clients.

use jiff::civil::Date;
use serde::Serialize;
use utoipa::ToSchema;

use crate::windows::{HostKind, Kb, KbEntry, Tables, WindowsVersion};

/// The state of an image between the updates of its build.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Patch {
    /// The revision of the image.
    #[schema(example = 2113)]
    pub revision: u32,
    /// The update that brought it; null if it is not known.
    #[schema(value_type = Option<String>, example = "KB5032198")]
    pub kb: Option<Kb>,
    /// The day of that update; null if it is not known.
    #[schema(value_type = Option<String>, example = "2023-11-14", format = Date)]
    pub released: Option<Date>,
    /// The newest revision of the build that images can have, as far as it is known.
    #[schema(example = 5870)]
    pub newest_revision: u32,
    /// The update that brought it; null if it is not known.
    #[schema(value_type = Option<String>, example = json!(null))]
    pub newest_kb: Option<Kb>,
    /// The day of that update; null if it is not known.
    #[schema(value_type = Option<String>, example = "2026-11-10", format = Date)]
    pub newest_released: Option<Date>,
    /// How many updates of images there are above the revision.
    #[schema(example = 40)]
    pub behind: usize,
}

impl Patch {
    /// That of an image; `None` if its revision, or every update of its build, is not known. On a
    /// former day it is measured against the updates of which it is known that they were out.
    pub fn of(version: WindowsVersion, tables: &Tables, former: Option<Date>) -> Option<Self> {
        let counts = |entry: &&KbEntry| {
            let was_out =
                former.is_none_or(|day| entry.released.is_some_and(|released| released <= day));
            is_of_images(entry) && was_out
        };
        let revision = version.revision?;
        let of_build = tables.kbs_of_build(version.build);
        let newest = of_build.iter().rfind(counts)?.version;
        let newest = newest.max(version);
        let above = of_build.partition_point(|entry| entry.version <= version);
        let above = of_build.get(above..).unwrap_or_default();
        let mut above: Vec<_> = above.iter().filter(counts).map(|entry| entry.version).collect();
        above.dedup();
        let update = |version| {
            let of = tables.kbs_of(version);
            let kb = of.iter().find_map(|entry| entry.kb);
            (kb, of.iter().find_map(|entry| entry.released))
        };
        let ((kb, released), (newest_kb, newest_released)) = (update(version), update(newest));
        Some(Self {
            revision,
            kb,
            released,
            newest_revision: newest.revision?,
            newest_kb,
            newest_released,
            behind: above.len(),
        })
    }
}

/// Whether images get this update.
fn is_of_images(entry: &KbEntry) -> bool {
    let is_for_servers = entry.kinds.is_empty() || entry.kinds.contains(&HostKind::Server);
    is_for_servers && !entry.is_hotpatch() && entry.release_type.as_deref() != Some("Preview")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_measured_against_updates_of_images() {
        let releases = include_str!("../windows/data/releases.csv");
        let rows = "build,revision,kb,released,kind_of_release,os_type,source\n\
            26100,33000,KB5000001,2026-06-09,Standard,server,a test\n\
            26100,33100,KB5000002,2026-06-23,Preview,server,a test\n\
            26100,33200,KB5000003,2026-07-14,Standard,server,a test\n\
            26100,33210,KB5000004,2026-07-20,Container-only,,a test\n\
            26100,33250,,2026-08-11,,server,a test\n\
            26100,33300,KB5000005,2026-08-11,Hotpatch,server,a test\n\
            26100,34000,KB5000006,2026-08-11,Standard,client,a test\n";
        let tables = Tables::from_csv(releases, rows).unwrap();
        let of = |revision| {
            let patch = Patch::of(WindowsVersion::new(26100, revision), &tables, None).unwrap();
            (patch.kb.map(|kb| kb.0), patch.newest_revision, patch.newest_kb, patch.behind)
        };
        assert_eq!(of(33000), (Some(5_000_001), 33250, None, 3));
        // A revision that the tables do not have is between others.
        assert_eq!(of(33205), (None, 33250, None, 2));
        assert_eq!(of(33250), (None, 33250, None, 0));
        // An image that is newer than the tables is not behind.
        assert_eq!(of(33400), (None, 33400, None, 0));
        assert_eq!(Patch::of(WindowsVersion::of_build(26100), &tables, None), None);
        assert_eq!(Patch::of(WindowsVersion::new(20348, 1), &tables, None), None);
        let july = "2026-07-14".parse().ok();
        let then = Patch::of(WindowsVersion::new(26100, 33000), &tables, july).unwrap();
        assert_eq!((then.newest_revision, then.behind), (33200, 1));
    }
}
