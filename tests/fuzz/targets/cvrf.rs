//! The monthly documents of MSRC.
#![no_main]

use wintag::fuzzing;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(read) = fuzzing::cvrf_document(bytes) {
        assert!(read.claims.iter().all(|claim| claim.version.revision.is_some()));
    }
});
