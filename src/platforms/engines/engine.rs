//! The table of engines: which rules each version of each product follows.

use std::sync::LazyLock;

use serde::Deserialize;

use super::entry::Requested;
use super::filters::Filter;
use super::orders::Order;
use super::refusals::Refusal;
use crate::words::words;

/// The embedded rows; `data/README.md` describes the columns.
const ENGINES: &str = include_str!("data/engines.csv");
/// In `from`: the development branch, not yet released.
const NEXT: &str = "next";
/// The first Docker whose containerd store keeps the version of a `--platform` for the pull, and
/// that refuses a single image of another platform (moby, daemon/containerd/image_pull.go).
pub(super) const DOCKER_READS_VERSION: [u32; 3] = [28, 2, 0];
/// The longest name of an engine that is read. Ours: twice the longest of the table.
pub(super) const MAX_NAME_BYTES: usize = 48;

words! {
    /// A product that pulls images.
    #[derive(serde::Deserialize)]
    pub enum Product {
        /// Docker with its classic store: the default on Windows.
        Docker = "docker",
        /// Docker with the containerd store.
        DockerContainerd = "docker-containerd",
        /// containerd, as Kubernetes uses it.
        Containerd = "containerd",
        /// The command line of containerd, which adds a rule of its own to its matcher.
        Nerdctl = "nerdctl",
        /// BuildKit on Windows, as `docker buildx build` uses it.
        Buildkit = "buildkit",
        /// Google's tool for registries; it runs no containers.
        Crane = "crane",
        /// The tool of the OCI for artifacts; it runs no containers.
        Oras = "oras",
        /// The tool of regclient; it runs no containers.
        Regctl = "regctl",
        /// Copies images between registries and stores; it runs no containers.
        Skopeo = "skopeo",
    }

    /// The image store of Docker.
    pub enum Store {
        /// The graph driver `windowsfilter`.
        Classic = "classic",
        /// The containerd store.
        Containerd = "containerd",
    }

    /// Which of the entries that match an engine downloads.
    #[derive(serde::Deserialize)]
    pub enum Fetches {
        /// The one that it takes.
        One = "one",
        /// All of them.
        All = "all",
    }

    /// The platforms that its command may name, as far as it is known what they do.
    #[derive(serde::Deserialize)]
    pub enum Platforms {
        /// It is given none.
        None = "none",
        /// What one does is not known.
        Unknown = "unknown",
        /// `windows/amd64`, which means the version of the host.
        Local = "local",
        /// `windows/amd64`, without a version.
        Any = "any",
        /// The same, and `windows(10.0.20348)/amd64` for a version.
        Version = "version",
    }
}

/// A range of versions of a product that follow the same rules.
#[derive(Clone, Debug, Deserialize)]
pub struct Engine {
    /// Its name, a value of `engine`.
    pub name: String,
    pub product: Product,
    /// The first version; `next` is the development branch.
    pub from: String,
    /// The day of that version; `None` if it is not known.
    pub from_date: Option<String>,
    /// The last version that was read or run; `None` if there is none yet.
    pub to: Option<String>,
    /// Which os.version it accepts.
    pub filter: Filter,
    /// Which entry it prefers.
    pub order: Order,
    /// Whether it keeps only 16 bits of a build.
    pub wraps: bool,
    /// Whether an entry with features other than `win32k` does not match.
    pub features: bool,
    pub fetches: Fetches,
    /// Its text if nothing matches.
    pub refusal: Refusal,
    pub platforms: Platforms,
    /// The repository, file and commit with the rule.
    pub source: String,
}

impl Product {
    /// The product and its use, for people.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Docker => "Docker with the classic store: as installed on Windows, Docker 29 too",
            Self::DockerContainerd => "Docker with the containerd store switched on",
            Self::Containerd => "containerd in Kubernetes",
            Self::Nerdctl => "nerdctl pull and run",
            Self::Buildkit => "FROM in docker buildx build on BuildKit for Windows",
            Self::Crane => "crane --platform windows/amd64",
            Self::Oras => "oras --platform windows/amd64",
            Self::Regctl => "regctl --platform local on a Windows host",
            Self::Skopeo => "skopeo --override-os windows",
        }
    }
}

