//! Families of base images: their names, and the repository of each.

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Serialize, Serializer};
use strsim::osa_distance;
use utoipa::ToSchema;

use crate::windows::Base;

use super::reference::{
    DOCKER_HUB, DOCKER_HUB_OFFICIAL, ImageReference, ParseReferenceError, Repository, Selector,
};

use super::software::{is_plausible, repositories_named};

const EMBEDDED: &str = include_str!("data/families.csv");

/// The registry of Microsoft's images.
const MICROSOFT: &str = "mcr.microsoft.com";
/// Paths that are Microsoft's, also when the registry is left out: on Docker Hub there are no such
/// names.
const MICROSOFT_PATHS: [&str; 2] = ["windows/", "dotnet/"];
/// Docker Hub repositories that moved and are no family (microsoft/containerregistry,
/// docs/dockerhub-to-mcr-repo-mapping.md).
const MOVED: [(&str, &str); 3] = [
    ("microsoft/aspnet", "dotnet/framework/aspnet"),
    ("microsoft/nanoserver-insider", "windows/nanoserver/insider"),
    ("microsoft/windowsservercore-insider", "windows/servercore/insider"),
];

/// A family of base images.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Family {
    /// The short name, such as `nanoserver`.
    pub name: String,
    /// The base that decides when its support ends.
    pub base: Base,
    /// The repository of its current images.
    pub repository: Repository,
    /// Its names, without the registry host.
    pub names: Vec<String>,
    /// The Docker Hub names that it replaced.
    pub legacy_names: Vec<String>,
    /// The families that have images for other builds and do the same or most of it, by name.
    pub sisters: Vec<String>,
}

/// All families, by every name.
#[derive(Clone, Debug)]
pub struct Families {
    families: Vec<Arc<Family>>,
    by_name: HashMap<String, (Arc<Family>, bool)>,
}

/// The requested image, and the repository that serves it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Image)]
pub struct NamedImage {
    /// The name as given.
    #[schema(example = "microsoft/nanoserver")]
    pub requested: String,
    /// The family; null if the image is not of a known family.
    #[serde(serialize_with = "name_of_family")]
    #[schema(value_type = Option<String>, example = "nanoserver")]
    pub family: Option<Arc<Family>>,
    /// The repository that serves the image, with its registry.
    #[schema(value_type = String, example = "mcr.microsoft.com/windows/nanoserver")]
    pub repository: Repository,
    /// Whether the name is a Docker Hub name that the repository replaced.
    #[serde(skip)]
    #[schema(ignore)]
    pub is_legacy: bool,
}

impl NamedImage {
    /// The base of all images of this repository, if it is known.
    pub fn known_base(&self) -> Option<Base> {
        const SERVER_CORE: &str = "windows/servercore";
        let base = self.family.as_ref()?.base;
        let is_certain =
            base == Base::Nanoserver || self.repository.path().starts_with(SERVER_CORE);
        is_certain.then_some(base)
    }

    /// Whether the image is the base of HostProcess containers of Kubernetes
    /// (`microsoft/windows-host-process-containers-base-image`).
    pub fn is_host_process_base(&self) -> bool {
        self.repository.path().ends_with("/windows-host-process-containers-base-image")
    }

    /// Which base decides how long the image is supported; without a family, Server Core.
    pub fn base(&self) -> Base {
        self.family.as_ref().map_or(Base::Servercore, |family| family.base)
    }

    /// The name of the family.
    pub fn family_name(&self) -> Option<&str> {
        self.family.as_ref().map(|family| family.name.as_str())
    }
}

fn name_of_family<S: Serializer>(
    family: &Option<Arc<Family>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    family.as_ref().map(|family| &family.name).serialize(serializer)
}

/// Why a name is not a family or repository, or a table of families cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FamilyError {
    /// One word that is not the name of a family.
    #[error(
        "no family of base images has this name{}; families: {}; name any other image by its \
         repository, such as docker.io/library/golang",
        did_you_mean(similar),
        known.join(", ")
    )]
    Unknown {
        /// The families and repositories with a similar name.
        similar: Vec<String>,
        /// The names of the families.
        known: Vec<String>,
    },
    /// Not an image reference.
    #[error(transparent)]
    Reference(#[from] ParseReferenceError),
    /// A table row that cannot be read.
    #[error("families, row {row}: {detail}")]
    Table {
        /// Counted from 1, the heading not counted.
        row: usize,
        /// The problem.
        detail: String,
    },
}

/// The most letters by which a misspelt word differs from the right one.
const MAX_EDITS: usize = 2;

fn did_you_mean(similar: &[String]) -> String {
    match similar {
        [] => String::new(),
        similar => format!("; did you mean {}?", similar.join(" or ")),
    }
}

