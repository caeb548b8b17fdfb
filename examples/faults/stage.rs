//! What the rows about lies, input, rules and secrets stand on: a scene whose mint can lie, and a
//! wallet in it.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use testbed::{Liar, MintOptions, TestMint};
use tokio::time::{Instant, timeout};

use crate::Outcome;
use crate::home::{Limits, WIDE};
use crate::scene::{LONG, Scene};
use crate::session::Answer;
use crate::trial::Run;
use crate::wallet::Wallet;

/// Ends a row with this text where the condition does not hold.
macro_rules! must {
    ($holds:expr, $($why:tt)+) => {
        if !$holds {
            return Err(format!($($why)+).into());
        }
    };
}
pub(crate) use must;

/// A key that nobody here has: a token locked to it is always made by a swap.
pub(crate) const SOMEBODY: &str =
    "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";

/// When an invoice was made that has long run out, in Unix seconds.
pub(crate) const LONG_AGO: u64 = 1_600_000_000;

/// How long a row waits for a payment to come right once its fault is over.
const PATIENCE: Duration = Duration::from_secs(60);

/// A mint that can lie, and a wallet at it.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) scene: Scene,
    pub(crate) liar: Liar,
    pub(crate) wire: Arc<Wallet>,
}

impl Stage {
    /// A fresh mint, a fresh wallet with wide limits, and so many sats in it.
    pub(crate) async fn new(run: &Run, sats: u64) -> Outcome<Self> {
        Self::with(run, MintOptions::default(), sats, WIDE).await
    }

    /// The same with a mint whose deposits somebody must pay.
    pub(crate) async fn unpaid(run: &Run) -> Outcome<Self> {
        Self::with(run, MintOptions { auto_pay: None, ..MintOptions::default() }, 0, WIDE).await
    }

    /// The same with other options and limits.
    pub(crate) async fn with(
        run: &Run,
        options: MintOptions,
        sats: u64,
        limits: Limits,
    ) -> Outcome<Self> {
        let scene =
            Scene::with(run, MintOptions { mint_quote_ttl: LONG, melt_quote_ttl: LONG, ..options })
                .await?;
        let liar = Liar::before(&scene.proxy);
        let wire = scene.wallet_at(&[scene.proxy.url()], limits)?;
        if sats > 0 {
            wire.fund(sats).await?;
        }
        Ok(Self { scene, liar, wire })
    }

    /// The address of the mint, as the wallets know it.
    pub(crate) fn url(&self) -> String {
        self.scene.proxy.url()
    }

    pub(crate) fn mint(&self) -> Outcome<&TestMint> {
        self.scene.mint.testbed()
    }

    /// The mint's keyset goes out of use for a new one, with this fee for a coin in thousandths of
    /// a sat.
    pub(crate) async fn rotate(&self, input_fee_ppk: u64) -> Outcome {
        Ok(self.mint()?.rotate_keyset(input_fee_ppk).await?)
    }

    /// An invoice of a new shop.
    pub(crate) fn invoice(&self, sats: u64) -> Outcome<String> {
        Ok(self.scene.invoice(sats)?.0)
    }

    /// Another wallet at the same mint.
    pub(crate) async fn friend(&self, sats: u64) -> Outcome<Arc<Wallet>> {
        let friend = self.scene.wallet()?;
        if sats > 0 {
            friend.fund(sats).await?;
        }
        Ok(friend)
    }

    /// A wallet at the same mint that takes its money for real.
    pub(crate) fn real_wallet(&self) -> Outcome<Arc<Wallet>> {
        let wallet = self.scene.wallet()?;
        wallet
            .home
            .write("mints.toml", &format!("[[mint]]\nurl = \"{}\"\ntest = false\n", self.url()))?;
        Ok(wallet)
    }

    /// Somebody pays a deposit's invoice, and it comes in.
    pub(crate) async fn pays(&self, deposit: &Answer) -> Outcome {
        self.scene.pay_from_outside(deposit.text("bolt11"))?;
        self.wire.receives(deposit).await
    }

