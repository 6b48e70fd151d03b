//! The use case behind `/engines`, and the part of `/check` about engines: what each takes from the
//! index of an image, where that is not what the compatibility rule would take.

use serde::Serialize;
use utoipa::ToSchema;

use super::question::AskedHost;
use super::remark::Remark;
use crate::catalogue::{Entry, Manifest};
use crate::images::{Architecture, Digest, NamedImage};
use crate::platforms::engines::{
    Engine, Fetches, Filter, Host, Image, IndexEntry, Names, Order, Outcome, Platforms, Product,
    Requested, engines, kubelet_event, newest_releases, pick,
};
use crate::windows::{Isolation, Platform, Reason, WindowsVersion, verdict};

/// The level of the processor that is assumed, x86-64-v3: servers have had it since 2013. It is in
/// the texts of Docker 29.6 and later.
const CPU_LEVEL: u8 = 3;
/// In the text of a refusal: a path of the engine, which is not known here.
const UNKNOWN_PATH: &str = "(path)";

/// The warnings of the compatibility rule about engines. Where the index is known, so is what the
/// engines do.
pub(super) const REPLACED_BY_ENGINES: [&str; 2] =
    [Reason::EngineMayRefusePull.as_str(), Reason::ContainerdMayRefusePull.as_str()];

/// The answer of `/engines`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Engines {
    /// The engines: those of a product together, from the oldest to the newest.
    pub engines: Vec<ListedEngine>,
    /// How many there are.
    pub total: usize,
    /// What surprises users of these engines.
    pub facts: Vec<Remark>,
}

/// An engine: a range of versions of a product that follow the same rules.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Engine)]
pub struct ListedEngine {
    /// The name, as the parameter `engine` takes it.
    #[schema(example = "docker-containerd-29.6")]
    pub name: &'static str,
    /// The product.
    #[schema(value_type = String, example = "docker-containerd")]
    pub product: Product,
    /// How users meet it.
    #[schema(example = "Docker with the containerd store switched on")]
    pub used_as: &'static str,
    /// Its rule in a sentence.
    pub rule: String,
    /// Which os.version it accepts, as a word.
    #[schema(value_type = String, example = "abi-2")]
    pub filter: Filter,
    /// Which of several entries it takes, as a word.
    #[schema(value_type = String, example = "index-with-features")]
    pub order: Order,
    /// Whether it downloads one entry, or all that match.
    #[schema(value_type = String, example = "one")]
    pub fetches: Fetches,
    /// Which platforms `platform` may name: `any` (`windows/amd64`), `version` (also
    /// `windows(10.0.20348)/amd64`), `local` (`windows/amd64`, which means the host's version
    /// there), `none`, or `unknown`.
    #[schema(value_type = String, example = "version")]
    pub platforms: Platforms,
    /// The first version of the product with this rule; `next` is the development branch.
    #[schema(example = "29.6.0")]
    pub since: &'static str,
    /// The first version that has this name; older ones with the same rule print other texts.
    #[schema(example = "29.6.0")]
    pub from: &'static str,
    /// The day of that version; null if it is not known.
    #[schema(value_type = Option<String>, example = "2026-06-18", format = Date)]
    pub from_date: Option<&'static str>,
    /// The last known version that has this name; null if there is none yet.
    #[schema(example = "29.7.2")]
    pub until: Option<&'static str>,
    /// The repository, file and commit with the rule.
    pub source: &'static str,
}

/// What users do not expect, with its code and source.
const FACTS: [(&str, &str, &str); 4] = [
    (
        "docker-classic-by-default",
        "Docker on Windows uses the classic store by default, Docker 29 too; `docker info` shows \
         the storage driver windowsfilter then",
        "https://github.com/moby/moby/blob/6a43e3d5af/daemon/image_store_choice.go",
    ),
    (
        "buildkit-takes-first",
        "BuildKit on Windows knows no Windows version: it takes the first Windows entry of an \
         index on every host, often the oldest; --platform 'windows(10.0.20348)/amd64' asks for a \
         version",
        "https://github.com/moby/buildkit/blob/991535e09/worker/containerd/containerd.go",
    ),
    (
        "containerd-fetches-all",
        "containerd from 2.1 on, in Kubernetes, downloads and unpacks every entry that matches, \
         and uses one",
        "https://github.com/containerd/containerd/pull/12278",
    ),
    (
        "shared-tag-may-be-older",
        "on Kubernetes a shared tag may start an image of an older build than the node's: \
         containerd up to 2.1.5 takes the first entry that matches, and 1.6 the highest revision",
        "https://github.com/containerd/containerd/issues/11366",
    ),
];

impl Engines {
    pub fn new() -> Self {
        let engines: Vec<ListedEngine> = engines().iter().map(ListedEngine::new).collect();
        let facts = FACTS.map(|(code, message, source)| Remark {
            code,
            message: message.to_owned(),
            source,
        });
        Self { total: engines.len(), engines, facts: facts.into() }
    }
}

