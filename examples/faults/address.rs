//! Rows F-101 to F-104: Lightning addresses and LNURLs whose servers would be paid more, send us
//! elsewhere, or lie where they must not be asked at all.

use std::sync::Arc;
use std::time::Duration;

use nutpurse::testing::model::lnurl::encode;
use serde_json::{Value, json};
use testbed::{Answer, Currency, InvoiceLie, LnurlServer, Terms};

use crate::Outcome;
use crate::home::WIDE;
use crate::stage::{Stage, must};
use crate::table::How::Runs;
use crate::table::Severity::{S1, S2};
use crate::table::{Row, proven};
use crate::trial::Run;
use crate::wallet::Wallet;

pub(crate) const ROWS: &[Row] = &[
    Row::new(
        "F-101",
        S1,
        "LNURL callback returns other amount (±1 msat, ×1000, amountless)",
        Runs(|run| proven(f101(run))),
    ),
    Row::new(
        "F-102",
        S1,
        "callback on other domain / http / private IP / redirect / port 22",
        Runs(|run| proven(f102(run))),
    ),
    Row::new(
        "F-103",
        S2,
        "min>max, negative, 2⁶⁴, tag=withdrawRequest, description_hash mismatch",
        Runs(|run| proven(f103(run))),
    ),
    Row::new(
        "F-104",
        S1,
        "user@host resolving to loopback, onion, IP literal",
        Runs(|run| proven(f104(run))),
    ),
];

/// What a stage has at first, in sats.
const PURSE: u64 = 2_000;

/// A stage with a payee's server that the wallet may ask, one that it may ask for other reasons,
/// and one that it may not.
struct Street {
    stage: Stage,
    server: LnurlServer,
    listed: LnurlServer,
    hidden: LnurlServer,
    /// What the tests themselves paid.
    paid: u64,
}

impl Street {
    async fn new(run: &Run) -> Outcome<Self> {
        let stage = Stage::new(run, 0).await?;
        let start = || LnurlServer::start(&stage.scene.lightning);
        let (server, listed, hidden) = (start().await?, start().await?, start().await?);
        let street = Self { server, listed, hidden, paid: 0, stage };
        street.allow(&street.stage.wire)?;
        street.stage.wire.fund(PURSE).await?;
        Ok(street)
    }

    /// What the owner of a wallet has listed.
    fn allow(&self, wallet: &Wallet) -> Outcome {
        wallet.home.write_config(
            &[self.stage.url(), self.server.url(), self.listed.url()],
            WIDE,
            "",
        )
    }

    fn pay(&self, sats: u64) -> Value {
        json!({"to": self.server.address("alice"), "amount_sats": sats})
    }

    /// The server behaves so, and is not paid, however it is written; nobody else is asked.
    async fn refuses(&self, terms: Terms, codes: &[&str]) -> Outcome {
        self.server.set(terms.clone());
        let lnurl = encode(&self.server.url_of("alice")).ok_or("too long")?;
        for to in [self.server.address("alice"), lnurl] {
            self.stage.wire.refuses("pay", json!({"to": to, "amount_sats": 10}), codes).await?;
        }
        self.nothing_more(&format!("{terms:?}")).await
    }

    async fn nothing_more(&self, what: &str) -> Outcome {
        let payments = self.stage.melts()?;
        let wanted = usize::from(self.paid > 0);
        must!(
            payments.0 == wanted && payments.1 == wanted,
            "{what}: payments asked for and made: {payments:?}"
        );
        must!(
            self.server.received() == self.paid,
            "{what}: the payee got {}",
            self.server.received()
        );
        must!(
            self.hidden.asked().is_empty() && self.listed.asked().is_empty(),
            "{what}: others were asked"
        );
        Ok(())
    }

    /// Told the truth again, the server is paid as it asks, once.
    async fn is_paid(&mut self) -> Outcome {
        self.server.set(Terms::default());
        let pay = json!({"to": self.server.address("alice"), "amount_sats": 21, "idempotency_key": "at last"});
        for _ in 0..2 {
            let paid = self.stage.wire.ok("pay", pay.clone()).await?;
            must!(
                paid.text("state") == "settled" && paid.sats("amount_sats") == 21,
                "{}",
                paid.value
            );
        }
        self.paid += 21;
        self.nothing_more("paid in the end").await?;
        self.stage.conserved().await
    }
}

