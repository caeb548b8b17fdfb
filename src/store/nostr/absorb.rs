//! Takes in what relays have shown: token events and deletions, in any order, any number of times.
//!
//! Both sets only grow, so the outcome does not depend on the order (a deletion may come before its
//! event). A deletion makes coins doubtful and never spent: careless programs delete what is still
//! good, and relays forge by leaving out.

use std::collections::{BTreeMap, BTreeSet};

use cdk_common::nuts::nut10::Secret as Nut10Secret;
use cdk_common::nuts::{Proof, State};
use cdk_common::wallet::ProofInfo;
use redb::{ReadableTable, Table, WriteTransaction};
use serde::Deserialize;

use super::super::Store;
use super::super::error::StoreError;
use super::super::proofs::reach;
use super::super::record::{decode, encode};
use super::super::tables::{
    ARCHIVE, NOSTR_DIRTY, NOSTR_DOUBT, NOSTR_EVENTS, NOSTR_GONE, NOSTR_HOLDS, NOSTR_LEFT_OUT,
    NOSTR_LIVE, PROOFS, Reads, SHELF, Y,
};
use super::foreign::{self, Foreign, ForeignState, Foreigners};
use super::{Deletion, Times, TokenEventRow, deletions, mark, times};

/// A token event as a relay showed it, checked and decrypted.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The event; its Ys are those of `proofs`, in their order.
    pub event: TokenEventRow,
    /// Its coins.
    pub proofs: Vec<Proof>,
    /// The events it says it replaces.
    pub del: Vec<String>,
}

/// What was new.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Absorbed {
    /// Events never seen before.
    pub events: u64,
    /// Coins never seen before.
    pub coins: u64,
    /// Coins of ours whose event another device has deleted: their mint is to be asked.
    pub doubted: u64,
}

fn absorb(
    tx: &WriteTransaction,
    seen: Vec<Seen>,
    deletions: &[Deletion],
) -> Result<Absorbed, StoreError> {
    let (mut events, mut live, mut tombs) =
        (tx.open_table(NOSTR_EVENTS)?, tx.open_table(NOSTR_LIVE)?, tx.open_table(NOSTR_GONE)?);
    let (mut holds, mut dirty, mut doubt) =
        (tx.open_table(NOSTR_HOLDS)?, tx.open_table(NOSTR_DIRTY)?, tx.open_table(NOSTR_DOUBT)?);
    let (proofs, archive, mut foreigners) =
        (tx.open_table(PROOFS)?, tx.open_table(ARCHIVE)?, Foreigners::open(tx)?);
    let mut absorbed = Absorbed::default();
    let mut shown: Vec<Y> = Vec::new();
    // By event that is gone: the deletion, where one is known.
    let mut gone: BTreeMap<String, &str> = BTreeMap::new();
    for deletion in deletions {
        deletions::put(tx, deletion)?;
        gone.extend(deletion.ids.iter().map(|id| (id.clone(), deletion.id.as_str())));
    }
    let replaced = |gone: &mut BTreeMap<String, &str>, del: Vec<String>| {
        for id in del {
            gone.entry(id).or_default();
        }
    };
    let mut forked: BTreeSet<String> = BTreeSet::new();
    // What replaced something: when, the coins it holds, and what it replaced.
    let mut successors: Vec<(u64, BTreeSet<Y>, Vec<String>)> = Vec::new();
    for Seen { mut event, proofs: coins, del } in seen {
        if events.get(event.id.as_str())?.is_some() {
            replaced(&mut gone, del);
            continue;
        }
        for id in &del {
            // Another device replaces what we have replaced too: it may have spent what our
            // successor still shows.
            if events.get(id.as_str())?.is_some() && live.get(id.as_str())?.is_none() {
                forked.insert(event.mint.clone());
            }
        }
        if !del.is_empty() {
            successors.push((
                event.created_at,
                event.ys.iter().map(cdk_common::nuts::PublicKey::to_bytes).collect(),
                del.clone(),
            ));
        }
        replaced(&mut gone, del);
        absorbed.events = absorbed.events.saturating_add(1);
        let is_live = tombs.get(event.id.as_str())?.is_none();
        if is_live {
            live.insert(event.id.as_str(), ())?;
        }
        for (y, proof) in event.ys.iter().zip(coins) {
            let y = y.to_bytes();
            if is_live {
                holds.insert((&y, event.id.as_str()), ())?;
            }
            shown.push(y);
            let ours = proofs.get(&y)?.is_some() || archive.get(&y)?.is_some();
            if !ours && foreigners.get(&y)?.is_none() {
                let (mint, unit) = (event.mint.clone(), event.unit.clone());
                let amount = proof.amount.to_u64();
                let state =
                    if is_locked(&proof) { ForeignState::Locked } else { ForeignState::Doubtful };
                foreigners.put(&y, &Foreign { mint, unit, amount, proof: Some(proof), state })?;
                absorbed.coins = absorbed.coins.saturating_add(1);
            }
        }
        if !is_live {
            event.bury(&mut holds)?;
        }
        events.insert(event.id.as_str(), encode(&event)?.as_slice())?;
    }
    let mut left_out: BTreeMap<Y, u64> = BTreeMap::new();
    for (at, keeps, del) in &successors {
        let ys = ys_of(&events, del)?;
        left_out.extend(ys.into_iter().filter(|y| !keeps.contains(y)).map(|y| (y, *at)));
    }
    for (id, by) in &gone {
        deletions::bury(&mut tombs, id, by)?;
        if live.remove(id.as_str())?.is_none() {
            continue;
        }
        let row: Option<TokenEventRow> =
            events.get(id.as_str())?.map(|row| decode("nostr_events", row.value())).transpose()?;
        if let Some(mut row) = row {
            shown.extend(row.ys.iter().map(cdk_common::nuts::PublicKey::to_bytes));
            row.bury(&mut holds)?;
            events.insert(id.as_str(), encode(&row)?.as_slice())?;
        }
    }
    for mint in &forked {
        absorbed.doubted = absorbed.doubted.saturating_add(doubt_all(tx, &mut doubt, mint)?);
    }
    let mut table = tx.open_table(NOSTR_LEFT_OUT)?;
    for y in shown.into_iter().collect::<BTreeSet<Y>>() {
        let ours: Option<ProofInfo> =
            proofs.get(&y)?.map(|row| decode("proofs", row.value())).transpose()?;
        let is_shown = held(&holds, &live, &y)?;
        if is_shown {
            table.remove(&y)?;
        }
        match (ours, foreigners.get(&y)?) {
            (Some(coin), _) if !is_shown && coin.state == State::Unspent => {
                doubt.insert(&y, ())?;
                absorbed.doubted = absorbed.doubted.saturating_add(1);
            }
            (Some(_), _) => mark(&mut dirty, &y)?,
            (None, Some(coin)) if !is_shown && coin.is_free() => {
                foreigners.put(&y, &Foreign { state: ForeignState::Doubtful, ..coin })?;
            }
            // Whoever replaced its event has only moved it: what it is in now came later.
            (None, Some(coin)) if is_shown && coin.state == ForeignState::LeftOut => {
                foreigners.put(&y, &Foreign { state: ForeignState::Doubtful, ..coin })?;
            }
            (None, Some(coin)) if !coin.state.is_final() => {}
            // Spent, by our archive or by the mint's word: an event that still shows it is to be
            // replaced.
            (None, _) if is_shown => mark(&mut dirty, &y)?,
            (None, _) => {}
        }
    }
    for (y, at) in &left_out {
        // One that is shown elsewhere was only moved.
        if !held(&holds, &live, y)? && foreigners.get(y)?.is_some_and(|coin| !coin.state.is_final())
        {
            table.insert(y, at)?;
        }
    }
    Ok(absorbed)
}

