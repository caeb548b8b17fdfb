//! The rest of the journal: commits are whole, tokens go, history pages, counters and the latch never go back.

use std::collections::HashMap;

use cdk_common::database::WalletDatabase as _;
use cdk_common::nuts::State;
use uuid::Uuid;

use super::super::view::View;
use super::super::{Change, HistoryQuery, HistoryRow, Need, PolicyChange, StoreError, SwapRow, TokenRow};
use super::samples::{NOW, audit, coins, keyset, mint, payment, store, ys};
use crate::model::deposit::{Deposit, DepositState};
use crate::model::id::{DepositId, ReceiveId};
use crate::model::money::Unit;
use crate::model::payment::Payment;
use crate::model::receive::{Receive, ReceiveState};
use crate::model::secret::Secret;

fn deposit(at: u64, state: DepositState) -> Deposit {
    let id = DepositId::random();
    Deposit {
        quote_id: format!("quote of {id}"),
        id,
        agent: "tester".to_owned(),
        key: Some(format!("key {at}")),
        request_digest: "digest".to_owned(),
        mint: "https://mint.example".parse().unwrap(),
        money: crate::model::mint::MoneyKind::Play,
        bolt11: "lnbc".to_owned(),
        amount_sats: 21,
        description: None,
        created_at: at,
        expires_at: 0,
        state,
    }
}

fn receive(at: u64) -> Receive {
    Receive {
        id: ReceiveId::random(),
        agent: "other".to_owned(),
        token_digest: format!("digest {at}"),
        mint: "https://mint.example".parse().unwrap(),
        money: crate::model::mint::MoneyKind::Play,
        amount_sats: 3,
        untrusted_memo: None,
        nutzap: None,
        created_at: at,
        state: ReceiveState::Open,
    }
}

#[tokio::test]
async fn one_refused_change_refuses_the_whole_commit() {
    let store = store().await;
    let infos = coins(&[8, 4]);
    store.commit(vec![Change::Proofs { add: infos.clone() }]).await.unwrap();
    let swap = SwapRow { id: Uuid::new_v4(), body: b"secrets".to_vec() };
    let hold = |ys| Change::ProofState { ys, expect: Some(vec![State::Unspent]), to: State::Reserved, operation: Some(swap.id) };
    store.commit(vec![Change::Swap(swap.clone()), hold(ys(&infos[..1]))]).await.unwrap();
    assert_eq!(store.swaps().await.unwrap(), vec![swap.clone()]);

    let other = SwapRow { id: Uuid::new_v4(), body: vec![] };
    let refused = store.commit(vec![Change::Swap(other), hold(ys(&infos))]).await;
    assert!(matches!(refused, Err(StoreError::ProofNotUnspent)));
    assert_eq!(store.swaps().await.unwrap().len(), 1);
    assert_eq!(store.balances().await.unwrap()[0].unspent, 4);

    // Adding what is there again, spent or not, changes nothing.
    let spend = Change::ProofState { ys: ys(&infos), expect: None, to: State::Spent, operation: None };
    store.commit(vec![spend, Change::EndSwap(swap.id)]).await.unwrap();
    store.commit(vec![Change::Proofs { add: infos.clone() }]).await.unwrap();
    assert!(store.balances().await.unwrap().is_empty());
    assert_eq!(store.revive(ys(&infos[..1])).await.unwrap(), 1);
    assert_eq!(store.balances().await.unwrap()[0].unspent, 8);
    audit(&store).await;
}

#[tokio::test]
async fn a_removed_proof_is_kept_as_spent_and_can_be_brought_in_again() {
    let store = store().await;
    let view = View { store: store.clone(), device: 0 };
    let mut info = coins(&[8]).remove(0);
    info.state = State::Pending;
    view.update_proofs(vec![info.clone()], vec![]).await.unwrap();
    view.update_proofs(vec![], vec![info.y]).await.unwrap();
    assert_eq!(view.get_proofs_by_ys(vec![info.y]).await.unwrap()[0].state, State::Spent);
    assert_eq!(view.get_balance(None, None, None).await.unwrap(), 0);
    view.update_proofs(vec![info.clone()], vec![]).await.unwrap();
    assert_eq!(view.get_balance(None, None, Some(vec![State::Pending])).await.unwrap(), 8);

    // Seen as spent, it is refused.
    view.update_proofs_state(vec![info.y], State::Spent).await.unwrap();
    assert!(view.update_proofs(vec![info.clone()], vec![]).await.is_err());
    view.update_proofs_state(vec![info.y], State::Unspent).await.unwrap();
    assert_eq!(view.get_balance(None, None, None).await.unwrap(), 0);
    audit(&store).await;
}

