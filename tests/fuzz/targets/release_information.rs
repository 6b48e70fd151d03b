//! See `parsers::release_information`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| wintag_fuzz::release_information(bytes));
