//! What this service saw of tags itself: at which digest and version, and when. A registry tells
//! only the present, so that this is the only memory of what a tag was before.
//!
//! What was got with credentials never comes here.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use super::sighting::{Moment, Sighting, TagHistory};
use super::tags::RepositoryTags;
use crate::images::{Architecture, Core, Digest, Repository, Tag};
use crate::registry::Manifest;
use crate::windows::WindowsVersion;

/// The memory for what was seen, half of it for base images: what clients ask for must not push
/// these out. A tag takes about 500 bytes, and 300 more each time it moves, so that all tags of the
/// base images fit.
pub const MAX_HISTORY_BYTES: usize = 2 << 20;
/// The most images that are kept of one tag, the newest ones: a tag that moves twice in a month is
/// remembered for four years.
const MAX_SIGHTINGS_PER_TAG: usize = 100;
/// The most tags by which a list may differ from the one before it; with more, it is taken as a
/// first list. An update of Windows adds some ten tags to a repository.
const MAX_CHANGES: usize = 200;
/// The most builds that are kept of one shared tag. Real ones have up to five.
const MAX_BUILDS: usize = 16;

/// What this service saw of tags.
#[derive(Debug, Default)]
pub struct History(Mutex<Records>);

#[derive(Debug, Default)]
struct Records {
    repositories: BTreeMap<Repository, RepositoryRecord>,
    /// The memory of base images, and of all others.
    bytes: [usize; 2],
    revision: u64,
}

/// What was seen of a repository.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RepositoryRecord {
    /// Whether it is one of base images.
    pub is_reserved: bool,
    /// Since when every change of its list was seen.
    pub listed_since: Option<Timestamp>,
    /// Its tags of which there is anything to say.
    pub tags: BTreeMap<String, TagRecord>,
}

/// What was seen of a tag.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TagRecord {
    /// When a list first had it that had not had it before.
    pub appeared: Option<Timestamp>,
    /// When a list had it no more.
    pub gone: Option<Timestamp>,
    /// The images it was seen at, the oldest first.
    pub seen: Vec<SeenImage>,
}

/// An image that a tag was seen at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenImage {
    pub digest: Digest,
    pub os_version: Option<WindowsVersion>,
    pub builds: Vec<u32>,
    pub first: Timestamp,
    pub last: Timestamp,
}

impl SeenImage {
    /// What a manifest says of the tag that gave it.
    fn of(tag: &str, manifest: &Manifest, now: Timestamp) -> Self {
        let windows = manifest.entries.iter().filter(|entry| {
            Architecture::ALL.iter().any(|it| entry.mismatch(it.as_str()).is_none())
        });
        let mut versions: Vec<WindowsVersion> =
            windows.filter_map(|entry| entry.windows_version()).collect();
        let mut builds: Vec<u32> = versions.iter().map(|version| version.build).collect();
        builds.sort_unstable();
        builds.dedup();
        if builds.len() > 1 {
            versions.clear();
            builds.truncate(MAX_BUILDS);
        } else {
            builds.clear();
        }
        // The images of two architectures may differ in their revisions; the first is that of the
        // usual one.
        let is_vague = |version: &WindowsVersion| version.revision.is_none();
        let named = || match Tag::parse(tag)?.core {
            Core::Build(version) => Some(version),
            _ => None,
        };
        let os_version = versions.first().copied().map(|version| match named() {
            Some(named) if is_vague(&version) && named.build == version.build => named,
            _ => version,
        });
        Self { digest: manifest.digest.clone(), os_version, builds, first: now, last: now }
    }

    /// The same for answers.
    pub fn sighting(&self) -> Sighting {
        Sighting {
            digest: Some(self.digest.clone()),
            os_version: self.os_version,
            builds: self.builds.clone(),
            base: None,
            seen: Some((Moment::at(self.first), Moment::at(self.last))),
            evidence: Sighting::OWN,
        }
    }
}

impl TagRecord {
    /// The last time that it was seen at an image, or in a list that said something new of it.
    fn last(&self) -> Option<Timestamp> {
        let of_image = self.seen.last().map(|seen| seen.last);
        of_image.max(self.appeared).max(self.gone)
    }

