//! The owner's limits, judged by the mint's own list of what it paid.

use futures::future::{join_all, select_all};
use nutpurse::testing::config::edit::Edit;
use nutpurse::testing::policy::SomeLimits;
use serde_json::{Value, json};
use testbed::{Behaviour, Lightning, MintOptions, TestMint};

use crate::world::{
    Agent, Failure, Home, Limits, Settings, conserved, fund, has, mint, mint_with, owned, paid_out,
    sats,
};

async fn limited(mint: &TestMint, per_payment: u64, per_day: u64) -> Agent {
    let settings = Settings::at([mint.url()]).limits(Limits { per_payment, per_day });
    let agent = Agent::open(Home::new(&settings).unwrap());
    fund(&agent, 2_000).await;
    agent
}

fn invoice(lightning: &Lightning, sats: u64) -> Value {
    json!({"to": lightning.payee("shop").invoice(sats, "a thing").unwrap().to_string()})
}

async fn left(agent: &Agent) -> u64 {
    sats(&agent.ok("get_balance", json!({})).await["limits"], "left_24h_sats")
}

fn details(refusal: &Failure) -> (u64, u64, u64) {
    let of = |name: &str| {
        refusal
            .details
            .get(name)
            .and_then(Value::as_u64)
            .unwrap_or_else(|| panic!("{name} in {:?}", refusal.details))
    };
    (of("limit_sats"), of("asked_sats"), of("left_sats"))
}

async fn payments(agent: &Agent) -> u64 {
    let history = agent.ok("list_history", json!({"kind": "payment"})).await;
    sats(&history["totals"], "count")
}

#[tokio::test]
async fn forty_payments_in_parallel_never_pass_the_limit_of_a_day() {
    let (lightning, mint) = mint().await;
    let agent = limited(&mint, 50, 100).await;
    let pays = (0..40).map(|_| agent.start("pay", invoice(&lightning, 5)));
    let (mut paid, mut refused) = (0, 0);
    for pay in join_all(pays).await {
        match pay.unwrap() {
            Ok(_) => paid += 1,
            Err(error) => {
                assert_eq!(error.code.as_str(), "over_budget", "{error}");
                let (limit, asked, left) = details(&error);
                assert!(limit == 100 && asked >= 5 && left < asked, "{:?}", error.details);
                refused += 1;
            }
        }
    }
    let out = paid_out(&mint);
    println!("{paid} paid, {refused} refused, {out} sats out");
    assert!(out <= 100 && paid >= 10 && paid + refused == 40);
    let limits = agent.ok("get_balance", json!({})).await["limits"].clone();
    has(&limits, json!({"spent_24h_sats": out, "left_24h_sats": 100 - out}));
    conserved("forty asked for", &mint.auditor(), &[&agent]).await;
}

#[tokio::test]
async fn a_pause_in_the_middle_of_forty_payments_lets_none_begin_after_it() {
    let (lightning, mint) = mint().await;
    let agent = limited(&mint, 50, 1_000).await;
    let shop = lightning.payee("shop");
    let invoices: Vec<_> =
        (0..40).map(|n| shop.invoice(5, &format!("number {n}")).unwrap()).collect();
    let pays: Vec<_> = invoices
        .iter()
        .map(|invoice| agent.start("pay", json!({"to": invoice.to_string()})))
        .collect();
    select_all(
        invoices.iter().map(|invoice| Box::pin(lightning.attempted(invoice.payment_hash()))),
    )
    .await;
    Edit::paused(&owned(&agent.home()), true).unwrap().commit(false).unwrap();
    // What was being admitted at that moment is written before this is.
    agent.ok("deposit", json!({"amount_sats": 1})).await;
    let begun = payments(&agent).await;

    let answers: Vec<_> = join_all(pays).await.into_iter().map(Result::unwrap).collect();
    let stopped = answers
        .iter()
        .filter(|answer| {
            answer.as_ref().is_err_and(|error| error.code.as_str() == "spending_paused")
        })
        .count();
    let paid = answers.iter().filter(|answer| answer.is_ok()).count();
    println!("{begun} had begun, {paid} paid, {stopped} stopped");
    assert_eq!(payments(&agent).await, begun, "none begins after the pause");
    assert!(stopped > 0 && paid + stopped == 40 && paid as u64 == begun, "{answers:?}");
    assert_eq!(shop.received(), paid as u64 * 5);
    for (tool, arguments) in
        [("pay", invoice(&lightning, 1)), ("send_token", json!({"amount_sats": 1}))]
    {
        agent.refused(tool, arguments, "spending_paused").await;
    }
    Edit::paused(&owned(&agent.home()), false).unwrap().commit(true).unwrap();
    agent.ok("pay", invoice(&lightning, 5)).await;
}

