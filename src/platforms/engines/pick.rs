//! What an engine takes from an image.

use super::engine::{DOCKER_READS_VERSION, Engine, Fetches, Product};
use super::entry::{Host, Image, IndexEntry, Requested};
use super::filters::Filter;
use super::orders::{Found, Order, rank_of};
use super::refusals::{
    Names, Refusal, blob_not_found, newer_build, no_such_image, not_the_target_platform,
    other_system, platform_not_provided,
};
use crate::images::Architecture;

/// The first Docker whose classic store lets Linux entries pass with `--platform`, and whose text
/// about Linux is longer.
const DOCKER_PASSES_LINUX: [u32; 3] = [25, 0, 0];

/// What an engine does with an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It takes the entry at this position, from 0.
    Picked {
        position: usize,
        /// The positions of all entries that it downloads, in the order of the index.
        fetched: Vec<usize>,
    },
    /// It refuses the image with this text.
    Refused(String),
    /// Only entries are left that the index does not describe; the engine reads what they refer to.
    Undescribed,
}

/// What this engine does with this image on this host.
pub fn pick(engine: &Engine, image: Image<'_>, host: &Host<'_>, names: &Names<'_>) -> Outcome {
    match (image, engine.product) {
        (Image::Single(entry), _) => single(engine, &entry, host, names),
        (Image::Index(entries), Product::Docker) => classic(engine, entries, host, names),
        (Image::Index(entries), Product::Regctl | Product::Crane | Product::Oras) => {
            tool(engine, entries, host, names)
        }
        (Image::Index(entries), Product::Skopeo) => skopeo(engine, entries, host, names),
        (
            Image::Index(entries),
            Product::DockerContainerd | Product::Containerd | Product::Nerdctl | Product::Buildkit,
        ) => with_containerd(engine, entries, host, names),
    }
}

/// Whether Swarm places a service on a Windows node of this architecture (swarmkit,
/// manager/scheduler/filter.go, `PlatformFilter`): versions do not matter, and an entry that says
/// nothing fits everywhere.
pub fn is_accepted_by_swarm(image: Image<'_>, architecture: Architecture) -> bool {
    let fits = |entry: &IndexEntry<'_>| {
        entry.is_undescribed()
            || entry.is_for("windows") && entry.architecture == Some(architecture.as_str())
    };
    match image {
        Image::Index(entries) => entries.is_empty() || entries.iter().any(fits),
        Image::Single(entry) => fits(&entry),
    }
}

fn taken(found: &[Found<'_>], refusal: impl FnOnce() -> String) -> Outcome {
    match found.first() {
        Some(first) => Outcome::Picked { position: first.position, fetched: vec![first.position] },
        None => Outcome::Refused(refusal()),
    }
}

/// The entries whose rank is `Some`, with their positions.
fn ranked<'a>(
    entries: &'a [IndexEntry<'a>],
    rank: impl Fn(&IndexEntry<'a>) -> Option<usize>,
) -> Vec<Found<'a>> {
    let entries = entries.iter().enumerate();
    entries
        .filter_map(|(position, entry)| Some(Found { position, entry: *entry, rank: rank(entry)? }))
        .collect()
}

