//! The world of a test: homes on disk, agents that hold wallets in them, and the bench around.

mod agent;
pub(crate) mod binary;
mod child;
mod home;
mod law;

pub(crate) use agent::{Agent, Failure};
pub(crate) use child::ChildAgent;
pub(crate) use home::Home;
pub(crate) use law::{at_mint, conserved, holdings};

use serde_json::{Value, json};
use testbed::{Lightning, MintOptions, TestMint};

/// A number in the environment, by which a longer run is asked for.
pub(crate) fn number(name: &str) -> Option<u64> {
    std::env::var(name)
        .ok()
        .map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is not a number")))
}

/// A mint on a network of its own, whose deposits pay themselves.
pub(crate) async fn mint() -> (Lightning, TestMint) {
    mint_with(MintOptions::default()).await
}

/// The same, otherwise.
pub(crate) async fn mint_with(options: MintOptions) -> (Lightning, TestMint) {
    let lightning = Lightning::new();
    let mint = TestMint::start(&lightning, options).await.unwrap();
    (lightning, mint)
}

/// A wallet at this mint with so many sats in it.
pub(crate) async fn funded(mint: &TestMint, sats: u64) -> Agent {
    let agent = Agent::open(Home::at(&[(&mint.url(), true)])).await;
    fund(&agent, sats).await;
    agent
}

/// Puts sats into a wallet, by a deposit that pays itself.
pub(crate) async fn fund(agent: &Agent, sats: u64) {
    let deposit = agent.ok("deposit", json!({"amount_sats": sats})).await;
    let received = agent
        .ok("get_deposit", json!({"deposit_id": deposit["deposit_id"], "wait_seconds": 30}))
        .await;
    assert_eq!(received["state"], "received", "{received}");
}

/// A number in an answer.
pub(crate) fn sats(answer: &Value, field: &str) -> u64 {
    answer[field].as_u64().unwrap_or_else(|| panic!("{field} in {answer}"))
}

/// The routes a mint was asked since the last look.
pub(crate) fn routes(mint: &TestMint) -> Vec<String> {
    mint.take_requests().iter().map(testbed::Request::route).collect()
}

/// What left by the mint's own list: amount and fee of every payment that it made.
pub(crate) fn paid_out(mint: &TestMint) -> u64 {
    let melts = mint.auditor().melts().unwrap();
    melts
        .iter()
        .filter(|melt| melt.state == "PAID")
        .map(|melt| melt.amount_sats + melt.fee_sats)
        .sum()
}