#[tokio::test]
async fn a_mint_that_moves_takes_its_proofs_along() {
    let store = store().await;
    let view = View { store: store.clone(), device: 0 };
    let infos = coins(&[8, 4]);
    view.update_proofs(infos.clone(), vec![]).await.unwrap();
    view.update_proofs_state(ys(&infos[..1]), State::Spent).await.unwrap();
    let new: cdk_common::mint_url::MintUrl = "https://new.example".parse().unwrap();
    view.update_mint_url(mint(), new.clone()).await.unwrap();
    assert_eq!(view.get_balance(Some(mint()), None, None).await.unwrap(), 0);
    assert_eq!(view.get_balance(Some(new.clone()), None, None).await.unwrap(), 4);
    assert_eq!(view.get_balance(Some(new), None, Some(vec![State::Spent])).await.unwrap(), 8);
    audit(&store).await;
}

#[tokio::test]
async fn inputs_come_from_the_shelf_without_locked_or_unpriced_ones() {
    let store = store().await;
    let mut infos = coins(&[64, 16, 8, 4, 2, 1, 1]);
    infos[1].spending_condition =
        Some(cdk_common::nuts::SpendingConditions::new_p2pk(cdk_common::nuts::SecretKey::generate().public_key(), None));
    store.commit(vec![Change::Proofs { add: infos.clone() }]).await.unwrap();
    let fees = HashMap::from([(keyset(), 100)]);
    let (mint, unit) = ("https://mint.example".parse().unwrap(), Unit::sat());
    let chosen = store.choose(&mint, &unit, Need::Spend { amount: 11 }, fees.clone()).await.unwrap().unwrap();
    assert_eq!((chosen.fee, chosen.proofs.iter().map(|one| one.proof.amount.to_u64()).sum::<u64>()), (1, 12));
    let chosen = store.choose(&mint, &unit, Need::Exact { amount: 7 }, fees.clone()).await.unwrap().unwrap();
    assert_eq!(chosen.proofs.len(), 3);
    assert!(store.choose(&mint, &unit, Need::Exact { amount: 24 }, fees.clone()).await.unwrap().is_none());
    let chosen = store.choose(&mint, &unit, Need::Spend { amount: 24 }, fees.clone()).await.unwrap().unwrap();
    assert_eq!(ys(&chosen.proofs), vec![infos[0].y]);
    assert!(store.choose(&mint, &unit, Need::Spend { amount: 80 }, fees).await.unwrap().is_none());
    assert!(store.choose(&mint, &unit, Need::Spend { amount: 1 }, HashMap::new()).await.unwrap().is_none());
}

#[tokio::test]
async fn a_tokens_text_is_gone_once_it_is_claimed() {
    let store = store().await;
    let one = payment(5, None, None, None);
    store.admit::<()>(one.clone(), NOW, |_| Ok(())).await.unwrap();
    let row = TokenRow { token: Secret::new("cashuB"), ys: ys(&coins(&[1])), locked: false, claimed_at: None };
    store.commit(vec![Change::Token { payment: one.id.clone(), row: row.clone() }]).await.unwrap();
    assert_eq!(store.token(&one.id).await.unwrap(), Some(row.clone()));
    assert_eq!(store.unclaimed_tokens().await.unwrap(), vec![(one.clone(), row)]);
    store.commit(vec![Change::ForgetToken(one.id.clone())]).await.unwrap();
    assert_eq!(store.token(&one.id).await.unwrap(), None);
}

