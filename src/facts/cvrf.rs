//! MSRC's monthly documents: <https://api.msrc.microsoft.com/cvrf/v3.0/cvrf/2026-Jun>, XML.
//!
//! Each remediation of the type `Vendor Fix` names the update (`Description`), the revision that it
//! brings (`FixedBuild`) and the products. Documents have up to 8 MB, so that they are read as a
//! stream, of which only these few texts are kept.

use std::collections::{BTreeSet, HashMap};

use jiff::civil::Date;
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::claim::{Claim, HOTPATCH, Refused, STANDARD, Source, has_revision};
use crate::windows::{HostKind, Kb, WindowsVersion};

/// The deepest element that is read; these documents have seven levels. Ours.
const MAX_DEPTH: usize = 32;
/// The most products, and the most claims. A month has some 700 products. Ours.
const MAX_PRODUCTS: usize = 20_000;
const MAX_CLAIMS: usize = 5_000;
/// The longest text that is kept. Ours.
const MAX_TEXT_BYTES: usize = 200;

/// What a document gives.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Document {
    /// The pairs of an update and a revision, each once for each kind of host.
    pub claims: Vec<Claim>,
    /// Some vulnerabilities with a fix for Windows whose revision the document does not name. The
    /// records of these CVEs do.
    pub without_build: Vec<String>,
}

/// A remediation while it is read.
#[derive(Default)]
struct Remediation {
    is_vendor_fix: bool,
    description: String,
    fixed_build: String,
    sub_type: String,
    kinds: BTreeSet<HostKind>,
}

/// The kind of host that a product of this name is.
pub(super) fn kind_of_product(name: &str) -> Option<HostKind> {
    let begins = |words: &[&str]| words.iter().any(|word| name.starts_with(word));
    match () {
        () if begins(&["Windows Server"]) => Some(HostKind::Server),
        () if begins(&["Windows 10", "Windows 11"]) => Some(HostKind::Client),
        () => None,
    }
}

