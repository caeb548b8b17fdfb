//! The shared parts of the tests: homes on disk, agents with wallets, and the bench around them.

mod agent;
pub(crate) mod binary;
mod child;

pub(crate) use agent::{Agent, Failure};
pub(crate) use child::{Child, shim};
pub(crate) use testbed::harness::{Home, Limits, Settings};

use nutpurse::testing::config;
use serde_json::{Value, json};
use testbed::harness::{self, Client, Holdings};
use testbed::{Auditor, Lightning, MintOptions, Proxy, TestMint};

/// Reads a number from the environment, which asks for a longer run.
pub(crate) fn number(name: &str) -> Option<u64> {
    std::env::var(name)
        .ok()
        .map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is not a number")))
}

/// Starts a mint on a network of its own, whose deposits pay themselves.
pub(crate) async fn mint() -> (Lightning, TestMint) {
    mint_with(MintOptions::default()).await
}

/// Starts a mint with these options on a network of its own.
pub(crate) async fn mint_with(options: MintOptions) -> (Lightning, TestMint) {
    let lightning = Lightning::new();
    let mint = TestMint::start(&lightning, options).await.unwrap();
    (lightning, mint)
}

/// A wallet at this mint with so many sats in it.
pub(crate) async fn funded(mint: &TestMint, sats: u64) -> Agent {
    let agent = Agent::new([mint.url()]);
    fund(&agent, sats).await;
    agent
}

/// A mint behind a proxy, and a wallet there with so many sats in it.
pub(crate) async fn proxied(sats: u64) -> (Lightning, TestMint, Proxy, Agent) {
    let (lightning, mint) = mint().await;
    let proxy = Proxy::start(&mint.url()).await.unwrap();
    let agent = Agent::new([proxy.url()]);
    fund(&agent, sats).await;
    (lightning, mint, proxy, agent)
}

/// Puts sats into a wallet by a deposit that pays itself.
pub(crate) async fn fund(agent: &Agent, sats: u64) {
    Client::fund(agent, sats).await.unwrap();
}

/// Asks a wallet for its holdings.
pub(crate) async fn holdings(agent: &Agent) -> Holdings {
    agent.holds().await.unwrap()
}

/// Checks the law over all wallets of a mint and prints the sums by state.
pub(crate) async fn conserved(what: &str, mint: &Auditor, agents: &[&Agent]) -> Holdings {
    let held = harness::conserved(agents, || mint.outstanding().unwrap()).await;
    let sum = held.unwrap_or_else(|error| panic!("{what}: {error}"));
    println!("{what}: {sum:?}, which the mint owes");
    sum
}

/// Asks a wallet for the spendable and the pending sats at one mint.
pub(crate) async fn at_mint(agent: &Agent, url: &str) -> (u64, u64) {
    let balance = agent.ok("get_balance", json!({})).await;
    let here = balance["mints"].as_array().unwrap().iter().find(|mint| mint["mint"] == url);
    let here = here.unwrap_or_else(|| panic!("{url} in {balance}"));
    (sats(here, "spendable_sats"), sats(here, "pending_sats"))
}

/// The home as the program resolves it.
pub(crate) fn owned(home: &Home) -> config::Home {
    config::Home::resolve(Some(home.path()), &config::Environment::default()).unwrap()
}

/// A number in an answer.
pub(crate) fn sats(answer: &Value, field: &str) -> u64 {
    answer[field].as_u64().unwrap_or_else(|| panic!("{field} in {answer}"))
}

/// Asserts that an answer has these fields with these values; null where it must lack one.
#[track_caller]
pub(crate) fn has(answer: &Value, fields: Value) {
    has_for("", answer, fields);
}

/// Asserts the same, and names the case.
#[track_caller]
pub(crate) fn has_for(what: impl std::fmt::Display, answer: &Value, fields: Value) {
    let Value::Object(fields) = fields else { panic!("fields are an object") };
    for (name, value) in &fields {
        assert_eq!(&answer[name], value, "{what}: {name} in {answer}");
    }
}

/// The routes a mint was asked since the last look.
pub(crate) fn routes(mint: &TestMint) -> Vec<String> {
    mint.take_requests().iter().map(testbed::Request::route).collect()
}

/// Adds up the amounts and fees of the payments that a mint made, in sats.
pub(crate) fn paid_out(mint: &TestMint) -> u64 {
    mint.auditor().paid().unwrap().iter().map(|melt| melt.amount_sats + melt.fee_sats).sum()
}
