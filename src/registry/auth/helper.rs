//! Credential helpers: programs that print the login for a server (docker-credential-helpers,
//! "Development"). The crate `docker_credential` waits for them without end.

use std::process::Stdio;
use std::time::{Duration, Instant};

use serde::Deserialize;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Command;

use super::credentials::Login;
use crate::registry::error::RegistryError;
use crate::registry::settings::{Credentials, Secret};

/// Time for a helper; then it is killed. Some unlock a key ring or query a cloud. Ours.
const HELPER_TIMEOUT: Duration = Duration::from_secs(5);

/// How long an answer is kept, also that there are no credentials: a helper is not run for each
/// name that a client asks for. Ours; as for a password that a registry accepted.
const ANSWER_TTL: Duration = Duration::from_secs(300);

/// How long it is kept that a helper failed, and a login that was refused. Ours.
const FAILURE_TTL: Duration = Duration::from_secs(30);

/// The longest output of a helper; a token has a few KiB. Ours.
const MAX_OUTPUT_BYTES: u64 = 64 << 10;

/// The name in an answer whose secret is an identity token.
const TOKEN_NAME: &str = "<token>";

/// What a helper prints when it has no credentials for a server.
const NOT_FOUND: &str = "credentials not found in native keychain";

/// The last answer of the helper of a registry.
#[derive(Default)]
pub struct KeptAnswer(Option<Answer>);

struct Answer {
    program: String,
    login: Result<Option<Login>, RegistryError>,
    asked_at: Instant,
    ttl: Duration,
}

impl KeptAnswer {
    /// The login for a server by this helper, a program on the path: the kept answer or a new one.
    /// A helper that fails is logged, and requests are then anonymous.
    ///
    /// # Errors
    /// When it does not answer in time, so that it is unknown whether there are credentials.
    pub async fn ask(
        &mut self,
        program: &str,
        server: &str,
    ) -> Result<Option<Login>, RegistryError> {
        let kept = self
            .0
            .as_ref()
            .filter(|answer| answer.program == program && answer.asked_at.elapsed() < answer.ttl);
        if let Some(answer) = kept {
            return answer.login.clone();
        }
        let asked_at = Instant::now();
        let (login, ttl) = match run(program, server, HELPER_TIMEOUT).await {
            Ok(login) => (Ok(login), ANSWER_TTL),
            Err(Failure::TimedOut) => {
                let detail = "the docker credential helper did not answer in time";
                (Err(RegistryError::unavailable(detail)), FAILURE_TTL)
            }
            Err(Failure::Unusable(reason)) => {
                tracing::warn!(
                    server,
                    reason,
                    "cannot use the docker credential helper; requests are anonymous"
                );
                (Ok(None), FAILURE_TTL)
            }
        };
        self.0 = Some(Answer { program: program.to_owned(), login: login.clone(), asked_at, ttl });
        login
    }

    /// The login was refused, so that a mended one is soon asked for.
    pub fn was_refused(&mut self) {
        if let Some(answer) = &mut self.0 {
            answer.ttl = FAILURE_TTL;
        }
    }
}

