//! Deposits that are told on relays: paid, and claimed by whoever has the wallet's key.

use nutpurse::testing::nostr::{Event, quote_event};
use serde_json::{Value, json};
use testbed::{Lightning, MintOptions, Moment, Proxy, Relay, Rule, TestMint};

use super::by_hand::{agreed, me};
use super::{KEY, device, spendable, sync};
use crate::restore::{restored, words};
use crate::world::{Agent, Home, Settings, conserved, mint_with};

/// A mint whose deposits are paid by whoever wants to.
async fn unpaid_mint() -> (Lightning, TestMint) {
    mint_with(MintOptions { auto_pay: None, ..MintOptions::default() }).await
}

/// A deposit that relays were told of; its id and its invoice.
async fn told(agent: &Agent, sats: u64) -> (Value, String) {
    let deposit = agent.ok("deposit", json!({"amount_sats": sats})).await;
    sync(agent).await;
    (deposit["deposit_id"].clone(), deposit["bolt11"].as_str().unwrap().to_owned())
}

fn of_kind(relay: &Relay, kind: u64) -> Vec<Event> {
    let all = relay.taken().into_iter().filter(|event| event["kind"] == kind);
    all.map(|event| Event::read(&event.to_string()).unwrap()).collect()
}

/// The quotes that a relay still shows.
fn open_quotes(relay: &Relay) -> usize {
    let gone: Vec<String> = of_kind(relay, 5)
        .iter()
        .flat_map(|event| event.tag_values("e").map(str::to_owned).collect::<Vec<_>>())
        .collect();
    of_kind(relay, 7_374).iter().filter(|event| !gone.contains(&event.id().to_owned())).count()
}

async fn received(agent: &Agent, deposit: &Value) -> Value {
    agent.deposit_within(&deposit, 30).await
}

#[tokio::test]
async fn a_deposit_that_was_paid_and_not_claimed_comes_back_from_the_words_alone() {
    let (lightning, mint) = unpaid_mint().await;
    let relay = Relay::start().await.unwrap();
    let home = || Home::new(&Settings::at([mint.url()]).relays([relay.url()])).unwrap();
    let agent = Agent::open(home());
    let (_, invoice) = told(&agent, 100).await;
    let lost = agent.close().await;
    lightning.pay(&invoice.parse().unwrap()).unwrap();
    let event = &of_kind(&relay, 7_374)[0];
    assert!(
        event.tag_values("mint").next() == Some(&mint.url())
            && event.tag_values("expiration").next().is_some()
    );
    let again = home();
    restored(&again, &words(&lost));
    let agent = Agent::open(again);
    sync(&agent).await;
    assert_eq!(conserved("the deposit is back", &mint.auditor(), &[&agent]).await.spendable, 100);
    // The sync after the one that has found it claimed deletes it at the latest.
    agreed(&agent).await;
    agreed(&agent).await;
    assert_eq!(open_quotes(&relay), 0, "what is claimed is deleted");
}

#[tokio::test]
async fn a_deposit_is_told_sealed_and_deleted_once_it_is_received() {
    let (lightning, mint) = unpaid_mint().await;
    let relay = Relay::start().await.unwrap();
    let agent = device(&mint, &[relay.url()], KEY);
    let (deposit, invoice) = told(&agent, 30).await;
    let [event] = of_kind(&relay, 7_374).try_into().unwrap();
    let quote = quote_event::read(&me(), &event).unwrap();
    assert!(quote.key.is_some() && !event.json().contains(quote.quote_id.reveal()));
    sync(&agent).await;
    assert_eq!(of_kind(&relay, 7_374).len(), 1, "once");
    lightning.pay(&invoice.parse().unwrap()).unwrap();
    assert_eq!(received(&agent, &deposit).await["state"], "received");
    sync(&agent).await;
    let deletions = of_kind(&relay, 5);
    let of_quotes: Vec<&Event> =
        deletions.iter().filter(|event| event.tag_values("k").any(|kind| kind == "7374")).collect();
    assert_eq!((of_quotes.len(), open_quotes(&relay)), (1, 0));
    // A relay that shows it still makes nobody claim it again.
    relay.rule(|rule| rule.resurrect = true);
    let other = device(&mint, &[relay.url()], KEY);
    for agent in [&agent, &other, &agent, &other] {
        sync(agent).await;
    }
    let owed = mint.auditor().outstanding().unwrap();
    assert_eq!((spendable(&agent).await, spendable(&other).await, owed), (30, 30, 30));
}

#[tokio::test]
async fn a_deposit_that_another_device_has_claimed_is_no_dispute() {
    let (lightning, mint) = unpaid_mint().await;
    let relay = Relay::start().await.unwrap();
    // Two devices of one Nostr key whose words differ: neither can find what the mint has signed
    // for the other.
    let (a, b) = (device(&mint, &[relay.url()], KEY), device(&mint, &[relay.url()], KEY));
    let (deposit, invoice) = told(&a, 50).await;
    let off = a.close().await;
    lightning.pay(&invoice.parse().unwrap()).unwrap();
    let told = sync(&b).await;
    assert_eq!(spendable(&b).await, 50, "{told}");
    let a = Agent::reopen(off);
    let shown = received(&a, &deposit).await;
    assert!(
        shown["state"] == "received"
            && shown["next_step"].as_str().unwrap().contains("Another device"),
        "{shown}"
    );
    sync(&a).await;
    sync(&b).await;
    assert_eq!(
        (spendable(&a).await, spendable(&b).await, mint.auditor().outstanding().unwrap()),
        (50, 50, 50)
    );
}

#[tokio::test]
async fn of_two_devices_that_claim_at_once_one_gets_it_and_neither_loses_it() {
    let (lightning, mint) = unpaid_mint().await;
    let (relay, proxy) = (Relay::start().await.unwrap(), Proxy::start(&mint.url()).await.unwrap());
    let home = || Home::new(&Settings::at([proxy.url()]).relays([relay.url()])).unwrap();
    let (a, b) = (Agent::with_nsec(home(), KEY), Agent::with_nsec(home(), KEY));
    let (deposit, invoice) = told(&a, 50).await;
    lightning.pay(&invoice.parse().unwrap()).unwrap();
    // The first claim is on its way while the second one is made and answered.
    let held = proxy.fail(Rule::new("POST", "/v1/mint/bolt11", Moment::HoldBefore));
    let waiting = a.start("get_deposit", json!({"deposit_id": deposit, "wait_seconds": 30}));
    proxy.reached(held).await;
    sync(&b).await;
    assert_eq!(spendable(&b).await, 50);
    proxy.release(held);
    assert_eq!(waiting.await.unwrap().unwrap()["state"], "received");
    sync(&a).await;
    sync(&b).await;
    assert_eq!(
        (spendable(&a).await, spendable(&b).await, mint.auditor().outstanding().unwrap()),
        (50, 50, 50)
    );
}
