//! Keeps the facts about Windows new: what registries prove as soon as they say it, what Microsoft
//! publishes on its schedule. Each change is a new context, from which new questions are answered.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::tz::TimeZone;
use tokio_util::sync::CancellationToken;

use crate::answers::{Context, Contexts, Renewed};
use crate::catalogue::{Deadline, ListMemory, Wanted};
use crate::config::Settings;
use crate::facts::{
    Confidence, DocumentOutcome, DocumentReport, Facts, ObservedTag, Source, State, StoredState,
    next_reading,
};
use crate::images::{Core, Repository};
use crate::registry::{MAX_DOCUMENT_BYTES, Registries};
use crate::telemetry::Metrics;
use crate::windows::Tables;

/// How often it is looked whether a registry gave something new, or a reading is due. Looking is
/// one comparison of numbers.
const INTERVAL: Duration = Duration::from_secs(1);
/// The repositories that have the KB tags of all base images.
const REPOSITORIES: [&str; 2] =
    ["mcr.microsoft.com/windows/servercore", "mcr.microsoft.com/windows/nanoserver"];
/// The most KB tags of a repository that are asked about in one reading, the newest first. A month
/// has four or five. Ours.
const MAX_KB_TAGS: usize = 8;

/// Renews the facts of these contexts.
pub struct Renewal {
    contexts: Arc<Contexts>,
    facts: Facts,
    /// The tables without anything learnt.
    tables: Mutex<Arc<Tables>>,
    metrics: Arc<Metrics>,
    seen_manifests: AtomicU64,
}

impl Renewal {
    /// Begins with the facts that the state directory has.
    pub fn begin(contexts: Arc<Contexts>, facts: Facts, metrics: Arc<Metrics>) -> Self {
        // Registries have metrics of their own.
        let sources = Source::WORDS.get(1..).unwrap_or_default();
        metrics.facts.begin(sources, DocumentOutcome::WORDS);
        let context = contexts.current();
        let tables = context.tables.clone();
        facts.load(State::from(context.catalogue.load_facts::<StoredState>()), &tables);
        let renewal = Self {
            contexts,
            facts,
            tables: Mutex::new(tables),
            metrics,
            seen_manifests: AtomicU64::new(0),
        };
        renewal.apply();
        renewal
    }

    /// The context for a new question.
    pub fn context(&self) -> Arc<Context> {
        self.contexts.current()
    }

    /// Answers new questions by other settings, with everything that was learnt and fetched.
    pub fn reload(&self, settings: Settings, registries: Arc<Registries>) {
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        let current = self.contexts.current();
        self.contexts.replace(Context {
            catalogue: current.catalogue.with_registries(registries),
            families: settings.families,
            fleets: settings.fleets,
            kubernetes_hosts: settings.kubernetes_hosts,
            tables: current.tables.clone(),
            renewed: current.renewed.clone(),
            clock: current.clock.clone(),
        });
        *tables = settings.tables;
        self.facts.load(self.facts.state(), &tables);
        drop(tables);
        self.apply();
    }

