//! A payee's server on loopback: Lightning addresses and LNURL-pay (LUD-06, LUD-16), with receipts
//! for zaps (NIP-57). Its invoices are those of a payee of the simulated network. It is honest
//! until it is told otherwise, and keeps what it was asked.

use std::collections::HashMap;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Result;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bitcoin::hashes::{Hash, sha256};
use lightning_invoice::{Bolt11Invoice, Currency};
use serde_json::{Value, json};

use crate::invoice::InvoiceSpec;
use crate::lightning::Lightning;
use crate::network::{NodeEvent, NodeId};
use crate::runtime::Own;
use crate::zaps::{self, NostrKey, ReceiptLie};

/// How one of the two requests is answered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Answer {
    /// As it should be.
    #[default]
    Right,
    /// With this status and nothing else.
    Status(u16),
    /// With this status and a reason of its own.
    SaysNo(u16, String),
    /// Somewhere else.
    Redirect(String),
    /// Only after this long.
    After(Duration),
    /// With so many bytes.
    Bytes(usize),
    /// With these.
    Text(String),
}

/// What is wrong with its invoices.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum InvoiceLie {
    /// Nothing.
    #[default]
    None,
    /// More or less by so many thousandths of a sat.
    Off(i64),
    /// So many times the amount.
    Times(u64),
    /// The amount is left to the payer.
    Amountless,
    /// It names this hash, whatever it is for.
    Hash([u8; 32]),
    /// It names no hash.
    NoHash,
    /// It is the one that was given first, again and again.
    Same,
    /// It runs out after so many seconds.
    Expires(u64),
}

/// How the server behaves.
#[derive(Debug, Clone)]
pub struct Terms {
    /// Members of the first answer that are otherwise; `null` leaves one out.
    pub first: Value,
    /// How the first request is answered.
    pub at_first: Answer,
    /// How the second one is.
    pub at_callback: Answer,
    /// What is wrong with its invoices.
    pub invoice: InvoiceLie,
    /// Of which network they are.
    pub network: Currency,
    /// It makes receipts for zaps.
    pub zaps: bool,
    /// What is wrong with those.
    pub receipt: ReceiptLie,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            first: json!({}),
            at_first: Answer::Right,
            at_callback: Answer::Right,
            invoice: InvoiceLie::None,
            network: Currency::Bitcoin,
            zaps: false,
            receipt: ReceiptLie::None,
        }
    }
}

/// A request that it saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Its path.
    pub path: String,
    /// Its query, decoded.
    pub query: HashMap<String, String>,
}

/// A payee's server; dropped, it is gone.
#[derive(Debug)]
pub struct LnurlServer {
    _own: Own,
    address: SocketAddr,
    desk: Arc<Desk>,
}

#[derive(Debug)]
struct Desk {
    lightning: Lightning,
    node: NodeId,
    address: SocketAddr,
    nostr: NostrKey,
    terms: Mutex<Terms>,
    asked: Mutex<Vec<Asked>>,
    first_invoice: Mutex<Option<Bolt11Invoice>>,
    /// The zap requests that were sent, by the payment hash of their invoice.
    requests: Mutex<HashMap<String, (Bolt11Invoice, String)>>,
}

impl LnurlServer {
    /// Starts a server for any name, with a node on `lightning` and a free port.
    pub async fn start(lightning: &Lightning) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let desk = Arc::new(Desk {
            lightning: lightning.clone(),
            node: lightning.join("a payee's server"),
            address,
            nostr: NostrKey::random(),
            terms: Mutex::default(),
            asked: Mutex::default(),
            first_invoice: Mutex::default(),
            requests: Mutex::default(),
        });
        let own = Own::new("lnurl", 1)?;
        let at_work = Arc::clone(&desk);
        own.run(async move {
            let router = Router::new()
                .route("/.well-known/lnurlp/{name}", get(first))
                .route("/callback/{name}", get(callback))
                .fallback(elsewhere)
                .with_state(Arc::clone(&at_work));
            let listener = tokio::net::TcpListener::from_std(listener)?;
            tokio::spawn(async move { axum::serve(listener, router).await });
            tokio::spawn(async move { at_work.send_receipts().await });
            Ok(())
        })
        .await?;
        Ok(Self { _own: own, address, desk })
    }

    /// Where it answers: `http://127.0.0.1:port`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The Lightning address of this name: `name@127.0.0.1:port`.
    #[must_use]
    pub fn address(&self, name: &str) -> String {
        format!("{name}@{}", self.address)
    }

    /// The same as an address on the web.
    #[must_use]
    pub fn url_of(&self, name: &str) -> String {
        format!("{}/.well-known/lnurlp/{name}", self.url())
    }

    /// From here on it behaves so.
    pub fn set(&self, terms: Terms) {
        *lock(&self.desk.terms) = terms;
    }

    /// Makes the invoice that it will give from now on, with [`InvoiceLie::Same`].
    pub fn promise(&self, name: &str, sats: u64) -> Result<Bolt11Invoice> {
        let query = HashMap::from([("amount".to_owned(), (sats * 1000).to_string())]);
        let invoice = self.desk.invoice(name, &query, &Terms::default())?;
        *lock(&self.desk.first_invoice) = Some(invoice.clone());
        Ok(invoice)
    }

    /// Every request that it saw.
    #[must_use]
    pub fn asked(&self) -> Vec<Asked> {
        lock(&self.desk.asked).clone()
    }

    /// How many invoices it was asked for.
    #[must_use]
    pub fn asked_for_invoices(&self) -> usize {
        lock(&self.desk.asked).iter().filter(|one| one.path.starts_with("/callback/")).count()
    }

    /// What arrived here, in whole sats.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.desk.lightning.received_msat(self.desk.node) / 1000
    }

    /// The key of its receipts, in hexadecimal.
    #[must_use]
    pub fn nostr_key(&self) -> String {
        self.desk.nostr.public()
    }
}

