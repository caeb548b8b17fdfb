use std::io;

use async_trait::async_trait;
use serde_json::json;

use super::*;
use crate::api::{Code, Error, Source};
use crate::wallet::Wallet;

#[derive(Debug, clap::Subcommand)]
enum OwnerCommand {
    /// Stops all spending.
    Pause,
}

#[derive(Debug)]
struct Busy;

#[async_trait]
impl Source for Busy {
    async fn wallet(&self) -> Result<Wallet, Error> {
        Err(Error::new(Code::WalletBusy, "Held."))
    }
}

fn read(line: &[&str]) -> Result<Invocation<OwnerCommand>, Stop> {
    parse(std::iter::once("nutpurse").chain(line.iter().copied()).map(OsString::from))
}

fn tool(line: &[&str]) -> Option<(&'static str, Value)> {
    match read(line).ok()?.command {
        Command::Tool(call) => Some((call.name, Value::Object(call.arguments))),
        _ => None,
    }
}

#[test]
fn the_grammar_holds_together() {
    command::<OwnerCommand>().debug_assert();
    assert!(
        help::<OwnerCommand>().contains("get-balance") && help::<OwnerCommand>().contains("pause")
    );
}

#[test]
fn a_tool_is_a_command_with_the_same_parameters() {
    assert_eq!(tool(&["get-balance"]), Some(("get_balance", json!({}))));
    assert_eq!(
        tool(&["pay", "lnbc1", "--amount-sats", "5"]),
        Some(("pay", json!({"to": "lnbc1", "amount_sats": 5})))
    );
    assert_eq!(tool(&["pay", "--to", "lnbc1"]), Some(("pay", json!({"to": "lnbc1"}))));
    assert_eq!(
        tool(&["deposit", "100", "--qr"]),
        Some(("deposit", json!({"amount_sats": 100, "qr": true})))
    );
    assert_eq!(tool(&["receive-token", "-"]), Some(("receive_token", json!({"token": "-"}))));
    assert_eq!(
        tool(&["list-history", "--kind", "token_sent"]),
        Some(("list_history", json!({"kind": "token_sent"})))
    );
}

#[test]
fn every_parameter_of_every_tool_can_be_given() {
    let grammar = command::<OwnerCommand>();
    for one in crate::api::tools::all() {
        let name = one.name.replace('_', "-");
        let found = grammar.find_subcommand(&name);
        let parameters = one
            .input_schema
            .get("properties")
            .and_then(Value::as_object)
            .cloned()
            .unwrap_or_default();
        for parameter in parameters.keys() {
            assert!(
                found.is_some_and(|found| found
                    .get_arguments()
                    .any(|arg| arg.get_id() == parameter)),
                "{name} {parameter}"
            );
        }
    }
    let token = grammar
        .find_subcommand("receive-token")
        .and_then(|c| c.get_arguments().find(|arg| arg.get_id() == "token"));
    assert!(token.is_some_and(|arg| arg.get_long().is_none()), "no flag takes a secret");
}

#[test]
fn what_cannot_be_read_is_a_usage_error() {
    for line in [
        &["pay"][..],
        &["pay", "a", "--to", "b"],
        &["deposit", "x"],
        &["nope"],
        &["list-history", "--kind", "x"],
    ] {
        assert_eq!(read(line).err().map(|stop| stop.code), Some(USAGE), "{line:?}");
    }
    assert_eq!(read(&["--help"]).err().map(|stop| stop.code), Some(OK));
}

#[test]
fn flags_hold_everywhere_and_name_the_agent() {
    let serve = read(&["--agent", "a"]);
    assert!(
        serve
            .is_ok_and(|line| matches!(line.command, Command::Serve) && line.caller().agent == "a")
    );
    let tool = read(&["get-balance", "--json", "--home", "/h"]);
    assert!(tool.is_ok_and(|line| line.globals.json
        && line.globals.home == Some("/h".into())
        && line.caller().agent == "cli"));
    assert!(
        read(&["pause"])
            .is_ok_and(|line| matches!(line.command, Command::Owner(OwnerCommand::Pause)))
    );
}

async fn run(line: &[&str], input: &str) -> Option<(u8, String, String)> {
    let read = read(line).ok()?;
    let (caller, json) = (read.caller(), read.globals.json);
    let Command::Tool(call) = read.command else { return None };
    let (mut input, mut output, mut errors) =
        (io::Cursor::new(input.to_owned()), Vec::new(), Vec::new());
    let streams = Streams { input: &mut input, output: &mut output, errors: &mut errors };
    let code =
        run_tool(call, json, &Here { source: &Busy, caller: &caller }, streams).await.ok()?;
    Some((
        code,
        String::from_utf8_lossy(&output).into_owned(),
        String::from_utf8_lossy(&errors).into_owned(),
    ))
}

#[tokio::test]
async fn a_failure_is_told_where_it_belongs() {
    let plain = run(&["get-balance"], "").await;
    assert!(plain.is_some_and(|(code, out, err)| code == FAILURE
        && out.is_empty()
        && err.starts_with("wallet_busy: Held.\n")));
    let json = run(&["get-balance", "--json"], "").await;
    assert!(
        json.is_some_and(|(code, out, err)| code == FAILURE
            && out.starts_with('{')
            && err.is_empty())
    );
    let wrong = run(&["list-history", "--limit", "501"], "").await;
    assert!(wrong.is_some_and(|(code, _, _)| code == USAGE));
}

#[tokio::test]
async fn a_token_can_come_by_the_standard_input() {
    let read = run(&["receive-token", "-"], "cashuBabc\n").await;
    assert!(read.is_some_and(|(code, _, err)| code == FAILURE && err.starts_with("wallet_busy")));
    let empty = run(&["receive-token", "-"], "").await;
    assert!(empty.is_some_and(|(code, _, err)| code == USAGE && err.contains("token")));
}
