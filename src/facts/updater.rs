//! Reads the sources. A document that cannot be got or read changes nothing: what was known stays.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use super::claim::{Claim, DocumentOutcome, Refused, Source};
use super::ledger::Conclusions;
use super::settings::FactsSettings;
use super::state::State;
use super::{cve, cvrf, observed, release_information, updates_list};
use crate::clock::Now;
use crate::registry::{
    DocumentAnswer, DocumentRequest, Documents, MAX_DOCUMENT_BYTES, Observer, Validators,
};
use crate::windows::{HostKind, Tables};

/// The largest page, list or record, and how long it may take (feeds with 70 kB, 100 kB, 30 kB).
const MAX_PAGE_BYTES: usize = 1 << 20;
const PAGE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a monthly document may take: 12 MB at a slow 2 Mbit/s. Ours.
const MONTH_TIMEOUT: Duration = Duration::from_secs(60);
/// Documents are read while they are so young; they are revised for months. Ours.
const MONTH_DAYS: i32 = 100;
/// The most documents whose validators are kept. Ours.
const MAX_VALIDATORS: usize = 200;

const MARKDOWN: &str = "text/markdown";
const JSON: &str = "application/json";
const XML: &str = "application/xml";

/// The sources, and what was learnt from them.
pub struct Facts {
    settings: Option<FactsSettings>,
    documents: Documents,
    state: Mutex<State>,
}

/// What became of one document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentReport {
    /// Its source.
    pub source: Source,
    /// Its path below the source.
    pub path: String,
    /// What became of it.
    pub outcome: DocumentOutcome,
    /// Why, if it was not read.
    pub detail: Option<String>,
}

/// A document to read.
struct Wanted {
    source: Source,
    path: String,
    accept: &'static str,
    max_bytes: usize,
    timeout: Duration,
    /// Its form that is known although the server gives no validator: the moment of its revision.
    revised: Option<String>,
}

impl Wanted {
    fn page(source: Source, path: String, accept: &'static str) -> Self {
        let (max_bytes, timeout) = (MAX_PAGE_BYTES, PAGE_TIMEOUT);
        Self { source, path, accept, max_bytes, timeout, revised: None }
    }
}

impl Facts {
    /// Reads these sources; without settings, none.
    pub fn new(settings: Option<FactsSettings>, observer: Option<Observer>) -> Self {
        let sites = settings.iter().flat_map(|it| &it.sources).map(|(_, url)| url.clone());
        let documents = Documents::of(sites.collect(), observer);
        Self { settings, documents, state: Mutex::default() }
    }

    /// Whether any source is read.
    pub fn settings(&self) -> Option<&FactsSettings> {
        self.settings.as_ref()
    }

    /// What is known, for the state on disk.
    pub fn state(&self) -> State {
        self.lock().clone()
    }

    /// Continues from this state.
    pub fn load(&self, mut state: State, tables: &Tables) {
        state.ledger.forget_known(tables);
        state.validators.clear();
        *self.lock() = state;
    }

    /// What follows from everything that was learnt, for tables that do not have it.
    pub fn conclusions(&self, tables: &Tables) -> Conclusions {
        self.lock().ledger.conclude(tables)
    }

    /// Builds that a source names and the tables do not have.
    pub fn unknown_builds(&self) -> BTreeSet<u32> {
        self.lock().ledger.unknown_builds.clone()
    }

    /// When each source was last read without an error.
    pub fn last_read(&self) -> impl Iterator<Item = (Source, Timestamp)> + use<> {
        self.lock().read.clone().into_iter()
    }

    /// Considers what tags of base images prove; returns whether anything is new.
    pub fn observe(&self, tags: &[observed::ObservedTag], tables: &Tables, now: Now) -> bool {
        let claims = observed::claims(tags);
        self.lock().ledger.consider(claims, tables, now.date())
    }

