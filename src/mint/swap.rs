//! The journaled swap: every exchange of coins whose secrets must outlive a crash (NUT-03, NUT-09, NUT-11, NUT-13).
//!
//! ```text
//!  plan --(journaled by the caller, durably)--> post --> Done | Refused | Unknown
//!                                                 ^                         |
//!                                                 +------- resume <---------+  at the next start, or later
//! ```
//! Inputs, secrets and blinding factors are in the plan, so nothing that the mint has signed can be lost: `resume` asks for the
//! signatures again (NUT-09), and where there are none makes the very same request again. Never makes up a second request for the same
//! inputs.

use std::str::FromStr;

use cdk::amount::{Amount, FeeAndAmounts, SplitTarget};
use cdk::dhke::construct_proofs;
use cdk::nuts::nut00::ProofsMethods;
use cdk::nuts::nut10::SpendingConditions;
use cdk::nuts::{
    BlindSignature, BlindedMessage, Id, KeySet, PreMint, PreMintSecrets, Proof, Proofs, PublicKey, SecretKey, State, SwapRequest,
};
use cdk_common::secret::Secret;
use cdk_common::wallet::ProofInfo;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Mint;
use super::connector::Turn;
use super::error::{MintError, nut};
use super::split::{fee_and_amounts, refuse_a_flood};
use crate::model::id::{PaymentId, ReceiveId};
use crate::model::mint::MintAddress;

/// What a swap is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// Makes a token.
    Send(PaymentId),
    /// Takes a token in.
    Receive(ReceiveId),
    /// Takes a token of ours back.
    Reclaim(PaymentId),
    /// Takes the coins of a dead melt away from it.
    Cancel(PaymentId),
    /// Makes another device's coins at this mint our own.
    Claim(MintAddress),
    /// The mint said that it cannot have been made: asked about for some time, should the mint have been wrong.
    Buried {
        /// What it was for.
        of: Box<Purpose>,
        /// The mint.
        mint: MintAddress,
        /// Since when, in Unix seconds.
        since: u64,
    },
}

/// One output: everything needed to turn the mint's signature into a coin.
#[derive(Clone, Serialize, Deserialize)]
struct Output {
    amount: u64,
    secret: Secret,
    r: SecretKey,
    blinded: PublicKey,
    index: Option<u32>,
    give: bool,
}

/// A swap, whole. Holds secrets: it is written to the store and nowhere else.
#[derive(Clone, Serialize, Deserialize)]
pub struct Swap {
    /// Its name; also the operation that holds the inputs.
    pub id: Uuid,
    /// What it is for.
    pub purpose: Purpose,
    /// Words inside the token it makes.
    pub memo: Option<String>,
    keyset: Id,
    pub(super) inputs: Proofs,
    outputs: Vec<Output>,
}

impl std::fmt::Debug for Swap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Swap").field("id", &self.id).field("purpose", &self.purpose).finish_non_exhaustive()
    }
}

/// What to make.
#[derive(Clone, Debug)]
pub struct Want {
    /// What it is for.
    pub purpose: Purpose,
    /// Sats to hand out; 0 when everything is kept.
    pub give_sats: u64,
    /// The key the given coins are locked to, hex. `None`: not locked.
    pub lock_to: Option<String>,
    /// Words inside the token.
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
    /// For the journal.
    ///
    /// # Errors
    /// [`MintError::Store`].
    pub fn to_row(&self) -> Result<Vec<u8>, MintError> {
        serde_json::to_vec(self).map_err(|error| MintError::Store(error.to_string()))
    }

    /// From the journal.
    ///
    /// # Errors
    /// [`MintError::Store`].
    pub fn from_row(row: &[u8]) -> Result<Self, MintError> {
        serde_json::from_slice(row).map_err(|error| MintError::Store(error.to_string()))
    }

    /// The same inputs planned anew, under the name of the swap whose place this takes: the earlier one was refused.
    #[must_use]
    pub fn instead_of(mut self, earlier: &Self) -> Self {
        self.id = earlier.id;
        self
    }

    /// The same under another purpose, in its place in the journal.
    #[must_use]
    pub fn buried(&self, mint: MintAddress, since: u64) -> Self {
        let mut buried = self.clone();
        buried.purpose = Purpose::Buried { of: Box::new(self.purpose.clone()), mint, since };
        buried
    }

