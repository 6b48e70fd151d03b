//! See `parsers::kb`.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| wintag_fuzz::kb(text));
