//! Whom a zap reaches, which of a recipient's words counts, and what of ours it tells.

use nutpurse::testing::api::view::OpenView;
use nutpurse::testing::nostr::{Identity, UnsignedEvent};
use nutpurse::testing::wallet::core::clock;
use serde_json::{Value, json};
use testbed::{LnurlServer, Relay, Terms, TestMint};

use super::by_hand::{event, me, put};
use super::{KEY, sync, trouble};
use crate::world::{Agent, Home, Settings, fund, has, mint, sats};

/// A wallet with money on a relay, and a person who is elsewhere and takes Lightning as well.
struct Scene {
    mint: TestMint,
    ours: Relay,
    theirs: Relay,
    agent: Agent,
    them: Identity,
    server: LnurlServer,
}

impl Scene {
    /// The wallet's relays are ours, and these.
    async fn with(more: &[&str]) -> Self {
        let (lightning, mint) = mint().await;
        let (ours, theirs) = (Relay::start().await.unwrap(), Relay::start().await.unwrap());
        let server = LnurlServer::start(&lightning).await.unwrap();
        server.set(Terms { zaps: true, ..Terms::default() });
        let relays = std::iter::once(ours.url()).chain(more.iter().copied());
        let home = Home::new(
            &Settings::at([mint.url()]).relays(relays).allow([theirs.url(), &server.url()]),
        )
        .unwrap();
        let agent = Agent::with_nsec(home, KEY);
        fund(&agent, 500).await;
        let scene = Self { mint, ours, theirs, agent, them: Identity::random().unwrap(), server };
        let profile =
            json!({"name": "somebody", "lud16": scene.server.address("somebody")}).to_string();
        scene.says(&scene.ours, 0, 0, &[], &profile).await;
        scene
    }

    /// The person says something, so many seconds ago, which a relay keeps.
    async fn says(&self, relay: &Relay, ago: u64, kind: u16, tags: &[&[&str]], content: &str) {
        let tags =
            tags.iter().map(|tag| tag.iter().map(|text| (*text).to_owned()).collect()).collect();
        let event = self
            .them
            .sign(UnsignedEvent {
                kind,
                created_at: clock::now() - ago,
                tags,
                content: content.to_owned(),
            })
            .unwrap();
        put(relay, &[event]).await;
    }

    /// The person takes nutzaps on their relay, locked to a key.
    async fn takes_nutzaps(&self, relay: &Relay, ago: u64, key: &Identity) {
        let (mint, key) = (self.mint.url(), key.public_key());
        self.says(
            relay,
            ago,
            10_019,
            &[&["relay", self.theirs.url()], &["mint", &mint, "sat"], &["pubkey", &key]],
            "",
        )
        .await;
    }

    fn zap(&self, sats: u64) -> Value {
        json!({"to": self.them.npub(), "amount_sats": sats})
    }
}

/// The nutzaps that a relay has.
fn nutzaps(relay: &Relay) -> Vec<Value> {
    relay.taken().into_iter().filter(|event| event["kind"] == 9321).collect()
}

#[tokio::test]
async fn delivered_means_a_relay_of_theirs() {
    let scene = Scene::with(&[]).await;
    scene.takes_nutzaps(&scene.ours, 0, &Identity::random().unwrap()).await;
    scene.theirs.go_down().await.unwrap();
    let zapped = scene.agent.ok("zap", scene.zap(21)).await;
    has(&zapped, json!({"via": "nutzap", "state": "settled"}));
    assert_eq!(zapped["delivered_to"], json!({"relays": 0, "of": 1}), "{zapped}");
    assert!(
        zapped["next_step"].as_str().unwrap().contains("None of the recipient's relays"),
        "{zapped}"
    );
    let balance = scene.agent.ok("get_balance", json!({})).await;
    assert!(sats(&balance["nostr"], "unpublished") > 0, "{balance}");
    scene.theirs.come_up().await.unwrap();
    sync(&scene.agent).await;
    assert_eq!(nutzaps(&scene.theirs).len(), 1);
    let shown = scene.agent.payment(&zapped["payment_id"]).await;
    assert_eq!(
        (&shown["delivered_to"], shown.get("next_step")),
        (&json!({"relays": 1, "of": 1}), None),
        "{shown}"
    );
}

