//! One device's view of the store: cdk's `WalletDatabase`.
//!
//! Never holds anything of its own. Every write commits in order without a sync; a barrier makes them durable.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use cdk_common::bitcoin::bip32::DerivationPath;
use cdk_common::database::{Error, WalletDatabase};
use cdk_common::mint_url::MintUrl;
use cdk_common::nuts::{CurrencyUnit, Id, KeySet, KeySetInfo, Keys, MintInfo, PublicKey, SpendingConditions, State};
use cdk_common::wallet::{MeltQuote, MintQuote, P2PKSigningKey, ProofInfo, Transaction, TransactionDirection, TransactionId, WalletSaga};
use redb::Durability;
use uuid::Uuid;

use super::proofs::{self, Filter};
use super::tables::Y;
use super::{Inner, Store, StoreError, Verdict, mints, moves, namespaces, p2pk, quotes, sagas, transactions};

type Answer<T> = Result<T, Error>;

/// The store as one device of the wallet sees it: counters are the device's own, all else is shared.
#[derive(Clone, Debug)]
pub(super) struct View {
    pub(super) store: Store,
    pub(super) device: u32,
}

impl Store {
    /// The store as cdk sees it, with the counters of one device.
    pub fn view(&self, device: u32) -> Arc<dyn WalletDatabase<Error> + Send + Sync> {
        Arc::new(View { store: self.clone(), device })
    }

    async fn move_proofs(
        &self,
        work: impl FnOnce(&redb::WriteTransaction, &Inner) -> Result<(), StoreError> + Send + 'static,
    ) -> Answer<()> {
        Ok(self.transact(Durability::None, move |tx, inner| work(tx, inner).map(Verdict::Keep)).await?)
    }
}

#[async_trait]
impl WalletDatabase<Error> for View {
    async fn get_mint(&self, mint_url: MintUrl) -> Answer<Option<MintInfo>> {
        Ok(self.store.read(move |tx| mints::info(tx, &mint_url)).await?)
    }

    async fn get_mints(&self) -> Answer<HashMap<MintUrl, Option<MintInfo>>> {
        Ok(self.store.read(mints::all).await?)
    }

    async fn get_mint_keysets(&self, mint_url: MintUrl) -> Answer<Option<Vec<KeySetInfo>>> {
        Ok(self.store.read(move |tx| mints::keysets(tx, &mint_url)).await?)
    }

    async fn get_keyset_by_id(&self, keyset_id: &Id) -> Answer<Option<KeySetInfo>> {
        let id = *keyset_id;
        Ok(self.store.read(move |tx| mints::keyset(tx, &id)).await?)
    }

    async fn get_mint_quote(&self, quote_id: &str) -> Answer<Option<MintQuote>> {
        let id = quote_id.to_owned();
        Ok(self.store.read(move |tx| quotes::get(tx, &id)).await?)
    }

    async fn get_mint_quotes(&self) -> Answer<Vec<MintQuote>> {
        Ok(self.store.read(quotes::all).await?)
    }

    async fn get_unissued_mint_quotes(&self) -> Answer<Vec<MintQuote>> {
        Ok(self.store.read(quotes::unissued).await?)
    }

    async fn get_melt_quote(&self, quote_id: &str) -> Answer<Option<MeltQuote>> {
        let id = quote_id.to_owned();
        Ok(self.store.read(move |tx| quotes::get(tx, &id)).await?)
    }

    async fn get_melt_quotes(&self) -> Answer<Vec<MeltQuote>> {
        Ok(self.store.read(quotes::all).await?)
    }

    async fn get_keys(&self, id: &Id) -> Answer<Option<Keys>> {
        let id = *id;
        Ok(self.store.read(move |tx| mints::keys(tx, &id)).await?)
    }

    async fn get_proofs(
        &self,
        mint_url: Option<MintUrl>,
        unit: Option<CurrencyUnit>,
        state: Option<Vec<State>>,
        spending_conditions: Option<Vec<SpendingConditions>>,
    ) -> Answer<Vec<ProofInfo>> {
        let filter = Filter { mint: mint_url, unit, states: state };
        Ok(self.store.read(move |tx| proofs::list(tx, &filter, spending_conditions)).await?)
    }

    async fn get_proofs_by_ys(&self, ys: Vec<PublicKey>) -> Answer<Vec<ProofInfo>> {
        let ys: Vec<Y> = ys.iter().map(PublicKey::to_bytes).collect();
        Ok(self.store.read(move |tx| proofs::by_ys(tx, &ys)).await?)
    }

