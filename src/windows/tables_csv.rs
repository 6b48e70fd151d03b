//! Reads the tables from CSV, strictly.
//!
//! Columns are found by name, so they can come in any order and further ones do no harm. A value
//! that makes no sense is an error with file and line: a table that is half right would answer
//! half wrong.

use std::collections::{HashMap, HashSet};
use std::fmt::Display;
use std::str::FromStr;

use csv::StringRecord;
use jiff::civil::Date;

use super::builds::BUILD_2016;
use super::kb::KbEntry;
use super::release::Release;
use super::version::WindowsVersion;

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
    /// A file has less than the built-in one: it is cut off, or older.
    #[error(
        "{file}: {rows} rows up to {newest}, but the built-in table has {built_in_rows} up to \
         {built_in_newest}; the file is cut off or older than this version of wintag: replace it \
         with the current one, or leave --tables-dir out"
    )]
    Behind {
        /// The name of the file.
        file: &'static str,
        /// The number of its rows.
        rows: usize,
        /// Its newest day.
        newest: Date,
        /// The number of built-in rows.
        built_in_rows: usize,
        /// The newest built-in day.
        built_in_newest: Date,
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

/// The number of rows with these days, and the newest of them.
pub(super) fn extent(days: impl Iterator<Item = Option<Date>>) -> (usize, Date) {
    days.fold((0, Date::MIN), |(rows, newest), day| (rows + 1, newest.max(day.unwrap_or(newest))))
}

/// Refuses a table that has fewer rows than the built-in one, or of whose days the newest is
/// earlier: answers would be older than without it.
pub(super) fn refuse_behind(
    file: &'static str,
    (rows, newest): (usize, Date),
    (built_in_rows, built_in_newest): (usize, Date),
) -> Result<(), TableError> {
    if rows < built_in_rows || newest < built_in_newest {
        return Err(TableError::Behind { file, rows, newest, built_in_rows, built_in_newest });
    }
    Ok(())
}

/// Reads the releases and checks them.
pub(super) fn read_releases(text: &str) -> Result<Vec<Release>, TableError> {
    let mut releases: Vec<Release> = Vec::new();
    let mut names = HashSet::new();
    let mut build_of_line: HashMap<String, u32> = HashMap::new();
    read_rows("releases.csv", text, RELEASE_COLUMNS, |row| {
        let release = release_of(row)?;
        if !names.insert(release.name.clone()) {
            return Err(format!("{} is there twice", release.name));
        }
        for line in &release.lines {
            let build = *build_of_line.entry(line.clone()).or_insert(release.build);
            if build != release.build {
                return Err(format!(
                    "the word {line} stands for build {build} in a row above; a word means one \
                     build"
                ));
            }
        }
        releases.push(release);
        Ok(())
    })?;
    Ok(releases)
}

/// Reads the updates and checks them.
pub(super) fn read_kbs(text: &str) -> Result<Vec<KbEntry>, TableError> {
    let mut entries = Vec::new();
    let mut pairs = HashSet::new();
    read_rows("kb.csv", text, KB_COLUMNS, |row| {
        let entry = kb_entry_of(row)?;
        if !pairs.insert((entry.version, entry.kb)) {
            let kb = entry.kb.map_or_else(|| "no KB".to_owned(), |kb| kb.to_string());
            return Err(format!("{} with {kb} is there twice", entry.version));
        }
        entries.push(entry);
        Ok(())
    })?;
    Ok(entries)
}

/// `kb.csv` with more rows, each with its source and a note. One for a version without a known
/// update takes the place of that row; one that is there already is left out.
///
/// # Errors
/// When the text is not such a table.
pub fn with_updates(
    text: &str,
    more: impl Iterator<Item = (KbEntry, String, String)>,
) -> Result<String, TableError> {
    let known: HashSet<_> = read_kbs(text)?.iter().map(|entry| (entry.version, entry.kb)).collect();
    let more: Vec<_> =
        more.filter(|(entry, ..)| !known.contains(&(entry.version, entry.kb))).collect();
    let filled: HashSet<_> = more
        .iter()
        .filter_map(|(entry, ..)| Some((entry.version.build, entry.version.revision?)))
        .map(|(build, revision)| [build.to_string(), revision.to_string()])
        .collect();
    let write = || {
        let mut reader = csv::Reader::from_reader(text.trim_start_matches('\u{feff}').as_bytes());
        let header = reader.headers()?.clone();
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(&header)?;
        let value = |record: &StringRecord, column: &str| {
            let at = header.iter().position(|name| name.trim() == column);
            at.and_then(|at| record.get(at)).unwrap_or_default().trim().to_owned()
        };
        for record in reader.records() {
            let record = record?;
            let version = ["build", "revision"].map(|column| value(&record, column));
            if !(value(&record, "kb").is_empty() && filled.contains(&version)) {
                writer.write_record(&record)?;
            }
        }
        for (entry, source, note) in &more {
            let kinds: Vec<&str> = entry.kinds.iter().map(|kind| kind.as_str()).collect();
            let text = |column: &str| match column.trim() {
                "build" => entry.version.build.to_string(),
                "revision" => entry.version.revision.map_or_else(String::new, |it| it.to_string()),
                "kb" => entry.kb.map_or_else(String::new, |kb| kb.to_string()),
                "released" => entry.released.map_or_else(String::new, |day| day.to_string()),
                "kind_of_release" => entry.release_type.clone().unwrap_or_default(),
                "os_type" => kinds.join("/"),
                "source" => source.clone(),
                "note" => note.clone(),
                _ => String::new(),
            };
            writer.write_record(header.iter().map(text))?;
        }
        let bytes = writer.into_inner().map_err(|error| csv::Error::from(error.into_error()))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    write().map_err(|error: csv::Error| TableError::Row {
        file: "kb.csv",
        line: error.position().map_or(1, csv::Position::line),
        problem: error.to_string(),
    })
}

fn release_of(row: &Row<'_>) -> Result<Release, String> {
    let release = Release {
        kind: row.parsed("kind")?,
        name: row.required("name")?.to_owned(),
        version: row.required("version")?.to_owned(),
        codename: row.text("codename").to_owned(),
        build: row.build()?,
        channel: row.parsed("channel")?,
        available: row.parsed("available")?,
        mainstream_end: row.parsed_if_any("mainstream_end")?,
        extended_end: row.parsed_if_any("extended_end")?,
        long_term_end: row.parsed_if_any("long_term_end")?,
        security_updates_end: row.parsed_if_any("security_updates_end")?,
        lines: row
            .text("lines")
            .split(';')
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .map(str::to_owned)
            .collect(),
        nanoserver_end: row.parsed_if_any("nanoserver_end")?,
        servercore_end: row.parsed_if_any("servercore_end")?,
        note: row.text("note").to_owned(),
        source: row.required("source")?.to_owned(),
    };
    let in_order = [
        ("available", Some(release.available)),
        ("mainstream_end", release.mainstream_end),
        ("extended_end", release.extended_end),
        ("long_term_end", release.long_term_end),
        ("security_updates_end", release.security_updates_end),
    ];
    let known: Vec<(&str, Date)> =
        in_order.into_iter().filter_map(|(column, day)| day.map(|day| (column, day))).collect();
    for ((earlier, earlier_day), (later, later_day)) in known.iter().zip(known.iter().skip(1)) {
        if later_day < earlier_day {
            return Err(format!("{later} {later_day} is before {earlier} {earlier_day}"));
        }
    }
    Ok(release)
}

fn kb_entry_of(row: &Row<'_>) -> Result<KbEntry, String> {
    let release_type =
        Some(row.text("kind_of_release")).filter(|text| !text.is_empty()).map(str::to_owned);
    let kinds = match row.text("os_type") {
        "" => Vec::new(),
        kinds => kinds
            .split('/')
            .map(|kind| {
                kind.parse()
                    .map_err(|error| format!("os_type {kind:?}: {error}, or both with a slash"))
            })
            .collect::<Result<_, String>>()?,
    };
    row.required("source")?;
    Ok(KbEntry {
        version: WindowsVersion::new(row.build()?, row.parsed("revision")?),
        kb: row.parsed_if_any("kb")?,
        released: row.parsed_if_any("released")?,
        container_only: release_type.as_deref() == Some(CONTAINER_ONLY),
        release_type,
        kinds,
    })
}

/// Calls `read` with each row of a table of bounded size.
fn read_rows(
    file: &'static str,
    text: &str,
    columns: &[&'static str],
    mut read: impl FnMut(&Row<'_>) -> Result<(), String>,
) -> Result<(), TableError> {
    if text.len() > MAX_TABLE_BYTES {
        return Err(TableError::TooLarge { file, bytes: text.len(), limit: MAX_TABLE_BYTES });
    }
    // Spreadsheet programs put a byte order mark in front.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let malformed = |error: csv::Error| TableError::Row {
        file,
        line: error.position().map_or(1, csv::Position::line),
        problem: error.to_string(),
    };
    let header = reader.headers().map_err(malformed)?.clone();
    let position = |column: &&'static str| {
        let position = header.iter().position(|name| name.trim() == *column);
        Ok::<_, TableError>((*column, position.ok_or(TableError::MissingColumn { file, column })?))
    };
    let positions: Vec<(&str, usize)> = columns.iter().map(position).collect::<Result<_, _>>()?;
    let mut rows = 0;
    // One record for all rows: this runs at every start, and allocates only what is kept.
    let mut record = StringRecord::new();
    while reader.read_record(&mut record).map_err(malformed)? {
        rows += 1;
        if rows > MAX_TABLE_ROWS {
            return Err(TableError::TooManyRows { file, limit: MAX_TABLE_ROWS });
        }
        let line = record.position().map_or(0, csv::Position::line);
        read(&Row { record: &record, positions: &positions })
            .map_err(|problem| TableError::Row { file, line, problem })?;
    }
    if rows == 0 { Err(TableError::NoRows { file }) } else { Ok(()) }
}

/// One row; its values are found by the name of their column.
struct Row<'table> {
    record: &'table StringRecord,
    positions: &'table [(&'static str, usize)],
}

