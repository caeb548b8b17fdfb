//! A machine that is lost: the words bring back, through `nutpurse restore`, every coin that the
//! mints still know.

use std::fs;
use std::path::PathBuf;
use std::process::Output;

use nutpurse::testing::store::{Store, StoreError};
use nutpurse::testing::wallet::engine::recheck::Which;
use serde_json::json;
use testbed::{Moment, Rule, TestMint};

use crate::world::{
    Agent, Home, at_mint, binary, conserved, fund, funded, holdings, mint, mint_with, proxied, sats,
};

/// The words of a home.
pub(crate) fn words(home: &Home) -> String {
    let text = fs::read_to_string(home.path().join("keys.toml")).unwrap();
    text.split('"').nth(1).unwrap().to_owned()
}

/// Runs `restore` with the words on a pipe.
pub(crate) fn restore(home: &Home, words: &str) -> Output {
    let mut command = binary::binary(home);
    command.arg("restore");
    if !words.is_empty() {
        command.arg("--words");
    }
    binary::run(command, &format!("{words}\n"))
}

/// The same, which must have asked every mint; what it printed.
pub(crate) fn restored(home: &Home, words: &str) -> String {
    let output = restore(home, words);
    let (out, err) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(output.status.success(), "{out}\n{err}");
    assert!(!words.is_empty() || !out.is_empty());
    // One word alone may stand in any sentence ("device"); two that follow each other are the
    // secret.
    let pairs: Vec<&str> = words.split(' ').collect();
    assert!(pairs.windows(2).all(|pair| !err.contains(&pair.join(" "))), "the words were shown");
    println!("{out}");
    out
}

/// A new home of the same mints.
pub(crate) fn fresh(mints: &[&TestMint]) -> Home {
    Home::at(mints.iter().map(|mint| mint.url())).unwrap()
}

/// Uses up counters of a closed wallet, as claims do that the mint never sees.
async fn skip(home: &Home, mint: &TestMint, count: u32) {
    // A task of the wallet before may still be letting go of the file.
    let store = loop {
        match Store::open(home.path().join("wallet.redb"), || 1_800_000_000).await {
            Err(StoreError::AlreadyOpen) => tokio::task::yield_now().await,
            opened => break opened.unwrap(),
        }
    };
    let keysets = store.records(0).keysets(&mint.url()).await.unwrap();
    assert!(!keysets.is_empty(), "the wallet knows the mint by another name");
    for keyset in keysets {
        let next = store.keyset_counter(0, &keyset.id).await.unwrap();
        store.raise_keyset_counter(0, &keyset.id, next + count).await.unwrap();
    }
    store.barrier().await.unwrap();
}

/// A wallet whose coins lie in three keysets, two of them out of use, with a gap of counters, and a
/// token that nobody has claimed.
async fn worn(mint: &TestMint, lightning: &testbed::Lightning) -> Agent {
    let agent = funded(mint, 500).await;
    mint.rotate_keyset(200).await.unwrap();
    fund(&agent, 300).await;
    let shop = lightning.payee("shop");
    for sats in [40, 75] {
        let invoice = shop.invoice(sats, "something").unwrap().to_string();
        assert_eq!(agent.ok("pay", json!({"to": invoice})).await["state"], "settled");
    }
    mint.rotate_keyset(0).await.unwrap();
    fund(&agent, 100).await;
    agent
}

#[tokio::test]
async fn a_lost_machine_is_made_again_from_its_words() {
    let (lightning, mint) = mint().await;
    let agent = worn(&mint, &lightning).await;
    agent.ok("send_token", json!({"amount_sats": 33})).await;
    let before = conserved("before", &mint.auditor(), &[&agent]).await;
    assert!(before.unclaimed == 33 && before.pending == 0);
    let lost = agent.close().await;
    let home = fresh(&[&mint]);
    let out = restored(&home, &words(&lost));
    assert!(out.contains("device: 1"), "device 0 is known to the mint: {out}");
    assert!(out.contains("nothing can be spent before"), "{out}");

    let agent = Agent::open(home);
    let after = conserved("restored", &mint.auditor(), &[&agent]).await;
    assert_eq!(after.spendable, before.spendable + 33, "an unclaimed token is ours again");
    let invoice = lightning.payee("shop").invoice(20, "too early").unwrap().to_string();
    let refused = agent.refused("pay", json!({"to": invoice}), "over_budget").await;
    assert!(
        refused.retry_after_seconds.is_some_and(|seconds| (86_000..=86_400).contains(&seconds)),
        "{refused:?}"
    );
    let balance = agent.ok("get_balance", json!({})).await;
    assert_eq!(
        (sats(&balance["limits"], "left_24h_sats"), sats(&balance, "max_payment_sats")),
        (0, 0),
        "{balance}"
    );
    // What comes in needs counters that nobody has used.
    fund(&agent, 60).await;
    let home = agent.close().await;

    let agent = Agent::a_day_later(home);
    assert_eq!(agent.ok("send_token", json!({"amount_sats": 20})).await["state"], "settled");
    conserved("spent", &mint.auditor(), &[&agent]).await;
}

