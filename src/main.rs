//! The binary: all of it is in the library, whose tests and examples use the same code.

fn main() -> std::process::ExitCode {
    nutpurse::run()
}
