//! Journaled swap of proofs whose secrets must survive a crash (NUT-03, NUT-09, NUT-11, NUT-13).
//!
//! ```text
//!  plan --(journaled by the caller, durably)--> post --> Done | Refused | Unknown
//!                                                 ^                         |
//!                                                 +----- resume, later <----+
//! ```
//! The plan contains inputs, secrets and blinding factors, so that nothing the mint has signed can
//! be lost: `resume` asks for the signatures (NUT-09), and if there are none repeats the identical
//! request. Never sends a different request for the same inputs while the first is undecided.

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

/// The purpose of a swap.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SwapPurpose {
    /// Makes a token.
    Send(PaymentId),
    /// Redeems a token.
    Receive(ReceiveId),
    /// Reclaims a token of this wallet.
    Reclaim(PaymentId),
    /// Cancels a dead melt by spending its inputs.
    Cancel(PaymentId),
    /// Adopts another device's proofs.
    #[serde(rename = "claim")]
    Adopt,
    /// Redeems nutzaps, given by event id.
    Nutzaps(Vec<String>),
    /// Makes exact proofs for a melt at a mint that gives no change.
    Split,
    /// Disputed: the mint said that the swap cannot have been made. Asked about for a week, in case
    /// the mint was wrong.
    #[serde(rename = "buried")]
    Disputed {
        /// The original purpose.
        of: Box<SwapPurpose>,
        /// Start of the dispute, in Unix seconds.
        since: u64,
    },
}

impl SwapPurpose {
    /// Returns the payment or receive it serves. `None`: neither.
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

/// A journaled swap. Contains secrets: it is written to the store only.
#[derive(Clone, Serialize, Deserialize)]
pub struct Swap {
    /// Id of the operation, which also marks the inputs it holds.
    pub id: Uuid,
    /// The purpose.
    pub purpose: SwapPurpose,
    /// The mint.
    pub mint: MintAddress,
    /// Memo of the token it makes.
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

/// A lock for proofs (NUT-11).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct P2pkLock {
    /// The key that unlocks them, compressed, hex.
    pub key: String,
    /// Additional tags of the lock.
    pub tags: Vec<Vec<String>>,
}

/// Specification of a swap.
#[derive(Clone, Debug)]
pub struct SwapSpec {
    /// The purpose.
    pub purpose: SwapPurpose,
    /// Sats to give away; 0 if all are kept.
    pub give_sats: u64,
    /// Lock of the proofs to give away. `None`: unlocked.
    pub lock_to: Option<P2pkLock>,
    /// Memo of the token.
    pub memo: Option<String>,
}

/// Outcome of a swap.
#[derive(Clone, Debug)]
pub enum SwapOutcome {
    /// Signed: the new proofs.
    Done {
        /// Proofs to give away.
        give: Vec<ProofInfo>,
        /// Proofs to keep.
        keep: Vec<ProofInfo>,
    },
    /// Definitely refused, or not sent. The inputs are unchanged.
    Refused(MintError),
    /// The inputs are spent, but not by this swap.
    SpentElsewhere,
    /// Not known yet.
    Unknown(MintError),
}

impl Swap {
    /// Takes over the id of an earlier, refused swap of the same inputs.
    #[must_use]
    pub fn instead_of(mut self, earlier: &Self) -> Self {
        self.id = earlier.id;
        self
    }

    /// Returns this swap as disputed, with the same id.
    #[must_use]
    pub fn disputed(&self, since: u64) -> Self {
        let mut disputed = self.clone();
        disputed.purpose = SwapPurpose::Disputed { of: Box::new(self.purpose.clone()), since };
        disputed
    }

    /// Returns the inputs, by Y.
    ///
    /// # Errors
    /// [`MintError::Wrong`].
    pub fn input_ys(&self) -> Result<Vec<PublicKey>, MintError> {
        self.inputs.ys().map_err(|error| MintError::Wrong(error.to_string()))
    }

    /// Returns the counters of its outputs.
    pub fn counters(&self) -> Counters {
        self.outputs.counters()
    }

    /// Returns the mint's fee for it, in sats.
    pub fn fee_sats(&self) -> u64 {
        let inputs: u64 =
            self.inputs.iter().map(|proof| proof.amount.to_u64()).fold(0, u64::saturating_add);
        inputs.saturating_sub(self.outputs.total())
    }

    /// Returns whether an output to give away is locked to a key, so that the seed cannot restore
    /// it.
    pub fn gives_locked(&self) -> bool {
        self.outputs.give_locked()
    }
}

impl Mint {
    /// Returns the mint's input fee for these proofs (NUT-02), in sats.
    ///
    /// # Errors
    /// If a request for keysets fails.
    pub async fn input_fee(&self, inputs: &Proofs) -> Result<u64, MintError> {
        let fees = self.fees_ppk().await?;
        let ppk = inputs
            .iter()
            .map(|proof| fees.get(&proof.keyset_id).copied().unwrap_or(0))
            .fold(0u64, u64::saturating_add);
        Ok(ppk.div_ceil(1000))
    }

    /// Plans a swap of `inputs`. The caller holds the mint's lock and journals the plan and its
    /// counters before [`Mint::post_swap`].
    ///
    /// # Errors
    /// [`MintError::Refused`] with [`nut::UNBALANCED`] if the inputs do not cover amount and fee,
    /// or nothing would be left; and if a request for keysets fails.
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

    /// Sends a planned and journaled swap. One request; more if the mint refuses.
    ///
    /// # Cancel safety
    /// Not cancel safe: a dropped future leaves the swap to [`Mint::resume_swap`]. Nothing is lost.
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

    /// Turns signatures into proofs to give and to keep.
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