/// The invoice is for another amount: never paid.
async fn f101(run: Run) -> Outcome<usize> {
    let mut street = Street::new(&run).await?;
    let lies = [
        InvoiceLie::Off(1),
        InvoiceLie::Off(-1),
        InvoiceLie::Off(1_000),
        InvoiceLie::Times(1_000),
        InvoiceLie::Times(0),
        InvoiceLie::Amountless,
    ];
    for lie in lies {
        street.refuses(Terms { invoice: lie, ..Terms::default() }, &["recipient_refuses"]).await?;
    }
    let fired = street.server.asked_for_invoices();
    street.is_paid().await?;
    Ok(fired)
}

/// The invoice is to be had elsewhere: nobody there is asked.
async fn f102(run: Run) -> Outcome<usize> {
    let mut street = Street::new(&run).await?;
    let port = street.server.url().rsplit(':').next().unwrap_or_default().to_owned();
    let callbacks = [
        format!("{}/callback/alice", street.hidden.url()),
        format!("{}/callback/alice", street.listed.url()),
        format!("{}/v1/info", street.stage.url()),
        "https://elsewhere.example/callback".to_owned(),
        "http://elsewhere.example/callback".to_owned(),
        "http://10.0.0.1/callback".to_owned(),
        "http://169.254.169.254/latest/meta-data".to_owned(),
        "https://[::1]/callback".to_owned(),
        "https://127.0.0.1:22/callback".to_owned(),
        "http://127.0.0.1:22/callback".to_owned(),
        format!("http://localhost:{port}/callback/alice"),
        format!("http://user@127.0.0.1:{port}/callback/alice"),
        format!("ftp://127.0.0.1:{port}/callback/alice"),
        "file:///etc/passwd".to_owned(),
        "//127.0.0.1/callback".to_owned(),
    ];
    let mut fired = 0;
    for callback in callbacks {
        street
            .refuses(
                Terms { first: json!({"callback": callback}), ..Terms::default() },
                &["recipient_refuses"],
            )
            .await?;
        fired += 1;
    }
    must!(street.server.asked_for_invoices() == 0, "the server itself was asked for an invoice");
    for to in [street.hidden.url(), street.listed.url(), street.server.url_of("bob")] {
        street
            .refuses(
                Terms { at_first: Answer::Redirect(to.clone()), ..Terms::default() },
                &["recipient_refuses"],
            )
            .await?;
        street
            .refuses(
                Terms { at_callback: Answer::Redirect(to), ..Terms::default() },
                &["recipient_refuses"],
            )
            .await?;
        fired += 2;
    }
    street.is_paid().await?;
    Ok(fired)
}

/// Answers that make no sense, or are about something else. An invoice that does not say what it is
/// for is paid with a warning.
async fn f103(run: Run) -> Outcome<usize> {
    let mut street = Street::new(&run).await?;
    let beyond: Value = serde_json::from_str("18446744073709551616")?;
    let firsts = [
        (json!({"minSendable": 20_000, "maxSendable": 10_000}), "recipient_refuses"),
        (json!({"minSendable": -1}), "recipient_refuses"),
        (json!({"maxSendable": -1}), "recipient_refuses"),
        (json!({"minSendable": 0.5}), "recipient_refuses"),
        (json!({"maxSendable": beyond}), "recipient_refuses"),
        (json!({"maxSendable": 9_999}), "amount_out_of_range"),
        (json!({"tag": "withdrawRequest"}), "payee_unsupported"),
        (json!({"tag": "login"}), "payee_unsupported"),
        (json!({"status": "ERROR", "reason": "pay me elsewhere"}), "recipient_refuses"),
        (json!({"payerData": {"email": {"mandatory": true}}}), "recipient_refuses"),
        (
            json!({"metadata": "[[\"text/plain\",\"a\"],[\"text/plain\",\"b\"]]"}),
            "recipient_refuses",
        ),
        (json!({"metadata": "no list"}), "recipient_refuses"),
    ];
    let mut fired = 0;
    for (first, code) in firsts {
        street.refuses(Terms { first, ..Terms::default() }, &[code]).await?;
        fired += 1;
    }
    let long = || Answer::Bytes(1 << 20);
    let slow = || Answer::After(Duration::from_secs(30));
    for (terms, code) in [
        (Terms { at_first: long(), ..Terms::default() }, "recipient_refuses"),
        (Terms { at_callback: long(), ..Terms::default() }, "recipient_refuses"),
        (Terms { at_callback: slow(), ..Terms::default() }, "server_unreachable"),
        (Terms { at_first: Answer::Status(404), ..Terms::default() }, "recipient_unknown"),
        (Terms { invoice: InvoiceLie::Expires(20), ..Terms::default() }, "invoice_expired"),
    ] {
        street.refuses(terms, &[code]).await?;
        fired += 1;
    }
    street.is_paid().await?;
    fired += of_a_test_network(&street).await?;
    fired += twice_the_same(&street).await?;
    for (sats, wrong) in [(31, InvoiceLie::Hash([7; 32])), (32, InvoiceLie::NoHash)] {
        street.server.set(Terms { invoice: wrong, ..Terms::default() });
        let paid = street.stage.wire.ok("pay", street.pay(sats)).await?;
        must!(
            paid.text("state") == "settled" && paid.text("warning").contains("what it is for"),
            "{}",
            paid.value
        );
        fired += 1;
    }
    street.stage.conserved().await?;
    Ok(fired)
}

