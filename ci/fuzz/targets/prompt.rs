//! libFuzzer on [`iradialer_fuzz::prompt`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| iradialer_fuzz::prompt(data));
