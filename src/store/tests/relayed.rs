//! Events from relays are merged in any order; a deletion gives up no proof; sums of other devices'
//! proofs match the rows.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use cdk_common::nuts::{PublicKey, State};
use cdk_common::wallet::ProofInfo;
use proptest::prelude::*;

use super::super::nostr::{
    Deletion, OutboxEvent, QueueRound, RemoteProofState, SeenTokenEvent, TokenEventRow,
};
use super::super::tables::NOSTR_OUTBOX;
use super::super::{Change, Store};
use super::samples::{coins, mint, store};

static POOL: LazyLock<Vec<ProofInfo>> = LazyLock::new(|| coins(&[1, 2, 4, 8, 16, 32, 64, 128]));

fn id(number: usize) -> String {
    format!("{number:064}")
}

/// Creates one deletion of these events.
fn deleted(ids: &[String]) -> Vec<Deletion> {
    vec![Deletion { id: format!("d{}", ids.join("")), at: 1, ids: ids.to_vec() }]
}

fn seen(number: usize, coins: &[usize], del: &[usize]) -> SeenTokenEvent {
    let coins: Vec<&ProofInfo> = coins.iter().map(|at| &POOL[*at]).collect();
    let ys: Vec<PublicKey> = coins.iter().map(|coin| coin.y).collect();
    let (mint, unit) = (mint().to_string(), "sat".to_owned());
    let event = TokenEventRow {
        id: id(number),
        mint,
        unit,
        created_at: 1,
        ys,
        partial: false,
        json: "{}".to_owned(),
    };
    SeenTokenEvent {
        event,
        proofs: coins.iter().map(|coin| coin.proof.clone()).collect(),
        del: del.iter().map(|number| id(*number)).collect(),
    }
}

/// Returns the live events and the state of each proof.
async fn picture(store: &Store) -> (Vec<String>, BTreeMap<String, RemoteProofState>) {
    let live = store.live_token_events().await.unwrap().into_iter().map(|event| event.id).collect();
    let mut states = BTreeMap::new();
    for state in [
        RemoteProofState::Unverified,
        RemoteProofState::Unspent,
        RemoteProofState::Pending,
        RemoteProofState::Adopting,
        RemoteProofState::Refused,
    ] {
        for (y, _) in store.remote_proofs(mint().to_string(), vec![state]).await.unwrap() {
            states.insert(y.to_string(), state);
        }
    }
    (live, states)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn events_and_deletions_in_any_order_come_to_the_same(
        events in prop::collection::vec((prop::collection::btree_set(0_usize..8, 1..4), prop::collection::vec(0_usize..6, 0..3)), 1..6),
        gone in prop::collection::vec(0_usize..6, 0..4),
        order in any::<prop::sample::Index>(),
    ) {
        let events: Vec<SeenTokenEvent> = events.iter().enumerate().map(|(number, (coins, del))| {
            // An event never names itself.
            let del: Vec<usize> = del.iter().copied().filter(|other| *other != number).collect();
            seen(number, &coins.iter().copied().collect::<Vec<_>>(), &del)
        }).collect();
        let gone: Vec<String> = gone.into_iter().map(id).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (whole, parts) = (store().await, store().await);
            whole.merge_events(events.clone(), deleted(&gone)).await.unwrap();
            // The deletions first, then the events one by one from the middle, then everything once
            // more.
            for one in &gone {
                parts.merge_events(Vec::new(), deleted(std::slice::from_ref(one))).await.unwrap();
            }
            let from = order.index(events.len());
            for event in events[from..].iter().chain(&events[..from]).chain(&events) {
                parts.merge_events(vec![event.clone()], Vec::new()).await.unwrap();
            }
            assert_eq!(picture(&whole).await, picture(&parts).await);
            let sums = whole.remote_balances().await.unwrap();
            let all: u64 = sums.iter().map(|sum| sum.unverified + sum.unspent + sum.adopting).sum();
            let shown: std::collections::BTreeSet<String> = events.iter().flat_map(|seen| &seen.event.ys).map(ToString::to_string).collect();
            let expected: u64 = POOL.iter().filter(|coin| shown.contains(&coin.y.to_string())).map(|coin| coin.proof.amount.to_u64()).sum();
            assert_eq!(all, expected, "no coin is given up by a deletion");
        });
    }
}

