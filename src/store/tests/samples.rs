//! Proofs, payments and stores for the tests, and the audit that all of them must pass.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use cdk_common::Amount;
use cdk_common::mint_url::MintUrl;
use cdk_common::nuts::{CurrencyUnit, Id, Proof, PublicKey, SecretKey, State};
use cdk_common::secret::Secret;
use cdk_common::wallet::ProofInfo;
use redb::ReadableTable;
use redb::backends::InMemoryBackend;
use uuid::Uuid;

use super::super::proofs::state_code;
use super::super::row::decode;
use super::super::tables::{ARCHIVE, OPERATIONS, PROOFS, PROOFS_BY_AMOUNT, Reads, SUMS};
use super::super::{Change, OperationRow, Store, StoreError};
use crate::model::deposit::{Deposit, DepositState};
use crate::model::id::{DepositId, PaymentId, ReceiveId};
use crate::model::mint::MoneyKind;
use crate::model::payment::{Melted, Payment, PaymentKind, PaymentState, Rail, Zap};
use crate::model::receive::{Receive, ReceiveState};
use crate::ports::Counters;

pub(super) const NOW: u64 = 1_800_000_000;

pub(super) fn clock() -> u64 {
    NOW
}

pub(super) async fn store() -> Store {
    Store::with_backend(InMemoryBackend::new(), clock).await.unwrap()
}

pub(super) fn mint() -> MintUrl {
    MintUrl::from_str("https://mint.example").unwrap()
}

pub(super) fn keyset() -> Id {
    Id::from_str("00916bbf7ef91a36").unwrap()
}

pub(super) fn coin(amount: u64) -> ProofInfo {
    let proof = Proof {
        amount: Amount::from(amount),
        keyset_id: keyset(),
        secret: Secret::generate(),
        c: SecretKey::generate().public_key(),
        witness: None,
        dleq: None,
        p2pk_e: None,
    };
    ProofInfo::new(proof, mint(), State::Unspent, CurrencyUnit::Sat).unwrap()
}

pub(super) fn coins(amounts: &[u64]) -> Vec<ProofInfo> {
    amounts.iter().map(|amount| coin(*amount)).collect()
}

pub(super) fn ys(infos: &[ProofInfo]) -> Vec<PublicKey> {
    infos.iter().map(|info| info.y).collect()
}

/// Creates an operation in progress, with a meaningless body.
pub(super) fn operation(holds: bool) -> OperationRow {
    OperationRow { id: Uuid::new_v4(), holds, body: b"secrets".to_vec(), subject: None }
}

/// Takes unspent proofs for an operation.
pub(super) fn take(infos: &[ProofInfo], operation: Uuid) -> Change {
    Change::ProofState {
        ys: ys(infos),
        expect: Some(vec![State::Unspent]),
        to: State::Reserved,
        operation: Some(operation),
    }
}

/// Returns counters of the first device.
pub(super) fn counters(indices: &[u32]) -> Counters {
    Counters { device: 0, keyset: keyset(), indices: indices.to_vec() }
}

pub(super) fn payment(
    amount: u64,
    hash: Option<&str>,
    key: Option<&str>,
    quote: Option<&str>,
) -> Payment {
    let id = PaymentId::random();
    Payment {
        kind: PaymentKind::Lightning(Melted {
            payment_hash: hash.map_or_else(|| id.to_string(), str::to_owned),
            quote_id: quote.unwrap_or("quote").to_owned(),
            fetched: None,
        }),
        id,
        agent: "tester".to_owned(),
        key: key.map(str::to_owned),
        request_digest: "digest".to_owned(),
        payee: "payee".to_owned(),
        shown_payee: None,
        note: None,
        note_is_untrusted: false,
        mint: "https://mint.example".parse().unwrap(),
        money: MoneyKind::Play,
        amount_sats: amount,
        reserved_sats: amount + 2,
        created_at: NOW,
        attempt: 1,
        repeat_of: None,
        outcome_undelivered: false,
        state: PaymentState::Reserved,
    }
}

