//! What the wallet says of itself on relays. Its public list (kind 10019) names only what it can
//! take in, and it publishes and asks for no more than it needs. Its keys are in `keys`.

use cdk_common::secret::Secret as CoinSecret;
use nutpurse::testing::nostr::wallet_event::{self, WalletEvent};
use nutpurse::testing::nostr::{Event, Identity, UnsignedEvent};
use nutpurse::testing::wallet::core::clock;
use serde_json::{Value, json};
use testbed::{Relay, TestMint, Veil};

use super::by_hand::{self, Press, agreed, me, put, token};
use super::{KEY, device, spendable, sync};
use crate::world::{Agent, Home, Settings, mint};

/// A relay that nobody has told the wallet of, and that it may not reach.
pub(super) const ELSEWHERE: &str = "ws://127.0.0.1:9";

/// What a relay keeps of a kind: the newest that it has taken.
pub(super) fn newest(relay: &Relay, kind: u64) -> Event {
    let all = relay.taken().into_iter().filter(|event| event["kind"] == kind);
    Event::read(&all.max_by_key(|event| event["created_at"].as_u64()).unwrap().to_string()).unwrap()
}

pub(super) fn count(relay: &Relay, kinds: &[u64]) -> usize {
    relay.taken().iter().filter(|event| kinds.iter().any(|kind| event["kind"] == *kind)).count()
}

pub(super) fn keys(relay: &Relay, kind: u64) -> Vec<String> {
    let read = wallet_event::read(&me(), &newest(relay, kind)).unwrap();
    read.privkeys.iter().map(|key| key.reveal().to_owned()).collect()
}

/// The values of a tag on the public list.
pub(super) fn listed(relay: &Relay, name: &str) -> Vec<String> {
    newest(relay, 10_019).tag_values(name).map(str::to_owned).collect()
}

/// A public list of the devices' key, as another program would write it, so many seconds from now.
pub(super) fn list(tags: &[[&str; 2]], later: u64) -> Event {
    let tags = tags.iter().map(|tag| tag.iter().map(|text| (*text).to_owned()).collect()).collect();
    me().sign(UnsignedEvent {
        kind: 10_019,
        created_at: clock::now() + later,
        tags,
        content: String::new(),
    })
    .unwrap()
}

/// The wallet of a closed home, opened with these mints and relays.
pub(super) async fn opened(
    home: std::sync::Arc<Home>,
    mints: &[&TestMint],
    relays: &[&Relay],
    more: &str,
) -> Agent {
    let relays = relays.iter().map(|relay| relay.url());
    let settings = Settings::at(mints.iter().map(|mint| mint.url())).relays(relays).more(more);
    home.set(&settings).unwrap();
    Agent::two_minutes_later(home)
}

#[tokio::test]
async fn the_key_we_publish_can_be_locked_to_as_it_stands() {
    let (_lightning, mint) = mint().await;
    let relay = Relay::start().await.unwrap();
    let agent = device(&mint, &[relay.url()], KEY);
    agreed(&agent).await;
    let [text] = listed(&relay, "pubkey").try_into().unwrap();
    let lock =
        json!(["P2PK", {"nonce": CoinSecret::generate().to_string(), "data": text, "tags": []}])
            .to_string();
    let coins = Press::of(&mint).coins(&[(8, lock)]).await;
    let (proof, to) = (serde_json::to_string(&coins[0]).unwrap(), me().public_key());
    let tags: [&[&str]; 4] =
        [&["proof", &proof], &["u", &mint.url()], &["p", &to], &["unit", "sat"]];
    put(&relay, &[by_hand::event(&Identity::random().unwrap(), 9_321, &tags, "hello")]).await;
    sync(&agent).await;
    assert_eq!(spendable(&agent).await, 7, "less the mint's fee");
}

#[tokio::test]
async fn a_list_whose_key_cannot_be_locked_to_is_written_anew_once() {
    let (_lightning, mint) = mint().await;
    let relay = Relay::start().await.unwrap();
    let agent = device(&mint, &[relay.url()], KEY);
    agreed(&agent).await;
    let [text] = listed(&relay, "pubkey").try_into().unwrap();
    let bare = &text[text.len() - 64..];
    put(&relay, &[list(&[["relay", relay.url()], ["mint", &mint.url()], ["pubkey", bare]], 5)])
        .await;
    let before = count(&relay, &[10_019]);
    for _ in 0..3 {
        sync(&agent).await;
    }
    assert_eq!(
        (count(&relay, &[10_019]) - before, listed(&relay, "pubkey")),
        (1, vec![format!("02{bare}")])
    );
    // One that names the odd half can be locked to, and stays.
    put(
        &relay,
        &[list(
            &[["relay", relay.url()], ["mint", &mint.url()], ["pubkey", &format!("03{bare}")]],
            20,
        )],
    )
    .await;
    for _ in 0..2 {
        sync(&agent).await;
    }
    assert_eq!(listed(&relay, "pubkey"), [format!("03{bare}")]);
}

