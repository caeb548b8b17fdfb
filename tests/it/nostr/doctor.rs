//! `doctor` looks at a wallet on real relays: how each stands, what the mints say of the coins
//! there, and each of nine things that can be wrong, by its name. It changes nothing. The wallet is
//! closed first: one that runs would mend what is to be found.

use std::sync::Arc;

use cdk_common::nuts::{CurrencyUnit, Token};
use nutpurse::model::secret::Secret;
use nutpurse::nostr::wallet_event::{self, WalletEvent};
use nutpurse::nostr::{Draft, Identity, deletion, quote_event, token_event};
use nutpurse::wallet::clock;
use serde_json::{Value, json};
use testbed::{Lightning, MintOptions, Relay, TestMint};

use super::by_hand::{Press, agreed, event, me, put, token};
use super::{KEY, device, sync};
use crate::world::{Agent, Home, binary, fund, mint, mint_with};

/// A wallet of 100 sats, brought together with its relays, and closed.
struct Scene {
    lightning: Lightning,
    mint: TestMint,
    relays: Vec<Relay>,
    home: Arc<Home>,
}

async fn scene(relays: usize) -> Scene {
    let (lightning, mint) = mint().await;
    let mut all = Vec::new();
    for _ in 0..relays {
        all.push(Relay::start().await.unwrap());
    }
    let urls: Vec<&str> = all.iter().map(Relay::url).collect();
    let agent = device(&mint, &urls, KEY);
    fund(&agent, 100).await;
    agreed(&agent).await;
    let home = agent.close().await;
    Scene { lightning, mint, relays: all, home }
}

pub(super) async fn doctor(home: &Arc<Home>, line: &'static [&'static str]) -> String {
    let home = home.clone();
    tokio::task::spawn_blocking(move || binary::done(&home, line)).await.unwrap()
}

impl Scene {
    fn relay(&self) -> &Relay {
        &self.relays[0]
    }

    /// What it says of the relays. It has sent no event, and holds no key.
    async fn told(&self) -> Value {
        let before: usize = self.relays.iter().map(|relay| relay.frames_of("EVENT")).sum();
        let told = doctor(&self.home, &["doctor", "--json"]).await;
        let after: usize = self.relays.iter().map(|relay| relay.frames_of("EVENT")).sum();
        assert_eq!(after, before, "it writes nothing");
        assert!(
            !told.contains(KEY) && !told.contains("\"secret\"") && !told.contains("nsec"),
            "{told}"
        );
        let told: Value = serde_json::from_str(&told).unwrap();
        println!("{}", told["nostr"]);
        told["nostr"].clone()
    }

    /// The one thing that is wrong, which has this name.
    async fn found(&self, name: &str) -> Value {
        let told = self.told().await;
        let found: Vec<&Value> = told["findings"].as_array().unwrap().iter().collect();
        let [one] = found.as_slice() else { panic!("{name}: {told}") };
        assert_eq!(one["finding"], name, "{told}");
        assert!(one["mend"].as_str().unwrap().len() > 20);
        (*one).clone()
    }

    /// The wallet is opened again, and mends what it can.
    async fn mended(self) -> Self {
        let agent = Agent::reopen(self.home.clone()).await;
        agreed(&agent).await;
        agent.close().await;
        self
    }

    async fn is_well(&self) {
        let told = self.told().await;
        assert_eq!(told["findings"], json!([]), "{told}");
        assert!(
            told["relays"].as_array().unwrap().iter().all(|relay| relay["state"] == "synced"),
            "{told}"
        );
    }
}

