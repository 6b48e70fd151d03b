//! See `parsers::image`.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| wintag_fuzz::image(text));