#[tokio::test]
async fn a_mint_taken_off_the_list_is_taken_off_10019() {
    let ((_one, stays), (_two, goes)) = (mint().await, mint().await);
    let (relay, away) = (Relay::start().await.unwrap(), Relay::start().await.unwrap());
    let agent = device(&stays, &[relay.url()], KEY);
    agent.wallet().await;
    let agent = opened(agent.close().await, &[&stays, &goes], &[&relay, &away], "").await;
    agreed(&agent).await;
    let [text] = listed(&relay, "pubkey").try_into().unwrap();
    // Another program adds a relay of its own.
    let theirs = [
        ["relay", relay.url()],
        ["relay", away.url()],
        ["relay", ELSEWHERE],
        ["mint", &stays.url()],
        ["mint", &goes.url()],
        ["pubkey", &text],
    ];
    put(&relay, &[list(&theirs, 200)]).await;
    agreed(&agent).await;
    let before = count(&relay, &[10_019]);
    let agent = opened(agent.close().await, &[&stays], &[&relay], "").await;
    for _ in 0..3 {
        let told = sync(&agent).await;
        assert_eq!(told["state"], "synced", "its own earlier test mint is no stranger's: {told}");
    }
    assert_eq!(
        (listed(&relay, "mint"), listed(&relay, "relay")),
        (vec![stays.url()], vec![relay.url().to_owned(), ELSEWHERE.to_owned()])
    );
    assert_eq!(count(&relay, &[10_019]), before + 1, "what was taken back is written once");
}

#[tokio::test]
async fn two_devices_that_list_different_mints_leave_each_others_list_alone() {
    let ((_one, both), (_two, first)) = (mint().await, mint().await);
    let relay = Relay::start().await.unwrap();
    let (a, b) = (device(&both, &[relay.url()], KEY), device(&both, &[relay.url()], KEY));
    a.wallet().await;
    let mut a = opened(a.close().await, &[&both, &first], &[&relay], "").await;
    async fn rounds(relay: &Relay, a: &Agent, b: &Agent) -> (usize, Vec<String>) {
        for _ in 0..2 {
            sync(a).await;
            sync(b).await;
        }
        let settled = count(relay, &[10_019, 17_375]);
        for _ in 0..3 {
            assert_eq!(
                (&sync(a).await["state"], &sync(b).await["state"]),
                (&json!("synced"), &json!("synced"))
            );
        }
        assert_eq!(count(relay, &[10_019, 17_375]), settled, "nothing is written to and fro");
        (settled, listed(relay, "mint"))
    }
    assert_eq!(rounds(&relay, &a, &b).await.1, [both.url(), first.url()]);
    // The other device lists it as well now, and then only the other one does.
    let mut b = opened(b.close().await, &[&both, &first], &[&relay], "").await;
    assert_eq!(rounds(&relay, &a, &b).await.1, [both.url(), first.url()]);
    a = opened(a.close().await, &[&both], &[&relay], "").await;
    assert_eq!(
        rounds(&relay, &a, &b).await.1,
        [both.url(), first.url()],
        "it can be paid to the other device"
    );
    b = opened(b.close().await, &[&both], &[&relay], "").await;
    let (written, mints) = rounds(&relay, &a, &b).await;
    assert_eq!(mints, [both.url()]);
    println!("{written} events in all");
}

