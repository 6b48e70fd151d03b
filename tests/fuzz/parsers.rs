//! Every public parser of outside text, with what must hold whatever the text is. The fuzz targets
//! and the tests of hostile input share this file.

use std::sync::LazyLock;

use jiff::civil::date;
use tokio::runtime::{Builder, Runtime};
use wintag::answers::admit;
use wintag::api::badge::read_badge;
use wintag::api::check::read_check;
use wintag::api::choices::Format;
use wintag::api::lists::read_identify;
use wintag::api::matrix::read_matrix;
use wintag::api::params::pairs_of_query;
use wintag::api::problem::Problem;
use wintag::api::reading::Reading;
use wintag::api::renovate::read_renovate;
use wintag::api::resolve::ResolveRequest;
use wintag::api::tags::read_tags;
use wintag::app::App;
use wintag::audit::{Around, read as read_file};
use wintag::config::{ConfigFile, Settings, SourceSettings};
use wintag::images::{Digest, Families, ImageReference, Repository, Tag};
use wintag::platforms::diagnosis::{MAX_FINDINGS, diagnose};
use wintag::platforms::kubernetes::admission::Review;
use wintag::platforms::{kubernetes, swarm};
use wintag::windows::{HostKind, Kb, Tables, WindowsVersion, read_host};

static FAMILIES: LazyLock<Families> = LazyLock::new(Families::embedded);
/// The program without settings is made in it; nothing ever runs in it.
static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_current_thread().build().expect("a runtime can be made"));
/// What the program knows without settings. No registry is asked.
static APP: LazyLock<App> = LazyLock::new(|| {
    let source = SourceSettings { offline: true, ..SourceSettings::default() };
    let _entered = RUNTIME.enter();
    App::new(Settings::of_command(&source, ConfigFile::default()).expect("nothing is set"))
        .expect("nothing is set")
});

/// A parser under test: it takes any text and panics only if it is wrong.
pub type Parser = fn(&str);

/// All of them, by the names that the fuzz targets have too.
pub const ALL: [(&str, Parser); 13] = [
    ("image", image),
    ("family", family),
    ("host", host),
    ("tag", tag),
    ("version", version),
    ("kb", kb),
    ("digest", digest),
    ("query", query),
    ("files", files),
    ("tables", tables),
    ("diagnosis", diagnosis),
    ("nodes", nodes),
    ("review", review),
];

/// An image reference that is read has parts of safe characters, and prints as a text that reads as
/// the same.
pub fn image(text: &str) {
    if let Ok(reference) = text.parse::<ImageReference>() {
        let printed = reference.to_string();
        assert!(is_plain(&printed), "{printed:?}");
        assert!(
            !reference.repository.path().split('/').any(|part| part.is_empty() || part == ".."),
            "{printed}"
        );
        if printed.len() <= ImageReference::MAX_TEXT_BYTES {
            assert_eq!(printed.parse::<ImageReference>().as_ref(), Ok(&reference), "{printed}");
        }
    }
    if let Ok(repository) = Repository::parse(text) {
        assert!(is_plain(&repository.to_string()));
    }
}

/// The name of a family or repository.
pub fn family(text: &str) {
    let images =
        [FAMILIES.read(text).ok(), FAMILIES.read_reference(text).ok().map(|(image, _)| image)];
    for image in images.into_iter().flatten() {
        assert!(is_plain(&image.repository.to_string()));
        assert_eq!(image.requested, text);
    }
}

/// What a machine prints about itself. A host that is decided is one of those it could be.
pub fn host(text: &str) {
    for kind in [None, Some(HostKind::Server), Some(HostKind::Client)] {
        let reading = match read_host(text, kind, Tables::embedded()) {
            Ok(reading) => reading,
            Err(error) => {
                assert!(error.to_string().len() < 2000);
                continue;
            }
        };
        assert!(!reading.could_mean.is_empty());
        if let Some(host) = reading.host {
            assert_eq!(host.requested, text);
            assert!(
                reading.could_mean.iter().any(|could| could.build == host.version.build),
                "{text:?}"
            );
        }
    }
}

/// A tag that is read prints as it was.
pub fn tag(text: &str) {
    if let Some(tag) = Tag::parse(text) {
        assert_eq!(tag.to_string(), text);
        assert!(is_plain(text));
    }
}

/// A Windows version prints as a text that reads as the same.
pub fn version(text: &str) {
    if let Ok(version) = text.parse::<WindowsVersion>() {
        assert_eq!(version.to_string().parse(), Ok(version));
    }
}

/// So does a KB.
pub fn kb(text: &str) {
    if let Ok(kb) = text.parse::<Kb>() {
        assert_eq!(kb.to_string().parse(), Ok(kb));
    }
}

/// A digest is a name of a fixed form.
pub fn digest(text: &str) {
    if let Ok(digest) = text.parse::<Digest>() {
        assert_eq!(digest.as_str(), text);
        assert!(
            digest.hex().len() == 64 && digest.hex().bytes().all(|byte| byte.is_ascii_hexdigit())
        );
    }
}

