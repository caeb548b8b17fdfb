//! A mint's keyset goes out of use at an awkward moment, its fee rises, or it is one of many.

use serde_json::{Value, json};
use testbed::harness::NOBODY;
use testbed::{Behaviour, KeysetLie, Liar, Lie, MintOptions, Moment, Proxy, Rule};

use crate::world::{Agent, conserved, fund, has, holdings, mint, mint_with, proxied, sats};

/// How often this was asked for.
fn asked(proxy: &Proxy, method: &str, path: &str) -> usize {
    proxy.count(|one| one.method == method && one.path.starts_with(path))
}

#[tokio::test]
async fn a_deposit_whose_claim_was_lost_before_its_keyset_went_out_of_use_is_received() {
    let (_lightning, mint) = mint().await;
    let proxy = Proxy::start(&mint.url()).await.unwrap();
    let agent = Agent::new([proxy.url()]);
    let lost = proxy.fail(Rule::new("POST", "/v1/mint/bolt11", Moment::BeforeRequest));
    let deposit = agent.ok("deposit", json!({"amount_sats": 152})).await;
    proxy.reached(lost).await;
    mint.rotate_keyset(100).await.unwrap();
    let call = json!({"deposit_id": deposit["deposit_id"], "wait_seconds": 20});
    let told = agent.ok("get_deposit", call).await;
    has(&told, json!({"state": "received", "received_sats": 152}));
    conserved("claimed with the new keyset", &mint.auditor(), &[&agent]).await;
}

#[tokio::test]
async fn change_that_is_never_signed_becomes_part_of_the_fee() {
    // At this fee small proofs cost more than they are worth: the inputs exceed what is needed.
    let dear = MintOptions { input_fee_ppk: 1_000, ..MintOptions::default() };
    let (lightning, mint) = mint_with(dear).await;
    let agent = Agent::new([mint.url()]);
    fund(&agent, 64).await;
    let invoice = lightning.payee("shop").invoice(20, "held").unwrap();
    lightning.set_behaviour_of(invoice.payment_hash(), Behaviour::Pending);
    let call = agent.start("pay", json!({"to": invoice.to_string()}));
    lightning.attempted(invoice.payment_hash()).await;
    mint.rotate_keyset(1_000).await.unwrap();
    lightning.settle(invoice.payment_hash());
    let told = call.await.unwrap().unwrap();
    let mut shown = agent.ended(&told["payment_id"]).await;
    assert_eq!(shown["state"], "settled", "{shown}");
    let melt = mint.auditor().melts().unwrap().remove(0);
    assert!(melt.change_sats == 0 && melt.fee_sats > 1, "the mint kept the change: {melt:?}");
    assert!(sats(&shown, "fee_sats") < melt.fee_sats, "the change is still expected: {shown}");

    // Each start asks once.
    let mut agent = agent;
    for _ in 0..25 {
        agent = Agent::two_minutes_later(agent.close().await);
        agent.wallet().await.recovery().settle().await.unwrap();
        shown = agent.ended(&told["payment_id"]).await;
        if sats(&shown, "fee_sats") == melt.fee_sats {
            break;
        }
    }
    assert_eq!(sats(&shown, "fee_sats"), melt.fee_sats, "{shown}");
    assert!(!agent.wallet().await.recovery().has_open().await, "nothing is asked any more");
    conserved("the mint kept the change", &mint.auditor(), &[&agent]).await;
}

#[tokio::test]
async fn a_token_whose_keyset_goes_out_of_use_with_no_other_in_use_leaves_nothing_behind() {
    let (_lightning, mint, proxy, agent) = proxied(1_000).await;
    let send = json!({"amount_sats": 37, "lock_to": NOBODY, "idempotency_key": "k"});
    proxy.fail(Rule::new("POST", "/v1/swap", Moment::Refuse(12_002)));
    proxy.rewrite(|path, mut answer| {
        if path == "/v1/keysets" {
            answer["keysets"]
                .as_array_mut()
                .unwrap()
                .iter_mut()
                .for_each(|one| one["active"] = json!(false));
        }
        answer
    });
    let refused = agent.refused("send_token", send.clone(), "mint_refused").await;
    assert_eq!(refused.details.get("nut_code"), Some(&json!(12_002)), "{refused:?}");
    let held = holdings(&agent).await;
    assert_eq!((held.spendable, held.pending), (1_000, 0), "the coins are free");
    assert!(!agent.wallet().await.recovery().has_open().await, "nothing is under way");
    // Nothing is left in the journal that would ask the mint again.
    let agent = Agent::two_minutes_later(agent.close().await);
    agent.wallet().await.recovery().settle().await.unwrap();
    assert_eq!(asked(&proxy, "POST", "/v1/swap"), 1);

    proxy.stop_rewriting();
    let made = agent.ok("send_token", send).await;
    assert_eq!(
        (&made["state"], asked(&proxy, "POST", "/v1/swap")),
        (&json!("settled"), 2),
        "{made}"
    );
    conserved("made at last", &mint.auditor(), &[&agent]).await;
}

