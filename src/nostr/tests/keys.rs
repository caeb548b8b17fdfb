//! Keys from the vectors of NIP-06, NIP-44 and NIP-49, and invalid keys.

use nostr::nips::nip44;
use nostr::{PublicKey, SecretKey};

use super::super::nutzap_key::NutzapKey;
use super::super::{BadKey, Identity};
use super::identity;
use crate::model::secret::Secret;

#[test]
fn words_give_the_key_of_nip_06() {
    let vectors = [
        (
            "leader monkey parrot ring guide accident before fence cannon height naive bean",
            "7f7ff03d123792d6ac594bfa67bf6d0c0ab55b6b1fdb6249303fe861f1ccba9a",
            "nsec10allq0gjx7fddtzef0ax00mdps9t2kmtrldkyjfs8l5xruwvh2dq0lhhkp",
            "npub1zutzeysacnf9rru6zqwmxd54mud0k44tst6l70ja5mhv8jjumytsd2x7nu",
        ),
        (
            "what bleak badge arrange retreat wolf trade produce cricket blur garlic valid proud rude strong choose busy staff weather area salt hollow arm fade",
            "c15d739894c81a2fcfd3a2df85a0d2c0dbc47a280d092799f144d73d7ae78add",
            "nsec1c9wh8xy5eqdzln7n5t0ctgxjcrdug73gp5yj0x03gntn67h83twssdfhel",
            "npub16sdj9zv4f8sl85e45vgq9n7nsgt5qphpvmf7vk8r5hhvmdjxx4es8rq74h",
        ),
    ];
    for (words, hex, nsec, npub) in vectors {
        let read = Identity::from_words(&Secret::new(words)).unwrap();
        assert_eq!(
            (read.secret_hex().reveal(), read.nsec().reveal(), read.npub().as_str()),
            (hex, nsec, npub)
        );
        for text in [hex, nsec] {
            let again = Identity::from_nsec(&Secret::new(format!(" {text}\n"))).unwrap();
            assert_eq!(again.public_key(), read.public_key());
        }
    }
    assert_eq!(Identity::from_words(&Secret::new("leader monkey")).err(), Some(BadKey::Words));
}

#[test]
fn what_is_no_key_is_refused_and_not_repeated() {
    let zero = "0".repeat(64);
    let npub = identity(1).npub();
    for text in ["", "nsec1", "nsec1qqqq", &zero, &"f".repeat(64), &npub, &"n".repeat(5000)] {
        let refused = Identity::from_nsec(&Secret::new(text)).unwrap_err();
        assert_eq!(refused, BadKey::Form);
        assert!(text.is_empty() || !refused.to_string().contains(text));
    }
    assert_eq!(format!("{:?}", identity(1)), "Identity(..)");
}

#[test]
fn a_password_opens_the_key_of_nip_49() {
    let text = "ncryptsec1qgg9947rlpvqu76pj5ecreduf9jxhselq2nae2kghhvd5g7dgjtcxfqtd67p9m0w57lspw8gsq6yphnm8623nsl8xn9j4jdzz84zm3frztj3z7s35vpzmqf6ksu8r89qk5z2zxfmu5gv8th8wclt0h4p";
    let opened = Identity::from_ncryptsec(text, &Secret::new("nostr")).unwrap();
    assert_eq!(
        opened.secret_hex().reveal(),
        "3501454135014541350145413501453fefb02227e449e57cf4d3a3ce05378683"
    );
    assert_eq!(Identity::from_ncryptsec(text, &Secret::new("wrong")).err(), Some(BadKey::Password));
    assert_eq!(
        Identity::from_ncryptsec("ncryptsec1qqqq", &Secret::new("nostr")).err(),
        Some(BadKey::Encrypted)
    );
}

#[test]
fn an_encrypted_key_cannot_ask_for_all_the_memory_there_is() {
    use bech32::{Bech32, Hrp};
    let mut bytes = vec![2_u8, 21];
    bytes.extend([0; 89]);
    let text = bech32::encode::<Bech32>(Hrp::parse("ncryptsec").unwrap(), &bytes).unwrap();
    let began = std::time::Instant::now();
    assert_eq!(Identity::from_ncryptsec(&text, &Secret::new("x")).err(), Some(BadKey::TooMuchWork));
    assert!(began.elapsed() < std::time::Duration::from_millis(200));
}

/// Decrypts the first vector of NIP-44: the two lowest keys, a nonce of 1.
#[test]
fn sealing_is_nip_44() {
    let one = SecretKey::from_hex(&format!("{:064x}", 1)).unwrap();
    let two: PublicKey =
        nostr::Keys::new(SecretKey::from_hex(&format!("{:064x}", 2)).unwrap()).public_key();
    let payload = "AgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAABee0G5VSK0/9YypIObAtDKfYEAjD35uVkHyB0F4DwrcNaCXlCWZKaArsGrY6M9wnuTMxWfp1RTN9Xga8no+kF5Vsb";
    assert_eq!(nip44::decrypt(&one, &two, payload).unwrap(), "a");
}

#[test]
fn only_the_key_that_sealed_opens() {
    let me = identity(1);
    let sealed = me.encrypt("a coin").unwrap();
    assert_eq!(me.decrypt(&sealed).as_deref().map(String::as_str), Some("a coin"));
    assert!(identity(2).decrypt(&sealed).is_none());
    let mut changed = sealed.clone();
    let end = changed.len() - 8;
    changed.replace_range(end..end + 1, if sealed.as_bytes()[end] == b'A' { "B" } else { "A" });
    assert!(
        me.decrypt(&changed).is_none() && me.decrypt("").is_none() && me.decrypt("#").is_none()
    );
    assert_eq!(me.encrypt("").err(), Some(BadKey::Encrypt));
    assert_eq!(me.encrypt(&"x".repeat(70_000)).err(), Some(BadKey::Encrypt));
}

#[test]
fn a_nutzap_key_has_an_even_y() {
    let mut odd = 0;
    for byte in 1..=16 {
        let given = identity(byte).secret_hex();
        let key = NutzapKey::from_secret(&given).unwrap();
        odd += usize::from(key.secret() != &given);
        let secret = cdk_common::nuts::SecretKey::from_hex(key.secret().reveal()).unwrap();
        assert_eq!(secret.public_key().to_hex(), key.public_compressed());
        assert_eq!(key.public_x(), identity(byte).public_key());
        assert_eq!(NutzapKey::from_secret(key.secret()).unwrap().secret(), key.secret());
    }
    assert!(odd > 0 && odd < 16, "both kinds were tried: {odd}");
    assert!(NutzapKey::from_secret(&Secret::new("00")).is_err());
    assert_ne!(NutzapKey::random().unwrap().public_x(), NutzapKey::random().unwrap().public_x());
}