    /// The memory it takes, roughly.
    fn weight(&self, tag: &str) -> usize {
        /// The key, the structures, and their place in the tree.
        const BYTES_PER_TAG: usize = 250;
        const BYTES_PER_SIGHTING: usize = 250;
        let builds: usize = self.seen.iter().map(|seen| size_of_val(seen.builds.as_slice())).sum();
        BYTES_PER_TAG + tag.len() + self.seen.len() * BYTES_PER_SIGHTING + builds
    }

    /// Adds what this says to what is known of the tag from elsewhere.
    pub fn complete(&self, mut known: Vec<Sighting>) -> TagHistory {
        known.extend(self.seen.iter().map(SeenImage::sighting));
        let mut history = TagHistory::new(known);
        let appeared = self.appeared.map(Moment::at);
        history.existed = history.existed.into_iter().chain(appeared).min_by_key(|it| it.latest());
        history.gone = self.gone.map(Moment::at);
        history
    }
}

impl RepositoryRecord {
    /// The memory it takes without its tags, roughly.
    const BYTES: usize = 1000;

    fn weight(&self) -> usize {
        Self::BYTES + self.tags.iter().map(|(tag, record)| record.weight(tag)).sum::<usize>()
    }
}

impl History {
    /// Records the image that a tag was seen at now. Returns the image before it if the tag has
    /// moved.
    pub fn saw(
        &self,
        (repository, is_reserved): (&Repository, bool),
        tag: &str,
        manifest: &Manifest,
        now: Timestamp,
    ) -> Option<SeenImage> {
        let image = SeenImage::of(tag, manifest, now);
        let mut moved = None;
        self.lock().change(repository, is_reserved, |record| {
            let record = record.tags.entry(tag.to_owned()).or_default();
            record.gone = None;
            match record.seen.last_mut() {
                Some(last) if last.digest == image.digest => last.last = now.max(last.last),
                last => {
                    moved = last.cloned();
                    record.seen.push(image);
                    let too_many = record.seen.len().saturating_sub(MAX_SIGHTINGS_PER_TAG);
                    record.seen.drain(..too_many);
                }
            }
        });
        moved
    }

    /// Records how a list of tags differs from the one before it; without one, all changes of the
    /// list are known from now on only.
    pub fn listed(
        &self,
        (repository, is_reserved): (&Repository, bool),
        list: &RepositoryTags,
        before: Option<&RepositoryTags>,
        now: Timestamp,
    ) {
        self.lock().change(repository, is_reserved, |record| {
            let Some(before) = before.filter(|_| record.listed_since.is_some()) else {
                record.listed_since = Some(now);
                return;
            };
            let missing = |list: &RepositoryTags, other: &RepositoryTags| -> Vec<String> {
                let tags = list.iter().filter(|tag| other.find(&tag.text).is_none());
                tags.take(MAX_CHANGES).map(|tag| tag.text.clone()).collect()
            };
            let (new, gone) = (missing(list, before), missing(before, list));
            if new.len() + gone.len() >= MAX_CHANGES {
                record.listed_since = Some(now);
                return;
            }
            for tag in new {
                let tag = record.tags.entry(tag).or_default();
                if tag.gone.take().is_none() {
                    tag.appeared = Some(now);
                }
            }
            for tag in gone {
                record.tags.entry(tag).or_default().gone = Some(now);
            }
        });
    }

    /// What was seen of a repository.
    pub fn of_repository(&self, repository: &Repository) -> RepositoryRecord {
        self.lock().repositories.get(repository).cloned().unwrap_or_default()
    }

    /// What was seen of a tag.
    pub fn of_tag(&self, repository: &Repository, tag: &str) -> TagRecord {
        let records = self.lock();
        let record = records.repositories.get(repository).and_then(|record| record.tags.get(tag));
        record.cloned().unwrap_or_default()
    }

    /// Grows with each change.
    pub fn revision(&self) -> u64 {
        self.lock().revision
    }

    /// All records, for the snapshot.
    pub fn all(&self) -> BTreeMap<Repository, RepositoryRecord> {
        self.lock().repositories.clone()
    }

