//! The list of MSRC's monthly documents: <https://api.msrc.microsoft.com/cvrf/v3.0/updates>, JSON.
//!
//! IDs such as `1999-Sep` are notes about Linux packages, and one month is spelt `2018-FEB`
//! (`data/feeds` of the tests).

use std::cmp::Reverse;

use jiff::civil::Date;
use serde::Deserialize;

use super::claim::Refused;

/// The most documents that a list may have. There were 190 in July 2026. Ours.
const MAX_MONTHS: usize = 2_000;

/// A monthly document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Month {
    /// Its name in URLs: `2026-Jun`.
    pub id: String,
    /// When it was published.
    pub published: Date,
    /// When it was last revised, as it is written there. It is revised for months.
    pub revised: String,
}

#[derive(Deserialize)]
struct List {
    value: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    #[serde(rename = "ID")]
    id: String,
    document_title: String,
    initial_release_date: String,
    current_release_date: String,
}

/// Reads the list: the documents about Windows, newest first.
///
/// # Errors
/// When it is not such a list.
pub fn read(body: &[u8]) -> Result<Vec<Month>, Refused> {
    let list: List = serde_json::from_slice(body).map_err(Refused::because)?;
    if list.value.len() > MAX_MONTHS {
        return Err(Refused(format!("it has more than {MAX_MONTHS} documents")));
    }
    let mut months: Vec<Month> = list
        .value
        .into_iter()
        .filter(|entry| is_id(&entry.id) && entry.document_title.ends_with("Security Updates"))
        .filter_map(|entry| {
            let published = entry.initial_release_date.get(..10)?.parse().ok()?;
            Some(Month { id: entry.id, published, revised: entry.current_release_date })
        })
        .collect();
    months.sort_by_key(|month| Reverse(month.published));
    Ok(months)
}

/// Whether it is written `2026-Jun`. It becomes a part of a URL.
fn is_id(text: &str) -> bool {
    let parts = text.split_once('-');
    parts.is_some_and(|(year, month)| {
        year.len() == 4
            && year.bytes().all(|byte| byte.is_ascii_digit())
            && month.len() == 3
            && month.bytes().all(|byte| byte.is_ascii_alphabetic())
    })
}