    /// How many payments the mint was asked to make, and how many it made.
    pub(crate) fn melts(&self) -> Outcome<(usize, usize)> {
        let exchanges = self.scene.proxy.exchanges();
        let asked = exchanges
            .iter()
            .filter(|one| one.method == "POST" && one.path == "/v1/melt/bolt11")
            .count();
        Ok((asked, self.scene.mint.paid()?.len()))
    }

    /// What left by the mint's own list: amounts and fees of every payment it made.
    pub(crate) fn paid_out(&self) -> Outcome<u64> {
        Ok(self.scene.mint.paid()?.iter().filter_map(|paid| paid.took_sats).sum())
    }

    /// Waits until a payment, a token or a token taken in is in this state.
    pub(crate) async fn becomes(&self, id: &str, state: &str) -> Outcome<Answer> {
        let since = Instant::now();
        loop {
            let told =
                self.wire.ok("get_payment", json!({"payment_id": id, "wait_seconds": 3})).await?;
            if told.text("state") == state {
                return Ok(told);
            }
            must!(since.elapsed() < PATIENCE, "{id} was to be {state}: {}", told.value);
        }
    }

    /// The law, once nothing is open.
    pub(crate) async fn conserved(&self) -> Outcome {
        self.scene.settled().await.map(|_| ())
    }

    /// No fiction: what is shown spendable the mint takes, all but what a fee may need.
    pub(crate) async fn all_is_good(&self) -> Outcome {
        let give = self.wire.holds().await?.spendable.saturating_sub(10);
        if give == 0 {
            return Ok(());
        }
        let friend = self.friend(0).await?;
        let token =
            self.wire.ok("send_token", json!({"amount_sats": give, "memo": "everything"})).await?;
        let taken = friend.ok("receive_token", json!({"token": token.text("token")})).await?;
        must!(
            taken.text("state") == "received",
            "what was spendable is not taken: {}",
            taken.value
        );
        self.conserved().await
    }
}

impl Wallet {
    /// Calls a tool that must refuse, with one of these codes, and with nothing moved.
    pub(crate) async fn refuses(
        &self,
        tool: &str,
        arguments: Value,
        codes: &[&str],
    ) -> Outcome<Answer> {
        let told = self.told(tool, arguments.clone()).await?;
        must!(
            codes.contains(&told.code()),
            "{tool} {arguments} was to be refused with {codes:?}, and answered {}",
            told.value
        );
        must!(told.text("money_moved") == "no", "{tool} {arguments}: money moved: {}", told.value);
        Ok(told)
    }

    /// Waits until a deposit is received.
    pub(crate) async fn receives(&self, deposit: &Answer) -> Outcome {
        let told = self
            .ok(
                "get_deposit",
                json!({"deposit_id": deposit.text("deposit_id"), "wait_seconds": 40}),
            )
            .await?;
        must!(told.text("state") == "received", "the deposit was to be received: {}", told.value);
        Ok(())
    }

    /// Calls a tool with arguments as they are written. `None`: no answer to this call, as where it
    /// is not JSON.
    pub(crate) async fn call_text(
        &self,
        tool: &str,
        arguments: &str,
        patience: Duration,
    ) -> Outcome<Option<Answer>> {
        let (session, since) = (self.session().await?, Instant::now());
        let answer = session
            .begin_text(
                "tools/call",
                &format!(r#"{{"name":{},"arguments":{arguments}}}"#, json!(tool)),
            )
            .await;
        let Ok(Ok(message)) = timeout(patience, answer).await else { return Ok(None) };
        let took = since.elapsed();
        if let Some(error) = message.get("error") {
            return Ok(Some(Answer {
                value: json!({"error": "protocol", "message": error}),
                is_error: true,
                took,
            }));
        }
        let result = message.get("result").ok_or("neither a result nor an error")?;
        let is_error = result.get("isError").and_then(Value::as_bool).unwrap_or(false);
        let text = || result.pointer("/content/0/text").and_then(Value::as_str).unwrap_or_default();
        let value = result
            .get("structuredContent")
            .cloned()
            .map_or_else(|| serde_json::from_str(text()), Ok)?;
        Ok(Some(Answer { value, is_error, took }))
    }
}

impl Answer {
    /// The code of a refusal; empty where it is none.
    pub(crate) fn code(&self) -> &str {
        if self.is_error { self.text("error") } else { "" }
    }
}
