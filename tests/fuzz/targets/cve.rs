//! CVE records, and the names of records, which become parts of URLs.
#![no_main]

use wintag::fuzzing;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = fuzzing::cve_record(bytes);
    let path = std::str::from_utf8(bytes).ok().and_then(fuzzing::cve_path);
    assert!(path.is_none_or(|path| path.is_ascii() && !path.contains("..")));
});
