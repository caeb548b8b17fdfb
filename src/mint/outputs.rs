//! Blinded outputs (NUT-00) as the journal stores them, and the proofs made from their signatures.
//!
//! An output from the seed uses a counter (NUT-13). Counters are only read here. They are used up
//! by the commit that journals the operation, so that an operation that never starts uses none.

use std::collections::BTreeMap;
use std::sync::Arc;

use cdk::amount::Amount;
use cdk::dhke::{blind_message, construct_proofs, hash_to_curve};
use cdk::nuts::nut10::{Secret as Locked, SecretData};
use cdk::nuts::{
    BlindSignature, BlindedMessage, CurrencyUnit, Id, KeySet, Kind, PublicKey, RestoreRequest,
    SecretKey, State,
};
use cdk_common::secret::Secret;
use cdk_common::wallet::ProofInfo;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::denominations::{fee_and_amounts, split_amount, spread};
use super::error::MintError;
use super::swap::P2pkLock;
use super::{Mint, Seed};
use crate::ports::Counters;

/// One output, with everything needed to turn the mint's signature into a proof.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Output {
    /// Amount in sats; 0 for a blank output, whose amount the mint chooses (NUT-08).
    pub(super) amount: u64,
    secret: Secret,
    r: SecretKey,
    blinded: PublicKey,
    /// Counter. `None`: not from the seed, because it is locked to a key.
    index: Option<u32>,
    pub(super) give: bool,
}

/// The outputs of one operation.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Outputs {
    device: u32,
    keyset: Id,
    pub(super) list: Vec<Output>,
}

/// Signatures, each with its output.
pub(super) type Signed<'a> = Vec<(&'a Output, BlindSignature)>;

impl Outputs {
    pub(super) fn blinded(&self) -> Vec<BlindedMessage> {
        let one = |output: &Output| {
            BlindedMessage::new(Amount::from(output.amount), self.keyset, output.blinded)
        };
        self.list.iter().map(one).collect()
    }

    /// Returns the Y of each proof the outputs become.
    pub(super) fn ys(&self) -> Result<Vec<PublicKey>, MintError> {
        self.list
            .iter()
            .map(|output| hash_to_curve(output.secret.as_bytes()).map_err(wrong))
            .collect()
    }

    /// Returns the counters.
    pub(super) fn counters(&self) -> Counters {
        self.counters_of(self.list.iter())
    }

    /// Returns the counters of the outputs that became none of these proofs.
    pub(super) fn counters_without(&self, proofs: &[ProofInfo]) -> Counters {
        let used = |output: &&Output| !proofs.iter().any(|info| info.proof.secret == output.secret);
        self.counters_of(self.list.iter().filter(used))
    }

    fn counters_of<'a>(&self, outputs: impl Iterator<Item = &'a Output>) -> Counters {
        Counters {
            device: self.device,
            keyset: self.keyset,
            indices: outputs.filter_map(|output| output.index).collect(),
        }
    }

    pub(super) fn total(&self) -> u64 {
        self.list.iter().map(|output| output.amount).fold(0, u64::saturating_add)
    }

    /// Returns whether an output to give away is locked to a key, so that the seed cannot restore
    /// it.
    pub(super) fn give_locked(&self) -> bool {
        self.list.iter().any(|output| output.give && output.index.is_none())
    }

    /// Pairs signatures with outputs, one each, in order.
    pub(super) fn signed_in_order(
        &self,
        signatures: Vec<BlindSignature>,
    ) -> Result<Signed<'_>, MintError> {
        if signatures.len() != self.list.len() {
            return Err(MintError::Wrong("not one signature per output".to_owned()));
        }
        Ok(self.list.iter().zip(signatures).collect())
    }

    /// Pairs the change of a melt with the first outputs (NUT-08).
    pub(super) fn signed_first(&self, signatures: Vec<BlindSignature>) -> Signed<'_> {
        self.list.iter().zip(signatures).collect()
    }
}

impl Mint {
    /// Makes seed outputs for an amount to give and one to keep, sorted by amount.
    pub(super) async fn own_outputs(
        &self,
        keyset: &KeySet,
        give_sats: u64,
        keep_sats: u64,
    ) -> Result<Outputs, MintError> {
        let amounts = fee_and_amounts(keyset);
        let mut wanted: Vec<(u64, bool)> =
            split_amount(give_sats, &amounts)?.into_iter().map(|amount| (amount, true)).collect();
        wanted.extend(split_amount(keep_sats, &amounts)?.into_iter().map(|amount| (amount, false)));
        wanted.sort_by_key(|(amount, _)| *amount);
        self.seeded(keyset.id, &wanted).await
    }

    /// Makes seed outputs for an amount to keep, preferring small proofs that the wallet lacks.
    pub(super) async fn spread_outputs(
        &self,
        keyset: &KeySet,
        sats: u64,
        held: &BTreeMap<u64, usize>,
    ) -> Result<Outputs, MintError> {
        let mut wanted: Vec<(u64, bool)> = spread(sats, held, &fee_and_amounts(keyset))?
            .into_iter()
            .map(|amount| (amount, false))
            .collect();
        wanted.sort_by_key(|(amount, _)| *amount);
        self.seeded(keyset.id, &wanted).await
    }