    /// Renews them until it is stopped.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let mut next = self.first_reading();
        while stop.run_until_cancelled(tokio::time::sleep(INTERVAL)).await.is_some() {
            self.learn_from_registries();
            let now = self.contexts.now();
            if next.is_some_and(|next| next <= now.utc) {
                if stop.run_until_cancelled(self.read_sources()).await.is_none() {
                    return;
                }
                next = Some(next_reading(now.utc, fastrand::f64()));
            }
        }
    }

    /// Soon after the start, unless the sources were read not long ago.
    fn first_reading(&self) -> Option<jiff::Timestamp> {
        self.facts.settings()?;
        let last = self.facts.last_read().map(|(_, at)| at).max();
        let now = self.contexts.now().utc;
        Some(last.map_or(now, |last| next_reading(last.min(now), fastrand::f64())))
    }

    /// Reads all sources once.
    pub async fn read_sources(&self) -> Vec<DocumentReport> {
        if self.facts.settings().is_some_and(|settings| settings.asks_registries) {
            let context = self.contexts.current();
            for name in REPOSITORIES {
                if let Ok(repository) = Repository::parse(name) {
                    ask_registry(&context, &repository).await;
                }
            }
            self.learn_from_registries();
        }
        // Documents have a part of the memory for lists of tags, which they use for seconds a day.
        let Ok(_memory) = ListMemory::acquire(MAX_DOCUMENT_BYTES).await else { return Vec::new() };
        let tables = self.tables();
        let reports = self.facts.read_all(&tables, self.contexts.now()).await;
        for report in &reports {
            self.metrics.facts.count_document(report.source.as_str(), report.outcome.as_str());
        }
        self.apply();
        self.save();
        reports
    }

    /// Learns what the manifests in the cache prove, if there are new ones.
    fn learn_from_registries(&self) {
        let context = self.contexts.current();
        let revision = context.catalogue.manifests_revision();
        if self.seen_manifests.swap(revision, Ordering::Relaxed) == revision {
            return;
        }
        let observed = context.catalogue.known_base_images().map(|(repository, tag, manifest)| {
            let versions =
                manifest.entries.iter().filter_map(|it| it.os_version.as_ref()?.parse().ok());
            let (digest, versions) = (manifest.digest.clone(), versions.collect());
            ObservedTag { repository, tag, digest, versions }
        });
        let observed: Vec<_> = observed.collect();
        if self.facts.observe(&observed, &self.tables(), self.contexts.now()) {
            self.apply();
            self.save();
        }
    }

    /// Answers new questions with everything that is known.
    fn apply(&self) {
        // One change at a time: each is made from the context before it.
        let tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        let context = self.contexts.current();
        let conclusions = self.facts.conclusions(&tables);
        let renewed = Renewed {
            conclusions,
            unknown_builds: self.facts.unknown_builds(),
            last_read: self.facts.last_read().collect(),
        };
        let checked = renewed.last_read.get(&Source::ReleaseInformation);
        let checked = checked.map(|at| at.to_zoned(TimeZone::UTC).date());
        let learnt = &renewed.conclusions.learnt;
        let metrics = &self.metrics.facts;
        for confidence in Confidence::ALL {
            let count = learnt.iter().filter(|it| it.confidence == confidence).count();
            metrics.set_learnt(confidence.as_str(), count);
        }
        metrics.set_open_questions(
            renewed.conclusions.contradictions.len(),
            renewed.unknown_builds.len(),
        );
        let entries: Vec<_> = learnt.iter().map(|update| update.entry(&tables)).collect();
        let renewed_tables =
            match entries.is_empty() && checked.is_none_or(|day| day <= tables.as_of()) {
                true => tables.clone(),
                false => Arc::new(tables.with(entries, checked)),
            };
        if let Ok(midnight) = renewed_tables.as_of().to_zoned(TimeZone::UTC) {
            metrics.set_as_of(midnight.timestamp().as_second() as f64);
        }
        let is_same = *context.tables == *renewed_tables;
        let in_use = if is_same { context.tables.clone() } else { renewed_tables };
        let renewed = context.with_tables(in_use, Arc::new(renewed));
        let catalogue = renewed.catalogue.clone();
        self.contexts.replace(renewed);
        if !is_same {
            tokio::task::spawn_blocking(move || catalogue.read_lists_again());
        }
    }

    fn save(&self) {
        let state = StoredState::from(&self.facts.state());
        self.contexts.current().catalogue.save_facts(&state);
    }

    fn tables(&self) -> Arc<Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Fetches what proves new updates: the manifests of the newest KB tags whose update the tables do
/// not have, and of the release tags.
async fn ask_registry(context: &Context, repository: &Repository) {
    let deadline = Deadline::begin(&context.clock);
    let Ok(tags) = context.catalogue.tags(repository, &deadline).await else { return };
    let unknown =
        tags.value.iter().filter_map(|tag| match tag.parsed.as_ref().map(|it| &it.core) {
            Some(Core::Kb { kb, .. }) if context.tables.versions_of(*kb).is_empty() => {
                Some((*kb, tag.text.clone()))
            }
            _ => None,
        });
    let mut unknown: Vec<_> = unknown.collect();
    unknown.sort_unstable_by(|one, other| other.cmp(one));
    for (_, tag) in unknown.into_iter().take(MAX_KB_TAGS) {
        let _ = context.catalogue.manifest(repository, Wanted::Tag(tag), false, &deadline).await;
    }
}
