//! Zaps: one payment and one event, whoever dies, repeats, holds the invoice, or says to be the
//! recipient.

use std::sync::Arc;

use nutpurse::testing::nostr::{Identity, nutzap};
use nutpurse::testing::wallet::core::clock;
use serde_json::{Value, json};
use testbed::harness::{Answer, Client, Limits, Outcome};
use testbed::must;
use testbed::{Around, Behaviour, LnurlServer, Moment, ReceiptLie, Rule, Terms};

use super::ground::{Ground, Person, THEM, US, at, comes};
use crate::death::SIDES;
use crate::table::Proof;
use crate::trial::Run;
use crate::wallet::Wallet;

/// Nutzaps of ours that a relay has heard of, each once, wherever they were sent.
fn nutzaps(ground: &Ground) -> Outcome<usize> {
    Ok(ground.taken(&[nutzap::KIND])?.len())
}

/// Calls a zap until it is final.
async fn zapped(wallet: &Wallet, zap: &Value) -> Outcome<Answer> {
    let told = wallet.ok("zap", zap.clone()).await?;
    if told.is("final") || told.text("state") == "settled" {
        Ok(told)
    } else {
        wallet.ended(told.text("payment_id")).await
    }
}

/// A zap to be killed in: over Lightning to a person, or as a nutzap to a wallet.
struct Target {
    to: String,
    via: &'static str,
    server: Option<Person>,
}

/// F-006.
pub(crate) async fn killed(run: Run) -> Outcome<Proof> {
    let ground = Ground::new(&run, 1).await?;
    let relay = ground.relay()?;
    let person = ground.person().await?;
    let wallet = ground.wallet(US, &[person.server.url()])?;
    wallet.fund(5_000).await?;
    let receiver = ground.wallet(THEM, &[])?;
    receiver.sync().await?;
    let to = receiver.npub().await?;
    receiver.close().await?;
    let targets = [
        Target { to: person.identity.npub(), via: "lightning", server: Some(person) },
        Target { to, via: "nutzap", server: None },
    ];
    let (mut kills, mut sats) = (0, 8);
    for turn in 0..run.pick(3, 1) {
        for target in &targets {
            for side in SIDES {
                for place in 1.. {
                    let zap = next(&ground, target, &mut sats);
                    let before = (
                        ground.scene.mint.paid()?.len(),
                        nutzaps(&ground)?,
                        ground.scene.proxy.exchanges().len(),
                    );
                    let rule = ground
                        .scene
                        .proxy
                        .fail(Rule::new("", "", side).nth(place).then(wallet.killer().await?));
                    wallet.call("zap", zap.clone()).await?;
                    let (fired, made) = (
                        ground.scene.proxy.fired(rule),
                        ground.scene.proxy.exchanges().len() - before.2,
                    );
                    ground.scene.proxy.clear();
                    kills += fired;
                    let what = format!("turn {turn}, {}, request {place}, {side:?}", target.via);
                    judge(&ground, &wallet, target, &zap, (before.0, before.1))
                        .await
                        .map_err(|error| format!("{what}: {error}"))?;
                    if made < place || fired == 0 {
                        break;
                    }
                }
            }
        }
        for around in [Around::BeforeStored, Around::BeforeTold, Around::AfterTold] {
            let Some(target) = targets.last() else { continue };
            let zap = next(&ground, target, &mut sats);
            let before = (ground.scene.mint.paid()?.len(), nutzaps(&ground)?);
            let sprung = relay.sprung();
            relay.trap(nutzap::KIND, around, wallet.killer().await?);
            wallet.call("zap", zap.clone()).await?;
            comes(&format!("{around:?}"), || relay.sprung() > sprung).await?;
            kills += 1;
            judge(&ground, &wallet, target, &zap, before)
                .await
                .map_err(|error| format!("turn {turn}, {around:?}: {error}"))?;
        }
    }
    let sent = nutzaps(&ground)?;
    receiver.told_all().await?;
    let history =
        receiver.ok("list_history", json!({"kind": "nutzap_received", "limit": 200})).await?;
    let taken = at(&history.value, "/entries").as_array().map_or(0, Vec::len);
    must!(taken == sent, "{sent} nutzaps were sent, {taken} taken");
    ground.scene.conserved().await?;
    Ok(Proof::of(kills)
        .saying(format!("{sent} nutzaps, {} payments", ground.scene.mint.paid()?.len())))
}

