//! The nutpurse binary.

fn main() {}
