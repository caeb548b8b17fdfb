//! What is wrong, huge, hostile or for somebody else: each is answered with its code, nobody who is
//! not trusted is contacted, nothing is lost, and the next call works. Tokens are in `bad_tokens`.

use std::time::{Duration, Instant};

use nutpurse::testing::api::Code;
use serde_json::{Value, json};
use testbed::InvoiceSpec;
use testbed::harness::input::{NO_AMOUNTS, TEST_NETWORKS, deep, unpayable};

use crate::world::{Agent, Home, Settings, conserved, fund, funded, has, mint};

/// Far more than any of these takes, so that a slow machine is no failure.
const LONG: Duration = Duration::from_secs(5);

const MEBIBYTE: usize = 1024 * 1024;

/// Makes the call; it must fail with one of these codes, soon, and move nothing.
pub(crate) async fn is_refused(
    agent: &Agent,
    tool: &str,
    arguments: Value,
    codes: &[&str],
) -> Value {
    let shown: String = arguments.to_string().chars().take(200).collect();
    let began = Instant::now();
    let outcome = agent.call(tool, arguments).await;
    assert!(began.elapsed() < LONG, "{tool} {shown}: {:?}", began.elapsed());
    let error = match outcome {
        Ok(answer) => panic!("{tool} {shown} was answered {answer}"),
        Err(error) => serde_json::to_value(error).unwrap(),
    };
    let code = error["error"].as_str().unwrap();
    assert!(codes.contains(&code), "{tool} {shown}: {error}");
    assert!(
        Code::from_word(code).is_some() && error["money_moved"] == "no",
        "{tool} {shown}: {error}"
    );
    assert!(error.to_string().len() < 4_000, "{tool} {shown}: a failure repeats nothing");
    error
}

async fn all_refused(agent: &Agent, tool: &str, code: &str, arguments: Vec<Value>) {
    for one in arguments {
        is_refused(agent, tool, one, &[code]).await;
    }
}

#[tokio::test]
async fn amounts_that_are_none_are_refused_by_every_tool() {
    let (lightning, mint) = mint().await;
    let agent = funded(&mint, 500).await;
    let open = lightning.payee("shop").amountless("any").unwrap().to_string();
    // What is no JSON reaches no tool.
    let amounts = NO_AMOUNTS.iter().filter_map(|text| serde_json::from_str::<Value>(text).ok());
    for amount in amounts {
        for tool in ["deposit", "send_token"] {
            let error =
                is_refused(&agent, tool, json!({"amount_sats": amount}), &["invalid_input"]).await;
            assert_eq!(error["details"]["field"], "amount_sats");
        }
        for tool in ["pay", "estimate"] {
            is_refused(
                &agent,
                tool,
                json!({"to": open, "amount_sats": amount}),
                &["invalid_input"],
            )
            .await;
        }
    }
    is_refused(
        &agent,
        "pay",
        json!({"to": open, "amount_sats": 5, "max_fee_sats": -1}),
        &["invalid_input"],
    )
    .await;
    is_refused(
        &agent,
        "deposit",
        json!({"amount_sats": 2_100_000_000_000_000_u64}),
        &["amount_out_of_range"],
    )
    .await;
    is_refused(
        &agent,
        "send_token",
        json!({"amount_sats": 2_100_000_000_000_000_u64}),
        &["over_payment_limit"],
    )
    .await;
    assert_eq!(agent.ok("pay", json!({"to": open, "amount_sats": 5.0})).await["state"], "settled");
    conserved("no amounts", &mint.auditor(), &[&agent]).await;
}