/// A zap like no other: of another amount.
fn next(ground: &Ground, target: &Target, sats: &mut u64) -> Value {
    let key = ground.scene.name("zap");
    *sats += 1;
    json!({"to": target.to, "amount_sats": *sats, "via": target.via, "comment": key, "idempotency_key": key})
}

/// The same call again, after the restart and once more: one payment or one event in all.
async fn judge(
    ground: &Ground,
    wallet: &Arc<Wallet>,
    target: &Target,
    zap: &Value,
    before: (usize, usize),
) -> Outcome {
    wallet.restart().await?;
    // What failed before it was paid may be asked for anew: under the same key it stays what it
    // was.
    let (mut told, mut again) = (zapped(wallet, zap).await?, zap.clone());
    if told.text("state") == "failed" {
        again.as_object_mut().into_iter().for_each(|again| {
            drop(again.insert("idempotency_key".to_owned(), json!(ground.scene.name("anew"))))
        });
        told = zapped(wallet, &again).await?;
    }
    must!(told.text("state") == "settled", "{told}");
    zapped(wallet, &again).await?;
    wallet.sync().await?;
    let (paid, sent) = (ground.scene.mint.paid()?.len() - before.0, nutzaps(ground)? - before.1);
    let wanted = if target.server.is_some() { (1, 0) } else { (0, 1) };
    must!((paid, sent) == wanted, "{paid} payments and {sent} nutzaps: {told}");
    ground.scene.paid_once()
}

/// F-105: a forged profile; one that is changed while the zap is under way, and after; receipts
/// that are not the server's.
pub(crate) async fn profiles(run: Run) -> Outcome<Proof> {
    let ground = Ground::new(&run, 1).await?;
    let relay = ground.relay()?;
    let person = ground.person().await?;
    let thief = LnurlServer::start(&ground.scene.lightning).await?;
    thief.set(Terms { zaps: true, ..Terms::default() });
    let wallet = ground.wallet(US, &[person.server.url(), thief.url()])?;
    wallet.fund(2_000).await?;
    let npub = person.identity.npub();
    let stolen = person.profile(&thief, clock::now() + 50)?;
    let forge = |field: &str, value: Value| -> Outcome<String> {
        let mut json: Value = serde_json::from_str(stolen.json())?;
        json.as_object_mut().ok_or("no object")?.insert(field.to_owned(), value);
        Ok(json.to_string())
    };
    let other = Person {
        identity: Identity::random()?,
        server: LnurlServer::start(&ground.scene.lightning).await?,
    };
    let of_other = other.profile(&thief, clock::now() + 50)?;
    let mut named: Value = serde_json::from_str(of_other.json())?;
    named
        .as_object_mut()
        .ok_or("no object")?
        .insert("pubkey".to_owned(), json!(person.identity.public_key()));
    let forged = vec![
        forge("sig", json!("00".repeat(64)))?,
        forge("id", json!("ab".repeat(32)))?,
        forge("created_at", json!(clock::now() + 60))?,
        of_other.json().to_owned(),
        named.to_string(),
    ];
    let mut fired = forged.len();
    relay.rule(|rule| rule.inject = forged);
    let zapped = wallet.ok("zap", json!({"to": npub, "amount_sats": 11})).await?;
    must!(zapped.text("state") == "settled" && zapped.text("receipt") == "found", "{zapped}");
    must!(
        thief.asked().is_empty() && person.server.received() == 11,
        "a forged profile was followed"
    );
    relay.rule(|rule| rule.inject.clear());

    // Changed, with the right key, while the payment is under way: the payee is settled.
    let rule = ground.scene.proxy.fail(Rule::new("POST", "/v1/melt/bolt11", Moment::HoldBefore));
    let zap = json!({"to": npub, "amount_sats": 12, "idempotency_key": "pinned"});
    let session = wallet.session().await?;
    let (_, first) = session.begin_call("zap", zap.clone()).await?;
    ground.scene.proxy.reached(rule).await;
    ground.post(relay, &stolen).await?;
    let (_, second) = session.begin_call("zap", zap.clone()).await?;
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    ground.scene.proxy.release(rule);
    let (first, second) = (first.await?, second.await?);
    wallet.restart().await?;
    let third = wallet.ok("zap", zap).await?;
    must!(third.text("state") == "settled", "{first} {second} {third}");
    must!(
        thief.asked().is_empty() && person.server.received() == 23,
        "a zap followed a profile that was changed after it began"
    );
    must!(ground.scene.mint.paid()?.len() == 2, "paid twice");
    fired += 1;

    // Receipts of another's making are none, and pay nothing again. Each is waited for: all at
    // once.
    let lies =
        [ReceiptLie::Signer, ReceiptLie::Amount, ReceiptLie::Description, ReceiptLie::Missing];
    for told in futures::future::join_all(lies.map(|lie| false_receipt(&run, lie))).await {
        told?;
        fired += 1;
    }
    ground.scene.conserved().await?;
    Ok(Proof::of(fired))
}

