//! The journaled swap: every exchange of coins whose secrets must outlive a crash (NUT-03, NUT-09,
//! NUT-11, NUT-13).
//!
//! ```text
//!  plan --(journaled by the caller, durably)--> post --> Done | Refused | Unknown
//!                                                 ^                         |
//!                                                 +------- resume <---------+  at the next start, or later
//! ```
//! Inputs, secrets and blinding factors are in the plan, so nothing that the mint has signed can be
//! lost: `resume` asks for the signatures again (NUT-09), and where there are none makes the very
//! same request again. Never makes up a second request for the same inputs.

use cdk::nuts::nut00::ProofsMethods;
use cdk::nuts::{Proof, Proofs, PublicKey, SwapRequest};
use cdk_common::wallet::ProofInfo;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::error::{MintError, nut};
use super::outputs::{Outputs, Signed};
use super::{Mint, MintGuard};
use crate::model::id::{PaymentId, ReceiveId};
use crate::model::mint::MintAddress;
use crate::model::subject::Subject;
use crate::ports::Counters;

/// What a swap is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SwapPurpose {
    /// Makes a token.
    Send(PaymentId),
    /// Takes a token in.
    Receive(ReceiveId),
    /// Takes a token of ours back.
    Reclaim(PaymentId),
    /// Takes the coins of a dead melt away from it.
    Cancel(PaymentId),
    /// Makes another device's coins our own.
    #[serde(rename = "claim")]
    Adopt,
    /// Takes nutzaps in: the ids of their events.
    Nutzaps(Vec<String>),
    /// Makes coins of exactly what a melt needs, at a mint that gives no change.
    Split,
    /// The mint said that it cannot have been made: asked about for some time, should the mint have
    /// been wrong.
    #[serde(rename = "buried")]
    Disputed {
        /// What it was for.
        of: Box<SwapPurpose>,
        /// Since when, in Unix seconds.
        since: u64,
    },
}

impl SwapPurpose {
    /// The payment or received token that it is for. `None`: it is for neither.
    pub fn subject(&self) -> Option<Subject> {
        match self {
            Self::Send(id) | Self::Reclaim(id) | Self::Cancel(id) => {
                Some(Subject::Payment(id.clone()))
            }
            Self::Receive(id) => Some(Subject::Receive(id.clone())),
            Self::Adopt | Self::Nutzaps(_) | Self::Split => None,
            Self::Disputed { of, .. } => of.subject(),
        }
    }
}

/// A swap, whole. Holds secrets: it is written to the store and nowhere else.
#[derive(Clone, Serialize, Deserialize)]
pub struct Swap {
    /// Its name; also the operation that holds the inputs.
    pub id: Uuid,
    /// What it is for.
    pub purpose: SwapPurpose,
    /// The mint.
    pub mint: MintAddress,
    /// The memo of the token that it makes.
    pub memo: Option<String>,
    pub(super) inputs: Proofs,
    pub(super) outputs: Outputs,
}

impl std::fmt::Debug for Swap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Swap")
            .field("id", &self.id)
            .field("purpose", &self.purpose)
            .finish_non_exhaustive()
    }
}

/// A lock that coins get (NUT-11).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct P2pkLock {
    /// The key that opens it, compressed, hex.
    pub key: String,
    /// What it says beside that, for whoever reads it.
    pub tags: Vec<Vec<String>>,
}

/// What a swap is to make.
#[derive(Clone, Debug)]
pub struct SwapSpec {
    /// What it is for.
    pub purpose: SwapPurpose,
    /// Sats to hand out; 0 when everything is kept.
    pub give_sats: u64,
    /// The lock of the given coins. `None`: not locked.
    pub lock_to: Option<P2pkLock>,
    /// The memo of the token.
    pub memo: Option<String>,
}

/// What a swap came to.
#[derive(Clone, Debug)]
pub enum SwapOutcome {
    /// Signed: the new coins.
    Done {
        /// To hand out.
        give: Vec<ProofInfo>,
        /// Ours.
        keep: Vec<ProofInfo>,
    },
    /// A definite no, or nothing was sent: the inputs are as they were.
    Refused(MintError),
    /// The inputs are spent, and not by this swap: somebody else had them.
    SpentElsewhere,
    /// Not known yet.
    Unknown(MintError),
}

impl Swap {
    /// Takes the id of an earlier swap of these inputs, which was refused.
    #[must_use]
    pub fn instead_of(mut self, earlier: &Self) -> Self {
        self.id = earlier.id;
        self
    }

    /// This swap as a disputed one, in its place in the journal.
    #[must_use]
    pub fn disputed(&self, since: u64) -> Self {
        let mut disputed = self.clone();
        disputed.purpose = SwapPurpose::Disputed { of: Box::new(self.purpose.clone()), since };
        disputed
    }

