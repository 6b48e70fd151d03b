//! The labels of metrics that are words of ours: closed sets, each value with its number and its
//! word.

use crate::words::words;

words! {
    /// The method of a request: those that some path takes. Any other is one value, so that nobody can make labels
    /// up (OpenTelemetry semantic conventions, HTTP).
    pub enum Method {
        /// GET.
        Get = "GET",
        /// HEAD.
        Head = "HEAD",
        /// POST.
        Post = "POST",
        /// OPTIONS.
        Options = "OPTIONS",
        /// Any other.
        Other = "_OTHER",
    }

    /// The version of HTTP of a request: those that are served.
    pub enum HttpVersion {
        /// HTTP/1.1.
        Http11 = "1.1",
        /// HTTP/1.0.
        Http10 = "1.0",
    }

    /// How a question for a tag ended.
    pub enum ResolutionOutcome {
        /// With a tag.
        Ok = "ok",
        /// There are tags, and none runs as asked.
        NoCompatibleTag = "no_compatible_tag",
        /// There are tags, and none names the KB.
        KbNotFound = "kb_not_found",
        /// Neither a registry nor the catalogue has the image.
        UnknownImage = "unknown_image",
        /// The registry is not one of those configured.
        NotAllowed = "not_allowed",
        /// Nothing is known, and the registry cannot be asked or gave nothing that can be used.
        Unavailable = "unavailable",
    }

    /// Where the facts of an answer came from.
    pub enum AnswerSource {
        /// A registry was asked for this answer.
        Registry = "registry",
        /// A registry was asked before; the facts were in memory, and fresh.
        Cache = "cache",
        /// As the last, and they should have been renewed and could not be.
        StaleCache = "stale_cache",
        /// A registry was asked by an earlier process; the facts are still fresh.
        Snapshot = "snapshot",
        /// As the last, and they should have been renewed and could not be.
        StaleSnapshot = "stale_snapshot",
        /// The catalogue inside the program.
        Embedded = "embedded",
        /// There were no facts.
        Nothing = "none",
    }

    /// What a registry was asked for.
    pub enum Operation {
        /// The tags of a repository.
        Tags = "tags",
        /// What a tag or digest stands for.
        Manifest = "manifest",
    }

    /// How asking a registry ended.
    pub enum UpstreamOutcome {
        /// With an answer.
        Ok = "ok",
        /// There is no such thing.
        NotFound = "not_found",
        /// The registry, or a rule of ours, does not allow it.
        Refused = "refused",
        /// The registry wants fewer requests.
        RateLimited = "rate_limited",
        /// The registry cannot be reached, or is out of order.
        Unavailable = "unavailable",
        /// It took too long.
        Timeout = "timeout",
        /// The answer cannot be used.
        Invalid = "invalid",
    }

    /// Which kind of thing was looked for in memory.
    pub enum CacheLayer {
        /// Answers as they were given a moment ago; only finding one is counted.
        Answers = "answers",
        /// Tag lists.
        Tags = "tags",
        /// Manifests.
        Manifests = "manifests",
    }

    /// What was found in memory.
    pub enum CacheResult {
        /// A fact that is still fresh.
        Fresh = "fresh",
        /// Nothing fresh; a registry gave the fact.
        New = "new",
        /// A fact that is no longer fresh and could not be renewed.
        Stale = "stale",
        /// Nothing, and no registry gave it.
        Nothing = "nothing",
        /// Nothing, and no registry was asked because too much waits for them.
        Crowded = "crowded",
    }
}

impl Method {
    /// The method of this name; names are case-sensitive (RFC 9110).
    pub fn of(name: &str) -> Self {
        Self::ALL.into_iter().find(|method| method.as_str() == name).unwrap_or(Self::Other)
    }
}

impl ResolutionOutcome {
    /// Whether the question ended so because of facts, which then have a source.
    pub const fn has_facts(self) -> bool {
        matches!(self, Self::Ok | Self::NoCompatibleTag | Self::KbNotFound)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_other_method_is_one_value() {
        assert_eq!(Method::of("HEAD"), Method::Head);
        for other in ["DELETE", "get", "_OTHER", "MADE-UP", ""] {
            assert_eq!(Method::of(other), Method::Other, "{other}");
        }
    }
}
