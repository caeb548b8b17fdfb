//! What others, or another program with our key, put on relays to harm us: wallet events that leave
//! things out, plaintexts that are no coins, nutzaps that nobody should take, and nutzaps taken
//! before.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use cdk_common::nuts::{KeySetInfo, Proof, Token};
use nutpurse::testing::model::secret::Secret;
use nutpurse::testing::nostr::wallet_event::{self, WalletEvent};
use nutpurse::testing::nostr::{Event, Identity, UnsignedEvent, nutzap, token_event};
use nutpurse::testing::wallet::core::clock;
use serde_json::{Value, json};
use testbed::harness::{Client, Outcome};
use testbed::must;

use super::ground::{Ground, THEM, at};
use crate::scene::Scene;
use crate::table::Proof as Fired;
use crate::trial::Run;
use crate::wallet::Wallet;

/// Somebody who must hear nothing.
struct Canary {
    url: String,
    heard: Arc<AtomicUsize>,
}

impl Canary {
    fn start() -> Outcome<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let url = format!("http://{}", listener.local_addr()?);
        let heard = Arc::new(AtomicUsize::new(0));
        let counting = Arc::clone(&heard);
        // It ends with the program.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                counting.fetch_add(1, Ordering::SeqCst);
                drop(stream);
            }
        });
        Ok(Self { url, heard })
    }

    fn is_silent(&self) -> Outcome {
        let heard = self.heard.load(Ordering::SeqCst);
        must!(heard == 0, "somebody else was contacted {heard} times");
        Ok(())
    }
}

/// What a wallet asked its mint for that could move or betray coins.
fn moves(scene: &Scene) -> usize {
    let is_one = |path: &str| path == "/v1/swap" || path == "/v1/checkstate";
    scene.proxy.count(|exchange| exchange.method == "POST" && is_one(&exchange.path))
}

fn swaps(scene: &Scene) -> usize {
    scene.proxy.count(|exchange| exchange.method == "POST" && exchange.path == "/v1/swap")
}

async fn received(wallet: &Wallet) -> Outcome<usize> {
    let history = wallet.ok("list_history", json!({"kind": "nutzap_received"})).await?;
    Ok(at(&history.value, "/entries").as_array().map_or(0, Vec::len))
}

/// A nutzap that nobody has seen yet: the relay said it took it, and forgot it.
async fn hidden_nutzap(ground: &Ground, sender: &Wallet, to: &str, sats: u64) -> Outcome<Event> {
    let relay = ground.relay()?;
    relay.rule(|rule| rule.forget = true);
    let zap = json!({"to": to, "amount_sats": sats, "comment": ground.scene.name("hidden"), "via": "nutzap"});
    let zapped = sender.ok("zap", zap).await?;
    must!(zapped.text("state") == "settled", "{zapped}");
    let heard = String::from_utf8(relay.heard())?;
    relay.rule(|rule| rule.forget = false);
    let said = heard.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut events =
        said.filter(|said| at(said, "/0") == "EVENT" && at(said, "/1/kind") == nutzap::KIND);
    let event = events.next_back().ok_or("no nutzap was sent")?;
    Ok(Event::read(&at(&event, "/1").to_string())?)
}