    /// Puts in what an earlier process saw. What was seen meanwhile by this one stays.
    pub fn load(&self, repository: &Repository, loaded: RepositoryRecord) {
        self.lock().change(repository, loaded.is_reserved, |record| {
            record.listed_since = record.listed_since.or(loaded.listed_since);
            for (tag, loaded) in loaded.tags {
                record.tags.entry(tag).or_insert(loaded);
            }
        });
    }

    fn lock(&self) -> MutexGuard<'_, Records> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Records {
    /// Changes the record of a repository, and forgets what was not seen for longest while there is
    /// more than the memory has room for.
    fn change(
        &mut self,
        repository: &Repository,
        is_reserved: bool,
        change: impl FnOnce(&mut RepositoryRecord),
    ) {
        let part = usize::from(is_reserved);
        let before = self.repositories.get(repository).map_or(0, RepositoryRecord::weight);
        let record = self.repositories.entry(repository.clone()).or_default();
        record.is_reserved = is_reserved;
        change(record);
        self.bytes[part] = self.bytes[part].saturating_sub(before) + record.weight();
        self.revision += 1;
        while self.bytes[part] > MAX_HISTORY_BYTES / 2 {
            let of_part =
                self.repositories.iter().filter(|(_, record)| record.is_reserved == is_reserved);
            let tags = of_part.flat_map(|(repository, record)| {
                // A repository of which nothing but its name is left goes as well.
                let rest =
                    record.tags.is_empty().then_some((record.listed_since, repository, None));
                let tags = record.tags.iter();
                tags.map(move |(tag, it)| (it.last(), repository, Some(tag))).chain(rest)
            });
            let Some((_, repository, tag)) = tags.min_by_key(|(last, ..)| *last) else { return };
            let (repository, tag) = (repository.clone(), tag.cloned());
            self.forget(&repository, tag.as_deref(), part);
        }
    }

