//! What only a person may do: refused to whatever is not a person at a terminal, done for one who
//! types the word.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use rexpect::process::WaitStatus;
use rexpect::session::{PtySession, spawn_command};
use serde_json::{Value, json};
use testbed::Behaviour;

use crate::world::{Agent, Home, Limits, Settings, binary, funded, mint};

const PATIENCE_MS: u64 = 30_000;

/// Everything that loosens, on a home where it would change something.
const LOOSENING: &[&[&str]] = &[
    &["mints", "trust", "https://mint.example"],
    &["mints", "trust", "https://testnut.example", "--test"],
    &["limits", "set", "--per-payment", "200000"],
    &["limits", "set", "--per-day", "2000000"],
    &["limits", "set", "--max-fee-percent", "50"],
    &["limits", "set", "--max-fee-floor", "500"],
    &["limits", "set", "--per-payment", "1", "--per-day", "3000000"],
    &["resume"],
];

/// What reveals, and changes nothing.
const REVEALING: &[&[&str]] = &[&["backup"]];

fn paused_home() -> Home {
    let limits = Limits { per_payment: 100_000, per_day: 1_000_000 };
    let home = Home::new(&Settings::at(["https://test.example"]).limits(limits)).unwrap();
    binary::done(&home, &["pause"]);
    home
}

pub(crate) fn command(home: &Home, line: &[&str]) -> Command {
    let mut command = binary::binary(home);
    command.args(line);
    command
}

/// The settings, byte for byte.
fn settings(home: &Home) -> BTreeMap<String, Vec<u8>> {
    let files = fs::read_dir(home.path()).unwrap().map(|entry| entry.unwrap().path());
    let is_of_a_process =
        |name: &str| ["wallet.", "daemon."].iter().any(|start| name.starts_with(start));
    let files = files.filter(|path| {
        !path.file_name().is_some_and(|name| is_of_a_process(&name.to_string_lossy()))
    });
    files
        .map(|path| {
            (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read(path).unwrap())
        })
        .collect()
}

pub(crate) fn policy_entries(home: &Home) -> Vec<Value> {
    binary::json(home, &["list-history", "--kind", "policy"])["entries"]
        .as_array()
        .cloned()
        .unwrap_or_default()
}

/// Waits for the question, answers it, and gives what was shown and whether it was done.
pub(crate) fn answer(
    home: &Home,
    line: &[&str],
    answer: impl Fn(&str) -> String,
) -> (String, bool) {
    let mut pty = spawn_command(command(home, line), Some(PATIENCE_MS)).unwrap();
    let shown = pty.exp_string("type the word ").unwrap();
    let (_, found) = pty.exp_regex("[a-z]+ and").unwrap();
    let word = found.trim_end_matches(" and").to_owned();
    pty.exp_string("changes nothing): ").unwrap();
    pty.send_line(&answer(&word)).unwrap();
    let rest = pty.exp_eof().unwrap();
    (format!("{shown}\n{rest}"), ended_well(&pty))
}

fn ended_well(pty: &PtySession) -> bool {
    matches!(pty.process().wait(), Ok(WaitStatus::Exited(_, 0)))
}

#[test]
fn an_agents_shell_is_refused_and_nothing_changes() {
    let home = paused_home();
    let history = policy_entries(&home);
    let before = settings(&home);
    for line in LOOSENING.iter().chain(REVEALING) {
        for input in ["", "yes\n", "y\nyes\nwalnut\n"] {
            let output = binary::run(command(&home, line), input);
            let told = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(1), "{line:?}: {told}");
            assert!(
                told.contains("only a person may do this") && output.stdout.is_empty(),
                "{line:?}: {told}"
            );
        }
        assert!(settings(&home) == before, "{line:?}");
    }
    assert_eq!(policy_entries(&home), history);
}

