//! Tokens of a token service: reading the answer, and keeping them while they are good.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::error::RegistryError;
use super::settings::{Credentials, Secret};

/// How a request proves who asks.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Authorization {
    /// A token of a token service.
    Bearer(Secret),
    /// User and password.
    Basic(Credentials),
}

/// What a token service gave.
pub(super) struct Token {
    /// The token: printable ASCII, so it can stand in a header.
    pub secret: Secret,
    /// How long it is good, from its receipt.
    pub life: Duration,
}

/// Life of a token that does not say (distribution, `docs/spec/auth/token.md`).
const DEFAULT_LIFE: Duration = Duration::from_secs(60);

/// A token is used at least for this time: for the exchange that asked for it. Ours.
const SHORTEST_LIFE: Duration = Duration::from_secs(1);

/// A token is not kept longer, so that a right that was taken away ends within the hour. Ours.
const LONGEST_LIFE: Duration = Duration::from_secs(3600);

/// A longer token is refused: servers take headers of 8 or 16 KiB. Ours.
const MAX_TOKEN_BYTES: usize = 16 << 10;

/// At most so many tokens are kept for one registry: one for each repository in use. Ours.
const MAX_TOKENS: usize = 256;

/// Reads the answer of a token service.
///
/// # Errors
/// When it is not JSON in the format, or without a token that can be sent.
pub(super) fn parse(body: &[u8]) -> Result<Token, RegistryError> {
    #[derive(Deserialize)]
    struct Answer {
        token: Option<String>,
        access_token: Option<String>,
        expires_in: Option<serde_json::Number>,
    }

    let invalid = || RegistryError::invalid("the token service gave no usable token");
    let answer: Answer = serde_json::from_slice(body).map_err(|_| invalid())?;
    let text = answer
        .token
        .filter(|token| !token.is_empty())
        .or(answer.access_token)
        .ok_or_else(invalid)?;
    let sendable = !text.is_empty()
        && text.len() <= MAX_TOKEN_BYTES
        && text.bytes().all(|byte| byte.is_ascii_graphic());
    if !sendable {
        return Err(invalid());
    }
    // The time of issue is left aside: our clock and theirs need not agree.
    let life = match answer.expires_in.and_then(|seconds| seconds.as_f64()) {
        Some(seconds) => Duration::from_secs_f64(
            seconds.clamp(SHORTEST_LIFE.as_secs_f64(), LONGEST_LIFE.as_secs_f64()),
        ),
        None => DEFAULT_LIFE,
    };
    Ok(Token { secret: Secret::new(text), life })
}

/// What was found to be accepted by one registry, by the scope it is good for.
#[derive(Default)]
pub(super) struct TokenStore {
    kept: HashMap<String, Kept>,
}

struct Kept {
    authorization: Authorization,
    /// 80 % of its life: a request that starts before this also ends within its life.
    use_until: Instant,
}

impl TokenStore {
    /// What is good for this scope at this time.
    pub(super) fn find(&self, scope: &str, now: Instant) -> Option<Authorization> {
        self.kept
            .get(scope)
            .filter(|kept| now < kept.use_until)
            .map(|kept| kept.authorization.clone())
    }

    /// Keeps an authorization that is good for `life` from `now`. When there are too many, the one
    /// that ends first makes room.
    pub(super) fn keep(
        &mut self,
        scope: String,
        authorization: Authorization,
        life: Duration,
        now: Instant,
    ) {
        if self.kept.len() >= MAX_TOKENS && !self.kept.contains_key(&scope) {
            self.kept.retain(|_, kept| now < kept.use_until);
            if self.kept.len() >= MAX_TOKENS {
                let first = self
                    .kept
                    .iter()
                    .min_by_key(|(_, kept)| kept.use_until)
                    .map(|(scope, _)| scope.clone());
                first.and_then(|scope| self.kept.remove(&scope));
            }
        }
        self.kept.insert(scope, Kept { authorization, use_until: now + life * 4 / 5 });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(body: &str, expected: Option<(&str, f64)>) {
        let found = parse(body.as_bytes()).ok();
        let found = found.as_ref().map(|token| (token.secret.expose(), token.life.as_secs_f64()));
        assert_eq!(found, expected, "{body}");
    }

    #[test]
    fn f13_lives_are_read_and_clamped() {
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
        Authorization::Bearer(Secret::new(text))
    }

    #[test]
    fn f13_tokens_are_used_for_four_fifths_of_their_life() {
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
        assert_eq!(store.kept.len(), MAX_TOKENS);
        assert!(store.find("9", start).is_none());
        assert!(store.find("10", start).is_some());
    }
}
