//! The `Retry-After` header, in the three forms seen in the wild.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use reqwest::header::{HeaderMap, RETRY_AFTER};

/// The shortest wait. Ours.
const MIN_WAIT: Duration = Duration::from_secs(1);

/// The longest wait: a registry must not be able to switch itself off. Ours.
const MAX_WAIT: Duration = Duration::from_secs(15 * 60);

/// The longest header; the longest form of an HTTP date has 33 bytes. Ours.
const MAX_HEADER_BYTES: usize = 64;

/// From this number on (9 September 2001) the value is a Unix time, as Docker Hub's API writes it.
const MIN_UNIX_TIME_SECONDS: u64 = 1_000_000_000;

/// The pause that the server asks for, between [`MIN_WAIT`] and [`MAX_WAIT`]; `None` where it is in
/// no known form: seconds, an HTTP date, or a Unix time.
pub fn parse(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?;
    if value.len() > MAX_HEADER_BYTES {
        return None;
    }
    let text = value.to_str().ok()?.trim();
    let wait = if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        match text.parse::<u64>() {
            Ok(seconds) if seconds < MIN_UNIX_TIME_SECONDS => Duration::from_secs(seconds),
            Ok(point) => {
                let since_epoch = now.duration_since(UNIX_EPOCH).unwrap_or_default();
                Duration::from_secs(point).saturating_sub(since_epoch)
            }
            Err(_) => MAX_WAIT,
        }
    } else {
        httpdate::parse_http_date(text).ok()?.duration_since(now).unwrap_or_default()
    };
    Some(wait.clamp(MIN_WAIT, MAX_WAIT))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(value: &str, seconds: Option<u64>) {
        // 2024-05-01 00:00:00 UTC.
        let now = UNIX_EPOCH + Duration::from_secs(1_714_521_600);
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, value.parse().unwrap());
        assert_eq!(parse(&headers, now), seconds.map(Duration::from_secs), "{value:?}");
    }

    #[test]
    fn f05_the_three_forms_are_read_and_clamped() {
        check("7", Some(7));
        check(" 60 ", Some(60));
        check("0", Some(1));
        check("99999999", Some(900));
        check("99999999999999999999999999", Some(900));
        check("Wed, 01 May 2024 00:01:30 GMT", Some(90));
        check("Wed, 01 May 2019 00:00:00 GMT", Some(1));
        check("Sun, 01 May 2044 00:00:00 GMT", Some(900));
        check("1714521610", Some(10));
        check("1000000001", Some(1));
    }

    #[test]
    fn f05_garbage_says_nothing() {
        for value in
            ["", "-1", "1.5", "soon", "7s", "0x10", "(((((((", "Wed, 99 Foo 2024 00:00:00 GMT"]
        {
            check(value, None);
        }
        check(&"9".repeat(65), None);
        check(&"(".repeat(64 << 10), None);
        assert_eq!(parse(&HeaderMap::new(), UNIX_EPOCH), None);
    }
}