#[derive(serde::Deserialize)]
struct Row {
    family: String,
    base: String,
    repository: String,
    names: String,
    legacy_names: String,
    #[serde(default)]
    sisters: String,
    source: String,
}

impl Families {
    /// The families of the embedded table.
    ///
    /// # Panics
    /// Never: a test reads the table.
    pub fn embedded() -> Self {
        Self::from_csv(EMBEDDED).expect("the embedded families are read by a test")
    }

    /// Reads a table with the columns of `data/families.csv`.
    ///
    /// # Errors
    /// [`FamilyError::Table`] names the row.
    pub fn from_csv(text: &str) -> Result<Self, FamilyError> {
        let mut families = Self { families: Vec::new(), by_name: HashMap::new() };
        for (at, row) in csv::Reader::from_reader(text.as_bytes()).deserialize::<Row>().enumerate()
        {
            let bad = |detail: String| FamilyError::Table { row: at + 1, detail };
            let row = row.map_err(|error| bad(error.to_string()))?;
            if row.source.is_empty() {
                return Err(bad("source is empty; every row needs it".to_owned()));
            }
            let repository =
                Repository::parse(&row.repository).map_err(|error| bad(error.to_string()))?;
            let words = |text: &str| {
                text.split(';').filter(|word| !word.is_empty()).map(str::to_owned).collect()
            };
            let base = row.base.parse().map_err(|error| bad(format!("base {error}")))?;
            families.add(Family {
                name: row.family,
                base,
                repository,
                names: words(&row.names),
                legacy_names: words(&row.legacy_names),
                sisters: words(&row.sisters),
            });
        }
        Ok(families)
    }

    /// Adds a family; its names win over those that are there.
    pub fn add(&mut self, family: Family) {
        let family = Arc::new(family);
        self.by_name.insert(family.name.clone(), (family.clone(), false));
        self.by_name.insert(family.repository.to_string(), (family.clone(), false));
        for name in &family.names {
            self.by_name.insert(name.clone(), (family.clone(), false));
        }
        for name in &family.legacy_names {
            self.by_name.insert(name.clone(), (family.clone(), true));
        }
        self.families.retain(|other| other.name != family.name);
        self.families.push(family);
    }