    /// Reads all sources once; what they say is compared with these tables, which are those without
    /// anything learnt.
    pub async fn read_all(&self, tables: &Tables, now: Now) -> Vec<DocumentReport> {
        let mut reports = Vec::new();
        for (kind, name) in [
            (HostKind::Server, "windows-server-release-info?accept=text/markdown"),
            (HostKind::Client, "windows11-release-information?accept=text/markdown"),
        ] {
            let page = Wanted::page(Source::ReleaseInformation, name.to_owned(), MARKDOWN);
            let read = |body: &[u8]| {
                let read = release_information::read(body, kind)?;
                Ok((read.claims, read.refused.into_iter().next(), ()))
            };
            reports.extend(self.read(page, read, tables, now).await.0);
        }
        let list = Wanted::page(Source::Msrc, "updates".to_owned(), JSON);
        let read = |body: &[u8]| Ok((Vec::new(), None, updates_list::read(body)?));
        // The list itself is always read: it says which documents are new.
        let (report, months) = self.read(list, read, tables, now).await;
        reports.extend(report);
        let mut without_build = Vec::new();
        let mut months = months.unwrap_or_default();
        months.retain(|month| {
            let age = month.published.until(now.date()).map_or(i32::MAX, |it| it.get_days());
            (0..=MONTH_DAYS).contains(&age)
        });
        for month in months.into_iter().rev() {
            let document = Wanted {
                source: Source::Msrc,
                path: format!("cvrf/{}", month.id),
                accept: XML,
                max_bytes: MAX_DOCUMENT_BYTES,
                timeout: MONTH_TIMEOUT,
                revised: Some(month.revised),
            };
            let read = |body: &[u8]| {
                let document = cvrf::read(body)?;
                Ok((document.claims, None, document.without_build))
            };
            let (report, cves) = self.read(document, read, tables, now).await;
            reports.extend(report);
            without_build.extend(cves.unwrap_or_default());
        }
        for path in without_build.iter().filter_map(|id| cve::path_of(id)) {
            let record = Wanted::page(Source::Cve, format!("{path}.json"), JSON);
            let read = |body: &[u8]| Ok((cve::read(body)?, None, ()));
            reports.extend(self.read(record, read, tables, now).await.0);
        }
        for report in &reports {
            if let Some(detail) = &report.detail {
                let DocumentReport { source, path, outcome, .. } = report;
                tracing::warn!("{source}: {path} is {outcome}: {detail}; what was known stays");
            }
        }
        reports
    }

    /// Reads one document, if its source is read at all.
    async fn read<T>(
        &self,
        wanted: Wanted,
        read: impl FnOnce(&[u8]) -> Result<(Vec<Claim>, Option<String>, T), Refused>,
        tables: &Tables,
        now: Now,
    ) -> (Option<DocumentReport>, Option<T>) {
        let Wanted { source, path, accept, max_bytes, timeout, revised } = wanted;
        let base = self.settings.as_ref().and_then(|settings| settings.url(source));
        let Some(url) = base.and_then(|base| base.join(&path).ok()) else { return (None, None) };
        let known = self.lock().validators.get(&path).cloned().unwrap_or_default();
        let report =
            |outcome, detail| Some(DocumentReport { source, path: path.clone(), outcome, detail });
        if revised.is_some() && known.etag == revised {
            return (report(DocumentOutcome::Unchanged, None), None);
        }
        // The moment of a revision is no validator of a server.
        let known =
            if revised.is_some() || path == "updates" { Validators::default() } else { known };
        let request = DocumentRequest { url, accept, max_bytes, timeout, known };
        let (body, validators) = match self.documents.get(request).await {
            Ok(DocumentAnswer::Document(body, validators)) => (body, validators),
            Ok(DocumentAnswer::Unchanged) => {
                self.lock().read.insert(source, now.utc);
                return (report(DocumentOutcome::Unchanged, None), None);
            }
            Err(error) => {
                return (report(DocumentOutcome::Unavailable, Some(error.to_string())), None);
            }
        };
        match read(&body) {
            Ok((claims, refused, rest)) => {
                let mut state = self.lock();
                state.ledger.consider(claims, tables, now.date());
                if refused.is_some() {
                    return (report(DocumentOutcome::Refused, refused), Some(rest));
                }
                state.read.insert(source, now.utc);
                if state.validators.len() < MAX_VALIDATORS || state.validators.contains_key(&path) {
                    let by_revision =
                        |revised| Validators { etag: Some(revised), last_modified: None };
                    let validators = revised.map_or(validators, by_revision);
                    state.validators.insert(path.clone(), validators);
                }
                (report(DocumentOutcome::Ok, None), Some(rest))
            }
            Err(Refused(reason)) => (report(DocumentOutcome::Refused, Some(reason)), None),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
