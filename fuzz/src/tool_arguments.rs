//! Arguments of agents, through the tool layer: without a wallet, and with one whose mint cannot be
//! reached.
//!
//! The first line names the tool; each further line is a parameter's name, a space and its value,
//! as JSON or else as text.

use std::sync::Arc;

use nutpurse::testing::api::Code;
use nutpurse::testing::api::tools;
use serde_json::{Map, Value};

use super::purse::{NoPurse, Nobody, Purse, call, run};

/// Calls the tool that the bytes name.
pub fn call_a_tool(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let (head, lines) = text.split_once('\n').unwrap_or((&text, ""));
    let tool = tools::find(head).or_else(|| tools::all().get(head.len() % tools::all().len()));
    let name = tool.map_or(head, |tool| tool.name);
    let arguments: Map<String, Value> = lines.lines().map(parameter).collect();
    run(async {
        let without = call(name, arguments.clone(), &NoPurse).await;
        assert!(without.is_err_and(|code| matches!(
            code,
            Code::InvalidInput | Code::WalletBusy | Code::NotFound
        )));
        let purse = Purse::new(Arc::new(Nobody)).await;
        let _told = call(name, arguments, &purse).await;
        let balance = purse.call("get_balance", Value::Object(Map::new())).await.unwrap();
        assert_eq!(balance.get("spendable_sats"), Some(&Value::from(0)), "there is no money here");
        purse.close().await;
    });
}

fn parameter(line: &str) -> (String, Value) {
    let (name, value) = line.split_once(' ').unwrap_or((line, ""));
    (
        name.to_owned(),
        serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned())),
    )
}
