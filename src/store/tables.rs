//! Every table of the file, as `<key, value>`. Rows of `&[u8]` are versioned (`row`, `pack`); a Y
//! has 33 bytes, an operation id 16.
//!
//! A table whose type changes needs a new file version ([`meta`](super::meta)); files of an earlier
//! version are refused.

use std::ops::Bound;

use redb::{Key, ReadTransaction, ReadableTable, TableDefinition, Value, WriteTransaction};

use super::error::StoreError;

/// A proof's public id: `hash_to_curve(secret)`, compressed.
pub(super) type Y = [u8; 33];
/// Id of an operation at a mint.
pub(super) type OperationId = [u8; 16];

/// Key of the proofs by amount: (mint, unit, state, amount, Y).
pub(super) type ByAmountKey = (&'static str, &'static str, u8, u64, &'static Y);
/// Value of the proofs by amount: (keyset id, has spending conditions).
pub(super) type ByAmountValue = (&'static [u8], bool);
/// A spent proof that is kept whole: (mint, unit, keyset id, amount, secret, signature, row). The
/// row is empty for an ordinary proof.
pub(super) type ArchivedProof =
    (&'static str, &'static str, &'static [u8], u64, &'static [u8], &'static [u8], &'static [u8]);
/// An outflow: (Unix seconds at which its time was first found to be in the future, sats with fees,
/// sats without fees, whether it was play money, agent).
pub(super) type Outflow = (Option<u64>, u64, u64, bool, &'static str);

macro_rules! tables {
    ($($(#[$doc:meta])* $name:ident: $key:ty => $value:ty = $text:literal;)*) => {
        $($(#[$doc])* pub(super) const $name: TableDefinition<'static, $key, $value> = TableDefinition::new($text);)*

        /// Creates every table, so that no read finds one missing.
        pub(super) fn create_all(tx: &WriteTransaction) -> Result<(), StoreError> {
            $(tx.open_table($name)?;)*
            Ok(())
        }

        /// Copies every row of every table; stops once `goes_on` returns `false`.
        pub(super) fn copy_all(from: &ReadTransaction, to: &WriteTransaction, goes_on: &dyn Fn() -> bool) -> Result<(), StoreError> {
            $(copy(from, to, $name, goes_on)?;)*
            Ok(())
        }
        pub(super) const NAMES: &[&str] = &[$($text),*];
    };
}

/// Appends the rows in key order, so that pages are full; rows out of order are an error.
fn copy<K: Key + 'static, V: Value + 'static>(
    from: &ReadTransaction,
    to: &WriteTransaction,
    definition: TableDefinition<'static, K, V>,
    goes_on: &dyn Fn() -> bool,
) -> Result<(), StoreError> {
    let mut table = to.open_table(definition)?;
    let mut end = table.upper_bound_mut(Bound::<K::SelfType<'static>>::Unbounded)?;
    for (number, entry) in from.open_table(definition)?.iter()?.enumerate() {
        if number.is_multiple_of(1_024) && !goes_on() {
            return Err(StoreError::Stopping);
        }
        let (key, value) = entry?;
        end.insert_before(key.value(), value.value())?;
    }
    Ok(end.close()?)
}

tables! {
    /// <"meta", row of the wallet's metadata>
    META: &'static str => &'static [u8] = "meta";

    /// <Y, row of a proof that is not spent>
    PROOFS: &'static Y => &'static [u8] = "proofs";
    /// <Y of a spent proof, (Unix seconds at which it was archived, the whole proof during the
    /// first 90 days)>
    ARCHIVE: &'static Y => (u64, Option<ArchivedProof>) = "archive";
    /// <(mint, unit, state, amount, Y), (keyset id, has spending conditions)> of a proof that is
    /// not spent
    PROOFS_BY_AMOUNT: ByAmountKey => ByAmountValue = "shelf";
    /// <(mint, unit, state), (sum of amounts, count)> of proofs that are not spent; no row when
    /// there is none
    SUMS: (&'static str, &'static str, u8) => (u128, u64) = "sums";
    /// <(operation that uses it, Y), ()> of a proof that is not spent
    OPERATIONS: (&'static OperationId, &'static Y) => () = "operations";

    /// <mint, row of its info>
    MINTS: &'static str => &'static [u8] = "mints";
    /// <mint, the first public key that it announced>
    MINT_IDENTITIES: &'static str => &'static [u8; 33] = "mint_identities";
    /// <(mint, keyset id), ()>
    MINT_KEYSETS: (&'static str, &'static [u8]) => () = "mint_keysets";
    /// <keyset id, row of its info>
    KEYSETS: &'static [u8] => &'static [u8] = "keysets";
    /// <keyset id, row of its keys>
    KEYS: &'static [u8] => &'static [u8] = "keys";
    /// <(device, keyset id), next index of NUT-13>
    KEYSET_COUNTERS: (u32, &'static [u8]) => u32 = "keyset_counters";
    /// <(device, keyset id, index of NUT-13), ()>: given back because it was taken but not signed
    COUNTERS_BACK: (u32, &'static [u8], u32) => () = "counters_back";
    /// <(device, namespace), next index>
    DERIVATION_COUNTERS: (u32, &'static str) => u32 = "derivation_counters";
    /// <payment id, row>
    PAYMENTS: &'static str => &'static [u8] = "payments";
    /// <payment hash, payment id>
    PAYMENT_BY_HASH: &'static str => &'static str = "payment_by_hash";
    /// <(agent, idempotency key), payment id>
    PAYMENT_BY_KEY: (&'static str, &'static str) => &'static str = "payment_by_key";
    /// <payment id, ()>, while it is open
    PAYMENTS_OPEN: &'static str => () = "payments_open";
    /// <(time from which it counts, payment id), outflow>, once money has left
    OUTFLOWS: (u64, &'static str) => Outflow = "outflows";
    /// <payment id, row of its token>, until the token is claimed or returned
    TOKENS: &'static str => &'static [u8] = "tokens";
    /// <SHA-256 of a token's text, payment id>, for as long as the token's row
    TOKEN_BY_DIGEST: &'static [u8; 32] => &'static str = "token_by_digest";

    /// <deposit id, row>
    DEPOSITS: &'static str => &'static [u8] = "deposits";
    /// <(agent, idempotency key), deposit id>
    DEPOSIT_BY_KEY: (&'static str, &'static str) => &'static str = "deposit_by_key";
    /// <(agent, creation time, deposit id), ()>
    DEPOSITS_OF_AGENT: (&'static str, u64, &'static str) => () = "deposits_of_agent";
    /// <(mint, time until which it can be paid, deposit id), (paid, sats)>, until it is received,
    /// or for a week after it expires. The time of paid ones, and of those that never expire, is
    /// `u64::MAX`.
    DEPOSITS_OPEN: (&'static str, u64, &'static str) => (bool, u64) = "deposits_open";

    /// <receive id, row>
    RECEIVES: &'static str => &'static [u8] = "receives";
    /// <token digest, receive id>
    RECEIVE_BY_DIGEST: &'static str => &'static str = "receive_by_digest";
    /// <receive id, ()>, while it is open
    RECEIVES_OPEN: &'static str => () = "receives_open";

    /// <operation, (whether it reserves its inputs, the engine's bytes)>, until the operation is
    /// decided
    JOURNAL: &'static OperationId => (bool, &'static [u8]) = "journal";
    /// <operation, (whether it reserves its inputs, the engine's bytes)>, while its record is given
    /// up
    GIVEN_UP: &'static OperationId => (bool, &'static [u8]) = "given_up";
    /// <operation, id of its payment, received token or deposit>, while it is in the journal or
    /// given up
    OPERATION_SUBJECTS: &'static OperationId => &'static str = "operation_subjects";
    /// <(id of a payment, received token or deposit, operation), ()>, for the same time
    OPERATIONS_BY_SUBJECT: (&'static str, &'static OperationId) => () = "operations_by_subject";
    /// <id, row of a change of policy>
    POLICY_CHANGES: &'static str => &'static [u8] = "policy_changes";
    /// <(time, id), kind of record>
    HISTORY: (u64, &'static str) => u8 = "history";
    /// <(day of the record, day of its history line, money, kind, direction, mint), (in, out, fees,
    /// count)>: sums of the lines with this key; no row if there are none
    HISTORY_SUMS: (u64, u64, u8, &'static str, &'static str, &'static str) => (u128, u128, u128, u64) = "history_sums";

    /// <name, row of the wallet's state on relays>
    NOSTR_STATE: &'static str => &'static [u8] = "nostr_state";
    /// <Y, number of marks>: proofs whose change is not published yet
    NOSTR_DIRTY: &'static Y => u64 = "nostr_dirty";
    /// <Y, ()>: unspent proofs of ours whose event another device deleted
    NOSTR_UNVERIFIED: &'static Y => () = "nostr_doubt";
    /// <event id, row of a token event>
    NOSTR_EVENTS: &'static str => &'static [u8] = "nostr_events";
    /// <event id, ()>, until it is deleted
    NOSTR_LIVE: &'static str => () = "nostr_live";
    /// <event id, id of its deletion>, for deleted events, seen or not; the id is empty while the
    /// event is only named by the `del` of its successor
    NOSTR_GONE: &'static str => &'static str = "nostr_gone";
    /// <event id, row of a deletion>, read or made
    NOSTR_DELETIONS: &'static str => &'static [u8] = "nostr_deletions";
    /// <(Y, id of a token event that holds it), ()>
    NOSTR_HOLDS: (&'static Y, &'static str) => () = "nostr_holds";
    /// <(class, order), row of an event to publish>
    NOSTR_OUTBOX: (u8, u64) => &'static [u8] = "nostr_outbox";
    /// <relay, number of events that left the queue before this relay had them, since the last
    /// complete read of it>
    NOSTR_MISSED: &'static str => u64 = "nostr_missed";
    /// <(event id, relay), (class, reason)>: the relay refuses the event
    NOSTR_REFUSED: (&'static str, &'static str) => (u8, &'static str) = "nostr_refused";
    /// <id of a nutzap of ours, number of the recipient's relays that have it>
    NOSTR_DELIVERED: &'static str => u64 = "nostr_delivered";
    /// <Y, Unix seconds>: proofs that another device left out when it replaced the event that held
    /// them
    NOSTR_LEFT_OUT: &'static Y => u64 = "nostr_left_out";
    /// <Y, row of another device's proof>
    REMOTE_PROOFS: &'static Y => &'static [u8] = "foreign";
    /// <(mint, unit, state), (sum of amounts, count)> of other devices' proofs; no row when there
    /// is none
    REMOTE_SUMS: (&'static str, &'static str, u8) => (u128, u64) = "foreign_sums";
    /// <payment id, ()>: settled, and not announced on relays yet
    NOSTR_TO_ANNOUNCE: &'static str => () = "nostr_tell";
    /// <event id, its time in Unix seconds>: history events that were read or written
    SEEN_HISTORY: &'static str => u64 = "nostr_lines";
    /// <payment hash, ()>: invoices that a device of this wallet has paid, according to relays
    NOSTR_PAID: &'static str => () = "nostr_paid";
    /// <event id, row of an incoming nutzap>, until it is finished
    NUTZAPS: &'static str => &'static [u8] = "nutzaps";
    /// <event id, ()>: being redeemed, or redeemed and not announced on relays yet
    NUTZAPS_OPEN: &'static str => () = "nutzaps_open";
    /// <event id, (when it was finished, its own time), in Unix seconds>, for 60 days
    NUTZAPS_DONE: &'static [u8; 32] => (u64, u64) = "nutzaps_done";
    /// <Y, ()>: proofs received by nutzap
    NUTZAP_PROOFS: &'static Y => () = "nutzap_coins";
}

/// A transaction that can read tables, of either kind.
pub(super) trait Reads {
    type Table<'t, K: Key + 'static, V: Value + 'static>: ReadableTable<K, V>
    where
        Self: 't;
    fn table<K: Key + 'static, V: Value + 'static>(
        &self,
        definition: TableDefinition<'static, K, V>,
    ) -> Result<Self::Table<'_, K, V>, StoreError>;
}

impl Reads for ReadTransaction {
    type Table<'t, K: Key + 'static, V: Value + 'static> = redb::ReadOnlyTable<K, V>;

    fn table<K: Key + 'static, V: Value + 'static>(
        &self,
        definition: TableDefinition<'static, K, V>,
    ) -> Result<Self::Table<'_, K, V>, StoreError> {
        Ok(self.open_table(definition)?)
    }
}

impl Reads for WriteTransaction {
    type Table<'t, K: Key + 'static, V: Value + 'static> = redb::Table<'t, K, V>;

    fn table<K: Key + 'static, V: Value + 'static>(
        &self,
        definition: TableDefinition<'static, K, V>,
    ) -> Result<Self::Table<'_, K, V>, StoreError> {
        Ok(self.open_table(definition)?)
    }
}
