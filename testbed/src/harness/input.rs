//! Arguments that a tool refuses, each with its code.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::{NOBODY, Outcome};
use crate::{Currency, InvoiceSpec, Payee};

/// A keyset that no mint of the tests has.
pub const KEYSET: &str = "009a1f293253e41e";

/// The creation time of an invoice that expired long ago, in Unix seconds.
pub const LONG_AGO: u64 = 1_600_000_000;

/// Networks whose invoices a wallet with real money never pays.
pub const TEST_NETWORKS: [Currency; 4] =
    [Currency::BitcoinTestnet, Currency::Regtest, Currency::Signet, Currency::Simnet];

/// Texts in place of an amount in sats; the last ones are no JSON.
pub const NO_AMOUNTS: &[&str] = &[
    "-1",
    "0",
    "-0",
    "1.5",
    "0.1",
    "0.0000001",
    "\"1\"",
    "\"0x10\"",
    "9007199254740993",
    "9007199254740993.0",
    "18446744073709551615",
    "18446744073709551616",
    "-9223372036854775808",
    "1e300",
    "1e400",
    "true",
    "[1]",
    "{}",
    "{\"sats\": 5}",
    "NaN",
    "Infinity",
    "01",
    "1_000",
    "+5",
];

/// Arrays within arrays, 120 deep.
#[must_use]
pub fn deep() -> Value {
    (0..120).fold(json!(1), |inner, _| json!([inner]))
}

/// Arguments of `pay` that name nothing that can be paid, whatever the wallet holds.
pub fn unpayable(shop: &Payee) -> Outcome<Vec<(Value, &'static str)>> {
    let of = |spec: InvoiceSpec| shop.invoice_with(&spec).map(|invoice| invoice.to_string());
    let good = of(InvoiceSpec::sats(5, "good"))?;
    let old = of(InvoiceSpec { created_at: Some(LONG_AGO), ..InvoiceSpec::sats(5, "old") })?;
    let open = shop.amountless("open")?.to_string();
    let mut damaged = good.clone();
    damaged.replace_range(40..41, if good.get(40..41) == Some("q") { "p" } else { "q" });
    let (cut, _) = good.split_at(good.len() - 1);
    Ok(vec![
        (json!({"to": old}), "invoice_expired"),
        (json!({"to": open}), "amount_missing"),
        (json!({"to": good, "amount_sats": 6}), "amount_mismatch"),
        (json!({"to": good, "mint": "https://stranger.example"}), "mint_not_trusted"),
        (json!({"to": damaged}), "invalid_input"),
        (json!({"to": format!("{cut}b")}), "invalid_input"),
        (json!({"to": "lnbc"}), "invalid_input"),
        (json!({"to": format!("lnbc1{}", "q".repeat(15_000))}), "invalid_input"),
        (json!({"to": "l".repeat(3 << 20)}), "invalid_input"),
        (json!({"to": "\u{0}\u{1b}[2J"}), "invalid_input"),
        (json!({"to": "   "}), "invalid_input"),
        (json!({"to": "alice@127.0.0.1:9", "amount_sats": 5}), "address_refused"),
        (
            json!({"to": "lno1qgsqvgnwgcg35z6ee2h3yczraddm72xrfua9uve2rlrm9deu7xyfzrc"}),
            "payee_unsupported",
        ),
        (json!({"to": "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"}), "payee_unsupported"),
        (json!({"to": of(InvoiceSpec::sats(100_001, "more"))?}), "over_payment_limit"),
        (
            json!({"to": of(InvoiceSpec::sats(1_000_000_000_000_000, "most"))?}),
            "over_payment_limit",
        ),
    ])
}

/// A token of the older kind with this body.
#[must_use]
pub fn written(body: &Value) -> String {
    format!("cashuA{}", URL_SAFE_NO_PAD.encode(body.to_string()))
}