#[test]
fn a_terminal_with_an_agents_mark_is_refused() {
    let home = paused_home();
    let before = settings(&home);
    for (name, value) in
        [("CLAUDECODE", "1"), ("CODEX_SANDBOX", "seatbelt"), ("AI_AGENT", "x"), ("TERM", "dumb")]
    {
        for line in LOOSENING.iter().chain(REVEALING) {
            let mut command = command(&home, line);
            command.env(name, value);
            let mut pty = spawn_command(command, Some(PATIENCE_MS)).unwrap();
            let shown = pty.exp_eof().unwrap();
            assert!(
                !ended_well(&pty) && shown.contains("looks like an agent's"),
                "{name} {line:?}: {shown}"
            );
            assert!(!shown.contains("type the word"), "{shown}");
        }
    }
    assert_eq!(settings(&home), before);
    assert_eq!(policy_entries(&home).len(), 1, "the pause alone");
}

#[test]
fn a_person_who_types_another_word_changes_nothing() {
    let home = paused_home();
    let before = settings(&home);
    for wrong in ["yes", "y", ""] {
        let (shown, done) = answer(&home, &["resume"], |_| wrong.to_owned());
        assert!(!done && shown.contains("that was not the word"), "{shown}");
    }
    let (_, done) = answer(&home, &["limits", "set", "--per-payment", "200000"], |word| {
        format!("{word} {word}")
    });
    assert!(!done);
    assert_eq!(settings(&home), before);
    assert_eq!(policy_entries(&home).len(), 1);
}

#[test]
fn a_person_who_types_the_word_has_it_done_and_written_down() {
    let home = paused_home();
    let mut known = policy_entries(&home).len();
    assert_eq!(known, 1);
    for line in LOOSENING {
        let (shown, done) = answer(&home, line, str::to_owned);
        assert!(
            done && shown.contains("This will change:")
                && shown.contains("The whole policy after it:"),
            "{line:?}: {shown}"
        );
        let entries = policy_entries(&home);
        assert_eq!(entries.len(), known + 1, "{line:?}: {entries:?}");
        known = entries.len();
    }
    let balance = binary::json(&home, &["get-balance"]);
    assert_eq!(
        (&balance["money"], &balance["limits"]["per_day_sats"]),
        (&json!("real"), &json!(3_000_000)),
        "{balance}"
    );
    assert!(balance["policy_changed_at"].is_string());
}

#[test]
fn the_first_real_mint_is_shown_for_what_it_is() {
    let home = paused_home();
    let (shown, done) = answer(&home, &["mints", "trust", "https://mint.example"], str::to_owned);
    for words in [
        "real money, for ever",
        "can refuse to pay",
        "not backed up",
        "limits.per_payment_sats",
        "https://mint.example",
    ] {
        assert!(done && shown.contains(words), "{words}: {shown}");
    }
}

#[test]
fn a_person_who_types_the_word_is_shown_the_words_of_the_wallet() {
    let home = Home::at(["https://test.example"]).unwrap();
    binary::done(&home, &["init"]);
    let keys = fs::read_to_string(home.path().join("keys.toml")).unwrap();
    let words = keys.split('"').nth(1).unwrap();
    // The words are shown with their numbers; a single one of them may stand in our own text by
    // chance.
    let listed = |shown: &str| {
        let numbered = shown
            .lines()
            .filter_map(|line| line.trim().split_once(". "))
            .filter(|(number, _)| number.len() <= 2);
        numbered.map(|(_, word)| word.to_owned()).collect::<Vec<_>>().join(" ")
    };
    let (shown, done) = answer(&home, &["backup"], |_| "no".to_owned());
    assert!(!done && listed(&shown).is_empty(), "{shown}");
    let (shown, done) = answer(&home, &["backup"], str::to_owned);
    assert!(done && listed(&shown) == words, "{shown}");
    let (shown, _) =
        answer(&home, &["mints", "trust", "https://mint.example"], |_| "no".to_owned());
    assert!(shown.contains("They were shown to you"), "{shown}");
}

