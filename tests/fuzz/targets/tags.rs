//! See `wintag::fuzzing::tags`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| wintag::fuzzing::tags(bytes));
