//! What cdk's operations left lying: coins of one of which there is no trace, neither a saga of cdk's nor a swap in the journal; and
//! melts that are settled and not ended.
//!
//! cdk marks coins as taken, and writes its saga a moment later; a crash in between leaves them so. While an operation is between the
//! two its coins look the same: whoever acts on the answer holds the turn at the mint. Decides nothing.

use cdk_common::nuts::State;
use cdk_common::wallet::{MeltSagaState, ProofInfo, WalletSagaState};

use super::proofs::{self, Filter};
use super::tables::{Reads, SWAPS};
use super::{Store, StoreError, UNCHECKED, doubt, payments, sagas};
use crate::model::payment::{Payment, PaymentState};

impl Store {
    /// Melts that are settled in the journal and that cdk has not ended: their change is not in yet.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn unfinished_melts(&self) -> Result<Vec<Payment>, StoreError> {
        self.read(|tx| {
            let mut found = Vec::new();
            for quote in sagas::all(tx)?.iter().filter_map(sagas::melt_quote) {
                found.extend(payments::by_quote(tx, &quote)?.filter(|payment| matches!(payment.state, PaymentState::Settled { .. })));
            }
            Ok(found)
        })
        .await
    }

    /// The orphans, of all mints, and the coins of melts that were prepared and never asked for. Those of an undecided melt are none.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn orphans(&self) -> Result<Vec<ProofInfo>, StoreError> {
        self.off(|inner| {
            let db = inner.db()?;
            let tx = redb::ReadableDatabase::begin_read(&*db)?;
            let held = Filter { mint: None, unit: None, states: Some(vec![State::Reserved, State::Pending]) };
            let mut orphans = Vec::new();
            for coin in proofs::list(&tx, &held, None)? {
                let known = match coin.used_by_operation {
                    Some(UNCHECKED) => true,
                    Some(operation) => {
                        let begun = sagas::get(&tx, operation)?
                            .is_some_and(|saga| saga.state != WalletSagaState::Melt(MeltSagaState::ProofsReserved));
                        begun || tx.table(SWAPS)?.get(operation.as_bytes())?.is_some() || doubt::holds(&tx, inner, operation)?
                    }
                    None => false,
                };
                if !known {
                    orphans.push(coin);
                }
            }
            Ok(orphans)
        })
        .await
    }
}
