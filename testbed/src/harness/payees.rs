//! Lies of a payee's server, each with the code that a payment of ten sats to it must get.

use serde_json::{Value, json};

use crate::lnurl::Answer;
use crate::{InvoiceLie, Terms};

const REFUSED: &str = "recipient_refuses";

/// An invoice that pays for something else than its description says: the hash is wrong or missing.
/// It is paid with a warning.
pub const UNEXPLAINED: [InvoiceLie; 2] = [InvoiceLie::Hash([7; 32]), InvoiceLie::NoHash];

/// A server whose first answer has these members.
#[must_use]
pub fn first(answer: Value) -> Terms {
    Terms { first: answer, ..Terms::default() }
}

/// A server that answers the first request so.
#[must_use]
pub fn at_first(at_first: Answer) -> Terms {
    Terms { at_first, ..Terms::default() }
}

/// A server that answers the second request so.
#[must_use]
pub fn at_callback(at_callback: Answer) -> Terms {
    Terms { at_callback, ..Terms::default() }
}

/// A server whose invoices lie.
#[must_use]
pub fn lie(invoice: InvoiceLie) -> Terms {
    Terms { invoice, ..Terms::default() }
}

/// First answers that make no sense, or are about something else.
#[must_use]
pub fn first_answers() -> Vec<(Terms, &'static str)> {
    let members = [
        (json!({"minSendable": 20_000, "maxSendable": 10_000}), REFUSED),
        (json!({"minSendable": -1}), REFUSED),
        (json!({"maxSendable": -1}), REFUSED),
        (json!({"minSendable": 1.5}), REFUSED),
        // 2^64
        (json!({"maxSendable": 18_446_744_073_709_551_616_f64}), REFUSED),
        (json!({"minSendable": 10_001}), "amount_out_of_range"),
        (json!({"maxSendable": 9_999}), "amount_out_of_range"),
        (json!({"tag": "withdrawRequest"}), "payee_unsupported"),
        (json!({"tag": "login"}), "payee_unsupported"),
        (json!({"tag": null}), REFUSED),
        (json!({"status": "ERROR", "reason": "pay me elsewhere"}), REFUSED),
        (json!({"payerData": {"name": {"mandatory": true}}}), REFUSED),
        (json!({"payerData": {"email": {"mandatory": true}}}), REFUSED),
        (json!({"metadata": r#"[["text/plain","a"],["text/plain","b"]]"#}), REFUSED),
        (json!({"metadata": "[]"}), REFUSED),
        (json!({"metadata": "no list"}), REFUSED),
    ];
    let mut all: Vec<_> = members.into_iter().map(|(answer, code)| (first(answer), code)).collect();
    all.extend([
        (at_first(Answer::Bytes(1 << 20)), REFUSED),
        (at_first(Answer::Text("<html>".to_owned())), REFUSED),
        (at_first(Answer::Status(404)), "recipient_unknown"),
        (at_first(Answer::SaysNo(400, "no such name".to_owned())), REFUSED),
        (at_first(Answer::Status(503)), "server_unreachable"),
    ]);
    all
}

/// Answers to the second request: invoices for another amount, and what is no invoice.
#[must_use]
pub fn invoices() -> Vec<(Terms, &'static str)> {
    vec![
        (lie(InvoiceLie::Off(1)), REFUSED),
        (lie(InvoiceLie::Off(-1)), REFUSED),
        (lie(InvoiceLie::Off(1_000)), REFUSED),
        (lie(InvoiceLie::Times(1_000)), REFUSED),
        (lie(InvoiceLie::Times(0)), REFUSED),
        (lie(InvoiceLie::Amountless), REFUSED),
        (lie(InvoiceLie::Expires(29)), "invoice_expired"),
        (at_callback(Answer::Bytes(1 << 20)), REFUSED),
        (at_callback(Answer::Text(r#"{"pr":"lnbc1"}"#.to_owned())), REFUSED),
        (at_callback(Answer::SaysNo(200, "not now".to_owned())), REFUSED),
        (at_callback(Answer::Status(500)), "server_unreachable"),
    ]
}

/// Callbacks that lead away from the server at `url`; `others` are servers that must not be asked.
#[must_use]
pub fn callbacks(url: &str, others: &[String]) -> Vec<String> {
    let port = url.rsplit(':').next().unwrap_or_default();
    let mut all: Vec<String> = others
        .iter()
        .flat_map(|other| [other.clone(), format!("{other}/callback/alice")])
        .collect();
    all.extend([
        format!("http://localhost:{port}/callback/alice"),
        format!("http://user@127.0.0.1:{port}/callback/alice"),
        format!("ftp://127.0.0.1:{port}/callback/alice"),
    ]);
    let fixed = [
        "https://elsewhere.example/callback",
        "http://elsewhere.example/callback",
        "http://10.0.0.1/callback",
        "http://169.254.169.254/latest/meta-data",
        "https://[::1]/callback",
        "https://127.0.0.1:22/callback",
        "http://127.0.0.1:22/callback",
        "file:///etc/passwd",
        "//127.0.0.1/callback",
    ];
    all.extend(fixed.map(str::to_owned));
    all
}

/// Lightning addresses at private hosts; those of this machine have this port.
#[must_use]
pub fn private_addresses(port: &str) -> Vec<String> {
    let here =
        ["127.0.0.1", "127.1", "0x7f.0.0.1", "2130706433", "localhost", "a.localhost", "0.0.0.0"];
    let onion = "abcdefghijklmnopqrstuvwxyz234567abcdefghijklmnopqrstuvwx.onion";
    let there = ["10.0.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "1.1.1.1", onion];
    let here = here.map(|host| format!("alice@{host}:{port}"));
    here.into_iter().chain(there.map(|host| format!("alice@{host}"))).collect()
}

/// Pay requests at private or plain addresses; those of this machine have this port.
#[must_use]
pub fn private_urls(port: &str) -> Vec<String> {
    let path = ".well-known/lnurlp/alice";
    vec![
        format!("http://127.0.0.1:{port}/{path}"),
        format!("https://127.0.0.1:{port}/{path}"),
        format!("https://[::ffff:127.0.0.1]:{port}/{path}"),
        "https://[::1]/pay".to_owned(),
        "http://example.com/pay".to_owned(),
        "https://example.com:22/pay".to_owned(),
    ]
}
