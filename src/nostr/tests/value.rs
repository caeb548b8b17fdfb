//! Nutzaps and zaps: reading them, and deciding which claims count.

use cdk_common::nuts::Proof;
use serde_json::json;

use super::super::nutzap::{self, BadNutzap, locked_to};
use super::super::nutzap_key::NutzapKey;
use super::super::zap::{self, BadReceipt, ExpectedReceipt, ZapTarget};
use super::super::{Event, UnsignedEvent};
use super::{identity, proof};

const MINT: &str = "https://mint.example/";

/// The invoice of the receipt in NIP-57, appendix E, and its request with the key that signed it
/// (later versions of the text name another key, which did not).
const BOLT11: &str = "lnbc10u1p3unwfusp5t9r3yymhpfqculx78u027lxspgxcr2n2987mx2j55nnfs95nxnzqpp5jmrh92pfld78spqs78v9euf2385t83uvpwk9ldrlvf6ch7tpascqhp5zvkrmemgth3tufcvflmzjzfvjt023nazlhljz2n9hattj4f8jq8qxqyjw5qcqpjrzjqtc4fc44feggv7065fqe5m4ytjarg3repr5j9el35xhmtfexc42yczarjuqqfzqqqqqqqqlgqqqqqqgq9q9qxpqysgq079nkq507a5tw7xgttmj4u990j7wfggtrasah5gd4ywfr2pjcn29383tphp4t48gquelz9z78p4cq7ml3nrrphw5w6eckhjwmhezhnqpy6gyf0";
const REQUEST: &str = r#"{"pubkey":"32e1827635450ebb3c5a7d12c1f8e7b2b514439ac10a67eef3d9fd9c5c68e245","content":"","id":"d9cc14d50fcb8c27539aacf776882942c1a11ea4472f8cdec1dea82fab66279d","created_at":1674164539,"sig":"77127f636577e9029276be060332ea565deaf89ff215a494ccff16ae3f757065e2bc59b2e8c113dd407917a010b3abd36c8d7ad84c0e3ab7dab3a0b0caa9835d","kind":9734,"tags":[["e","3624762a1274dd9636e0c552b53086d70bc88c165bc4dc0f9e836a1eaf86c3b8"],["p","32e1827635450ebb3c5a7d12c1f8e7b2b514439ac10a67eef3d9fd9c5c68e245"],["relays","wss://relay.damus.io","wss://nostr-relay.wlvs.space","wss://nostr.fmt.wiz.biz","wss://relay.nostr.bg","wss://nostr.oxtr.dev","wss://nostr.v0l.io","wss://brb.io","wss://nostr.bitcoiner.social","ws://monad.jb55.com:8080","wss://relay.snort.social"]]}"#;
const PREIMAGE: &str = "5d006d2cf1e73c7148e7519a4c68adc81642ce0e25a432b2434c99f97344c15f";
const PAYEE: &str = "32e1827635450ebb3c5a7d12c1f8e7b2b514439ac10a67eef3d9fd9c5c68e245";
const ZAPPED: &str = "3624762a1274dd9636e0c552b53086d70bc88c165bc4dc0f9e836a1eaf86c3b8";

fn want() -> ExpectedReceipt {
    ExpectedReceipt {
        request_json: REQUEST.into(),
        request_id: "d9cc14d50fcb8c27539aacf776882942c1a11ea4472f8cdec1dea82fab66279d".into(),
        bolt11_payment_hash: "96c772a829fb7c780410f1d85cf12a89e8b3c78c0bac5fb47f62758bf961ec30"
            .into(),
        msat: 1_000_000,
        nostr_pubkey: identity(7).public_key(),
        recipient: PAYEE.into(),
    }
}

fn tags() -> Vec<Vec<String>> {
    let tags = [
        ["p", PAYEE],
        ["P", "32e1827635450ebb3c5a7d12c1f8e7b2b514439ac10a67eef3d9fd9c5c68e245"],
        ["e", ZAPPED],
        ["bolt11", BOLT11],
        ["description", REQUEST],
        ["preimage", PREIMAGE],
    ];
    tags.map(|tag| tag.map(str::to_owned).to_vec()).to_vec()
}

