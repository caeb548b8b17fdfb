//! The copy of our coins on relays: killed while it is made, forgotten, refused, shown again,
//! hidden, forged, late.

use std::sync::Arc;

use nutpurse::testing::nostr::{Event, Identity, deletion, token_event};
use rand::seq::SliceRandom;
use serde_json::{Value, json};
use testbed::harness::{Client, Outcome};
use testbed::must;
use testbed::{Around, Moment, Rule};

use super::ground::{Ground, at, comes};
use crate::table::Proof;
use crate::trial::Run;
use crate::wallet::Wallet;

const SIDES: [Around; 3] = [Around::BeforeStored, Around::BeforeTold, Around::AfterTold];

/// F-005: killed around each event that a payment makes, and around each of the mint's answers; one
/// device, and another that spends what the first has put there.
pub(crate) async fn killed(run: Run) -> Outcome<Proof> {
    let ground = Ground::new(&run, run.pick(2, 1)).await?;
    let (scene, relay) = (&ground.scene, ground.relay()?);
    let wallet = ground.ours(20_000).await?;
    let other = ground.device()?;
    other.sync().await?;
    let (mut kills, mut sats) = (0, 20);
    for turn in 0..run.pick(4, 1) {
        // Newer devices have made the coins their own meanwhile: whoever pays next has to know of it.
        other.sync().await?;
        for kind in [7375, 5, 7376] {
            for around in SIDES {
                let by_other = turn % 2 == 1;
                let payer = if by_other { &other } else { &wallet };
                let before = relay.sprung();
                relay.trap(kind, around, payer.killer().await?);
                sats += 1;
                let told = payer.call("pay", json!({"to": scene.invoice(sats)?.0})).await?;
                let what = format!("turn {turn}, kind {kind}, {around:?}");
                let answer = |error| format!("{error}; the payment was answered {told:?}");
                comes(&what, || relay.sprung() > before).await.map_err(answer)?;
                kills += 1;
                payer.restart().await?;
                ground
                    .converge(&wallet, &other)
                    .await
                    .map_err(|error| format!("{what}: {error}"))?;
            }
        }
        // The other device makes the coins its own by a swap first.
        for path in ["/v1/melt/bolt11", "/v1/swap"] {
            for moment in [Moment::BeforeRequest, Moment::AfterMint, Moment::AfterAnswer] {
                // One that has nothing of its own yet.
                let newest = ground.device()?;
                newest.sync().await?;
                let payer = if path == "/v1/swap" { &newest } else { &wallet };
                let rule =
                    scene.proxy.fail(Rule::new("POST", path, moment).then(payer.killer().await?));
                sats += 1;
                let told = payer.call("pay", json!({"to": scene.invoice(sats)?.0})).await?;
                let what = format!("turn {turn}, {path}, {moment:?}");
                let answer = |error| format!("{error}; the payment was answered {told:?}");
                comes(&what, || scene.proxy.fired(rule) > 0).await.map_err(answer)?;
                kills += 1;
                scene.proxy.clear();
                payer.restart().await?;
                ground
                    .converge(&wallet, &newest)
                    .await
                    .map_err(|error| format!("{what}: {error}"))?;
                newest.close().await?;
            }
        }
    }
    other.close().await?;
    ground.agree(&wallet, 0).await?;
    Ok(Proof::of(kills).saying(format!("{} events of coins", ground.taken(&[7375])?.len())))
}

/// F-070: one relay forgets all that it takes, then both do.
pub(crate) async fn forgetful(run: Run) -> Outcome<Proof> {
    let ground = Ground::new(&run, 2).await?;
    let [first, second] = ground.relays.as_slice() else { return Err("two relays".into()) };
    first.rule(|rule| rule.forget = true);
    let wallet = ground.ours(2_000).await?;
    ground.pays(&wallet, 30).await?;
    let told = wallet.sync().await?;
    must!(told.text("state") != "synced", "a relay that forgets all is called synced: {told}");
    let owed = ground.scene.owed()?;
    must!(
        first.taken().is_empty() && ground.newcomer().await? == owed,
        "the other relay does not have it all"
    );
    second.rule(|rule| rule.forget = true);
    ground.pays(&wallet, 40).await?;
    wallet.restart().await?;
    let told = wallet.sync().await?;
    must!(told.text("state") != "synced", "relays that forget all are called synced: {told}");
    ground.scene.settled().await?;
    let forgotten = first.frames_of("EVENT");
    for relay in &ground.relays {
        relay.rule(|rule| rule.forget = false);
    }
    ground.agree(&wallet, 0).await?;
    Ok(Proof::of(forgotten))
}

