//! Answers of every shape: what is not needed may be missing, null, extra or of another type; what
//! is needed and cannot be read is told so, and nothing is lost by it.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use testbed::{Moment, Proxy, Rule, TestMint};

use super::listed;
use crate::world::{Agent, conserved, fund, has_for, holdings, mint, sats};

/// What stands in place of a member.
fn odd() -> Vec<Option<Value>> {
    let values = [
        json!(null),
        json!("x"),
        json!(""),
        json!(-1),
        json!(1.5),
        json!(u64::MAX),
        json!([]),
        json!({}),
        json!([null]),
        json!(true),
    ];
    std::iter::once(None).chain(values.map(Some)).collect()
}

/// Replaces the members of `answer` at `place` (names and numbers between slashes) by `value`;
/// `None` takes them out.
fn spoil(answer: &mut Value, place: &str, value: Option<&Value>) {
    let (around, name) = place.rsplit_once('/').unwrap();
    match (answer.pointer_mut(around), value) {
        (Some(Value::Object(members)), Some(value)) => {
            drop(members.insert(name.to_owned(), value.clone()))
        }
        (Some(Value::Object(members)), None) => drop(members.remove(name)),
        (Some(Value::Array(list)), value) => {
            if let Some(member) = name.parse::<usize>().ok().and_then(|at| list.get_mut(at)) {
                *member = value.cloned().unwrap_or_default();
            }
        }
        _ => {}
    }
}

/// A path, a member of its answer, and what stands there instead; `None`: nothing.
type Spoiled = (String, String, Option<Value>);

/// A mint behind a proxy whose answers on one path can be spoiled.
struct Odd {
    mint: TestMint,
    lightning: testbed::Lightning,
    proxy: Proxy,
    spoiled: Arc<Mutex<Option<Spoiled>>>,
}

impl Odd {
    async fn new() -> Self {
        let (lightning, mint) = mint().await;
        let proxy = Proxy::start(&mint.url()).await.unwrap();
        let spoiled = Arc::new(Mutex::new(None::<(String, String, Option<Value>)>));
        let now = Arc::clone(&spoiled);
        proxy.rewrite(move |path, mut answer| {
            if let Some((of, place, value)) = now.lock().unwrap().as_ref()
                && path.starts_with(of.as_str())
            {
                spoil(&mut answer, place, value.as_ref());
            }
            answer
        });
        Self { mint, lightning, proxy, spoiled }
    }

    fn spoil(&self, path: &str, place: &str, value: Option<Value>) {
        *self.spoiled.lock().unwrap() = Some((path.to_owned(), place.to_owned(), value));
    }

    fn honest(&self) {
        *self.spoiled.lock().unwrap() = None;
    }

    async fn wallet(&self) -> Agent {
        Agent::new([self.proxy.url()])
    }
}

