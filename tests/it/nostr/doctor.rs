//! `doctor` looks at a wallet on real relays: how each stands, and what the mints say of the coins
//! there (what it finds wrong is in `findings`). It changes nothing. The wallet is closed first:
//! one that runs would mend what is to be found.

use std::sync::Arc;

use nutpurse::testing::nostr::wallet_event::{self, WalletEvent};
use nutpurse::testing::nostr::{Identity, UnsignedEvent};
use nutpurse::testing::wallet::core::clock;
use serde_json::{Value, json};
use testbed::{Lightning, Relay, TestMint};

use super::by_hand::{agreed, event, me, put};
use super::{KEY, device, sync};
use crate::world::{Agent, Home, Settings, binary, fund, has_for, mint};

/// A wallet of 100 sats, brought together with its relays, and closed.
pub(super) struct Scene {
    pub(super) lightning: Lightning,
    pub(super) mint: TestMint,
    pub(super) relays: Vec<Relay>,
    pub(super) home: Arc<Home>,
}

pub(super) async fn scene(relays: usize) -> Scene {
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
    pub(super) fn relay(&self) -> &Relay {
        &self.relays[0]
    }

    /// What it says of the relays. It has sent no event, and holds no key.
    pub(super) async fn told(&self) -> Value {
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
    pub(super) async fn found(&self, name: &str) -> Value {
        let told = self.told().await;
        let found: Vec<&Value> = told["findings"].as_array().unwrap().iter().collect();
        let [one] = found.as_slice() else { panic!("{name}: {told}") };
        assert_eq!(one["finding"], name, "{told}");
        assert!(one["mend"].as_str().unwrap().len() > 20);
        (*one).clone()
    }

    /// The wallet is opened again, and mends what it can.
    pub(super) async fn mended(self) -> Self {
        let agent = Agent::reopen(self.home.clone());
        agreed(&agent).await;
        agent.close().await;
        self
    }

    pub(super) async fn is_well(&self) {
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
    has_for(&told, takes, json!({"state": "synced", "refused": 0, "unpublished": 0}));
    has_for(
        &told,
        refuses,
        json!({"state": "refuses", "untrusted_reason": "blocked: who pays here?"}),
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
    let settings = Settings::at([mint.url()]).relays([ours.url()]).allow([theirs.url()]);
    let agent = Agent::with_nsec(Home::new(&settings).unwrap(), KEY);
    assert_eq!(sync(&agent).await["state"], "read_only");
    let home = agent.close().await;
    let scene = Scene { lightning, mint, relays: vec![ours, theirs], home };
    let next = scene.told().await["next_step"].as_str().unwrap_or_default().to_owned();
    assert!(next.contains(scene.relays[1].url()) && next.contains("relays add"), "{next}");
    let text = doctor(&scene.home, &["doctor"]).await;
    assert!(text.contains(&next) && !text.contains("Nothing is wrong there."), "{text}");
    // Once that relay is set, nothing is in the way; and nutzaps that another program has turned
    // off are told.
    scene
        .home
        .configure(
            &Settings::at([scene.mint.url()]).relays([scene.relay().url(), scene.relays[1].url()]),
        )
        .unwrap();
    let scene = scene.mended().await;
    assert_eq!(scene.told().await.get("next_step"), None);
    let off = UnsignedEvent {
        kind: 10_019,
        created_at: clock::now() + 5,
        tags: Vec::new(),
        content: String::new(),
    };
    put(scene.relay(), &[me().sign(off).unwrap()]).await;
    let next = scene.told().await["next_step"].as_str().unwrap_or_default().to_owned();
    assert!(next.contains("nutzaps = false"), "{next}");
}