/// F-071: every event is refused for a while; a relay asks who we are; events are too large.
pub(crate) async fn refused(run: Run) -> Outcome<Proof> {
    let mut fired = 0;
    for words in ["rate-limited: slow down", "blocked: not you", "error: disk full"] {
        let ground = Ground::new(&run, 1).await?;
        let relay = ground.relay()?;
        relay.rule(|rule| rule.refuse_with = Some(words.to_owned()));
        let wallet = ground.ours(500).await?;
        ground.pays(&wallet, 30).await?;
        let told = wallet.sync().await?;
        must!(wallet.unpublished().await? > 0 && told.text("state") != "synced", "{words}: {told}");
        fired += relay.frames_of("EVENT");
        wallet.restart().await?;
        must!(wallet.unpublished().await? > 0, "{words}: forgotten at a restart");
        relay.rule(|rule| rule.refuse_with = None);
        ground.agree(&wallet, 0).await.map_err(|error| format!("{words}: {error}"))?;
    }
    let ground = Ground::new(&run, 1).await?;
    ground.relay()?.rule(|rule| rule.demand_name = true);
    let wallet = ground.ours(500).await?;
    ground.pays(&wallet, 30).await?;
    ground.agree(&wallet, 0).await.map_err(|error| format!("auth-required: {error}"))?;
    let named = ground.relay()?.named();
    must!(named.contains(&ground.us.public_key()), "it did not say who it is");
    fired += named.len();

    const MOST: usize = 3_500;
    let ground = Ground::new(&run, 1).await?;
    ground.relay()?.rule(|rule| rule.refuse_longer_than = Some(MOST));
    let wallet = ground.ours(4_095).await?;
    wallet.fund(1_023).await?;
    ground.pays(&wallet, 31).await?;
    ground.agree(&wallet, 0).await.map_err(|error| format!("too large: {error}"))?;
    let heard = ground.relay()?.heard();
    let large = heard
        .split(|byte| *byte == b'\n')
        .filter(|line| line.starts_with(b"[\"EVENT\"") && line.len() > MOST + 20)
        .count();
    must!(large > 0, "no event was too large");
    Ok(Proof::of(fired + large).saying(format!("{large} too large")))
}

/// A wallet that has replaced its events of coins four times.
async fn with_a_past(ground: &Ground) -> Outcome<Arc<Wallet>> {
    let wallet = ground.ours(2_000).await?;
    for sats in [10, 20, 30, 40] {
        ground.pays(&wallet, sats).await?;
        wallet.sync().await?;
    }
    Ok(wallet)
}

/// F-072: every event that ever was comes again, twice, in any order.
pub(crate) async fn shown_again(run: Run) -> Outcome<Proof> {
    let ground = Ground::new(&run, 1).await?;
    let relay = ground.relay()?;
    let wallet = with_a_past(&ground).await?;
    let held = wallet.holds().await?;
    let mut all: Vec<String> = relay.taken().iter().map(Value::to_string).collect();
    all.extend(all.clone());
    all.shuffle(&mut run.chance());
    let (shown, before) = (all.len(), relay.frames_of("REQ"));
    relay.rule(|rule| (rule.resurrect, rule.inject) = (true, all));
    for _ in 0..2 {
        wallet.sync().await?;
        must!(wallet.holds().await? == held, "{held:?} became {:?}", wallet.holds().await?);
        wallet.restart().await?;
    }
    let found = ground.newcomer().await?;
    must!(found == ground.scene.owed()?, "a new device finds {found}");
    ground.pays(&wallet, 50).await?;
    wallet.sync().await?;
    let (found, asked) = (ground.newcomer().await?, relay.frames_of("REQ") - before);
    must!(found == ground.scene.owed()?, "later a new device finds {found}");
    relay.rule(|rule| *rule = testbed::Misrule::default());
    ground.agree(&wallet, 0).await?;
    Ok(Proof::of(asked * shown).saying(format!("{shown} events before each answer")))
}

