//! A mint that drops a request with its connection, as cdk-mintd does: cut off inside of the mint
//! at every wait of every request that moves money. What the mint has begun and not ended is held
//! by it until it is started anew; the wallet says so, and gets it then.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use nutpurse::testing::wallet::core::clock;
use serde_json::{Value, json};
use testbed::harness::NOBODY;
use testbed::{Behaviour, InvoiceSpec, Lightning, TestMint};

use crate::world::{Agent, Home, conserved, fund, mint};

/// How far the wallets' clock is ahead, in seconds: all tests of this file move it on.
static AHEAD: AtomicU64 = AtomicU64::new(0);

fn later() -> u64 {
    clock::now() + AHEAD.load(Ordering::SeqCst)
}

/// A wallet, a friend's, their mint and its network.
struct Bench {
    lightning: Lightning,
    mint: TestMint,
    agent: Agent,
    friend: Agent,
}

/// A call, and what `get_payment` is asked for afterwards.
struct Call {
    tool: &'static str,
    arguments: Value,
    which: Value,
    /// The friend's own name for the token that is taken in.
    given: Value,
}

impl Bench {
    async fn start() -> Self {
        let (lightning, mint) = mint().await;
        let agent = Agent::at(Arc::new(Home::at([mint.url()]).unwrap()), later);
        let friend = Agent::at(Arc::new(Home::at([mint.url()]).unwrap()), later);
        fund(&agent, 5_000).await;
        fund(&friend, 5_000).await;
        Self { lightning, mint, agent, friend }
    }

    /// Cuts the request of this path off at its first wait, its second, and so on until it ends,
    /// each time in a call of its own; then all over again, until a cut had the mint hold coins: a
    /// wait of the mint's is none when its answer is there already.
    async fn cut_until_held(
        &mut self,
        path: &str,
        call: impl AsyncFn(&Self, &str) -> Call,
        ends: &[&str],
    ) {
        let mut held = 0;
        for pass in 0..20 {
            held += self
                .cut(
                    path,
                    async |bench: &Self, waits: &str| call(bench, &format!("{pass}.{waits}")).await,
                    ends,
                )
                .await
                .1;
            if held > 0 {
                return;
            }
        }
        panic!("no cut had the mint hold coins");
    }

    /// One pass. Returns how many cuts there were, and how many of them the mint had to be started
    /// anew for.
    async fn cut(
        &mut self,
        path: &str,
        call: impl AsyncFn(&Self, &str) -> Call,
        ends: &[&str],
    ) -> (usize, usize) {
        let mut held = 0;
        for waits in 1.. {
            let call = call(self, &waits.to_string()).await;
            let cut = self.mint.cut(path, waits);
            let told = self.agent.call(call.tool, call.arguments.clone()).await;
            if !cut.fired() {
                assert!(told.is_ok(), "{told:?}");
                self.carried_out(&call).await;
                return (waits - 1, held);
            }
            self.later().await;
            let mut shown = self.look(&call).await;
            if self.mint.auditor().by_state().unwrap().pending > 0 {
                held += 1;
                conserved("held by the mint", &self.mint.auditor(), &[&self.agent, &self.friend])
                    .await;
                self.mint.stop().await;
                self.mint.resume().await.unwrap();
                self.later().await;
            }
            if shown["state"] == "pending" {
                shown = self
                    .agent
                    .ended(shown.get("payment_id").or_else(|| shown.get("receive_id")).unwrap())
                    .await;
            }
            assert!(ends.iter().any(|state| shown["state"] == *state), "at wait {waits}: {shown}");
            self.carried_out(&call).await;
        }
        unreachable!("there is no last number")
    }

    /// The call has come to its end, and who gave the token that was taken in knows it.
    async fn carried_out(&self, call: &Call) {
        if !call.given.is_null() {
            let shown = self.friend.ok("get_payment", json!({"payment_id": call.given})).await;
            assert_eq!(shown["claimed"], true, "{shown}");
        }
        let sum =
            conserved("carried out", &self.mint.auditor(), &[&self.agent, &self.friend]).await;
        assert_eq!(sum.pending, 0, "nothing is left open");
    }