/// F-075: an older wallet event is served, and a newer one without mints, relays and with another
/// key.
pub(crate) async fn rolled_back(run: Run) -> Outcome<Fired> {
    let ground = Ground::new(&run, 1).await?;
    let relay = ground.relay()?;
    let wallet = ground.ours(500).await?;
    let sender = ground.wallet(THEM, &[])?;
    sender.fund(500).await?;
    let npub = wallet.npub().await?;
    let old = ground.taken(&[wallet_event::KIND])?.pop().ok_or("no wallet event")?;
    let old_keys = wallet_event::read(&ground.us, &old)?.privkeys;
    must!(!old_keys.is_empty(), "a wallet event without a key");
    let first = hidden_nutzap(&ground, &sender, &npub, 21).await?;

    let other_key = Identity::random()?.secret_hex();
    let empty = WalletEvent { privkeys: vec![other_key.clone()], ..WalletEvent::default() };
    let newer = wallet_event::write(&ground.us, &empty, clock::now() + 100)?;
    ground.post(relay, &newer).await?;
    wallet.sync().await?;
    wallet.restart().await?;
    ground.post(relay, &first).await?;
    wallet.sync().await?;
    must!(received(&wallet).await? == 1, "a nutzap locked to the older key was not taken");
    wallet.sync().await?;
    let newest = ground
        .taken(&[wallet_event::KIND])?
        .into_iter()
        .max_by_key(Event::created_at)
        .ok_or("no wallet event")?;
    let said = wallet_event::read(&ground.us, &newest)?;
    must!(
        old_keys.iter().chain([&other_key]).all(|key| said.privkeys.contains(key)),
        "a key was dropped"
    );
    must!(
        said.mints.contains(&ground.scene.proxy.url()),
        "its mints were dropped: {:?}",
        said.mints
    );

    // The oldest is served again, to this wallet and to one that knows nothing.
    relay.rule(|rule| rule.inject = vec![old.json().to_owned(), newer.json().to_owned()]);
    let second = hidden_nutzap(&ground, &sender, &npub, 22).await?;
    wallet.restart().await?;
    wallet.sync().await?;
    let device = ground.device()?;
    device.sync().await?;
    wallet.close().await?;
    ground.post(relay, &second).await?;
    device.sync().await?;
    must!(received(&device).await? == 1, "a new device did not take a nutzap");
    device.sync().await?;
    let served = relay.frames_of("REQ");
    let newest = ground
        .taken(&[wallet_event::KIND])?
        .into_iter()
        .max_by_key(Event::created_at)
        .ok_or("no wallet event")?;
    let said = wallet_event::read(&ground.us, &newest)?;
    must!(
        old_keys.iter().chain([&other_key]).all(|key| said.privkeys.contains(key)),
        "rolled back: a key was dropped"
    );
    relay.rule(|rule| rule.inject.clear());
    // The sender's coins are the mint's as well.
    for device in [&wallet, &device, &wallet] {
        device.sync().await?;
    }
    ground.scene.conserved().await?;
    Ok(Fired::of(2 + served).saying(format!("{} keys kept", said.privkeys.len())))
}

