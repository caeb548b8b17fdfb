//! Input fees: what is called payable is payable, and the cheapest mint is the one that costs least
//! in all.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::json;
use testbed::{Lightning, MintOptions, TestMint};

use crate::world::{Agent, conserved, fund, has, mint_with, sats};

/// Payments at each fee.
const PAYMENTS: usize = 6;

async fn charging(input_fee_ppk: u64) -> (Lightning, TestMint) {
    mint_with(MintOptions { input_fee_ppk, ..MintOptions::default() }).await
}

#[tokio::test]
async fn what_is_called_payable_is_payable_at_once_at_any_input_fee() {
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    for ppk in [0, 100, 250, 1_000] {
        let (lightning, mint) = charging(ppk).await;
        let agent = Agent::new([mint.url()]);
        let shop = lightning.payee("shop");
        let mut paid = 0;
        for number in 0..PAYMENTS {
            fund(&agent, if number == 0 { 3_000 } else { random.random_range(1..400) }).await;
            let most = sats(&agent.ok("get_balance", json!({})).await, "max_payment_sats");
            if most == 0 {
                continue;
            }
            let amount = match number {
                // The smallest sum that covers it and its reserve is of six coins: at the highest
                // input fee they cost more than is tolerated.
                0 => 1_400,
                1 => most,
                _ if random.random_bool(0.5) => most,
                _ => random.random_range(1..=most),
            };
            assert!(amount <= most, "{amount} of {most} at {ppk} ppk");
            let invoice = shop.invoice(amount, &format!("{ppk} {number}")).unwrap().to_string();
            let told = agent.ok("estimate", json!({"to": invoice})).await;
            assert_eq!(told["verdict"], "allowed", "{amount} of {most} at {ppk} ppk: {told}");
            let told = agent.ok("pay", json!({"to": invoice})).await;
            assert_eq!(told["state"], "settled", "{amount} of {most} at {ppk} ppk: {told}");
            paid += 1;
        }
        println!("{ppk} ppk: {paid} of {PAYMENTS} paid");
        conserved(&format!("{ppk} ppk"), &mint.auditor(), &[&agent]).await;
    }
}

#[tokio::test]
async fn nothing_is_called_payable_where_the_fee_takes_it_all() {
    let (_lightning, mint) = charging(1_000).await;
    let agent = Agent::new([mint.url()]);
    fund(&agent, 1).await;
    let balance = agent.ok("get_balance", json!({})).await;
    has(&balance, json!({"spendable_sats": 1, "max_payment_sats": 0}));
}

#[tokio::test]
async fn a_payment_goes_through_the_mint_that_costs_least_in_all() {
    let lightning = Lightning::new();
    let start = |input_fee_ppk, fee_reserve_min| {
        TestMint::start(
            &lightning,
            MintOptions {
                input_fee_ppk,
                fee_reserve_min,
                fee_reserve_percent: 0,
                ..MintOptions::default()
            },
        )
    };
    // The first wants less for the route, and more for each coin.
    let (dear, cheap) = (start(1_000, 1).await.unwrap(), start(0, 2).await.unwrap());
    let agent = Agent::new([dear.url(), cheap.url()]);
    for (mint, amount) in [(&dear, 500), (&cheap, 200)] {
        let deposit = agent.ok("deposit", json!({"amount_sats": amount, "mint": mint.url()})).await;
        let got = agent.deposit_within(&deposit["deposit_id"], 30).await;
        assert_eq!(got["state"], "received");
    }
    let invoice = lightning.payee("shop").invoice(100, "a thing").unwrap().to_string();
    let told = agent.ok("estimate", json!({"to": invoice})).await;
    has(&told, json!({"mint": cheap.url().as_str(), "max_fee_sats": 2}));
    let paid = agent.ok("pay", json!({"to": invoice})).await;
    has(&paid, json!({"mint": cheap.url().as_str(), "state": "settled"}));
    // Where the cheap one has too little at hand, the other pays.
    let invoice = lightning.payee("shop").invoice(150, "another").unwrap().to_string();
    let paid = agent.ok("pay", json!({"to": invoice})).await;
    has(&paid, json!({"mint": dear.url().as_str(), "state": "settled"}));
}
