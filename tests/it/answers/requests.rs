//! Every answer to each request that moves money, with the request carried out and with the request
//! thrown away.

use serde_json::{Value, json};
use testbed::harness::NOBODY;

use super::lane::{LONGEST, Lane, Scene, Told, tried};
use crate::world::{Failure, holdings};

/// What a request is part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Deposit,
    Send,
    SendLocked,
    Receive,
    Pay,
}

impl Verb {
    pub(super) const ALL: [Self; 5] =
        [Self::Deposit, Self::Send, Self::SendLocked, Self::Receive, Self::Pay];

    pub(super) fn path(self) -> &'static str {
        match self {
            Self::Deposit => "/v1/mint/bolt11",
            Self::Send | Self::SendLocked | Self::Receive => "/v1/swap",
            Self::Pay => "/v1/melt/bolt11",
        }
    }
}

/// What is called, and under which name its record is asked for.
struct Called {
    told: Result<Value, Failure>,
    name: Value,
    /// Of a payment.
    hash: Option<String>,
}

async fn call(verb: Verb, scene: &Scene<'_>, token: &Value) -> Called {
    let agent = &scene.agent;
    let (mut name, mut hash) = (json!({"idempotency_key": "k"}), None);
    let told = match verb {
        Verb::Deposit => {
            let deposit = agent.ok("deposit", json!({"amount_sats": 64})).await;
            name = json!({"deposit_id": deposit["deposit_id"]});
            agent.call("get_deposit", name.clone()).await
        }
        Verb::Send => {
            agent.call("send_token", json!({"amount_sats": 24, "idempotency_key": "k"})).await
        }
        Verb::SendLocked => {
            agent
                .call(
                    "send_token",
                    json!({"amount_sats": 21, "lock_to": NOBODY, "idempotency_key": "k"}),
                )
                .await
        }
        Verb::Receive => {
            let told = agent.call("receive_token", json!({"token": token})).await;
            name =
                told.as_ref().map_or(Value::Null, |told| json!({"payment_id": told["receive_id"]}));
            told
        }
        Verb::Pay => {
            let invoice = scene.lane.lightning.payee("shop").invoice(50, "once").unwrap();
            hash = Some(invoice.payment_hash().to_string());
            name = json!({"payment_hash": hash});
            agent.call("pay", json!({"to": invoice.to_string()})).await
        }
    };
    Called { told, name, hash }
}

/// One cell of the table. What was told at once, and what is told in the end.
async fn cell(lane: &Lane, verb: Verb, answer: Told, carried_out: bool) -> String {
    let what = format!(
        "{verb:?}, {answer:?}, {}",
        if carried_out { "carried out" } else { "thrown away" }
    );
    let scene = lane.scene(600).await;
    let gift = if verb == Verb::Receive { lane.gift(32).await } else { Value::Null };
    let rule = lane.proxy.fail(answer.instead("POST", verb.path(), carried_out));
    let Called { told, name, hash } = call(verb, &scene, &gift["token"]).await;
    tokio::time::timeout(LONGEST, lane.proxy.reached(rule))
        .await
        .unwrap_or_else(|_| panic!("{what}: {} was never asked", verb.path()));
    lane.proxy.clear();
    let paid = || hash.as_ref().is_some_and(|hash| lane.has_paid(hash));
    match &told {
        Err(error) => assert!(!paid(), "{what}: paid, and told as {error}"),
        Ok(told) => assert!(
            told["state"] != "settled" || hash.is_none() || paid(),
            "{what}: not paid, and told as {told}"
        ),
    }
    let scene = scene.later().await;
    let end = match &told {
        Err(_) => "refused".to_owned(),
        Ok(_) => scene.ended(&name, &what).await["state"].as_str().unwrap().to_owned(),
    };
    scene.quiet(&what).await;
    scene.conserved(&what).await;
    rightly_told(&what, verb, &scene, &told, &end, paid()).await;
    if verb == Verb::Receive && end != "received" {
        let back = lane.friend.ok("reclaim_token", json!({"payment_id": gift["payment_id"]})).await;
        assert_eq!(back["state"], "returned", "{what}: the token is good");
    }
    scene.end().await;
    told.map_or_else(
        |_| end.clone(),
        |told| format!("{}, then {end}", told["state"].as_str().unwrap()),
    )
}

/// What was told at once is never taken back, and what is told in the end is so.
async fn rightly_told(
    what: &str,
    verb: Verb,
    scene: &Scene<'_>,
    told: &Result<Value, Failure>,
    end: &str,
    paid: bool,
) {
    let held = holdings(&scene.agent).await;
    if let Ok(told) = told {
        let state = told["state"].as_str().unwrap();
        assert!(
            ["pending", "paid", "unpaid", end].contains(&state),
            "{what}: {state}, and then {end}"
        );
    }
    match (verb, end) {
        (Verb::Deposit, "received") => assert_eq!(held.spendable, scene.before + 64, "{what}"),
        (Verb::Send, "settled") => {
            let token =
                scene.agent.ok("get_payment", json!({"idempotency_key": "k"})).await["token"]
                    .clone();
            let taken = scene.lane.friend.ok("receive_token", json!({"token": token})).await;
            assert_eq!(
                (held.unclaimed, taken["state"].as_str()),
                (24, Some("received")),
                "{what}: the token is good"
            );
            scene.conserved(what).await;
        }
        (Verb::SendLocked, "settled") => assert_eq!(held.unclaimed, 21, "{what}"),
        (Verb::Receive, "received") => assert!(held.spendable > scene.before, "{what}"),
        (Verb::Pay, "settled") => assert!(paid && held.spendable <= scene.before - 50, "{what}"),
        (Verb::Send | Verb::SendLocked | Verb::Receive | Verb::Pay, "refused" | "failed") => {
            assert_eq!((held.unclaimed, paid), (0, false), "{what}");
            // What was swapped away from a dead payment has cost the mint's fee.
            assert!(
                held.spendable == scene.before || end == "failed" && held.spendable < scene.before,
                "{what}: {held:?}"
            );
        }
        (_, end) => panic!("{what}: ended as {end}"),
    }
}

/// The table of one verb.
pub(super) async fn table(verb: Verb, at: &str, lanes: &[Lane]) -> usize {
    let cells = Told::ALL.iter().flat_map(|told| [(*told, true), (*told, false)]).collect();
    tried(&format!("{verb:?} at {at}"), lanes, cells, async |lane, (told, carried_out)| {
        cell(lane, verb, told, carried_out).await
    })
    .await
}
