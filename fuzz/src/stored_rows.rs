//! Damaged files: a real wallet file with a row replaced, or with bytes changed.
//!
//! The first byte chooses between the two. A file is refused or read; an unreadable row is an
//! error, never a panic.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use cdk_common::nuts::State;
use nutpurse::testing::api::Code;
use nutpurse::testing::store::{HistoryFilter, Store, StoreError};
use redb::{Database, ReadableDatabase, ReadableTable, StorageBackend, TableDefinition};
use serde_json::json;

use super::mint_answers::image_of_a_wallet;
use super::purse::{MINT, Nobody, Purse, now, run};
use super::tape::Tape;

/// The tables with the wallet's own rows and text keys.
const TABLES: [&str; 6] = ["meta", "payments", "tokens", "deposits", "receives", "mints"];

/// The table of the operations under way: those that hold proofs, and those that hold none.
const JOURNAL: TableDefinition<'_, &[u8; 16], (bool, &[u8])> = TableDefinition::new("journal");

/// A storage in memory whose bytes can be read.
#[derive(Clone, Debug, Default)]
pub(super) struct Image(Arc<Mutex<Vec<u8>>>);

impl Image {
    pub(super) fn bytes(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Image {
    pub(super) fn into_bytes(self) -> Vec<u8> {
        std::mem::take(&mut *self.bytes())
    }
}

fn place(offset: u64, length: usize) -> io::Result<std::ops::Range<usize>> {
    let from = usize::try_from(offset).map_err(io::Error::other)?;
    Ok(from..from
        .checked_add(length)
        .ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))?)
}

impl StorageBackend for Image {
    fn len(&self) -> io::Result<u64> {
        Ok(self.bytes().len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let bytes = self.bytes();
        let found = bytes
            .get(place(offset, out.len())?)
            .ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))?;
        out.copy_from_slice(found);
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        // A damaged length must not use up all memory.
        if length > 64 << 20 {
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        self.bytes().resize(place(length, 0)?.start, 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let range = place(offset, data.len())?;
        self.bytes()
            .get_mut(range)
            .ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))?
            .copy_from_slice(data);
        Ok(())
    }
}

/// Damages a wallet's file as the bytes say, opens it and reads all of it.
pub fn open_a_damaged_file(bytes: &[u8]) {
    static WHOLE: OnceLock<Vec<u8>> = OnceLock::new();
    let whole = WHOLE.get_or_init(image_of_a_wallet);
    let image = Image(Arc::new(Mutex::new(whole.clone())));
    let mut tape = Tape::new(bytes);
    if tape.byte().is_multiple_of(2) {
        replace_a_row(&image, &mut tape, bytes);
    } else {
        change_bytes(&image, &mut tape);
    }
    run(async {
        if let Ok(store) = Store::with_backend(image, now).await {
            if let Err(error) = read_all(&store).await {
                assert!(!error.to_string().is_empty());
            }
            ask_a_wallet(store).await;
        }
    });
}

/// Replaces a row: the second byte chooses the table, the third the row; the rest is the new row.
fn replace_a_row(image: &Image, tape: &mut Tape, bytes: &[u8]) {
    let (name, nth) = (tape.below(TABLES.len() + 2), tape.below(4));
    let row = bytes.get(3..).unwrap_or_default();
    let database = Database::builder().create_with_backend(image.clone()).unwrap();
    let Some(name) = TABLES.get(name) else {
        let write = database.begin_write().unwrap();
        write
            .open_table(JOURNAL)
            .unwrap()
            .insert(&[7_u8; 16], (name == TABLES.len(), row))
            .unwrap();
        return write.commit().unwrap();
    };
    let table: TableDefinition<'_, &str, &[u8]> = TableDefinition::new(name);
    let keys: Vec<String> = {
        let read = database.begin_read().unwrap().open_table(table).unwrap();
        read.iter().unwrap().map(|row| row.unwrap().0.value().to_owned()).collect()
    };
    let key = keys.get(nth % keys.len().max(1)).map_or("stray", String::as_str);
    let write = database.begin_write().unwrap();
    write.open_table(table).unwrap().insert(key, row).unwrap();
    write.commit().unwrap();
}

/// Changes bytes: each four bytes are an offset and a mask. An offset beyond the end truncates the
/// file.
fn change_bytes(image: &Image, tape: &mut Tape) {
    let mut file = image.bytes();
    while !tape.is_empty() && !file.is_empty() {
        let at = usize::from(tape.byte()) << 16
            | usize::from(tape.byte()) << 8
            | usize::from(tape.byte());
        let byte = tape.byte();
        match file.get_mut(at) {
            Some(place) => *place ^= byte,
            None => {
                let length = at % file.len();
                file.truncate(length);
            }
        }
    }
}

/// Checks that a wallet with such a file answers, or reports that its file is damaged.
async fn ask_a_wallet(store: Store) {
    let purse = match Purse::over(store, Arc::new(Nobody)).await {
        Ok(purse) => purse,
        Err(error) => return assert!(is_damage(error.code), "{error}"),
    };
    for tool in ["get_balance", "list_history", "list_mints"] {
        let told = purse.call(tool, json!({})).await;
        assert!(told.as_ref().err().is_none_or(|code| is_damage(*code)), "{tool}: {told:?}");
    }
    purse.close().await;
}

fn is_damage(code: Code) -> bool {
    matches!(code, Code::WalletDamaged | Code::StorageFailed)
}

async fn read_all(store: &Store) -> Result<(), StoreError> {
    store.meta().await?;
    let history = store.history(HistoryFilter { limit: 50, ..HistoryFilter::default() }).await;
    let (open, deposits, receives) =
        (store.open_payments().await, store.open_deposits().await, store.open_receives().await);
    let (operations, tokens, balances) =
        (store.operations().await, store.unfinished(|_| true).await, store.balances().await);
    let ledger = store.ledger("agent", None, now()).await;
    let records = store.records(0);
    let (info, keysets) = (records.info(MINT).await, records.keysets(MINT).await);
    let _mint = (info, records.keysets_elsewhere(MINT).await);
    for keyset in keysets.unwrap_or_default() {
        let _keys = (records.keys(&keyset.id).await, records.free_counters(&keyset.id, 2).await);
    }
    let _coins = (store.proofs_in(None).await, store.proofs_in(Some(vec![State::Spent])).await);
    let _sums = json!({"open": open?.len(), "deposits": deposits?.len(), "receives": receives?.len(), "operations": operations?.len()});
    tokens?;
    balances?;
    ledger?;
    history?;
    store.barrier().await
}