    /// The inputs, by Y.
    ///
    /// # Errors
    /// [`MintError::Wrong`].
    pub fn input_ys(&self) -> Result<Vec<PublicKey>, MintError> {
        self.inputs.ys().map_err(|error| MintError::Wrong(error.to_string()))
    }

    /// The counters of its outputs.
    pub fn counters(&self) -> Counters {
        self.outputs.counters()
    }

    /// Sats that the mint takes for it.
    pub fn fee_sats(&self) -> u64 {
        let inputs: u64 =
            self.inputs.iter().map(|proof| proof.amount.to_u64()).fold(0, u64::saturating_add);
        inputs.saturating_sub(self.outputs.total())
    }

    /// Some of what it gives away is locked to another's key, by secrets that no seed brings back.
    pub fn gives_locked(&self) -> bool {
        self.outputs.give_locked()
    }
}

impl Mint {
    /// What the mint takes for these inputs (NUT-02), in sats.
    ///
    /// # Errors
    /// As the mint says, when the keysets are not known yet.
    pub async fn input_fee(&self, inputs: &Proofs) -> Result<u64, MintError> {
        let fees = self.fees_ppk().await?;
        let ppk = inputs
            .iter()
            .map(|proof| fees.get(&proof.keyset_id).copied().unwrap_or(0))
            .fold(0u64, u64::saturating_add);
        Ok(ppk.div_ceil(1000))
    }

    /// Plans a swap of `inputs`. The caller holds the mint's lock, and journals the plan with its
    /// counters before [`Mint::post_swap`].
    ///
    /// # Errors
    /// [`MintError::Refused`] with the code of an unbalanced transaction when the inputs do not
    /// cover amount and fee, or the fee takes them all: no mint makes such a swap.
    pub async fn plan_swap(
        &self,
        inputs: Vec<Proof>,
        spec: SwapSpec,
        _guard: &MintGuard,
    ) -> Result<Swap, MintError> {
        let total: u64 =
            inputs.iter().map(|proof| proof.amount.to_u64()).fold(0, u64::saturating_add);
        let fee = self.input_fee(&inputs).await?;
        let keep = total.checked_sub(fee).and_then(|left| left.checked_sub(spec.give_sats));
        let Some(keep_sats) = keep.filter(|keep| keep.saturating_add(spec.give_sats) > 0) else {
            return Err(MintError::Refused {
                code: nut::UNBALANCED,
                reason: "inputs do not cover amount and fee".to_owned(),
            });
        };
        let keyset = self.active_keyset().await?;
        let outputs = match &spec.lock_to {
            Some(lock) => self.locked_outputs(&keyset, spec.give_sats, lock, keep_sats).await?,
            None => self.own_outputs(&keyset, spec.give_sats, keep_sats).await?,
        };
        Ok(Swap {
            id: Uuid::new_v4(),
            purpose: spec.purpose,
            mint: self.address.clone(),
            memo: spec.memo,
            inputs,
            outputs,
        })
    }

    /// Makes a planned and journaled swap. One request.
    ///
    /// # Cancel safety
    /// Not cancel safe in effect: a dropped future leaves the swap to `resume_swap`. Nothing is
    /// lost.
    pub async fn post_swap(&self, swap: &Swap, _guard: &MintGuard) -> SwapOutcome {
        let request = SwapRequest::new(swap.inputs.clone(), swap.outputs.blinded());
        let told = match self.client.swap(&request).await {
            Ok(answer) => match swap.outputs.signed_in_order(answer.signatures) {
                Ok(signed) => self.swapped(swap, signed).await,
                Err(error) => Err(error),
            },
            Err(error) => Err(error),
        };
        match told {
            Ok(done) => done,
            Err(error @ MintError::Refused { .. }) => self.refused(swap, error).await,
            Err(error) if error.is_definite() => SwapOutcome::Refused(error),
            Err(error) => SwapOutcome::Unknown(error),
        }
    }

    /// Signatures to coins.
    pub(super) async fn swapped(
        &self,
        swap: &Swap,
        signed: Signed<'_>,
    ) -> Result<SwapOutcome, MintError> {
        let gives: Vec<bool> = signed.iter().map(|(output, _)| output.give).collect();
        let proofs = self.unblind(&swap.outputs, signed, swap.id).await?;
        let (mut give, mut keep) = (Vec::new(), Vec::new());
        for (proof, is_given) in proofs.into_iter().zip(gives) {
            if is_given { give.push(proof) } else { keep.push(proof) }
        }
        Ok(SwapOutcome::Done { give, keep })
    }
}
