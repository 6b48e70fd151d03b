//! See `parsers::query`.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| wintag_fuzz::query(text));