#[tokio::test]
async fn parameters_that_cannot_be_read_are_refused_by_every_tool() {
    let (_lightning, mint) = mint().await;
    let agent = funded(&mint, 500).await;
    let huge = "x".repeat(MEBIBYTE);
    for tool in nutpurse::testing::api::tools::all() {
        is_refused(&agent, tool.name, json!({"no_such_parameter": 1}), &["invalid_input"]).await;
        is_refused(&agent, tool.name, json!({huge.clone(): huge}), &["invalid_input"]).await;
        for name in tool.input_schema.get("properties").and_then(Value::as_object).unwrap().keys() {
            for value in [json!({"a": 1}), deep(), json!([]), json!(huge)] {
                is_refused(&agent, tool.name, json!({name: value}), &["invalid_input"]).await;
            }
        }
    }
    all_refused(
        &agent,
        "deposit",
        "invalid_input",
        vec![
            json!({}),
            json!({"amount_sats": null}),
            json!({"amount_sats": 5, "qr": "yes"}),
            json!({"amount_sats": 5, "mint": "mint"}),
            json!({"amount_sats": 5, "mint": "file:///etc/passwd"}),
            json!({"amount_sats": 5, "idempotency_key": ""}),
            json!({"amount_sats": 5, "idempotency_key": "a\nb"}),
        ],
    )
    .await;
    all_refused(
        &agent,
        "get_payment",
        "invalid_input",
        vec![
            json!({}),
            json!({"payment_id": "pay_../../etc"}),
            json!({"payment_id": "rcv_x"}),
            json!({"payment_id": "a", "payment_hash": "b"}),
            json!({"idempotency_key": "k", "wait_seconds": 46}),
            json!({"idempotency_key": "k", "wait_seconds": -1}),
        ],
    )
    .await;
    all_refused(
        &agent,
        "get_payment",
        "not_found",
        vec![json!({"payment_hash": "zz"}), json!({"idempotency_key": "none"})],
    )
    .await;
    all_refused(
        &agent,
        "list_history",
        "invalid_input",
        vec![
            json!({"since": "yesterday"}),
            json!({"until": "9".repeat(120)}),
            json!({"limit": 0}),
            json!({"limit": 501}),
            json!({"cursor": "x"}),
            json!({"cursor": "99999999999999999999.a"}),
            json!({"kind": "theft"}),
            json!({"format": "xml"}),
        ],
    )
    .await;
    all_refused(
        &agent,
        "send_token",
        "invalid_input",
        vec![
            json!({"amount_sats": 5, "lock_to": "me"}),
            json!({"amount_sats": 5, "lock_to": "02ff"}),
            json!({"amount_sats": 5, "repeat_of": "x"}),
            json!({"amount_sats": 5, "lock_to": format!("nsec1{}", "q".repeat(58))}),
        ],
    )
    .await;
    all_refused(
        &agent,
        "send_token",
        "text_refused",
        vec![
            json!({"amount_sats": 5, "memo": "é".repeat(281)}),
            json!({"amount_sats": 5, "memo": format!("take cashuB{}", "o2F0gaJhaUgArSaMTR9YJm".repeat(4))}),
        ],
    )
    .await;
    all_refused(
        &agent,
        "reclaim_token",
        "invalid_input",
        vec![json!({"payment_id": "dep"}), json!({"payment_id": ""})],
    )
    .await;
    agent.ok("get_balance", json!({})).await;
    conserved("bad parameters", &mint.auditor(), &[&agent]).await;
}

#[tokio::test]
async fn what_is_no_payable_invoice_is_refused_by_name() {
    let (lightning, mint) = mint().await;
    let agent = funded(&mint, 500).await;
    let shop = lightning.payee("shop");
    let good = shop.invoice(5, "good").unwrap().to_string();
    let much = shop.invoice(501, "much").unwrap().to_string();
    let mut rows = unpayable(&shop).unwrap();
    rows.push((json!({"to": much}), "insufficient_funds"));
    for (arguments, code) in rows {
        is_refused(&agent, "pay", arguments.clone(), &[code]).await;
        match agent.call("estimate", arguments).await {
            Ok(answer) => has(&answer, json!({"verdict": "denied", "code": code})),
            Err(error) => assert_eq!(error.code.as_str(), code),
        }
    }
    assert_eq!(agent.ok("pay", json!({"to": good})).await["state"], "settled");
    assert_eq!(shop.received(), 5);
    conserved("bad invoices", &mint.auditor(), &[&agent]).await;
}

#[tokio::test]
async fn real_money_pays_invoices_of_the_main_network_alone() {
    let (lightning, mint) = mint().await;
    let agent = Agent::open(Home::new(&Settings::default().mint(mint.url(), false)).unwrap());
    fund(&agent, 100).await;
    let shop = lightning.payee("shop");
    for network in TEST_NETWORKS {
        let invoice = shop
            .invoice_with(&InvoiceSpec { network, ..InvoiceSpec::sats(5, "test") })
            .unwrap()
            .to_string();
        is_refused(&agent, "pay", json!({"to": invoice}), &["wrong_network"]).await;
    }
    is_refused(&agent, "deposit", json!({"amount_sats": 50_000}), &["over_balance_limit"]).await;
    assert_eq!(agent.ok("get_balance", json!({})).await["money"], "real");
    conserved("other networks", &mint.auditor(), &[&agent]).await;
}
