#![no_main]

libfuzzer_sys::fuzz_target!(
    // The database panics on some damaged files. The store turns such a panic into an error, so it
    // is not a finding.
    init: std::panic::set_hook(Box::new(|_| ())),
    |bytes: &[u8]| nutpurse_fuzz::stored_rows::open_a_damaged_file(bytes)
);