#[tokio::test]
async fn nothing_is_wrong_with_a_wallet_that_its_relays_hold() {
    let scene = scene(2).await;
    scene.is_well().await;
    let told = scene.told().await;
    let sums = ["on_relays_sats", "checked_sats", "unchecked_sats", "here_sats"]
        .map(|name| told[name].as_u64().unwrap());
    assert_eq!(sums, [100, 100, 0, 100]);
    let text = doctor(&scene.home, &["doctor"]).await;
    for words in [
        "settings: in order",
        "synced; 1 events",
        "on relays: 100 sats; the mints call 100",
        "Nothing is wrong there.",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    let asked = scene.relay().frames();
    let here = doctor(&scene.home, &["doctor", "--local"]).await;
    assert!(!here.contains("on relays") && scene.relay().frames() == asked, "{here}");
}

#[tokio::test]
async fn nothing_is_wrong_after_two_devices_have_paid_from_each_others_coins() {
    let (lightning, mint) = mint().await;
    let relays = vec![Relay::start().await.unwrap(), Relay::start().await.unwrap()];
    let urls: Vec<&str> = relays.iter().map(Relay::url).collect();
    let (a, b) = (device(&mint, &urls, KEY), device(&mint, &urls, KEY));
    fund(&a, 200).await;
    agreed(&a).await;
    for (agent, sats) in [(&b, 90), (&a, 30), (&b, 11)] {
        sync(agent).await;
        let paid = agent
            .ok(
                "pay",
                json!({"to": lightning.payee("shop").invoice(sats, "tea").unwrap().to_string()}),
            )
            .await;
        assert_eq!(paid["state"], "settled", "{paid}");
        agreed(agent).await;
    }
    agreed(&a).await;
    let newcomer = device(&mint, &urls, KEY);
    agreed(&newcomer).await;
    let mut homes = Vec::new();
    for agent in [a, b, newcomer] {
        homes.push(agent.close().await);
    }
    let mut scene = Scene { lightning, mint, relays, home: homes[0].clone() };
    for home in homes {
        scene.home = home;
        scene.is_well().await;
        assert_eq!(scene.told().await["checked_sats"], scene.mint.auditor().outstanding().unwrap());
    }
}

#[tokio::test]
async fn what_cannot_be_asked_is_said() {
    let scene = scene(2).await;
    scene.relays[1].go_down().await.unwrap();
    let told = scene.told().await;
    assert_eq!(
        (&told["relays"][0]["state"], &told["relays"][1]["state"]),
        (&json!("synced"), &json!("unreachable")),
        "{told}"
    );
    assert_eq!(told["findings"], json!([]));
    scene.relays[0].rule(|rules| rules.mute = true);
    let told = scene.told().await;
    assert_eq!(
        (&told["relays"][0]["state"], &told["findings"]),
        (&json!("partial"), &json!([])),
        "{told}"
    );
}

#[tokio::test]
async fn relays_that_show_different_sets_are_a_partition() {
    let scene = scene(2).await;
    scene.relays[1].rule(|rules| rules.hide_kinds = vec![7375]);
    let found = scene.found("partition").await;
    assert_eq!((&found["relay"], &found["count"]), (&json!(scene.relays[1].url()), &json!(1)));
    assert_eq!(scene.told().await["relays"][1]["state"], "behind");
}

#[tokio::test]
async fn a_live_event_of_spent_coins_is_a_ghost_token() {
    let scene = scene(1).await;
    let coins = Press::of(&scene.mint).bearer(4, 2).await;
    let text =
        Token::new(scene.mint.url().parse().unwrap(), coins.clone(), None, CurrencyUnit::Sat)
            .to_string();
    Agent::open(Home::at(&[(&scene.mint.url(), true)]))
        .await
        .ok("receive_token", json!({"token": text}))
        .await;
    put(scene.relay(), &[token(&me(), &scene.mint.url(), &coins, clock::now())]).await;
    let found = scene.found("ghost token").await;
    assert_eq!((&found["count"], &found["sats"]), (&json!(1), &json!(8)));
    let told = scene.told().await;
    assert_eq!((&told["on_relays_sats"], &told["checked_sats"]), (&json!(108), &json!(100)));
    scene.mended().await.is_well().await;
}

#[tokio::test]
async fn coins_that_no_live_event_holds_are_orphaned() {
    let scene = scene(1).await;
    let live = scene.relay().taken().iter().find(|event| event["kind"] == 7375).unwrap()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    scene.relay().rule(|rules| rules.hide_ids = vec![live]);
    let found = scene.found("orphaned proofs").await;
    assert_eq!(found["sats"], 100);
    // A program that deletes first and loses the rest leaves the same, and nobody here has ever
    // seen its coins.
    scene.relay().rule(|rules| (rules.hide_ids, rules.resurrect) = (Vec::new(), true));
    let lost =
        token(&me(), &scene.mint.url(), &Press::of(&scene.mint).bearer(3, 4).await, clock::now());
    let gone = deletion::write(&me(), &[lost.id().to_owned()], clock::now()).unwrap();
    put(scene.relay(), &[lost, gone]).await;
    assert_eq!(scene.found("orphaned proofs").await["sats"], 12);
    scene.relay().rule(|rules| rules.resurrect = false);
}

#[tokio::test]
async fn an_event_that_replaces_one_that_nobody_has_seen_breaks_the_chain() {
    let scene = scene(1).await;
    let coins = Press::of(&scene.mint).bearer(2, 2).await;
    let missing = "ab".repeat(32);
    let heir = |del: &str| {
        token_event::write(&me(), &scene.mint.url(), "sat", &coins, &[del.to_owned()], clock::now())
            .unwrap()
    };
    put(scene.relay(), &[heir(&missing)]).await;
    let found = scene.found("broken chain of del").await;
    assert_eq!((&found["count"], &found["events"]), (&json!(1), &json!([missing])));
    // A deletion says that it was ended on purpose.
    put(scene.relay(), &[deletion::write(&me(), &[missing], clock::now()).unwrap()]).await;
    scene.is_well().await;
}

#[tokio::test]
async fn wallet_events_with_other_keys_are_a_fork() {
    let scene = scene(2).await;
    let other = WalletEvent {
        privkeys: vec![Identity::random().unwrap().secret_hex()],
        mints: vec![scene.mint.url()],
        relays: Vec::new(),
        others: Vec::new(),
    };
    put(&scene.relays[1], &[wallet_event::write(&me(), &other, clock::now() + 60).unwrap()]).await;
    let found = scene.found("forked wallet event").await;
    assert_eq!(found["count"], 1);
    let told = scene.told().await.to_string();
    assert!(!told.contains(other.privkeys[0].reveal()), "a key is not shown");
}

#[tokio::test]
async fn an_event_that_one_relay_has_deleted_and_another_shows_is_a_deletion_not_propagated() {
    let (lightning, mint) = mint().await;
    let (well, forgetful) = (Relay::start().await.unwrap(), Relay::start().await.unwrap());
    let agent = device(&mint, &[well.url(), forgetful.url()], KEY);
    fund(&agent, 100).await;
    agreed(&agent).await;
    let paid = agent
        .ok("pay", json!({"to": lightning.payee("shop").invoice(10, "tea").unwrap().to_string()}))
        .await;
    assert_eq!(paid["state"], "settled");
    agreed(&agent).await;
    let home = agent.close().await;
    let scene = Scene { lightning, mint, relays: vec![well, forgetful], home };
    scene.is_well().await;
    scene.relays[1].rule(|rules| (rules.resurrect, rules.hide_kinds) = (true, vec![5]));
    let found = scene.found("deletion not propagated").await;
    assert_eq!((&found["relay"], &found["count"]), (&json!(scene.relays[1].url()), &json!(1)));
    assert_eq!(scene.told().await["relays"][1]["state"], "forgets_deletions");
    assert!(scene.lightning.pending().is_empty());
}

#[tokio::test]
async fn a_line_of_the_history_that_no_relay_shows_any_more_is_a_gap() {
    let scene = scene(1).await;
    scene.relay().rule(|rules| rules.hide_kinds = vec![7376]);
    assert_eq!(scene.found("gap in history").await["count"], 1);
    scene.relay().rule(|rules| rules.hide_kinds.clear());
    scene.is_well().await;
}

#[tokio::test]
async fn a_quote_that_is_paid_and_not_claimed_is_in_limbo() {
    let scene = scene(1).await;
    let press = Press::of(&scene.mint);
    let quote = press
        .ask("/v1/mint/quote/bolt11", Some(json!({"amount": 21, "unit": "sat"})))
        .await["quote"]
        .as_str()
        .unwrap()
        .to_owned();
    while press.ask(&format!("/v1/mint/quote/bolt11/{quote}"), None).await["state"] != "PAID" {
        tokio::task::yield_now().await;
    }
    let now = clock::now();
    let said = quote_event::write(
        &me(),
        &Secret::new(quote.clone()),
        None,
        &scene.mint.url(),
        now + 3_600,
        now,
    )
    .unwrap();
    put(scene.relay(), &[said]).await;
    let found = scene.found("quote in limbo").await;
    assert_eq!(found["count"], 1);
    assert!(
        !scene.told().await.to_string().contains(&quote),
        "whoever knows a quote's name may claim it"
    );
}

#[tokio::test]
async fn an_event_of_our_key_that_nobody_can_read_is_malformed() {
    let scene = scene(1).await;
    let (sealed, odd) = ("not sealed".to_owned(), me().seal("{\"mint\": 5}").unwrap());
    put(scene.relay(), &[event(&me(), 7375, &[], &sealed), event(&me(), 7374, &[], &odd)]).await;
    assert_eq!(scene.found("malformed event").await["count"], 2);
    let again = Agent::reopen(scene.home.clone()).await;
    sync(&again).await;
    again.close().await;
    assert_eq!(scene.found("malformed event").await["count"], 2, "they are left as they are");
}

#[tokio::test]
async fn a_deposit_of_this_wallet_that_is_paid_and_not_claimed_is_in_limbo() {
    let (lightning, mint) =
        mint_with(MintOptions { auto_pay: None, ..MintOptions::default() }).await;
    let relay = Relay::start().await.unwrap();
    let agent = device(&mint, &[relay.url()], KEY);
    let deposit = agent.ok("deposit", json!({"amount_sats": 30})).await;
    agreed(&agent).await;
    let home = agent.close().await;
    let told = relay.taken().into_iter().find(|event| event["kind"] == 7374).unwrap();
    let quote = quote_event::read(&me(), &nutpurse::nostr::Event::read(&told.to_string()).unwrap())
        .unwrap();
    let scene = Scene { lightning, mint, relays: vec![relay], home };
    scene.is_well().await;
    scene.lightning.pay(&deposit["bolt11"].as_str().unwrap().parse().unwrap()).unwrap();
    let found = scene.found("quote in limbo").await;
    assert_eq!(
        (&found["count"], &found["sats"], found.get("events")),
        (&json!(1), &json!(30), None),
        "once, though relays were told of it"
    );
    assert!(!scene.told().await.to_string().contains(quote.quote_id.reveal()));
    let agent = Agent::reopen(scene.home.clone()).await;
    agent.ok("get_deposit", json!({"deposit_id": deposit["deposit_id"], "wait_seconds": 30})).await;
    agreed(&agent).await;
    agent.close().await;
    scene.is_well().await;
}

#[tokio::test]
async fn a_relay_that_will_not_take_what_the_wallet_writes_refuses() {
    let (lightning, mint) = mint().await;
    let relays = vec![Relay::start().await.unwrap(), Relay::start().await.unwrap()];
    relays[1].rule(|rules| rules.refuse_with = Some("blocked: who pays here?".to_owned()));
    let agent = device(&mint, &[relays[0].url(), relays[1].url()], KEY);
    fund(&agent, 100).await;
    sync(&agent).await;
    sync(&agent).await;
    let home = agent.close().await;
    let scene = Scene { lightning, mint, relays, home };
    let told = scene.told().await;
    let (takes, refuses) = (&told["relays"][0], &told["relays"][1]);
    assert_eq!(
        (&takes["state"], &takes["refused"], &takes["unpublished"]),
        (&json!("synced"), &json!(0), &json!(0)),
        "{told}"
    );
    assert_eq!(
        (&refuses["state"], &refuses["untrusted_reason"]),
        (&json!("refuses"), &json!("blocked: who pays here?")),
        "{told}"
    );
    assert!(refuses["refused"].as_u64().unwrap() > 0 && refuses["lacks"] == 1, "{told}");
    let text = doctor(&scene.home, &["doctor"]).await;
    assert!(text.contains("refuses (blocked: who pays here?)"), "{text}");
    scene.relays[1].rule(|rules| rules.refuse_with = None);
    scene.mended().await.is_well().await;
}

#[tokio::test]
async fn what_keeps_the_wallet_from_being_written_is_said_with_what_to_do() {
    let (lightning, mint) = mint().await;
    let (ours, theirs) = (Relay::start().await.unwrap(), Relay::start().await.unwrap());
    let wallet = WalletEvent {
        privkeys: vec![Identity::random().unwrap().secret_hex()],
        mints: vec![mint.url()],
        ..WalletEvent::default()
    };
    put(&theirs, &[wallet_event::write(&me(), &wallet, clock::now() - 100).unwrap()]).await;
    put(&ours, &[event(&me(), 10_002, &[&["r", theirs.url()]], "")]).await;
    let mints = [(&*mint.url(), true)];
    let agent =
        Agent::with_nsec(Home::with_relays(&mints, &[ours.url()], &[theirs.url()], ""), KEY);
    assert_eq!(sync(&agent).await["state"], "read_only");
    let home = agent.close().await;
    let scene = Scene { lightning, mint, relays: vec![ours, theirs], home };
    let next = scene.told().await["next_step"].as_str().unwrap_or_default().to_owned();
    assert!(next.contains(scene.relays[1].url()) && next.contains("relays add"), "{next}");
    let text = doctor(&scene.home, &["doctor"]).await;
    assert!(text.contains(&next) && !text.contains("Nothing is wrong there."), "{text}");
    // Once that relay is set, nothing is in the way; and nutzaps that another program has turned
    // off are told.
    scene.home.write_nostr(
        &[(&scene.mint.url(), true)],
        &[scene.relay().url(), scene.relays[1].url()],
        &[],
        "",
    );
    let scene = scene.mended().await;
    assert_eq!(scene.told().await.get("next_step"), None);
    let off = Draft {
        kind: 10_019,
        created_at: clock::now() + 5,
        tags: Vec::new(),
        content: String::new(),
    };
    put(scene.relay(), &[me().sign(off).unwrap()]).await;
    let next = scene.told().await["next_step"].as_str().unwrap_or_default().to_owned();
    assert!(next.contains("nutzaps = false"), "{next}");
}