#[tokio::test]
async fn a_nutzap_that_none_of_their_relays_takes_within_a_month_is_given_up_and_the_owner_is_told()
{
    const DAY: u64 = 86_400;
    let scene = Scene::with(&[]).await;
    scene.takes_nutzaps(&scene.ours, 0, &Identity::random().unwrap()).await;
    scene.theirs.go_down().await.unwrap();
    let zapped = scene.agent.ok("zap", scene.zap(21)).await;
    let payment = json!({"payment_id": zapped["payment_id"]});
    let open = async |agent: &Agent| {
        OpenView::from(agent.wallet().await.recovery().undecided().await.unwrap()).open
    };
    // It is sent again and again, for as long as a month.
    let agent = Agent::at(scene.agent.close().await, || clock::now() + 29 * DAY);
    let told = sync(&agent).await;
    let shown = agent.ok("get_payment", payment.clone()).await;
    assert_eq!(
        (&told["state"], &shown["delivered_to"]),
        (&json!("partial"), &json!({"relays": 0, "of": 1})),
        "{told} {shown}"
    );
    assert_eq!(open(&agent).await, []);
    let home = agent.close().await;
    // While no relay of ours answers, our own network may be the reason.
    scene.ours.go_down().await.unwrap();
    let agent = Agent::at(home, || clock::now() + 31 * DAY);
    sync(&agent).await;
    let shown = agent.ok("get_payment", payment.clone()).await;
    assert!(shown["next_step"].as_str().unwrap().contains("resent automatically"), "{shown}");
    scene.ours.come_up().await.unwrap();
    let told = sync(&agent).await;
    assert_eq!(told["state"], "synced", "nothing waits for ever: {told}");
    let shown = agent.ok("get_payment", payment).await;
    assert_eq!(shown["delivered_to"], json!({"relays": 0, "of": 1, "given_up": true}), "{shown}");
    let next = shown["next_step"].as_str().unwrap();
    assert!(next.contains("only they can use") && next.contains("do not come back"), "{next}");
    assert!(
        shown["token"].as_str().unwrap().starts_with("cashu") && shown.get("reclaimable").is_none(),
        "{shown}"
    );
    let [entry] = open(&agent).await.try_into().unwrap();
    assert_eq!(
        (json!(entry.id), entry.kind, entry.amount_sats),
        (zapped["payment_id"].clone(), "zap", 21),
        "{entry:?}"
    );
    assert!(entry.why.contains("recipient's relays") && entry.reserved_sats.is_none(), "{entry:?}");
    // Given up is given up.
    scene.theirs.come_up().await.unwrap();
    let agent = Agent::at(agent.close().await, || clock::now() + 32 * DAY);
    sync(&agent).await;
    assert!(nutzaps(&scene.theirs).is_empty());
}

#[tokio::test]
async fn a_recipient_comes_before_ten_relays_of_ours_and_their_relay_is_told_who_we_are_unless_we_are_nobody()
 {
    let away: Vec<String> = (1..10).map(|port| format!("ws://127.0.0.1:{port}")).collect();
    let away: Vec<&str> = away.iter().map(String::as_str).collect();
    let scene = Scene::with(&away).await;
    scene.takes_nutzaps(&scene.ours, 0, &Identity::random().unwrap()).await;
    scene.theirs.rule(|rule| rule.demand_name = true);
    let zapped = scene.agent.ok("zap", scene.zap(5)).await;
    has(&zapped, json!({"via": "nutzap", "delivered_to": {"relays": 1, "of": 1}}));
    assert_eq!(scene.theirs.named(), [me().public_key()]);
    let anonymous = json!({"to": scene.them.npub(), "amount_sats": 6, "anonymous": true});
    let zapped = scene.agent.ok("zap", anonymous).await;
    assert_eq!(zapped["delivered_to"], json!({"relays": 0, "of": 1}), "{zapped}");
    assert_eq!(
        scene.theirs.named(),
        [me().public_key()],
        "for what nobody signed, nobody is named"
    );
}

