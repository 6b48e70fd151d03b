//! The tables of releases and updates, and every look-up in them.
//!
//! The tables are part of the program. Newer ones can be given as text (`--tables-dir`), which is
//! why reading them is strict and says which line of which file is wrong.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use jiff::civil::Date;

use super::kb::KbEntry;
use super::release::{Base, HostKind, Release};
use super::tables_csv::{TableError, extent, read_kbs, read_releases, refuse_behind};
use super::version::{Kb, WindowsVersion};

/// The known Windows releases and updates.
#[derive(Debug, PartialEq, Eq)]
pub struct Tables {
    /// Servers first, then by build; where two server releases share a build, the long-term one
    /// first.
    releases: Vec<Release>,
    /// By version, then by KB.
    kbs: Vec<KbEntry>,
    releases_of_build: HashMap<u32, Vec<usize>>,
    build_of_line: HashMap<String, u32>,
    /// The last day up to which updates are known.
    as_of: Date,
    /// The position of each row of `kbs`, by KB.
    position_of_kb: Vec<(Kb, usize)>,
}

impl Tables {
    /// The tables that are part of the program.
    pub fn embedded() -> &'static Arc<Tables> {
        static EMBEDDED: OnceLock<Arc<Tables>> = OnceLock::new();
        EMBEDDED.get_or_init(|| {
            let tables = Tables::from_csv(EMBEDDED_RELEASES, EMBEDDED_KB);
            Arc::new(tables.expect("the built-in tables are read by a test"))
        })
    }

    /// Reads both tables. The rows may come in any order.
    pub fn from_csv(releases: &str, kb: &str) -> Result<Tables, TableError> {
        let mut releases = read_releases(releases)?;
        let kbs = read_kbs(kb)?;
        releases.sort_by(|left, right| release_order(left).cmp(&release_order(right)));
        Ok(Self::indexed(releases, kbs))
    }

    /// The same tables with more updates, known up to this day at least. One for a version without
    /// a known update takes the place of that row.
    pub fn with(&self, more: Vec<KbEntry>, checked: Option<Date>) -> Tables {
        let fills = |known: &KbEntry| {
            known.kb.is_none() && more.iter().any(|entry| entry.version == known.version)
        };
        let known = self.kbs.iter().filter(|entry| !fills(entry)).cloned();
        let kbs = known.chain(more.iter().cloned()).collect();
        let tables = Self::indexed(self.releases.clone(), kbs);
        Self { as_of: tables.as_of.max(checked.unwrap_or(tables.as_of)), ..tables }
    }

    /// Tables of these rows, of which the releases are in order.
    fn indexed(releases: Vec<Release>, mut kbs: Vec<KbEntry>) -> Tables {
        kbs.sort_by_key(|entry| (entry.version, entry.kb));
        let mut releases_of_build: HashMap<u32, Vec<usize>> = HashMap::new();
        let mut build_of_line = HashMap::new();
        for (index, release) in releases.iter().enumerate() {
            releases_of_build.entry(release.build).or_default().push(index);
            for line in &release.lines {
                build_of_line.insert(line.clone(), release.build);
            }
        }
        let known = |(index, entry): (usize, &KbEntry)| Some((entry.kb?, index));
        let mut position_of_kb: Vec<(Kb, usize)> =
            kbs.iter().enumerate().filter_map(known).collect();
        position_of_kb.sort_unstable();
        let as_of = kbs.iter().filter_map(|entry| entry.released).max().unwrap_or(Date::MIN);
        Tables { releases, kbs, releases_of_build, build_of_line, as_of, position_of_kb }
    }

    /// The tables that are part of the program as text: `releases.csv` and `kb.csv`.
    pub fn embedded_csv() -> (&'static str, &'static str) {
        (EMBEDDED_RELEASES, EMBEDDED_KB)
    }

    /// Reads tables that are to replace the built-in ones.
    ///
    /// # Errors
    /// As [`Self::from_csv`], and when a table has fewer rows or an earlier newest day than the
    /// built-in one.
    pub fn replacing(releases: &str, kb: &str) -> Result<Tables, TableError> {
        let (given, built_in) = (Self::from_csv(releases, kb)?, Self::embedded());
        let releases =
            |tables: &Tables| extent(tables.releases.iter().map(|release| Some(release.available)));
        let kbs = |tables: &Tables| extent(tables.kbs.iter().map(|entry| entry.released));
        refuse_behind("releases.csv", releases(&given), releases(built_in))?;
        refuse_behind("kb.csv", kbs(&given), kbs(built_in))?;
        Ok(given)
    }

    /// The last day up to which updates are known: that of the newest one, or that on which
    /// Microsoft's release information was last read.
    pub fn as_of(&self) -> Date {
        self.as_of
    }

    /// Every release: servers first, then by build.
    pub fn releases(&self) -> &[Release] {
        &self.releases
    }

    /// Every pair of a version and an update, by version.
    pub fn kbs(&self) -> &[KbEntry] {
        &self.kbs
    }

    /// The releases of that build: servers first, of these the long-term one first.
    pub fn releases_of_build(&self, build: u32) -> impl Iterator<Item = &Release> {
        let indexes = self.releases_of_build.get(&build).map_or(&[][..], Vec::as_slice);
        indexes.iter().filter_map(|&index| self.releases.get(index))
    }

    /// The release that a host of that kind and build runs. Where two server releases share the
    /// build (17763), the long-term one: the other one ended long ago.
    pub fn release_for(&self, build: u32, kind: HostKind) -> Option<&Release> {
        self.releases_of_build(build).find(|release| release.kind == kind)
    }

    /// The last day of support of the images of this build, if that day has passed.
    pub fn image_support_ended(&self, build: u32, base: Base, today: Date) -> Option<Date> {
        let ends = self
            .releases_of_build(build)
            .filter(|release| release.kind == HostKind::Server)
            .filter_map(|release| match base {
                Base::Nanoserver => release.nanoserver_end,
                Base::Servercore => release.servercore_end,
            });
        ends.max().filter(|end| *end < today)
    }

    /// The build that a word of a tag stands for: `ltsc2022` is 20348. Case matters as it does in
    /// tags, except that both `20H2` and `20h2` are understood, because people write both.
    pub fn build_of_line(&self, line: &str) -> Option<u32> {
        let build = self.build_of_line.get(line).or_else(|| {
            // Half-year names are the only words that begin with a digit and have a letter.
            let half_year = line.len() <= HALF_YEAR_BYTES
                && line.starts_with(|first: char| first.is_ascii_digit());
            half_year.then(|| self.build_of_line.get(&line.to_ascii_uppercase())).flatten()
        });
        build.copied()
    }

    /// The position of that word in the order of preference of the build, 0 first; `usize::MAX`
    /// when the build has no such word. The words of the long-term release come before those of
    /// the other server releases of the build.
    pub fn line_rank(&self, build: u32, line: &str) -> usize {
        self.releases_of_build(build)
            .flat_map(|release| &release.lines)
            .position(|known| known == line)
            .unwrap_or(usize::MAX)
    }

    /// The updates that brought that version; none when its revision is not known.
    pub fn kbs_of(&self, version: WindowsVersion) -> Vec<&KbEntry> {
        if version.revision.is_none() {
            return Vec::new();
        }
        let first = self.kbs.partition_point(|entry| entry.version < version);
        self.kbs.iter().skip(first).take_while(|entry| entry.version == version).collect()
    }

    /// The kind of host that has this revision, where the sources tell servers and clients of its
    /// build apart. On 26100 they parted in January 2026: since then the revisions of clients go
    /// on below 10,000, and those of servers begin at 32230 (`data/kb.csv`).
    ///
    /// `None` for a revision that both kinds have; for the first of these and all before it, of
    /// which the first server media were made too; and for a hotpatch from before the parting,
    /// because the sources list those for clients only, although servers receive them as well.
    pub fn kind_of_revision(&self, version: WindowsVersion) -> Option<HostKind> {
        version.revision?;
        let of_build = self.kbs_of_build(version.build);
        let is_shared = |entry: &&KbEntry| entry.kinds.len() > 1;
        let first_shared = of_build.iter().find(is_shared)?.version;
        let last_shared = of_build.iter().rfind(is_shared)?.version;
        if version <= first_shared {
            return None;
        }
        if version <= last_shared {
            let mut own = of_build.iter().filter(|entry| entry.version == version);
            return own.find_map(|entry| entry.only_kind().filter(|_| !entry.is_hotpatch()));
        }
        // Each kind has a series of its own here: a revision without a row belongs to the series
        // of the nearest row below it, or to the first series.
        let parted = of_build.iter().filter(|entry| entry.version > last_shared);
        let series: Vec<(WindowsVersion, HostKind)> =
            parted.filter_map(|entry| Some((entry.version, entry.only_kind()?))).collect();
        let below = series.iter().rfind(|(first, _)| *first <= version);
        below.or(series.first()).map(|(_, kind)| *kind)
    }

    /// Every pair of a version of this build and an update, by version.
    pub fn kbs_of_build(&self, build: u32) -> &[KbEntry] {
        let next = WindowsVersion::of_build(build.saturating_add(1));
        self.kbs_between(WindowsVersion::of_build(build), next)
    }

    /// The rows from one version up to another, without it.
    fn kbs_between(&self, from: WindowsVersion, to: WindowsVersion) -> &[KbEntry] {
        let at = |version| self.kbs.partition_point(|entry| entry.version < version);
        self.kbs.get(at(from)..at(to)).unwrap_or_default()
    }

    /// The version that an update brought to a build; without a revision where it brought several,
    /// or none that is known.
    pub fn version_of_kb(&self, kb: Kb, build: u32) -> WindowsVersion {
        let versions = self.versions_of(kb).into_iter().map(|entry| entry.version);
        let mut of_build = versions.filter(|version| version.build == build);
        match (of_build.next(), of_build.next()) {
            (Some(only), None) => only,
            _ => WindowsVersion::of_build(build),
        }
    }

    /// The versions that an update brought, oldest build first.
    pub fn versions_of(&self, kb: Kb) -> Vec<&KbEntry> {
        let first = self.position_of_kb.partition_point(|(known, _)| *known < kb);
        let of_kb = self.position_of_kb.iter().skip(first).take_while(|(known, _)| *known == kb);
        of_kb.filter_map(|(_, index)| self.kbs.get(*index)).collect()
    }
}

/// The order of [`Tables::releases`], which `data/releases.csv` keeps as well.
fn release_order(release: &Release) -> impl Ord + use<'_> {
    (release.kind, release.build, release.version.as_str(), release.channel, release.name.as_str())
}

const EMBEDDED_RELEASES: &str = include_str!("data/releases.csv");
const EMBEDDED_KB: &str = include_str!("data/kb.csv");

/// `20H2`.
const HALF_YEAR_BYTES: usize = 4;

#[cfg(test)]
#[path = "tables_tests.rs"]
mod tests;