/// The engines that use the matcher of containerd.
fn with_containerd(
    engine: &Engine,
    entries: &[IndexEntry<'_>],
    host: &Host<'_>,
    names: &Names<'_>,
) -> Outcome {
    let search = Search::of(engine, host);
    let mut found = search.matching(engine, entries, search.lower);
    search.order.sort(&mut found, host);
    let undescribed = entries.iter().any(IndexEntry::is_undescribed);
    let Some(first) = found.first() else {
        return if undescribed {
            Outcome::Undescribed
        } else {
            Outcome::Refused(engine.refusal.text(&search.shown(host), names))
        };
    };
    if !search.runs(engine, first.entry.os_version) {
        return Outcome::Refused(no_such_image(names));
    }
    let position = first.position;
    if engine.fetches == Fetches::One {
        return Outcome::Picked { position, fetched: vec![position] };
    }
    // The download takes no 386, whatever the choice does afterwards.
    let described = search.matching(engine, entries, false).into_iter().map(|found| found.position);
    let others = ranked(entries, |entry| entry.is_undescribed().then_some(0));
    let mut fetched: Vec<usize> =
        described.chain(others.iter().map(|found| found.position)).collect();
    fetched.sort_unstable();
    if fetched.contains(&position) {
        Outcome::Picked { position, fetched }
    } else {
        Outcome::Refused(blob_not_found(names))
    }
}

/// How an engine with containerd's matcher searches.
struct Search {
    filter: Filter,
    /// The build that the filter compares with; `None` where every version matches.
    build: Option<u32>,
    order: Order,
    architecture: Architecture,
    cpu_level: u8,
    lower: bool,
    /// The build that the run compares with, where the pull did not.
    run: Option<u32>,
}

impl Search {
    fn of(engine: &Engine, host: &Host<'_>) -> Self {
        let build = match host.requested {
            Requested::Build(build) => Some(build),
            _ => host.windows.map(|(build, _)| build),
        };
        let order = engine.order_for(host.requested);
        let knows_level = engine.refusal == Refusal::NoMatchingManifestForCpu
            && host.requested == Requested::Default;
        Self {
            filter: engine.filter_for(host.requested),
            build,
            order,
            architecture: host.architecture,
            cpu_level: if knows_level { host.cpu_level } else { 1 },
            lower: order.takes_lower() && engine.product != Product::Nerdctl,
            run: build.filter(|_| engine.drops_version(host.requested)),
        }
    }

    fn matching<'a>(
        &self,
        engine: &Engine,
        entries: &'a [IndexEntry<'a>],
        lower: bool,
    ) -> Vec<Found<'a>> {
        ranked(entries, |entry| {
            let has_other_feature = entry.os_features.iter().any(|feature| feature != "win32k");
            let fits = entry.is_for("windows")
                && !(engine.features && has_other_feature)
                && self.accepts(engine, entry.os_version);
            fits.then(|| rank_of(entry, self.architecture, self.cpu_level, lower)).flatten()
        })
    }

    fn accepts(&self, engine: &Engine, os_version: Option<&str>) -> bool {
        let build = match self.filter {
            // It compares with no build.
            Filter::WithoutVersion => Some(0),
            _ => self.build,
        };
        build.is_none_or(|build| self.filter.accepts(os_version, build, engine.wraps))
    }

    /// Whether the run finds what was pulled.
    fn runs(&self, engine: &Engine, os_version: Option<&str>) -> bool {
        self.run.is_none_or(|build| engine.filter.accepts(os_version, build, engine.wraps))
    }

    /// The host as the texts name it: without a version that the engine dropped.
    fn shown<'a>(&self, host: &Host<'a>) -> Host<'a> {
        let requested = if self.run.is_some() { Requested::Windows } else { host.requested };
        Host { requested, ..*host }
    }
}

