#![no_main]

libfuzzer_sys::fuzz_target!(
    // The database asserts on some damaged files, and the store makes an error of it: such a panic
    // is caught and no finding.
    init: std::panic::set_hook(Box::new(|_| ())),
    |bytes: &[u8]| nutpurse_fuzz::stored_rows::open_a_damaged_file(bytes)
);
