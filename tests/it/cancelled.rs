//! A caller that leaves while its payment is under way: the payment goes on, and the wallet
//! remembers that nobody heard of it.

use serde_json::{Value, json};
use testbed::{Moment, Payee, Proxy, Rule, RuleId, TestMint};

use crate::pipe::{Outcome, Raw};
use crate::world::{Agent, conserved, fund, mint};

struct Scene {
    mint: TestMint,
    proxy: Proxy,
    agent: Agent,
    shop: Payee,
    held: RuleId,
    hash: String,
    raw: Raw,
}

/// A session in the middle of a `pay`, request 7, whose melt the mint has done and not yet
/// answered.
async fn in_the_middle_of_a_payment() -> Result<Scene, Box<dyn std::error::Error>> {
    let (lightning, mint) = mint().await;
    let proxy = Proxy::start(&mint.url()).await?;
    let agent = Agent::new([proxy.url()]).named("test");
    fund(&agent, 1_000).await;
    let held = proxy.fail(Rule::new("POST", "/v1/melt/bolt11", Moment::HoldAfter));
    let shop = lightning.payee("shop");
    let invoice = shop.invoice(5, "a coffee")?;
    let mut raw = Raw::initialized(agent.source()).await?;
    let params = json!({"name": "pay", "arguments": {"to": invoice.to_string()}});
    raw.send(
        json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params}).to_string(),
    )
    .await?;
    proxy.reached(held).await;
    let hash = invoice.payment_hash().to_string();
    Ok(Scene { mint, proxy, agent, shop, held, hash, raw })
}

/// The payment settles, and one like it is for a person to allow.
async fn is_in_doubt(scene: &Scene) {
    scene.proxy.release(scene.held);
    let paid = scene
        .agent
        .ok("get_payment", json!({"payment_hash": scene.hash, "wait_seconds": 30}))
        .await;
    assert_eq!(paid["state"], "settled", "{paid}");
    let again = scene.shop.invoice(5, "a coffee").unwrap().to_string();
    let error = scene.agent.refused("pay", json!({"to": again}), "possible_duplicate").await;
    assert_eq!(error.details.get("person_only"), Some(&Value::Bool(true)), "{error}");
    assert_eq!(scene.shop.received(), 5);
    conserved("a payment whose caller left", &scene.mint.auditor(), &[&scene.agent]).await;
}

#[tokio::test]
async fn a_cancelled_payment_goes_on_and_is_in_doubt() -> Outcome {
    let mut scene = in_the_middle_of_a_payment().await?;
    let cancel = json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 7, "reason": "impatient"}});
    scene.raw.send(cancel.to_string()).await?;
    scene.raw.is_alive().await?;
    is_in_doubt(&scene).await;
    scene.raw.is_alive().await?;
    scene.raw.hang_up().await
}

#[tokio::test]
async fn a_payment_whose_session_has_ended_goes_on_and_is_in_doubt() -> Outcome {
    let mut scene = in_the_middle_of_a_payment().await?;
    let raw = std::mem::replace(&mut scene.raw, Raw::new(scene.agent.source()));
    raw.hang_up().await?;
    is_in_doubt(&scene).await;
    Ok(())
}

#[tokio::test]
async fn a_payment_whose_caller_heard_of_it_is_not_in_doubt() -> Outcome {
    let mut scene = in_the_middle_of_a_payment().await?;
    scene.proxy.release(scene.held);
    let answer = scene.raw.next().await?;
    assert_eq!(
        (&answer["id"], &answer["result"]["structuredContent"]["state"]),
        (&json!(7), &json!("settled")),
        "{answer}"
    );
    let again = scene.shop.invoice(5, "a coffee")?.to_string();
    assert_eq!(scene.agent.ok("pay", json!({"to": again})).await["state"], "settled");
    Ok(())
}

#[tokio::test]
async fn a_wallet_whose_opening_was_cancelled_opens_for_the_next_call() -> Outcome {
    let (_lightning, mint) = mint().await;
    for _ in 0..5 {
        let agent = Agent::new([mint.url()]);
        let mut raw = Raw::initialized(agent.source()).await?;
        let ask = |id: u32| json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {"name": "get_balance", "arguments": {}}});
        raw.send(ask(1).to_string()).await?;
        raw.send(json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}}).to_string()).await?;
        raw.send(ask(2).to_string()).await?;
        let mut answer = raw.next().await?;
        if answer["id"] == 1 {
            answer = raw.next().await?;
        }
        assert_eq!(answer["result"]["structuredContent"]["money"], "play", "{answer}");
        raw.hang_up().await?;
        agent.close().await;
    }
    Ok(())
}
