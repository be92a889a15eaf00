//! libFuzzer on [`iradialer_fuzz::flow`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| iradialer_fuzz::flow(data));
