//! The parsers of headers and of tokens under random and mutated input.

use proptest::prelude::*;
use proptest::sample::select;

use crate::registry::fuzzing;

/// Headers that are right for one parser or another.
const RIGHT: [&str; 9] = [
    r#"</v2/x/y/tags/list?last=a&n=100>; rel="next""#,
    r#"<https://a.example/v2/x/y/tags/list?last=b>; rel=next, <x>; rel="prev""#,
    r#"Bearer realm="https://auth.example/token",service="a.example",scope="repository:x/y:pull""#,
    r#"Basic realm="Registry Realm", charset="UTF-8", Bearer realm=r"#,
    "Wed, 01 May 2024 00:01:30 GMT",
    "120",
    "1714521610",
    "https://a.example/v2/x/y/blobs/sha256:0",
    "//b.example:1/x",
];

/// The bytes that mean something in one of these headers are more likely than others.
fn hostile() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![select(b"<>;,=\"\\/:@?#%&. \t0159aA".to_vec()), any::<u8>()];
    let cuts = (any::<prop::sample::Index>(), any::<prop::sample::Index>());
    let mutated = (select(RIGHT.to_vec()), cuts, prop::collection::vec(byte.clone(), 0..6))
        .prop_map(|(text, (from, to), bytes)| {
            let mut text = text.as_bytes().to_vec();
            let (from, to) = (from.index(text.len()), to.index(text.len()));
            text.splice(from.min(to)..from.max(to), bytes);
            text
        });
    prop_oneof![mutated, prop::collection::vec(byte, 0..200)]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 2000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn x07_no_link_leads_elsewhere(values in prop::collection::vec(hostile(), 1..3)) {
        fuzzing::link(&values.join(&b'\n'));
    }

    #[test]
    fn x04_no_challenge_pins_another_server(values in prop::collection::vec(hostile(), 1..3)) {
        fuzzing::challenge(&values.join(&b'\n'));
    }

    #[test]
    fn f05_no_retry_after_is_out_of_bounds(value in hostile()) {
        fuzzing::retry_after(&value);
    }

    #[test]
    fn x02_no_redirect_steps_down(value in hostile()) {
        fuzzing::redirect(&value);
    }

    #[test]
    fn f13_no_token_breaks_a_header(
        text in ".{0,40}",
        expires_in in prop_oneof![
            any::<i64>().prop_map(|n| n.to_string()),
            "[-+0-9.eE]{0,30}",
            ".{0,20}",
        ],
        cut in any::<prop::sample::Index>(),
    ) {
        let text = serde_json::to_string(&text).unwrap();
        let body = format!(r#"{{"token":{text},"expires_in":{expires_in}}}"#);
        let whole = body.as_bytes();
        for body in [whole, &whole[..cut.index(whole.len())], expires_in.as_bytes()] {
            fuzzing::token(body);
        }
    }
}
