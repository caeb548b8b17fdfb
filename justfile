# What is done often here; `just` alone lists it.

default:
    @just --list

# Format and lints
check:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings
    cargo clippy --lib -- -D warnings

# All tests, or those whose names hold a word: just test pay
test *words:
    cargo test --workspace {{words}}

# All that must hold before a change is taken
ci:
    bash .ci/run

# All that is too long for every change, on the shipped binary: for a release, and for larger changes
nightly:
    cargo build --release
    ROUNDS=200 NUTPURSE_BINARY="$PWD/target/release/nutpurse" tests/peers/run
    cargo run --example figures
    NUTPURSE_RUNS=100 cargo test --test it laws:: -- --nocapture
    NUTPURSE_RUNS=400 cargo test --test it counters:: -- --nocapture
    cargo run --example faults -- --binary target/release/nutpurse

# Against wallets, mints and clients written by others
peers:
    cargo build --bin nutpurse --example sandbox
    tests/peers/run

# The figures the shipped wallet promises, measured on this machine
figures:
    cargo build --release
    cargo run --example figures

# How many faults the shipped wallet survives, all rows; the last line goes into the README: just faults --seed 7
faults *options:
    cargo build --release
    cargo run --example faults -- --readme --binary target/release/nutpurse {{options}}

# Every fuzz target for so many seconds; what they find lies in target/fuzz/artifacts
fuzz seconds="60":
    #!/usr/bin/env bash
    set -euo pipefail
    cargo fuzz --version > /dev/null 2>&1 || cargo install --locked cargo-fuzz --version 0.13.2 --root target/tools
    export PATH="$PATH:$PWD/target/tools/bin" RUSTC_BOOTSTRAP=1
    cargo fuzz build --sanitizer none --target-dir target/fuzz
    for target in $(cargo fuzz list); do
      mkdir -p "target/fuzz/corpus/$target" "target/fuzz/artifacts/$target"
      "target/fuzz/$(rustc -vV | sed -n 's/^host: //p')/release/$target" -max_total_time={{seconds}} -max_len=2048 -timeout=20 \
        -print_final_stats=1 -artifact_prefix="target/fuzz/artifacts/$target/" "target/fuzz/corpus/$target" "fuzz/corpus/$target"
    done

# More random runs against the laws than the tests make: just laws 100
laws runs:
    NUTPURSE_RUNS={{runs}} cargo test --test it laws:: -- --nocapture

# The store at 100, 10,000 and 100,000 proofs
bench:
    cargo bench --bench store

# Write the pages made from the code anew
docs:
    UPDATE_DOCS=1 cargo test --test it docs
    cargo run --example faults -- --list > docs/fault-rows.md

# Draw a run of the sandbox anew, as the README shows it
recording:
    cargo xtask recording

# Take the tools' schemas as they are now
snaps:
    INSTA_UPDATE=always cargo test --test it tools

# Known vulnerabilities, from the advisory database on the internet
audit:
    cargo deny check advisories