fn receipt(tags: Vec<Vec<String>>, created_at: u64) -> Event {
    identity(7)
        .sign(UnsignedEvent { kind: 9735, created_at, tags, content: String::new() })
        .unwrap()
}

#[test]
fn the_receipt_of_nip_57_is_one() {
    assert_eq!(zap::check_receipt(&receipt(tags(), 1_674_164_545), &want()), Ok(()));
}

#[test]
fn a_receipt_that_is_wrong_in_anything_is_refused() {
    let want = want();
    let base: Vec<Vec<String>> = tags().into_iter().filter(|tag| tag[0] != "preimage").collect();
    let check = |change: &dyn Fn(&mut Vec<Vec<String>>)| {
        let mut tags = base.clone();
        change(&mut tags);
        zap::check_receipt(&receipt(tags, 1_674_164_545), &want)
    };
    let set = |name: &'static str, value: &'static str| {
        check(&|tags| {
            tags.iter_mut().filter(|tag| tag[0] == name).for_each(|tag| tag[1] = value.to_owned())
        })
    };
    let push = |name: &'static str, value: &'static str| {
        check(&|tags| tags.push(vec![name.to_owned(), value.to_owned()]))
    };
    assert_eq!(check(&|_| {}), Ok(()));
    assert_eq!(set("p", ZAPPED), Err(BadReceipt::Target));
    assert_eq!(set("P", ZAPPED), Err(BadReceipt::Target));
    assert_eq!(set("e", PAYEE), Err(BadReceipt::Target));
    assert_eq!(set("description", "{}"), Err(BadReceipt::Request));
    assert_eq!(set("bolt11", "lnbc1"), Err(BadReceipt::Invoice));
    assert_eq!(push("p", PAYEE), Err(BadReceipt::Target));
    assert_eq!(push("a", "30023:x:y"), Err(BadReceipt::Target));
    assert_eq!(push("bolt11", BOLT11), Err(BadReceipt::Invoice));
    assert_eq!(push("description", REQUEST), Err(BadReceipt::Request));
    assert_eq!(push("preimage", PAYEE), Err(BadReceipt::Preimage));
    assert_eq!(push("preimage", "é"), Err(BadReceipt::Preimage));
    assert_eq!(push("preimage", ""), Ok(()));
    let at = |created_at| zap::check_receipt(&receipt(base.clone(), created_at), &want);
    assert_eq!(
        (at(1_674_164_539 - 600), at(1_674_164_539 - 601)),
        (Ok(()), Err(BadReceipt::Other))
    );
    let other =
        |want: ExpectedReceipt| zap::check_receipt(&receipt(base.clone(), 1_674_164_545), &want);
    assert_eq!(
        other(ExpectedReceipt { nostr_pubkey: PAYEE.into(), ..want.clone() }),
        Err(BadReceipt::Author)
    );
    assert_eq!(other(ExpectedReceipt { msat: 999_999, ..want.clone() }), Err(BadReceipt::Invoice));
    assert_eq!(
        other(ExpectedReceipt { bolt11_payment_hash: ZAPPED.into(), ..want.clone() }),
        Err(BadReceipt::Invoice)
    );
    assert_eq!(
        other(ExpectedReceipt { request_id: ZAPPED.into(), ..want.clone() }),
        Err(BadReceipt::Request)
    );
}

