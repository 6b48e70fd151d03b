//! What the tests of faults have in common: a service in front of the misbehaving registry, and the
//! check of what is answered while that misbehaves.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use reqwest::StatusCode;
use tempfile::TempDir;

use crate::support::misbehaving_registry::behaviour::Behaviour;
use crate::support::misbehaving_registry::holdings::Holdings;
use crate::support::misbehaving_registry::{Asked, MisbehavingRegistry, Script};
use crate::support::service::{Answer, Service};

/// How many cases a bed has at most. Each has its own registry name and repository, so that
/// no case affects another.
const MAX_CASES: usize = 40;

/// A service whose configured registries are all the misbehaving one.
pub struct Bed {
    pub registry: MisbehavingRegistry,
    pub service: Service,
    _folder: TempDir,
}

impl Bed {
    /// A service that asks again only after a quarter of an hour.
    pub async fn start(script: impl Fn(&Asked) -> Behaviour + Send + Sync + 'static) -> Self {
        Self::over(MisbehavingRegistry::start(script).await, "", &[])
    }

    /// A service that asks again each time.
    pub async fn start_forgetful(
        script: impl Fn(&Asked) -> Behaviour + Send + Sync + 'static,
    ) -> Self {
        Self::over(MisbehavingRegistry::start(script).await, "", &["--fresh-for", "0s"])
    }

    /// A service that has a user and a password for each registry.
    pub async fn start_with_credentials(
        script: impl Fn(&Asked) -> Behaviour + Send + Sync + 'static,
    ) -> Self {
        Self::start_with_credentials_and("", script).await
    }

    /// The same, with further settings of the registry.
    pub async fn start_with_credentials_and(
        settings: &str,
        script: impl Fn(&Asked) -> Behaviour + Send + Sync + 'static,
    ) -> Self {
        let registry = MisbehavingRegistry::start(script).await;
        let folder = tempfile::tempdir().expect("a temporary folder");
        let password = folder.path().join("password");
        std::fs::write(&password, CANARY).expect("it is writable");
        Self::over(
            registry,
            &format!("username = \"reader\"\npassword_file = {password:?}\n{settings}"),
            &[],
        )
    }

    /// A service in front of this registry; `settings` is added to the table of each of its names.
    pub fn over(registry: MisbehavingRegistry, settings: &str, options: &[&str]) -> Self {
        let mirror = format!("http://{}", registry.authority());
        let (service, folder) = service_with_mirror(&mirror, settings, options);
        Self { registry, service, _folder: folder }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.service.get(path).await
    }
}

/// The password of the tests: it must be seen nowhere but at a token service.
pub const CANARY: &str = "s3cret-canary";

/// A service for whose registry names requests are sent to this mirror.
pub fn service_with_mirror(mirror: &str, settings: &str, options: &[&str]) -> (Service, TempDir) {
    let tables = (0..MAX_CASES).map(|case| {
        format!(
            "[registries.\"c{case}.example\"]\nmirror = \"{mirror}\"\ntimeout = \"2s\"\n{settings}"
        )
    });
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = folder.path().join("wintag.toml");
    std::fs::write(&config, tables.collect::<String>()).expect("it is writable");
    let config = config.to_str().expect("the path is text");
    (Service::start(&[&["--config", config], options].concat()), folder)
}

/// The question for the tags of a case.
pub fn tags_of(case: usize) -> String {
    format!("/tags?image=c{case}.example/case/{case}")
}

/// The question whether the image of a case runs.
pub fn check_of(case: usize) -> String {
    format!("/check?image=c{case}.example/case/{case}:ltsc2022&host=20348")
}

/// The question for the right tag of a case.
pub fn resolve_of(case: usize) -> String {
    format!("/resolve?image=c{case}.example/case/{case}&host=20348")
}

/// The case that a request to the registry is about.
pub fn case_of(asked: &Asked) -> Option<usize> {
    asked.path().strip_prefix("/v2/case/")?.split('/').next()?.parse().ok()
}

/// A fault, and how a question is answered that has no older answer.
pub struct Fault {
    name: String,
    script: Script,
    status: u16,
    code: &'static str,
}

/// Whatever is asked gets this.
pub fn always(behaviour: impl Into<Behaviour>) -> Script {
    let behaviour = behaviour.into();
    Arc::new(move |_| behaviour.clone())
}

