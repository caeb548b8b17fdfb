//! The shape of the code: who may use whom, which crate stays in which folder, what is not in the
//! shipped binary.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Per part of `src`: the parts of ours that it may use, and the crates that only listed parts may
/// use.
const PARTS: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("ports", &["model"]),
    ("policy", &["model"]),
    ("config", &["model", "policy"]),
    ("net", &["model", "ports"]),
    ("mint", &["model", "ports"]),
    ("nostr", &["model", "ports"]),
    ("store", &["model", "ports"]),
    ("wallet", &["model", "ports", "policy", "mint", "nostr", "store"]),
    ("api", &["wallet", "model"]),
    ("tasks", &["wallet"]),
    ("mcp", &["api", "wallet", "model"]),
    ("cli", &["api", "wallet", "config", "policy", "model"]),
    ("daemon", &["mcp", "api", "wallet", "config", "model"]),
    (
        "app",
        &[
            "model", "ports", "policy", "config", "net", "mint", "nostr", "store", "wallet", "api",
            "tasks", "mcp", "cli", "daemon", "logging",
        ],
    ),
    (
        "program",
        &["api", "app", "cli", "config", "daemon", "mcp", "wallet", "logging", "core_dumps"],
    ),
    ("main", &["run"]),
    ("logging", &[]),
    ("core_dumps", &[]),
    ("lib", &[]),
];

/// The folders of `src/wallet`, top to bottom: each may use those below it. Outside of its own folder
/// a file names another by its whole path, so that every arrow is a `use` line.
const WALLET: &[&str] = &[
    "recovery",
    "reports",
    "zap",
    "token",
    "deposit",
    "payment",
    "doctor",
    // The one door, and what it carries out.
    "door",
    "execution",
    // Relays.
    "sync",
    "nutzaps",
    "outbox",
    "wallet_event",
    "people",
    // Mints.
    "engine",
    "proofs",
    "core",
];

/// Crates that stay where they are: (crate, the files that may name it, by the beginning of their
/// path).
const CRATES: &[(&str, &[&str])] = &[
    ("reqwest", &["net/"]),
    ("tokio_tungstenite", &["net/", "ports.rs", "mint/subscription.rs", "nostr/relays/"]),
    ("governor", &["net/"]),
    ("rustls", &["net/"]),
    ("cdk", &["mint/"]),
    ("cdk_common", &["mint/", "nostr/", "ports.rs", "store/", "wallet/"]),
    ("nostr", &["nostr/"]),
    ("nostr_sdk", &["nostr/relays/"]),
    ("nostr_relay_pool", &["nostr/relays/"]),
    ("async_wsocket", &["nostr/relays/"]),
    ("redb", &["store/"]),
    ("rmcp", &["mcp/"]),
    ("clap", &["cli/"]),
    ("comfy_table", &["cli/"]),
    ("keyring_core", &["config/"]),
    ("toml", &["config/"]),
    ("toml_edit", &["config/"]),
    ("directories", &["config/"]),
    ("lightning_invoice", &["model/"]),
    (
        "tokio",
        &[
            "ports.rs",
            "api/tools/",
            "app/",
            "program.rs",
            "mcp/",
            "mint/",
            "net/",
            "nostr/relays/",
            "store/",
            "tasks.rs",
            "wallet/",
            "cli/",
            "daemon/",
        ],
    ),
    ("nix", &["daemon/"]),
    ("file_rotate", &["logging.rs"]),
    ("tracing_subscriber", &["logging.rs"]),
];

/// Names that tell of something only one file may do.
const ONLY_IN: &[(&str, &[&str])] = &[
    ("SystemTime", &["wallet/core/clock.rs"]),
    ("env::var", &["config/env.rs"]),
    ("env::vars", &["config/env.rs"]),
    (".env(\"", &["cli/args.rs"]),
    ("io::stdout()", &["program.rs", "cli/confirm.rs"]),
    ("println!", &[]),
    ("print!(", &[]),
    ("dbg!(", &[]),
    ("tokio::spawn(", &[]),
    ("std::thread::", &["config/keyring.rs"]),
    // cdk gives the protocol; requests, operations and their records are our own.
    ("cdk::wallet::", &[]),
    ("WalletDatabase", &[]),
    // What they answer does not tell a whole reading from a part, nor a refusal from a yes.
    ("fetch_events", &[]),
    ("stream_events", &[]),
    ("send_event", &[]),
    ("nostr_sdk::Client", &[]),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_path_buf()
}

fn sources(under: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(under).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|end| end == "rs") {
            found.push(path);
        }
    }
    found
}

/// The file's path below `src`, and its code: no comments, no unit tests.
pub(crate) fn shipped() -> Vec<(String, String)> {
    let src = root().join("src");
    let mut files = Vec::new();
    for path in sources(&src) {
        let name = path.strip_prefix(&src).unwrap().to_string_lossy().replace('\\', "/");
        let is_test = name.contains("/tests/") || name.ends_with("/tests.rs");
        if is_test {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
        let lines: Vec<&str> =
            code.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        files.push((name, lines.join("\n")));
    }
    assert!(files.len() > 100, "the sources were not found");
    files
}

pub(crate) fn part(file: &str) -> &str {
    file.split(['/', '.']).next().unwrap_or_default()
}

/// The words that follow `head` in `code`, where `head` begins a word.
fn after<'a>(code: &'a str, head: &str) -> BTreeSet<&'a str> {
    let is_word = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let begins = |at: usize| !code[..at].ends_with(|letter: char| is_word(letter) || letter == ':');
    let rests = code
        .match_indices(head)
        .filter(|(at, _)| begins(*at))
        .map(|(at, _)| &code[at + head.len()..]);
    rests.map(|rest| rest.split(|letter| !is_word(letter)).next().unwrap_or_default()).collect()
}