impl Desk {
    fn terms(&self) -> Terms {
        lock(&self.terms).clone()
    }

    fn note(&self, uri: &Uri, query: &HashMap<String, String>) {
        lock(&self.asked).push(Asked { path: uri.path().to_owned(), query: query.clone() });
    }

    fn metadata(&self, name: &str) -> String {
        json!([
            ["text/plain", format!("Sats for {name}")],
            ["text/identifier", format!("{name}@{}", self.address)]
        ])
        .to_string()
    }

    fn first(&self, name: &str, terms: &Terms) -> Value {
        let usual = json!({
            "tag": "payRequest",
            "callback": format!("http://{}/callback/{name}", self.address),
            "minSendable": 1_000,
            "maxSendable": 100_000_000,
            "metadata": self.metadata(name),
            "commentAllowed": 40,
        });
        let mut answer = usual.as_object().cloned().unwrap_or_default();
        if terms.zaps {
            answer.insert("allowsNostr".to_owned(), json!(true));
            answer.insert("nostrPubkey".to_owned(), json!(self.nostr.public()));
        }
        for (member, value) in terms.first.as_object().into_iter().flatten() {
            match value {
                Value::Null => answer.remove(member),
                value => answer.insert(member.clone(), value.clone()),
            };
        }
        Value::Object(answer)
    }

    fn invoice(
        &self,
        name: &str,
        query: &HashMap<String, String>,
        terms: &Terms,
    ) -> Result<Bolt11Invoice> {
        if terms.invoice == InvoiceLie::Same
            && let Some(invoice) = lock(&self.first_invoice).clone()
        {
            return Ok(invoice);
        }
        let asked: u64 = query.get("amount").and_then(|text| text.parse().ok()).unwrap_or(0);
        let request = query.get("nostr").filter(|_| terms.zaps);
        let words = request.cloned().unwrap_or_else(|| self.metadata(name));
        let mut spec = InvoiceSpec {
            network: terms.network.clone(),
            amount_msat: Some(asked),
            description_hash: Some(sha256::Hash::hash(words.as_bytes()).to_byte_array()),
            ..InvoiceSpec::default()
        };
        match terms.invoice {
            InvoiceLie::None | InvoiceLie::Same => {}
            InvoiceLie::Off(by) => spec.amount_msat = asked.checked_add_signed(by),
            InvoiceLie::Times(times) => spec.amount_msat = Some(asked.saturating_mul(times)),
            InvoiceLie::Amountless => spec.amount_msat = None,
            InvoiceLie::Hash(hash) => spec.description_hash = Some(hash),
            InvoiceLie::NoHash => spec.description_hash = None,
            InvoiceLie::Expires(seconds) => spec.expiry_seconds = seconds,
        }
        let invoice = self.lightning.issue(self.node, &spec)?;
        lock(&self.first_invoice).get_or_insert_with(|| invoice.clone());
        if let Some(request) = request {
            lock(&self.requests)
                .insert(invoice.payment_hash().to_string(), (invoice.clone(), request.clone()));
        }
        Ok(invoice)
    }

    /// For each zap that is paid, a receipt to the relays that its request names.
    async fn send_receipts(&self) {
        let mut events = self.lightning.listen(self.node);
        while let Some(event) = events.recv().await {
            let NodeEvent::Received { hash, .. } = event else { continue };
            let Some((invoice, request)) = lock(&self.requests).remove(&hash) else { continue };
            let lie = self.terms().receipt;
            let preimage = self.lightning.preimage(&hash).unwrap_or_default();
            let other = || {
                self.lightning.issue(
                    self.node,
                    &InvoiceSpec { amount_msat: Some(1), ..InvoiceSpec::default() },
                )
            };
            let bolt11 =
                if lie == ReceiptLie::Amount { other().unwrap_or(invoice) } else { invoice };
            tokio::spawn(zaps::send(
                self.nostr.clone(),
                lie,
                bolt11.to_string(),
                preimage,
                request,
            ));
        }
    }
}

async fn first(
    State(desk): State<Arc<Desk>>,
    Path(name): Path<String>,
    uri: Uri,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    desk.note(&uri, &query);
    let terms = desk.terms();
    answer(&terms.at_first, || Ok(desk.first(&name, &terms))).await
}

async fn callback(
    State(desk): State<Arc<Desk>>,
    Path(name): Path<String>,
    uri: Uri,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    desk.note(&uri, &query);
    let terms = desk.terms();
    answer(&terms.at_callback, || {
        Ok(json!({"pr": desk.invoice(&name, &query, &terms)?.to_string(), "routes": []}))
    })
    .await
}

async fn elsewhere(State(desk): State<Arc<Desk>>, uri: Uri) -> Response {
    desk.note(&uri, &HashMap::new());
    StatusCode::NOT_FOUND.into_response()
}

async fn answer(how: &Answer, right: impl FnOnce() -> Result<Value>) -> Response {
    let status =
        |status: u16| StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    match how {
        Answer::Right => {}
        Answer::Status(code) => return status(*code).into_response(),
        Answer::SaysNo(code, reason) => {
            return (status(*code), axum::Json(json!({"status": "ERROR", "reason": reason})))
                .into_response();
        }
        Answer::Redirect(to) => {
            return (StatusCode::FOUND, [(header::LOCATION, to.clone())]).into_response();
        }
        Answer::After(wait) => tokio::time::sleep(*wait).await,
        Answer::Bytes(length) => return " ".repeat(*length).into_response(),
        Answer::Text(text) => return text.clone().into_response(),
    }
    match right() {
        Ok(right) => axum::Json(right).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
