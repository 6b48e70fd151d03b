//! See `parsers::updates_list`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| wintag_fuzz::updates_list(bytes));
