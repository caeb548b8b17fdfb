//! A year of payments on three relays, one that forgets deletions and one that was away for its
//! last month: what a sync costs then, and that nothing waits for ever. `NUTPURSE_YEAR` says how
//! many payments; 50,000 are a year of a busy agent.

use std::time::Instant;

use nutpurse::testing::nostr::history_event::{self, HistoryDirection, NewHistoryEvent};
use nutpurse::testing::nostr::{Event, deletion, token_event};
use nutpurse::testing::wallet::core::clock;
use serde_json::{Value, json};
use testbed::{MintOptions, Relay};

use super::by_hand::{Press, live, me, nothing_waits, put};
use super::foreign::spend;
use super::{KEY, device, spendable};
use crate::world::{Agent, mint_with, number};

const YEAR: u64 = 365 * 86_400;
const MONTH: u64 = 30 * 86_400;

/// What a payment leaves on relays.
struct Traces {
    token: Event,
    gone: Event,
    line: Event,
}

/// Syncs until the relays that can be read are; prints what each sync took. What was said last.
async fn synced(what: &str, agent: &Agent, relays: &[&Relay]) -> Value {
    for time in 1..=12 {
        let before: Vec<_> = relays.iter().map(|relay| (relay.frames(), relay.bytes())).collect();
        let begun = Instant::now();
        // No caller: it may take as long as it takes.
        agent.wallet().await.relays().sync_quietly().await.unwrap();
        let took = begun.elapsed();
        for (relay, (frames, (heard, said))) in relays.iter().zip(before) {
            let (frames, bytes) = (relay.frames() - frames, relay.bytes());
            println!(
                "{what}, sync {time}: {took:.2?}; {frames} messages, {} bytes out, {} bytes in",
                bytes.0 - heard,
                bytes.1 - said
            );
        }
        let told = agent.ok("sync", json!({})).await;
        let done = told["relays"]
            .as_array()
            .unwrap()
            .iter()
            .all(|relay| relay["state"] == "synced" || relay["state"] == "unreachable");
        if done {
            return told;
        }
    }
    panic!("{what}: relays and wallet do not come together");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_year_of_payments_is_read_and_nothing_waits_for_ever() {
    let payments = number("NUTPURSE_YEAR").unwrap_or(200);
    let (lightning, mint) =
        mint_with(MintOptions { input_fee_ppk: 0, ..MintOptions::default() }).await;
    let (good, forgetful, away) = (
        Relay::start().await.unwrap(),
        Relay::start().await.unwrap(),
        Relay::start().await.unwrap(),
    );
    forgetful.rule(|rule| rule.forget_kind = Some(5));
    let coins = Press::of(&mint).bearer(100, 4).await;
    let (spent, kept) = coins.split_at(92);
    spend(&mint, spent).await;

    let (who, now) = (me(), clock::now());
    let at = |payment: u64| now - YEAR + payment * (YEAR - 600) / payments;
    let begun = Instant::now();
    let mut all: Vec<Traces> = Vec::new();
    let mut before: Vec<String> = Vec::new();
    for payment in 0..payments {
        let is_last = payment + 1 == payments;
        let paid = spent
            .iter()
            .cycle()
            .skip(usize::try_from(payment).unwrap() % spent.len())
            .take(usize::from(!is_last));
        let holds: Vec<_> = kept.iter().chain(paid).cloned().collect();
        let token =
            token_event::write(&who, &mint.url(), "sat", &holds, &before, at(payment)).unwrap();
        let gone = deletion::write(&who, &before, at(payment)).unwrap();
        let line = history_event::write(
            &who,
            &NewHistoryEvent::sats(HistoryDirection::Out, 1),
            at(payment),
        )
        .unwrap();
        before = vec![token.id().to_owned()];
        all.push(Traces { token, gone, line });
    }
    let there = all.iter().filter(|one| one.token.created_at() < now - MONTH).count();
    let on = |some: &[Traces], tokens: usize| -> Vec<Event> {
        let lines = some.iter().flat_map(|one| [one.gone.clone(), one.line.clone()]);
        lines.chain(some.iter().rev().take(tokens).map(|one| one.token.clone())).collect()
    };
    let (at_good, at_away, at_forgetful) = (on(&all, 1), on(&all[..there], 1), on(&all, all.len()));
    tokio::join!(put(&good, &at_good), put(&away, &at_away), put(&forgetful, &at_forgetful));
    println!(
        "{payments} payments, {} events, made and put in {:.2?}",
        at_forgetful.len(),
        begun.elapsed()
    );
    away.go_down().await.unwrap();

    let agent = device(&mint, &[good.url(), forgetful.url(), away.url()], KEY);
    let relays = [&good, &forgetful, &away];
    synced("cold", &agent, &relays).await;
    let owed = kept.len() as u64 * 4;
    assert_eq!(spendable(&agent).await, owed);
    let told = synced("warm", &agent, &relays).await;
    assert!(
        told["relays"][1]["note"].as_str().is_some_and(|note| note.contains("forgets deletions"))
            || payments < 2,
        "{told}"
    );
    let deletions = |relay: &Relay| relay.taken().iter().filter(|event| event["kind"] == 5).count();
    let at_first = deletions(&good);
    let shop = lightning.payee("shop");
    for sats in [1, 2, 3] {
        let to = shop.invoice(sats, "tea").unwrap().to_string();
        assert_eq!(agent.ok("pay", json!({"to": to})).await["state"], "settled");
        synced("after a payment", &agent, &relays).await;
    }
    assert!(deletions(&good) - at_first <= 8, "no relay is filled with deletions");
    away.come_up().await.unwrap();
    synced("with the third back", &agent, &relays).await;
    synced("again", &agent, &relays).await;
    assert_eq!(live(&away).len(), live(&good).len());
    let at_away = device(&mint, &[away.url()], KEY);
    synced("a new device there", &at_away, &[&away]).await;
    assert_eq!(spendable(&at_away).await, spendable(&agent).await);
    let fresh = device(&mint, &[good.url(), forgetful.url(), away.url()], KEY);
    synced("a new device", &fresh, &relays).await;
    assert_eq!(spendable(&fresh).await, spendable(&agent).await);
    nothing_waits(agent).await;
    nothing_waits(fresh).await;
}
