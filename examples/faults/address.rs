//! Rows F-101 to F-104: Lightning addresses and LNURLs whose servers would be paid more, send us
//! elsewhere, or lie where they must not be asked at all.

use std::sync::Arc;
use std::time::Duration;

use nutpurse::testing::model::lnurl::encode;
use serde_json::{Value, json};
use testbed::harness::input::TEST_NETWORKS;
use testbed::harness::{Client, Outcome, Settings, payees};
use testbed::must;
use testbed::{Answer, InvoiceLie, LnurlServer, Terms};

use crate::stage::Stage;
use crate::table::How::{self, Runs};
use crate::table::proven;
use crate::trial::Run;
use crate::wallet::Wallet;

pub(crate) const WORK: &[(&str, How)] = &[
    ("F-101", Runs(|run| proven(f101(run)))),
    ("F-102", Runs(|run| proven(f102(run)))),
    ("F-103", Runs(|run| proven(f103(run)))),
    ("F-104", Runs(|run| proven(f104(run)))),
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
        let allowed = [self.stage.url(), self.server.url(), self.listed.url()];
        wallet.home.configure(&Settings::at(allowed))
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
            must!(paid.text("state") == "settled" && paid.sats("amount_sats") == 21, "{paid}");
        }
        self.paid += 21;
        self.nothing_more("paid in the end").await?;
        self.stage.conserved().await
    }
}

/// The invoice is for another amount, or is none: never paid.
async fn f101(run: Run) -> Outcome<usize> {
    let mut street = Street::new(&run).await?;
    for (terms, code) in payees::invoices() {
        street.refuses(terms, &[code]).await?;
    }
    let fired = street.server.asked_for_invoices();
    street.is_paid().await?;
    Ok(fired)
}

/// The callback leads elsewhere: nobody there is asked.
async fn f102(run: Run) -> Outcome<usize> {
    let mut street = Street::new(&run).await?;
    let elsewhere = [street.hidden.url(), street.listed.url(), street.stage.url()];
    let mut terms: Vec<Terms> = payees::callbacks(&street.server.url(), &elsewhere)
        .into_iter()
        .map(|callback| payees::first(json!({"callback": callback})))
        .collect();
    for to in [street.hidden.url(), street.listed.url(), street.server.url_of("bob")] {
        terms.push(payees::at_first(Answer::Redirect(to.clone())));
        terms.push(payees::at_callback(Answer::Redirect(to)));
    }
    let fired = terms.len();
    for terms in terms {
        let is_asked = matches!(terms.at_callback, Answer::Redirect(_));
        let before = street.server.asked_for_invoices();
        street.refuses(terms, &["recipient_refuses"]).await?;
        must!(
            is_asked || street.server.asked_for_invoices() == before,
            "the server itself was asked for an invoice"
        );
    }
    street.is_paid().await?;
    Ok(fired)
}

/// Answers that make no sense, or are about something else. An invoice that does not say what it is
/// for is paid with a warning.
async fn f103(run: Run) -> Outcome<usize> {
    let mut street = Street::new(&run).await?;
    let mut rows = payees::first_answers();
    let slow = Answer::After(Duration::from_secs(30));
    rows.push((payees::at_callback(slow), "server_unreachable"));
    let mut fired = rows.len();
    for (terms, code) in rows {
        street.refuses(terms, &[code]).await?;
    }
    street.is_paid().await?;
    fired += of_a_test_network(&street).await?;
    fired += twice_the_same(&street).await?;
    for (sats, wrong) in [31, 32].into_iter().zip(payees::UNEXPLAINED) {
        street.server.set(payees::lie(wrong));
        let paid = street.stage.wire.ok("pay", street.pay(sats)).await?;
        must!(
            paid.text("state") == "settled" && paid.text("warning").contains("what it is for"),
            "{paid}"
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
    for network in TEST_NETWORKS {
        street.server.set(Terms { network, ..Terms::default() });
        real.refuses("pay", street.pay(10), &["wrong_network"]).await?;
    }
    street.nothing_more("of a test network").await?;
    Ok(TEST_NETWORKS.len())
}

/// An invoice that was given and paid before.
async fn twice_the_same(street: &Street) -> Outcome<usize> {
    street.server.promise("alice", 13)?;
    street.server.set(payees::lie(InvoiceLie::Same));
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
    let mut places = payees::private_addresses(&port);
    for url in payees::private_urls(&port) {
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
            must!(code == "address_refused", "{tool} {place}: {told}");
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
