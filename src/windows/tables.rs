//! The tables of releases and updates, and every look-up in them.
//!
//! The tables are part of the program. Newer ones can be given as text (`--tables-dir`), which is
//! why reading them is strict and says which line of which file is wrong.

use std::collections::HashMap;
use std::sync::OnceLock;

use super::kb::KbEntry;
use super::release::{HostKind, Release};
use super::tables_csv;
use super::version::{Kb, WindowsVersion};

/// What is known about Windows releases and updates.
#[derive(Debug)]
pub struct Tables {
    /// Servers first, then by build; where two server releases share a build, the long-term one
    /// first.
    releases: Vec<Release>,
    /// By version, then by KB.
    kbs: Vec<KbEntry>,
    releases_of_build: HashMap<u32, Vec<usize>>,
    build_of_line: HashMap<String, u32>,
    versions_of_kb: HashMap<Kb, Vec<usize>>,
}

/// Why a table cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    /// A file is larger than any such table should be.
    #[error("{file}: {bytes} bytes are more than the limit of {limit}; is this the right file?")]
    TooLarge {
        /// The name of the file.
        file: &'static str,
        /// Its size.
        bytes: usize,
        /// The largest size that is read.
        limit: usize,
    },
    /// A file has more rows than any such table should have.
    #[error("{file}: more than {limit} rows; is this the right file?")]
    TooManyRows {
        /// The name of the file.
        file: &'static str,
        /// The largest number of rows that is read.
        limit: usize,
    },
    /// A file has no rows, so nothing could be looked up.
    #[error("{file}: no rows; a table needs at least one")]
    NoRows {
        /// The name of the file.
        file: &'static str,
    },
    /// A column is missing in the first line.
    #[error(
        "{file} line 1: the column {column} is missing; the README next to the built-in tables \
         lists the columns"
    )]
    MissingColumn {
        /// The name of the file.
        file: &'static str,
        /// The missing column.
        column: &'static str,
    },
    /// A row is not CSV, or a value in it is wrong.
    #[error("{file} line {line}: {problem}")]
    Row {
        /// The name of the file.
        file: &'static str,
        /// The line, counted from 1; the first line is the header.
        line: u64,
        /// What is wrong and what is expected.
        problem: String,
    },
}

impl Tables {
    /// The tables that are part of the program.
    pub fn embedded() -> &'static Tables {
        static EMBEDDED: OnceLock<Tables> = OnceLock::new();
        EMBEDDED.get_or_init(|| {
            Tables::from_csv(EMBEDDED_RELEASES, EMBEDDED_KB)
                .expect("the built-in tables are read by a test")
        })
    }

    /// Reads both tables. The rows may come in any order.
    pub fn from_csv(releases: &str, kb: &str) -> Result<Tables, TableError> {
        let mut releases = tables_csv::read_releases(releases)?;
        let mut kbs = tables_csv::read_kbs(kb)?;
        releases.sort_by(|left, right| release_order(left).cmp(&release_order(right)));
        kbs.sort_by_key(|entry| (entry.version, entry.kb));

        let mut releases_of_build: HashMap<u32, Vec<usize>> = HashMap::new();
        let mut build_of_line = HashMap::new();
        for (index, release) in releases.iter().enumerate() {
            releases_of_build.entry(release.build).or_default().push(index);
            for line in &release.lines {
                build_of_line.insert(line.clone(), release.build);
            }
        }
        let mut versions_of_kb: HashMap<Kb, Vec<usize>> = HashMap::new();
        for (index, entry) in kbs.iter().enumerate() {
            versions_of_kb.entry(entry.kb).or_default().push(index);
        }
        Ok(Tables { releases, kbs, releases_of_build, build_of_line, versions_of_kb })
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

    /// The build that a word of a tag stands for: `ltsc2022` is 20348. Case matters as it does in
    /// tags, except that both `20H2` and `20h2` are understood, because people write both.
    pub fn build_of_line(&self, line: &str) -> Option<u32> {
        let build = self.build_of_line.get(line).or_else(|| {
            // Half-year names are the only words that begin with a digit and have a letter.
            let half_year = line.len() <= LONGEST_HALF_YEAR
                && line.starts_with(|first: char| first.is_ascii_digit());
            half_year.then(|| self.build_of_line.get(&line.to_ascii_uppercase())).flatten()
        });
        build.copied()
    }

    /// The place of that word in the order of preference of the build, 0 first; `usize::MAX` when
    /// the build has no such word. The words of the long-term release come before those of the
    /// other server releases of the build.
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

    /// The kind of host that has this revision, where a build is both and the revision tells. On
    /// 26100 servers and clients went apart in January 2026: since then the revisions of
    /// clients go on below 10,000, and those of servers begin at 32230 (`data/kb.csv`). A
    /// revision that no row has belongs to the series in which it lies.
    ///
    /// `None` for all else: a revision from before the first that both have, which is what the
    /// first media of a server were made of as well, one that both have, or a hotpatch, of
    /// which the sources tell for clients only.
    pub fn kind_of_revision(&self, version: WindowsVersion) -> Option<HostKind> {
        version.revision?;
        let first = self.kbs.partition_point(|entry| entry.version.build < version.build);
        let of_build =
            || self.kbs.iter().skip(first).take_while(|entry| entry.version.build == version.build);
        let first_shared = of_build().find(|entry| entry.kinds.len() > 1)?.version;
        let last_shared = of_build().filter(|entry| entry.kinds.len() > 1).last()?.version;
        let only_kind = |entry: &KbEntry| {
            <[HostKind; 1]>::try_from(entry.kinds.as_slice()).ok().map(|[kind]| kind)
        };
        if version <= last_shared {
            let has_it = |entry: &&KbEntry| entry.version == version && !entry.is_hotpatch();
            return of_build()
                .filter(has_it)
                .find_map(only_kind)
                .filter(|_| version > first_shared);
        }
        let mut own =
            of_build().filter(|entry| entry.version > last_shared && entry.kinds.len() == 1);
        let below = own.clone().take_while(|entry| entry.version <= version).last();
        below.or_else(|| own.next()).and_then(only_kind)
    }

    /// The versions that an update brought, oldest build first.
    pub fn versions_of(&self, kb: Kb) -> Vec<&KbEntry> {
        let indexes = self.versions_of_kb.get(&kb).map_or(&[][..], Vec::as_slice);
        indexes.iter().filter_map(|&index| self.kbs.get(index)).collect()
    }
}

/// The order of [`Tables::releases`], which `data/releases.csv` keeps as well.
fn release_order(release: &Release) -> impl Ord + use<'_> {
    (release.kind, release.build, release.version.as_str(), release.channel, release.name.as_str())
}

const EMBEDDED_RELEASES: &str = include_str!("data/releases.csv");
const EMBEDDED_KB: &str = include_str!("data/kb.csv");

/// `20H2`.
const LONGEST_HALF_YEAR: usize = 4;

#[cfg(test)]
#[path = "tables_tests.rs"]
mod tests;
