//! A payment by a melt, from the mint's word to its end: paid with the change in, paid with the
//! change awaited, or failed (NUT-05, NUT-08).

use super::failure::Failure;
use super::journal::journaled;
use super::{Wallet, coins};
use crate::mint::Mint;
use crate::mint::error::{MintError, nut};
use crate::mint::melt::{Melt, MeltOutcome, MeltWord};
use crate::mint::operation::Operation;
use crate::model::payment::{Payment, PaymentState};
use crate::model::secret::Secret;
use crate::store::Change;

/// How often a mint that must give change may name none before that is believed.
const NAMED_NONE_OFTEN: u32 = 20;

impl Wallet {
    /// Step 5 for a melt: the coins go, and what the mint says decides.
    pub(super) async fn melt(
        &self,
        payment: Payment,
        mint: &Mint,
        melt: Melt,
    ) -> Result<Payment, Failure> {
        match mint.post_melt(&melt).await {
            MeltOutcome::Paid { change, preimage } => {
                self.end_paid(payment, melt, change, preimage).await
            }
            MeltOutcome::Refused(error) => {
                if matches!(error.code(), Some(nut::KEYSET_INACTIVE | nut::UNBALANCED))
                    && let Err(error) = mint.refresh().await
                {
                    tracing::debug!(%error, "a mint's keysets were not refreshed");
                }
                let (elsewhere, used) =
                    (error == MintError::SpentElsewhere, error.code() == Some(nut::OUTPUTS_SIGNED));
                let ys = melt.input_ys()?;
                let mut beside = vec![coins::unreserve(ys.clone()), Change::EndOperation(melt.id)];
                if used {
                    self.leave_used_counters();
                } else if !elsewhere {
                    beside.push(Change::FreeCounters(melt.counters()));
                }
                let failed = self.record_failure(payment, error.into(), beside).await;
                if elsewhere && let Err(error) = self.drop_spent(mint, ys).await {
                    tracing::debug!(
                        %error,
                        "the mint was not asked which coins another device spent"
                    );
                }
                Err(failed)
            }
            MeltOutcome::Unknown { acknowledged } => {
                let state = PaymentState::Sent { since: (self.clock)(), acknowledged };
                self.record(payment, state, Vec::new()).await
            }
        }
    }

    /// The mint says paid: the inputs are spent. With the change in, the melt is ended; else its
    /// row stays.
    async fn end_paid(
        &self,
        payment: Payment,
        melt: Melt,
        change: Option<Vec<coins::Coin>>,
        preimage: Option<String>,
    ) -> Result<Payment, Failure> {
        let mut beside = vec![coins::spent(melt.input_ys()?)];
        let fee_sats = match change {
            Some(change) => {
                let fee_sats = melt.fee_sats(coins::total_sats(&change));
                beside.extend(ended(&melt, change));
                fee_sats
            }
            None => {
                self.wake();
                payment.reserved_sats.saturating_sub(payment.amount_sats)
            }
        };
        let state = settled(&payment, (self.clock)(), fee_sats, preimage);
        self.record(payment, state, beside).await
    }

    /// A melt that this process does not carry: asks the mint's own word.
    pub(super) async fn settle_melt(&self, payment: Payment, melt: Melt) -> Result<(), Failure> {
        if self.live().contains_key(&payment.id) || !self.is_journaled(melt.id).await? {
            return Ok(());
        }
        let mint = self.mints.at(&melt.mint)?;
        if !payment.is_open() {
            return self.ask_change(payment, &mint, melt).await;
        }
        match mint.melt_word(&melt.quote_id).await? {
            (MeltWord::Paid, preimage) => {
                let change = mint.ask_change(&melt).await.unwrap_or_else(|error| {
                    tracing::debug!(%error, "the change of a payment is asked for again later");
                    None
                });
                self.end_paid(payment, melt, change, preimage).await.map(drop)
            }
            (MeltWord::Pending, _) => match payment.state {
                PaymentState::Sent { since, acknowledged: false } => self
                    .record(payment, PaymentState::Sent { since, acknowledged: true }, Vec::new())
                    .await
                    .map(drop),
                _ => Ok(()),
            },
            (MeltWord::Unpaid, _) => self.cancel_melt(payment, &mint, melt).await,
        }
    }

    /// Takes the change of a settled payment in; only then it is known what it cost.
    async fn ask_change(
        &self,
        mut payment: Payment,
        mint: &Mint,
        mut melt: Melt,
    ) -> Result<(), Failure> {
        let PaymentState::Settled { fee_sats, .. } = &mut payment.state else { return Ok(()) };
        let change = match mint.ask_change(&melt).await? {
            None if melt.must_have_change() && melt.named_none < NAMED_NONE_OFTEN => {
                melt.named_none = melt.named_none.saturating_add(1);
                return Ok(self.store.commit(vec![journaled(&Operation::Melt(melt))?]).await?);
            }
            // The mint has signed no change. If it has, it refuses the next request that uses these
            // counters, as signed before, and the wallet takes new ones.
            change => change.unwrap_or_default(),
        };
        *fee_sats = melt.fee_sats(coins::total_sats(&change));
        let changes = ended(&melt, change);
        self.store.commit([changes, vec![Change::Payment(payment)]].concat()).await?;
        self.changed();
        Ok(())
    }
}

/// Paid, at `at` in Unix seconds. A preimage is kept only if it hashes to the payment hash.
fn settled(payment: &Payment, at: u64, fee_sats: u64, preimage: Option<String>) -> PaymentState {
    let hash = payment.payment_hash().unwrap_or_default();
    let preimage = preimage.filter(|text| super::preimage::opens(text, hash)).map(Secret::new);
    PaymentState::Settled { at, fee_sats, preimage, claimed: false }
}

/// A melt whose change is in. The counters of the blank outputs that were not needed are free
/// again.
fn ended(melt: &Melt, change: Vec<coins::Coin>) -> Vec<Change> {
    let free = Change::FreeCounters(melt.counters_without(&change));
    vec![Change::Proofs { add: change }, Change::EndOperation(melt.id), free]
}