    /// Both wallets opened anew, two minutes later by their clock.
    async fn later(&mut self) {
        AHEAD.fetch_add(120, Ordering::SeqCst);
        for wallet in [&mut self.agent, &mut self.friend] {
            *wallet = Agent::at(wallet.clone().close().await, later);
        }
    }

    /// What became of a call at a mint that answers, after some seconds.
    async fn look(&self, call: &Call) -> Value {
        let which = match &call.which {
            Value::Null => {
                let again = self.agent.ok(call.tool, call.arguments.clone()).await;
                json!({"payment_id": again["receive_id"]})
            }
            which => which.clone(),
        };
        let mut asked = which;
        asked["wait_seconds"] = json!(1);
        self.agent.ok("get_payment", asked).await
    }
}

#[tokio::test]
async fn a_token_taken_back_while_its_mint_lost_the_request_comes_back() {
    let mut bench = Bench::start().await;
    let reclaim = async |bench: &Bench, no: &str| {
        let sent = bench.agent.ok("send_token", json!({"amount_sats": 21, "memo": no})).await;
        let id = json!({"payment_id": sent["payment_id"]});
        Call { tool: "reclaim_token", arguments: id.clone(), which: id, given: Value::Null }
    };
    bench.cut_until_held("/v1/swap", reclaim, &["returned"]).await;
}

#[tokio::test]
async fn a_token_taken_in_while_its_mint_lost_the_request_is_received() {
    let mut bench = Bench::start().await;
    let receive = async |bench: &Bench, no: &str| {
        let sent = bench.friend.ok("send_token", json!({"amount_sats": 21, "memo": no})).await;
        Call {
            tool: "receive_token",
            arguments: json!({"token": sent["token"]}),
            which: Value::Null,
            given: sent["payment_id"].clone(),
        }
    };
    bench.cut_until_held("/v1/swap", receive, &["received"]).await;
}

#[tokio::test]
async fn a_token_made_while_its_mint_lost_the_request_is_there_once() {
    let mut bench = Bench::start().await;
    let send = async |_: &Bench, no: &str| {
        let arguments = json!({"amount_sats": 21, "lock_to": NOBODY, "idempotency_key": format!("no. {no}"), "memo": no});
        Call {
            tool: "send_token",
            arguments,
            which: json!({"idempotency_key": format!("no. {no}")}),
            given: Value::Null,
        }
    };
    bench.cut_until_held("/v1/swap", send, &["settled"]).await;
}

/// Paying while the payee is in no hurry, or holds the payment until it is let go.
async fn paid_or_back(way: Behaviour) {
    let mut bench = Bench::start().await;
    bench.lightning.set_behaviour(way);
    let pay = async |bench: &Bench, no: &str| {
        let spec = InvoiceSpec { expiry_seconds: 30 * 86_400, ..InvoiceSpec::sats(20, "tea") };
        let invoice = bench.lightning.payee(no).invoice_with(&spec).unwrap();
        let hash = invoice.payment_hash().to_string();
        if way == Behaviour::Pending {
            let (lightning, hash) = (bench.lightning.clone(), hash.clone());
            tokio::spawn(async move {
                lightning.attempted(&hash).await;
                lightning.settle(&hash);
            });
        }
        let which = json!({"payment_hash": hash});
        Call {
            tool: "pay",
            arguments: json!({"to": invoice.to_string()}),
            which,
            given: Value::Null,
        }
    };
    let (cuts, _) = bench.cut("/v1/melt/bolt11", pay, &["settled", "failed"]).await;
    assert!(cuts > 1, "{cuts} cuts");
    let paid = bench.mint.auditor().paid().unwrap().len();
    // The two deposits were paid from outside.
    assert_eq!(bench.lightning.payments().len(), paid + 2, "payees got what the mint says it paid");
}

#[tokio::test]
async fn an_invoice_whose_mint_lost_the_request_is_paid_or_its_coins_are_back() {
    paid_or_back(Behaviour::Settle).await;
}

#[tokio::test]
async fn the_same_with_a_payee_that_takes_its_time() {
    paid_or_back(Behaviour::Delay(Duration::from_millis(300))).await;
}

#[tokio::test]
async fn the_same_with_a_payee_that_holds_the_payment() {
    paid_or_back(Behaviour::Pending).await;
}
