//! See `parsers::family`.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| wintag_fuzz::family(text));