/// F-073: deletions are hidden and the deleted is shown; the newest coins are hidden; only the
/// oldest are shown.
pub(crate) async fn hidden(run: Run) -> Outcome<Proof> {
    let ground = Ground::new(&run, 1).await?;
    let relay = ground.relay()?;
    let wallet = with_a_past(&ground).await?;
    let before = relay.frames_of("REQ");
    let tokens: Vec<String> =
        ground.taken(&[token_event::KIND])?.iter().map(|event| event.id().to_owned()).collect();
    must!(tokens.len() >= 5, "only {} events of coins", tokens.len());
    let owed = ground.scene.owed()?;

    relay.rule(|rule| (rule.resurrect, rule.hide_kinds) = (true, vec![deletion::KIND]));
    wallet.sync().await?;
    ground.scene.balanced().await.map_err(|error| format!("deletions hidden: {error}"))?;
    let found = ground.newcomer().await?;
    must!(found == owed, "deletions hidden: a new device finds {found} of {owed}");

    for hide in [tokens.iter().rev().take(1), tokens.iter().rev().take(tokens.len() - 1)] {
        let hide: Vec<String> = hide.cloned().collect();
        let what = format!("{} of {} hidden", hide.len(), tokens.len());
        relay.rule(|rule| rule.hide_ids = hide);
        for _ in 0..2 {
            wallet.sync().await?;
            ground.scene.balanced().await.map_err(|error| format!("{what}: {error}"))?;
            wallet.restart().await?;
        }
        let found = ground.newcomer().await?;
        must!(found <= owed, "{what}: a new device finds {found} of {owed}");
    }
    ground.pays(&wallet, 50).await?;
    let asked = relay.frames_of("REQ") - before;
    relay.rule(|rule| *rule = testbed::Misrule::default());
    ground.agree(&wallet, 0).await?;
    Ok(Proof::of(asked))
}

/// F-074: forged, another's, with another id; among them a deletion of all that we have.
pub(crate) async fn forged(run: Run) -> Outcome<Proof> {
    let ground = Ground::new(&run, 1).await?;
    let relay = ground.relay()?;
    let wallet = ground.ours(1_000).await?;
    ground.pays(&wallet, 30).await?;
    wallet.told_all().await?;
    let genuine = ground.taken(&[token_event::KIND])?;
    let live = genuine.last().ok_or("no coins on the relay")?;
    let inside = token_event::read(&ground.us, live)?;
    let stranger = Identity::random()?;
    let at = live.created_at() + 5;
    let ids: Vec<String> = genuine.iter().map(|event| event.id().to_owned()).collect();
    let theirs = token_event::write(&stranger, &inside.mint, "sat", &inside.proofs, &ids, at)?;
    let no = deletion::write(&stranger, &ids, at)?;
    let change = |event: &Event, field: &str, value: Value| -> Outcome<String> {
        let mut json: Value = serde_json::from_str(event.json())?;
        json.as_object_mut().ok_or("no object")?.insert(field.to_owned(), value);
        Ok(json.to_string())
    };
    let ours = ground.us.public_key();
    let forged = vec![
        theirs.json().to_owned(),
        no.json().to_owned(),
        change(&theirs, "pubkey", json!(ours))?,
        change(&no, "pubkey", json!(ours))?,
        change(live, "sig", json!("00".repeat(64)))?,
        change(live, "sig", json!(theirs_signature(&theirs)?))?,
        change(live, "id", json!("ab".repeat(32)))?,
        change(live, "content", json!(theirs.content()))?,
        change(live, "created_at", json!(at))?,
        change(live, "kind", json!(17_375))?,
        change(live, "tags", json!([["del", live.id()]]))?,
        format!(
            "{{\"id\":\"{}\",\"pubkey\":\"{ours}\",\"kind\":5,\"created_at\":{at},\"tags\":[[\"e\",\"{}\"]],\"content\":\"\",\"sig\":\"\"}}",
            live.id(),
            live.id()
        ),
    ];
    let (count, before) = (forged.len(), relay.frames_of("REQ"));
    relay.rule(|rule| rule.inject = forged);
    let held = wallet.holds().await?;
    for _ in 0..2 {
        wallet.sync().await?;
        must!(wallet.holds().await? == held, "{held:?} became {:?}", wallet.holds().await?);
        wallet.restart().await?;
    }
    must!(wallet.unpublished().await? == 0, "forged events made it write");
    ground.pays(&wallet, 20).await?;
    wallet.sync().await?;
    let (found, asked) = (ground.newcomer().await?, relay.frames_of("REQ") - before);
    must!(found == ground.scene.owed()?, "a new device finds {found}");
    relay.rule(|rule| rule.inject.clear());
    ground.agree(&wallet, 0).await?;
    Ok(Proof::of(asked * count).saying(format!("{count} before each answer")))
}

