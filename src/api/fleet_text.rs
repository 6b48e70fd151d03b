//! The text formats of `/fleet`.

use super::markdown::{code, table};
use super::problem::{Problem, ProblemKind};
use super::resolve::resolution_text;
use crate::answers::{Fleet, Group, Resolution};
use crate::platforms::formats::TextFormat;
use crate::platforms::node::Skipped;
use crate::words::words;

words! {
    /// The form of the answer of `/fleet`.
    #[derive(Default)]
    pub enum FleetFormat {
        /// The whole answer.
        #[default]
        Json = "json",
        /// A table with a row for each group, and a sentence about one tag for all.
        Markdown = "markdown",
        /// The same table as CSV (RFC 4180).
        Csv = "csv",
        /// The variables of `/resolve` for the tag that runs on all hosts.
        Env = "env",
    }
}

/// The columns of the tables.
const HEADINGS: [&str; 6] = ["windows", "hosts", "tag", "isolation", "reference", "digest"];

/// The answer as text; `None` for JSON.
///
/// # Errors
/// For `env`, when no tag runs on all hosts, or one has a character that a shell would interpret.
pub fn fleet_text(fleet: &Fleet, format: FleetFormat) -> Result<Option<String>, Problem> {
    Ok(Some(match format {
        FleetFormat::Json => return Ok(None),
        FleetFormat::Markdown => markdown(fleet),
        FleetFormat::Csv => csv(fleet)?,
        FleetFormat::Env => resolution_text(for_all(fleet)?, TextFormat::Env)?,
    }))
}

/// The tag for all hosts: that of the only group, or one that runs on all groups in one mode.
fn for_all(fleet: &Fleet) -> Result<&Resolution, Problem> {
    if let ([Group { question, answer, .. }], 0) = (fleet.groups.as_slice(), fleet.unknown()) {
        return answer.as_ref().map_err(|refusal| Problem::of_refusal(refusal, question));
    }
    fleet.one_for_all.as_ref().map_err(|why| {
        let detail = format!("no tag runs on all hosts in one isolation mode: {why}");
        Problem::new(ProblemKind::NoCompatibleTag, detail)
    })
}

fn markdown(fleet: &Fleet) -> String {
    let headings = HEADINGS.map(str::to_owned);
    let all = match &fleet.one_for_all {
        Ok(one) => format!("One for all: {} ({}).", code(&one.reference), one.isolation),
        Err(why) => format!("No tag runs on all: {}.", code(why)),
    };
    let mut text = format!("{}\n\n{all}\n", table(&headings, &rows(fleet)));
    for left_out in unknown(fleet) {
        let (name, reason) = (code(name_of(left_out)), code(&left_out.reason.to_string()));
        text.push_str(&format!("\nSkipped: {name}, {reason}.\n"));
    }
    text
}

fn csv(fleet: &Fleet) -> Result<String, Problem> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let written = std::iter::once(HEADINGS.map(str::to_owned).to_vec())
        .chain(rows(fleet))
        .try_for_each(|row| writer.write_record(row));
    let bytes = written.ok().and_then(|()| writer.into_inner().ok());
    bytes.and_then(|bytes| String::from_utf8(bytes).ok()).ok_or_else(|| {
        Problem::new(ProblemKind::Internal, "the table cannot be written as CSV".to_owned())
    })
}

/// A row for each group, and for each that was skipped but may run Windows. Cells of what is not
/// known are empty.
fn rows(fleet: &Fleet) -> Vec<Vec<String>> {
    let row = |group: &Group| {
        let hosts: Vec<&str> = group.nodes.iter().map(|name| plain(name)).collect();
        let mut row = vec![group.version.to_string(), hosts.join("; ")];
        row.extend(match &group.answer {
            Ok(found) => [
                found.tag.clone(),
                found.isolation.to_string(),
                found.reference.clone(),
                found.digest.as_ref().map(ToString::to_string).unwrap_or_default(),
            ],
            Err(_) => Default::default(),
        });
        row
    };
    let unknown = unknown(fleet).map(|left_out| {
        let mut row = vec![String::new(), name_of(left_out).to_owned()];
        row.resize(HEADINGS.len(), String::new());
        row
    });
    fleet.groups.iter().map(row).chain(unknown).collect()
}

/// Those that were skipped and may run Windows.
fn unknown(fleet: &Fleet) -> impl Iterator<Item = &Skipped> {
    fleet.skipped.iter().filter(|left_out| left_out.reason.may_be_windows())
}

fn name_of(left_out: &Skipped) -> &str {
    left_out.name.as_deref().map_or(NOT_SHOWN, plain)
}

/// Stands for a name that tables cannot show.
const NOT_SHOWN: &str = "(a text)";

/// The name of a host. Spreadsheets would calculate with one that begins with a sign, such as an
/// equals sign; a backslash before a bar ends a cell in Markdown; and some hosts are long texts.
fn plain(name: &str) -> &str {
    // The longest name of a node.
    const MAX_NAME_BYTES: usize = 253;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b" ._-,:/()[]+".contains(&byte);
    let begins = name.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric());
    let is_shown = begins && name.len() <= MAX_NAME_BYTES && name.bytes().all(is_plain);
    if is_shown { name } else { NOT_SHOWN }
}
