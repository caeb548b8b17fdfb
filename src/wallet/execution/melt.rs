//! Executes and settles a melt (NUT-05, NUT-08).
//!
//! ```text
//!  post_melt --+-- paid, change received ---> settled
//!              +-- paid, change missing ----> settled; `fetch_change` asks again later
//!              +-- refused -----------------> failed, inputs free again
//!              +-- unknown -----------------> sent; `settle_melt` asks again later
//! ```

use crate::mint::Mint;
use crate::mint::error::{MintError, nut};
use crate::mint::melt::{Melt, MeltOutcome, MeltState};
use crate::mint::operation::Operation;
use crate::model::payment::{Payment, PaymentState};
use crate::model::secret::Secret;
use crate::store::Change;
use crate::wallet::core::Core;
use crate::wallet::core::failure::Failure;
use crate::wallet::core::record_state::{record, record_failure};
use crate::wallet::engine::journal::{is_journaled, journaled};
use crate::wallet::engine::swap::leave_used_counters;
use crate::wallet::execution::cancel::cancel_melt;
use crate::wallet::execution::preimage;
use crate::wallet::proofs::changes;
use crate::wallet::sync::adopt::drop_spent;

/// Number of answers without change after which the wallet accepts that a mint that owes change
/// signed none.
const NAMED_NONE_OFTEN: u32 = 20;

/// Step 5 for a melt: sends the request and records the mint's answer.
pub(crate) async fn melt(
    core: &Core,
    payment: Payment,
    mint: &Mint,
    melt: Melt,
) -> Result<Payment, Failure> {
    match mint.post_melt(&melt).await {
        MeltOutcome::Paid { change, preimage } => {
            end_paid(core, payment, melt, change, preimage).await
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
            let mut beside = vec![changes::unreserve(ys.clone()), Change::EndOperation(melt.id)];
            if used {
                leave_used_counters(core);
            } else if !elsewhere {
                beside.push(Change::FreeCounters(melt.counters()));
            }
            let failed = record_failure(core, payment, error.into(), beside).await;
            if elsewhere && let Err(error) = drop_spent(core, mint, ys).await {
                tracing::debug!(
                    %error,
                    "could not check which coins another device spent"
                );
            }
            Err(failed)
        }
        MeltOutcome::Unknown { acknowledged } => {
            let state = PaymentState::Sent { since: (core.clock)(), acknowledged };
            record(core, payment, state, Vec::new()).await
        }
    }
}

/// Records a paid melt: its inputs are spent. Ends the operation if the change has arrived;
/// otherwise the operation stays in the journal.
async fn end_paid(
    core: &Core,
    payment: Payment,
    melt: Melt,
    change: Option<Vec<changes::Coin>>,
    preimage: Option<String>,
) -> Result<Payment, Failure> {
    let mut beside = vec![changes::spent(melt.input_ys()?)];
    let fee_sats = match change {
        Some(change) => {
            let fee_sats = melt.fee_sats(changes::total_sats(&change));
            beside.extend(ended(&melt, change));
            fee_sats
        }
        None => {
            core.wake();
            payment.reserved_sats.saturating_sub(payment.amount_sats)
        }
    };
    let state = settled(&payment, (core.clock)(), fee_sats, preimage);
    record(core, payment, state, beside).await
}

/// Settles a melt that this process is not executing, by asking the mint for the quote's state.
pub(crate) async fn settle_melt(core: &Core, payment: Payment, melt: Melt) -> Result<(), Failure> {
    if core.live().contains_key(&payment.id) || !is_journaled(core, melt.id).await? {
        return Ok(());
    }
    let mint = core.mints.at(&melt.mint)?;
    if !payment.is_open() {
        return fetch_change(core, payment, &mint, melt).await;
    }
    match mint.melt_state(&melt.quote_id).await? {
        (MeltState::Paid, preimage) => {
            let change = mint.fetch_change(&melt).await.unwrap_or_else(|error| {
                tracing::debug!(%error, "the change of a payment will be fetched later");
                None
            });
            end_paid(core, payment, melt, change, preimage).await.map(drop)
        }
        (MeltState::Pending, _) => match payment.state {
            PaymentState::Sent { since, acknowledged: false } => {
                record(core, payment, PaymentState::Sent { since, acknowledged: true }, Vec::new())
                    .await
                    .map(drop)
            }
            _ => Ok(()),
        },
        (MeltState::Unpaid, _) => cancel_melt(core, payment, &mint, melt).await,
    }
}

/// Fetches the change of a settled payment; only then is its cost known.
async fn fetch_change(
    core: &Core,
    mut payment: Payment,
    mint: &Mint,
    mut melt: Melt,
) -> Result<(), Failure> {
    let PaymentState::Settled { fee_sats, .. } = &mut payment.state else { return Ok(()) };
    let change = match mint.fetch_change(&melt).await? {
        None if melt.must_have_change() && melt.named_none < NAMED_NONE_OFTEN => {
            melt.named_none = melt.named_none.saturating_add(1);
            return Ok(core.store.commit(vec![journaled(&Operation::Melt(melt))?]).await?);
        }
        // Accept that the mint signed no change. If it did, it rejects the next request with these
        // counters as already signed, and the wallet takes new ones.
        change => change.unwrap_or_default(),
    };
    *fee_sats = melt.fee_sats(changes::total_sats(&change));
    let changes = ended(&melt, change);
    core.store.commit([changes, vec![Change::Payment(payment)]].concat()).await?;
    core.changed();
    Ok(())
}

/// Builds the settled state; `at` is Unix seconds. Drops a preimage that does not hash to the
/// payment hash.
fn settled(payment: &Payment, at: u64, fee_sats: u64, preimage: Option<String>) -> PaymentState {
    let hash = payment.payment_hash().unwrap_or_default();
    let preimage = preimage.filter(|text| preimage::opens(text, hash)).map(Secret::new);
    PaymentState::Settled { at, fee_sats, preimage, claimed: false }
}

/// Ends a melt whose change has arrived. Counters of unused blank outputs are free again.
fn ended(melt: &Melt, change: Vec<changes::Coin>) -> Vec<Change> {
    let free = Change::FreeCounters(melt.counters_without(&change));
    vec![Change::Proofs { add: change }, Change::EndOperation(melt.id), free]
}