    /// The inputs, by Y.
    ///
    /// # Errors
    /// [`MintError::Wrong`].
    pub fn input_ys(&self) -> Result<Vec<PublicKey>, MintError> {
        self.inputs.ys().map_err(|error| MintError::Wrong(error.to_string()))
    }

    /// The coins it makes, by Y.
    ///
    /// # Errors
    /// [`MintError::Wrong`].
    pub fn output_ys(&self) -> Result<Vec<PublicKey>, MintError> {
        let y = |output: &Output| cdk::dhke::hash_to_curve(output.secret.as_bytes()).map_err(wrong);
        self.outputs.iter().map(y).collect()
    }

    /// Sats that the mint takes for it.
    pub fn fee_sats(&self) -> u64 {
        let inputs: u64 = self.inputs.iter().map(|proof| proof.amount.to_u64()).fold(0, u64::saturating_add);
        let outputs = self.outputs.iter().map(|output| output.amount).fold(0, u64::saturating_add);
        inputs.saturating_sub(outputs)
    }

    /// Some of what it gives away is locked to another's key, by secrets that no seed brings back.
    pub fn gives_locked(&self) -> bool {
        self.outputs.iter().any(|output| output.give && output.index.is_none())
    }

    pub(super) fn keeps_all(&self) -> bool {
        !matches!(self.purpose, Purpose::Send(_))
    }

    pub(super) fn blinded(&self) -> Vec<BlindedMessage> {
        let one = |output: &Output| BlindedMessage::new(Amount::from(output.amount), self.keyset, output.blinded);
        self.outputs.iter().map(one).collect()
    }
}

impl Mint {
    /// What the mint takes for these inputs (NUT-02), in sats.
    ///
    /// # Errors
    /// As the mint says, when the keysets are not known yet.
    pub async fn input_fee(&self, inputs: &Proofs) -> Result<u64, MintError> {
        let fees = self.fees_ppk().await?;
        let ppk = inputs.iter().map(|proof| fees.get(&proof.keyset_id).copied().unwrap_or(0)).fold(0u64, u64::saturating_add);
        Ok(ppk.div_ceil(1000))
    }

    /// Plans a swap of `inputs` and reserves its counters. The caller holds the turn, and journals the plan before `post_swap`.
    ///
    /// # Errors
    /// [`MintError::Refused`] with the code of an unbalanced transaction when the inputs do not cover amount and fee, or the fee takes
    /// them all: no mint makes such a swap.
    pub async fn plan_swap(&self, inputs: Vec<Proof>, want: Want, _turn: &Turn) -> Result<Swap, MintError> {
        let total: u64 = inputs.iter().map(|proof| proof.amount.to_u64()).fold(0, u64::saturating_add);
        let fee = self.input_fee(&inputs).await?;
        let keep = total.checked_sub(fee).and_then(|left| left.checked_sub(want.give_sats));
        let Some(keep_sats) = keep.filter(|keep| keep.saturating_add(want.give_sats) > 0) else {
            return Err(MintError::Refused { code: nut::UNBALANCED, reason: "inputs do not cover amount and fee".to_owned() });
        };
        let keyset = self.active_keyset().await?;
        let amounts = fee_and_amounts(&keyset);
        refuse_a_flood(want.give_sats, &amounts)?;
        refuse_a_flood(keep_sats, &amounts)?;
        let mut outputs = Vec::new();
        if let Some(key) = &want.lock_to {
            let key = PublicKey::from_str(key).map_err(|error| MintError::Wrong(error.to_string()))?;
            let lock = SpendingConditions::new_p2pk(key, None);
            let give = Amount::from(want.give_sats);
            let locked = PreMintSecrets::with_conditions(keyset.id, give, &SplitTarget::default(), &lock, &amounts);
            outputs.extend(locked.map_err(wrong)?.secrets.into_iter().map(|one| output(one, true)));
        } else {
            outputs.extend(self.own_outputs(&keyset, want.give_sats, &amounts, true).await?);
        }
        outputs.extend(self.own_outputs(&keyset, keep_sats, &amounts, false).await?);
        outputs.sort_by_key(|output| output.amount);
        Ok(Swap { id: Uuid::new_v4(), purpose: want.purpose, memo: want.memo, keyset: keyset.id, inputs, outputs })
    }

