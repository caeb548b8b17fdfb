//! A scene with a wallet and a mint that can lie, for rows about lies, input, rules and secrets.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use testbed::harness::{Answer, Client, Limits, Outcome, Settings, WIDE};
use testbed::must;
use testbed::{Liar, MintOptions, TestMint};
use tokio::time::{Instant, timeout};

use crate::scene::{LONG, Scene};
use crate::trial::Run;
use crate::wallet::Wallet;

/// The longest time in which a payment must reach its state once the fault is lifted.
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

    /// Starts a mint whose deposits the row must pay itself.
    pub(crate) async fn unpaid(run: &Run) -> Outcome<Self> {
        Self::with(run, MintOptions { auto_pay: None, ..MintOptions::default() }, 0, WIDE).await
    }

    /// Starts a mint with these options, and a wallet with these limits and so many sats.
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
        wallet.home.set(&Settings::default().mint(self.url(), false))?;
        Ok(wallet)
    }

    /// Pays a deposit's invoice from outside and waits until it is received.
    pub(crate) async fn pays(&self, deposit: &Answer) -> Outcome {
        self.scene.pay_from_outside(deposit.text("bolt11"))?;
        self.wire.receives(deposit).await
    }

    /// Counts the payments that the mint was asked for, and those that it made.
    pub(crate) fn melts(&self) -> Outcome<(usize, usize)> {
        let exchanges = self.scene.proxy.exchanges();
        let asked = exchanges
            .iter()
            .filter(|one| one.method == "POST" && one.path == "/v1/melt/bolt11")
            .count();
        Ok((asked, self.scene.mint.paid()?.len()))
    }

    /// Adds up the amounts and fees of the payments that the mint made, in sats.
    pub(crate) fn paid_out(&self) -> Outcome<u64> {
        Ok(self.scene.mint.paid()?.iter().filter_map(|paid| paid.took_sats).sum())
    }

    /// Waits until a payment, a token or a receipt is in this state.
    pub(crate) async fn becomes(&self, id: &str, state: &str) -> Outcome<Answer> {
        let since = Instant::now();
        loop {
            let told = self.wire.payment_within(id, 3).await?;
            if told.text("state") == state {
                return Ok(told);
            }
            must!(since.elapsed() < PATIENCE, "{id} was to be {state}: {told}");
        }
    }

    /// Waits until nothing is open, and checks the law.
    pub(crate) async fn conserved(&self) -> Outcome {
        self.scene.settled().await.map(|_| ())
    }

    /// Checks that the mint accepts all that is shown spendable, except ten sats for a fee.
    pub(crate) async fn all_is_good(&self) -> Outcome {
        self.wire.all_is_good(&*self.friend(0).await?).await?;
        self.conserved().await
    }
}

impl Wallet {
    /// Calls a tool with this text as arguments. `None`: no answer came, as where it is not JSON.
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
        Answer::read(&message, since.elapsed()).map(Some)
    }
}