fn theirs_signature(event: &Event) -> Outcome<String> {
    let json: Value = serde_json::from_str(event.json())?;
    Ok(at(&json, "/sig").as_str().ok_or("no signature")?.to_owned())
}

/// F-080: no relay is there during 20 spends, with kills in between; then they are.
pub(crate) async fn away(run: Run) -> Outcome<Proof> {
    let ground = Ground::new(&run, 2).await?;
    let wallet = ground.ours(10_000).await?;
    for relay in &ground.relays {
        relay.go_down().await?;
    }
    let mut kills = 0;
    for spend in 0..20 {
        if spend % 2 == 0 {
            ground.pays(&wallet, 10 + spend).await?;
        } else {
            let sent = wallet
                .ok(
                    "send_token",
                    json!({"amount_sats": 10 + spend, "memo": ground.scene.name("away")}),
                )
                .await?;
            wallet.ok("reclaim_token", json!({"payment_id": sent.text("payment_id")})).await?;
        }
        if spend % 5 == 4 {
            wallet.restart().await?;
            kills += 1;
        }
    }
    let told = wallet.sync().await?;
    must!(
        told.text("state") == "offline" && wallet.unpublished().await? > 0,
        "no relay is there: {told}"
    );
    for relay in &ground.relays {
        relay.come_up().await?;
    }
    wallet.restart().await?;
    ground.agree(&wallet, 0).await?;
    Ok(Proof::of(20 + kills).saying(format!("{kills} kills")))
}

/// F-081: the clock is a day or ten years off, ahead and behind; events of all of these times, and
/// a payment's deadlines.
pub(crate) async fn clocks(run: Run) -> Outcome<Proof> {
    const DAY: i64 = 86_400;
    let ground = Ground::new(&run, 1).await?;
    let wallet = ground.ours(5_000).await?;
    let friend = ground.scene.wallet()?;
    let mut words = Vec::new();
    for (turn, ahead) in [DAY, -DAY, 3_650 * DAY, -3_650 * DAY, 0].into_iter().enumerate() {
        wallet.kill().await?;
        wallet.shim.set_clock(ahead)?;
        wallet.restart_after(0).await?;
        let sats = 20 + turn as u64;
        let (invoice, hash) = ground.scene.invoice(sats)?;
        let told = wallet.told("pay", json!({"to": invoice})).await?;
        let is_right = match told.word() {
            "settled" => ground.scene.times_paid(&hash)? == 1,
            "invoice_expired" | "quote_expired" => {
                ground.scene.times_paid(&hash)? == 0 && told.text("money_moved") == "no"
            }
            _ => false,
        };
        must!(is_right, "{ahead} s: {told}");
        words.push(told.word().to_owned());
        let sent = wallet
            .ok("send_token", json!({"amount_sats": sats, "memo": ground.scene.name("clock")}))
            .await?;
        let taken = friend.ok("receive_token", json!({"token": sent.text("token")})).await?;
        must!(taken.text("state") == "received", "{ahead} s: {taken}");
        wallet.sync().await?;
        ground.scene.settled().await.map_err(|error| format!("{ahead} s: {error}"))?;
    }
    // Each successor looks newer than what it replaces, whatever the clock said.
    let tokens = ground.taken(&[token_event::KIND])?;
    for event in &tokens {
        for old in token_event::read(&ground.us, event)?.del {
            let of_old = tokens.iter().find(|one| one.id() == old).map_or(0, Event::created_at);
            must!(event.created_at() > of_old, "{} is not above {of_old}", event.created_at());
        }
    }
    ground.agree(&wallet, friend.holds().await?.spendable).await?;
    Ok(Proof::of(5).saying(words.join(", ")))
}