impl<'table> Row<'table> {
    fn text(&self, column: &str) -> &'table str {
        let position = self.positions.iter().find(|(name, _)| *name == column);
        position.and_then(|(_, at)| self.record.get(*at)).unwrap_or_default().trim()
    }

    fn required(&self, column: &str) -> Result<&'table str, String> {
        match self.text(column) {
            "" => Err(format!("{column} is empty; every row needs it")),
            text => Ok(text),
        }
    }

    fn parsed<T: FromStr<Err: Display>>(&self, column: &str) -> Result<T, String> {
        let text = self.required(column)?;
        text.parse().map_err(|error| format!("{column} {text:?}: {error}"))
    }

    fn parsed_if_any<T: FromStr<Err: Display>>(&self, column: &str) -> Result<Option<T>, String> {
        if self.text(column).is_empty() { Ok(None) } else { self.parsed(column).map(Some) }
    }

    fn build(&self) -> Result<u32, String> {
        let build = self.parsed("build")?;
        if build < BUILD_2016 {
            return Err(format!(
                "build {build} is older than {BUILD_2016}, the first that runs \
                 containers"
            ));
        }
        Ok(build)
    }
}

const RELEASE_COLUMNS: &[&str] = &[
    "kind",
    "name",
    "version",
    "codename",
    "build",
    "channel",
    "available",
    "mainstream_end",
    "extended_end",
    "long_term_end",
    "security_updates_end",
    "lines",
    "nanoserver_end",
    "servercore_end",
    "note",
    "source",
];

const KB_COLUMNS: &[&str] =
    &["build", "revision", "kb", "released", "kind_of_release", "os_type", "source"];

/// The kind of release of an update that changed images only.
const CONTAINER_ONLY: &str = "Container-only";

/// The largest table that is read. The built-in list of updates, ten years of them, has 180 kB.
const MAX_TABLE_BYTES: usize = 8 * 1024 * 1024;

/// The most rows that are read. The built-in list of updates has 1,587.
const MAX_TABLE_ROWS: usize = 50_000;