/// Reads a document.
///
/// # Errors
/// When it is not such a document, or is not whole.
pub fn read(body: &[u8]) -> Result<Document, Refused> {
    let body = std::str::from_utf8(body).map_err(|_| Refused::because("it is not UTF-8"))?;
    let mut reader = Reader::from_str(body);
    reader.config_mut().trim_text(true);
    let (mut path, mut text, mut product) = (Vec::<String>::new(), String::new(), String::new());
    let mut kind_of: HashMap<String, HostKind> = HashMap::new();
    let (mut id, mut published, mut cve) = (String::new(), None, String::new());
    let mut remediation = Remediation::default();
    let (mut pairs, mut read, mut is_whole) = (BTreeSet::new(), Document::default(), false);
    let mut vulnerabilities = 0usize;
    loop {
        match reader.read_event().map_err(Refused::because)? {
            Event::Eof => break,
            Event::DocType(_) => return Err(Refused::because("it has a document type")),
            Event::Start(element) => {
                let name = local_name(&element);
                text.clear();
                match name.as_str() {
                    "FullProductName" => product = attribute(&element, "ProductID"),
                    "Remediation" => {
                        let is_vendor_fix = attribute(&element, "Type") == "Vendor Fix";
                        remediation = Remediation { is_vendor_fix, ..Remediation::default() };
                    }
                    _ => {}
                }
                path.push(name);
                if path.len() > MAX_DEPTH {
                    return Err(Refused(format!("it is more than {MAX_DEPTH} levels deep")));
                }
                if path.first().is_some_and(|root| root != "cvrfdoc") {
                    return Err(Refused::because("it is not a CVRF document"));
                }
            }
            Event::Text(piece) if text.len() + piece.len() <= MAX_TEXT_BYTES => {
                text.push_str(&piece);
            }
            Event::End(_) => {
                let Some(name) = path.pop() else { break };
                let parent = path.last().map_or("", String::as_str);
                match (parent, name.as_str()) {
                    ("Identification", "ID") => id = std::mem::take(&mut text),
                    ("DocumentTracking", "InitialReleaseDate") => {
                        published = text.get(..10).and_then(|day| day.parse::<Date>().ok());
                    }
                    (_, "FullProductName") if kind_of.len() < MAX_PRODUCTS => {
                        if let Some(kind) = kind_of_product(&text) {
                            kind_of.insert(std::mem::take(&mut product), kind);
                        }
                    }
                    (_, "CVE") => cve = std::mem::take(&mut text),
                    ("Remediation", "Description") => {
                        remediation.description = std::mem::take(&mut text);
                    }
                    ("Remediation", "FixedBuild") => {
                        remediation.fixed_build = std::mem::take(&mut text);
                    }
                    ("Remediation", "SubType") => remediation.sub_type = std::mem::take(&mut text),
                    ("Remediation", "ProductID") => {
                        remediation.kinds.extend(kind_of.get(text.as_str()));
                    }
                    (_, "Remediation") => match pair_of(&remediation) {
                        Some(pair) if pairs.len() < MAX_CLAIMS => {
                            pairs.extend(remediation.kinds.iter().map(|kind| (pair, *kind)));
                        }
                        None if lacks_build(&remediation)
                            && read.without_build.len() < MAX_WITHOUT_BUILD
                            && !read.without_build.contains(&cve) =>
                        {
                            read.without_build.push(cve.clone());
                        }
                        _ => {}
                    },
                    (_, "Vulnerability") => vulnerabilities += 1,
                    (_, "cvrfdoc") => is_whole = true,
                    _ => {}
                }
                text.clear();
            }
            _ => {}
        }
    }
    // Documents have come empty for an hour.
    match (is_whole, published, vulnerabilities) {
        (false, ..) => return Err(Refused::because("it ends in the middle")),
        (_, None, _) => return Err(Refused::because("it has no InitialReleaseDate")),
        (.., 0) => return Err(Refused::because("it has no vulnerability")),
        _ => {}
    }
    read.claims = pairs
        .into_iter()
        .map(|((version, kb, release_type), kind)| Claim {
            version,
            kb: Some(kb),
            // An update of a later day is named here too.
            released: None,
            named: published,
            release_type: Some(release_type.to_owned()),
            kind: Some(kind),
            source: Source::Msrc,
            evidence: format!("MSRC CVRF document {id}"),
        })
        .collect();
    Ok(read)
}

/// How many CVEs are remembered whose fix has no build.
const MAX_WITHOUT_BUILD: usize = 4;

/// What a vendor fix says, if it is an update of Windows and names its revision.
fn pair_of(remediation: &Remediation) -> Option<(WindowsVersion, Kb, &'static str)> {
    let release_type = match remediation.sub_type.as_str() {
        "Security Update" => STANDARD,
        "Security Hotpatch Update" => HOTPATCH,
        _ => return None,
    };
    let version = remediation.fixed_build.parse().ok().filter(has_revision)?;
    let kb = remediation.description.parse().ok()?;
    (remediation.is_vendor_fix && !remediation.kinds.is_empty()).then_some((
        version,
        kb,
        release_type,
    ))
}

fn lacks_build(remediation: &Remediation) -> bool {
    remediation.is_vendor_fix
        && remediation.kinds.contains(&HostKind::Server)
        && remediation.fixed_build.is_empty()
        && remediation.sub_type == "Security Update"
}

fn local_name(element: &BytesStart<'_>) -> String {
    let name = element.local_name();
    let name: &str = name.as_ref();
    name.get(..MAX_TEXT_BYTES).unwrap_or(name).to_owned()
}

/// The value of an attribute; empty if there is none.
fn attribute(element: &BytesStart<'_>, name: &str) -> String {
    let value = element.try_get_attribute(name).ok().flatten();
    let value = value.map(|it| it.value.into_owned());
    value.filter(|value| value.len() <= MAX_TEXT_BYTES).unwrap_or_default()
}