#[tokio::test]
async fn a_fee_that_was_raised_is_learnt_at_the_first_refusal() {
    for tool in ["send_token", "receive_token", "pay"] {
        let dear =
            MintOptions { input_fee_ppk: 1_000, keyset_version_0: true, ..MintOptions::default() };
        let (lightning, mint) = mint_with(dear).await;
        let proxy = Proxy::start(&mint.url()).await.unwrap();
        let liar = Liar::before(&proxy);
        liar.tell(Lie::Keysets(KeysetLie::Fee(0)));
        let [agent, friend] = [(); 2].map(|()| Agent::new([proxy.url()]));
        fund(&agent, 500).await;
        fund(&friend, 64).await;
        let call = match tool {
            "send_token" => json!({"amount_sats": 37, "lock_to": NOBODY}),
            // All that there is goes as it is, whatever the fee.
            "receive_token" => {
                json!({"token": friend.ok("send_token", json!({"amount_sats": 64})).await["token"]})
            }
            _ => json!({"to": lightning.payee("shop").invoice(100, "a fee").unwrap().to_string()}),
        };
        liar.stop();
        let before = asked(&proxy, "GET", "/v1/keysets");
        let refused = agent.refused(tool, call.clone(), "mint_refused").await;
        assert_eq!(refused.details.get("nut_code"), Some(&json!(11_005)), "{tool}: {refused:?}");
        assert_eq!(
            (holdings(&agent).await.spendable, asked(&proxy, "GET", "/v1/keysets")),
            (500, before + 1),
            "{tool}"
        );
        let done = agent.ok(tool, call).await;
        assert_ne!(done["state"], "pending", "{tool}: {done}");
        assert_eq!(asked(&proxy, "GET", "/v1/keysets"), before + 1, "{tool}");
        if tool == "receive_token" {
            friend.ok("list_history", json!({})).await;
            let sent = friend.ok("list_history", json!({"kind": "token_sent"})).await["entries"][0]
                ["id"]
                .clone();
            friend.payment(&sent).await;
        }
        conserved(tool, &mint.auditor(), &[&agent, &friend]).await;
    }
}

#[tokio::test]
async fn of_many_keysets_only_the_keys_that_are_needed_are_fetched() {
    const MANY: u64 = 300;
    let (lightning, mint) = mint().await;
    let proxy = Proxy::start(&mint.url()).await.unwrap();
    proxy.rewrite(|path, mut answer| {
        if path == "/v1/keysets" {
            let more = (0..MANY).map(|number| json!({"id": format!("00{number:014x}"), "unit": "usd", "active": true, "input_fee_ppk": 0}));
            answer["keysets"].as_array_mut().unwrap().extend(more);
        }
        answer
    });
    let [agent, friend] = [(); 2].map(|()| Agent::new([proxy.url()]));
    fund(&agent, 500).await;
    agent
        .ok(
            "pay",
            json!({"to": lightning.payee("shop").invoice(100, "one of many").unwrap().to_string()}),
        )
        .await;
    let token = agent.ok("send_token", json!({"amount_sats": 37, "memo": "one of many"})).await;
    friend.ok("receive_token", json!({"token": token["token"]})).await;
    agent.payment(&token["payment_id"]).await;
    let keys: Vec<Value> = proxy
        .exchanges()
        .iter()
        .filter(|one| one.path.starts_with("/v1/keys"))
        .map(|one| json!(one.path))
        .collect();
    // For each of the two wallets: the list, and the keys of the one keyset that it uses.
    assert_eq!(
        (keys.len(), keys.iter().filter(|path| **path == json!("/v1/keysets")).count()),
        (4, 2),
        "{keys:?}"
    );
    conserved("one of many", &mint.auditor(), &[&agent, &friend]).await;
}
