//! A request that was thought lost reaches the mint late.

use serde_json::json;
use testbed::{Moment, Proxy, Rule};

use crate::world::{Agent, conserved, fund, mint};

#[tokio::test]
async fn a_swap_on_its_way_is_not_given_up_because_its_repeat_was_turned_away() {
    let (_lightning, mint) = mint().await;
    let proxy = Proxy::start(&mint.url()).await.unwrap();
    let agent = Agent::new([proxy.url()]);
    let friend = Agent::new([proxy.url()]);
    fund(&agent, 10).await;
    fund(&friend, 100).await;
    let token = friend.ok("send_token", json!({"amount_sats": 21})).await;

    let held = proxy.fail(Rule::new("POST", "/v1/swap", Moment::HoldThenDeliver));
    let busy = proxy.fail(Rule::new("POST", "/v1/swap", Moment::Status(429)).nth(2));
    let taken = agent.ok("receive_token", json!({"token": token["token"]})).await;
    assert_eq!((taken["state"].as_str(), proxy.fired(held)), (Some("pending"), 1), "{taken}");
    proxy.reached(busy).await;
    let agent = Agent::reopen(agent.close().await);
    let told = agent.payment(&taken["receive_id"]).await;
    assert_ne!(told["final"], true, "the first request may yet arrive: {told}");

    assert_eq!(proxy.deliver().await.unwrap()[0].0, 200, "it arrives");
    let ended = agent.ended(&taken["receive_id"]).await;
    assert_eq!(ended["state"], "received", "{ended}");
    friend.payment(&token["payment_id"]).await;
    conserved("received late", &mint.auditor(), &[&agent, &friend]).await;
}
