//! cdk's quotes of both directions, with an index from the operation that holds one.
//!
//! Optimistic: a write must name the version it read. Never changes a quote's state by itself.

use cdk_common::Amount;
use cdk_common::PaymentMethod;
use cdk_common::database;
use cdk_common::mint_url::MintUrl;
use cdk_common::nuts::nut00::KnownMethod;
use cdk_common::wallet::{MeltQuote, MintQuote};
use redb::{ReadableTable, TableDefinition, WriteTransaction};
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::error::StoreError;
use super::record;
use super::tables::{MELT_QUOTE_USERS, MELT_QUOTES, MINT_QUOTE_USERS, MINT_QUOTES, Reads};

/// What both kinds of quote have.
pub(super) trait Quote: Serialize + DeserializeOwned {
    const ROWS: TableDefinition<'static, &'static str, &'static [u8]>;
    const USERS: TableDefinition<'static, (&'static str, &'static str), ()>;

    fn id(&self) -> &str;
    fn version(&mut self) -> &mut u32;
    fn user(&mut self) -> &mut Option<String>;
    fn rename_mint(&mut self, old: &MintUrl, new: &MintUrl) -> bool;
}

impl Quote for MintQuote {
    const ROWS: TableDefinition<'static, &'static str, &'static [u8]> = MINT_QUOTES;
    const USERS: TableDefinition<'static, (&'static str, &'static str), ()> = MINT_QUOTE_USERS;

    fn id(&self) -> &str {
        &self.id
    }

    fn version(&mut self) -> &mut u32 {
        &mut self.version
    }

    fn user(&mut self) -> &mut Option<String> {
        &mut self.used_by_operation
    }

    fn rename_mint(&mut self, old: &MintUrl, new: &MintUrl) -> bool {
        let ours = self.mint_url == *old;
        if ours {
            self.mint_url = new.clone();
        }
        ours
    }
}

impl Quote for MeltQuote {
    const ROWS: TableDefinition<'static, &'static str, &'static [u8]> = MELT_QUOTES;
    const USERS: TableDefinition<'static, (&'static str, &'static str), ()> = MELT_QUOTE_USERS;

    fn id(&self) -> &str {
        &self.id
    }

    fn version(&mut self) -> &mut u32 {
        &mut self.version
    }

    fn user(&mut self) -> &mut Option<String> {
        &mut self.used_by_operation
    }

    fn rename_mint(&mut self, old: &MintUrl, new: &MintUrl) -> bool {
        let ours = self.mint_url.as_ref() == Some(old);
        if ours {
            self.mint_url = Some(new.clone());
        }
        ours
    }
}

pub(super) fn get<Q: Quote>(tx: &impl Reads, id: &str) -> Result<Option<Q>, StoreError> {
    record::get(tx, Q::ROWS, id)
}

pub(super) fn all<Q: Quote>(tx: &impl Reads) -> Result<Vec<Q>, StoreError> {
    record::all(tx, Q::ROWS)
}

/// Mint quotes of which nothing was issued, and every reusable one: the mint may have been paid since.
pub(super) fn unissued(tx: &impl Reads) -> Result<Vec<MintQuote>, StoreError> {
    let mut quotes: Vec<MintQuote> = all(tx)?;
    quotes.retain(|quote| quote.amount_issued == Amount::ZERO || quote.payment_method == PaymentMethod::Known(KnownMethod::Bolt12));
    Ok(quotes)
}

/// Adds a quote, or replaces the very version that the caller read.
pub(super) fn add<Q: Quote>(tx: &WriteTransaction, mut quote: Q) -> Result<(), StoreError> {
    if let Some(mut known) = get::<Q>(tx, quote.id())? {
        if known.version() != quote.version() {
            return Err(database::Error::ConcurrentUpdate.into());
        }
        let next = quote.version().wrapping_add(1);
        *quote.version() = next;
    }
    write(tx, quote)
}

pub(super) fn remove<Q: Quote>(tx: &WriteTransaction, id: &str) -> Result<(), StoreError> {
    forget_user::<Q>(tx, id)?;
    record::remove(tx, Q::ROWS, id)
}

/// Gives a free quote to an operation.
pub(super) fn reserve<Q: Quote>(tx: &WriteTransaction, id: &str, operation: Uuid) -> Result<(), StoreError> {
    let mut quote: Q = get(tx, id)?.ok_or(database::Error::UnknownQuote)?;
    if quote.user().is_some() {
        return Err(database::Error::QuoteAlreadyInUse.into());
    }
    *quote.user() = Some(operation.to_string());
    write(tx, quote)
}

/// Frees what an operation holds.
pub(super) fn release<Q: Quote>(tx: &WriteTransaction, operation: Uuid) -> Result<(), StoreError> {
    let operation = operation.to_string();
    let mut held = Vec::new();
    for entry in tx.open_table(Q::USERS)?.range((operation.as_str(), "")..)? {
        let (key, _) = entry?;
        let (user, quote) = key.value();
        if user != operation {
            break;
        }
        held.push(quote.to_owned());
    }
    for id in held {
        if let Some(mut quote) = get::<Q>(tx, &id)? {
            *quote.user() = None;
            write(tx, quote)?;
        }
    }
    Ok(())
}

/// cdk's `update_mint_url`, for the quotes.
pub(super) fn rename_mint<Q: Quote>(tx: &WriteTransaction, old: &MintUrl, new: &MintUrl) -> Result<(), StoreError> {
    for mut quote in all::<Q>(tx)? {
        if quote.rename_mint(old, new) {
            write(tx, quote)?;
        }
    }
    Ok(())
}

fn write<Q: Quote>(tx: &WriteTransaction, mut quote: Q) -> Result<(), StoreError> {
    forget_user::<Q>(tx, quote.id())?;
    if let Some(user) = quote.user().clone() {
        tx.open_table(Q::USERS)?.insert((user.as_str(), quote.id()), ())?;
    }
    record::put(tx, Q::ROWS, quote.id(), &quote)
}

fn forget_user<Q: Quote>(tx: &WriteTransaction, id: &str) -> Result<(), StoreError> {
    if let Some(user) = get::<Q>(tx, id)?.and_then(|mut known| known.user().clone()) {
        tx.open_table(Q::USERS)?.remove((user.as_str(), id))?;
    }
    Ok(())
}
