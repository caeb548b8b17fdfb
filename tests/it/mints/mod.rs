//! Mints as they are: what they charge, what they lack, what they say of themselves, and how they
//! answer.

mod fees;
mod lacking;
mod shapes;
mod told;

use serde_json::{Value, json};

use crate::world::Agent;

/// The first mint of `list_mints`.
async fn listed(agent: &Agent) -> Value {
    agent.ok("list_mints", json!({})).await["mints"][0].clone()
}
