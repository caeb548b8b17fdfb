//! Answers that lie about what was done: whatever a mint, or something before it, answers to a
//! request, no coin is lost, none is spent twice, and the wallet tells the truth.
//!
//! Every answer is tried with the request carried out and with the request thrown away, for each
//! request that moves money; and for each question that makes up for a lost answer.
//! `NUTPURSE_NUTSHELL` names the program of an installed Nutshell, where the same is tried.

mod lane;
mod questions;
mod requests;
mod words;

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use nutpurse::testing::wallet::core::clock;
use serde_json::{Value, json};
use testbed::{Moment, Rule};

use lane::{Lane, Told};
use requests::Verb;

const MELT: &str = "/v1/melt/bolt11";
const PAYMENT: &str = "/v1/melt/quote/bolt11/";
/// Cells that are tried at once.
const BESIDE: usize = 6;
const CDK: &str = "cdk's mint";

async fn at_cdk(verb: Verb) {
    requests::table(verb, CDK, &Lane::at_cdk(BESIDE).await).await;
}

#[tokio::test]
async fn whatever_is_answered_to_a_claim_the_deposit_comes_in_once() {
    at_cdk(Verb::Deposit).await;
}

#[tokio::test]
async fn whatever_is_answered_to_a_tokens_swap_nothing_is_lost() {
    at_cdk(Verb::Send).await;
}

#[tokio::test]
async fn whatever_is_answered_to_a_locked_tokens_swap_nothing_is_lost() {
    at_cdk(Verb::SendLocked).await;
}

#[tokio::test]
async fn whatever_is_answered_to_a_received_tokens_swap_it_is_taken_once_or_still_good() {
    at_cdk(Verb::Receive).await;
}

#[tokio::test]
async fn whatever_is_answered_to_a_payment_it_is_made_at_most_once_and_rightly_told() {
    at_cdk(Verb::Pay).await;
}

#[tokio::test]
async fn whatever_is_answered_to_a_question_about_a_lost_answer_nothing_is_decided_from_it() {
    questions::table(&questions::ASKED, CDK, &Lane::at_cdk(BESIDE).await).await;
}

#[tokio::test]
async fn whatever_is_answered_to_a_restore_it_never_says_all_with_less_than_is_owed() {
    words::table(&words::ASKED, CDK, &Lane::at_cdk(2).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_answered_at_nutshell_the_same_holds() {
    let Some(program) = std::env::var_os("NUTPURSE_NUTSHELL") else {
        println!("skipped: NUTPURSE_NUTSHELL is not set");
        return;
    };
    // Fewer, since each takes its time to start.
    let (at, lanes) = ("Nutshell", Lane::at_nutshell(4, Path::new(&program)).await);
    let mut cells = 0;
    for verb in Verb::ALL {
        cells += requests::table(verb, at, &lanes).await;
    }
    // A slow mint: quotes are quotes anywhere, and a locked token is asked about as any other.
    cells += questions::table(&questions::ASKED[..5], at, &lanes).await;
    cells += words::table(&words::ASKED[..2], at, &lanes).await;
    println!("ok {cells} cells: conserved, at {at}");
}

/// One lane, and nothing beside it.
async fn alone() -> Lane {
    Lane::at_cdk(1).await.remove(0)
}

#[tokio::test]
async fn after_paid_no_other_answer_frees_a_coin() {
    let lane = alone().await;
    for later in ["UNPAID", "PENDING", "404"] {
        let scene = lane.scene(1_000).await;
        let asked = AtomicUsize::new(0);
        lane.proxy.rewrite(move |path, mut answer| {
            if path == MELT {
                answer["change"] = Value::Null;
            } else if path.starts_with(PAYMENT) && asked.fetch_add(1, Ordering::SeqCst) == 0 {
                answer["state"] = json!(later);
                answer["payment_preimage"] = Value::Null;
                answer["change"] = Value::Null;
            }
            answer
        });
        if later == "404" {
            lane.proxy.fail(Told::Answer(404, "").instead("GET", PAYMENT, false));
        }
        let invoice = lane.lightning.payee("shop").invoice(100, later).unwrap().to_string();
        let paid = scene.agent.ok("pay", json!({"to": invoice})).await;
        assert_eq!(paid["state"], "settled", "{paid}");
        // Until the change is in.
        scene.quiet(later).await;
        scene.conserved(later).await;
    }
}

#[tokio::test]
async fn a_payment_that_arrives_after_its_answer_said_no_is_never_made_twice() {
    let lane = alone().await;
    let status = |status| Rule::answer("POST", MELT, Moment::StatusThenDeliver, status, *b"busy");
    for (what, rule) in [
        ("429", status(429)),
        ("502", status(502)),
        ("a reset", Rule::new("POST", MELT, Moment::HoldThenDeliver)),
    ] {
        let scene = lane.scene(1_000).await;
        let rule = lane.proxy.fail(rule);
        let shop = lane.lightning.payee("shop");
        let invoice = shop.invoice(100, what).unwrap();
        let told = scene.agent.ok("pay", json!({"to": invoice.to_string()})).await;
        assert_eq!(
            (lane.proxy.fired(rule), told["state"].as_str()),
            (1, Some("pending")),
            "{what}: {told}"
        );
        // Nothing of what the request would spend is offered again.
        if what != "429" {
            let other = scene
                .agent
                .ok("pay", json!({"to": shop.invoice(110, "other").unwrap().to_string()}))
                .await;
            assert_eq!(other["state"], "settled", "{what}: {other}");
        }
        // 20 s later the mint has been asked, and the request arrives.
        let scene = scene.by(|| clock::now() + 20).await;
        scene.agent.wallet().await.recovery().settle().await.unwrap();
        let arrived = lane.proxy.deliver().await.unwrap();
        assert_eq!(arrived.first().map(|(status, _)| *status), Some(200), "{what}: {arrived:?}");
        let ended = scene.agent.ended(&told["payment_id"]).await;
        assert_eq!(ended["state"], "settled", "{what}: {ended}");
        scene.quiet(what).await;
        scene.conserved(what).await;
        assert!(lane.has_paid(&invoice.payment_hash().to_string()), "{what}");
    }
}
