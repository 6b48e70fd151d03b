//! See `parsers::host`.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| wintag_fuzz::host(text));
