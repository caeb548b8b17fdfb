//! Spent proofs: whole for a while, then only a Y, and spent for ever.

use std::collections::BTreeSet;

use cdk_common::nuts::{ProofDleq, SecretKey, SpendingConditions, State};
use cdk_common::secret::Secret;
use cdk_common::wallet::ProofInfo;
use redb::ReadableTableMetadata;
use uuid::Uuid;

use super::super::tables::{ARCHIVE, Reads};
use super::super::{Change, Store, StoreError};
use super::samples::{NOW, audit, coin, coins, store, ys};

fn spend(infos: &[ProofInfo]) -> Change {
    Change::ProofState {
        ys: ys(infos),
        expect: None,
        to: State::Spent,
        operation: Some(Uuid::new_v4()),
    }
}

fn with_dleq(mut info: ProofInfo) -> ProofInfo {
    info.proof.dleq = Some(ProofDleq {
        e: SecretKey::generate(),
        s: SecretKey::generate(),
        r: SecretKey::generate(),
    });
    info
}

/// Creates a proof that the archive must keep in full: its secret is not plain hex.
fn locked() -> ProofInfo {
    let key = SecretKey::generate().public_key();
    let conditions = SpendingConditions::new_p2pk(key, None);
    let mut proof = coin(16).proof;
    proof.secret = conditions.clone().try_into().unwrap();
    let plain = coin(16);
    ProofInfo {
        spending_condition: Some(conditions),
        ..ProofInfo::new(proof, plain.mint_url, State::Unspent, plain.unit).unwrap()
    }
}

fn odd() -> ProofInfo {
    let plain = coin(32);
    let mut proof = plain.proof;
    // Upper case: decoded as hex, it would come back as another secret.
    proof.secret = Secret::new("AB".repeat(32));
    ProofInfo::new(proof, plain.mint_url, State::Unspent, plain.unit).unwrap()
}

async fn shrink(store: &Store, before: u64, keep: &[ProofInfo]) {
    let (mut place, mut looks) = (None, 0);
    loop {
        place = store
            .shrink_archive(place, 2, before, ys(keep).into_iter().collect::<BTreeSet<_>>())
            .await
            .unwrap();
        looks += 1;
        if place.is_none() {
            break;
        }
    }
    assert!(looks > 1, "it goes in parts");
}

#[tokio::test]
async fn a_spent_coin_is_whole_for_a_while_then_a_name_and_spent_for_ever() {
    let store = store().await;
    let infos = vec![coin(1), with_dleq(coin(2)), locked(), odd(), with_dleq(coin(8))];
    store.commit(vec![Change::Proofs { add: infos.clone() }, spend(&infos)]).await.unwrap();
    audit(&store).await;
    let spent = |info: &ProofInfo| {
        let mut info = ProofInfo { state: State::Spent, ..info.clone() };
        info.proof.dleq = None;
        info
    };
    let whole: Vec<_> = infos.iter().map(spent).collect();
    assert_eq!(store.proofs(ys(&infos)).await.unwrap(), whole, "all that a mint needs is kept");

    shrink(&store, NOW, &[]).await;
    assert_eq!(store.proofs(ys(&infos)).await.unwrap(), whole, "it has come here just now");
    let (gone, kept) = infos.split_at(4);
    shrink(&store, NOW + 1, kept).await;
    assert_eq!(
        store.proofs(ys(&infos)).await.unwrap(),
        whole[4..],
        "but for those that may be needed"
    );
    let spent: Vec<_> = ys(&infos).into_iter().map(|y| (y, State::Spent)).collect();
    assert_eq!(store.states(ys(&infos)).await.unwrap(), spent);

    let set = |to, expect: Option<Vec<State>>| Change::ProofState {
        ys: ys(gone),
        expect,
        to,
        operation: None,
    };
    store
        .commit(vec![Change::Proofs { add: gone.to_vec() }, set(State::Spent, None)])
        .await
        .unwrap();
    assert!(matches!(
        store.commit(vec![set(State::Unspent, None)]).await,
        Err(StoreError::SpentIsFinal)
    ));
    assert!(matches!(
        store.commit(vec![set(State::Reserved, Some(vec![State::Unspent]))]).await,
        Err(StoreError::ProofNotUnspent)
    ));
    let revive = |infos: &[ProofInfo]| Change::Revive { ys: ys(infos), to: State::Unspent };
    assert!(matches!(
        store.commit(vec![revive(kept), revive(gone)]).await,
        Err(StoreError::SpentIsFinal)
    ));
    assert!(store.balances().await.unwrap().is_empty(), "none of it was done");

    store.commit(vec![revive(kept)]).await.unwrap();
    assert_eq!(
        store.revive(infos.clone()).await.unwrap(),
        4,
        "what a mint has signed anew is taken as it is"
    );
    let back = store.proofs(ys(&infos)).await.unwrap();
    assert_eq!(ys(&back), ys(&infos));
    assert!(back.iter().all(|info| info.state == State::Unspent));
    assert_eq!(store.balances().await.unwrap()[0].unspent, 59);
    audit(&store).await;
}

#[tokio::test]
async fn a_spent_coin_takes_200_bytes_and_its_name_50() {
    let store = store().await;
    let infos: Vec<_> = coins(&[1; 40]).into_iter().map(with_dleq).collect();
    store.commit(vec![Change::Proofs { add: infos.clone() }, spend(&infos)]).await.unwrap();
    let bytes = async || {
        store
            .read(|tx| Ok(tx.table(ARCHIVE)?.stats()?.stored_bytes() / tx.table(ARCHIVE)?.len()?))
            .await
            .unwrap()
    };
    assert!(bytes().await <= 200, "{}", bytes().await);
    shrink(&store, NOW + 1, &[]).await;
    assert!(bytes().await <= 50, "{}", bytes().await);
}