/// F-082: all that relays are sent, over payments, tokens, deposits and receipts, says nothing of
/// them.
pub(crate) async fn private(run: Run) -> Outcome<Proof> {
    let ground = Ground::new(&run, 1).await?;
    let scene = &ground.scene;
    let wallet = ground.ours(7_919).await?;
    let friend = scene.funded(500).await?;
    let memo = "canary-of-the-memo";
    ground.pays(&wallet, 1_283).await?;
    let sent = wallet.ok("send_token", json!({"amount_sats": 613, "memo": memo})).await?;
    friend.ok("receive_token", json!({"token": sent.text("token")})).await?;
    let gift = friend.ok("send_token", json!({"amount_sats": 211, "memo": memo})).await?;
    wallet.ok("receive_token", json!({"token": gift.text("token")})).await?;
    let other = ground.device()?;
    other.sync().await?;
    ground.pays(&other, 1_031).await?;
    other.sync().await?;
    wallet.told_all().await?;
    scene.settled().await?;
    let heard = String::from_utf8(ground.relay()?.heard())?;
    let mut canaries: Vec<String> = scene.proofs_seen().into_iter().collect();
    let proofs = canaries.len();
    must!(proofs > 20, "only {proofs} secrets were seen");
    for proof in ground
        .taken(&[token_event::KIND])?
        .iter()
        .flat_map(|event| token_event::read(&ground.us, event))
    {
        canaries.extend(
            proof.proofs.iter().flat_map(|proof| [proof.secret.to_string(), proof.c.to_string()]),
        );
    }
    canaries.extend(
        [memo, "payee-", "\"amount\"", "privkey", "cashuA", "cashuB", "direction"]
            .map(str::to_owned),
    );
    let mint = scene.proxy.url();
    let amounts = [7_919, 1_283, 613, 211, 1_031];
    let mut events = 0;
    for line in heard.lines().filter(|line| line.starts_with("[\"EVENT\"")) {
        let event: Value = serde_json::from_str(line)?;
        let (kind, tags) = (
            at(&event, "/1/kind").as_u64().unwrap_or(0),
            at(&event, "/1/tags").as_array().cloned().unwrap_or_default(),
        );
        events += 1;
        let bare = match kind {
            7375 | 7376 | 17_375 | 375 => tags.is_empty(),
            5 => tags.iter().all(|tag| at(tag, "/0") == "e" || at(tag, "/0") == "k"),
            // The fixed name of a list of ours; what it says is sealed.
            30_078 => tags.iter().all(|tag| at(tag, "/0") == "d"),
            _ => kind == 10_019,
        };
        must!(bare, "an event of kind {kind} has tags: {tags:?}");
        must!(
            kind == 10_019 || !line.contains(mint.trim_start_matches("http://")),
            "the mint is named in kind {kind}"
        );
        // An amount stands by itself; in an id or a sealed text its digits mean nothing.
        let mut words = line.split(|letter: char| {
            !letter.is_ascii_alphanumeric() && letter != '+' && letter != '/'
        });
        let amount = words.find(|word| amounts.iter().any(|amount| *word == amount.to_string()));
        must!(amount.is_none(), "an amount stands in kind {kind}");
    }
    let told = canaries.iter().find(|canary| heard.contains(canary.as_str()));
    must!(told.is_none(), "relays were told {told:?}");
    Ok(Proof::of(events).saying(format!(
        "{} texts sought in {} KiB",
        canaries.len(),
        heard.len() / 1024
    )))
}