impl Default for Engines {
    fn default() -> Self {
        Self::new()
    }
}

impl ListedEngine {
    fn new(engine: &'static Engine) -> Self {
        Self {
            name: &engine.name,
            product: engine.product,
            used_as: engine.product.meaning(),
            rule: engine.rule(Requested::Default),
            filter: engine.filter_for(Requested::Default),
            order: engine.order,
            fetches: engine.fetches,
            platforms: engine.platforms,
            since: &engine.first_with_rule(Requested::Default).from,
            from: &engine.from,
            from_date: engine.from_date.as_deref(),
            until: engine.to.as_deref(),
            source: &engine.source,
        }
    }
}

/// What an engine takes from the index of an image on the host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct EnginePick {
    /// The name of the engine, as in `/engines`.
    #[schema(example = "docker-containerd-29.6")]
    pub name: &'static str,
    /// The platform in its command; null if none was asked for.
    #[schema(example = json!(null))]
    pub platform: Option<String>,
    /// Its rule in a sentence.
    pub rule: String,
    /// The first version of the product with this rule; `next` is the development branch.
    #[schema(example = "29.6.0")]
    pub since: &'static str,
    /// The position of the entry that it takes, from 0 as the index has them; null if it refuses,
    /// and if the index is not known or does not describe its entries.
    pub position: Option<usize>,
    /// The digest of that entry.
    #[schema(value_type = Option<String>)]
    pub digest: Option<Digest>,
    /// The os.version of that entry; null if it gives none.
    #[schema(value_type = Option<String>, example = "10.0.20348.2113")]
    pub os_version: Option<WindowsVersion>,
    /// The digests of all entries that it downloads.
    #[schema(value_type = Vec<String>)]
    pub fetched: Vec<Digest>,
    /// The text with which it refuses the image; null if it takes an entry. On Kubernetes it is the
    /// whole text of the kubelet's event.
    pub refusal: Option<String>,
}

impl EnginePick {
    /// An engine of which only the rule is known, not what it takes.
    fn unknown(engine: &'static Engine, question: &EngineQuestion<'_>) -> Self {
        let requested = question.requested;
        Self {
            name: &engine.name,
            platform: requested.written(question.architecture),
            rule: engine.rule(requested),
            since: &engine.first_with_rule(requested).from,
            position: None,
            digest: None,
            os_version: None,
            fetched: Vec::new(),
            refusal: None,
        }
    }
}

/// The question: an image, and where it runs.
pub(super) struct EngineQuestion<'a> {
    pub image: &'a NamedImage,
    /// The reference that the engine pulls.
    pub reference: &'a str,
    pub host: &'a AskedHost,
    pub architecture: Architecture,
    pub platform: Platform,
    /// The platform in the command of the engine that was asked for.
    pub requested: Requested,
    /// What the reference points to; `None` if it is not known.
    pub manifest: Option<&'a Manifest>,
    /// The position of the entry that the compatibility rule takes.
    pub best: Option<usize>,
}

pub(super) struct EngineAnswer {
    /// The engine that was asked for.
    pub asked: Option<EnginePick>,
    /// The others whose pick is not that of the rule; empty if one was asked for.
    pub others: Vec<EnginePick>,
    /// The warning about all of these.
    pub warning: Option<Remark>,
}

/// Today's engines that run containers on this platform.
const fn runs_on(product: Product, platform: Platform) -> bool {
    match (platform, product) {
        (Platform::Docker, product) => matches!(
            product,
            Product::Docker | Product::DockerContainerd | Product::Nerdctl | Product::Buildkit
        ),
        (Platform::Swarm, product) => {
            matches!(product, Product::Docker | Product::DockerContainerd)
        }
        (Platform::Kubernetes, product) => matches!(product, Product::Containerd),
    }
}

