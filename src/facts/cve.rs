//! CVE records: <https://github.com/CVEProject/cvelistV5>. One names the fixed builds of a
//! vulnerability and no update, so that it only confirms that a revision exists. A record of one
//! month can name a revision of the month before.

use jiff::civil::Date;
use serde::Deserialize;

use super::claim::{Claim, Refused, Source, has_revision};
use super::cvrf::kind_of_product;

/// The most products that a record may have; those of Microsoft have some thirty. Ours.
const MAX_PRODUCTS: usize = 1_000;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    cve_metadata: Metadata,
    containers: Containers,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    cve_id: String,
    assigner_short_name: String,
    date_published: String,
}

#[derive(Deserialize)]
struct Containers {
    cna: Cna,
}

#[derive(Deserialize)]
struct Cna {
    affected: Vec<Affected>,
}

#[derive(Deserialize)]
struct Affected {
    product: String,
    #[serde(default)]
    versions: Vec<AffectedVersions>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AffectedVersions {
    less_than: Option<String>,
}

/// Reads a record of Microsoft's.
///
/// # Errors
/// When it is not such a record.
pub fn read(body: &[u8]) -> Result<Vec<Claim>, Refused> {
    let Record { cve_metadata: metadata, containers } =
        serde_json::from_slice(body).map_err(Refused::because)?;
    if metadata.assigner_short_name != "microsoft" {
        return Err(Refused::because("it is not a record of Microsoft's"));
    }
    if containers.cna.affected.len() > MAX_PRODUCTS {
        return Err(Refused(format!("it has more than {MAX_PRODUCTS} products")));
    }
    let named: Option<Date> = metadata.date_published.get(..10).and_then(|day| day.parse().ok());
    let is_id = is_cve_id(&metadata.cve_id);
    let evidence = if is_id { metadata.cve_id } else { "a CVE record".to_owned() };
    let of_product = |affected: Affected| {
        let kind = kind_of_product(&affected.product);
        affected.versions.into_iter().filter_map(move |versions| Some((kind?, versions.less_than?)))
    };
    let claims = containers.cna.affected.into_iter().flat_map(of_product);
    let claims = claims.filter_map(|(kind, fixed)| {
        let version = fixed.parse().ok().filter(has_revision)?;
        Some(Claim {
            version,
            kb: None,
            released: None,
            named,
            release_type: None,
            kind: Some(kind),
            source: Source::Cve,
            evidence: evidence.clone(),
        })
    });
    Ok(claims.collect())
}

/// The path of a record in the repository: `2026/69xxx/CVE-2026-69839`.
pub fn path_of(id: &str) -> Option<String> {
    let (year, number) = id.strip_prefix("CVE-")?.split_once('-')?;
    let thousands = number.len().checked_sub(3).and_then(|end| number.get(..end))?;
    let thousands = if thousands.is_empty() { "0" } else { thousands };
    is_cve_id(id).then(|| format!("{year}/{thousands}xxx/{id}"))
}

/// Whether it is written `CVE-2026-69839`. It becomes a part of a URL.
fn is_cve_id(text: &str) -> bool {
    let parts = text.strip_prefix("CVE-").and_then(|rest| rest.split_once('-'));
    let is_number = |text: &str, most: usize| {
        (4..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    parts.is_some_and(|(year, number)| is_number(year, 4) && is_number(number, 7))
}
