#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| nutpurse_fuzz::tool_arguments::call_a_tool(bytes));