#[test]
fn a_request_says_what_the_server_must_know() {
    let me = identity(1);
    let zapped = ZapTarget {
        event_id: ZAPPED.into(),
        relay: Some("wss://r.example".into()),
        kind: Some(1),
        coordinate: Some("30023:x:y".into()),
    };
    let relays = ["wss://a.example".to_owned(), "wss://b.example".to_owned()];
    let own = me.public_key();
    let event =
        zap::request(&me, &relays, 21_000, "lnurl1x", &own, Some(&zapped), "hi", true, 5).unwrap();
    let expected = json!([
        ["relays", relays[0], relays[1]],
        ["amount", "21000"],
        ["lnurl", "lnurl1x"],
        ["p", own],
        ["e", ZAPPED, "wss://r.example"],
        ["a", "30023:x:y"],
        ["k", "1"],
        ["anon", ""],
    ]);
    assert_eq!(serde_json::to_value(event.tags()).unwrap(), expected);
    assert_eq!(Event::read(event.json()).as_ref(), Ok(&event));
    assert!(zap::request(&me, &[], 21_000, "lnurl1x", &own, None, "", false, 5).is_err());
    assert!(zap::request(&me, &relays, 21_000, "lnurl1x", "nobody", None, "", false, 5).is_err());
}

/// The current time in these tests, in Unix seconds.
const NOW: u64 = 1_000;

/// A proof whose secret is this lock.
fn locked(kind: &str, data: &str, tags: serde_json::Value) -> Proof {
    proof(1, &json!([kind, {"nonce": "n", "data": data, "tags": tags}]).to_string())
}