    /// The families, in the order of the table.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Family>> {
        self.families.iter()
    }

    /// Reads the name of a family or of a repository, without tag or digest.
    ///
    /// # Errors
    /// A single word that is neither a family nor a known official image is refused with the list
    /// of families: a typing error is not taken for an image on Docker Hub.
    pub fn read(&self, text: &str) -> Result<NamedImage, FamilyError> {
        if text.len() > Repository::MAX_TEXT_BYTES {
            return Err(ParseReferenceError::RepositoryTooLong.into());
        }
        let (image, selector) = self.read_reference(text).map_err(|error| match error {
            FamilyError::Reference(error) => error.of_a_repository().into(),
            other => other,
        })?;
        if selector != Selector::Default {
            return Err(ParseReferenceError::NotARepository.into());
        }
        if image.family.is_none() && !text.contains('/') && !is_plausible(&image.repository) {
            return Err(FamilyError::Unknown {
                similar: self.similar(text),
                known: self.families.iter().map(|family| family.name.clone()).collect(),
            });
        }
        Ok(image)
    }

    /// The families that are spelt similarly, and the repositories whose last part is this word.
    fn similar(&self, word: &str) -> Vec<String> {
        let is_near = |name: &str| osa_distance(name, word) <= MAX_EDITS && word.len() > MAX_EDITS;
        let near = self.families.iter().filter(|family| {
            is_near(&family.name) || family.names.iter().any(|name| is_near(name))
        });
        let mut similar: Vec<String> = near.map(|family| family.name.clone()).collect();
        similar.extend(repositories_named(word).map(str::to_owned));
        similar
    }

    /// Reads an image reference as container runtimes do: a name without a registry is on Docker
    /// Hub, and the short name of a family means nothing.
    ///
    /// # Errors
    /// When the text is not a reference.
    pub fn read_as_runtimes(&self, text: &str) -> Result<(NamedImage, Selector), FamilyError> {
        let ImageReference { repository, selector } = text.parse()?;
        let family = self.by_name.get(&repository.to_string()).map(|(family, _)| family.clone());
        Ok((
            NamedImage { requested: text.to_owned(), family, repository, is_legacy: false },
            selector,
        ))
    }

    /// Reads any image reference; the name of a family stands for its repository.
    ///
    /// # Errors
    /// When the text is not a reference.
    pub fn read_reference(&self, text: &str) -> Result<(NamedImage, Selector), FamilyError> {
        let reference: ImageReference = text.parse()?;
        let written = &reference.repository;
        let key = if written.registry() == DOCKER_HUB {
            written.path().strip_prefix(DOCKER_HUB_OFFICIAL).unwrap_or(written.path()).to_owned()
        } else {
            written.to_string()
        };
        let (family, is_legacy) = match self.by_name.get(&key) {
            Some((family, is_legacy)) => (Some(family.clone()), *is_legacy),
            None => (None, false),
        };
        let moved = MOVED.iter().find(|(before, _)| *before == key).map(|(_, path)| *path);
        let without_registry =
            MICROSOFT_PATHS.iter().any(|start| key.starts_with(start)).then_some(key.as_str());
        let repository = match (&family, moved.or(without_registry)) {
            (Some(family), _) => family.repository.clone(),
            (None, Some(path)) => Repository::parse(&format!("{MICROSOFT}/{path}"))?,
            (None, None) => reference.repository,
        };
        let is_legacy = is_legacy || moved.is_some();
        Ok((
            NamedImage { requested: text.to_owned(), family, repository, is_legacy },
            reference.selector,
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, family: &str, is_legacy: bool) {
        let image = Families::embedded().read(text).unwrap();
        assert_eq!(image.family.unwrap().name, family, "{text}");
        assert_eq!(image.is_legacy, is_legacy, "{text}");
    }

    #[test]
    fn every_name_of_a_family_is_read() {
        for text in ["nanoserver", "windows/nanoserver", "mcr.microsoft.com/windows/nanoserver"] {
            check(text, "nanoserver", false);
        }
        check("MCR.Microsoft.com:443/windows/nanoserver", "nanoserver", false);
        check("microsoft/nanoserver", "nanoserver", true);
        check("docker.io/microsoft/nanoserver", "nanoserver", true);
        check("microsoft/windowsservercore", "servercore", true);
        check("windowsservercore", "servercore", false);
        check("mcr.microsoft.com/windows", "windows", false);
        check("windows", "windows", false);
        check("server", "server", false);
        check("microsoft/iis", "iis", true);
        check("mcr.microsoft.com/windows/servercore/iis", "iis", false);
    }

    #[test]
    fn other_repositories_are_taken_as_they_are() {
        let image = Families::embedded().read("mcr.microsoft.com/dotnet/framework/aspnet").unwrap();
        assert_eq!((image.family, image.repository.path()), (None, "dotnet/framework/aspnet"));
    }

    #[test]
    fn microsofts_paths_need_no_registry_and_what_moved_is_found() {
        let repository =
            |text: &str| Families::embedded().read(text).unwrap().repository.to_string();
        assert_eq!(
            repository("windows/nanoserver/insider"),
            "mcr.microsoft.com/windows/nanoserver/insider"
        );
        assert_eq!(
            repository("dotnet/framework/aspnet"),
            "mcr.microsoft.com/dotnet/framework/aspnet"
        );
        assert_eq!(repository("microsoft/aspnet"), "mcr.microsoft.com/dotnet/framework/aspnet");
        assert_eq!(repository("example/windows/x"), "docker.io/example/windows/x");
    }

    #[test]
    fn h20_runtimes_know_no_families() {
        for (text, repository, family) in [
            ("nanoserver:1809", "docker.io/library/nanoserver", None),
            ("iis", "docker.io/library/iis", None),
            ("microsoft/nanoserver", "docker.io/microsoft/nanoserver", None),
            ("windows/nanoserver", "docker.io/windows/nanoserver", None),
            (
                "MCR.microsoft.com/windows/nanoserver:1809",
                "mcr.microsoft.com/windows/nanoserver",
                Some("nanoserver"),
            ),
        ] {
            let (image, _) = Families::embedded().read_as_runtimes(text).unwrap();
            assert_eq!(
                (image.repository.to_string().as_str(), image.family_name()),
                (repository, family),
                "{text}"
            );
        }
    }

    #[test]
    fn a_typing_error_is_not_an_image_on_docker_hub() {
        assert!(matches!(Families::embedded().read("nanosever"), Err(FamilyError::Unknown { .. })));
        assert!(Families::embedded().read("nanoserver:1709").is_err());
        let similar = |word| match Families::embedded().read(word) {
            Err(FamilyError::Unknown { similar, .. }) => similar,
            other => panic!("{word}: {other:?}"),
        };
        assert_eq!(similar("nanosever"), ["nanoserver"]);
        let golang = Families::embedded().read("golang").unwrap();
        assert_eq!(golang.repository.to_string(), "docker.io/library/golang");
        let aspnet =
            ["mcr.microsoft.com/dotnet/aspnet", "mcr.microsoft.com/dotnet/framework/aspnet"];
        assert_eq!(similar("aspnet"), aspnet);
        assert!(similar("postgres").is_empty() && similar("x").is_empty());
    }
}
