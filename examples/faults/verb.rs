//! The verbs that move money, each as one act that a fault may fall into, and how to judge what it
//! left behind.

use std::sync::Arc;

use serde_json::{Value, json};
use testbed::harness::{Answer, Client, Outcome, holds};
use testbed::must;
use testbed::{Behaviour, Bolt11Invoice};
use tokio::time::{Duration, sleep};

use crate::scene::Scene;
use crate::wallet::Wallet;

/// A public key: the generator of the curve, whose secret key is 1.
const SOMEBODY: &str = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";

/// A verb under test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    /// An invoice is made, paid by somebody, and claimed.
    Deposit,
    /// An invoice is paid at once.
    Pay,
    /// An invoice is paid by somebody who takes his time: the wallet asks again and again.
    PaySlowly,
    /// A token is made; of coins that fit, where there are some.
    Send,
    /// A token is made and locked to somebody's key: always with a swap.
    SendLocked,
    /// A friend's token is taken in.
    Receive,
    /// An own token is taken back.
    Reclaim,
}

/// A verb ready to be acted, with all that it needs made before.
#[derive(Clone, Debug)]
pub(crate) struct Act {
    verb: Verb,
    pub(crate) tool: &'static str,
    pub(crate) arguments: Value,
    /// The payment hash, the idempotency key or the id it is found by afterwards.
    pub(crate) mark: String,
}

impl Verb {
    /// All of them.
    pub(crate) const ALL: [Self; 7] = [
        Self::Deposit,
        Self::Pay,
        Self::PaySlowly,
        Self::Send,
        Self::SendLocked,
        Self::Receive,
        Self::Reclaim,
    ];

    /// Makes ready what the verb needs. `friend` makes the tokens that are received.
    pub(crate) async fn ready(
        self,
        scene: &Scene,
        wallet: &Wallet,
        friend: Option<&Arc<Wallet>>,
        sats: u64,
    ) -> Outcome<Act> {
        let (tool, arguments, mark) = match self {
            Self::Deposit => ("deposit", json!({"amount_sats": sats}), String::new()),
            Self::Pay | Self::PaySlowly => {
                let (invoice, hash) = scene.invoice(sats)?;
                if self == Self::PaySlowly {
                    scene.lightning.set_behaviour_of(&hash, Behaviour::Pending);
                }
                ("pay", json!({"to": invoice, "mint": scene.proxy.url()}), hash)
            }
            Self::Send => {
                let key = scene.name("token");
                (
                    "send_token",
                    json!({"amount_sats": sats, "memo": key, "idempotency_key": key}),
                    key,
                )
            }
            Self::SendLocked => {
                let key = scene.name("locked");
                (
                    "send_token",
                    json!({"amount_sats": sats, "memo": key, "idempotency_key": key, "lock_to": SOMEBODY}),
                    key,
                )
            }
            Self::Receive => {
                let friend = friend.ok_or("receiving takes a friend")?;
                let sent = friend
                    .ok("send_token", json!({"amount_sats": sats, "memo": scene.name("gift")}))
                    .await?;
                (
                    "receive_token",
                    json!({"token": sent.text("token")}),
                    sent.text("payment_id").to_owned(),
                )
            }
            Self::Reclaim => {
                let sent = wallet
                    .ok("send_token", json!({"amount_sats": sats, "memo": scene.name("back")}))
                    .await?;
                let id = sent.text("payment_id").to_owned();
                ("reclaim_token", json!({"payment_id": id}), id)
            }
        };
        Ok(Act { verb: self, tool, arguments, mark })
    }
}

impl Act {
    /// Acts, to the answer of the last tool. `None`: the wallet died before.
    pub(crate) async fn act(&self, scene: &Scene, wallet: &Wallet) -> Outcome<Option<Answer>> {
        match self.verb {
            Verb::Deposit => {
                let Some(made) = wallet.call(self.tool, self.arguments.clone()).await? else {
                    return Ok(None);
                };
                if made.is_error {
                    return Ok(Some(made));
                }
                scene.pay_from_outside(made.text("bolt11"))?;
                wallet
                    .call(
                        "get_deposit",
                        json!({"deposit_id": made.text("deposit_id"), "wait_seconds": 45}),
                    )
                    .await
            }
            Verb::PaySlowly => {
                let settled = async {
                    scene.lightning.attempted(&self.mark).await;
                    sleep(Duration::from_secs(3)).await;
                    scene.lightning.settle(&self.mark);
                };
                let call = wallet.call(self.tool, self.arguments.clone());
                tokio::pin!(settled, call);
                tokio::select! {
                    answer = &mut call => answer,
                    () = &mut settled => call.await,
                }
            }
            _ => wallet.call(self.tool, self.arguments.clone()).await,
        }
    }