/// Creates a nutzap without a recipient.
pub(super) fn zap() -> PaymentKind {
    PaymentKind::Zap(Box::new(Zap {
        recipient: None,
        event: None,
        comment: String::new(),
        anonymous: false,
        relays: Vec::new(),
        rail: Rail::Nutzap {
            mint_as_listed: "https://mint.example".to_owned(),
            event: None,
            signer: None,
        },
    }))
}

/// Creates an invoice that never expires.
pub(super) fn deposit(at: u64, state: DepositState) -> Deposit {
    let id = DepositId::random();
    Deposit {
        quote_id: format!("quote of {id}"),
        lock: None,
        quote_key: None,
        id,
        agent: "tester".to_owned(),
        key: Some(format!("key {at}")),
        request_digest: "digest".to_owned(),
        mint: "https://mint.example".parse().unwrap(),
        money: MoneyKind::Play,
        bolt11: "lnbc".to_owned(),
        amount_sats: 21,
        description: None,
        created_at: at,
        expires_at: 0,
        dispute: None,
        state,
    }
}

pub(super) fn receive(at: u64) -> Receive {
    Receive {
        id: ReceiveId::random(),
        agent: "other".to_owned(),
        token_digest: format!("digest {at}"),
        mint: "https://mint.example".parse().unwrap(),
        money: MoneyKind::Play,
        amount_sats: 3,
        untrusted_memo: None,
        nutzap: None,
        created_at: at,
        state: ReceiveState::Open,
    }
}

/// Checks that the proof tables agree with each other.
pub(super) fn agree(tx: &impl Reads) -> Result<(), StoreError> {
    let mut infos: Vec<ProofInfo> = Vec::new();
    for entry in tx.table(PROOFS)?.iter()? {
        let info: ProofInfo = decode("proofs", entry?.1.value())?;
        assert_ne!(info.state, State::Spent, "a proof among the live that is spent");
        infos.push(info);
    }
    for entry in tx.table(ARCHIVE)?.iter()? {
        let y = *entry?.0.value();
        assert!(infos.iter().all(|info| info.y.to_bytes() != y), "a spent proof among the live");
    }
    let mut sums: BTreeMap<(String, String, u8), (u128, u64)> = BTreeMap::new();
    let mut shelf = BTreeSet::new();
    let mut operations = BTreeSet::new();
    for info in &infos {
        let (mint, unit, state) =
            (info.mint_url.to_string(), info.unit.to_string(), state_code(info.state));
        let sum = sums.entry((mint.clone(), unit.clone(), state)).or_default();
        *sum = (sum.0 + u128::from(info.proof.amount.to_u64()), sum.1 + 1);
        assert!(
            shelf.insert((mint, unit, state, info.proof.amount.to_u64(), info.y.to_bytes())),
            "one Y twice"
        );
        operations.extend(
            info.used_by_operation.map(|operation| (*operation.as_bytes(), info.y.to_bytes())),
        );
    }
    let mut kept = BTreeMap::new();
    for entry in tx.table(SUMS)?.iter()? {
        let (key, sum) = entry?;
        let (mint, unit, state) = key.value();
        kept.insert((mint.to_owned(), unit.to_owned(), state), sum.value());
    }
    assert_eq!(kept, sums, "running sums");
    let mut kept = BTreeSet::new();
    for entry in tx.table(PROOFS_BY_AMOUNT)?.iter()? {
        let key = entry?.0;
        let (mint, unit, state, amount, y) = key.value();
        kept.insert((mint.to_owned(), unit.to_owned(), state, amount, *y));
    }
    assert_eq!(kept, shelf, "the shelf");
    let mut kept = BTreeSet::new();
    for entry in tx.table(OPERATIONS)?.iter()? {
        let key = entry?.0;
        let (operation, y) = key.value();
        kept.insert((*operation, *y));
    }
    assert_eq!(kept, operations, "the index of operations");
    Ok(())
}

pub(super) async fn audit(store: &Store) {
    store.read(agree).await.unwrap();
}