impl Engine {
    /// Its rule in a sentence, for a command with this platform.
    pub fn rule(&self, requested: Requested) -> String {
        let (filter, order) = (self.filter_for(requested), self.order_for(requested));
        format!("{}; {}", filter.meaning(), order.meaning())
    }

    /// The filter of a pull with this platform.
    pub fn filter_for(&self, requested: Requested) -> Filter {
        let has_no_version = match self.product {
            // BuildKit's worker has no version.
            Product::Buildkit => matches!(requested, Requested::Default | Requested::Windows),
            Product::DockerContainerd | Product::Containerd | Product::Nerdctl => {
                requested == Requested::Windows && self.platforms != Platforms::Local
                    || self.drops_version(requested)
            }
            _ => false,
        };
        match self.filter {
            Filter::WithoutVersion => Filter::WithoutVersion,
            _ if has_no_version => Filter::None,
            filter => filter,
        }
    }

    /// Which of several entries a pull with this platform takes.
    pub fn order_for(&self, requested: Requested) -> Order {
        match self.order {
            // The order of containerd is that of its default platform. With a platform that was
            // asked for, it is the order of the index.
            Order::Text | Order::Revision if requested != Requested::Default => {
                if self.features {
                    Order::IndexWithFeatures
                } else {
                    Order::Index
                }
            }
            order => order,
        }
    }

    /// Whether the pull drops the version of this platform, and only the run reads it.
    pub(super) fn drops_version(&self, requested: Requested) -> bool {
        self.product == Product::DockerContainerd
            && !self.is_from(DOCKER_READS_VERSION)
            && matches!(requested, Requested::Build(_) | Requested::WholeVersion)
    }

    /// Whether it is known what this platform in its command does.
    ///
    /// # Errors
    /// When it is not, or the engine is never given one.
    pub fn reads(&self, requested: Requested) -> Result<(), PlatformError> {
        let name = || self.name.clone();
        match (self.platforms, requested) {
            (_, Requested::Default)
            | (Platforms::Local | Platforms::Any | Platforms::Version, Requested::Windows)
            | (Platforms::Version, Requested::Build(_)) => Ok(()),
            (Platforms::None, _) => Err(PlatformError::NoPlatform),
            (Platforms::Unknown, _) => Err(PlatformError::Unknown(name())),
            _ => Err(PlatformError::VersionUnknown(name())),
        }
    }

    /// The engine with the first version of the product that has the rule for this platform.
    pub fn first_with_rule(&'static self, requested: Requested) -> &'static Self {
        let rule = |it: &Self| {
            (it.reads(requested).is_ok(), it.filter_for(requested), it.order_for(requested))
        };
        let from_here = of(self.product).rev().skip_while(|it| it.name != self.name);
        from_here.take_while(|it| rule(it) == rule(self)).last().unwrap_or(self)
    }

    /// Whether this is a development branch.
    pub fn is_unreleased(&self) -> bool {
        self.from == NEXT
    }

    /// Whether its first version is at least this one.
    pub(super) fn is_from(&self, version: [u32; 3]) -> bool {
        self.is_unreleased() || parse_version(&self.from, 0).is_some_and(|from| from >= version)
    }
}

/// Why a text is not the name of an engine.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// No product has this name.
    #[error(
        "must be the name of an engine, such as {}, or a product and a version, such as \
         docker-29.6.2",
        names()
    )]
    Unknown,
    /// The version is older than all of the table.
    #[error("has no known rule: the oldest known version of {product} is {oldest}")]
    TooOld { product: Product, oldest: &'static str },
    /// The version is of a later major version than all of the table, whose rule may be another.
    #[error(
        "has no known rule: the newest known version of {product} is {newest}; leave the version \
         out for its rule"
    )]
    TooNew { product: Product, newest: &'static str },
}