    async fn get_balance(&self, mint_url: Option<MintUrl>, unit: Option<CurrencyUnit>, state: Option<Vec<State>>) -> Answer<u64> {
        let filter = Filter { mint: mint_url, unit, states: state };
        Ok(self.store.read(move |tx| proofs::balance(tx, &filter)).await?)
    }

    async fn get_transaction(&self, transaction_id: TransactionId) -> Answer<Option<Transaction>> {
        Ok(self.store.read(move |tx| transactions::get(tx, &transaction_id)).await?)
    }

    async fn list_transactions(
        &self,
        mint_url: Option<MintUrl>,
        direction: Option<TransactionDirection>,
        unit: Option<CurrencyUnit>,
    ) -> Answer<Vec<Transaction>> {
        Ok(self.store.read(move |tx| transactions::list(tx, &mint_url, &direction, &unit)).await?)
    }

    async fn update_proofs(&self, added: Vec<ProofInfo>, removed_ys: Vec<PublicKey>) -> Answer<()> {
        self.store.move_proofs(move |tx, inner| moves::update(tx, inner, added, &removed_ys)).await
    }

    async fn update_proofs_state(&self, ys: Vec<PublicKey>, state: State) -> Answer<()> {
        self.store.move_proofs(move |tx, inner| moves::set_state(tx, inner, &ys, state)).await
    }

    async fn add_transaction(&self, transaction: Transaction) -> Answer<()> {
        Ok(self.store.write(move |tx| transactions::put(tx, &transaction)).await?)
    }

    async fn update_mint_url(&self, old_mint_url: MintUrl, new_mint_url: MintUrl) -> Answer<()> {
        self.store
            .move_proofs(move |tx, inner| {
                moves::rename_mint(tx, inner, &old_mint_url, &new_mint_url)?;
                quotes::rename_mint::<MintQuote>(tx, &old_mint_url, &new_mint_url)?;
                quotes::rename_mint::<MeltQuote>(tx, &old_mint_url, &new_mint_url)
            })
            .await
    }

    async fn increment_keyset_counter(&self, keyset_id: &Id, count: u32) -> Answer<u32> {
        Ok(self.store.increment_keyset(self.device, keyset_id, count).await?)
    }

    async fn increment_derivation_counter(&self, namespace: &str, count: u32) -> Answer<u32> {
        Ok(self.store.increment_derivation(self.device, namespace, count).await?)
    }

    async fn add_mint(&self, mint_url: MintUrl, mint_info: Option<MintInfo>) -> Answer<()> {
        Ok(self.store.write(move |tx| mints::add(tx, &mint_url, mint_info)).await?)
    }

    async fn remove_mint(&self, mint_url: MintUrl) -> Answer<()> {
        Ok(self.store.write(move |tx| mints::remove(tx, &mint_url)).await?)
    }

    async fn add_mint_keysets(&self, mint_url: MintUrl, keysets: Vec<KeySetInfo>) -> Answer<()> {
        Ok(self.store.write(move |tx| mints::add_keysets(tx, &mint_url, keysets)).await?)
    }

    async fn add_mint_quote(&self, quote: MintQuote) -> Answer<()> {
        Ok(self.store.write(move |tx| quotes::add(tx, quote)).await?)
    }

    async fn remove_mint_quote(&self, quote_id: &str) -> Answer<()> {
        let id = quote_id.to_owned();
        Ok(self.store.write(move |tx| quotes::remove::<MintQuote>(tx, &id)).await?)
    }

    async fn add_melt_quote(&self, quote: MeltQuote) -> Answer<()> {
        Ok(self.store.write(move |tx| quotes::add(tx, quote)).await?)
    }

    async fn remove_melt_quote(&self, quote_id: &str) -> Answer<()> {
        let id = quote_id.to_owned();
        Ok(self.store.write(move |tx| quotes::remove::<MeltQuote>(tx, &id)).await?)
    }

    async fn add_keys(&self, keyset: KeySet) -> Answer<()> {
        Ok(self.store.write(move |tx| mints::add_keys(tx, &keyset)).await?)
    }

    async fn remove_keys(&self, id: &Id) -> Answer<()> {
        let id = *id;
        Ok(self.store.write(move |tx| mints::remove_keys(tx, &id)).await?)
    }

    async fn remove_transaction(&self, transaction_id: TransactionId) -> Answer<()> {
        Ok(self.store.write(move |tx| transactions::remove(tx, &transaction_id)).await?)
    }

    async fn add_saga(&self, saga: WalletSaga) -> Answer<()> {
        Ok(self.store.write(move |tx| sagas::add(tx, &saga)).await?)
    }

    async fn get_saga(&self, id: &Uuid) -> Answer<Option<WalletSaga>> {
        let id = *id;
        Ok(self.store.read(move |tx| sagas::get(tx, id)).await?)
    }

