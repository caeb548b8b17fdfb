//! An agent to which its owner left fewer tools: it sees those, and has no others by any way.

use std::sync::Arc;

use nutpurse::testing::api::Source;
use nutpurse::testing::app::App;
use nutpurse::testing::config::Environment;
use serde_json::{Value, json};

use crate::pipe::{Outcome, Raw};
use crate::world::{Home, Limits, Settings, binary};

const FEWER: &str = "[agents.test]\ntools = [\"get_balance\", \"list_mints\"]\n";

fn home(more: &str) -> Home {
    let home = Home::at(["https://mint.example"]).unwrap();
    home.configure(
        &Settings::at(["https://mint.example"])
            .limits(Limits { per_payment: 1_000, per_day: 5_000 })
            .more(more),
    )
    .unwrap();
    home
}

fn source(home: &Home) -> Arc<dyn Source> {
    let environment = Environment { keyring_off: true, ..Environment::default() };
    App::new(environment, Some(home.path().to_path_buf()))
}

async fn listed(raw: &mut Raw) -> Result<Vec<String>, Box<dyn std::error::Error>> {
    let answer =
        raw.ask(json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}).to_string()).await?;
    let tools = answer["result"]["tools"].as_array().cloned().unwrap_or_default();
    Ok(tools.iter().filter_map(|tool| tool["name"].as_str()).map(str::to_owned).collect())
}

async fn call(
    raw: &mut Raw,
    method: &str,
    params: Value,
) -> Result<Value, Box<dyn std::error::Error>> {
    raw.ask(json!({"jsonrpc": "2.0", "id": 2, "method": method, "params": params}).to_string())
        .await
}

#[tokio::test]
async fn an_agent_has_the_tools_that_its_owner_left_it_and_no_others() -> Outcome {
    let home = home(FEWER);
    let mut raw = Raw::initialized(source(&home)).await?;
    assert_eq!(listed(&mut raw).await?, ["get_balance", "list_mints"]);
    assert!(
        !home.path().join("wallet.redb").exists() && !home.path().join("keys.toml").exists(),
        "a list opens no wallet"
    );
    for arguments in [json!({}), json!({"to": "lnbc1"})] {
        let refused =
            call(&mut raw, "tools/call", json!({"name": "pay", "arguments": arguments})).await?;
        assert_eq!(refused["error"]["code"], -32602, "{refused}");
    }
    let unreadable = call(&mut raw, "tools/call", json!({"name": "pay", "arguments": []})).await?;
    assert_eq!(unreadable["error"]["code"], -32602, "{unreadable}");
    let history = call(&mut raw, "resources/read", json!({"uri": "wallet://history"})).await?;
    assert!(history["error"].is_object(), "{history}");
    assert!(!home.path().join("wallet.redb").exists(), "a refusal opens no wallet");
    let balance =
        call(&mut raw, "tools/call", json!({"name": "get_balance", "arguments": {}})).await?;
    assert_eq!(balance["result"]["structuredContent"]["agent"], "test", "{balance}");
    let balance = call(&mut raw, "resources/read", json!({"uri": "wallet://balance"})).await?;
    assert!(balance["result"]["contents"].is_array(), "{balance}");
    assert_eq!(
        listed(&mut raw).await?,
        ["get_balance", "list_mints"],
        "the same once the wallet is open"
    );
    raw.hang_up().await
}

#[tokio::test]
async fn the_default_agents_tools_hold_for_those_that_are_not_named() -> Outcome {
    let home =
        home("[agents.default]\ntools = [\"estimate\"]\n[agents.other]\ntools = [\"pay\"]\n");
    let mut raw = Raw::initialized(source(&home)).await?;
    assert_eq!(listed(&mut raw).await?, ["estimate"]);
    raw.hang_up().await
}

#[tokio::test]
async fn settings_that_cannot_be_read_list_all_tools_and_let_none_of_them_work() -> Outcome {
    let home = home("[agents.test]\ntols = [\"get_balance\"]\n");
    let mut raw = Raw::initialized(source(&home)).await?;
    assert_eq!(listed(&mut raw).await?.len(), 13);
    let answer =
        call(&mut raw, "tools/call", json!({"name": "get_balance", "arguments": {}})).await?;
    let text = answer["result"]["content"][0]["text"].as_str().unwrap_or_default();
    assert!(text.contains("settings_invalid"), "{answer}");
    raw.hang_up().await
}

#[tokio::test]
async fn no_home_at_all_lists_all_tools_and_makes_nothing() -> Outcome {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("none");
    let environment = Environment { keyring_off: true, ..Environment::default() };
    let mut raw = Raw::initialized(App::new(environment, Some(path.clone()))).await?;
    assert_eq!(listed(&mut raw).await?.len(), 13);
    assert!(!path.exists());
    raw.hang_up().await
}

#[test]
fn the_command_line_is_no_way_around() {
    let home = home("[agents.cli]\ntools = [\"get_balance\"]\n");
    let mut command = binary::binary(&home);
    command.args(["list-history", "--json"]);
    let output = binary::run(command, "");
    let error: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (output.status.code(), &error["error"]),
        (Some(2), &json!("invalid_input")),
        "{error}"
    );
    assert_eq!(binary::json(&home, &["get-balance"])["agent"], "cli");
}