/// Docker's classic store (moby, distribution/pull_v2_windows.go).
fn classic(
    engine: &Engine,
    entries: &[IndexEntry<'_>],
    host: &Host<'_>,
    names: &Names<'_>,
) -> Outcome {
    let build = host.windows.map(|(build, _)| build).unwrap_or_default();
    let with_linux = host.requested == Requested::Windows && engine.is_from(DOCKER_PASSES_LINUX);
    let mut found = ranked(entries, |entry| {
        let is_of_system = entry.is_for("windows") || with_linux && entry.is_for("linux");
        let fits = is_of_system
            && entry.architecture == Some(host.architecture.as_str())
            && engine.filter.accepts(entry.os_version, build, engine.wraps);
        fits.then_some(0)
    });
    engine.order.sort(&mut found, host);
    match found.first() {
        Some(first) if first.entry.is_for("linux") => Outcome::Refused(other_system("linux", true)),
        _ => taken(&found, || engine.refusal.text(host, names)),
    }
}

/// crane, oras and regctl: compared as text or number, without the rules of Windows.
fn tool(
    engine: &Engine,
    entries: &[IndexEntry<'_>],
    host: &Host<'_>,
    names: &Names<'_>,
) -> Outcome {
    let is_regctl = engine.product == Product::Regctl;
    // Only `local` reads the processor.
    let level = if host.requested == Requested::Default { host.cpu_level } else { 1 };
    let mut found = ranked(entries, |entry| {
        if is_regctl {
            let passes = |build| engine.filter.accepts(entry.os_version, build, engine.wraps);
            let fits = entry.is_for("linux")
                || entry.is_for("windows") && host.windows.is_none_or(|(build, _)| passes(build));
            return fits.then(|| rank_of(entry, host.architecture, level, false)).flatten();
        }
        let asked = host.windows.filter(|_| host.requested == Requested::WholeVersion);
        let is_wanted = entry.is_for("windows")
            && entry.architecture == Some(host.architecture.as_str())
            && asked.is_none_or(|(_, version)| entry.os_version == Some(version));
        is_wanted.then_some(0)
    });
    let asked = match host.requested {
        Requested::WholeVersion => host.windows,
        // Without a version in the command, none is preferred.
        _ => None,
    };
    engine.order.sort(&mut found, &Host { windows: asked, ..*host });
    taken(&found, || engine.refusal.text(host, names))
}

/// skopeo reads no version, and takes no variant.
fn skopeo(
    engine: &Engine,
    entries: &[IndexEntry<'_>],
    host: &Host<'_>,
    names: &Names<'_>,
) -> Outcome {
    let found = ranked(entries, |entry| {
        let fits = entry.is_for("windows")
            && entry.architecture == Some(host.architecture.as_str())
            && entry.variant.is_none();
        fits.then_some(0)
    });
    if found.is_empty() && entries.iter().any(IndexEntry::is_undescribed) {
        return Outcome::Undescribed;
    }
    taken(&found, || engine.refusal.text(host, names))
}

/// A single image has no entries to choose from; few engines look at its configuration.
fn single(engine: &Engine, entry: &IndexEntry<'_>, host: &Host<'_>, names: &Names<'_>) -> Outcome {
    let picked = Outcome::Picked { position: 0, fetched: vec![0] };
    match engine.product {
        Product::Docker => {
            let build = host.windows.map(|(build, _)| build).unwrap_or_default();
            if let Some(other) = entry.operating_system.filter(|system| *system != "windows") {
                let is_long = engine.is_from(DOCKER_PASSES_LINUX);
                return Outcome::Refused(other_system(other, is_long));
            }
            let of_image = entry.os_version.and_then(|text| text.split('.').nth(2));
            match of_image.and_then(|part| part.parse().ok()) {
                Some(of_image) if of_image > build => Outcome::Refused(newer_build(of_image, host)),
                _ => picked,
            }
        }
        Product::DockerContainerd if host.requested != Requested::Default => {
            let search = Search::of(engine, host);
            let runs = entry.is_for("windows")
                && search.accepts(engine, entry.os_version)
                && search.runs(engine, entry.os_version);
            if runs {
                picked
            } else if engine.is_from(DOCKER_READS_VERSION) {
                Outcome::Refused(platform_not_provided(host, names))
            } else {
                Outcome::Refused(no_such_image(names))
            }
        }
        Product::Oras => {
            let asked = host.windows.filter(|_| host.requested == Requested::WholeVersion);
            let fits = entry.is_for("windows")
                && entry.architecture == Some(host.architecture.as_str())
                && asked.is_none_or(|(_, version)| entry.os_version == Some(version));
            if fits { picked } else { Outcome::Refused(not_the_target_platform(names)) }
        }
        _ => picked,
    }
}
