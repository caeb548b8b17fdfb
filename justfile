# What is done often here; `just` alone lists it.

default:
    @just --list

# Format and lints
check:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings

# All tests, or those whose names hold a word: just test pay
test *words:
    cargo test --workspace {{words}}

# All that must hold before a change is taken
ci:
    bash .ci/run

# Against wallets, mints and clients written by others
peers:
    cargo build --release
    tests/peers/run

# The figures the wallet promises, measured on this machine
figures:
    cargo build --release
    cargo run --example figures

# How many faults it survives, all rows; the last line goes into the README: just faults --seed 7
faults *options:
    cargo run --release --example faults -- --readme {{options}}

# The store at 100, 10,000 and 100,000 proofs
bench:
    cargo bench --bench store

# Write the pages made from the code anew
docs:
    UPDATE_DOCS=1 cargo test --test it docs

# Take the tools' schemas as they are now
snaps:
    INSTA_UPDATE=always cargo test --test it tools

# Known vulnerabilities, from the advisory database on the internet
audit:
    cargo deny check advisories
