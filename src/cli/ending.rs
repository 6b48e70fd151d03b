//! How a command ends: its result on stdout or its message on stderr, and its exit status.

use std::io::{self, Write as _};
use std::process::ExitCode;

use crate::api::problem::{Problem, ProblemKind};

/// How a command ended. The numbers are the exit statuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    Answered = 0,
    /// The image does not run, or nothing was recognised.
    No = 1,
    BadArguments = 2,
    NoTag = 3,
    Upstream = 4,
    Failed = 5,
}

impl From<Ending> for ExitCode {
    fn from(ending: Ending) -> Self {
        Self::from(ending as u8)
    }
}

/// Writes a message to stderr. If that is closed or full, the exit status still says how the
/// command ended.
pub(super) fn say(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Prints an error with its causes.
pub(super) fn fail(ending: Ending, error: &dyn std::error::Error) -> Ending {
    say(&message_of(error));
    ending
}

/// The message of an error with its causes.
pub(super) fn message_of(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        // Some errors print their cause themselves.
        if !text.contains(&inner.to_string()) {
            text = format!("{text}: {inner}");
        }
        cause = inner.source();
    }
    format!("wintag: {text}")
}

pub(super) fn print(text: &str) -> Ending {
    let mut output = io::stdout().lock();
    match writeln!(output, "{text}").and_then(|()| output.flush()) {
        Ok(()) => Ending::Answered,
        // The reader has seen enough, as `head` has: nothing is wrong.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ending::Answered,
        Err(error) => fail(Ending::Failed, &error),
    }
}

pub(super) fn print_json<T: serde::Serialize>(value: &T) -> Ending {
    match serde_json::to_string_pretty(value) {
        Ok(text) => print(&text),
        Err(error) => fail(Ending::Failed, &error),
    }
}

/// Prints a problem for people.
pub(super) fn explain(problem: &Problem) -> Ending {
    say(&format!("wintag: {}: {}", problem.title, problem.detail));
    // Allowed words that the message lists already are not listed again.
    for error in problem
        .errors
        .iter()
        .filter(|error| !error.allowed.iter().all(|word| error.message.contains(word)))
    {
        say(&format!(
            "  {}: {}",
            error.parameter.as_deref().unwrap_or("request"),
            error.allowed.join(", ")
        ));
    }
    for other in &problem.alternatives {
        say(&format!("  {} ({}): {}", other.tag, other.os_version, other.reasons.join(", ")));
    }
    if !problem.available_kbs.is_empty() {
        say(&format!("  {}", problem.available_kbs.join(", ")));
    }
    match problem.kind() {
        ProblemKind::InvalidParameter
        | ProblemKind::VersionNeeded
        | ProblemKind::UnknownImage
        | ProblemKind::UnknownHost => Ending::BadArguments,
        ProblemKind::NoCompatibleTag | ProblemKind::KbNotFound => Ending::NoTag,
        ProblemKind::RegistryNotAllowed
        | ProblemKind::UpstreamInvalid
        | ProblemKind::UpstreamUnavailable
        | ProblemKind::TemporaryReducedCapacity
        | ProblemKind::UpstreamTimeout => Ending::Upstream,
        // Problems of HTTP alone, which cannot happen here.
        ProblemKind::MalformedRequest
        | ProblemKind::HostNotAllowed
        | ProblemKind::NotFound
        | ProblemKind::MethodNotAllowed
        | ProblemKind::NotAcceptable
        | ProblemKind::RequestTimeout
        | ProblemKind::PayloadTooLarge
        | ProblemKind::UnsupportedMediaType
        | ProblemKind::UriTooLong
        | ProblemKind::HeadersTooLarge
        | ProblemKind::QuotaExceeded
        | ProblemKind::Draining
        | ProblemKind::Internal => Ending::Failed,
    }
}