impl EngineQuestion<'_> {
    /// What this engine does; without one, what each of today's engines does that does not take
    /// the entry of the rule.
    pub(super) fn answer(&self, engine: Option<&'static Engine>) -> EngineAnswer {
        let Some(manifest) = self.manifest else {
            let asked = engine.map(|engine| EnginePick::unknown(engine, self));
            let why = "its index is known from its registry only, which was not asked or did not \
                       answer";
            let warning = engine.map(|engine| self.not_known(engine, why));
            return EngineAnswer { asked, others: Vec::new(), warning };
        };
        let of_today = || newest_releases().filter(|it| runs_on(it.product, self.platform));
        let all: Vec<&'static Engine> = engine.map_or_else(|| of_today().collect(), |it| vec![it]);
        let picks: Vec<EnginePick> = all.iter().map(|it| self.pick(it, manifest)).collect();
        let others: Vec<EnginePick> =
            picks.iter().filter(|pick| self.is_other(pick, manifest)).cloned().collect();
        let best = self.best.and_then(|best| manifest.entries.get(best));
        let warning = best.filter(|_| !others.is_empty()).map(|it| self.warning(&others, it));
        let Some(engine) = engine else { return EngineAnswer { asked: None, others, warning } };
        let asked = picks.into_iter().next();
        let is_unknown =
            asked.as_ref().is_some_and(|it| it.position.is_none() && it.refusal.is_none());
        let why = "its index has entries without a platform, and the engine reads what they \
                   refer to";
        let warning = warning.or_else(|| is_unknown.then(|| self.not_known(engine, why)));
        EngineAnswer { asked, others: Vec::new(), warning }
    }

    /// The warning that only the rule of the engine is known.
    fn not_known(&self, engine: &Engine, why: &str) -> Remark {
        Remark::engine_pick_unknown(&engine.name, self.reference, why)
    }

    fn pick(&self, engine: &'static Engine, manifest: &Manifest) -> EnginePick {
        let entries: Vec<IndexEntry<'_>> = manifest.entries.iter().map(view).collect();
        let image = match entries.as_slice() {
            [only] if !manifest.is_index => Image::Single(*only),
            entries => Image::Index(entries),
        };
        let os_version = self.host.version.to_string();
        let host = Host {
            windows: Some((self.host.version.build, &os_version)),
            architecture: self.architecture,
            cpu_level: CPU_LEVEL,
            requested: self.requested,
        };
        let digest = manifest.digest.to_string();
        let names = Names { reference: self.reference, digest: &digest, path: UNKNOWN_PATH };
        let unknown = EnginePick::unknown(engine, self);
        let entry = |position: usize| manifest.entries.get(position);
        match pick(engine, image, &host, &names) {
            Outcome::Picked { position, fetched } => EnginePick {
                position: Some(position),
                digest: entry(position).map(|entry| entry.digest.clone()),
                os_version: entry(position).and_then(Entry::windows_version),
                fetched: fetched
                    .into_iter()
                    .filter_map(entry)
                    .map(|it| it.digest.clone())
                    .collect(),
                ..unknown
            },
            Outcome::Refused(text) => {
                let is_of_kubelet =
                    (self.platform, engine.product) == (Platform::Kubernetes, Product::Containerd);
                let text = if is_of_kubelet { kubelet_event(self.reference, &text) } else { text };
                EnginePick { refusal: Some(text), ..unknown }
            }
            Outcome::Undescribed => unknown,
        }
    }

    /// Whether an engine takes something else than the rule. Of entries with the same os.version
    /// either is right.
    fn is_other(&self, pick: &EnginePick, manifest: &Manifest) -> bool {
        let best = self.best.and_then(|best| manifest.entries.get(best));
        match (pick.position, best) {
            (Some(position), Some(best)) => {
                Some(position) != self.best
                    && (pick.os_version.is_none() || pick.os_version != best.windows_version())
            }
            (None, Some(_)) => pick.refusal.is_some(),
            // Nothing runs, whatever it takes.
            (_, None) => false,
        }
    }

    fn warning(&self, others: &[EnginePick], best: &Entry) -> Remark {
        let clauses: Vec<String> = others
            .iter()
            .map(|pick| {
                let EnginePick { name, since, .. } = pick;
                let done = match pick.position {
                    None => "refuses the image".to_owned(),
                    Some(_) => self.consequence(pick, best),
                };
                format!("{name} (since {since}) {done}")
            })
            .collect();
        let clauses = clauses.join("; ");
        let repository = &self.image.repository;
        Remark::engine_picks_other(format!(
            "{clauses}: {repository}@{} leaves no engine a choice",
            best.digest
        ))
    }

    /// What an engine takes, and what follows.
    fn consequence(&self, pick: &EnginePick, best: &Entry) -> String {
        let Some(version) = pick.os_version else {
            return "takes an entry without os.version".to_owned();
        };
        let supported = verdict(self.host.facts(), Some(version), self.platform).supported();
        let of_host = self.host.version;
        let follows = if supported.is_empty() {
            "which does not start on this host"
        } else if !supported.contains(&Isolation::Process) {
            "which needs Hyper-V isolation"
        } else if version.build == of_host.build && version.revision > of_host.revision {
            "whose revision is newer than the host's"
        } else {
            match best.windows_version() {
                Some(best) if version.build < best.build => "an older build",
                Some(best) if version < best => "an older revision",
                _ => "another entry",
            }
        };
        format!("takes {version}, {follows}")
    }
}

fn view(entry: &Entry) -> IndexEntry<'_> {
    IndexEntry {
        operating_system: entry.operating_system.as_deref(),
        architecture: entry.architecture.as_deref(),
        variant: entry.variant.as_deref(),
        os_version: entry.os_version.as_deref(),
        os_features: &entry.os_features,
    }
}