#[tokio::test]
async fn deposits_and_receives_are_found_by_their_indexes() {
    let store = store().await;
    let (first, second) = (deposit(10, DepositState::Unpaid), deposit(20, DepositState::Unpaid));
    let token = receive(15);
    let changes = vec![Change::Deposit(first.clone()), Change::Deposit(second.clone()), Change::Receive(token.clone())];
    store.commit(changes).await.unwrap();
    assert_eq!(store.deposit(&first.id).await.unwrap(), Some(first.clone()));
    assert_eq!(store.newest_deposit("tester").await.unwrap(), Some(second.clone()));
    assert_eq!(store.newest_deposit("test").await.unwrap(), None);
    assert_eq!(store.deposit_by_key("tester", "key 10").await.unwrap(), Some(first.clone()));
    assert_eq!(store.deposit_by_quote(&first.quote_id).await.unwrap(), Some(first.clone()));
    assert_eq!(store.receive_by_digest("digest 15").await.unwrap(), Some(token.clone()));
    assert_eq!(store.open_receives().await.unwrap(), vec![token.clone()]);
    let paid = Deposit { state: DepositState::Received { at: 30, received_sats: 21 }, ..first };
    let done = Receive { state: ReceiveState::Received { at: 30, received_sats: 3, fee_sats: 0 }, ..token };
    store.commit(vec![Change::Deposit(paid), Change::Receive(done.clone())]).await.unwrap();
    assert_eq!(store.open_deposits().await.unwrap(), vec![second]);
    assert!(store.open_receives().await.unwrap().is_empty());
    assert_eq!(store.receive(&done.id).await.unwrap(), Some(done));
}

#[tokio::test]
async fn history_is_newest_first_in_pages() {
    let store = store().await;
    let change = PolicyChange { at: 25, text: "the daily limit was raised".to_owned(), loosened: true };
    let changes = vec![Change::Deposit(deposit(10, DepositState::Unpaid)), Change::Receive(receive(20)), Change::Policy(change)];
    store.commit(changes).await.unwrap();
    let paid = Payment { created_at: 30, ..payment(5, None, None, None) };
    store.admit::<()>(paid, 30, |_| Ok(())).await.unwrap();
    let mut seen = Vec::new();
    let mut before = None;
    loop {
        let page = store.history(HistoryQuery { limit: 3, before, ..HistoryQuery::default() }).await.unwrap();
        let Some(last) = page.last() else { break };
        before = Some(last.cursor());
        seen.extend(page.iter().map(|row| row.cursor().at));
    }
    assert_eq!(seen, vec![30, 25, 20, 10]);
    let mine = HistoryQuery { limit: 9, agent: Some("other".to_owned()), ..HistoryQuery::default() };
    assert!(matches!(store.history(mine).await.unwrap().as_slice(), [HistoryRow::Receive(_)]));
    let middle = HistoryQuery { limit: 9, since: Some(20), until: Some(30), ..HistoryQuery::default() };
    assert_eq!(store.history(middle).await.unwrap().len(), 2);
}

#[tokio::test]
async fn each_device_counts_for_itself_and_a_restore_only_raises() {
    let store = store().await;
    let (zero, one) = (store.view(0), store.view(1));
    assert_eq!(zero.increment_keyset_counter(&keyset(), 10).await.unwrap(), 10);
    assert_eq!(one.increment_keyset_counter(&keyset(), 3).await.unwrap(), 3);
    assert_eq!(store.raise_keyset_counter(0, &keyset(), 7).await.unwrap(), 10);
    assert_eq!(store.raise_keyset_counter(1, &keyset(), 7).await.unwrap(), 7);
    assert_eq!(zero.increment_keyset_counter(&keyset(), 0).await.unwrap(), 10);
    assert!(zero.increment_keyset_counter(&keyset(), u32::MAX).await.is_err());
    assert_eq!(zero.increment_derivation_counter("p2pk", 1).await.unwrap(), 1);
    assert_eq!(one.increment_derivation_counter("p2pk", 1).await.unwrap(), 1);
}

#[tokio::test]
async fn real_money_is_for_ever_and_the_wallets_id_stays() {
    let store = store().await;
    let born = store.meta().await.unwrap();
    assert_eq!((born.wallet_id.len(), born.real, born.device), (32, false, 0));
    store.set_meta(|meta| meta.real = true).await.unwrap();
    let meta = store.set_meta(|meta| {
        meta.real = false;
        meta.wallet_id.clear();
        meta.device = 3;
    });
    let meta = meta.await.unwrap();
    assert_eq!((meta.real, meta.device, meta.wallet_id), (true, 3, born.wallet_id));
}
