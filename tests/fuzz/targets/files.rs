//! Fuzzes `parsers::files`.
#![no_main]

#[path = "../parsers.rs"]
#[expect(dead_code, reason = "each target has one parser")]
mod parsers;

libfuzzer_sys::fuzz_target!(|text: &str| parsers::files(text));
