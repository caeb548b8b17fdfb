//! A mint that may answer anything: calls of the wallet's tools, over exchanges that the bytes
//! spoil.
//!
//! One byte chooses a call, one its amount, and one per exchange decides how it is spoiled. After
//! the last byte the mint is honest, and everything open must end.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use cdk_common::nuts::State;
use nutpurse::testing::ports::{Http, HttpFailure, HttpRequest, HttpResponse, Socket};
use nutpurse::testing::store::Store;
use serde_json::{Value, json};

use super::purse::{Purse, now, pass, run};
use super::small_mint::SmallMint;
use super::stored_rows::Image;
use super::tape::Tape;

const MOST_VERBS: usize = 12;
/// The lowest byte that spoils an exchange.
const SPOILED: u8 = 144;

/// Runs the calls that the bytes choose against the answers that they spoil.
pub fn spoil_answers(bytes: &[u8]) {
    run(async {
        let mint = Arc::new(Spoiled::new(bytes));
        let mut purse = Purse::new(Arc::clone(&mint) as Arc<_>).await;
        let mut ids = Ids::default();
        for _ in 0..MOST_VERBS {
            if mint.state().tape.is_empty() {
                break;
            }
            step(&mut purse, &mint, &mut ids).await;
        }
        mint.state().honest = true;
        judge(&mut purse, &mint, &ids).await;
        purse.close().await;
    });
}

/// Returns the file of a wallet that has made a deposit, a payment and tokens at an honest mint.
pub(super) fn image_of_a_wallet() -> Vec<u8> {
    let image = Image::default();
    run(async {
        let store = Store::with_backend(image.clone(), now).await.unwrap();
        let mint = Arc::new(Spoiled::new(&[]));
        let mut purse = Purse::over(store, Arc::clone(&mint) as Arc<_>).await.unwrap();
        let mut ids = Ids::default();
        for (verb, sats) in [(0, 200), (3, 20), (6, 9), (6, 8), (7, 0), (0, 50)] {
            mint.state().tape = Tape::new(&[verb, sats]);
            step(&mut purse, &mint, &mut ids).await;
        }
        assert!(ids.payments.len() >= 3, "the wallet did what it was to do");
        purse.close().await;
    });
    image.into_bytes()
}

#[derive(Default)]
struct Ids {
    payments: Vec<Value>,
    tokens: Vec<Value>,
    invoices: Vec<String>,
}

async fn step(purse: &mut Purse, mint: &Spoiled, ids: &mut Ids) {
    let (verb, sats) = (mint.byte() % 12, u64::from(mint.byte()) + 1);
    let told = match verb {
        0..=2 => {
            let told = purse.call("deposit", json!({"amount_sats": sats * 4})).await;
            if told.is_ok() {
                let _told = purse.call("get_deposit", json!({"wait_seconds": 3})).await;
            }
            told
        }
        3 | 4 => {
            let invoice = mint.state().mint.invoice(sats);
            ids.invoices.push(invoice.clone());
            purse.call("pay", json!({"to": invoice})).await
        }
        5 => {
            let Some(invoice) = ids.invoices.last() else { return };
            purse.call("pay", json!({"to": invoice})).await
        }
        6 => purse.call("send_token", json!({"amount_sats": sats, "memo": "for you"})).await,
        7 => {
            let Some(token) = ids.tokens.pop() else { return };
            purse.call("receive_token", json!({"token": token})).await
        }
        8 => {
            let Some(id) = ids.payments.last() else { return };
            purse.call("reclaim_token", json!({"payment_id": id})).await
        }
        9 => {
            purse.restart().await;
            return;
        }
        10 => {
            pass(60 + sats);
            let _next = purse.wallet().recovery().settle().await.unwrap();
            return;
        }
        _ => purse.call("list_mints", json!({})).await,
    };
    if let Ok(told) = told {
        ids.payments.extend(told.get("payment_id").cloned());
        ids.tokens.extend(told.get("token").cloned());
    }
    let _shown = purse.call("get_balance", json!({})).await.unwrap();
}

/// Checks that the mint has signed everything shown as spendable, and that everything open ends.
async fn judge(purse: &mut Purse, mint: &Spoiled, ids: &Ids) {
    purse.restart().await;
    for _ in 0..6 {
        pass(700);
        tokio::time::advance(std::time::Duration::from_secs(1_300)).await;
        let _next = purse.wallet().recovery().settle().await.unwrap();
    }
    let coins = purse.store.proofs_in(Some(vec![State::Unspent])).await.unwrap();
    let lied = mint.state().lied;
    for coin in &coins {
        assert!(
            mint.state().mint.has_signed(&coin.proof),
            "a coin that the mint has not signed is shown spendable"
        );
        assert!(
            lied || !mint.state().mint.has_spent(&coin.proof),
            "a spent coin is shown spendable"
        );
    }
    // Settling continues concurrently, so both sums are read until nothing came between them.
    let (mut held, mut shown) = (0, 1);
    for _ in 0..1_000 {
        let coins = purse.store.proofs_in(Some(vec![State::Unspent])).await.unwrap();
        held = coins.iter().map(|coin| coin.proof.amount.to_u64()).sum::<u64>();
        shown =
            purse.call("get_balance", json!({})).await.unwrap()["spendable_sats"].as_u64().unwrap();
        if held == shown {
            break;
        }
    }
    assert_eq!(shown, held, "the sum is that of the coins");
    for id in &ids.payments {
        let told = purse.call("get_payment", json!({"payment_id": id})).await.unwrap();
        assert!(
            lied || told["final"] == true
                || told["token"].is_string()
                || told["claimed"].is_boolean(),
            "it does not end: {told}"
        );
    }
}