/// Why it is not said what an engine does with a platform in its command.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlatformError {
    /// Nothing names a platform to the engine.
    #[error("Kubernetes gives containerd no platform; leave it out")]
    NoPlatform,
    /// The engine with this name was not read or run with one.
    #[error("is not known for {0}: leave it out, or name another version of the engine")]
    Unknown(String),
    /// The engine with this name was not read or run with a version in it.
    #[error("is known for {0} without a version only, as windows/amd64")]
    VersionUnknown(String),
}

/// All engines, those of a product together, from the oldest to the newest.
pub fn engines() -> &'static [Engine] {
    static TABLE: LazyLock<Vec<Engine>> = LazyLock::new(|| {
        let mut reader = csv::Reader::from_reader(ENGINES.as_bytes());
        reader.deserialize().collect::<Result<_, _>>().expect("the embedded table is tested")
    });
    &TABLE
}

/// The newest released engine of each product.
pub fn newest_releases() -> impl Iterator<Item = &'static Engine> {
    Product::ALL.into_iter().filter_map(newest_of)
}

fn newest_of(product: Product) -> Option<&'static Engine> {
    of(product).rfind(|engine| !engine.is_unreleased())
}

fn of(product: Product) -> impl DoubleEndedIterator<Item = &'static Engine> {
    engines().iter().filter(move |engine| engine.product == product)
}

/// The engine with this name: a product, alone or with a version of one to three parts. A version
/// that leaves parts out is the newest of its line. `store` chooses between the stores of Docker.
///
/// # Errors
/// When no engine has this name.
pub fn engine(text: &str, store: Option<Store>) -> Result<&'static Engine, EngineError> {
    if text.len() > MAX_NAME_BYTES {
        return Err(EngineError::Unknown);
    }
    let (product, version) = split(text).ok_or(EngineError::Unknown)?;
    let product = match (product, store) {
        (Product::Docker, Some(Store::Containerd)) => Product::DockerContainerd,
        (Product::DockerContainerd, Some(Store::Classic)) => Product::Docker,
        (product, _) => product,
    };
    let version = match version {
        None => {
            return newest_of(product).or_else(|| of(product).next()).ok_or(EngineError::Unknown);
        }
        Some(NEXT) => {
            let next = of(product).find(|engine| engine.is_unreleased());
            return next.or_else(|| newest_of(product)).ok_or(EngineError::Unknown);
        }
        Some(version) => parse_version(version, u32::MAX).ok_or(EngineError::Unknown)?,
    };
    let released = || of(product).filter(|engine| !engine.is_unreleased());
    let is_reached =
        |engine: &&Engine| parse_version(&engine.from, 0).is_none_or(|from| from <= version);
    let newest = newest_of(product).and_then(|engine| engine.to.as_deref());
    if let Some((newest, [known, ..])) = newest.and_then(|to| Some((to, parse_version(to, 0)?)))
        && version[0] > known
    {
        return Err(EngineError::TooNew { product, newest });
    }
    let oldest = || released().next().map_or("", |engine| engine.from.as_str());
    released().rfind(is_reached).ok_or_else(|| EngineError::TooOld { product, oldest: oldest() })
}

/// The product and the version of a name.
fn split(text: &str) -> Option<(Product, Option<&str>)> {
    // The longest first: `docker-containerd` begins with another product.
    let mut products = Product::ALL;
    products.sort_by_key(|product| std::cmp::Reverse(product.as_str().len()));
    products.into_iter().find_map(|product| match text.strip_prefix(product.as_str())? {
        "" => Some((product, None)),
        rest => rest.strip_prefix('-').map(|version| (product, Some(version))),
    })
}

/// Up to three numbers; what follows a `-` or `+` does not count. `missing` stands for those that
/// are left out.
fn parse_version(text: &str, missing: u32) -> Option<[u32; 3]> {
    let text = text.strip_prefix('v').unwrap_or(text);
    let text = text.split(['-', '+']).next().unwrap_or_default();
    let mut version = [missing; 3];
    let mut parts = text.split('.');
    for (number, part) in version.iter_mut().zip(&mut parts) {
        *number = part.parse().ok()?;
    }
    parts.next().is_none().then_some(version)
}

fn names() -> String {
    let names: Vec<&str> = newest_releases().map(|engine| engine.name.as_str()).collect();
    names.join(", ")
}
