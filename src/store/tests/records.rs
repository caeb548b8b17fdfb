//! Mint records: the same for every device, and never judged by the store.

use std::collections::BTreeMap;

use cdk_common::Amount;
use cdk_common::nuts::{CurrencyUnit, Id, KeySet, KeySetInfo, Keys, SecretKey};

use super::samples::store;
use crate::model::mint::MintInfo;

const MINT: &str = "https://mint.example";
/// An address that begins with another mint's.
const BESIDE: &str = "https://mint.example/beside";

fn keys() -> Keys {
    let one = |power: u32| (Amount::from(1_u64 << power), SecretKey::generate().public_key());
    Keys::new((0..4).map(one).collect::<BTreeMap<_, _>>())
}

fn listed() -> KeySetInfo {
    KeySetInfo {
        id: Id::v1_from_keys(&keys()),
        unit: CurrencyUnit::Sat,
        active: true,
        input_fee_ppk: 0,
        final_expiry: None,
    }
}

#[tokio::test]
async fn a_mint_is_remembered_with_the_first_key_that_it_called_its_own() {
    let store = store().await;
    let [first, later] = [(); 2].map(|()| SecretKey::generate().public_key().to_hex());
    let named = |pubkey: &Option<String>| MintInfo {
        name: Some("Mint".to_owned()),
        pubkey: pubkey.clone(),
        ..MintInfo::default()
    };
    assert_eq!(store.records(0).info(MINT).await.unwrap(), None);
    for (pubkey, changed) in [
        (None, false),
        (Some(first.clone()), false),
        (Some(later), true),
        (None, false),
        (Some(first), false),
    ] {
        store.records(0).put_info(MINT, named(&pubkey)).await.unwrap();
        assert_eq!(store.records(1).info(MINT).await.unwrap(), Some(named(&pubkey)));
        assert_eq!(store.mint_identity_changed(MINT).await.unwrap(), changed, "{pubkey:?}");
    }
    assert_eq!(store.records(0).info(BESIDE).await.unwrap(), None);
}

#[tokio::test]
async fn a_known_keyset_changes_only_its_activity_and_its_fee() {
    let store = store().await;
    let (records, known, new) = (store.records(0), listed(), listed());
    records.put_keysets(MINT, vec![known.clone()]).await.unwrap();
    let other = KeySetInfo {
        active: false,
        input_fee_ppk: 100,
        unit: CurrencyUnit::Usd,
        final_expiry: Some(1),
        ..known.clone()
    };
    records.put_keysets(MINT, vec![new.clone(), other]).await.unwrap();
    let mut expected = vec![KeySetInfo { active: false, input_fee_ppk: 100, ..known }, new];
    let mut kept = store.records(1).keysets(MINT).await.unwrap();
    expected.sort_by_key(|keyset| keyset.id);
    kept.sort_by_key(|keyset| keyset.id);
    assert_eq!(kept, expected);
}

#[tokio::test]
async fn each_mint_has_its_own_keysets_and_all_others_are_elsewhere() {
    let store = store().await;
    let records = store.records(0);
    let (one, other, third) = (listed(), listed(), listed());
    records.put_keysets(MINT, vec![one.clone()]).await.unwrap();
    records.put_keysets(BESIDE, vec![other.clone()]).await.unwrap();
    records.put_keysets("https://a.example", vec![third.clone()]).await.unwrap();
    assert_eq!(records.keysets(MINT).await.unwrap(), vec![one]);
    assert_eq!(records.keysets("https://unknown.example").await.unwrap(), vec![]);
    let mut elsewhere = records.keysets_elsewhere(MINT).await.unwrap();
    let mut expected = vec![other.id, third.id];
    elsewhere.sort();
    expected.sort();
    assert_eq!(elsewhere, expected);
}

#[tokio::test]
async fn keys_are_kept_under_the_id_that_they_hash_to_and_no_other() {
    let store = store().await;
    let (records, keys) = (store.records(0), keys());
    let id = Id::v1_from_keys(&keys);
    let keyset = KeySet {
        id,
        unit: CurrencyUnit::Sat,
        active: Some(true),
        keys: keys.clone(),
        input_fee_ppk: 0,
        final_expiry: None,
    };
    assert!(records.put_keys(KeySet { id: listed().id, ..keyset.clone() }).await.is_err());
    assert_eq!(records.keys(&id).await.unwrap(), None);
    for _ in 0..2 {
        records.put_keys(keyset.clone()).await.unwrap();
        assert_eq!(store.records(1).keys(&id).await.unwrap(), Some(keys.clone()));
    }
}
