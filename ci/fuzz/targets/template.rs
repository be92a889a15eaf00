//! libFuzzer on [`iradialer_fuzz::template`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| iradialer_fuzz::template(data));
