//! What a wallet keeps when it has been used for long, and what it still finds.

use nutpurse::testing::app::open_store;
use nutpurse::testing::wallet::core::clock;
use serde_json::{Value, json};
use testbed::MintOptions;

use crate::world::{Agent, conserved, fund, funded, has, mint, mint_with, owned, sats};

#[tokio::test]
async fn an_invoice_that_ran_out_a_week_ago_comes_in_when_somebody_asks_for_it() {
    let (lightning, mint) =
        mint_with(MintOptions { auto_pay: None, ..MintOptions::default() }).await;
    let agent = Agent::new([mint.url()]);
    let deposit = agent.ok("deposit", json!({"amount_sats": 100})).await;
    let agent = Agent::at(agent.close().await, || clock::now() + 9 * 86_400);
    let asked = json!({"deposit_id": deposit["deposit_id"]});
    assert_eq!(agent.ok("get_deposit", asked.clone()).await["state"], "expired");
    let home = agent.close().await;
    let store = open_store(&owned(&home)).await.unwrap();
    assert!(store.open_deposits().await.unwrap().is_empty(), "nothing asks about it by itself");
    store.close().await;

    lightning.pay(&deposit["bolt11"].as_str().unwrap().parse().unwrap()).unwrap();
    let agent = Agent::at(home, || clock::now() + 9 * 86_400);
    let received = agent.deposit_within(&deposit["deposit_id"], 20).await;
    has(&received, json!({"state": "received", "received_sats": 100}));
    conserved("paid late", &mint.auditor(), &[&agent]).await;
}

/// All entries that are asked for, page by page, and the totals, which are the same on each page.
async fn pages(agent: &Agent, request: &Value) -> (Vec<Value>, Value) {
    let (mut request, mut entries) = (request.clone(), Vec::new());
    let totals = agent.ok("list_history", request.clone()).await["totals"].clone();
    loop {
        let page = agent.ok("list_history", request.clone()).await;
        entries.extend(page["entries"].as_array().unwrap().iter().cloned());
        assert_eq!(page["totals"], totals, "{request}");
        match page.get("next_cursor") {
            Some(cursor) => request["cursor"] = cursor.clone(),
            None => return (entries, totals),
        }
    }
}

#[tokio::test]
async fn pages_and_groups_add_up_to_the_totals() {
    let (lightning, mint) = mint().await;
    let (agent, friend) = (funded(&mint, 1_000).await, funded(&mint, 500).await);
    let other = agent.named("other");
    for sats in [7, 30] {
        let invoice = lightning.payee("shop").invoice(sats, "a thing").unwrap().to_string();
        agent.ok("pay", json!({"to": invoice})).await;
    }
    fund(&other, 50).await;
    for (sats, claimed) in [(20, true), (21, false)] {
        let token = agent.ok("send_token", json!({"amount_sats": sats})).await;
        if claimed {
            friend.ok("receive_token", json!({"token": token["token"]})).await;
        } else {
            agent.ok("reclaim_token", json!({"payment_id": token["payment_id"]})).await;
        }
    }
    let gift = friend.ok("send_token", json!({"amount_sats": 64})).await;
    other.ok("receive_token", json!({"token": gift["token"]})).await;

    let today = &clock::rfc3339(clock::now()).unwrap()[..10].to_owned();
    let asked = [
        json!({}),
        json!({"direction": "in"}),
        json!({"direction": "out"}),
        json!({"kind": "payment"}),
        json!({"kind": "token_reclaimed"}),
        json!({"since": "24h"}),
        json!({"since": today, "until": today}),
        json!({"until": "2020-01-01"}),
    ];
    for request in asked {
        let whole = json!({"limit": 500})
            .as_object()
            .unwrap()
            .iter()
            .chain(request.as_object().unwrap())
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        let (all, totals) = pages(&agent, &Value::Object(whole)).await;
        for limit in [2, 3] {
            let mut request = request.clone();
            request["limit"] = json!(limit);
            assert_eq!(pages(&agent, &request).await, (all.clone(), totals.clone()), "{request}");
        }
        // All of it has succeeded, so every entry counts.
        let sum = |field: &str, direction: &str| -> u64 {
            all.iter()
                .filter(|entry| direction.is_empty() || entry["direction"] == direction)
                .map(|entry| sats(entry, field))
                .sum()
        };
        let told = ["in_sats", "out_sats", "fee_sats", "count"].map(|field| sats(&totals, field));
        assert_eq!(
            told,
            [
                sum("amount_sats", "in"),
                sum("amount_sats", "out"),
                sum("fee_sats", ""),
                all.len() as u64
            ],
            "{request}"
        );
        for by in ["day", "kind", "mint", "payee", "agent"] {
            let mut request = request.clone();
            request["summary_by"] = json!(by);
            let summed = agent.ok("list_history", request.clone()).await;
            let groups = summed["groups"].as_array().unwrap();
            let of = |field: &str| groups.iter().map(|group| sats(group, field)).sum::<u64>();
            assert_eq!(
                ["in_sats", "out_sats", "fee_sats", "count"].map(of),
                told,
                "{request}: {summed}"
            );
            assert_eq!(summed["totals"], totals, "{request}");
        }
    }
    let (all, _) = pages(&agent, &json!({"limit": 500})).await;
    assert_eq!(
        all.len(),
        8,
        "two deposits, two payments, two tokens of which one came back, and a gift: {all:?}"
    );
}
