//! Melts proofs: pays a Lightning invoice and receives change (NUT-05, NUT-08).
//!
//! ```text
//!  plan --(journaled)--> post --> Paid (change may be missing) | Refused | Unknown
//! ```
//! Never waits for a pending payment, never repeats a request, never decides from silence. A mint
//! may answer PAID before it has signed the change: the row then stays until the change arrives.

use cdk::nuts::nut00::ProofsMethods;
use cdk::nuts::{
    BlindSignature, CurrencyUnit, MeltOptions, MeltQuoteBolt11Request, MeltQuoteState, MeltRequest,
    Proofs, PublicKey, State,
};
use cdk_common::wallet::ProofInfo;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::error::{MintError, nut};
use super::outputs::{Outputs, wrong};
use super::read::needed;
use super::{Mint, MintGuard, validate};
use crate::model::id::PaymentId;
use crate::model::mint::MintAddress;
use crate::ports::Counters;

/// A mint's price for paying an invoice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeltQuote {
    /// The mint's id of the quote.
    pub id: String,
    /// Amount for the payee, in sats.
    pub amount_sats: u64,
    /// Maximum cost of the Lightning route, in sats. The unused part is returned as change.
    pub fee_reserve_sats: u64,
}

/// A journaled melt. Contains secrets.
#[derive(Clone, Serialize, Deserialize)]
pub struct Melt {
    /// Id of the operation, which also marks the inputs it holds.
    pub id: Uuid,
    /// The payment it executes.
    pub payment: PaymentId,
    /// The mint.
    pub mint: MintAddress,
    /// The mint's id of the quote.
    pub quote_id: String,
    /// Number of answers without change since the mint said PAID.
    #[serde(default)]
    pub named_none: u32,
    /// Fee already spent on making exact inputs, in sats; part of the payment's fee.
    #[serde(default)]
    pub prepared_sats: u64,
    amount_sats: u64,
    fee_reserve_sats: u64,
    input_fee_sats: u64,
    pub(super) inputs: Proofs,
    pub(super) outputs: Outputs,
}

impl std::fmt::Debug for Melt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Melt")
            .field("id", &self.id)
            .field("payment", &self.payment)
            .finish_non_exhaustive()
    }
}

impl Melt {
    /// Returns the inputs, by Y.
    ///
    /// # Errors
    /// [`MintError::Wrong`].
    pub fn input_ys(&self) -> Result<Vec<PublicKey>, MintError> {
        self.inputs.ys().map_err(wrong)
    }

    /// Returns the inputs.
    pub fn inputs(&self) -> Proofs {
        self.inputs.clone()
    }

    /// Returns the counters of the blank outputs.
    pub fn counters(&self) -> Counters {
        self.outputs.counters()
    }

    /// Returns the counters of the blank outputs not used for this change.
    pub fn counters_without(&self, change: &[ProofInfo]) -> Counters {
        self.outputs.counters_without(change)
    }

    /// Returns the cost beyond the amount, in sats, after `change_sats` of change.
    pub fn fee_sats(&self, change_sats: u64) -> u64 {
        self.inputs_sats()
            .saturating_add(self.prepared_sats)
            .saturating_sub(self.amount_sats)
            .saturating_sub(change_sats)
    }

    /// Returns whether the inputs exceed what the mint may keep, so that change is due.
    pub fn must_have_change(&self) -> bool {
        self.most_change() > self.fee_reserve_sats
    }

    fn inputs_sats(&self) -> u64 {
        self.inputs.iter().map(|proof| proof.amount.to_u64()).fold(0, u64::saturating_add)
    }

    fn most_change(&self) -> u64 {
        self.inputs_sats().saturating_sub(self.amount_sats).saturating_sub(self.input_fee_sats)
    }
}

/// Outcome of a melt request.
#[derive(Clone, Debug)]
pub enum MeltOutcome {
    /// The mint answered PAID.
    Paid {
        /// The change. `None`: the mint has not given it yet.
        change: Option<Vec<ProofInfo>>,
        /// The preimage from the mint, not verified.
        preimage: Option<String>,
    },
    /// Definitely refused, or not sent. The inputs can be used again.
    Refused(MintError),
    /// Not known yet; the inputs stay held.
    Unknown {
        /// `true` if the mint called the payment pending.
        acknowledged: bool,
    },
}

