//! See `wintag::fuzzing::redirect`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| wintag::fuzzing::redirect(bytes));