#[test]
fn a_lock_counts_when_nobody_else_can_open_it() {
    let ours = NutzapKey::from_secret(&identity(1).secret_hex()).unwrap();
    let (x, data) = (ours.public_x().to_owned(), ours.public_compressed());
    let keys = [identity(2).public_key(), x.clone()];
    let with = |tags: serde_json::Value| {
        locked_to(&locked("P2PK", &data, tags).secret, &keys, NOW).map(|opens| opens.key)
    };
    let opens = |coin: &Proof| locked_to(&coin.secret, &keys, NOW).map(|opens| opens.key);
    let other = format!("02{}", identity(3).public_key());
    for tags in [
        json!([]),
        json!(null),
        json!([["e", "x"], ["P", "y"], ["n_sigs", "1"], ["sigflag", "SIG_INPUTS"]]),
        json!([["pubkeys", &data]]),
        json!([["pubkeys"]]),
        json!([["locktime", "1001"]]),
        json!([["locktime", "1001"], ["refund", other], ["n_sigs_refund", "1"]]),
        json!([["refund", other]]),
    ] {
        assert_eq!(with(tags.clone()), Ok(1), "{tags}");
    }
    for tags in [
        json!([["locktime", "1"]]),
        json!([["locktime", "1000"], ["refund", other]]),
        json!([["locktime", "soon"]]),
        json!([["locktime", "1001"], ["locktime", "1"]]),
        json!([["n_sigs", "2"]]),
        json!([["n_sigs", "1"], ["n_sigs", "2"]]),
        json!([["pubkeys", other]]),
        json!([["sigflag", "SIG_ALL"]]),
        json!([[]]),
    ] {
        assert_eq!(with(tags.clone()), Err(BadNutzap::Conditions), "{tags}");
    }
    assert_eq!(with(json!([[1]])), Err(BadNutzap::NotLocked));
    assert_eq!(opens(&locked("HTLC", &data, json!([]))), Err(BadNutzap::NotLocked));
    assert_eq!(opens(&proof(1, "a plain secret")), Err(BadNutzap::NotLocked));
    assert_eq!(opens(&locked("P2PK", &other, json!([]))), Err(BadNutzap::OtherKey));
    assert_eq!(
        opens(&locked("P2PK", &format!("03{x}"), json!([]))),
        Ok(1),
        "a signature knows no difference"
    );
    for wrong in [x.as_str(), "", "02"] {
        assert_eq!(
            opens(&locked("P2PK", wrong, json!([]))),
            Err(BadNutzap::NotLocked),
            "{wrong}: no mint opens it"
        );
    }
    let named = |tags: serde_json::Value| {
        locked_to(&locked("P2PK", &data, tags).secret, &keys, NOW)
            .ok()
            .and_then(|opens| opens.sender)
    };
    assert_eq!(named(json!(nutzap::lock_tags(&x, Some(ZAPPED)))), Some(x.clone()));
    for none in [json!([]), json!([["P", "y"]]), json!([["P", x], ["P", other]]), json!([["P"]])] {
        assert_eq!(named(none.clone()), None, "{none}");
    }
    let twice = format!(r#"["P2PK",{{"nonce":"n","data":"{other}","data":"{data}"}}]"#);
    assert_eq!(opens(&proof(1, &twice)), Err(BadNutzap::NotLocked));
    let bare = format!(r#"["P2PK",{{"nonce":"n","data":"{data}"}}]"#);
    assert_eq!(opens(&proof(1, &bare)), Ok(1));
}

#[test]
fn a_nutzap_is_written_and_read() {
    let (from, me) = (identity(1), identity(2).public_key());
    let mut coin = proof(2, "s");
    coin.dleq = serde_json::from_value(
        json!({"e": "01".repeat(32), "s": "02".repeat(32), "r": "03".repeat(32)}),
    )
    .unwrap();
    let zapped = ZapTarget { event_id: ZAPPED.into(), relay: None, kind: None, coordinate: None };
    let event = nutzap::write(&from, &me, MINT, "sat", &[coin.clone()], "thanks", Some(&zapped), 9)
        .unwrap();
    let read = nutzap::read(&Event::read(event.json()).unwrap(), &me).unwrap();
    assert_eq!(
        (read.mint.as_str(), read.unit.as_str(), read.comment.as_str()),
        (MINT, "sat", "thanks")
    );
    assert_eq!(
        (read.proofs, read.sender, read.event.as_deref()),
        (vec![coin.clone()], from.public_key(), Some(ZAPPED))
    );
    let own = from.public_key();
    let to_self = nutzap::write(&from, &own, MINT, "sat", &[coin.clone()], "", None, 9).unwrap();
    assert!(nutzap::read(&to_self, &own).is_ok());
    assert!(nutzap::write(&from, &me, MINT, "sat", &[], "", None, 9).is_err());
    assert!(nutzap::write(&from, "nobody", MINT, "sat", &[coin.clone()], "", None, 9).is_err());
}

#[test]
fn a_nutzap_that_is_not_plainly_for_us_is_refused() {
    let (from, me) = (identity(1), identity(2).public_key());
    let coin = serde_json::to_string(&proof(2, "s")).unwrap();
    let base: &[&[&str]] = &[&["proof", &coin], &["u", MINT], &["p", &me]];
    let read = |extra: &[&[&str]], without: &str| {
        let lines = base.iter().filter(|tag| tag[0] != without).chain(extra);
        let tags = lines.map(|tag| tag.iter().map(|text| (*text).to_owned()).collect()).collect();
        nutzap::read(
            &from
                .sign(UnsignedEvent { kind: 9321, created_at: 1, tags, content: String::new() })
                .unwrap(),
            &me,
        )
    };
    assert_eq!(read(&[], "").map(|read| read.unit), Ok("sat".to_owned()));
    let twice = read(&[&["proof", &coin], &["proof", "{}"], &["amount", "999"]], "").unwrap();
    assert_eq!(twice.proofs.len(), 1);
    assert_eq!(read(&[&["p", &me]], ""), Err(BadNutzap::Recipient));
    assert_eq!(read(&[&["p"]], ""), Err(BadNutzap::Recipient));
    assert_eq!(read(&[&["p", MINT]], "p"), Err(BadNutzap::Recipient));
    assert_eq!(read(&[], "u"), Err(BadNutzap::Mint));
    assert_eq!(read(&[&["u", "https://other.example"]], ""), Err(BadNutzap::Mint));
    assert_eq!(read(&[&["unit", "sat"], &["unit", "usd"]], ""), Err(BadNutzap::Mint));
    assert_eq!(read(&[], "proof"), Err(BadNutzap::Proofs));
    assert_eq!(read(&[["proof", coin.as_str()].as_slice(); 100], ""), Err(BadNutzap::Proofs));
    let other = from
        .sign(UnsignedEvent { kind: 1, created_at: 1, tags: vec![], content: String::new() })
        .unwrap();
    assert_eq!(nutzap::read(&other, &me), Err(BadNutzap::Kind));
}