/// State of a melt quote, as the mint answers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MeltState {
    /// Paid.
    Paid,
    /// Under way.
    Pending,
    /// Not paid, as far as the mint knows.
    Unpaid,
}

impl Mint {
    /// Requests a quote for paying `invoice`. One request; moves nothing.
    ///
    /// # Errors
    /// If the request fails; [`MintError::Wrong`] if the invoice cannot be parsed.
    pub async fn quote_melt(
        &self,
        invoice: &str,
        amount_msat: Option<u64>,
    ) -> Result<MeltQuote, MintError> {
        self.keyset_infos().await?;
        let options = amount_msat.map(MeltOptions::new_amountless);
        let request = invoice.parse().map_err(wrong)?;
        let quote = self
            .client
            .quote_melt(&MeltQuoteBolt11Request { request, unit: CurrencyUnit::Sat, options })
            .await?;
        Ok(MeltQuote {
            id: quote.id,
            amount_sats: needed(quote.amount_sats, "amount")?,
            fee_reserve_sats: needed(quote.fee_reserve_sats, "fee_reserve")?,
        })
    }

    /// Plans a melt of `inputs`, which cover amount, fee reserve and input fee. The caller holds
    /// the mint's lock and journals the plan before [`Mint::post_melt`].
    ///
    /// # Errors
    /// If a request for keysets fails.
    pub async fn plan_melt(
        &self,
        payment: PaymentId,
        quote: &MeltQuote,
        inputs: Vec<ProofInfo>,
        _guard: &MintGuard,
    ) -> Result<Melt, MintError> {
        let inputs: Proofs = inputs.into_iter().map(|input| input.proof).collect();
        let keyset = self.active_keyset().await?;
        let mut melt = Melt {
            id: Uuid::new_v4(),
            payment,
            mint: self.address.clone(),
            quote_id: quote.id.clone(),
            named_none: 0,
            prepared_sats: 0,
            amount_sats: quote.amount_sats,
            fee_reserve_sats: quote.fee_reserve_sats,
            input_fee_sats: self.input_fee(&inputs).await?,
            inputs,
            outputs: self.blank_outputs(&keyset, 0).await?,
        };
        melt.outputs = self.blank_outputs(&keyset, melt.most_change()).await?;
        Ok(melt)
    }

    /// Sends the melt request. The caller has journaled the melt and holds a
    /// [`MeltPermit`](super::MeltPermit) until the request is sent.
    ///
    /// # Cancel safety
    /// Not cancel safe: run it to completion. A dropped future is like a crash: the quote's state
    /// ends the payment later.
    pub async fn post_melt(&self, melt: &Melt) -> MeltOutcome {
        let blank = melt.outputs.blinded();
        let request = MeltRequest::new(
            melt.quote_id.clone(),
            melt.inputs.clone(),
            (!blank.is_empty()).then_some(blank),
        );
        let permit = self.open_melts.try_acquire().ok();
        match self.client.melt(request, permit.is_some()).await {
            Ok(quote) if quote.id != melt.quote_id => MeltOutcome::Unknown { acknowledged: false },
            Ok(quote) if quote.state == MeltQuoteState::Paid => {
                let change = self
                    .change(melt, quote.change.unwrap_or_default())
                    .await
                    .unwrap_or_else(|error| {
                        tracing::warn!(%error, "the change of a payment will be fetched later");
                        None
                    });
                MeltOutcome::Paid { change, preimage: quote.preimage }
            }
            Ok(_) => MeltOutcome::Unknown { acknowledged: true },
            Err(MintError::UnderWay { code: nut::TOKEN_SPENT })
                if self.spent_elsewhere(melt).await =>
            {
                MeltOutcome::Refused(MintError::SpentElsewhere)
            }
            // A refusal counts only if the mint calls every input unspent.
            Err(MintError::Refused { .. }) if !self.are_unspent(melt).await => {
                MeltOutcome::Unknown { acknowledged: false }
            }
            Err(error) if error.is_definite() => MeltOutcome::Refused(error),
            Err(_) => MeltOutcome::Unknown { acknowledged: false },
        }
    }