#[tokio::test]
async fn coins_beyond_a_gap_are_found_and_a_second_restore_finds_nothing_new() {
    let (_lightning, mint) = mint().await;
    let agent = funded(&mint, 100).await;
    let wallet = agent.home();
    agent.close().await;
    skip(&wallet, &mint, 250).await;
    let agent = Agent::reopen(wallet);
    fund(&agent, 77).await;
    let lost = agent.close().await;
    let home = fresh(&[&mint]);
    assert!(restored(&home, &words(&lost)).contains("restored: 177 sats"));
    assert!(restored(&home, "").contains("restored: 0 sats"));
    let others = restore(
        &home,
        "legal winner thank year wave sausage worth useful legal winner thank yellow",
    );
    assert!(
        !others.status.success()
            && String::from_utf8_lossy(&others.stderr).contains("keys of another wallet")
    );
    let wrong = restore(
        &home,
        "legal winner thank year wave sausage worth useful legal winner thank legal",
    );
    assert!(
        !wrong.status.success() && String::from_utf8_lossy(&wrong.stderr).contains("not the words")
    );
    let agent = Agent::open(home);
    assert_eq!(conserved("beyond a gap", &mint.auditor(), &[&agent]).await.spendable, 177);
}

#[tokio::test]
async fn a_mint_that_is_down_is_asked_later_and_not_used_until_then() {
    let ((_one, up), (_other, down)) =
        (mint().await, mint_with(testbed::MintOptions::named("other")).await);
    let agent = Agent::open(fresh(&[&up, &down]));
    for mint in [&up, &down] {
        let deposit = agent.ok("deposit", json!({"amount_sats": 90, "mint": mint.url()})).await;
        agent.deposit_within(&deposit["deposit_id"], 30).await;
    }
    let lost = agent.close().await;
    let home = fresh(&[&up, &down]);
    down.stop().await;
    let partly = restore(&home, &words(&lost));
    let (out, err) = (
        String::from_utf8_lossy(&partly.stdout).into_owned(),
        String::from_utf8_lossy(&partly.stderr).into_owned(),
    );
    assert!(
        !partly.status.success()
            && out.contains("NOT fully checked")
            && err.contains("again later"),
        "{out}{err}"
    );
    let agent = Agent::open(home);
    assert_eq!(at_mint(&agent, &up.url()).await, (90, 0));
    agent
        .refused("deposit", json!({"amount_sats": 5, "mint": down.url()}), "mint_unreachable")
        .await;
    let home = agent.close().await;
    down.resume().await.unwrap();
    let agent = Agent::reopen(home);
    assert_eq!(at_mint(&agent, &down.url()).await, (90, 0), "the next start asks it");
    let deposit = agent.ok("deposit", json!({"amount_sats": 5, "mint": down.url()})).await;
    let deposit = agent.deposit_within(&deposit["deposit_id"], 30).await;
    assert_eq!(deposit["state"], "received");
    assert_eq!(
        (down.auditor().outstanding().unwrap(), at_mint(&agent, &down.url()).await),
        (95, (95, 0))
    );
}

