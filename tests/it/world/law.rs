//! The law that matters: what the wallets say they hold, by state, is what the mint owes.

use serde_json::json;
use testbed::Auditor;

use super::{Agent, sats};

/// What a wallet says it holds, in sats.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Holdings {
    pub(crate) spendable: u64,
    pub(crate) pending: u64,
    pub(crate) unclaimed: u64,
    pub(crate) incoming: u64,
}

impl Holdings {
    /// What the mint owes for.
    pub(crate) fn in_all(self) -> u64 {
        self.spendable + self.pending + self.unclaimed
    }
}

/// Asks the wallet.
pub(crate) async fn holdings(agent: &Agent) -> Holdings {
    let balance = agent.ok("get_balance", json!({})).await;
    Holdings {
        spendable: sats(&balance, "spendable_sats"),
        pending: sats(&balance, "pending_sats"),
        unclaimed: sats(&balance, "unclaimed_sats"),
        incoming: sats(&balance, "incoming_sats"),
    }
}

/// Checks the law over all wallets of a mint and prints the sums by state. Tolerance: none.
pub(crate) async fn conserved(what: &str, mint: &Auditor, agents: &[&Agent]) -> Holdings {
    let mut sum = Holdings::default();
    for agent in agents {
        let one = holdings(agent).await;
        sum.spendable += one.spendable;
        sum.pending += one.pending;
        sum.unclaimed += one.unclaimed;
        sum.incoming += one.incoming;
    }
    let owed = mint.outstanding().unwrap();
    println!("{what}: {sum:?}; the mint owes {owed}");
    assert_eq!(sum.spendable + sum.pending + sum.unclaimed, owed, "{what}: {sum:?}");
    sum
}

/// What one wallet holds at one mint, spendable and held back.
pub(crate) async fn at_mint(agent: &Agent, url: &str) -> (u64, u64) {
    let balance = agent.ok("get_balance", json!({})).await;
    let mints = balance["mints"].as_array().unwrap();
    let here = mints
        .iter()
        .find(|mint| mint["mint"] == url)
        .unwrap_or_else(|| panic!("{url} in {balance}"));
    (sats(here, "spendable_sats"), sats(here, "pending_sats"))
}