    /// Checks what the call has left behind, after the fault is lifted and the wallet restarted: it
    /// was done once, or it was not done and can be done again.
    pub(crate) async fn judge(&self, scene: &Scene, wallet: &Wallet) -> Outcome {
        match self.verb {
            Verb::Deposit => self.judge_deposit(wallet).await,
            Verb::Pay | Verb::PaySlowly => self.judge_payment(scene, wallet).await,
            Verb::Send | Verb::SendLocked => self.judge_token(wallet).await,
            Verb::Receive => {
                let again = wallet.ok(self.tool, self.arguments.clone()).await?;
                let ended = wallet.ended(again.text("receive_id")).await?;
                holds(
                    ended.text("state") == "received",
                    format!("a token was not received: {ended}"),
                )
            }
            Verb::Reclaim => {
                let mut ended = wallet.ended(&self.mark).await?;
                if ended.text("state") == "settled" {
                    wallet.ok(self.tool, self.arguments.clone()).await?;
                    ended = wallet.ended(&self.mark).await?;
                }
                holds(
                    ended.text("state") == "returned",
                    format!("a token did not come back: {ended}"),
                )
            }
        }
    }

    async fn judge_deposit(&self, wallet: &Wallet) -> Outcome {
        let known = wallet.told("get_deposit", json!({"wait_seconds": 1})).await?;
        if known.word() == "not_found" || known.text("state") == "unpaid" {
            return Ok(());
        }
        let got = wallet.deposit_within(&known, 45).await?;
        holds(got.text("state") == "received", format!("a paid deposit was not received: {got}"))
    }

    async fn judge_payment(&self, scene: &Scene, wallet: &Wallet) -> Outcome {
        // Whatever was on its way arrives now.
        scene.lightning.settle(&self.mark);
        scene.lightning.set_behaviour_of(&self.mark, Behaviour::Settle);
        let known = wallet.told("get_payment", json!({"payment_hash": self.mark})).await?;
        if known.word() == "not_found" {
            must!(scene.times_paid(&self.mark)? == 0, "paid, and the wallet does not know it");
        } else {
            scene.agrees(&wallet.ended_by_hash(&self.mark).await?, &self.mark)?;
        }
        let again = wallet.ok(self.tool, self.arguments.clone()).await?;
        must!(again.text("state") == "settled", "it cannot be paid again: {again}");
        scene.agrees(&again, &self.mark)
    }

    async fn judge_token(&self, wallet: &Wallet) -> Outcome {
        let known = wallet.told("get_payment", json!({"idempotency_key": self.mark})).await?;
        if known.word() == "not_found" {
            return Ok(());
        }
        let ended = wallet.ended(known.text("payment_id")).await?;
        if ended.text("state") == "failed" {
            return Ok(());
        }
        must!(
            ended.text("token").starts_with("cashu"),
            "a token was made, and is not there: {ended}"
        );
        if self.verb == Verb::SendLocked {
            return Ok(());
        }
        let back =
            wallet.ok("reclaim_token", json!({"payment_id": ended.text("payment_id")})).await?;
        let back = if back.text("state") == "pending" {
            wallet.ended(ended.text("payment_id")).await?
        } else {
            back
        };
        holds(back.text("state") == "returned", format!("a token was not taken back: {back}"))
    }
}

impl Scene {
    /// Somebody pays this invoice; one that pays itself is left to itself.
    pub(crate) fn pay_from_outside(&self, invoice: &str) -> Outcome {
        let invoice: Bolt11Invoice =
            invoice.parse().map_err(|error| format!("no invoice: {error:?}"))?;
        // An invoice that paid itself refuses the second payment.
        self.lightning.pay(&invoice).ok();
        Ok(())
    }
}