/// F-076: what is inside of events of our own key is no wallet's writing.
pub(crate) async fn plaintexts(run: Run) -> Outcome<Fired> {
    let ground = Ground::new(&run, 1).await?;
    let (relay, canary) = (ground.relay()?, Canary::start()?);
    let wallet = ground.ours(1_000).await?;
    ground.pays(&wallet, 30).await?;
    wallet.told_all().await?;
    let mint = ground.scene.proxy.url();
    let live = ground.taken(&[token_event::KIND])?;
    let inside = live
        .iter()
        .map(|event| token_event::read(&ground.us, event))
        .collect::<Result<Vec<_>, _>>()?;
    let coins: Vec<&Proof> = inside.iter().flat_map(|token| &token.proofs).collect();
    let secrets: Vec<String> = coins.iter().map(|coin| coin.secret.to_string()).collect();
    let ids: Vec<String> = live.iter().map(|event| event.id().to_owned()).collect();
    let coin = json!(coins.last().ok_or("no coin")?);
    let like = |field: &str, value: Value| {
        let mut like = coin.clone();
        like.as_object_mut().into_iter().for_each(|like| {
            like.insert(
                "secret".to_owned(),
                json!(Identity::random().map_or(String::new(), |key| key.public_key())),
            );
            like.remove("dleq");
            like.insert(field.to_owned(), value.clone());
        });
        like
    };
    let of = |url: &str, proofs: Value, del: Value| {
        json!({"mint": url, "unit": "sat", "proofs": proofs, "del": del}).to_string()
    };
    let nothing = || json!([]);
    let mut plain: Vec<String> =
        [" ", "null", "[]", "{}", "\"text\"", "{\"mint\":1,\"proofs\":{}}", "{\"proofs\":[]}"]
            .map(str::to_owned)
            .to_vec();
    plain.push(format!("{}{}", "[".repeat(20_000), "]".repeat(20_000)));
    for amount in [
        "-5",
        "0",
        "3",
        "1e30",
        "1.5",
        "9223372036854775808",
        "18446744073709551615",
        "18446744073709551616",
        "\"8\"",
        "null",
        "[]",
    ] {
        plain.push(of(&mint, json!([like("amount", serde_json::from_str(amount)?)]), nothing()));
    }
    for (field, value) in [
        ("C", json!("02")),
        ("C", json!("00".repeat(33))),
        ("C", json!(7)),
        ("id", json!("zz")),
        ("id", json!("00ffffffffffffff")),
        ("secret", json!("")),
        ("secret", json!("s".repeat(20_000))),
        ("secret", json!({"a": 1})),
    ] {
        plain.push(of(&mint, json!([like(field, value)]), nothing()));
    }
    let tiny: Vec<Value> = (0..1_500)
        .map(|number| json!({"id": "", "amount": 1, "secret": number.to_string(), "C": ""}))
        .collect();
    plain.push(of(&mint, json!(tiny), nothing()));
    for url in [
        canary.url.as_str(),
        "http://10.0.0.1:3338",
        "http://169.254.169.254",
        "http://[::1]:3338",
        "file:///etc/passwd",
        "",
        "http://",
    ] {
        plain.push(of(url, json!([like("amount", json!(64))]), nothing()));
    }
    plain.push(of(&mint, nothing(), json!(secrets)));
    plain.push(of(&mint, nothing(), json!([1, null, {"a": 1}, "short", "é".repeat(40)])));
    // All that we have is said to be replaced by nothing.
    plain.push(of(&mint, nothing(), json!(ids)));
    let (owed, mut posted) = (ground.scene.owed()?, 0);
    for plain in &plain {
        let content = ground.us.encrypt(plain)?;
        let event = ground.us.sign(UnsignedEvent {
            kind: token_event::KIND,
            created_at: clock::now(),
            tags: Vec::new(),
            content,
        })?;
        ground.post(relay, &event).await?;
        posted += 1;
    }
    for content in ["", "no seal", &"A".repeat(70_000)] {
        let event = ground.us.sign(UnsignedEvent {
            kind: token_event::KIND,
            created_at: clock::now(),
            tags: Vec::new(),
            content: content.to_owned(),
        })?;
        ground.post(relay, &event).await?;
        posted += 1;
    }
    for _ in 0..2 {
        let told = wallet.sync().await?;
        let held = ground.scene.settled().await?;
        must!(held.spendable == owed, "{held:?} of {owed}: {told}");
        wallet.restart().await?;
    }
    let found = ground.newcomer().await?;
    must!(found == owed, "a new device finds {found} of {owed}");
    ground.pays(&wallet, 900).await?;
    wallet.sync().await?;
    let (found, owed) = (ground.newcomer().await?, ground.scene.owed()?);
    must!(found == owed, "later a new device finds {found} of {owed}");
    canary.is_silent()?;
    let log = std::fs::read_to_string(wallet.log_path())?;
    must!(!log.contains("panicked"), "it panicked: {}", wallet.last_words());
    ground.scene.conserved().await?;

    // A coin that the mint would know by its looks stands among ours, which no event holds but
    // this: a device that must claim them can.
    wallet.told_all().await?;
    let live = ground.taken(&[token_event::KIND])?;
    let (mut proofs, ids): (Vec<Proof>, Vec<String>) =
        (Vec::new(), live.iter().map(|event| event.id().to_owned()).collect());
    for token in live.iter().flat_map(|event| token_event::read(&ground.us, event)) {
        let news = token
            .proofs
            .into_iter()
            .filter(|proof| proofs.iter().all(|known| known.secret != proof.secret))
            .collect::<Vec<_>>();
        proofs.extend(news);
    }
    let bad: Proof = serde_json::from_value(like("amount", json!(32)))?;
    proofs.insert(proofs.len() / 2, bad);
    let event = token_event::write(&ground.us, &mint, "sat", &proofs, &ids, clock::now() + 60)?;
    ground.post(relay, &event).await?;
    let device = ground.device()?;
    device.sync().await?;
    ground.pays(&device, 40).await?;
    Ok(Fired::of(posted + 1))
}

