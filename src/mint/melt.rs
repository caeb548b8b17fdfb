//! Melting: coins out, a Lightning invoice paid, change back (NUT-05, NUT-08).
//!
//! ```text
//!  plan --(journaled)--> post --> Paid (change in, or not named yet) | Refused | Unknown
//! ```
//! Never waits for a pending payment, never repeats a request, never decides from silence. A mint
//! may say PAID before it has signed the change: then the row stays until the change is in.

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

/// What paying an invoice would cost at a mint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeltQuote {
    /// The mint's name for it.
    pub id: String,
    /// What the payee gets, in sats.
    pub amount_sats: u64,
    /// The most the route may cost, in sats. What is not needed comes back as change.
    pub fee_reserve_sats: u64,
}

/// A melt, whole. Holds secrets.
#[derive(Clone, Serialize, Deserialize)]
pub struct Melt {
    /// Its name; also the operation that holds the inputs.
    pub id: Uuid,
    /// The payment that it makes.
    pub payment: PaymentId,
    /// The mint.
    pub mint: MintAddress,
    /// The mint's name for what is paid.
    pub quote_id: String,
    /// How often the mint, asked for change after it said PAID, has named none.
    #[serde(default)]
    pub named_none: u32,
    /// What it cost to have inputs of exactly what is needed, in sats: part of the payment's fee.
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
    /// The inputs, by Y.
    ///
    /// # Errors
    /// [`MintError::Wrong`].
    pub fn input_ys(&self) -> Result<Vec<PublicKey>, MintError> {
        self.inputs.ys().map_err(wrong)
    }

    /// The inputs.
    pub fn inputs(&self) -> Proofs {
        self.inputs.clone()
    }

    /// The counters of its blank outputs.
    pub fn counters(&self) -> Counters {
        self.outputs.counters()
    }

    /// The counters of the blank outputs that the mint did not need.
    pub fn counters_without(&self, change: &[ProofInfo]) -> Counters {
        self.outputs.counters_without(change)
    }

    /// What it cost beyond the amount, in sats, when this much came back.
    pub fn fee_sats(&self, change_sats: u64) -> u64 {
        self.inputs_sats()
            .saturating_add(self.prepared_sats)
            .saturating_sub(self.amount_sats)
            .saturating_sub(change_sats)
    }

    /// The mint has more of our coins than it may keep: some must come back.
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

/// What became of a melt request.
#[derive(Clone, Debug)]
pub enum MeltOutcome {
    /// The mint says paid.
    Paid {
        /// The change. `None`: the mint has not named it yet.
        change: Option<Vec<ProofInfo>>,
        /// As the mint gave it, not checked.
        preimage: Option<String>,
    },
    /// A definite no, or nothing was sent. The coins can be used again.
    Refused(MintError),
    /// Nobody knows yet; the coins stay held.
    Unknown {
        /// The mint has said that it is under way.
        acknowledged: bool,
    },
}

/// The state of a melt quote, as the mint says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MeltState {
    /// Paid.
    Paid,
    /// Under way.
    Pending,
    /// Not paid, as far as it knows.
    Unpaid,
}

impl Mint {
    /// Asks what it would cost to pay `invoice`. One request, moves nothing.
    ///
    /// # Errors
    /// As the mint says; [`MintError::Wrong`] when the invoice cannot be read.
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

    /// Plans a melt of `inputs`, which cover amount, fee reserve and input fees. The caller holds
    /// the mint's lock, and journals the plan before [`Mint::post_melt`].
    ///
    /// # Errors
    /// As the mint says, where its keysets are not known yet.
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

    /// Pays. The caller has journaled the melt, and holds a [`MeltPermit`](super::MeltPermit) until
    /// the request has left.
    ///
    /// # Cancel safety
    /// Not cancel safe: run it to its end. A dropped future is a crash: the mint's own word ends
    /// the payment later.
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
                        tracing::warn!(%error, "a payment's change is asked for again later");
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
            // A refusal counts once the mint calls every input unspent.
            Err(MintError::Refused { .. }) if !self.are_unspent(melt).await => {
                MeltOutcome::Unknown { acknowledged: false }
            }
            Err(error) if error.is_definite() => MeltOutcome::Refused(error),
            Err(_) => MeltOutcome::Unknown { acknowledged: false },
        }
    }

    /// The state of a quote as the mint says it, and the preimage it gives, unchecked. One request.
    ///
    /// # Errors
    /// As the mint says.
    pub async fn melt_state(
        &self,
        quote_id: &str,
    ) -> Result<(MeltState, Option<String>), MintError> {
        let quote = self.client.melt_quote(quote_id).await?;
        Ok((state_of(quote.state), quote.preimage))
    }

    /// The change of a melt that the mint has called paid, from its quote or from what it has
    /// signed (NUT-09). `None`: both were answered, and name none.
    ///
    /// # Errors
    /// As the mint says: it could not be asked, which says nothing about the change.
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
            Ok(None) => Err(MintError::Wrong("a paid quote is called something else".to_owned())),
            Err(error) => Err(error),
        }
    }

    /// The mint has signed change of this melt (NUT-09): whatever else it says, it has paid.
    ///
    /// # Errors
    /// As the mint says.
    pub async fn has_change(&self, melt: &Melt) -> Result<bool, MintError> {
        Ok(self.signed(&melt.outputs).await?.is_some())
    }

    /// Change from an answer. `None`: it names none, and there may be some.
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

    /// The mint says that it still takes all of the inputs.
    async fn are_unspent(&self, melt: &Melt) -> bool {
        let Ok(ys) = melt.input_ys() else { return false };
        self.client
            .states(&ys)
            .await
            .is_ok_and(|states| states.iter().all(|state| *state == State::Unspent))
    }

    /// Some of the inputs are spent, none is in use, and the quote they were for is unpaid, asked
    /// in this order: they were not spent by this melt, which therefore cannot be made any more.
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