#[tokio::test]
async fn a_restore_that_is_killed_is_run_again() {
    for (at, nth) in [
        ("/v1/keysets", 1),
        ("/v1/restore", 1),
        ("/v1/restore", 2),
        ("/v1/checkstate", 1),
        ("/v1/restore", 4),
    ] {
        let (_lightning, mint, proxy, agent) = proxied(250).await;
        let lost = agent.close().await;
        let home = Home::at([proxy.url()]).unwrap();
        let mut command = binary::binary(&home);
        command
            .args(["restore", "--words"])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::null());
        let mut child = command.spawn().unwrap();
        let process = rustix::process::Pid::from_child(&child);
        let method = if at == "/v1/keysets" { "GET" } else { "POST" };
        let rule = Rule::new(method, at, Moment::AfterMint).nth(nth);
        let rule = proxy.fail(rule.then(move || {
            rustix::process::kill_process(process, rustix::process::Signal::KILL).unwrap()
        }));
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), words(&lost).as_bytes())
            .unwrap();
        let ended = tokio::task::spawn_blocking(move || child.wait().unwrap()).await.unwrap();
        assert_eq!((proxy.fired(rule), ended.success()), (1, false), "{at} {nth}");
        proxy.clear();
        restored(&home, &words(&lost));
        let agent = Agent::open(home);
        assert_eq!(conserved(at, &mint.auditor(), &[&agent]).await.spendable, 250);
    }
}

#[tokio::test]
async fn two_homes_of_the_same_words_have_devices_of_their_own() {
    let (_lightning, mint) = mint().await;
    let first = funded(&mint, 100).await;
    let words = words(&first.home());
    let (second, third) = (fresh(&[&mint]), fresh(&[&mint]));
    assert!(restored(&second, &words).contains("device: 1"));
    let second = Agent::open(second);
    fund(&second, 10).await;
    assert!(restored(&third, &words).contains("device: 2"));
    let third = Agent::open(third);
    fund(&third, 20).await;
    assert_eq!(
        (holdings(&second).await.spendable, holdings(&third).await.spendable),
        (110, 130),
        "coins of all devices are found"
    );
    let folder: PathBuf = third.home().path().into();
    let said = fs::read_to_string(folder.join("wallet.id")).unwrap();
    assert!(said.contains("device = 2"), "{said}");
}

#[tokio::test]
async fn ten_thousand_counters_are_asked_in_seconds() {
    let (_lightning, mint) = mint().await;
    let home = funded(&mint, 1).await.close().await;
    for _ in 0..40 {
        skip(&home, &mint, 250).await;
        let agent = Agent::reopen(home.clone());
        fund(&agent, 1).await;
        agent.close().await;
    }
    let words = words(&home);
    let begun = std::time::Instant::now();
    let fresh = fresh(&[&mint]);
    let out = restored(&fresh, &words);
    let took = begun.elapsed();
    println!("10,040 counters with 41 coins: {took:?}");
    assert!(out.contains("restored: 41 sats") && took.as_secs() < 300, "{took:?}: {out}");
}

#[tokio::test]
async fn looking_through_a_mint_revives_no_coin_that_a_payment_spends_meanwhile() {
    let (lightning, mint, proxy, agent) = proxied(200).await;
    let melt = proxy.fail(Rule::new("POST", "/v1/melt/bolt11", Moment::HoldBefore));
    let invoice = lightning.payee("shop").invoice(50, "meanwhile").unwrap().to_string();
    let paying = agent.start("pay", json!({"to": invoice}));
    proxy.reached(melt).await;
    // The mint calls the coins unspent, and its answer is on its way while the payment spends them.
    let states = proxy.fail(Rule::new("POST", "/v1/checkstate", Moment::HoldAfter));
    let wallet = agent.wallet().await;
    let looking = tokio::spawn(async move {
        wallet.recovery().recheck(Which::All, |_| ()).await.map(|restored| restored.mints)
    });
    proxy.reached(states).await;
    proxy.release(melt);
    assert_eq!(paying.await.unwrap().unwrap()["state"], "settled");
    proxy.release(states);
    let asked = looking.await.unwrap().unwrap();
    assert!(
        asked.iter().all(|asked| asked.error.is_none() && asked.found.restored_sats == 0),
        "{asked:?}"
    );
    let wallet = agent.wallet().await;
    let mut changes = wallet.changes();
    while wallet.recovery().has_open().await {
        tokio::time::timeout(std::time::Duration::from_secs(30), changes.changed())
            .await
            .unwrap()
            .unwrap();
    }
    conserved("meanwhile", &mint.auditor(), &[&agent]).await;
}
