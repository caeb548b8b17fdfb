//! What a call waits for, and how long.

use serde_json::json;
use testbed::{Moment, Proxy, Rule};

use crate::world::{Agent, Home, fund, mint};

#[tokio::test]
async fn a_payment_that_is_being_planned_is_waited_for_and_never_called_unknown() {
    let (lightning, mint) = mint().await;
    let proxy = Proxy::start(&mint.url()).await.unwrap();
    let agent = Agent::open(Home::at(&[(&proxy.url(), true)])).await;
    fund(&agent, 500).await;
    let invoice = lightning.payee("shop").invoice(10, "lunch").unwrap();
    let (by_hash, by_key) = (json!({"payment_hash": invoice.payment_hash().to_string()}), json!({"idempotency_key": "lunch"}));
    for which in [&by_hash, &by_key] {
        agent.refused("get_payment", which.clone(), "not_found").await;
    }

    let held = proxy.fail(Rule::new("POST", "/v1/melt/quote/bolt11", Moment::HoldBefore));
    let pay = agent.start("pay", json!({"to": invoice.to_string(), "idempotency_key": "lunch"}));
    proxy.reached(held).await;
    let waits = agent.start("get_payment", json!({"payment_hash": invoice.payment_hash().to_string(), "wait_seconds": 40}));
    let (told, other) = (agent.call("get_payment", by_key.clone()), agent.named("other"));
    let (told, others) = tokio::join!(told, other.call("get_payment", by_hash.clone()));
    let told = told.unwrap_err();
    assert_eq!((told.code.as_str(), told.idempotency_key.as_deref()), ("mint_unreachable", Some("lunch")), "{told}");
    assert!(told.message.contains("still waits"), "{told}");
    assert_eq!(others.unwrap_err().code.as_str(), "not_found", "another agent learns nothing of it");

    proxy.release(held);
    assert_eq!(pay.await.unwrap().unwrap()["state"], "settled");
    assert_eq!(waits.await.unwrap().unwrap()["state"], "settled");
    for which in [by_hash, by_key] {
        assert_eq!(agent.ok("get_payment", which).await["state"], "settled");
    }
}
