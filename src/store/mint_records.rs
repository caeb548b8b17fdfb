//! Mint records for one device of the wallet: counters belong to the device, everything else is
//! shared.
//!
//! Writes commit in order without a sync. A mint's records can be requested again; the number of a
//! quote's key becomes durable with the deposit that uses it.

use std::sync::Arc;

use async_trait::async_trait;
use cdk_common::nuts::{Id, KeySet, KeySetInfo, Keys};

use super::{Store, counters, mints};
use crate::model::mint::MintInfo;
use crate::ports::{MintRecords, StoreFailure};

/// Namespace of the counter for the keys that lock quotes (NUT-20).
const QUOTE_KEYS: &str = "nut20-quote";

type RecordResult<T> = Result<T, StoreFailure>;

#[derive(Clone, Debug)]
struct Records {
    store: Store,
    device: u32,
}

impl Store {
    /// Returns the mint records, with the counters of one device.
    pub fn records(&self, device: u32) -> Arc<dyn MintRecords> {
        Arc::new(Records { store: self.clone(), device })
    }
}

#[async_trait]
impl MintRecords for Records {
    fn device(&self) -> u32 {
        self.device
    }

    async fn info(&self, mint: &str) -> RecordResult<Option<MintInfo>> {
        let mint = mint.to_owned();
        Ok(self.store.read(move |tx| mints::info(tx, &mint)).await?)
    }

    async fn put_info(&self, mint: &str, info: MintInfo) -> RecordResult<()> {
        let mint = mint.to_owned();
        Ok(self.store.write(move |tx| mints::put_info(tx, &mint, &info)).await?)
    }

    async fn keysets(&self, mint: &str) -> RecordResult<Vec<KeySetInfo>> {
        let mint = mint.to_owned();
        Ok(self.store.read(move |tx| mints::keysets(tx, &mint)).await?)
    }

    async fn keysets_elsewhere(&self, mint: &str) -> RecordResult<Vec<Id>> {
        let mint = mint.to_owned();
        Ok(self.store.read(move |tx| mints::keysets_elsewhere(tx, &mint)).await?)
    }

    async fn put_keysets(&self, mint: &str, listed: Vec<KeySetInfo>) -> RecordResult<()> {
        let mint = mint.to_owned();
        Ok(self.store.write(move |tx| mints::put_keysets(tx, &mint, listed)).await?)
    }

    async fn keys(&self, keyset: &Id) -> RecordResult<Option<Keys>> {
        let id = *keyset;
        Ok(self.store.read(move |tx| mints::keys(tx, &id)).await?)
    }

    async fn put_keys(&self, keyset: KeySet) -> RecordResult<()> {
        Ok(self.store.write(move |tx| mints::put_keys(tx, &keyset)).await?)
    }

    async fn free_counters(&self, keyset: &Id, count: usize) -> RecordResult<Vec<u32>> {
        let (device, id) = (self.device, *keyset);
        Ok(self.store.read(move |tx| counters::free(tx, device, &id, count)).await?)
    }

    async fn next_quote_key(&self) -> RecordResult<u32> {
        let device = self.device;
        Ok(self.store.write(move |tx| counters::next_key(tx, device, QUOTE_KEYS)).await?)
    }
}
