//! See `wintag::fuzzing::connection`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| wintag::fuzzing::connection(bytes));