#[tokio::test]
async fn whatever_a_mint_says_of_itself_it_can_be_used() {
    let odd_mint = Odd::new().await;
    let rows = [
        ("/nuts/4/methods", Some(json!([["bolt11", "sat"], ["bolt11", "usd"]]))),
        ("/nuts/15", Some(json!([{"method": "bolt11", "unit": "sat", "mpp": true}]))),
        ("/nuts", None),
        ("/nuts", Some(json!(null))),
        ("/nuts", Some(json!([]))),
        ("/version", Some(json!("0.16.5"))),
        ("/nuts/4/methods/0/max_amount", Some(json!("500000"))),
        ("/nuts/5/methods/0/min_amount", Some(json!("1"))),
        ("/nuts/5/methods", Some(json!(null))),
        ("/name", Some(json!(7))),
        ("/pubkey", Some(json!(""))),
        ("/contact", Some(json!("me"))),
        ("/time", Some(json!("noon"))),
        ("/more", Some(json!({"a": [1, 2]}))),
        ("/nuts/12", Some(json!("yes"))),
    ];
    for (place, value) in rows {
        odd_mint.spoil("/v1/info", place, value.clone());
        let agent = odd_mint.wallet().await;
        fund(&agent, 20).await;
        let view = listed(&agent).await;
        assert_eq!(view["reachable"], true, "{place} {value:?}: {view}");
        assert_eq!(sats(&view, "spendable_sats"), 20, "{place} {value:?}: {view}");
        assert_eq!(
            view.get("untrusted_name").is_some(),
            place != "/name",
            "{place} {value:?}: {view}"
        );
        if place == "/nuts/4/methods/0/max_amount" {
            assert_eq!(view["deposit"]["max_sats"], 500_000, "{view}");
        }
    }
    odd_mint.honest();
    for moment in [Moment::BeforeRequest, Moment::Garbage, Moment::Status(404), Moment::Status(500)]
    {
        let rule = odd_mint.proxy.fail(Rule::new("GET", "/v1/info", moment).every());
        fund(&odd_mint.wallet().await, 20).await;
        assert!(odd_mint.proxy.fired(rule) > 0, "{moment:?}");
        odd_mint.proxy.clear();
    }
}

#[tokio::test]
async fn keysets_keys_and_quotes_of_any_shape_are_told_rightly_and_lose_nothing() {
    const KEYSETS: &str = "/v1/keysets";
    let odd_mint = Odd::new().await;
    let places = [
        (KEYSETS, "/keysets"),
        (KEYSETS, "/keysets/0"),
        (KEYSETS, "/keysets/0/id"),
        (KEYSETS, "/keysets/0/unit"),
        (KEYSETS, "/keysets/0/active"),
        (KEYSETS, "/keysets/0/final_expiry"),
        ("/v1/keys/", "/keysets"),
        ("/v1/keys/", "/keysets/0/id"),
        ("/v1/keys/", "/keysets/0/keys"),
        ("/v1/keys/", "/keysets/0/keys/1"),
        ("/v1/keys/", "/keysets/0/input_fee_ppk"),
        ("/v1/mint/quote/bolt11/", "/quote"),
        ("/v1/mint/quote/bolt11", "/request"),
        ("/v1/mint/quote/bolt11", "/state"),
        ("/v1/mint/quote/bolt11", "/expiry"),
        ("/v1/mint/quote/bolt11", "/amount_paid"),
        ("/v1/mint/bolt11", "/signatures"),
        ("/v1/mint/bolt11", "/signatures/0/C_"),
    ];
    let (mut came_in, mut refused) = (0, 0);
    let mut agents = Vec::new();
    for (path, place) in places {
        let agent = odd_mint.wallet().await;
        for value in odd() {
            odd_mint.spoil(path, place, value.clone());
            let told = match agent.call("deposit", json!({"amount_sats": 4})).await {
                Ok(made) => {
                    agent.ok("get_deposit", json!({"deposit_id": made["deposit_id"]})).await
                }
                Err(error) => {
                    assert!(
                        ["mint_refused", "mint_unreachable"].contains(&error.code.as_str()),
                        "{path} {place} {value:?}: {error}"
                    );
                    assert!(
                        !error.message.contains("did not answer"),
                        "{path} {place} {value:?}: {error}"
                    );
                    refused += 1;
                    continue;
                }
            };
            came_in += u32::from(told["state"] == "received");
        }
        agents.push(agent);
    }
    println!("{came_in} came in at once, {refused} were refused");
    assert!(came_in > 50 && refused > 50);
    odd_mint.honest();
    let mut later = Vec::new();
    for agent in agents {
        fund(&agent, 4).await;
        let agent = Agent::two_minutes_later(agent.close().await);
        let mut changes = agent.wallet().await.changes();
        let deposits = agent.ok("list_history", json!({"kind": "deposit", "limit": 100})).await;
        for entry in deposits["entries"].as_array().unwrap() {
            let told = agent.deposit_within(&entry["id"], 10).await;
            assert_eq!(told["state"], "received", "{told}");
        }
        changes.mark_unchanged();
        later.push(agent);
    }
    conserved(
        "deposits of every shape",
        &odd_mint.mint.auditor(),
        &later.iter().collect::<Vec<_>>(),
    )
    .await;
}