#[test]
fn what_tightens_asks_nothing_and_is_one_entry_each() {
    let home = Home::at(["https://a.example", "https://b.example"]).unwrap();
    let lines: &[&[&str]] = &[
        &["pause"],
        &["limits", "set", "--per-payment", "5"],
        &["limits", "set", "--per-day", "6", "--max-fee-floor", "1"],
        &["mints", "remove", "https://b.example"],
    ];
    for (number, line) in lines.iter().enumerate() {
        let mut command = command(&home, line);
        command.env("CLAUDECODE", "1");
        let output = binary::run(command, "");
        assert!(output.status.success(), "{line:?}: {}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(policy_entries(&home).len(), number + 1, "{line:?}");
    }
    binary::done(&home, &["pause"]);
    assert_eq!(policy_entries(&home).len(), lines.len(), "what is so already is no change");
}

#[test]
fn an_edit_by_hand_is_an_entry_of_its_own_beside_a_commands() {
    let home = Home::at(["https://a.example"]).unwrap();
    assert!(policy_entries(&home).is_empty());
    home.configure(
        &Settings::at(["https://a.example"]).limits(Limits { per_payment: 77, per_day: 1_000 }),
    )
    .unwrap();
    binary::done(&home, &["pause"]);
    let entries = policy_entries(&home);
    assert_eq!(entries.len(), 2, "{entries:?}");
    assert!(entries.iter().any(|entry| entry.to_string().contains("77")), "{entries:?}");
}

#[tokio::test]
async fn a_change_beside_a_running_wallet_is_one_entry_too() {
    let (_lightning, mint) = mint().await;
    let agent = funded(&mint, 100).await;
    let home = agent.home();
    let other = home.clone();
    let line = ["limits", "set", "--per-payment", "50"];
    tokio::task::spawn_blocking(move || binary::done(&other, &line)).await.unwrap();
    agent.refused("send_token", json!({"amount_sats": 51}), "over_payment_limit").await;
    let entries = async |agent: &Agent| {
        agent.ok("list_history", json!({"kind": "policy"})).await["entries"]
            .as_array()
            .cloned()
            .unwrap_or_default()
    };
    let mut changes = agent.wallet().await.changes();
    while entries(&agent).await.is_empty() {
        changes.changed().await.unwrap();
    }
    assert_eq!(entries(&agent).await.len(), 1);
    let agent = Agent::reopen(agent.close().await);
    agent.wallet().await.recovery().follow_policy().await.unwrap();
    assert_eq!(entries(&agent).await.len(), 1, "told once, not again at the next start");
}

#[tokio::test]
async fn only_a_person_allows_a_payment_like_one_whose_outcome_nobody_saw() {
    let (lightning, mint) = mint().await;
    let agent = funded(&mint, 1_000).await;
    let shop = lightning.payee("shop");
    let first = shop.invoice(5, "a").unwrap();
    lightning.set_behaviour_of(first.payment_hash(), Behaviour::Pending);
    let pending = agent.ok("pay", json!({"to": first.to_string()})).await;
    assert_eq!(pending["state"], "pending", "{pending}");
    lightning.settle(first.payment_hash());
    let id = pending["payment_id"].as_str().unwrap().to_owned();
    assert_eq!(agent.payment_within(&id, 30).await["state"], "settled");
    let second = shop.invoice(5, "b").unwrap().to_string();
    agent.refused("pay", json!({"to": second}), "possible_duplicate").await;
    agent.refused("pay", json!({"to": second, "repeat_of": id}), "possible_duplicate").await;

    let home = agent.close().await;
    let (same, line) = (home.clone(), id.clone());
    tokio::task::spawn_blocking(move || {
        let line = ["payments", "allow-repeat", &line];
        let output = binary::run(command(&same, &line), "yes\n");
        assert!(
            !output.status.success()
                && String::from_utf8_lossy(&output.stderr).contains("only a person")
        );
        assert!(policy_entries(&same).is_empty());
        let (shown, done) = answer(&same, &line, |_| "no".to_owned());
        assert!(!done && policy_entries(&same).is_empty(), "{shown}");
        let (shown, done) = answer(&same, &line, str::to_owned);
        assert!(done && shown.contains("5 sats"), "{shown}");
        assert_eq!(policy_entries(&same).len(), 1);
    })
    .await
    .unwrap();
    let agent = Agent::reopen(home);
    assert_eq!(agent.ok("pay", json!({"to": second})).await["state"], "settled");
    assert_eq!(shop.received(), 10);
}
