//! A mint's keyset goes out of use at an awkward moment.

use serde_json::json;
use testbed::{Moment, Proxy, Rule};

use crate::world::{Agent, Home, conserved, mint};

#[tokio::test]
async fn a_deposit_whose_claim_was_lost_before_its_keyset_went_out_of_use_is_received() {
    let (_lightning, mint) = mint().await;
    let proxy = Proxy::start(&mint.url()).await.unwrap();
    let agent = Agent::open(Home::at(&[(&proxy.url(), true)])).await;
    let lost = proxy.fail(Rule::new("POST", "/v1/mint/bolt11", Moment::BeforeRequest));
    let deposit = agent.ok("deposit", json!({"amount_sats": 152})).await;
    proxy.reached(lost).await;
    mint.rotate_keyset(100).await.unwrap();
    let call = json!({"deposit_id": deposit["deposit_id"], "wait_seconds": 20});
    let told = agent.ok("get_deposit", call).await;
    assert_eq!((&told["state"], &told["received_sats"]), (&json!("received"), &json!(152)), "{told}");
    conserved("claimed with the new keyset", &mint.auditor(), &[&agent]).await;
}