/// A coin that is no bearer's (NUT-10): whoever looks at it with our keys says whether it is ours.
fn is_locked(proof: &Proof) -> bool {
    Nut10Secret::try_from(proof.secret.clone()).is_ok()
}

/// All unspent coins at a mint, in sats, are in doubt. Returns how many were not before.
fn doubt_all(
    tx: &WriteTransaction,
    doubt: &mut Table<'_, &'static Y, ()>,
    mint: &str,
) -> Result<u64, StoreError> {
    let mut fresh = 0_u64;
    for entry in tx.open_table(SHELF)?.range(reach(mint, "sat", State::Unspent, 0, u64::MAX))? {
        fresh = fresh.saturating_add(u64::from(doubt.insert(entry?.0.value().4, ())?.is_none()));
    }
    Ok(fresh)
}

/// The coins of these events.
fn ys_of(
    events: &impl ReadableTable<&'static str, &'static [u8]>,
    ids: &[String],
) -> Result<Vec<Y>, StoreError> {
    let mut ys = Vec::new();
    for id in ids {
        if let Some(row) = events.get(id.as_str())? {
            let row: TokenEventRow = decode("nostr_events", row.value())?;
            ys.extend(row.ys.iter().map(cdk_common::nuts::PublicKey::to_bytes));
        }
    }
    Ok(ys)
}

