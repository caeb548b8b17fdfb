//! The fuzz targets' corpus and every past finding, through the same functions that the fuzzers
//! call.

use std::fs;
use std::path::{Path, PathBuf};

#[expect(unreachable_pub, reason = "it is also a crate of its own")]
#[path = "../../fuzz/src/lib.rs"]
mod targets;

fn files(folder: &str, target: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz").join(folder).join(target);
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn all_of(target: &str, run: fn(&[u8])) {
    let corpus = files("corpus", target);
    assert!(corpus.len() >= 3, "{target} has a corpus");
    for file in corpus.into_iter().chain(files("findings", target)) {
        let bytes = fs::read(&file).unwrap();
        assert!(bytes.len() <= 4_096, "{} is small", file.display());
        println!("{}", file.display());
        run(&bytes);
    }
}

#[test]
fn every_token_of_the_corpus_is_read_or_refused() {
    all_of("token", targets::texts::read_token);
}

#[test]
fn every_invoice_and_address_of_the_corpus_is_read_or_refused() {
    all_of("invoice_and_address", targets::texts::read_invoice_and_address);
}

#[test]
fn every_answer_of_a_payees_server_of_the_corpus_is_read_or_refused() {
    all_of("payee_answers", targets::texts::read_payee_answers);
}

#[test]
fn every_payment_request_of_the_corpus_is_read_or_refused() {
    all_of("payment_request", targets::texts::read_payment_request);
}

#[test]
fn every_call_of_the_corpus_is_answered_with_a_result_or_a_code() {
    all_of("tool_arguments", targets::tool_arguments::call_a_tool);
}

#[test]
fn every_spoiled_answer_of_the_corpus_leaves_a_wallet_that_is_right() {
    all_of("mint_answers", targets::mint_answers::spoil_answers);
}

#[test]
fn every_damaged_file_of_the_corpus_is_read_or_refused() {
    all_of("stored_rows", targets::stored_rows::open_a_damaged_file);
}

#[test]
fn every_target_of_the_fuzzers_is_tested_here() {
    let this = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/corpus.rs"))
        .unwrap();
    let targets =
        fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/fuzz_targets")).unwrap();
    let names: Vec<_> = targets
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    assert!(names.len() >= 6, "{names:?}");
    for name in names {
        assert!(this.contains(&format!("all_of(\"{name}\"")), "{name}");
    }
}
