//! See `wintag::fuzzing::link`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| wintag::fuzzing::link(bytes));
