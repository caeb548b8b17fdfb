//! The change of a payment whose answer was lost: it comes in from whichever of the mint's answers has it.

use serde_json::{Value, json};
use testbed::{Moment, Proxy, Rule};

use crate::world::{Agent, Home, conserved, fund, holdings, mint, sats};

/// Pays, with the answer lost, while the mint tells lies of this kind, and says what the payment came to.
async fn pay_while(what: &str, lie: impl Fn(&str, Value) -> Value + Send + Sync + 'static) -> Value {
    let (lightning, mint) = mint().await;
    let proxy = Proxy::start(&mint.url()).await.unwrap();
    let agent = Agent::open(Home::at(&[(&proxy.url(), true)])).await;
    fund(&agent, 1000).await;
    proxy.rewrite(lie);
    let rule = proxy.fail(Rule::new("POST", "/v1/melt/bolt11", Moment::AfterMint));
    let invoice = lightning.payee("shop").invoice(200, what).unwrap().to_string();
    let told = agent.ok("pay", json!({"to": invoice})).await;
    proxy.reached(rule).await;
    let ended = agent.ended(&told["payment_id"]).await;
    let melt = mint.auditor().melts().unwrap().remove(0);
    let mut changes = agent.wallet().await.changes();
    let ended = loop {
        let shown = agent.ended(&ended["payment_id"]).await;
        if holdings(&agent).await.pending == 0 && sats(&shown, "fee_sats") == melt.fee_sats {
            break shown;
        }
        changes.changed().await.unwrap();
    };
    assert!(melt.change_sats > 0, "{what}: there was change to lose");
    assert_eq!(ended["state"], "settled", "{what}: {ended}");
    conserved(what, &mint.auditor(), &[&agent]).await;
    ended
}

#[tokio::test]
async fn a_mint_that_restores_nothing_gives_the_change_with_the_quote() {
    pay_while("nothing is restored", |path, mut answer| {
        if path.ends_with("/v1/restore") {
            answer["outputs"] = json!([]);
            answer["signatures"] = json!([]);
        }
        answer
    })
    .await;
}

#[tokio::test]
async fn a_quote_without_change_leaves_it_to_the_restore() {
    pay_while("the quote has no change", |path, mut answer| {
        if path.contains("/v1/melt/") {
            answer["change"] = Value::Null;
        }
        answer
    })
    .await;
}
