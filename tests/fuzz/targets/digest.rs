//! See `parsers::digest`.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| wintag_fuzz::digest(text));