    async fn update_saga(&self, saga: WalletSaga) -> Answer<bool> {
        Ok(self.store.write(move |tx| sagas::update(tx, &saga)).await?)
    }

    async fn delete_saga(&self, id: &Uuid) -> Answer<()> {
        let id = *id;
        Ok(self.store.write(move |tx| sagas::remove(tx, id)).await?)
    }

    async fn get_incomplete_sagas(&self) -> Answer<Vec<WalletSaga>> {
        Ok(self.store.read(sagas::all).await?)
    }

    async fn reserve_proofs(&self, ys: Vec<PublicKey>, operation_id: &Uuid) -> Answer<()> {
        let operation = *operation_id;
        self.store.move_proofs(move |tx, inner| moves::reserve(tx, inner, &ys, operation)).await
    }

    async fn release_proofs(&self, operation_id: &Uuid) -> Answer<()> {
        let operation = *operation_id;
        self.store.move_proofs(move |tx, inner| moves::release(tx, inner, operation)).await
    }

    async fn get_reserved_proofs(&self, operation_id: &Uuid) -> Answer<Vec<ProofInfo>> {
        let operation = *operation_id;
        Ok(self.store.read(move |tx| proofs::of_operation(tx, operation)).await?)
    }

    async fn reserve_melt_quote(&self, quote_id: &str, operation_id: &Uuid) -> Answer<()> {
        let (id, operation) = (quote_id.to_owned(), *operation_id);
        Ok(self.store.write(move |tx| quotes::reserve::<MeltQuote>(tx, &id, operation)).await?)
    }

    async fn release_melt_quote(&self, operation_id: &Uuid) -> Answer<()> {
        let operation = *operation_id;
        Ok(self.store.write(move |tx| quotes::release::<MeltQuote>(tx, operation)).await?)
    }

    async fn reserve_mint_quote(&self, quote_id: &str, operation_id: &Uuid) -> Answer<()> {
        let (id, operation) = (quote_id.to_owned(), *operation_id);
        Ok(self.store.write(move |tx| quotes::reserve::<MintQuote>(tx, &id, operation)).await?)
    }

    async fn release_mint_quote(&self, operation_id: &Uuid) -> Answer<()> {
        let operation = *operation_id;
        Ok(self.store.write(move |tx| quotes::release::<MintQuote>(tx, operation)).await?)
    }

    async fn kv_read(&self, primary_namespace: &str, secondary_namespace: &str, key: &str) -> Answer<Option<Vec<u8>>> {
        let place = namespaces::place(primary_namespace, secondary_namespace, key)?;
        Ok(self.store.read(move |tx| namespaces::read(tx, &place)).await?)
    }

    async fn kv_list(&self, primary_namespace: &str, secondary_namespace: &str) -> Answer<Vec<String>> {
        let (first, second) = (primary_namespace.to_owned(), secondary_namespace.to_owned());
        Ok(self.store.read(move |tx| namespaces::list(tx, &first, &second)).await?)
    }

    async fn kv_write(&self, primary_namespace: &str, secondary_namespace: &str, key: &str, value: &[u8]) -> Answer<()> {
        let (place, value) = (namespaces::place(primary_namespace, secondary_namespace, key)?, value.to_vec());
        Ok(self.store.write(move |tx| namespaces::write(tx, &place, &value)).await?)
    }

    async fn kv_remove(&self, primary_namespace: &str, secondary_namespace: &str, key: &str) -> Answer<()> {
        let place = namespaces::place(primary_namespace, secondary_namespace, key)?;
        Ok(self.store.write(move |tx| namespaces::remove(tx, &place)).await?)
    }

    async fn add_p2pk_key(&self, pubkey: &PublicKey, derivation_path: DerivationPath, derivation_index: u32) -> Answer<()> {
        let (pubkey, now) = (*pubkey, self.store.now());
        Ok(self.store.write(move |tx| p2pk::add(tx, pubkey, derivation_path, derivation_index, now)).await?)
    }

    async fn get_p2pk_key(&self, pubkey: &PublicKey) -> Answer<Option<P2PKSigningKey>> {
        let pubkey = *pubkey;
        Ok(self.store.read(move |tx| p2pk::get(tx, &pubkey)).await?)
    }

    async fn list_p2pk_keys(&self) -> Answer<Vec<P2PKSigningKey>> {
        Ok(self.store.read(p2pk::list).await?)
    }

    async fn latest_p2pk(&self) -> Answer<Option<P2PKSigningKey>> {
        Ok(self.store.read(p2pk::list).await?.into_iter().next())
    }
}
