//! Every answer to the questions by which a lost answer is made up for: what was signed (NUT-09),
//! what is spent (NUT-07), and the quote. Nothing is decided from any of them, and all comes in
//! afterwards.

use std::sync::Arc;

use serde_json::{Value, json};
use testbed::harness::NOBODY;
use testbed::{Moment, Rule};
use tokio::sync::watch;

use super::lane::{Lane, Told, tried};
use super::requests::Verb;
use crate::world::{holdings, sats};

/// Its method and its path.
type Question = (&'static str, &'static str);
const SIGNED: Question = ("POST", "/v1/restore");
const STATES: Question = ("POST", "/v1/checkstate");
const INVOICE: Question = ("GET", "/v1/mint/quote/bolt11/");
const PAYMENT: Question = ("GET", "/v1/melt/quote/bolt11/");

/// What was under way, what became of its request, and what is asked about it. A mint's no to a
/// payment is asked about, too.
type Asked = (Verb, Moment, Question);
pub(super) const ASKED: [Asked; 9] = [
    (Verb::Send, Moment::AfterMint, SIGNED),
    (Verb::Send, Moment::BeforeRequest, STATES),
    (Verb::Deposit, Moment::AfterMint, SIGNED),
    (Verb::Pay, Moment::AfterMint, SIGNED),
    (Verb::Pay, Moment::RefuseAfterMint(20_004), STATES),
    (Verb::Deposit, Moment::BeforeRequest, INVOICE),
    (Verb::Pay, Moment::AfterMint, PAYMENT),
    (Verb::SendLocked, Moment::BeforeRequest, SIGNED),
    (Verb::SendLocked, Moment::AfterMint, STATES),
];

async fn cell(lane: &Lane, (verb, moment, question): Asked, told: Told) -> String {
    let what = format!("{verb:?}, {moment:?}, {} answered {told:?}", question.1);
    let scene = lane.scene(600).await;
    let agent = &scene.agent;
    if (verb, question) == (Verb::Pay, SIGNED) {
        lane.proxy.rewrite(|path, mut answer| {
            if path.starts_with("/v1/melt/") {
                answer["change"] = Value::Null;
            }
            answer
        });
    }
    let (tell, mut asked) = watch::channel(None);
    let (proxy, rule) = (Arc::clone(&lane.proxy), told.instead(question.0, question.1, false));
    lane.proxy.fail(Rule::new("POST", verb.path(), moment).then(move || {
        tell.send_replace(Some(proxy.fail(rule.clone())));
    }));
    let name = match verb {
        Verb::Deposit => {
            let deposit = agent.ok("deposit", json!({"amount_sats": 64})).await;
            json!({"deposit_id": deposit["deposit_id"]})
        }
        Verb::Pay => {
            let invoice = lane.lightning.payee("shop").invoice(50, "once").unwrap();
            json!({"payment_id": agent.ok("pay", json!({"to": invoice.to_string()})).await["payment_id"]})
        }
        _ => {
            let mut request = json!({"amount_sats": 24});
            if verb == Verb::SendLocked {
                request["lock_to"] = json!(NOBODY);
            }
            json!({"payment_id": agent.ok("send_token", request).await["payment_id"]})
        }
    };
    // The first look makes the wallet ask, and the answer tells it nothing; so it asks again for
    // the second.
    let was_asked = async {
        let question = asked.wait_for(Option::is_some).await.unwrap().unwrap();
        lane.proxy.reached(question).await;
    };
    tokio::select! {
        biased;
        () = was_asked => {}
        end = scene.ended(&name, &what) => panic!("{what}: it was not asked: {end}"),
    }
    let end = scene.ended(&name, &what).await;
    scene.quiet(&what).await;
    lane.proxy.stop_rewriting();
    scene.conserved(&what).await;
    let held = holdings(agent).await;
    match verb {
        Verb::Deposit => assert_eq!(
            (end["state"].as_str(), held.spendable),
            (Some("received"), scene.before + 64),
            "{what}"
        ),
        Verb::Pay => {
            let cost = sats(&agent.ok("get_payment", name).await, "total_sats");
            assert_eq!(
                (end["state"].as_str(), held.spendable),
                (Some("settled"), scene.before - cost),
                "{what}"
            );
        }
        _ => assert_eq!((end["state"].as_str(), held.unclaimed), (Some("settled"), 24), "{what}"),
    }
    scene.end().await;
    end["state"].as_str().unwrap().to_owned()
}

/// The table of all questions.
pub(super) async fn table(asked: &[Asked], at: &str, lanes: &[Lane]) -> usize {
    let cells =
        asked.iter().flat_map(|asked| Told::ALL.iter().map(|told| (*asked, *told))).collect();
    tried(&format!("questions at {at}"), lanes, cells, async |lane, (asked, told)| {
        cell(lane, asked, told).await
    })
    .await
}
