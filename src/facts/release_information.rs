//! Microsoft's pages of release information, as Markdown:
//! <https://learn.microsoft.com/en-us/windows/release-health/windows-server-release-info> and
//! <https://learn.microsoft.com/en-us/windows/release-health/windows11-release-information>, both
//! with `?accept=text/markdown`.
//!
//! Below the name of a release with its build, in bold, are tables of two forms: all updates, and
//! the calendar of hotpatches. A table of any other form there is refused whole, as is one with a
//! row that makes no sense. Tables elsewhere, such as that of support dates, are not read.

use jiff::civil::Date;

use super::claim::{Claim, HOTPATCH, OUT_OF_BAND, PREVIEW, Read, Refused, STANDARD, Source};
use crate::windows::{HostKind, Kb, WindowsVersion};

const UPDATES: [&str; 5] =
    ["Servicing option", "Update type", "Availability date", "Build", "KB article"];
const CALENDAR: [&str; 6] =
    ["Month", "Update type", "Type", "Availability date", "Build", "KB article"];

/// The most lines that are read. The page for servers had 700 in May 2026. Ours.
const MAX_LINES: usize = 20_000;

/// Reads a page for this kind of host.
///
/// # Errors
/// When the page has no table that can be read.
pub fn read(page: &[u8], kind: HostKind) -> Result<Read, Refused> {
    let text = std::str::from_utf8(page).map_err(|_| Refused::because("it is not UTF-8"))?;
    if text.lines().count() > MAX_LINES {
        return Err(Refused(format!("it has more than {MAX_LINES} lines")));
    }
    let updated = text
        .lines()
        .take_while(|line| !line.starts_with('#'))
        .find_map(|line| line.strip_prefix("updated_at: "))
        .map_or("unknown date", |moment| moment.get(..DAY_BYTES).unwrap_or(moment));
    let evidence = format!("release information for {kind}s, updated {updated}");
    let (mut read, mut tables, mut build) = (Read::default(), 0, None);
    let mut lines = text.lines().map(str::trim).peekable();
    while let Some(line) = lines.next() {
        if line.starts_with('#') {
            build = None;
        } else if let Some(of_heading) = build_of_heading(line) {
            build = Some(of_heading);
        } else if line.starts_with('|') {
            let mut rows = vec![line];
            while let Some(row) = lines.next_if(|line| line.starts_with('|')) {
                rows.push(row);
            }
            let Some(build) = build else { continue };
            match read_table(&rows, build, kind, &evidence) {
                Ok(claims) => {
                    tables += 1;
                    read.claims.extend(claims);
                }
                Err(reason) => read.refused.push(format!("a table of build {build}: {reason}")),
            }
        }
    }
    match (tables, read.refused.first()) {
        (0, None) => Err(Refused::because("it has no table of updates")),
        (0, Some(reason)) => Err(Refused(reason.clone())),
        _ => Ok(read),
    }
}

/// The build in `**Windows Server 2022 (OS build 20348)**`.
fn build_of_heading(line: &str) -> Option<u32> {
    let (_, rest) = line.strip_prefix("**")?.strip_suffix(")**")?.split_once("(OS build ")?;
    rest.parse().ok()
}

fn read_table(
    rows: &[&str],
    build: u32,
    kind: HostKind,
    evidence: &str,
) -> Result<Vec<Claim>, String> {
    let [header, rule, rows @ ..] = rows else { return Err("it has no rows".to_owned()) };
    let header = cells(header)?;
    let is_calendar = header == CALENDAR;
    if !is_calendar && header != UPDATES {
        return Err(format!("its header {:?} is not one that is known", header.join(" | ")));
    }
    if !cells(rule)?.iter().all(|cell| !cell.is_empty() && cell.bytes().all(|it| it == b'-')) {
        return Err("the line below its header is missing".to_owned());
    }
    let read = |(at, row): (usize, &&str)| {
        let row = cells(row).and_then(|cells| match (is_calendar, cells.as_slice()) {
            (false, [option, update_type, day, version, kb]) => {
                // What insiders get is not released.
                let is_preview = option.starts_with("Release Preview");
                let claim = claim(update_type, None, day, version, kb)?;
                Ok(claim.filter(|_| !is_preview))
            }
            // Some rows end with an empty cell more.
            (
                true,
                [_, update_type, hotpatch, day, version, kb]
                | [_, update_type, hotpatch, day, version, kb, ""],
            ) => claim(update_type, Some(hotpatch), day, version, kb),
            _ => Err("it has another number of cells than the header".to_owned()),
        });
        row.map_err(|reason| format!("row {}: {reason}", at + 1))
    };
    let claim_of =
        |(version, kb, released, release_type): (WindowsVersion, Kb, Date, &str)| Claim {
            version,
            kb: Some(kb),
            released: Some(released),
            named: Some(released),
            release_type: Some(release_type.to_owned()),
            kind: Some(kind),
            source: Source::ReleaseInformation,
            evidence: evidence.to_owned(),
        };
    let read: Vec<_> = rows.iter().enumerate().map(read).collect::<Result<_, _>>()?;
    let read = read.into_iter().flatten();
    let of_build = read.map(|row| match row.0.build == build {
        true => Ok(claim_of(row)),
        false => Err(format!("{} is not of its build", row.0)),
    });
    of_build.collect()
}

/// The cells of a row: `| one | two |`.
fn cells(row: &str) -> Result<Vec<&str>, String> {
    let inner = row.strip_prefix('|').and_then(|row| row.strip_suffix('|'));
    let inner = inner.ok_or("a row ends in the middle")?;
    Ok(inner.split('|').map(str::trim).collect())
}

/// A row; `None` for one without a KB: installation media, or an update that is still to come.
fn claim<'t>(
    update_type: &str,
    hotpatch: Option<&str>,
    day: &str,
    version: &str,
    kb: &str,
) -> Result<Option<(WindowsVersion, Kb, Date, &'t str)>, String> {
    // `2026-05 B`, `2026.05 B`, and `2024.08 B^\*^` with a footnote.
    let letters = update_type.split(' ').nth(1).unwrap_or_default();
    let release_type = match (hotpatch, letters.split('^').next().unwrap_or_default()) {
        (Some("Hotpatch"), _) => HOTPATCH,
        (Some("Baseline (Restart)") | None, "A" | "B") => STANDARD,
        (None, "C" | "D") => PREVIEW,
        (None, "OOB") => OUT_OF_BAND,
        // A new release begins so, without a letter and without a KB.
        _ if kb.is_empty() => return Ok(None),
        _ => return Err(format!("unknown update type {update_type:?}")),
    };
    if kb.is_empty() {
        return Ok(None);
    }
    let name = match kb.strip_prefix('[') {
        Some(link) => link.split_once(']').map(|(name, _)| name),
        None => Some(kb),
    };
    let kb = name.filter(|name| name.starts_with("KB")).and_then(|name| name.parse().ok());
    let kb: Kb = kb.ok_or("its KB has not seven digits")?;
    let day = day.parse().map_err(|_| format!("{day:?} is not a day"))?;
    let version: WindowsVersion = format!("10.0.{version}")
        .parse()
        .map_err(|_| format!("{version:?} is not a build and a revision"))?;
    if version.revision.is_none() {
        return Err(format!("{version} has no revision"));
    }
    Ok(Some((version, kb, day, release_type)))
}

/// The length of a day: `2026-05-13`.
const DAY_BYTES: usize = 10;