    fn forget(&mut self, repository: &Repository, tag: Option<&str>, part: usize) {
        let Some(record) = self.repositories.get_mut(repository) else { return };
        let freed = match tag.and_then(|tag| Some((tag, record.tags.remove(tag)?))) {
            Some((tag, forgotten)) => {
                // What the list was before that is not known any more.
                if record.listed_since.is_some() {
                    let changes = [forgotten.appeared, forgotten.gone, record.listed_since];
                    record.listed_since = changes.into_iter().flatten().max();
                }
                forgotten.weight(tag)
            }
            None => self.repositories.remove(repository).map_or(0, |_| RepositoryRecord::BYTES),
        };
        self.bytes[part] = self.bytes[part].saturating_sub(freed.max(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::known_tag::KnownTag;
    use crate::registry::{Entry, EntryRole};
    use crate::windows::Tables;

    const SERVERCORE: &str = "mcr.microsoft.com/windows/servercore";

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_second(1_750_000_000 + minutes * 60).unwrap()
    }

    fn index(versions: &[&str]) -> Manifest {
        let entry = |version: &&str| Entry {
            digest: Digest::of(version.as_bytes()),
            operating_system: Some("windows".to_owned()),
            architecture: Some("amd64".to_owned()),
            variant: None,
            os_version: Some((*version).to_owned()),
            os_features: Vec::new(),
            role: EntryRole::Image,
        };
        let digest = Digest::of(versions.concat().as_bytes());
        Manifest { digest, is_index: true, entries: versions.iter().map(entry).collect() }
    }

    fn list(tags: &[&str]) -> RepositoryTags {
        let read = |text: &&str| KnownTag::new((*text).to_owned(), None, Tables::embedded());
        RepositoryTags::new(tags.iter().map(read).collect())
    }

    fn repository(name: &str) -> Repository {
        Repository::parse(name).unwrap()
    }

    #[test]
    fn a_move_is_recorded_once_and_what_stays_grows_longer() {
        let (history, servercore) = (History::default(), repository(SERVERCORE));
        let saw = |version: &str, minute| {
            history.saw((&servercore, true), "ltsc2022", &index(&[version]), at(minute))
        };
        assert_eq!(saw("10.0.20348.1", 0), None);
        assert_eq!(saw("10.0.20348.1", 15), None);
        let before = saw("10.0.20348.2", 30).unwrap();
        assert_eq!((before.first, before.last), (at(0), at(15)));
        assert_eq!(saw("10.0.20348.2", 45), None);
        let seen = history.of_tag(&servercore, "ltsc2022").seen;
        let times: Vec<_> = seen.iter().map(|seen| (seen.first, seen.last)).collect();
        assert_eq!(times, [(at(0), at(15)), (at(30), at(45))]);
        assert_eq!(seen[1].os_version, "10.0.20348.2".parse().ok());
    }

    #[test]
    fn an_index_of_several_builds_has_no_version() {
        let manifest = index(&["10.0.20348.1", "10.0.17763.1", "10.0.17763.2"]);
        let seen = SeenImage::of("4.8", &manifest, at(0));
        assert_eq!((seen.os_version, seen.builds), (None, vec![17763, 20348]));
        let seen = SeenImage::of("10.0.14393.1715", &index(&["10.0.14393"]), at(0));
        assert_eq!(seen.os_version, "10.0.14393.1715".parse().ok());
    }

    #[test]
    fn lists_tell_when_a_tag_came_and_went() {
        let (history, servercore) = (History::default(), repository(SERVERCORE));
        let (first, second) = (list(&["ltsc2019", "1809"]), list(&["ltsc2019", "ltsc2022"]));
        let listed = |list, before, minute| {
            history.listed((&servercore, true), list, before, at(minute));
            history.of_repository(&servercore)
        };
        // Without a record of the first list, the second is the first.
        assert_eq!(listed(&second, Some(&first), 0).listed_since, Some(at(0)));
        let record = listed(&first, Some(&second), 15);
        assert_eq!(record.listed_since, Some(at(0)));
        assert_eq!(record.tags["1809"].appeared, Some(at(15)));
        assert_eq!(record.tags["ltsc2022"].gone, Some(at(15)));
        assert!(!record.tags.contains_key("ltsc2019"));
        assert_eq!(listed(&second, None, 30).listed_since, Some(at(30)));
        let many: Vec<String> = (0..MAX_CHANGES).map(|at| format!("a{at}")).collect();
        let many = list(&many.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(listed(&many, Some(&second), 45).listed_since, Some(at(45)));
    }

    #[test]
    fn other_images_do_not_push_out_base_images_and_the_memory_is_bounded() {
        let (history, servercore) = (History::default(), repository(SERVERCORE));
        history.saw((&servercore, true), "ltsc2022", &index(&["10.0.20348.1"]), at(0));
        history.listed((&repository("a.example/0"), false), &list(&["1"]), None, at(0));
        for number in 0..4000 {
            let name = repository(&format!("a.example/{}", number % 7));
            let tag = format!("{number}{}", "x".repeat(100));
            history.saw((&name, false), &tag, &index(&["10.0.20348.1"]), at(number));
        }
        let records = history.lock();
        let bytes: usize = records.repositories.values().map(RepositoryRecord::weight).sum();
        assert!(bytes <= MAX_HISTORY_BYTES / 2 + RepositoryRecord::BYTES * 2, "{bytes}");
        assert!(records.bytes[0] <= MAX_HISTORY_BYTES / 2 && bytes > MAX_HISTORY_BYTES / 3);
        assert_eq!(records.bytes.iter().sum::<usize>(), bytes);
        let kept = &records.repositories[&servercore].tags;
        assert!(kept.contains_key("ltsc2022"));
        let newest = records.repositories.values().flat_map(|record| record.tags.keys());
        assert!(newest.into_iter().any(|tag| tag.starts_with("3999x")));
    }

    #[test]
    fn of_one_tag_the_newest_images_are_kept() {
        let (history, servercore) = (History::default(), repository(SERVERCORE));
        for number in 0..150 {
            let version = format!("10.0.20348.{number}");
            history.saw((&servercore, true), "ltsc2022", &index(&[&version]), at(number));
        }
        let seen = history.of_tag(&servercore, "ltsc2022").seen;
        assert_eq!((seen.len(), seen[0].first), (MAX_SIGHTINGS_PER_TAG, at(50)));
    }
}
