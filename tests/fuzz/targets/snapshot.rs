//! See `wintag::fuzzing::snapshot`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| wintag::fuzzing::snapshot(bytes));