    /// Returns the state of a quote and the preimage, not verified. One request.
    ///
    /// # Errors
    /// If the request fails.
    pub async fn melt_state(
        &self,
        quote_id: &str,
    ) -> Result<(MeltState, Option<String>), MintError> {
        let quote = self.client.melt_quote(quote_id).await?;
        Ok((state_of(quote.state), quote.preimage))
    }

    /// Fetches the change of a paid melt, from its quote or from the mint's signatures (NUT-09).
    /// `None`: both queries were answered and contain none.
    ///
    /// # Errors
    /// If a query fails, which says nothing about the change.
    pub async fn fetch_change(&self, melt: &Melt) -> Result<Option<Vec<ProofInfo>>, MintError> {
        let unanswered = self.unanswered();
        let quote = self.client.melt_quote(&melt.quote_id).await;
        if let Err(silent) = &quote
            && self.unanswered() != unanswered
        {
            return Err(silent.clone());
        }
        if let Ok(quote) = &quote
            && quote.state == MeltQuoteState::Paid
            && let Ok(Some(change)) =
                self.change(melt, quote.change.clone().unwrap_or_default()).await
        {
            return Ok(Some(change));
        }
        match self.signed(&melt.outputs).await {
            Ok(Some(signed)) => self.unblind(&melt.outputs, signed, melt.id).await.map(Some),
            Ok(None) if quote?.state == MeltQuoteState::Paid => Ok(None),
            Ok(None) => Err(MintError::Wrong("a paid quote was reported as not paid".to_owned())),
            Err(error) => Err(error),
        }
    }

    /// Returns whether the mint has signed change for this melt (NUT-09). It has then paid,
    /// whatever it says.
    ///
    /// # Errors
    /// If the request fails.
    pub async fn has_change(&self, melt: &Melt) -> Result<bool, MintError> {
        Ok(self.signed(&melt.outputs).await?.is_some())
    }

    /// Unblinds the change in an answer. `None`: the answer has none, but there may be some.
    async fn change(
        &self,
        melt: &Melt,
        told: Vec<BlindSignature>,
    ) -> Result<Option<Vec<ProofInfo>>, MintError> {
        if melt.outputs.list.is_empty() {
            return Ok(Some(Vec::new()));
        }
        if told.is_empty() {
            return Ok(None);
        }
        validate::change(&melt.outputs.blinded(), &told, self.client.proves().await?)?;
        self.client.show(8, true);
        self.unblind(&melt.outputs, melt.outputs.signed_first(told), melt.id).await.map(Some)
    }

    /// Returns whether the mint calls all inputs unspent.
    async fn are_unspent(&self, melt: &Melt) -> bool {
        let Ok(ys) = melt.input_ys() else { return false };
        self.client
            .states(&ys)
            .await
            .is_ok_and(|states| states.iter().all(|state| *state == State::Unspent))
    }

    /// Returns whether this melt can no longer be made because its inputs were spent elsewhere:
    /// some are spent, none is pending, and the quote, asked last, is unpaid.
    async fn spent_elsewhere(&self, melt: &Melt) -> bool {
        let Ok(ys) = melt.input_ys() else { return false };
        let Ok(states) = self.client.states(&ys).await else { return false };
        if !states.contains(&State::Spent) || states.contains(&State::Pending) {
            return false;
        }
        let told = self.client.melt_quote(&melt.quote_id).await;
        told.is_ok_and(|quote| quote.state == MeltQuoteState::Unpaid && quote.preimage.is_none())
    }
}

fn state_of(state: MeltQuoteState) -> MeltState {
    match state {
        MeltQuoteState::Paid => MeltState::Paid,
        MeltQuoteState::Pending | MeltQuoteState::Unknown => MeltState::Pending,
        MeltQuoteState::Unpaid | MeltQuoteState::Failed => MeltState::Unpaid,
    }
}
