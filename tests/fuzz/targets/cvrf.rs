//! See `parsers::cvrf`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| wintag_fuzz::cvrf(bytes));
