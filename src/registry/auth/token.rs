//! Tokens of a token service: the parser of its response, and the store of valid tokens.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use serde::Deserialize;

use crate::registry::egress::Authorization;
use crate::registry::error::RegistryError;
use crate::registry::settings::Secret;

/// A token that a token service issued.
pub struct Token {
    /// Printable ASCII, so that it can be sent in a header.
    pub secret: Secret,
    /// How long it is valid after its receipt.
    pub ttl: Duration,
}

/// The TTL of a token that gives none (distribution, `docs/spec/auth/token.md`).
const DEFAULT_TOKEN_TTL: Duration = Duration::from_secs(60);

/// The shortest TTL: the token is at least used for the exchange that needed it. Ours.
const MIN_TOKEN_TTL: Duration = Duration::from_secs(1);

/// The longest TTL, so that revoked access ends within the hour. Ours.
const MAX_TOKEN_TTL: Duration = Duration::from_secs(3600);

/// The longest token: servers accept headers of 8 or 16 KiB. Ours.
const MAX_TOKEN_BYTES: usize = 16 << 10;

/// Tokens in the store of one registry: one for each repository in use. Ours.
const MAX_TOKENS: usize = 256;

/// Parses the response of a token service.
///
/// # Errors
/// When it is not JSON in the format, or without a token that can be sent.
pub fn parse(body: &[u8]) -> Result<Token, RegistryError> {
    #[derive(Deserialize)]
    struct TokenResponse {
        token: Option<String>,
        access_token: Option<String>,
        expires_in: Option<serde_json::Number>,
    }

    let invalid = || RegistryError::invalid("the token service issued no usable token");
    let response: TokenResponse = serde_json::from_slice(body).map_err(|_| invalid())?;
    let text = response
        .token
        .filter(|token| !token.is_empty())
        .or(response.access_token)
        .ok_or_else(invalid)?;
    let sendable = !text.is_empty()
        && text.len() <= MAX_TOKEN_BYTES
        && text.bytes().all(|byte| byte.is_ascii_graphic());
    if !sendable {
        return Err(invalid());
    }
    // `issued_at` is ignored: our clock and theirs may differ.
    let ttl = match response.expires_in.and_then(|seconds| seconds.as_f64()) {
        Some(seconds) => Duration::from_secs_f64(
            seconds.clamp(MIN_TOKEN_TTL.as_secs_f64(), MAX_TOKEN_TTL.as_secs_f64()),
        ),
        None => DEFAULT_TOKEN_TTL,
    };
    Ok(Token { secret: Secret::new(text), ttl })
}

/// Authorizations that one registry accepts, by scope.
#[derive(Default)]
pub struct TokenStore {
    tokens: HashMap<String, StoredToken>,
}

struct StoredToken {
    authorization: Authorization,
    /// At 80 % of its TTL: a request that starts before this also ends within the TTL.
    use_until: Instant,
}

impl TokenStore {
    /// The authorization for this scope that is valid now.
    pub fn find(&self, scope: &str, now: Instant) -> Option<Authorization> {
        self.tokens
            .get(scope)
            .filter(|token| now < token.use_until)
            .map(|token| token.authorization.clone())
    }

    /// Stores an authorization that is valid for `ttl` from `now`. When the store is full, the one
    /// that expires first is evicted.
    pub fn keep(
        &mut self,
        scope: String,
        authorization: Authorization,
        ttl: Duration,
        now: Instant,
    ) {
        if self.tokens.len() >= MAX_TOKENS && !self.tokens.contains_key(&scope) {
            self.tokens.retain(|_, token| now < token.use_until);
            if self.tokens.len() >= MAX_TOKENS {
                let first = self
                    .tokens
                    .iter()
                    .min_by_key(|(_, token)| token.use_until)
                    .map(|(scope, _)| scope.clone());
                first.and_then(|scope| self.tokens.remove(&scope));
            }
        }
        self.tokens.insert(scope, StoredToken { authorization, use_until: now + ttl * 4 / 5 });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(body: &str, expected: Option<(&str, f64)>) {
        let found = parse(body.as_bytes()).ok();
        let found = found.as_ref().map(|token| (token.secret.expose(), token.ttl.as_secs_f64()));
        assert_eq!(found, expected, "{body}");
    }

    #[test]
    fn f13_ttls_are_read_and_clamped() {
        check(r#"{"token":"t"}"#, Some(("t", 60.0)));
        check(r#"{"access_token":"a","expires_in":300}"#, Some(("a", 300.0)));
        check(r#"{"token":"t","access_token":"a","expires_in":null}"#, Some(("t", 60.0)));
        check(
            r#"{"token":"","access_token":"a","issued_at":"2014-01-01T00:00:00Z"}"#,
            Some(("a", 60.0)),
        );
        check(r#"{"token":"t","expires_in":0}"#, Some(("t", 1.0)));
        check(r#"{"token":"t","expires_in":-5}"#, Some(("t", 1.0)));
        check(r#"{"token":"t","expires_in":9223372036854775808}"#, Some(("t", 3600.0)));
        check(r#"{"token":"t","expires_in":1e300}"#, Some(("t", 3600.0)));
    }

    #[test]
    fn what_is_not_a_token_is_refused() {
        for body in [
            "",
            "{}",
            "[]",
            "null",
            r#"{"token":null}"#,
            r#"{"token":""}"#,
            r#"{"token":1}"#,
            r#"{"token":"a\r\nX-Evil: 1"}"#,
            r#"{"token":"a b"}"#,
            r#"{"token":"t","expires_in":"soon"}"#,
            r#"{"token":"a","token":"b"}"#,
        ] {
            check(body, None);
        }
        check(&format!(r#"{{"token":"{}"}}"#, "x".repeat(20_000)), None);
        check(&"[".repeat(100_000), None);
    }

    fn bearer(text: &str) -> Authorization {
        Authorization::Bearer { token: Secret::new(text), with_credentials: false }
    }

    #[test]
    fn f13_tokens_are_used_for_four_fifths_of_their_ttl() {
        let start = Instant::now();
        let mut store = TokenStore::default();
        store.keep("a".to_owned(), bearer("1"), Duration::from_secs(100), start);
        assert!(store.find("a", start + Duration::from_secs(79)) == Some(bearer("1")));
        assert!(store.find("a", start + Duration::from_secs(80)).is_none());
        assert!(store.find("b", start).is_none());
    }

    #[test]
    fn the_store_is_bounded() {
        let start = Instant::now();
        let mut store = TokenStore::default();
        for number in 0..MAX_TOKENS as u64 + 10 {
            store.keep(number.to_string(), bearer("1"), Duration::from_secs(100 + number), start);
        }
        assert_eq!(store.tokens.len(), MAX_TOKENS);
        assert!(store.find("9", start).is_none());
        assert!(store.find("10", start).is_some());
    }
}
