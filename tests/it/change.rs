//! The change of a payment whose answer was lost, or came before the change: it comes in from
//! whichever of the mint's answers has it.

use std::time::Duration;

use serde_json::{Value, json};
use testbed::{Moment, Rule};

use crate::world::{conserved, holdings, proxied, sats};

/// How long nothing may happen before the payment has ended.
const PATIENCE: Duration = Duration::from_secs(10);

/// What becomes of the answer to the payment's own request.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Answer {
    Lost,
    Comes,
}

/// Pays while the mint tells lies of this kind, and says what the payment came to.
async fn pay_while(
    what: &str,
    answer: Answer,
    lie: impl Fn(&str, Value) -> Value + Send + Sync + 'static,
) -> Value {
    let (lightning, mint, proxy, agent) = proxied(1000).await;
    proxy.rewrite(lie);
    let rule = (answer == Answer::Lost)
        .then(|| proxy.fail(Rule::new("POST", "/v1/melt/bolt11", Moment::AfterMint)));
    let invoice = lightning.payee("shop").invoice(200, what).unwrap().to_string();
    let told = agent.ok("pay", json!({"to": invoice})).await;
    if let Some(rule) = rule {
        proxy.reached(rule).await;
    }
    let ended = agent.ended(&told["payment_id"]).await;
    let melt = mint.auditor().melts().unwrap().remove(0);
    assert!(melt.change_sats > 0, "{what}: there was change to lose");
    let mut changes = agent.wallet().await.changes();
    let ended = loop {
        let shown = agent.ended(&ended["payment_id"]).await;
        if holdings(&agent).await.pending == 0 && sats(&shown, "fee_sats") == melt.fee_sats {
            break shown;
        }
        tokio::time::timeout(PATIENCE, changes.changed())
            .await
            .unwrap_or_else(|_| panic!("{what}: {shown}, and {melt:?}"))
            .unwrap();
    };
    assert_eq!(ended["state"], "settled", "{what}: {ended}");
    conserved(what, &mint.auditor(), &[&agent]).await;
    ended
}

#[tokio::test]
async fn a_mint_that_restores_nothing_gives_the_change_with_the_quote() {
    pay_while("nothing is restored", Answer::Lost, |path, mut answer| {
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
    pay_while("the quote has no change", Answer::Lost, |path, mut answer| {
        if path.contains("/v1/melt/") {
            answer["change"] = Value::Null;
        }
        answer
    })
    .await;
}

/// What a mint answers between the two writes in which it ends a payment: the quote is paid, and
/// its change not signed yet.
#[tokio::test]
async fn a_payment_answered_before_its_change_was_signed_gets_it_afterwards() {
    pay_while("the answer has no change", Answer::Comes, |path, mut answer| {
        if path == "/v1/melt/bolt11" {
            answer["change"] = Value::Null;
        }
        answer
    })
    .await;
}

#[tokio::test]
async fn a_payment_answered_with_an_empty_list_of_change_gets_it_afterwards() {
    pay_while("the answer's change is empty", Answer::Comes, |path, mut answer| {
        if path == "/v1/melt/bolt11" {
            answer["change"] = json!([]);
        }
        answer
    })
    .await;
}

#[tokio::test]
async fn a_payment_whose_mint_never_names_its_change_gets_it_from_the_restore() {
    pay_while("no answer has change", Answer::Comes, |path, mut answer| {
        if path.contains("/v1/melt/") {
            answer["change"] = Value::Null;
        }
        answer
    })
    .await;
}