#[tokio::test]
async fn payments_swaps_and_states_of_any_shape_are_told_rightly_and_lose_nothing() {
    let odd_mint = Odd::new().await;
    let agent = odd_mint.wallet().await;
    fund(&agent, 60_000).await;
    let shop = odd_mint.lightning.payee("shop");
    let places = [
        ("/v1/melt/quote/bolt11", "/quote"),
        ("/v1/melt/quote/bolt11", "/amount"),
        ("/v1/melt/quote/bolt11", "/fee_reserve"),
        ("/v1/melt/quote/bolt11", "/expiry"),
        ("/v1/melt/quote/bolt11", "/state"),
        ("/v1/melt/bolt11", "/quote"),
        ("/v1/melt/bolt11", "/state"),
        ("/v1/melt/bolt11", "/payment_preimage"),
        ("/v1/melt/bolt11", "/change"),
        ("/v1/melt/bolt11", "/change/0/amount"),
        ("/v1/melt/bolt11", "/expiry"),
    ];
    let (mut settled, mut pending, mut refused) = (0, 0, 0);
    for (at, (path, place)) in places.into_iter().enumerate() {
        let mut open = Vec::new();
        for (number, value) in odd().into_iter().enumerate() {
            // A quote that the mint does not know under the name that it gave can never be looked
            // up.
            if (path, place) == ("/v1/melt/quote/bolt11", "/quote")
                && value.as_ref().is_some_and(Value::is_string)
            {
                continue;
            }
            odd_mint.spoil(path, place, value.clone());
            // Each of another amount: none looks like a repeat of one that is undecided.
            let amount = 7 + (at * 20 + number) as u64;
            let invoice = shop.invoice(amount, "a thing").unwrap().to_string();
            match agent.call("pay", json!({"to": invoice})).await {
                Ok(told) if told["state"] == "settled" => settled += 1,
                Ok(told) => {
                    assert_eq!(told["state"], "pending", "{path} {place} {value:?}: {told}");
                    open.push(told["payment_id"].clone());
                    pending += 1;
                }
                Err(error) => {
                    let codes = ["mint_refused", "fee_too_high", "insufficient_funds"];
                    assert!(
                        codes.contains(&error.code.as_str()),
                        "{path} {place} {value:?}: {error}"
                    );
                    refused += 1;
                }
            }
        }
        odd_mint.honest();
        for payment in open {
            assert_eq!(agent.ended(&payment).await["state"], "settled", "{path} {place}");
        }
    }
    for place in ["/states", "/states/0", "/states/0/state", "/states/0/Y"] {
        let token = agent.ok("send_token", json!({"amount_sats": 3, "memo": place})).await;
        for value in odd() {
            odd_mint.spoil("/v1/checkstate", place, value.clone());
            let told = agent.payment(&token["payment_id"]).await;
            has_for(
                format!("{place} {value:?}"),
                &told,
                json!({"claimed": false, "state": "settled"}),
            );
        }
    }
    println!("{settled} settled, {pending} pending, {refused} refused");
    assert!(settled > 40 && pending > 10 && refused > 10);
    odd_mint.honest();
    let agent = Agent::two_minutes_later(agent.close().await);
    let mut changes = agent.wallet().await.changes();
    let books = odd_mint.mint.auditor();
    while holdings(&agent).await.all() != books.outstanding().unwrap() {
        tokio::time::timeout(std::time::Duration::from_secs(60), changes.changed())
            .await
            .expect("all change comes in")
            .unwrap();
    }
    conserved("payments of every shape", &books, &[&agent]).await;
}
