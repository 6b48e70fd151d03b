//! The words of metric labels.

use crate::words::words;

words! {
    /// The method of a request. Methods that no path supports share one value, so that clients
    /// cannot invent labels (OpenTelemetry semantic conventions, HTTP).
    pub enum Method {
        Get = "GET",
        Head = "HEAD",
        Post = "POST",
        Options = "OPTIONS",
        /// Any other.
        Other = "_OTHER",
    }

    /// The supported versions of HTTP.
    pub enum HttpVersion {
        Http11 = "1.1",
        Http10 = "1.0",
    }

    /// The outcome of a resolution.
    pub enum ResolutionOutcome {
        /// A tag was found.
        Ok = "ok",
        /// There are tags, but no compatible one.
        NoCompatibleTag = "no_compatible_tag",
        /// There are tags, but none names the KB.
        KbNotFound = "kb_not_found",
        /// Neither a registry nor the catalogue has the image.
        UnknownImage = "unknown_image",
        /// The registry is not configured.
        NotAllowed = "not_allowed",
        /// There are no facts, and the registry is unreachable or its answer invalid.
        Unavailable = "unavailable",
    }

    /// The source of the facts of an answer.
    pub enum AnswerSource {
        /// A registry, queried for this answer.
        Registry = "registry",
        /// The cache, with fresh facts from a registry.
        Cache = "cache",
        /// The cache, with facts that could not be renewed.
        StaleCache = "stale_cache",
        /// The snapshot of an earlier process, with fresh facts.
        Snapshot = "snapshot",
        /// The snapshot, with facts that could not be renewed.
        StaleSnapshot = "stale_snapshot",
        /// The embedded catalogue.
        Embedded = "embedded",
        /// Observations of a former day.
        History = "history",
        /// No facts.
        Nothing = "none",
    }

    /// The kind of a fetch from a registry.
    pub enum Operation {
        /// A tag list.
        Tags = "tags",
        /// The manifest of a tag or digest.
        Manifest = "manifest",
    }

    /// The outcome of a fetch from a registry.
    pub enum UpstreamOutcome {
        /// Data.
        Ok = "ok",
        /// The repository or manifest does not exist.
        NotFound = "not_found",
        /// The registry, or a rule of wintag, does not allow it.
        Refused = "refused",
        /// The registry limits the rate of requests.
        RateLimited = "rate_limited",
        /// The registry is unreachable or failing.
        Unavailable = "unavailable",
        /// The registry did not answer in time.
        Timeout = "timeout",
        /// The answer is invalid.
        Invalid = "invalid",
    }

    /// A layer of the cache.
    pub enum CacheLayer {
        /// Whole responses of the last second; only hits are counted.
        Answers = "answers",
        /// Tag lists.
        Tags = "tags",
        /// Manifests.
        Manifests = "manifests",
    }

    /// The result of a cache lookup.
    pub enum CacheResult {
        /// A fresh entry.
        Fresh = "fresh",
        /// No fresh entry; a registry gave one.
        New = "new",
        /// A stale entry that could not be renewed.
        Stale = "stale",
        /// No entry, and no registry gave one.
        Nothing = "nothing",
        /// No entry, and too many fetches were in progress to start another.
        Crowded = "crowded",
    }
}

impl Method {
    /// The method of this name; names are case-sensitive (RFC 9110).
    pub fn of(name: &str) -> Self {
        name.parse().unwrap_or(Self::Other)
    }
}

impl ResolutionOutcome {
    /// Whether this outcome follows from facts, which then have a source.
    pub const fn has_facts(self) -> bool {
        matches!(self, Self::Ok | Self::NoCompatibleTag | Self::KbNotFound)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_methods_share_one_value() {
        assert_eq!(Method::of("HEAD"), Method::Head);
        for other in ["DELETE", "get", "_OTHER", "MADE-UP", ""] {
            assert_eq!(Method::of(other), Method::Other, "{other}");
        }
    }
}