#[tokio::test]
async fn coins_are_locked_to_the_newest_key_and_to_none_while_the_recipients_relays_are_silent() {
    let scene = Scene::with(&[]).await;
    let (old, new) = (Identity::random().unwrap(), Identity::random().unwrap());
    // Our relay keeps what was true last year.
    scene.takes_nutzaps(&scene.ours, 31_536_000, &old).await;
    scene.says(&scene.ours, 0, 10_002, &[&["r", scene.theirs.url(), "write"]], "").await;
    scene.takes_nutzaps(&scene.theirs, 60, &new).await;
    let zapped = scene.agent.ok("zap", scene.zap(7)).await;
    has(&zapped, json!({"via": "nutzap", "delivered_to": {"relays": 1, "of": 1}}));
    let told = nutzaps(&scene.theirs)[0]["tags"].to_string();
    assert!(told.contains(&new.public_key()) && !told.contains(&old.public_key()), "{told}");

    scene.theirs.go_down().await.unwrap();
    let demanded = json!({"to": scene.them.npub(), "amount_sats": 8, "via": "nutzap"});
    let error = scene.agent.refused("zap", demanded, "relay_unreachable").await;
    assert!(error.message.contains("nutzap key may be out of date"), "{error}");
    let zapped = scene.agent.ok("zap", scene.zap(9)).await;
    has(&zapped, json!({"via": "lightning", "state": "settled"}));
    assert_eq!(scene.server.received(), 9);
}

#[tokio::test]
async fn an_anonymous_zap_names_no_relay_of_ours() {
    let scene = Scene::with(&[]).await;
    let anonymous = |sats: u64| json!({"to": scene.them.npub(), "amount_sats": sats, "anonymous": true, "via": "lightning"});
    // Nothing is known of where they read: it is paid without a request, which would have to name
    // some relay.
    let zapped = scene.agent.ok("zap", anonymous(5)).await;
    has(&zapped, json!({"state": "settled", "receipt": "none"}));
    scene.says(&scene.ours, 0, 10_002, &[&["r", scene.theirs.url()]], "").await;
    let zapped = scene.agent.ok("zap", anonymous(6)).await;
    has(&zapped, json!({"state": "settled", "receipt": "found"}));
    let asked: Vec<_> = scene
        .server
        .asked()
        .into_iter()
        .filter(|asked| asked.query.contains_key("amount"))
        .collect();
    assert_eq!(
        asked.iter().map(|asked| asked.query.contains_key("nostr")).collect::<Vec<_>>(),
        [false, true]
    );
    let request: Value = serde_json::from_str(&asked[1].query["nostr"]).unwrap();
    let relays = request["tags"].as_array().unwrap().iter().find(|tag| tag[0] == "relays").unwrap();
    assert_eq!(relays, &json!(["relays", scene.theirs.url()]));
}

#[tokio::test]
async fn people_who_are_followed_recommend_a_mint_and_a_reading_that_fails_takes_nothing_back() {
    let scene = trouble::scene(10).await;
    let friend = Identity::random().unwrap();
    // A list longer than most programs take, with a name that is no key.
    let mut follows = vec![vec!["p".to_owned(), "somebody".to_owned()]];
    follows.extend(std::iter::repeat_n(vec!["p".to_owned(), friend.public_key()], 4_100));
    let list = me()
        .sign(UnsignedEvent {
            kind: 3,
            created_at: clock::now(),
            tags: follows,
            content: String::new(),
        })
        .unwrap();
    let (key, mint) = ("02".to_owned() + &friend.public_key(), scene.mint.url());
    let review = event(
        &friend,
        38_000,
        &[&["d", &key], &["k", "38172"], &["u", &mint, "cashu"]],
        "[5/5] good",
    );
    put(&scene.relay, &[list, review]).await;
    // The first sync may have asked before these were there.
    let agent = Agent::a_day_later(scene.agent.close().await);
    sync(&agent).await;
    let recommended = async |agent: &Agent| {
        agent.ok("list_mints", json!({})).await["mints"][0]["recommended_by"].clone()
    };
    assert_eq!(recommended(&agent).await, 1);
    scene.relay.rule(|rule| rule.never_satisfied = true);
    let agent = Agent::at(agent.close().await, || clock::now() + 2 * 87_000);
    sync(&agent).await;
    assert_eq!(recommended(&agent).await, 1);
}