async fn false_receipt(run: &Run, lie: ReceiptLie) -> Outcome {
    let ground = Ground::new(run, 1).await?;
    let person = ground.person().await?;
    person.server.set(Terms { zaps: true, receipt: lie, ..Terms::default() });
    let wallet = ground.wallet(US, &[person.server.url()])?;
    wallet.fund(100).await?;
    let zap = json!({"to": person.identity.npub(), "amount_sats": 5, "idempotency_key": "lie"});
    let told = wallet.ok("zap", zap.clone()).await?;
    must!(
        matches!(told.text("receipt"), "invalid" | "timeout") && told.text("state") == "settled",
        "{lie:?}: {told}"
    );
    let again = wallet.ok("zap", zap).await?;
    must!(again.is("replayed") && person.server.received() == 5, "{lie:?}: {again}");
    ground.scene.conserved().await.map(drop)
}

/// F-106: five calls at once under one key, over both rails; a client that gave up and calls again,
/// with a new key or none.
pub(crate) async fn repeated(run: Run) -> Outcome<Proof> {
    let ground = Ground::new(&run, 1).await?;
    let person = ground.person().await?;
    let wallet = ground.wallet(US, &[person.server.url()])?;
    wallet.fund(2_000).await?;
    let receiver = ground.wallet(THEM, &[])?;
    receiver.sync().await?;
    let targets = [("lightning", person.identity.npub()), ("nutzap", receiver.npub().await?)];
    for (via, to) in &targets {
        let zap = json!({"to": to, "amount_sats": 21, "via": via, "comment": "once", "idempotency_key": format!("five {via}")});
        let answers =
            futures::future::join_all((0..5).map(|_| wallet.ok("zap", zap.clone()))).await;
        let mut ids = Vec::new();
        for answer in answers {
            ids.push(answer?.text("payment_id").to_owned());
        }
        ids.dedup();
        must!(ids.len() == 1, "{via}: five calls are {} payments", ids.len());
        wallet.ended(ids.first().ok_or("no id")?).await?;
        wallet.restart().await?;
        let again = wallet.ok("zap", zap).await?;
        must!(again.is("replayed") && again.text("state") == "settled", "{via}: {again}");
        let other = json!({"to": to, "amount_sats": 22, "via": via, "comment": "once", "idempotency_key": format!("five {via}")});
        must!(
            wallet.told("zap", other).await?.is_error,
            "{via}: another amount under the same key"
        );
    }
    must!(
        ground.scene.mint.paid()?.len() == 1 && person.server.received() == 21,
        "the server got {}",
        person.server.received()
    );
    must!(nutzaps(&ground)? == 1, "{} nutzaps", nutzaps(&ground)?);

    // The payee takes its time, the client gives up and calls again.
    let invoice = person.server.promise("somebody", 33)?;
    let hash = invoice.payment_hash().to_string();
    person.server.set(Terms { zaps: true, invoice: testbed::InvoiceLie::Same, ..Terms::default() });
    ground.scene.lightning.set_behaviour_of(&hash, Behaviour::Pending);
    let zap = json!({"to": person.identity.npub(), "amount_sats": 33, "via": "lightning", "idempotency_key": "slow"});
    let session = wallet.session().await?;
    let (id, _given_up) = session.begin_call("zap", zap.clone()).await?;
    ground.scene.lightning.attempted(&hash).await;
    session.send(&json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": id}})).await?;
    for key in [json!("another"), Value::Null] {
        let mut retry = zap.clone();
        retry.as_object_mut().into_iter().for_each(|retry| {
            retry.remove("idempotency_key");
            if !key.is_null() {
                retry.insert("idempotency_key".to_owned(), key.clone());
            }
        });
        let told = wallet.told("zap", retry).await?;
        must!(told.code() == "possible_duplicate", "{key}: {told}");
    }
    let (_, same) = session.begin_call("zap", zap.clone()).await?;
    ground.scene.lightning.settle(&hash);
    same.await?;
    let told = wallet.ended_by_hash(&hash).await?;
    must!(told.text("state") == "settled", "{told}");
    must!(
        ground.scene.mint.paid()?.len() == 2 && person.server.received() == 54,
        "the server got {}",
        person.server.received()
    );
    receiver.sync().await?;
    ground.scene.conserved().await?;
    Ok(Proof::of(2 * 6 + 3))
}

/// F-107: a zap whose payee holds the invoice: other coins are usable, the limit counts it, and a
/// restart changes nothing.
pub(crate) async fn held_zap(run: &Run) -> Outcome<usize> {
    let mut fired = 0;
    for is_taken in [true, false] {
        let ground = Ground::new(run, 1).await?;
        let person = ground.person().await?;
        let limits = Limits { per_payment: 1_000, per_day: 1_000 };
        let wallet = ground.wallet_within(US, &[person.server.url()], limits, "")?;
        wallet.fund(1_023).await?;
        wallet.fund(1_023).await?;
        let invoice = person.server.promise("somebody", 600)?;
        let hash = invoice.payment_hash().to_string();
        person.server.set(Terms {
            zaps: true,
            invoice: testbed::InvoiceLie::Same,
            ..Terms::default()
        });
        ground.scene.lightning.set_behaviour_of(&hash, Behaviour::Pending);
        let zap =
            json!({"to": person.identity.npub(), "amount_sats": 600, "idempotency_key": "held"});
        let session = wallet.session().await?;
        let (_, _answer) = session.begin_call("zap", zap.clone()).await?;
        ground.scene.lightning.attempted(&hash).await;
        for restarted in [false, true] {
            if restarted {
                wallet.restart_after(900).await?;
            }
            ground.pays(&wallet, 30).await?;
            let told = wallet.told("pay", json!({"to": ground.scene.invoice(500)?.0})).await?;
            must!(told.code() == "over_budget", "the limit forgets what is held: {told}");
            let shown = wallet.ok("get_payment", json!({"payment_hash": hash})).await?;
            must!(shown.text("state") == "pending", "{shown}");
            ground.scene.balanced().await?;
        }
        fired += ground.scene.lightning.pending().len();
        if is_taken {
            ground.scene.lightning.settle(&hash);
        } else {
            ground.scene.lightning.fail(&hash);
        }
        let ended = wallet.ended_by_hash(&hash).await?;
        must!((ended.text("state") == "settled") == is_taken, "taken {is_taken}, told {ended}");
        ground.scene.agrees(&ended, &hash)?;
        ground.scene.conserved().await?;
    }
    Ok(fired)
}