/// F-077: nutzaps that only look like ones for us.
pub(crate) async fn nutzaps(run: Run) -> Outcome<Fired> {
    let ground = Ground::new(&run, 1).await?;
    let (scene, relay, canary) = (&ground.scene, ground.relay()?, Canary::start()?);
    let wallet = ground.ours(300).await?;
    let sender = ground.wallet(THEM, &[])?;
    sender.fund(500).await?;
    let npub = wallet.npub().await?;
    let genuine = hidden_nutzap(&ground, &sender, &npub, 21).await?;
    let me = ground.us.public_key();
    let read = nutzap::read(&genuine, &me)?;
    let coin = read.proofs.first().ok_or("no coin")?;
    let coin_json = json!(coin);
    let lock: Value = serde_json::from_str(&coin.secret.to_string())?;
    let stranger = Identity::random()?;
    let event = |mint: &str, unit: &str, coins: &[Value], to: &[&str]| -> Outcome<Event> {
        let mut tags: Vec<Vec<String>> =
            coins.iter().map(|coin| vec!["proof".to_owned(), coin.to_string()]).collect();
        tags.push(vec!["unit".to_owned(), unit.to_owned()]);
        tags.push(vec!["u".to_owned(), mint.to_owned()]);
        tags.extend(to.iter().map(|to| vec!["p".to_owned(), (*to).to_owned()]));
        Ok(stranger.sign(UnsignedEvent {
            kind: nutzap::KIND,
            created_at: clock::now(),
            tags,
            content: "a gift".to_owned(),
        })?)
    };
    let with = |field: &str, value: Value| {
        let mut coin = coin_json.clone();
        coin.as_object_mut()
            .into_iter()
            .for_each(|coin| drop(coin.insert(field.to_owned(), value.clone())));
        coin
    };
    let locked = |kind: &str, data: &str, tags: Value| {
        with(
            "secret",
            json!(
                json!([kind, {"nonce": stranger.public_key(), "data": data, "tags": tags}])
                    .to_string()
            ),
        )
    };
    let ours = at(&lock, "/1/data").as_str().ok_or("no lock")?.to_owned();
    let x = ours.get(2..).ok_or("short")?;
    let theirs = format!("02{}", stranger.public_key());
    let mut bad_dleq = coin_json.clone();
    if let Some(dleq) = bad_dleq.pointer_mut("/dleq").and_then(Value::as_object_mut) {
        let (e, s) = (
            dleq.get("e").cloned().unwrap_or_default(),
            dleq.get("s").cloned().unwrap_or_default(),
        );
        dleq.insert("e".to_owned(), s);
        dleq.insert("s".to_owned(), e);
    }
    let mint = scene.proxy.url();
    let far = clock::now() + 1_000_000;
    let one = |coin: Value| event(&mint, "sat", &[coin], &[&me]);
    let hostile = vec![
        one(with("secret", json!(stranger.public_key())))?,
        one(with("secret", json!("")))?,
        one(locked("P2PK", &theirs, json!([])))?,
        one(locked("P2PK", &format!("03{x}"), json!([])))?,
        one(locked("P2PK", x, json!([])))?,
        one(locked("P2PK", &ours, json!([["locktime", far.to_string()], ["refund", theirs]])))?,
        one(locked("P2PK", &ours, json!([["locktime", "1"], ["refund", theirs]])))?,
        one(locked("P2PK", &ours, json!([["n_sigs", "2"], ["pubkeys", theirs]])))?,
        one(locked("P2PK", &ours, json!([["pubkeys", theirs]])))?,
        one(locked("HTLC", &"ab".repeat(32), json!([["pubkeys", ours]])))?,
        one(bad_dleq)?,
        one(with("amount", json!(1_u64 << 40)))?,
        one(with("amount", json!(-1)))?,
        one(with("id", json!("00ffffffffffffff")))?,
        event(&mint, "usd", std::slice::from_ref(&coin_json), &[&me])?,
        event(&mint, "sat", std::slice::from_ref(&coin_json), &[&me, &stranger.public_key()])?,
        event(&mint, "sat", std::slice::from_ref(&coin_json), &[&stranger.public_key(), &me])?,
        event(&mint, "sat", &[], &[&me])?,
        event(&mint, "sat", &vec![coin_json.clone(); 300], &[&me])?,
        event(&canary.url, "sat", std::slice::from_ref(&coin_json), &[&me])?,
        event("http://10.0.0.1:3338", "sat", std::slice::from_ref(&coin_json), &[&me])?,
        event("file:///etc/passwd", "sat", std::slice::from_ref(&coin_json), &[&me])?,
    ];
    let (before, swapped, count) = (wallet.holds().await?, swaps(scene), hostile.len());
    for event in &hostile {
        ground.post(relay, event).await?;
    }
    for _ in 0..2 {
        wallet.sync().await?;
        must!(
            wallet.holds().await? == before && received(&wallet).await? == 0,
            "one was credited: {:?}",
            wallet.holds().await?
        );
        wallet.restart().await?;
    }
    must!(swaps(scene) == swapped, "the mint was asked to swap {} times", swaps(scene) - swapped);
    canary.is_silent()?;
    // The genuine one, and its coins once more by somebody else: taken once.
    let copies: Vec<Value> = read.proofs.iter().map(|proof| json!(proof)).collect();
    let copy = event(&mint, "sat", &copies, &[&me])?;
    let part = event(&mint, "sat", &[coin_json], &[&me])?;
    ground.post(relay, &copy).await?;
    ground.post(relay, &genuine).await?;
    wallet.sync().await?;
    ground.post(relay, &part).await?;
    wallet.sync().await?;
    wallet.restart().await?;
    wallet.sync().await?;
    must!(received(&wallet).await? == 1, "its coins were taken {} times", received(&wallet).await?);
    let tried = swaps(scene) - swapped;
    must!(tried == 1, "the mint was asked to swap {tried} times for one nutzap");
    // Some programs lock to the Nostr key itself: that opens for us, once.
    let token =
        sender.ok("send_token", json!({"amount_sats": 32, "lock_to": format!("02{me}")})).await?;
    let coins = coins_of(scene, token.text("token"))?;
    let main = nutzap::write(&stranger, &me, &mint, "sat", &coins, "", None, clock::now())?;
    ground.post(relay, &main).await?;
    for _ in 0..2 {
        wallet.sync().await?;
    }
    must!(received(&wallet).await? <= 2, "taken twice");
    scene.conserved().await?;
    canary.is_silent()?;
    Ok(Fired::of(count + 3).saying(format!(
        "{count} hostile ones; locked to the Nostr key: {} taken",
        received(&wallet).await? - 1
    )))
}

