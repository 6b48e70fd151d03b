//! The table of engines: which rules each version of each product follows.

use std::sync::LazyLock;

use serde::Deserialize;

use super::filters::Filter;
use super::orders::Order;
use super::refusals::Refusal;
use crate::words::words;

/// The embedded rows; `data/README.md` describes the columns.
const ENGINES: &str = include_str!("data/engines.csv");
/// In `from`: the development branch, not yet released.
const NEXT: &str = "next";
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
        /// nerdctl.
        Nerdctl = "nerdctl",
        /// BuildKit on Windows, as `docker buildx build` uses it.
        Buildkit = "buildkit",
        /// crane.
        Crane = "crane",
        /// oras.
        Oras = "oras",
        /// regctl.
        Regctl = "regctl",
        /// skopeo.
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
}

/// A range of versions of a product that follow the same rules.
#[derive(Clone, Debug, Deserialize)]
pub struct Engine {
    /// Its name, a value of `engine`.
    pub name: String,
    /// The product.
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
    /// What it downloads.
    pub fetches: Fetches,
    /// Its text if nothing matches.
    pub refusal: Refusal,
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
    /// Its rule in a sentence.
    pub fn rule(&self) -> String {
        format!("{}; {}", self.usual_filter().meaning(), self.order.meaning())
    }

    /// The filter of a command without a platform.
    pub const fn usual_filter(&self) -> Filter {
        match (self.product, self.filter) {
            // BuildKit's worker has no version; its filter is for a platform that names one.
            (Product::Buildkit, Filter::Abi1 | Filter::Abi2) => Filter::None,
            (_, filter) => filter,
        }
    }

    /// The engine with the first version of the product that has this rule.
    pub fn first_with_rule(&'static self) -> &'static Self {
        let rule = |engine: &Self| (engine.usual_filter(), engine.order);
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
    TooOld {
        /// The product.
        product: Product,
        /// Its oldest known version.
        oldest: &'static str,
    },
    /// The version is of a later major version than all of the table, whose rule may be another.
    #[error(
        "has no known rule: the newest known version of {product} is {newest}; leave the version \
         out for its rule"
    )]
    TooNew {
        /// The product.
        product: Product,
        /// Its newest known version.
        newest: &'static str,
    },
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
