//! libFuzzer on [`iradialer_fuzz::prompt`].
#![no_main]

libfuzzer_sys::fuzz_target!(
    // libFuzzer's own hook would end it at panics of a library that are caught; what is not caught still does.
    init: std::panic::set_hook(Box::new(|_| {})),
    |data: &[u8]| iradialer_fuzz::prompt(data)
);