/// A live event holds this coin.
pub(super) fn held(
    holds: &impl ReadableTable<(&'static Y, &'static str), ()>,
    live: &impl ReadableTable<&'static str, ()>,
    y: &Y,
) -> Result<bool, StoreError> {
    for entry in holds.range((y, "")..=(y, "~"))? {
        if live.get(entry?.0.value().1)?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

impl Store {
    /// Takes in token events and deletions, durably, and says what was new. The same again changes
    /// nothing.
    ///
    /// # Errors
    /// When the file cannot be written; nothing was taken in then.
    pub async fn absorb(
        &self,
        seen: Vec<Seen>,
        gone: Vec<Deletion>,
    ) -> Result<Absorbed, StoreError> {
        if seen.is_empty() && gone.is_empty() {
            return Ok(Absorbed::default());
        }
        self.write_durable(move |tx| absorb(tx, seen, &gone)).await
    }

    /// All token events that were ever seen or made, those that are gone too.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn known_token_events(&self) -> Result<Times, StoreError> {
        #[derive(Deserialize)]
        struct At {
            created_at: u64,
        }
        self.read(|tx| times("nostr_events", &tx.table(NOSTR_EVENTS)?, |row: At| row.created_at))
            .await
    }

    /// A token event was seen or made before.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn knows_token_event(&self, id: &str) -> Result<bool, StoreError> {
        let id = id.to_owned();
        self.read(move |tx| Ok(tx.table(NOSTR_EVENTS)?.get(id.as_str())?.is_some())).await
    }

    /// Token events that are live: what relays should hold.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn live_token_events(&self) -> Result<Vec<TokenEventRow>, StoreError> {
        self.read(|tx| {
            let events = tx.table(NOSTR_EVENTS)?;
            let mut found = Vec::new();
            for entry in tx.table(NOSTR_LIVE)?.iter()? {
                if let Some(row) = events.get(entry?.0.value())? {
                    found.push(decode("nostr_events", row.value())?);
                }
            }
            Ok(found)
        })
        .await
    }

    /// Unspent coins of ours whose event another device has deleted, at one mint.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn doubted(&self, mint: String) -> Result<Vec<ProofInfo>, StoreError> {
        self.read(move |tx| {
            let proofs = tx.table(PROOFS)?;
            let mut found = Vec::new();
            for entry in tx.table(NOSTR_DOUBT)?.iter()? {
                let y = *entry?.0.value();
                let coin: Option<ProofInfo> =
                    proofs.get(&y)?.map(|row| decode("proofs", row.value())).transpose()?;
                found.extend(coin.filter(|coin| {
                    coin.mint_url.to_string() == mint && coin.state == State::Unspent
                }));
            }
            Ok(found)
        })
        .await
    }

    /// Another device has had coins of ours at this mint: all that are unspent, in sats, are in
    /// doubt until it has been asked.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub async fn doubt_all(&self, mint: String) -> Result<(), StoreError> {
        self.write_durable(move |tx| {
            doubt_all(tx, &mut tx.open_table(NOSTR_DOUBT)?, &mint)?;
            Ok(())
        })
        .await
    }

    /// No relay shows these live events any more: their coins are in doubt until their mint has
    /// been asked.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub async fn doubt_events(&self, ids: Vec<String>) -> Result<(), StoreError> {
        self.write_durable(move |tx| {
            let (proofs, mut doubt, mut foreigners) =
                (tx.open_table(PROOFS)?, tx.open_table(NOSTR_DOUBT)?, Foreigners::open(tx)?);
            for y in ys_of(&tx.open_table(NOSTR_EVENTS)?, &ids)? {
                let ours: Option<ProofInfo> =
                    proofs.get(&y)?.map(|row| decode("proofs", row.value())).transpose()?;
                if ours.is_some_and(|coin| coin.state == State::Unspent) {
                    doubt.insert(&y, ())?;
                } else if let Some(coin) = foreigners.get(&y)?.filter(|coin| coin.is_free()) {
                    foreigners.put(&y, &Foreign { state: ForeignState::Doubtful, ..coin })?;
                }
            }
            Ok(())
        })
        .await
    }

    /// Those of these events that hold a coin in doubt.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn events_in_doubt(&self, ids: Vec<String>) -> Result<BTreeSet<String>, StoreError> {
        self.read(move |tx| {
            let (events, doubt) = (tx.table(NOSTR_EVENTS)?, tx.table(NOSTR_DOUBT)?);
            let mut found = BTreeSet::new();
            for id in ids {
                for y in ys_of(&events, std::slice::from_ref(&id))? {
                    let doubtful = foreign::get(tx, &y)?
                        .is_some_and(|coin| coin.state == ForeignState::Doubtful);
                    if doubtful || doubt.get(&y)?.is_some() {
                        found.insert(id.clone());
                    }
                }
            }
            Ok(found)
        })
        .await
    }

    /// The mint has been asked about these coins: they are in doubt no more, and relays are to hear
    /// of them.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub async fn undoubt(&self, ys: Vec<cdk_common::nuts::PublicKey>) -> Result<(), StoreError> {
        self.write_durable(move |tx| {
            let (mut doubt, mut dirty) = (tx.open_table(NOSTR_DOUBT)?, tx.open_table(NOSTR_DIRTY)?);
            for y in ys {
                doubt.remove(&y.to_bytes())?;
                mark(&mut dirty, &y.to_bytes())?;
            }
            Ok(())
        })
        .await
    }
}
