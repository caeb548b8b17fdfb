# Recipes for common tasks; `just` lists them.

default:
    @just --list

# Format and lints
check:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings
    cargo clippy --lib -- -D warnings

# All tests, or those whose names contain a word: just test pay
test *words:
    cargo test --workspace {{words}}

# Everything that must pass before a change is merged
ci:
    bash .ci/run

# Long checks on the release binary, before a release or after a larger change
nightly:
    cargo build --release
    ROUNDS=200 NUTPURSE_BINARY="$PWD/target/release/nutpurse" tests/peers/run
    cargo run --example figures
    NUTPURSE_RUNS=100 cargo test --test it laws:: -- --nocapture
    NUTPURSE_RUNS=400 cargo test --test it counters:: -- --nocapture
    cargo run --example faults -- --binary target/release/nutpurse

# The wallet against wallets, mints and clients of other projects
peers:
    cargo build --bin nutpurse --example sandbox
    tests/peers/run

# Measure the figures that the documentation promises, on this machine
figures:
    cargo build --release
    cargo run --example figures

# Run all rows of the fault score on the release binary and write the score into the README: just faults --seed 7
faults *options:
    cargo build --release
    cargo run --example faults -- --readme --binary target/release/nutpurse {{options}}

# Run each fuzz target for some seconds; findings are in target/fuzz/artifacts
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

# More random runs of the conservation laws than the tests make: just laws 100
laws runs:
    NUTPURSE_RUNS={{runs}} cargo test --test it laws:: -- --nocapture

# Benchmark the store with 100, 10,000 and 100,000 proofs
bench:
    cargo bench --bench store

# Regenerate the pages that are made from the code
docs:
    UPDATE_DOCS=1 cargo test --test it docs
    cargo run --example faults -- --list > docs/fault-rows.md

# Record the sandbox again for the README
recording:
    cargo xtask recording

# Accept the tools' current schemas as snapshots
snaps:
    INSTA_UPDATE=always cargo test --test it tools

# Known vulnerabilities, from the advisory database on the internet
audit:
    cargo deny check advisories
