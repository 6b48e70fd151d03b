//! See `wintag::fuzzing::retry_after`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| wintag::fuzzing::retry_after(bytes));