#[tokio::test]
async fn a_deleted_event_makes_coins_doubtful_and_ours_are_asked_about() {
    let store = store().await;
    store.begin_outbox().await.unwrap();
    store.commit(vec![Change::Proofs { add: vec![POOL[0].clone()] }]).await.unwrap();
    store.merge_events(vec![seen(1, &[0, 1], &[])], Vec::new()).await.unwrap();
    store
        .commit(vec![Change::RemoteProofs { ys: vec![POOL[1].y], to: RemoteProofState::Unspent }])
        .await
        .unwrap();
    let told = store.merge_events(Vec::new(), deleted(&[id(1)])).await.unwrap();
    assert_eq!(told.unverified, 1);
    assert_eq!(store.unverified_proofs(mint().to_string()).await.unwrap(), [POOL[0].clone()]);
    let (live, states) = picture(&store).await;
    assert_eq!(
        (live.len(), states.get(&POOL[1].y.to_string())),
        (0, Some(&RemoteProofState::Unverified))
    );
    // An unverified proof of ours is not published before its mint was asked.
    assert!(store.outbox_view(10).await.unwrap().dirty.is_empty());
    store.mark_verified(vec![POOL[0].y]).await.unwrap();
    assert_eq!(store.outbox_view(10).await.unwrap().dirty.len(), 1);
}

#[tokio::test]
async fn a_change_between_a_rounds_plan_and_its_end_is_not_forgotten() {
    let store = store().await;
    store.begin_outbox().await.unwrap();
    store.commit(vec![Change::Proofs { add: vec![POOL[0].clone()] }]).await.unwrap();
    let view = store.outbox_view(10).await.unwrap();
    let spent =
        Change::ProofState { ys: vec![POOL[0].y], expect: None, to: State::Spent, operation: None };
    store.commit(vec![spent]).await.unwrap();
    let outgoing = vec![OutboxEvent::new(&id(2), 7375, "{}", 1, 1)];
    let round = QueueRound {
        done: view.dirty,
        new: vec![seen(2, &[0], &[]).event],
        outgoing,
        ..QueueRound::default()
    };
    store.mirrored(round).await.unwrap();
    let view = store.outbox_view(10).await.unwrap();
    assert_eq!(
        (view.dirty.len(), view.events.len()),
        (1, 1),
        "the event that shows the spent coin is to be replaced"
    );
    assert!(!view.proofs[&POOL[0].y].wanted);
    assert_eq!(store.outbox().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_coin_that_becomes_ours_is_no_other_devices_any_more() {
    let store = store().await;
    store.merge_events(vec![seen(1, &[3], &[])], Vec::new()).await.unwrap();
    store
        .commit(vec![Change::RemoteProofs { ys: vec![POOL[3].y], to: RemoteProofState::Unspent }])
        .await
        .unwrap();
    assert_eq!(store.remote_balances().await.unwrap()[0].unspent, 8);
    store.commit(vec![Change::Proofs { add: vec![POOL[3].clone()] }]).await.unwrap();
    assert!(store.remote_balances().await.unwrap().is_empty());
    // Shown again, it is ours.
    store.merge_events(vec![seen(2, &[3], &[])], Vec::new()).await.unwrap();
    assert!(store.remote_balances().await.unwrap().is_empty());
}

#[tokio::test]
async fn of_the_queue_no_more_is_read_than_one_class() {
    let store = store().await;
    store
        .queue_all(vec![
            OutboxEvent::new(&id(1), 10_019, "{}", 3, 0),
            OutboxEvent::new(&id(2), 9_321, "{}", 0, 0),
        ])
        .await
        .unwrap();
    // Unreadable rows on either side of it.
    let unreadable = |tx: &redb::WriteTransaction| {
        let mut queue = tx.open_table(NOSTR_OUTBOX)?;
        queue.insert((2, 1), &[9_u8][..])?;
        queue.insert((4, 1), &[9_u8][..])?;
        Ok(())
    };
    store.write(unreadable).await.unwrap();
    for (class, number) in [(3, 1), (0, 2), (1, 0)] {
        let read: Vec<String> =
            store.queued_in(class).await.unwrap().into_iter().map(|one| one.event.id).collect();
        assert_eq!(read, if number == 0 { vec![] } else { vec![id(number)] });
    }
    assert!(store.outbox().await.is_err());
}

#[tokio::test]
async fn a_coin_that_was_only_moved_counts_again_once_the_event_that_holds_it_is_shown() {
    let now = super::samples::clock();
    let at = |mut seen: SeenTokenEvent| {
        seen.event.created_at = now;
        vec![seen]
    };
    let unspent =
        || Change::RemoteProofs { ys: vec![POOL[0].y, POOL[1].y], to: RemoteProofState::Unspent };
    // Before the mint was asked, and after.
    for asked_before in [false, true] {
        let store = store().await;
        store.merge_events(at(seen(1, &[0, 1], &[])), vec![]).await.unwrap();
        // Two events replace it, and a relay shows one of them later.
        store.merge_events(at(seen(2, &[0], &[1])), vec![]).await.unwrap();
        if asked_before {
            store.commit(vec![unspent()]).await.unwrap();
            let held = &store.remote_balances().await.unwrap()[0];
            assert_eq!((held.unspent, held.left_out), (1, 2));
        }
        store.merge_events(at(seen(3, &[1], &[])), vec![]).await.unwrap();
        store.commit(vec![unspent()]).await.unwrap();
        let held = &store.remote_balances().await.unwrap()[0];
        assert_eq!((held.unspent, held.left_out), (3, 0), "asked before: {asked_before}");
    }
}