/// The coins of a token, by the mint's keysets that went through the proxy.
fn coins_of(scene: &Scene, token: &str) -> Outcome<Vec<Proof>> {
    let exchanges = scene.proxy.exchanges();
    let listed = exchanges.iter().rev().find_map(|exchange| {
        exchange.response.get("keysets").filter(|_| exchange.path == "/v1/keysets")
    });
    let keysets: Vec<KeySetInfo> =
        serde_json::from_value(listed.ok_or("no keysets were asked for")?.clone())?;
    Ok(token.parse::<Token>()?.proofs(&keysets)?)
}

/// F-078: a nutzap that was taken comes again after a restart, 8 days later, by another event: the
/// mint is not asked.
pub(crate) async fn replayed(run: Run) -> Outcome<Fired> {
    let ground = Ground::new(&run, 2).await?;
    let scene = &ground.scene;
    let wallet = ground.ours(300).await?;
    let sender = ground.wallet(THEM, &[])?;
    sender.fund(500).await?;
    let npub = wallet.npub().await?;
    let first = hidden_nutzap(&ground, &sender, &npub, 21).await?;
    ground.post(ground.relay()?, &first).await?;
    wallet.told_all().await?;
    must!(received(&wallet).await? == 1, "not taken");
    sender.look_at_tokens().await?;
    sender.close().await?;
    let read = nutzap::read(&first, &ground.us.public_key())?;
    let copy = nutzap::write(
        &Identity::from_nsec(&Secret::new(THEM))?,
        &ground.us.public_key(),
        &read.mint,
        "sat",
        &read.proofs,
        "",
        None,
        clock::now(),
    )?;
    let mut fired = 0;
    for (round, seconds) in [0, 60, 8 * 86_400, 400 * 86_400].into_iter().enumerate() {
        wallet.restart_after(seconds).await?;
        wallet.sync().await?;
        let (before, held) = (moves(scene), wallet.holds().await?);
        for relay in &ground.relays {
            relay.rule(|rule| {
                rule.inject =
                    vec![first.json().to_owned(), copy.json().to_owned(), first.json().to_owned()]
            });
        }
        wallet.sync().await?;
        wallet.sync().await?;
        let asked = moves(scene) - before;
        // The copy is a new event once: its coins are known.
        must!(asked == 0, "round {round}, {seconds} s later: the mint was asked {asked} times");
        must!(
            wallet.holds().await? == held && received(&wallet).await? == 1,
            "round {round}: taken again"
        );
        fired += 2 * 2 * 3;
    }
    for relay in &ground.relays {
        relay.rule(|rule| rule.inject.clear());
    }
    scene.settled().await?;
    Ok(Fired::of(fired))
}
