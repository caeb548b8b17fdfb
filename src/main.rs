//! The binary. All of its code is in the library, which the tests and examples use too.

fn main() -> std::process::ExitCode {
    nutpurse::run()
}