/// The query string of every operation. What is refused is refused by name, and without control
/// characters in the text; what is read has one address that is read as the same.
pub fn query(text: &str) {
    let reading = Reading::from(APP.context());
    let today = date(2026, 1, 1);
    match ResolveRequest::read(pairs_of_query(text), reading) {
        Ok(asked) => {
            let canonical = asked.canonical(asked.format.unwrap_or(Format::Json));
            let (path, query) = canonical.split_once('?').expect("it has a query");
            assert_eq!(path, "/resolve");
            assert!(canonical.bytes().all(|byte| byte.is_ascii_graphic()), "{canonical:?}");
            let Ok(again) = ResolveRequest::read(pairs_of_query(query), reading) else {
                panic!("the address {canonical:?} of {text:?} is not read")
            };
            assert_eq!(again.canonical(again.format.unwrap_or(Format::Json)), canonical);
        }
        Err(problem) => refused(&problem),
    }
    if let Err(problem) = read_check(pairs_of_query(text), reading) {
        refused(&problem);
    }
    if let Err(problem) = read_tags(pairs_of_query(text), reading) {
        refused(&problem);
    }
    if let Err(problem) = read_renovate(pairs_of_query(text), reading) {
        refused(&problem);
    }
    if let Err(problem) = read_badge(pairs_of_query(text), reading) {
        refused(&problem);
    }
    if let Err(problem) = read_identify(pairs_of_query(text), reading, today) {
        refused(&problem);
    }
    match read_matrix(pairs_of_query(text), reading, today) {
        Ok(matrix) => assert!(matrix.cells.len() <= 64 * 64),
        Err(problem) => refused(&problem),
    }
}

/// The tables of releases, KBs and families, of which a file may take the place.
pub fn tables(text: &str) {
    let _ = Families::from_csv(text);
    let _ = Tables::from_csv(text, text);
    // A wrong table beside a correct one.
    let (releases, kbs) = text.split_once('\0').unwrap_or((text, ""));
    let _ = Tables::from_csv(releases, kbs);
}

/// An error text. What is found is somewhere in the text, and goes into commands, so that it holds
/// nothing to be escaped.
pub fn diagnosis(text: &str) {
    let findings = diagnose(text, Tables::embedded());
    assert!(findings.len() <= MAX_FINDINGS);
    for finding in findings {
        assert!(
            finding.span.start < finding.span.end && finding.span.end <= text.chars().count(),
            "{:?}",
            finding.span
        );
        assert!(
            !finding.evidence.is_empty() && !finding.evidence.chars().any(char::is_control),
            "{}",
            finding.evidence
        );
        let image = finding.image.as_deref().unwrap_or_default();
        assert!(is_plain(image) && !image.starts_with('-'), "{image}");
    }
}

fn refused(problem: &Problem) {
    assert!((400..500).contains(&problem.status), "{}: {}", problem.status, problem.detail);
    assert!(!problem.errors.is_empty());
    let texts = problem
        .errors
        .iter()
        .flat_map(|error| [Some(&error.code), error.parameter.as_ref(), Some(&error.message)]);
    for text in texts.flatten() {
        assert!(!text.chars().any(char::is_control), "{text:?}");
    }
}

/// Nothing in the text needs quoting or escaping anywhere.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._:/@-".contains(&byte))
}

/// Names of nodes that are read can stand in a command, and so can what is written about them.
pub fn nodes(text: &str) {
    let tables = Tables::embedded();
    let of_kubernetes =
        kubernetes::nodes::read(text.as_bytes(), tables).into_iter().flatten().flatten();
    let of_swarm = swarm::nodes::read(text.as_bytes(), tables).into_iter().flatten().flatten();
    let commands = of_kubernetes
        .map(|node| kubernetes::label_command(&node.name, &node.labels))
        .chain(of_swarm.map(|node| swarm::label_command(&node.name, &node.labels)));
    for command in commands {
        let is_safe = |byte: u8| byte.is_ascii_alphanumeric() || b" -_./=".contains(&byte);
        assert!(command.bytes().all(is_safe), "{command:?}");
    }
}

/// Whatever is asked is answered within the bounds of warnings, and a patch is a list of additions.
pub fn review(text: &str) {
    let Ok(Review { request: Some(request), .. }) = serde_json::from_str(text) else { return };
    let admission = admit(APP.context(), &request);
    assert!(
        admission.warnings.iter().all(|warning| warning.len() <= 120 && !warning.contains('\n'))
    );
    assert!(
        admission.patch.iter().all(|change| change["op"] == "add" && change["path"].is_string())
    );
}

/// A file for an audit: its path on the first line, then what it holds.
pub fn files(text: &str) {
    let (path, text) = text.split_once('\n').unwrap_or(("Dockerfile", text));
    let build_args = std::collections::BTreeMap::new();
    // The file beside is the same one: as variables for Compose, and as a Dockerfile.
    let beside = |_: &str| Some(text.to_owned());
    let around = Around { build_args: &build_args, architecture: "amd64", beside: &beside };
    let reading = read_file(path, text.as_bytes(), &around);
    for mention in &reading.mentions {
        assert_eq!(text.get(mention.span.clone()), Some(mention.written.as_str()));
        let Ok(image) = &mention.image else { continue };
        for place in image.places() {
            assert!(text.get(place).is_some());
        }
        let new = format!("{}-new", image.as_str());
        if let Some(edit) = image.edit(&new) {
            assert!(text.get(edit.start..edit.end).is_some());
        }
    }
}