    /// Outputs of our own seed, from counters nobody else has used (NUT-13).
    async fn own_outputs(&self, keyset: &KeySet, sats: u64, amounts: &FeeAndAmounts, give: bool) -> Result<Vec<Output>, MintError> {
        if sats == 0 {
            return Ok(Vec::new());
        }
        let count = Amount::from(sats).split(amounts).map_err(wrong)?.len();
        let count = u32::try_from(count).map_err(wrong)?;
        let next = self.cdk.localstore.increment_keyset_counter(&keyset.id, count).await;
        let next = next.map_err(|error| MintError::Store(error.to_string()))?;
        let from = next.saturating_sub(count);
        let secrets = PreMintSecrets::from_seed(keyset.id, from, self.seed.bytes(), Amount::from(sats), &SplitTarget::None, amounts);
        Ok(secrets.map_err(wrong)?.secrets.into_iter().map(|one| output(one, give)).collect())
    }

    /// Makes a planned and journaled swap. One request.
    ///
    /// # Cancel safety
    /// Not cancel safe in effect: a dropped future leaves the swap to `resume_swap`. Nothing is lost.
    pub async fn post_swap(&self, swap: &Swap, _turn: &Turn) -> SwapOutcome {
        let request = SwapRequest::new(swap.inputs.clone(), swap.blinded());
        match self.connector.swap(&request).await {
            Ok(answer) => match self.unblind(swap, answer.signatures).await {
                Ok(done) => done,
                Err(error) => SwapOutcome::Unknown(error),
            },
            Err(error) if matches!(error.code(), Some(nut::OUTPUTS_SIGNED)) => SwapOutcome::Unknown(error),
            Err(error @ MintError::Refused { .. }) => self.refused(swap, error).await,
            Err(error) if error.is_definite() => SwapOutcome::Refused(error),
            Err(error) => SwapOutcome::Unknown(error),
        }
    }

    /// Signatures to coins; every one is checked: amount, keyset, and the proof that the mint signed with its listed key (NUT-12).
    pub(super) async fn unblind(&self, swap: &Swap, signatures: Vec<BlindSignature>) -> Result<SwapOutcome, MintError> {
        if signatures.len() != swap.outputs.len() {
            return Err(MintError::Wrong("not one signature per output".to_owned()));
        }
        let keyset = self.keyset(swap.keyset).await?;
        for (signature, output) in signatures.iter().zip(&swap.outputs) {
            if signature.amount.to_u64() != output.amount || signature.keyset_id != swap.keyset {
                return Err(MintError::Wrong("a signature is not for the output asked for".to_owned()));
            }
            let key = keyset.keys.amount_key(signature.amount).ok_or_else(|| MintError::Wrong("no such key".to_owned()))?;
            if signature.dleq.is_some() {
                signature.verify_dleq(key, output.blinded).map_err(wrong)?;
            }
        }
        let rs = swap.outputs.iter().map(|output| output.r.clone()).collect();
        let secrets = swap.outputs.iter().map(|output| output.secret.clone()).collect();
        let proofs = construct_proofs(signatures, rs, secrets, &keyset.keys).map_err(wrong)?;
        let (mut give, mut keep) = (Vec::new(), Vec::new());
        for (proof, output) in proofs.into_iter().zip(&swap.outputs) {
            let state = if output.give { State::PendingSpent } else { State::Unspent };
            let operation = output.give.then_some(swap.id);
            let (url, unit) = (self.cdk.mint_url.clone(), self.cdk.unit.clone());
            let mut info = ProofInfo::new_with_operations(proof, url, state, unit, operation, Some(swap.id)).map_err(wrong)?;
            if let Some(index) = output.index {
                info = info.with_derivation_index(index);
            }
            if output.give { give.push(info) } else { keep.push(info) }
        }
        Ok(SwapOutcome::Done { give, keep })
    }
}

fn output(one: PreMint, give: bool) -> Output {
    let amount = one.amount.to_u64();
    Output { amount, blinded: one.blinded_message.blinded_secret, secret: one.secret, r: one.r, index: one.derivation_index, give }
}

fn wrong(error: impl std::fmt::Display) -> MintError {
    MintError::Wrong(error.to_string())
}
