//! The list of MSRC's documents, whose names become parts of URLs.
#![no_main]

use wintag::fuzzing;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    for month in fuzzing::updates_list(bytes).unwrap_or_default() {
        assert!(month.id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'));
    }
});