#[test]
fn arrows_point_down_only() {
    for (file, code) in shipped() {
        let this = part(&file);
        let (_, may) = PARTS
            .iter()
            .find(|(name, _)| *name == this)
            .unwrap_or_else(|| panic!("{file} is in no part"));
        let ours = ["crate::", "nutpurse::"].iter().flat_map(|head| after(&code, head));
        for used in ours.filter(|used| !used.is_empty() && *used != this) {
            assert!(may.contains(&used), "{file} uses {used}");
        }
        assert!(
            !code.contains("crate::{") && !code.contains("super::super::super::super"),
            "{file}: name each part by itself"
        );
    }
}

#[test]
fn inside_the_wallet_arrows_point_down_only() {
    let place = |folder: &str| WALLET.iter().position(|one| *one == folder);
    let mut seen = BTreeSet::new();
    for (file, code) in shipped() {
        let Some(rest) = file.strip_prefix("wallet/") else { continue };
        // The root hands out handles, and may name every folder.
        let Some((folder, _)) = rest.split_once('/') else { continue };
        let here = place(folder).unwrap_or_else(|| panic!("{file} is in no folder of the list"));
        seen.insert(here);
        for used in after(&code, "crate::wallet::").into_iter().filter(|used| *used != folder) {
            let there = place(used).unwrap_or_else(|| panic!("{file} uses wallet::{used}"));
            assert!(here < there, "{file} uses {used}, which stands above {folder}");
        }
        let inner = code.replace("in super", "").replace("pub(super)", "");
        assert!(!inner.contains("super::super"), "{file}: name what is outside by its whole path");
    }
    assert_eq!(seen.len(), WALLET.len(), "every folder of the list has files");
}

#[test]
fn only_the_wallet_has_methods_of_the_wallet() {
    for (file, code) in shipped().iter().filter(|(file, _)| file.starts_with("wallet/")) {
        assert!(
            !code.contains("impl Wallet {") || file == "wallet/mod.rs",
            "{file} adds to the one object"
        );
    }
}

#[test]
fn each_crate_stays_where_it_belongs() {
    for (file, code) in shipped() {
        for (name, places) in CRATES {
            if !after(&code, &format!("{name}::")).is_empty() {
                assert!(places.iter().any(|place| file.starts_with(place)), "{file} names {name}");
            }
        }
    }
}

#[test]
fn clock_environment_output_and_tasks_have_one_place_each() {
    for (file, code) in shipped() {
        for (word, places) in ONLY_IN {
            assert!(!code.contains(word) || places.contains(&file.as_str()), "{file} has {word}");
        }
    }
}

#[test]
fn no_file_is_longer_than_four_hundred_lines() {
    for folder in ["src", "tests", "benches", "testbed"] {
        for path in sources(&root().join(folder)) {
            let lines = fs::read_to_string(&path).unwrap().lines().count();
            assert!(lines <= 400, "{}: {lines} lines", path.display());
        }
    }
}

#[test]
fn what_is_shipped_holds_no_mint_no_server_and_one_way_of_cryptography() {
    let mut command = Command::new(env!("CARGO"));
    command.args([
        "tree",
        "--package",
        "nutpurse",
        "-e",
        "normal",
        "--prefix",
        "none",
        "-f",
        "{p} features={f}",
        "--locked",
        "--offline",
    ]);
    let tree = command.current_dir(root()).output().unwrap();
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let tree = String::from_utf8(tree.stdout).unwrap();
    let named = |line: &str| line.split(' ').next().unwrap_or_default().to_owned();
    let crates: BTreeSet<String> = tree.lines().map(named).collect();
    assert!(
        crates.contains("cdk") && crates.contains("redb") && crates.contains("ring"),
        "{crates:?}"
    );
    let never = [
        "cdk-signatory",
        "cdk-sqlite",
        "cdk-sql-common",
        "cdk-axum",
        "cdk-mint-rpc",
        "testbed",
        "tonic",
        "prost",
        "axum",
        "rusqlite",
        "libsqlite3-sys",
        "sqlx",
        "aws-lc-rs",
        "aws-lc-sys",
        "openssl",
        "openssl-sys",
        "native-tls",
        "cdk-redb",
        "tor-rtcompat",
        "arti-client",
        "nostr-relay-builder",
    ];
    for name in never {
        assert!(!crates.contains(name), "{name} would be shipped");
    }
    for line in tree.lines().filter(|line| ["cdk", "cdk-common"].contains(&named(line).as_str())) {
        let features: BTreeSet<&str> =
            line.split("features=").nth(1).unwrap_or_default().split([',', ' ']).collect();
        assert!(features.contains("wallet") && !features.contains("mint"), "{line}");
    }
}