#[tokio::test]
async fn one_payment_is_limited_and_says_by_how_much() {
    let (lightning, mint) = mint().await;
    let agent = limited(&mint, 50, 100).await;
    for (tool, arguments) in
        [("pay", invoice(&lightning, 51)), ("send_token", json!({"amount_sats": 51}))]
    {
        let refusal = agent.refused(tool, arguments, "over_payment_limit").await;
        assert_eq!(details(&refusal), (50, 51, 100));
        assert!(refusal.next_step.contains("Do not split it"), "{}", refusal.next_step);
    }
    assert_eq!(agent.ok("estimate", invoice(&lightning, 51)).await["code"], "over_payment_limit");
    agent.ok("pay", invoice(&lightning, 50)).await;
    assert_eq!(left(&agent).await, 100 - paid_out(&mint));
}

#[tokio::test]
async fn a_lower_limit_holds_at_once_and_a_higher_one_by_hand_only_after_a_restart() {
    let (lightning, mint) = mint().await;
    let agent = limited(&mint, 50, 1_000).await;
    let (url, home) = (mint.url(), agent.home());
    let within = |per_payment| {
        let limits = Limits { per_payment, per_day: 1_000 };
        home.configure(&Settings::at([&url]).limits(limits)).unwrap();
    };
    agent.ok("pay", invoice(&lightning, 20)).await;

    within(10);
    let refusal = agent.refused("pay", invoice(&lightning, 20), "over_payment_limit").await;
    assert_eq!(details(&refusal).0, 10);
    within(60);
    agent.refused("pay", invoice(&lightning, 20), "over_payment_limit").await;

    let agent = Agent::reopen(agent.close().await);
    agent.ok("pay", invoice(&lightning, 60)).await;
    agent.refused("pay", invoice(&lightning, 61), "over_payment_limit").await;
}

#[tokio::test]
async fn a_higher_limit_that_a_person_confirmed_holds_at_once() {
    let (lightning, mint) = mint().await;
    let agent = limited(&mint, 10, 1_000).await;
    agent.refused("pay", invoice(&lightning, 20), "over_payment_limit").await;
    let change = SomeLimits { per_payment_sats: Some(20), ..SomeLimits::default() };
    Edit::limits(&owned(&agent.home()), &change).unwrap().commit(true).unwrap();
    agent.ok("pay", invoice(&lightning, 20)).await;
    agent.refused("pay", invoice(&lightning, 21), "over_payment_limit").await;
}

#[tokio::test]
async fn a_fee_above_the_ceiling_is_refused_with_its_numbers() {
    let (lightning, mint) =
        mint_with(MintOptions { fee_reserve_percent: 10, ..MintOptions::default() }).await;
    let agent = limited(&mint, 1_000, 5_000).await;
    let refusal = agent.refused("pay", invoice(&lightning, 200), "fee_too_high").await;
    let (limit, asked, left) = details(&refusal);
    assert!((5..=10).contains(&limit) && asked >= 20 && left == 5_000, "{:?}", refusal.details);
    assert_eq!(agent.ok("estimate", invoice(&lightning, 200)).await["code"], "fee_too_high");

    let mut own = invoice(&lightning, 20);
    own["max_fee_sats"] = json!(0);
    let refusal = agent.refused("pay", own, "fee_too_high").await;
    assert_eq!(details(&refusal).0, 0);
    assert_eq!(paid_out(&mint), 0);
    conserved("nothing paid", &mint.auditor(), &[&agent]).await;
}

#[tokio::test]
async fn tokens_count_against_the_day_and_taking_one_back_gives_nothing_back() {
    let (_lightning, mint) = mint().await;
    let agent = limited(&mint, 100, 100).await;
    let token = agent.ok("send_token", json!({"amount_sats": 60})).await;
    let after = left(&agent).await;
    assert_eq!(after, 40 - sats(&token, "fee_sats"));
    agent.refused("send_token", json!({"amount_sats": 41}), "over_budget").await;
    let back = agent.ok("reclaim_token", json!({"payment_id": token["payment_id"]})).await;
    assert_eq!(back["state"], "returned");
    assert!(left(&agent).await <= after);
    let refusal = agent.refused("send_token", json!({"amount_sats": 41}), "over_budget").await;
    let (limit, asked, left) = details(&refusal);
    assert!(limit == 100 && asked == 41 && left <= after);
    assert!(
        refusal.retry_after_seconds.is_some_and(|seconds| seconds > 86_000 && seconds <= 86_400),
        "{refusal:?}"
    );
}

#[tokio::test]
async fn a_definite_failure_gives_its_reserve_back_once() {
    let (lightning, mint) = mint().await;
    let agent = limited(&mint, 100, 100).await;
    let shop = lightning.payee("shop").invoice(60, "no way there").unwrap();
    lightning.set_behaviour_of(shop.payment_hash(), Behaviour::Fail);
    for _ in 0..3 {
        agent.refused("pay", json!({"to": shop.to_string()}), "route_not_found").await;
        assert_eq!(left(&agent).await, 100);
    }
    agent.ok("pay", invoice(&lightning, 30)).await;
    assert_eq!(left(&agent).await, 100 - paid_out(&mint));
    let refusal = agent.refused("pay", invoice(&lightning, 80), "over_budget").await;
    assert_eq!(details(&refusal), (100, 80, 100 - paid_out(&mint)));
    conserved("three failures and a payment", &mint.auditor(), &[&agent]).await;
}
