#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| nutpurse_fuzz::mint_answers::spoil_answers(bytes));
