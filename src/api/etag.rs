//! The entity tag of an answer.

use twox_hash::XxHash3_64;

/// The tag of an answer: of its body without the part that changes with time alone, so that it is
/// the same as long as the answer is, on every replica.
///
/// 64 bits do not collide among the few answers that one URL has over time. The hash is not
/// cryptographic: a tag protects nothing, and SHA-256 was 40 % of the instructions of a new
/// question on a processor without instructions for it.
pub fn etag(body: &[u8]) -> String {
    format!("W/\"{:016x}\"", XxHash3_64::oneshot(without_freshness(body)))
}

/// Longer than any freshness: it has a few dates and names.
const MAX_FRESHNESS_BYTES: usize = 1024;

/// The body up to its freshness, which is the last field of every answer that has one. The text is
/// searched, because parsing it costs more than making the answer: in a string of the answer, the
/// quotes of such a field would be escaped.
fn without_freshness(body: &[u8]) -> &[u8] {
    const FIELD: &[u8] = b"\"freshness\":{";
    let last = body.len().saturating_sub(MAX_FRESHNESS_BYTES);
    let end = body.get(last..).and_then(|end| {
        let at = end.windows(FIELD.len()).rposition(|part| part == FIELD)?;
        let rest = end.get(at + FIELD.len()..)?.trim_ascii_end().strip_suffix(b"}}")?;
        (!rest.iter().any(|byte| matches!(byte, b'{' | b'}'))).then_some(last + at)
    });
    end.and_then(|end| body.get(..end)).unwrap_or(body)
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
        // Of the items of a list, it is a part of the answer.
        assert_ne!(
            of(r#"{"a":[{"freshness":{"as_of":"x"}}]}"#),
            of(r#"{"a":[{"freshness":{"as_of":"y"}}]}"#)
        );
        assert_ne!(of(r#"{"a":"\"freshness\":{x}}"}"#), of(r#"{"a":"\"freshness\":{y}}"}"#));
    }
}
