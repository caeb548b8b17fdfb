#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| nutpurse_fuzz::texts::read_payee_answers(bytes));
