//! Microsoft's pages of release information.
#![no_main]

use wintag::fuzzing;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    for kind in wintag::windows::HostKind::ALL {
        if let Ok(read) = fuzzing::release_information(bytes, kind) {
            assert!(read.claims.iter().all(|claim| claim.version.revision.is_some()));
        }
    }
});