/// Why a helper gave no answer. In our own words, because its output may contain a secret.
#[derive(Debug, PartialEq)]
enum Failure {
    TimedOut,
    Unusable(&'static str),
}

impl From<std::io::Error> for Failure {
    fn from(_: std::io::Error) -> Self {
        Self::Unusable("it cannot be run")
    }
}

/// Runs a helper. The future kills it when it ends or is dropped.
async fn run(program: &str, server: &str, timeout: Duration) -> Result<Option<Login>, Failure> {
    let output = tokio::time::timeout(timeout, output(program, server));
    let (succeeded, output) = output.await.map_err(|_| Failure::TimedOut)??;
    if !succeeded {
        return match output.trim_ascii() {
            text if text == NOT_FOUND.as_bytes() => Ok(None),
            _ => Err(Failure::Unusable("it failed")),
        };
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Output {
        username: String,
        secret: String,
    }
    let Output { username, secret } = serde_json::from_slice(&output)
        .map_err(|_| Failure::Unusable("it printed an invalid answer"))?;
    let secret = Secret::new(secret);
    Ok(Some(match &*username {
        TOKEN_NAME => Login::IdentityToken(secret),
        _ => Login::Password(Credentials { username, password: secret }),
    }))
}

/// Whether a helper succeeded, and what it printed.
async fn output(program: &str, server: &str) -> Result<(bool, Vec<u8>), Failure> {
    let mut helper = Command::new(program)
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    if let Some(mut input) = helper.stdin.take() {
        // One that does not read it has its reasons.
        let _ = input.write_all(server.as_bytes()).await;
    }
    let mut output = Vec::new();
    if let Some(printed) = helper.stdout.take() {
        printed.take(MAX_OUTPUT_BYTES + 1).read_to_end(&mut output).await?;
    }
    if output.len() as u64 > MAX_OUTPUT_BYTES {
        return Err(Failure::Unusable("it printed too much"));
    }
    Ok((helper.wait().await?.success(), output))
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::*;

    /// A helper with this script, which may write to files beside it.
    fn helper(folder: &tempfile::TempDir, script: &str) -> String {
        let path = folder.path().join("helper");
        let text = format!("#!/bin/sh\ncd '{}'\n{script}\n", folder.path().display());
        // A process that another test starts meanwhile must not inherit a file that is open for
        // writing: it could not be run then.
        let written = std::process::Command::new("sh")
            .args(["-c", "printf %s \"$1\" > \"$2\" && chmod +x \"$2\"", "sh", &text])
            .arg(&path)
            .status();
        assert!(written.unwrap().success());
        path.to_str().unwrap().to_owned()
    }

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    fn shown(login: &Option<Login>) -> Option<(&str, &str)> {
        login.as_ref().map(|login| match login {
            Login::Password(found) => (&*found.username, found.password.expose()),
            Login::IdentityToken(token) => ("", token.expose()),
        })
    }

    #[tokio::test]
    async fn h12_what_a_helper_prints_is_read() {
        let check = async |script: &str, expected: Result<Option<(&str, &str)>, &'static str>| {
            let folder = folder();
            let program = helper(&folder, script);
            let found = run(&program, "a.example", Duration::from_secs(60)).await;
            let found = found.as_ref().map(shown).map_err(|failure| match failure {
                Failure::Unusable(reason) => *reason,
                Failure::TimedOut => "it timed out",
            });
            assert_eq!(found, expected, "{script}");
        };
        let answers = r#"read server; echo "{\"Username\":\"$1\",\"Secret\":\"$server\"}""#;
        check(&format!("{answers}; exit 0"), Ok(Some(("get", "a.example")))).await;
        check(r#"echo '{"Username":"<token>","Secret":"x"}'"#, Ok(Some(("", "x")))).await;
        check(&format!("echo {NOT_FOUND}; exit 1"), Ok(None)).await;
        check("echo secret; exit 1", Err("it failed")).await;
        check("echo secret", Err("it printed an invalid answer")).await;
        check("yes", Err("it printed too much")).await;
        let failure = run("/nowhere/helper", "a.example", HELPER_TIMEOUT).await.unwrap_err();
        assert_eq!(failure, Failure::Unusable("it cannot be run"));
    }

    #[tokio::test]
    async fn h12_a_helper_that_hangs_is_killed() {
        let folder = folder();
        let program = helper(&folder, "echo $$ > pid.new; mv pid.new pid; exec sleep 600");
        let pid = folder.path().join("pid");
        // As long as it takes until the helper runs, and then not for ever.
        let mut wait = Duration::from_millis(200);
        while !pid.exists() {
            let failure = run(&program, "a.example", wait).await.unwrap_err();
            assert_eq!(failure, Failure::TimedOut);
            wait *= 2;
        }
        let pid = std::fs::read_to_string(pid).unwrap();
        let process: PathBuf = Path::new("/proc").join(pid.trim());
        while process.exists() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    #[tokio::test]
    async fn h12_an_answer_is_kept_for_a_while() {
        let check = async |script: &str, is_failure: bool| {
            let folder = folder();
            let program = helper(&folder, &format!("echo >> runs; {script}"));
            let runs = || std::fs::read(folder.path().join("runs")).unwrap().len();
            let mut kept = KeptAnswer::default();
            for _ in 0..40 {
                kept.ask(&program, "a.example").await.unwrap();
            }
            assert_eq!(runs(), 1, "{script}");
            let answer = kept.0.as_ref().unwrap();
            assert_eq!(answer.ttl == FAILURE_TTL, is_failure, "{script}");
            kept.was_refused();
            let answer = kept.0.as_mut().unwrap();
            answer.asked_at = answer.asked_at.checked_sub(FAILURE_TTL).unwrap();
            kept.ask(&program, "a.example").await.unwrap();
            assert_eq!(runs(), 2, "{script}");
        };
        check(r#"echo '{"Username":"a","Secret":"b"}'"#, false).await;
        check(&format!("echo {NOT_FOUND}; exit 1"), false).await;
        check("exit 1", true).await;
    }
}