/// A wallet of real money does not pay an invoice of a test network.
async fn of_a_test_network(street: &Street) -> Outcome<usize> {
    let real: Arc<Wallet> = street.stage.real_wallet()?;
    street.allow(&real)?;
    real.fund(100).await?;
    for network in [Currency::BitcoinTestnet, Currency::Regtest, Currency::Signet] {
        street.server.set(Terms { network, ..Terms::default() });
        real.refuses("pay", street.pay(10), &["wrong_network"]).await?;
    }
    street.nothing_more("of a test network").await?;
    Ok(3)
}

/// An invoice that was given and paid before.
async fn twice_the_same(street: &Street) -> Outcome<usize> {
    street.server.promise("alice", 13)?;
    street.server.set(Terms { invoice: InvoiceLie::Same, ..Terms::default() });
    let paid = street.stage.wire.ok("pay", street.pay(13)).await?;
    let again = json!({"to": street.server.address("alice"), "amount_sats": 13, "repeat_of": paid.text("payment_id")});
    street.stage.wire.refuses("pay", again, &["recipient_refuses"]).await?;
    must!(
        street.server.received() == street.paid + 13,
        "the payee got {}",
        street.server.received()
    );
    Ok(1)
}

/// Servers where none may be: nobody there is asked, unless the owner has listed the place.
async fn f104(run: Run) -> Outcome<usize> {
    let mut street = Street::new(&run).await?;
    let port = street.hidden.url().rsplit(':').next().unwrap_or_default().to_owned();
    let onion = "abcdefghijklmnopqrstuvwxyz234567abcdefghijklmnopqrstuvwx.onion";
    let mut places: Vec<String> =
        ["127.0.0.1", "127.1", "0x7f.0.0.1", "2130706433", "localhost", "a.localhost", "0.0.0.0"]
            .map(|host| format!("alice@{host}:{port}"))
            .to_vec();
    places.extend(
        ["10.0.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "1.1.1.1", onion]
            .map(|host| format!("alice@{host}")),
    );
    for url in [
        format!("http://127.0.0.1:{port}/.well-known/lnurlp/alice"),
        format!("https://127.0.0.1:{port}/.well-known/lnurlp/alice"),
        format!("https://[::ffff:127.0.0.1]:{port}/.well-known/lnurlp/alice"),
        "http://example.com/pay".to_owned(),
        "https://example.com:22/pay".to_owned(),
    ] {
        places.push(format!("lnurlp:{url}"));
        places.push(encode(&url).ok_or("too long")?);
    }
    places.extend(name_of_this_machine().await.map(|host| format!("alice@{host}:{port}")));
    let mut fired = 0;
    for place in places {
        for tool in ["pay", "estimate"] {
            let told =
                street.stage.wire.told(tool, json!({"to": place, "amount_sats": 10})).await?;
            let code = if tool == "pay" { told.code() } else { told.text("code") };
            must!(code == "address_refused", "{tool} {place}: {}", told.value);
        }
        fired += 1;
    }
    street.nothing_more("private places").await?;
    must!(street.server.asked().is_empty(), "the listed server was asked");
    street.is_paid().await?;
    Ok(fired)
}

/// The name of this machine, where it leads to a private address: one that only looking it up can
/// tell.
async fn name_of_this_machine() -> Option<String> {
    let name = std::fs::read_to_string("/etc/hostname").ok()?.trim().to_ascii_lowercase();
    let found: Vec<_> = tokio::net::lookup_host((name.as_str(), 0)).await.ok()?.collect();
    let is_private = |ip: std::net::IpAddr| match ip {
        std::net::IpAddr::V4(ip) => ip.is_private() || ip.is_loopback(),
        std::net::IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local(),
    };
    found.iter().all(|address| is_private(address.ip())).then_some(name)
}
