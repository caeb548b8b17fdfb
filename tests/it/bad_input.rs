//! What is wrong, huge, hostile or for somebody else: each is answered with its code, nobody who is
//! not trusted is contacted, nothing is lost, and the next call works. Tokens are in `bad_tokens`.

use std::time::{Duration, Instant};

use nutpurse::testing::api::Code;
use serde_json::{Value, json};
use testbed::{Currency, InvoiceSpec};

use crate::world::{Agent, Home, conserved, fund, funded, mint};

/// Far more than any of these takes, so that a slow machine is no failure.
const LONG: Duration = Duration::from_secs(5);

pub(crate) const MEBIBYTE: usize = 1024 * 1024;

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

fn no_amounts() -> Vec<Value> {
    let mut amounts = vec![
        json!(0),
        json!(-1),
        json!(1.5),
        json!("5"),
        json!(u64::MAX),
        json!(1e300),
        json!(i64::MIN),
        json!(0.1),
    ];
    amounts.extend([
        json!(9_007_199_254_740_993_u64),
        json!(9_007_199_254_740_993.0),
        json!([5]),
        json!({"sats": 5}),
        json!(true),
    ]);
    amounts
}

/// Arrays within arrays, as deep as a line may hold them.
pub(crate) fn deep() -> Value {
    (0..120).fold(json!(1), |inner, _| json!([inner]))
}

#[tokio::test]
async fn amounts_that_are_none_are_refused_by_every_tool() {
    let (lightning, mint) = mint().await;
    let agent = funded(&mint, 500).await;
    let open = lightning.payee("shop").amountless("any").unwrap().to_string();
    for amount in no_amounts() {
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
    let of = |spec: InvoiceSpec| shop.invoice_with(&spec).unwrap().to_string();
    let old = of(InvoiceSpec { created_at: Some(1_600_000_000), ..InvoiceSpec::sats(5, "old") });
    let open = shop.amountless("open").unwrap().to_string();
    let good = shop.invoice(5, "good").unwrap().to_string();
    let mut damaged = good.clone();
    damaged.replace_range(40..41, if good.get(40..41) == Some("q") { "p" } else { "q" });
    let rows = [
        (json!({"to": old}), "invoice_expired"),
        (json!({"to": open}), "amount_missing"),
        (json!({"to": good, "amount_sats": 6}), "amount_mismatch"),
        (json!({"to": damaged}), "invalid_input"),
        (json!({"to": "l".repeat(3 * MEBIBYTE)}), "invalid_input"),
        (json!({"to": format!("lnbc1{}", "q".repeat(15_000))}), "invalid_input"),
        (json!({"to": "\u{0}\u{1b}[2J"}), "invalid_input"),
        (json!({"to": "   "}), "invalid_input"),
        (json!({"to": "alice@127.0.0.1:9", "amount_sats": 5}), "address_refused"),
        (
            json!({"to": "lno1pqqnyzsmx5cx6umpwssx6atvw35j6ut4v9h8g6t50ysx7enxv4epyrmjw4ehgcm0wfczucm0d5hxzag5qqtzzq3lxgva2qlw2"}),
            "payee_unsupported",
        ),
        (json!({"to": "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"}), "payee_unsupported"),
        (json!({"to": good, "mint": "https://stranger.example"}), "mint_not_trusted"),
        (json!({"to": of(InvoiceSpec::sats(501, "much"))}), "insufficient_funds"),
        (json!({"to": of(InvoiceSpec::sats(100_001, "more"))}), "over_payment_limit"),
        (json!({"to": of(InvoiceSpec::sats(1_000_000_000_000_000, "most"))}), "over_payment_limit"),
    ];
    for (arguments, code) in rows {
        is_refused(&agent, "pay", arguments.clone(), &[code]).await;
        match agent.call("estimate", arguments).await {
            Ok(answer) => assert_eq!(
                (answer["verdict"].as_str(), answer["code"].as_str()),
                (Some("denied"), Some(code)),
                "{answer}"
            ),
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
    let agent = Agent::open(Home::at(&[(&mint.url(), false)])).await;
    fund(&agent, 100).await;
    let shop = lightning.payee("shop");
    for network in [Currency::BitcoinTestnet, Currency::Regtest, Currency::Signet, Currency::Simnet]
    {
        let invoice = shop
            .invoice_with(&InvoiceSpec { network, ..InvoiceSpec::sats(5, "test") })
            .unwrap()
            .to_string();
        is_refused(&agent, "pay", json!({"to": invoice}), &["wrong_network", "invalid_input"])
            .await;
    }
    is_refused(&agent, "deposit", json!({"amount_sats": 50_000}), &["over_balance_limit"]).await;
    assert_eq!(agent.ok("get_balance", json!({})).await["money"], "real");
    conserved("other networks", &mint.auditor(), &[&agent]).await;
}
