//! The wallet on Nostr: one wallet on every device, whatever relays do.

mod about;
mod by_hand;
mod canary;
mod copies;
mod counts;
mod devices;
mod doctor;
mod elsewhere;
mod findings;
mod flood;
mod foreign;
mod hostile;
mod keys;
mod locks;
mod month;
mod nutzaps;
mod queue;
mod quotes;
mod recipients;
mod scale;
mod shown;
mod slow;
mod storm;
mod trial;
mod trouble;
mod unsound;
mod waiting;
mod year;
mod zaps;

use serde_json::{Value, json};
use testbed::{Relay, TestMint};

use crate::world::{Agent, Home, Settings, sats};

/// A throw-away Nostr key.
pub(crate) const KEY: &str = "1111111111111111111111111111111111111111111111111111111111111111";

/// A wallet of this Nostr key at a mint, on these relays.
pub(crate) fn device(mint: &TestMint, relays: &[&str], key: &str) -> Agent {
    Agent::with_nsec(
        Home::new(&Settings::at([mint.url()]).relays(relays.iter().copied())).unwrap(),
        key,
    )
}

/// Two devices of one key on one relay.
pub(crate) fn two(mint: &TestMint, relay: &Relay) -> (Agent, Agent) {
    (device(mint, &[relay.url()], KEY), device(mint, &[relay.url()], KEY))
}

/// Brings a device and the relays together.
pub(crate) async fn sync(agent: &Agent) -> Value {
    agent.ok("sync", json!({})).await
}

/// What a device can spend.
pub(crate) async fn spendable(agent: &Agent) -> u64 {
    sats(&agent.ok("get_balance", json!({})).await, "spendable_sats")
}