#[tokio::test]
async fn nutzaps_that_were_turned_off_elsewhere_stay_off_until_the_owner_turns_them_on() {
    let (_lightning, mint) = mint().await;
    let relay = Relay::start().await.unwrap();
    let agent = device(&mint, &[relay.url()], KEY);
    agreed(&agent).await;
    put(&relay, &[list(&[], 5)]).await;
    for _ in 0..2 {
        let told = sync(&agent).await;
        assert!(
            told["state"] == "synced"
                && told["next_step"].as_str().unwrap().contains("nutzaps = false"),
            "{told}"
        );
    }
    assert_eq!((count(&relay, &[10_019]), listed(&relay, "mint")), (2, vec![]));
    // Off here as well, and on again.
    let agent = opened(agent.close().await, &[&mint], &[&relay], "nutzaps = false").await;
    sync(&agent).await;
    assert_eq!(count(&relay, &[10_019]), 2);
    let agent = opened(agent.close().await, &[&mint], &[&relay], "").await;
    let told = agreed(&agent).await;
    assert_eq!(
        (told.get("next_step"), listed(&relay, "mint"), listed(&relay, "pubkey").len()),
        (None, vec![mint.url()], 1)
    );
    // Who turns them off here takes back what this wallet has listed.
    let agent = opened(agent.close().await, &[&mint], &[&relay], "nutzaps = false").await;
    agreed(&agent).await;
    assert_eq!(
        (listed(&relay, "mint"), listed(&relay, "relay"), listed(&relay, "pubkey")),
        (vec![], vec![], vec![])
    );
}

#[tokio::test]
async fn the_list_of_mints_names_nobody_and_no_more_is_asked_for_than_is_ours() {
    let (_lightning, mint) = mint().await;
    let relay = Relay::start().await.unwrap();
    let agent = device(&mint, &[relay.url()], KEY);
    agreed(&agent).await;
    let me = me().public_key();
    let lists: Vec<Value> = relay
        .taken()
        .into_iter()
        .filter(|event| event["kind"] == 30_078 && event["pubkey"] != json!(me))
        .collect();
    assert_eq!(lists.len(), 1, "{lists:?}");
    let list_key = lists[0]["pubkey"].as_str().unwrap();
    for line in String::from_utf8(relay.heard())
        .unwrap()
        .lines()
        .filter(|line| line.starts_with("[\"REQ\""))
    {
        assert!(!(line.contains(&me) && line.contains(list_key)), "{line}");
        let filter = serde_json::from_str::<Value>(line).unwrap()[2].clone();
        let asks_data =
            filter["kinds"].as_array().is_some_and(|kinds| kinds.contains(&json!(30_078)));
        assert!(
            !asks_data || filter["#d"].as_array().is_some_and(|names| !names.is_empty()),
            "{line}"
        );
    }
    // A relay that insists on a name is told ours, and never hears of the list.
    let strict = Relay::start().await.unwrap();
    strict.rule(|rule| rule.demand_name = true);
    let agent = device(&mint, &[strict.url()], KEY);
    agreed(&agent).await;
    assert!(
        strict.taken().iter().all(|event| event["pubkey"] == json!(me))
            && strict.named().iter().all(|name| *name == me)
    );
    assert_eq!(count(&strict, &[30_078]), 1, "the devices, which are sealed");
}

#[tokio::test]
async fn a_relay_that_shows_nothing_to_whom_it_does_not_know_is_told_who_we_are_before_it_is_written()
 {
    let (_lightning, mint) = mint().await;
    for veil in [Veil::Confirms, Veil::Silent, Veil::Refuses] {
        let relay = Relay::start().await.unwrap();
        let key = Identity::random().unwrap().secret_hex();
        let told = WalletEvent {
            privkeys: vec![key.clone()],
            mints: vec![mint.url()],
            ..WalletEvent::default()
        };
        let coins = Press::of(&mint).bearer(2, 8).await;
        let wallet = wallet_event::write(&me(), &told, clock::now() - 50).unwrap();
        put(&relay, &[wallet, token(&me(), &mint.url(), &coins, clock::now() - 9)]).await;
        relay.rule(|rule| rule.veil = Some(veil));
        let agent = device(&mint, &[relay.url()], KEY);
        let told = sync(&agent).await;
        if veil == Veil::Refuses {
            assert_eq!(
                (&told["state"], count(&relay, &[17_375, 375, 10_019])),
                (&json!("partial"), 1),
                "what it hides is not known: {told}"
            );
            continue;
        }
        agreed(&agent).await;
        assert_eq!(
            (keys(&relay, 17_375), spendable(&agent).await),
            (vec![key.reveal().to_owned()], 16),
            "{veil:?}"
        );
        // The list of mints names nobody, and so it is not read there.
        assert!(
            !relay.named().is_empty()
                && relay.named().iter().all(|name| *name == me().public_key()),
            "{:?}",
            relay.named()
        );
    }
}