#[derive(Debug)]
struct Inner {
    mint: SmallMint,
    tape: Tape,
    honest: bool,
    /// `true`: an answer was changed, not only lost.
    lied: bool,
}

/// The small mint, behind a connection that the bytes spoil.
#[derive(Debug)]
struct Spoiled(Mutex<Inner>);

impl Spoiled {
    fn new(bytes: &[u8]) -> Self {
        Self(Mutex::new(Inner {
            mint: SmallMint::new(),
            tape: Tape::new(bytes),
            honest: false,
            lied: false,
        }))
    }

    fn state(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn byte(&self) -> u8 {
        self.state().tape.byte()
    }
}

#[async_trait]
impl Http for Spoiled {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, HttpFailure> {
        let path = request.url.split("/v1/").nth(1).unwrap_or_default().to_owned();
        let body = request
            .body
            .as_deref()
            .map_or(Value::Null, |body| serde_json::from_slice(body).unwrap());
        self.state().exchange(&path, &body)
    }

    async fn websocket(&self, _url: &str) -> Result<Socket, HttpFailure> {
        Err(HttpFailure::NotSent("no websockets here".to_owned()))
    }
}

impl Inner {
    fn exchange(&mut self, path: &str, body: &Value) -> Result<HttpResponse, HttpFailure> {
        let what = if self.honest { 0 } else { self.tape.byte() };
        if what < SPOILED {
            return Ok(self.honestly(path, body));
        }
        match what % 8 {
            0 => return Err(HttpFailure::NotSent("spoiled".to_owned())),
            1 => return Err(HttpFailure::Lost("spoiled before the mint had it".to_owned())),
            2 => {
                self.honestly(path, body);
                return Err(HttpFailure::Lost("spoiled after the mint had it".to_owned()));
            }
            _ => {}
        }
        self.lied = true;
        match what % 8 {
            3 => {
                let status = [400, 404, 408, 425, 429, 500, 503, 200][self.tape.below(8)];
                Ok(response(status, self.tape.run()))
            }
            4 => {
                let code =
                    [10_001, 11_001, 11_002, 11_003, 12_002, 20_002, 20_004, 20_005, 20_006, 999]
                        [self.tape.below(10)];
                let done = self.honestly(path, body);
                let body = if self.tape.byte().is_multiple_of(2) {
                    json!({"code": code, "detail": "no"}).to_string().into_bytes()
                } else {
                    done.body
                };
                Ok(response(400, body))
            }
            _ => {
                let honest = self.honestly(path, body);
                let mut told = serde_json::from_slice(&honest.body).unwrap_or(Value::Null);
                for _ in 0..=self.tape.below(3) {
                    self.change(&mut told);
                }
                Ok(response(honest.status, told.to_string().into_bytes()))
            }
        }
    }

    fn honestly(&mut self, path: &str, body: &Value) -> HttpResponse {
        match self.mint.answer(path, body) {
            Ok(told) => response(200, told.to_string().into_bytes()),
            Err(code) => response(
                400,
                json!({"code": code, "detail": "the mint says no"}).to_string().into_bytes(),
            ),
        }
    }

    /// Changes one value anywhere in an answer.
    fn change(&mut self, told: &mut Value) {
        let mut places = Vec::new();
        paths(told, String::new(), &mut places);
        let place = places.swap_remove(self.tape.below(places.len()));
        let Some(value) = told.pointer_mut(&place) else { return };
        *value = match self.tape.below(16) {
            0 => Value::Null,
            1 => json!(0),
            2 => json!(-1),
            3 => json!(u64::MAX),
            4 => json!(value.as_u64().unwrap_or(0).saturating_add(1)),
            5 => json!(""),
            6 => json!([]),
            7 => json!({}),
            8 => json!(true),
            9 => json!("PAID"),
            10 => json!("PENDING"),
            11 => json!("UNPAID"),
            12 => json!(String::from_utf8_lossy(&self.tape.run())),
            13 => match value.as_array() {
                Some(all) => json!([all.clone(), all.clone()].concat()),
                None => json!(1.5),
            },
            14 => match value.as_array() {
                Some(all) => json!(all.iter().skip(1).collect::<Vec<_>>()),
                None => json!("SPENT"),
            },
            _ => match value.as_str() {
                Some(text) => json!(text.chars().rev().collect::<String>()),
                None => json!(1),
            },
        };
    }
}

fn response(status: u16, body: Vec<u8>) -> HttpResponse {
    HttpResponse { status, body, retry_after_seconds: None, location: None }
}

fn paths(value: &Value, here: String, all: &mut Vec<String>) {
    match value {
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                paths(item, format!("{here}/{at}"), all);
            }
        }
        Value::Object(fields) => {
            for (name, field) in fields {
                paths(field, format!("{here}/{name}"), all);
            }
        }
        _ => {}
    }
    all.push(here);
}