/// A token of the newer kind with these bytes.
#[must_use]
pub fn binary(bytes: &[u8]) -> String {
    format!("cashuB{}", URL_SAFE_NO_PAD.encode(bytes))
}

/// A proof that no mint has signed.
#[must_use]
pub fn coin(amount: u64, keyset: &str, secret: &str) -> Value {
    let point = "02bc9097997d81afb2cc7346b5e4345a9346bd2a506eb7958598a72f0cf85163ea";
    json!({"amount": amount, "id": keyset, "secret": secret, "C": point})
}

/// A token of the older kind of these proofs.
#[must_use]
pub fn token(mint: &str, unit: &str, coins: &[Value]) -> String {
    written(&json!({"token": [{"mint": mint, "proofs": coins}], "unit": unit, "memo": "for you"}))
}

/// A token's text with another mint's address in it.
pub fn renamed(token: &str, url: &str) -> Outcome<String> {
    let mut token = token_v4(token)?;
    token.mint_url = url.parse()?;
    Ok(cdk_common::nuts::Token::TokenV4(token).to_string())
}

/// Reads a token of the newer kind.
pub fn token_v4(token: &str) -> Outcome<cdk_common::nuts::TokenV4> {
    match token.parse()? {
        cdk_common::nuts::Token::TokenV4(token) => Ok(token),
        cdk_common::nuts::Token::TokenV3(_) => Err("a token of the older kind".into()),
    }
}

/// Tokens that cannot be received at the mint `here`, and of mints that nobody trusts.
#[must_use]
pub fn tokens(here: &str) -> Vec<(String, &'static str)> {
    let one = [coin(8, KEYSET, "a")];
    let lock = json!(["P2PK", {"nonce": "0a", "data": NOBODY, "tags": []}]).to_string();
    let many: Vec<Value> = (0..600).map(|number| coin(1, KEYSET, &number.to_string())).collect();
    let two = json!([
        {"mint": here, "proofs": one},
        {"mint": "https://other.example", "proofs": [coin(8, KEYSET, "b")]},
    ]);
    let mut all: Vec<(String, &str)> = [
        "cashuA".to_owned(),
        "cashuB".to_owned(),
        "nonsense".to_owned(),
        "lnbc1".to_owned(),
        format!("cashuA{}", "A".repeat(400_000)),
        format!("cashuB{}", "A".repeat(400_000)),
        binary(&[0x9f; 100_000]),
        binary(&[0x81; 50_000]),
        binary(&[0xbf; 10_000]),
        binary(&[0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
        written(&json!({"token": deep(), "unit": "sat"})),
        written(&json!({"token": two, "unit": "sat"})),
        token(here, "sat", &[]),
        token(here, "sat", &[coin(0, KEYSET, "a")]),
        token(here, "sat", &[coin(8, KEYSET, "a"), coin(8, KEYSET, "a")]),
        token(here, "sat", &[coin(u64::MAX, KEYSET, "a"), coin(1, KEYSET, "b")]),
        token(here, "sat", &many),
        token(here, "usd", &one),
        token("no address", "sat", &one),
        token("file:///etc/passwd", "sat", &one),
        token("http://user:pass@127.0.0.1/", "sat", &one),
    ]
    .map(|text| (text, "token_invalid"))
    .to_vec();
    all.extend([
        ("A".repeat((4 << 20) - 1_000), "invalid_input"),
        (token(here, "sat", &[coin(8, KEYSET, &lock)]), "token_locked"),
        (token(&format!("{here}/elsewhere"), "sat", &one), "mint_not_trusted"),
    ]);
    all.extend(STRANGERS.map(|url| (token(url, "sat", &one), "mint_not_trusted")));
    all
}

/// Mints that no wallet of the tests trusts, most of them at private addresses.
pub const STRANGERS: [&str; 6] = [
    "http://169.254.169.254",
    "http://127.0.0.1:1",
    "http://10.0.0.1:3338",
    "http://[::1]:80",
    "https://mint.example",
    "http://localhost:22",
];
