//! See `parsers::tag`.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| wintag_fuzz::tag(text));
