//! The entity tag of an answer.

use crate::images::Digest;

/// So much of an answer's digest is its tag: among a few thousand answers 64 bits do not collide.
const DIGITS: usize = 16;

/// The tag of an answer: of its body without the part that changes with time alone, so that it is
/// the same as long as the answer is, on every replica.
pub fn etag(body: &[u8]) -> String {
    let without_freshness =
        serde_json::from_slice::<serde_json::Value>(body).ok().and_then(|mut value| {
            value.as_object_mut()?.remove("freshness");
            serde_json::to_vec(&value).ok()
        });
    let digest = Digest::of(without_freshness.as_deref().unwrap_or(body));
    format!("W/\"{}\"", digest.hex().get(..DIGITS).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::etag;

    #[test]
    fn only_the_freshness_does_not_matter() {
        let of = |text: &str| etag(text.as_bytes());
        assert_eq!(
            of(r#"{"a":1,"freshness":{"as_of":"x"}}"#),
            of(r#"{"a":1,"freshness":{"as_of":"y"}}"#)
        );
        assert_ne!(of(r#"{"a":1}"#), of(r#"{"a":2}"#));
        assert_ne!(of("1709\n"), of("1803\n"));
    }
}
