//! The isolation modes that a text states, and the one of the container that failed.

use std::sync::LazyLock;

use regex::Regex;

use super::pasted::MAX_MENTIONS;
use crate::windows::Isolation;

/// An isolation mode in the text.
pub(super) struct IsolationMention {
    at: usize,
    isolation: Isolation,
    origin: Origin,
}

/// Where an isolation mode comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// A command, a file, or the inspection of a container.
    Caller,
    /// The details that the engine prints after an error.
    Engine,
    /// The default of the host.
    HostDefault,
}

/// Every isolation mode in the tight text.
pub(super) fn isolations(tight: &str) -> Vec<IsolationMention> {
    let mention = |found: regex::Match<'_>| {
        let text = found.as_str();
        let origin = if text.starts_with("default") {
            Origin::HostDefault
        } else if text.starts_with("hvpartition") {
            Origin::Engine
        } else {
            Origin::Caller
        };
        let is_process = text.contains("process") || text.ends_with("false");
        let isolation = if is_process { Isolation::Process } else { Isolation::HyperV };
        IsolationMention { at: found.start(), isolation, origin }
    };
    let is_stated = |found: &regex::Match<'_>| {
        let start = tight.floor_char_boundary(found.start().saturating_sub(MAX_ADVICE_BYTES));
        let before = tight.get(start..found.start()).unwrap_or_default();
        !ADVICE.iter().any(|word| before.contains(word))
            && !DENIED.iter().any(|word| before.ends_with(word))
    };
    ISOLATION.find_iter(tight).filter(is_stated).take(MAX_MENTIONS).map(mention).collect()
}

/// The isolation mode of the container that failed at this position of the tight text: the one in
/// the details after the error, else the one that the caller chose before or after it, else the
/// default of the host.
pub(super) fn isolation_at(mentions: &[IsolationMention], error: usize) -> Option<Isolation> {
    let from = |origin: Origin| mentions.iter().filter(move |mention| mention.origin == origin);
    let details =
        from(Origin::Engine).find(|it| (error..error + MAX_DETAILS_BYTES).contains(&it.at));
    let chosen = || {
        let before = from(Origin::Caller).take_while(|it| it.at < error).last();
        before.or_else(|| from(Origin::Caller).next())
    };
    details
        .or_else(chosen)
        .or_else(|| from(Origin::HostDefault).next())
        .map(|mention| mention.isolation)
}

/// How far after an error the engine's details of the container reach; they name every layer.
const MAX_DETAILS_BYTES: usize = 8192;

/// The default of a host, a choice of the caller, the details of an engine, and the runtime class
/// of a pod.
static ISOLATION: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = concat!(
        r"(?:default)?isolation(?:mode)?[=:]?(?:process|hyper-?v)|hvpartition:(?:true|false)",
        r"|runhcs-wcow-(?:process|hypervisor)|(?:process|hyper-?v)isolation",
    );
    Regex::new(pattern).expect("a test compiles the pattern")
});

/// How far before an isolation mode the words of advice count: about half a sentence.
const MAX_ADVICE_BYTES: usize = 40;
/// Words of advice in the tight text: the mode after them was not used.
const ADVICE: [&str; 9] = [
    "couldtry",
    "shouldtry",
    "trytospecify",
    "trywith",
    "tryusing",
    "tryadding",
    "youcanuse",
    "shoulduse",
    "pleaseuse",
];
/// What stands right before a mode that was not used.
const DENIED: [&str; 13] = [
    "not", "no", "without", "support", "supports", "only", "requires", "needs", "for", "either",
    "or", "use", "try",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn isolation_is_what_was_used_and_not_what_is_advised() {
        let used = |text: &str| isolation_at(&isolations(text), text.len()).map(Isolation::as_str);
        for (text, expected) in [
            ("usingprocessisolation", Some("process")),
            ("-hypervisolation(neededbycontainers)", Some("hyperv")),
            ("isolation:hyperv", Some("hyperv")),
            ("youcouldtrytospecify-isolationhyperv", None),
            ("youcouldtrytospecify-isolationhypervusingprocessisolation", None),
            ("kubernetesdoesnotsupporthyper-visolation", None),
            ("dockerrun--isolation=hypervx", Some("hyperv")),
        ] {
            assert_eq!(used(text), expected, "{text}");
        }
    }
}
