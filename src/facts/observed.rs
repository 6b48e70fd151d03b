//! What tags of Microsoft's base images prove: a KB tag and a build tag of one image are a pair,
//! and so are a KB tag and the os.version of its image. Any tag proves that its os.version exists.

use super::claim::{Claim, Source, has_revision};
use crate::images::{Core, Digest, Repository, Tag};
use crate::windows::{Kb, WindowsVersion};

/// A tag of a base image as a registry answered for it.
#[derive(Clone, Debug)]
pub struct ObservedTag {
    /// The repository, one of Microsoft's.
    pub repository: Repository,
    /// The tag.
    pub tag: String,
    /// The digest of what it points to.
    pub digest: Digest,
    /// The os.version of each of its Windows images that has one.
    pub versions: Vec<WindowsVersion>,
}

/// What these tags prove.
pub fn claims(observed: &[ObservedTag]) -> Vec<Claim> {
    let mut claims = Vec::new();
    for of_kb in observed {
        let kb = match Tag::parse(&of_kb.tag).map(|tag| tag.core) {
            Some(Core::Kb { kb, .. }) => Some(kb),
            _ => None,
        };
        let mut versions = of_kb.versions.clone();
        versions.retain(has_revision);
        versions.sort_unstable();
        versions.dedup();
        match (kb, versions.as_slice()) {
            (kb, [version]) => claims.push(claim(of_kb, None, *version, kb)),
            // Without an os.version, a build tag of the same image names the version.
            (Some(kb), []) => {
                let same = observed.iter().filter(|it| it.digest == of_kb.digest);
                let named = same.filter_map(|it| match Tag::parse(&it.tag)?.core {
                    Core::Build(version) => Some((it, version)),
                    _ => None,
                });
                let named = named.filter(|(_, version)| has_revision(version));
                claims.extend(
                    named.map(|(build, version)| claim(of_kb, Some(build), version, Some(kb))),
                );
            }
            // A tag of several builds is none of a base image.
            _ => {}
        }
    }
    claims
}

fn claim(
    of: &ObservedTag,
    and: Option<&ObservedTag>,
    version: WindowsVersion,
    kb: Option<Kb>,
) -> Claim {
    let and = and.map(|tag| format!(" and :{}", tag.tag)).unwrap_or_default();
    Claim {
        version,
        kb,
        released: None,
        named: None,
        release_type: None,
        kind: None,
        source: Source::Registry,
        evidence: format!("{}:{}{and} at {}", of.repository, of.tag, of.digest),
    }
}