/// The registry is out of order.
pub fn outage(name: &str, script: Script) -> Fault {
    Fault { name: name.to_owned(), script, status: 503, code: "upstream-unavailable" }
}

/// The registry says something that cannot be used.
pub fn nonsense(name: &str, script: Script) -> Fault {
    Fault { name: name.to_owned(), script, status: 502, code: "upstream-invalid" }
}

/// The registry takes too long.
pub fn delay(name: &str, script: Script) -> Fault {
    Fault { name: name.to_owned(), script, status: 504, code: "upstream-timeout" }
}

/// The most requests for one thing in one failure: two retries after the first.
const MAX_ATTEMPTS: usize = 3;

/// For each fault: what was known before is answered, marked as stale; what was not is a problem of
/// the right kind that repeats nothing of what was received; and the registry is asked only a few
/// times, and not again soon after.
pub async fn check_faults(faults: Vec<Fault>) {
    let count = faults.len();
    assert!(2 * count <= MAX_CASES);
    let holdings = Holdings::usual();
    let bed = Bed::start_forgetful(move |asked| holdings.answer(asked)).await;
    let known: Vec<String> = (0..count).flat_map(|case| [tags_of(case), check_of(case)]).collect();
    let unknown: Vec<String> =
        (count..2 * count).flat_map(|case| [tags_of(case), check_of(case)]).collect();
    let before = all(&bed, &known).await;
    for answer in &before {
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    }
    let scripts: Vec<Script> = faults.iter().map(|fault| Arc::clone(&fault.script)).collect();
    let asked_before = bed.registry.requests().len();
    bed.registry.behave(move |asked| match case_of(asked) {
        Some(case) => scripts[case % count](asked),
        None => Behaviour::status(404),
    });

    let (after, cold) = tokio::join!(all(&bed, &known), all(&bed, &unknown));
    for (at, (answer, before)) in after.iter().zip(&before).enumerate() {
        let name = &faults[at / 2].name;
        assert_eq!(answer.status, StatusCode::OK, "{name}: {}", answer.text);
        let (answer, before) = (answer.json(), before.json());
        assert_eq!(answer["freshness"]["source"], "cache", "{name}");
        assert_eq!(answer["freshness"]["stale"], true, "{name}");
        for part in ["tags", "entries", "image"] {
            assert_eq!(answer[part], before[part], "{name}");
        }
    }
    for (at, answer) in cold.iter().enumerate() {
        check_problem(&faults[at / 2], answer);
    }

    let requests = bed.registry.requests().split_off(asked_before);
    for (target, attempts) in attempts(&requests) {
        assert!(attempts <= MAX_ATTEMPTS, "{attempts} attempts for {target}");
    }
    for case in 0..2 * count {
        let asked = requests.iter().any(|asked| case_of(asked) == Some(case));
        assert!(asked, "{}: the registry was not asked", faults[case % count].name);
    }
    // Who has another answer does not wait for the last attempt.
    let mut asked_then = 0;
    while bed.registry.requests().len() > asked_then {
        asked_then = bed.registry.requests().len();
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    for answer in all(&bed, &known).await {
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    }
    for (at, answer) in all(&bed, &unknown).await.iter().enumerate() {
        check_problem(&faults[at / 2], answer);
    }
    assert_eq!(bed.registry.requests().len(), asked_then, "a failure is not repeated at once");
}

/// How often each target was requested.
fn attempts(requests: &[Asked]) -> BTreeMap<&str, usize> {
    let mut attempts = BTreeMap::new();
    for asked in requests {
        *attempts.entry(asked.target.as_str()).or_default() += 1;
    }
    attempts
}

fn check_problem(fault: &Fault, answer: &Answer) {
    let name = &fault.name;
    assert_eq!(answer.status.as_u16(), fault.status, "{name}: {}", answer.text);
    assert_eq!(answer.header("content-type"), "application/problem+json", "{name}");
    assert_eq!(answer.json()["code"], fault.code, "{name}");
    assert!(!answer.text.contains("canary"), "{name}: {}", answer.text);
    let retry_after = answer.header("retry-after");
    let soon = retry_after.parse::<u64>().is_ok_and(|seconds| (1..=30).contains(&seconds));
    assert!(soon || fault.status == 502, "{name}: {retry_after:?}");
}

async fn all(bed: &Bed, paths: &[String]) -> Vec<Answer> {
    join_all(paths.iter().map(|path| bed.get(path))).await
}
