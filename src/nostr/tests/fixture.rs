//! Reads events that another wallet (NDK 1.0) wrote for a throwaway key, and compares them with
//! their plaintext.

use serde_json::Value;

use super::super::history_event::HistoryDirection;
use super::super::{
    Event, Identity, deletion, history_event, nutzap_info, token_event, wallet_event,
};
use crate::model::secret::Secret;

struct Case {
    event: Event,
    plain: Value,
}

fn cases() -> (Identity, Vec<Case>) {
    let file: Value = serde_json::from_str(include_str!("fixtures/ndk-1.0.0-wallet.json")).unwrap();
    let identity = Identity::from_nsec(&Secret::new(file["secret_key"].as_str().unwrap())).unwrap();
    assert_eq!(file["public_key"], identity.public_key().as_str());
    let case = |case: &Value| {
        let plain = case["plaintext"]
            .as_str()
            .map_or(Value::Null, |plain| serde_json::from_str(plain).unwrap());
        Case { event: Event::read(&case["event"].to_string()).unwrap(), plain }
    };
    let cases = file["events"].as_array().unwrap().iter().map(case).collect();
    (identity, cases)
}

/// The second strings of the plaintext's lists with this name.
fn named(plain: &Value, name: &str) -> Vec<String> {
    let lists = plain.as_array().unwrap().iter().filter(|list| list[0] == name);
    lists.map(|list| list[1].as_str().unwrap().to_owned()).collect()
}

#[test]
fn every_event_of_another_wallet_is_read() {
    let (me, cases) = cases();
    let mut kinds: Vec<u16> = cases.iter().map(|case| case.event.kind()).collect();
    for Case { event, plain } in &cases {
        match event.kind() {
            5 => assert_eq!(
                deletion::read(&me, event),
                event.tag_values("e").map(str::to_owned).collect::<Vec<_>>()
            ),
            7375 => {
                let token = token_event::read(&me, event).unwrap();
                assert_eq!(
                    (token.mint.as_str(), token.unit.as_str()),
                    (plain["mint"].as_str().unwrap(), "sat")
                );
                let written = plain["proofs"].as_array().unwrap();
                assert_eq!(token.proofs.len() + token.unreadable_proofs, written.len());
                for proof in &token.proofs {
                    let found = written
                        .iter()
                        .find(|one| one["secret"] == proof.secret.to_string().as_str())
                        .unwrap();
                    assert_eq!(found["amount"], proof.amount.to_u64());
                    assert_eq!(
                        (&found["id"], &found["C"]),
                        (&proof.keyset_id.to_string().into(), &proof.c.to_hex().into())
                    );
                }
                let del: Vec<&str> = plain["del"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|id| id.as_str().unwrap())
                    .collect();
                assert_eq!(token.del, del);
            }
            375 | 17375 => {
                let wallet = wallet_event::read(&me, event).unwrap();
                assert_eq!(
                    (&wallet.mints, &wallet.relays),
                    (&named(plain, "mint"), &named(plain, "relay"))
                );
                let keys: Vec<String> =
                    wallet.privkeys.iter().map(|key| key.reveal().to_owned()).collect();
                assert_eq!(keys, named(plain, "privkey"));
                assert!(wallet.others.is_empty());
            }
            7376 => {
                let line = history_event::read(&me, event).unwrap();
                assert_eq!(
                    (line.direction, line.amount, line.unit.as_str()),
                    (HistoryDirection::In, 15, "sat")
                );
                assert_eq!((line.created, line.destroyed), (named(plain, "e"), vec![]));
            }
            10019 => {
                let info = nutzap_info::read(event).unwrap();
                assert_eq!(info.relays, ["ws://127.0.0.1:6969/"]);
                assert_eq!(info.mints, [("http://127.0.0.1:3338".to_owned(), vec![])]);
                assert_eq!(info.pubkey.as_deref(), event.tag_values("pubkey").next());
            }
            kind => panic!("a kind nobody reads: {kind}"),
        }
    }
    kinds.sort_unstable();
    assert_eq!(kinds, [5, 375, 7375, 7376, 10019, 17375]);
}

#[test]
fn coins_are_read_one_by_one_and_the_key_is_the_one_that_is_published() {
    let (me, cases) = cases();
    let token = cases.iter().find(|case| case.event.kind() == 7375).unwrap();
    let token = token_event::read(&me, &token.event).unwrap();
    // One of the fixture's proofs has a signature that is not a point of the curve.
    let readable: u64 = token.proofs.iter().map(|proof| proof.amount.to_u64()).sum();
    assert_eq!((token.proofs.len(), readable, token.unreadable_proofs), (3, 11, 1));
    let wallet = cases.iter().find(|case| case.event.kind() == 17375).unwrap();
    let privkeys = wallet_event::read(&me, &wallet.event).unwrap().privkeys;
    let key = super::super::nutzap_key::NutzapKey::from_secret(&privkeys[0]).unwrap();
    let info = cases.iter().find(|case| case.event.kind() == 10019).unwrap();
    assert_eq!(nutzap_info::read(&info.event).unwrap().pubkey.as_deref(), Some(key.public_x()));
}