    /// Makes outputs to give that are locked to a key (NUT-11), and seed outputs to keep, sorted by
    /// amount.
    pub(super) async fn locked_outputs(
        &self,
        keyset: &KeySet,
        give_sats: u64,
        lock: &P2pkLock,
        keep_sats: u64,
    ) -> Result<Outputs, MintError> {
        let key = PublicKey::from_hex(&lock.key).map_err(wrong)?.to_hex();
        let tags = Some(&lock.tags).filter(|tags| !tags.is_empty());
        let mut outputs = self.own_outputs(keyset, 0, keep_sats).await?;
        for amount in split_amount(give_sats, &fee_and_amounts(keyset))? {
            let locked = Locked::new(Kind::P2PK, SecretData::new(key.clone(), tags.cloned()));
            let secret: Secret = locked.try_into().map_err(wrong)?;
            let (blinded, r) = blind_message(secret.as_bytes(), None).map_err(wrong)?;
            outputs.list.push(Output { amount, secret, r, blinded, index: None, give: true });
        }
        outputs.list.sort_by_key(|output| output.amount);
        Ok(outputs)
    }

    /// Makes blank outputs for change of at most `most_sats` (NUT-08).
    pub(super) async fn blank_outputs(
        &self,
        keyset: &KeySet,
        most_sats: u64,
    ) -> Result<Outputs, MintError> {
        let count = if most_sats == 0 {
            0
        } else {
            most_sats.saturating_sub(1).checked_ilog2().map_or(1, |log| log.saturating_add(1))
        };
        let wanted = vec![(0, false); usize::try_from(count).map_err(wrong)?];
        self.seeded(keyset.id, &wanted).await
    }

    async fn seeded(&self, keyset: Id, wanted: &[(u64, bool)]) -> Result<Outputs, MintError> {
        let indices = self.client.records.free_counters(&keyset, wanted.len()).await?;
        let one = |((amount, give), index): (&(u64, bool), u32)| {
            self.seed.output(keyset, index, *amount, *give)
        };
        let list = wanted.iter().zip(indices).map(one).collect::<Result<_, _>>()?;
        Ok(Outputs { device: self.client.records.device(), keyset, list })
    }

    /// Turns signatures into proofs. Checks amount, keyset, and DLEQ if present (NUT-12).
    pub(super) async fn unblind(
        &self,
        outputs: &Outputs,
        signed: Signed<'_>,
        operation: Uuid,
    ) -> Result<Vec<ProofInfo>, MintError> {
        let keyset: Arc<KeySet> = self.keyset(outputs.keyset).await?;
        let mut proofs = Vec::with_capacity(signed.len());
        for (output, signature) in signed {
            let fits = output.amount == 0 || signature.amount.to_u64() == output.amount;
            if !fits || signature.keyset_id != outputs.keyset {
                return Err(MintError::Wrong(
                    "a signature is not for the output asked for".to_owned(),
                ));
            }
            let key = keyset
                .keys
                .amount_key(signature.amount)
                .ok_or_else(|| MintError::Wrong("no such key".to_owned()))?;
            if signature.dleq.is_some() {
                signature.verify_dleq(key, output.blinded).map_err(wrong)?;
            }
            let (rs, secrets) = (vec![output.r.clone()], vec![output.secret.clone()]);
            for proof in
                construct_proofs(vec![signature], rs, secrets, &keyset.keys).map_err(wrong)?
            {
                let state = if output.give { State::PendingSpent } else { State::Unspent };
                let user = output.give.then_some(operation);
                let url = self.client.url().clone();
                let info = ProofInfo::new_with_operations(
                    proof,
                    url,
                    state,
                    CurrencyUnit::Sat,
                    user,
                    Some(operation),
                )
                .map_err(wrong)?;
                proofs.push(output.index.into_iter().fold(info, ProofInfo::with_derivation_index));
            }
        }
        Ok(proofs)
    }

    /// Asks which of these outputs the mint has signed (NUT-09). `None`: none. Outputs with an
    /// amount are all signed, or none is.
    pub(super) async fn signed<'a>(
        &self,
        outputs: &'a Outputs,
    ) -> Result<Option<Signed<'a>>, MintError> {
        let asked = outputs.blinded();
        if asked.is_empty() {
            return Ok(None);
        }
        let told = self.client.restore(&RestoreRequest { outputs: asked }).await?;
        let mut signed = Vec::with_capacity(told.signatures.len());
        for output in &outputs.list {
            let place =
                told.outputs.iter().position(|named| named.blinded_secret == output.blinded);
            signed.extend(
                place
                    .and_then(|place| told.signatures.get(place))
                    .map(|signature| (output, signature.clone())),
            );
        }
        Ok((!signed.is_empty()).then_some(signed))
    }
}

impl Seed {
    /// Derives the output at a counter (NUT-13).
    fn output(&self, keyset: Id, index: u32, amount: u64, give: bool) -> Result<Output, MintError> {
        let secret = Secret::from_seed(self.bytes(), keyset, index).map_err(wrong)?;
        let r = SecretKey::from_seed(self.bytes(), keyset, index).map_err(wrong)?;
        let (blinded, r) = blind_message(secret.as_bytes(), Some(r)).map_err(wrong)?;
        Ok(Output { amount, secret, r, blinded, index: Some(index), give })
    }
}

pub(super) fn wrong(error: impl std::fmt::Display) -> MintError {
    MintError::Wrong(error.to_string())
}
