//! See `parsers::tables`.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| wintag_fuzz::tables(text));
