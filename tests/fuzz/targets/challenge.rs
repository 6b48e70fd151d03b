//! See `wintag::fuzzing::challenge`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| wintag::fuzzing::challenge(bytes));
