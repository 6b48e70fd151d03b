//! See `parsers::version`.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| wintag_fuzz::version(text));
