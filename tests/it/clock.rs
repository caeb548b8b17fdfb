//! Time that passes, and a clock that jumps: what a limit of a day and a possible duplicate are
//! judged by.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use nutpurse::testing::wallet::core::clock;
use serde_json::json;
use testbed::{Behaviour, LnurlServer};

use crate::world::{Agent, Home, Limits, Settings, conserved, fund, mint, sats};

const DAY: u64 = 86_400;
const YEAR: u64 = 365 * DAY;

#[tokio::test]
async fn a_clock_that_was_once_a_year_ahead_fills_the_limit_for_a_day() {
    static AHEAD: AtomicU64 = AtomicU64::new(0);
    let by_this_clock = || clock::now() + AHEAD.load(Ordering::SeqCst);
    let (_lightning, mint) = mint().await;
    let agent = Agent::at(
        Arc::new(
            Home::new(
                &Settings::at([mint.url()]).limits(Limits { per_payment: 900, per_day: 1_000 }),
            )
            .unwrap(),
        ),
        by_this_clock,
    );
    fund(&agent, 5_000).await;
    let send = |sats: u64, memo: &str| json!({"amount_sats": sats, "memo": memo});

    AHEAD.store(YEAR, Ordering::SeqCst);
    agent.ok("send_token", send(850, "a year ahead")).await;
    AHEAD.store(0, Ordering::SeqCst);
    let refused = agent.refused("send_token", send(200, "right again"), "over_budget").await;
    assert!(
        refused.retry_after_seconds.is_some_and(|seconds| (DAY - 60..=DAY).contains(&seconds)),
        "{refused:?}"
    );
    AHEAD.store(DAY - 60, Ordering::SeqCst);
    let agent = Agent::at(agent.close().await, by_this_clock);
    agent.refused("send_token", send(200, "nearly a day later"), "over_budget").await;
    AHEAD.store(DAY + 1, Ordering::SeqCst);
    agent.ok("send_token", send(200, "a day later")).await;
    let left = sats(&agent.ok("get_balance", json!({})).await["limits"], "left_24h_sats");
    assert!((790..=800).contains(&left), "{left}");

    // When the clock comes to where it once was, the payment of that time does not count again.
    AHEAD.store(YEAR + 1, Ordering::SeqCst);
    agent.ok("send_token", send(850, "a year later")).await;
    conserved("a year", &mint.auditor(), &[&agent]).await;
}

#[tokio::test]
async fn a_clock_that_goes_back_and_ahead_again_frees_no_limit() {
    static BEHIND: AtomicU64 = AtomicU64::new(0);
    let by_this_clock = || clock::now() - BEHIND.load(Ordering::SeqCst);
    let (_lightning, mint) = mint().await;
    let mut agent = Agent::at(
        Arc::new(
            Home::new(
                &Settings::at([mint.url()]).limits(Limits { per_payment: 900, per_day: 1_000 }),
            )
            .unwrap(),
        ),
        by_this_clock,
    );
    fund(&agent, 5_000).await;
    agent.ok("send_token", json!({"amount_sats": 850})).await;
    for behind in [3 * DAY, 0, DAY + 5, 0, 10 * YEAR, 60] {
        BEHIND.store(behind, Ordering::SeqCst);
        agent = Agent::at(agent.close().await, by_this_clock);
        agent.refused("send_token", json!({"amount_sats": 200}), "over_budget").await;
    }
}

#[tokio::test]
async fn a_payment_that_failed_at_first_looks_alike_from_when_it_was_made() {
    static AHEAD: AtomicU64 = AtomicU64::new(0);
    let (lightning, mint) = mint().await;
    let server = LnurlServer::start(&lightning).await.unwrap();
    let home = Home::new(&Settings::at([mint.url()]).allow([server.url()])).unwrap();
    let agent = Agent::at(Arc::new(home), || clock::now() + AHEAD.load(Ordering::SeqCst));
    fund(&agent, 1_000).await;
    let unnamed = json!({"to": server.address("alice"), "amount_sats": 100});
    let named =
        json!({"to": server.address("alice"), "amount_sats": 100, "idempotency_key": "lunch"});

    lightning.on_next(Behaviour::Fail);
    agent.refused("pay", named.clone(), "route_not_found").await;
    AHEAD.store(11 * 60, Ordering::SeqCst);
    let paid = agent.ok("pay", named).await;
    assert_eq!(paid["state"], "settled", "{paid}");
    AHEAD.store(11 * 60 + 5, Ordering::SeqCst);
    let refused = agent.refused("pay", unnamed.clone(), "possible_duplicate").await;
    assert_eq!(json!(refused.payment_id), paid["payment_id"]);
    assert_eq!(server.received(), 100);
    // Ten minutes after it was made an equal payment is another one.
    AHEAD.store(22 * 60, Ordering::SeqCst);
    agent.ok("pay", unnamed).await;
    assert_eq!(server.received(), 200);
    conserved("twice on purpose", &mint.auditor(), &[&agent]).await;
}
