//! See `wintag::fuzzing::config`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| wintag::fuzzing::config(bytes));
