//! How processes end: with their clients, when they are idle, when they are asked, and what they
//! finish first.

use std::fs;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Signal, kill_process};
use serde_json::json;
use testbed::{Behaviour, Moment, Proxy, Rule};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::process::Command;
use tokio::time::Instant;

use super::{daemon, holders, home, processes, stop, until};
use crate::world::{Agent, Child, conserved, mint};

/// Longer than a shim takes to see that its parent is gone.
const NOTICED: Duration = Duration::from_secs(15);

#[tokio::test]
async fn of_clients_that_are_killed_nothing_is_left_but_the_daemon_and_of_that_nothing_once_it_is_idle()
 {
    let (_lightning, mint) = mint().await;
    let home = home(&mint.url(), 2);
    // Its end is held open by this test: no shim ever sees the end of its input.
    let script = "import subprocess, sys, time; subprocess.Popen(sys.argv[1:]); time.sleep(1000)";
    let mut clients = Vec::new();
    for _ in 0..50 {
        let mut client = Command::new("python3");
        client.args(["-c", script, env!("CARGO_BIN_EXE_nutpurse"), "--home"]).arg(home.path());
        client
            .env_clear()
            .env("PATH", std::env::var("PATH").unwrap())
            .env("NUTPURSE_KEYRING", "off");
        client.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut client = client.spawn().unwrap();
        let mut input = client.stdin.take().unwrap();
        let us = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "raw", "version": "1"}});
        input
            .write_all(
                format!(
                    "{}\n",
                    json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": us})
                )
                .as_bytes(),
            )
            .await
            .unwrap();
        let mut output = BufReader::new(client.stdout.take().unwrap()).lines();
        clients.push((client, input, output.next_line().await.unwrap(), output));
    }
    assert!(
        clients
            .iter()
            .all(|(_, _, answer, _)| answer.as_ref().is_some_and(|line| line.contains("nutpurse")))
    );
    assert!(processes(&home).len() > 50);
    for (client, ..) in &mut clients {
        client.kill().await.unwrap();
    }
    let daemons =
        || processes(&home).iter().filter(|(_, line)| line.contains(" daemon --detached")).count();
    until("only the daemon is left", NOTICED, || processes(&home).len() == daemons()).await;
    until("the daemon ends", NOTICED, || processes(&home).is_empty()).await;
    let left: Vec<_> =
        fs::read_dir(home.path()).unwrap().flatten().map(|file| file.file_name()).collect();
    assert!(!left.contains(&"daemon.sock".into()), "{left:?}");
}

#[tokio::test]
async fn a_daemon_stays_for_what_is_open() {
    let (lightning, mint) = mint().await;
    let home = home(&mint.url(), 1);
    let shim = Child::start(&home, "desktop").await;
    shim.fund(200).await;
    let held = lightning.payee("shop").invoice(20, "held").unwrap();
    lightning.set_behaviour_of(held.payment_hash(), Behaviour::Pending);
    shim.begin_call("pay", json!({"to": held.to_string()})).await;
    lightning.attempted(held.payment_hash()).await;
    let before = daemon(&home);
    assert_eq!(shim.hang_up().await, Some(0));
    let log = || fs::read_to_string(home.path().join("daemon.log")).unwrap();
    until("it stays twice", Duration::from_secs(30), || {
        log().matches("stays: something is open").count() >= 2
    })
    .await;
    assert_eq!(daemon(&home), before, "a payment is open");
    lightning.settle(held.payment_hash());
    until("the payment is settled and the daemon gone", Duration::from_secs(60), || {
        holders(&home).is_empty()
    })
    .await;
    let agent = Agent::reopen(home).named("desktop");
    let shown =
        agent.ok("get_payment", json!({"payment_hash": held.payment_hash().to_string()})).await;
    assert_eq!(shown["state"], "settled");
    conserved("a held payment", &mint.auditor(), &[&agent]).await;
}

#[tokio::test]
async fn a_daemon_that_is_told_to_end_finishes_what_it_does() {
    let (lightning, mint) = mint().await;
    let proxy = Proxy::start(&mint.url()).await.unwrap();
    let home = home(&proxy.url(), 600);
    let shim = Child::start(&home, "desktop").await;
    shim.fund(200).await;
    let rule = proxy.fail(Rule::new("POST", "/v1/melt/bolt11", Moment::HoldAfter));
    let invoice = lightning.payee("shop").invoice(10, "term").unwrap();
    let payment = shim.begin_call("pay", json!({"to": invoice.to_string()})).await;
    proxy.reached(rule).await;
    let before = daemon(&home);
    kill_process(before, Signal::TERM).unwrap();
    proxy.release(rule);
    let told = shim.told(payment).await;
    assert_eq!(told["state"], "settled", "its answer is still given: {told}");
    until("it ends", NOTICED, || holders(&home).first() != Some(&before)).await;
    let ended = shim.ended(json!({"payment_hash": invoice.payment_hash().to_string()})).await;
    assert_eq!(ended["state"], "settled");
    assert_ne!(daemon(&home), before);
    stop(&home);
    let agent = Agent::reopen(home);
    conserved("told to end", &mint.auditor(), &[&agent]).await;
}

#[tokio::test]
async fn a_shim_that_is_told_to_end_does_so_before_its_client_kills_it() {
    let (lightning, mint) = mint().await;
    let home = home(&mint.url(), 600);
    let shim = Child::start(&home, "desktop").await;
    shim.fund(200).await;
    let held = lightning.payee("shop").invoice(20, "held").unwrap();
    lightning.set_behaviour_of(held.payment_hash(), Behaviour::Pending);
    shim.begin_call("pay", json!({"to": held.to_string()})).await;
    lightning.attempted(held.payment_hash()).await;
    let since = Instant::now();
    kill_process(shim.process(), Signal::TERM).unwrap();
    assert_eq!(shim.gone().await, Some(0));
    // Clients wait for two seconds.
    assert!(since.elapsed() < Duration::from_millis(1_900), "{:?}", since.elapsed());
    let next = Child::start(&home, "desktop").await;
    lightning.settle(held.payment_hash());
    assert_eq!(
        next.ended(json!({"payment_hash": held.payment_hash().to_string()})).await["state"],
        "settled"
    );
}

#[tokio::test]
async fn a_newer_program_makes_an_older_daemon_finish_and_no_call_is_lost() {
    let (lightning, mint) = mint().await;
    let home = home(&mint.url(), 600);
    let shim = Child::start(&home, "desktop").await;
    shim.fund(1_000).await;
    let before = daemon(&home);
    // Thirty payments are on their way, some of them unread, when the daemon is asked.
    let mut calls = Vec::new();
    for number in 0..30 {
        let invoice = lightning.payee("shop").invoice(5, &format!("handover {number}")).unwrap();
        calls.push((
            shim.begin_call("pay", json!({"to": invoice.to_string()})).await,
            invoice.payment_hash().to_string(),
        ));
    }
    let note: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(home.path().join("daemon.lock")).unwrap())
            .unwrap();
    let hello = json!({"protocol": 99, "version": "99.0.0", "token": note["token"], "folder": "", "settings": "", "agent": "x",
        "want": "finish"});
    let mut newer = UnixStream::connect(home.path().join("daemon.sock")).await.unwrap();
    newer.write_all(format!("{hello}\n").as_bytes()).await.unwrap();
    let mut welcome = String::new();
    newer.read_to_string(&mut welcome).await.unwrap();
    assert!(welcome.contains("\"version\"") && !welcome.contains("refused"), "{welcome}");
    for (call, hash) in calls {
        let told = shim.told(call).await;
        if told["error"] == "outcome_unknown" {
            assert_eq!(shim.ended(json!({"payment_hash": hash})).await["state"], "settled");
        } else {
            assert_eq!(told["state"], "settled", "{told}");
        }
    }
    until("the older daemon is gone", Duration::from_secs(20), || {
        holders(&home).first() != Some(&before)
    })
    .await;
    shim.ok("get_balance", json!({})).await;
    assert_ne!(daemon(&home), before);
    stop(&home);
    let agent = Agent::reopen(home);
    conserved("handed over", &mint.auditor(), &[&agent]).await;
    assert_eq!(mint.auditor().paid().unwrap().len(), 30);
}

#[tokio::test]
async fn a_daemon_whose_folder_is_gone_ends() {
    let (_lightning, mint) = mint().await;
    let home = home(&mint.url(), 600);
    let shim = Child::start(&home, "desktop").await;
    shim.ok("get_balance", json!({})).await;
    let elsewhere = home.path().with_extension("moved");
    fs::rename(home.path(), &elsewhere).unwrap();
    assert_eq!(shim.hang_up().await, Some(0));
    until("it ends", NOTICED, || processes(&home).is_empty()).await;
    // Where it was, there may be a new folder with new settings by now; the wallet is where it was
    // moved to.
    assert!(elsewhere.join("wallet.redb").is_file() && !home.path().join("wallet.redb").exists());
    fs::remove_dir_all(&elsewhere).unwrap();
}

#[tokio::test]
async fn a_client_that_reads_nothing_holds_up_nobody() {
    let (lightning, mint) = mint().await;
    let home = home(&mint.url(), 600);
    let deaf = Child::start(&home, "deaf").await;
    deaf.fund(500).await;
    deaf.read(false);
    let mut asked = Vec::new();
    for _ in 0..300 {
        asked.push(deaf.begin("tools/list", json!({})).await.unwrap().1);
    }
    let other = Child::start(&home, "other").await;
    let invoice = lightning.payee("shop").invoice(10, "beside").unwrap().to_string();
    assert_eq!(other.ok("pay", json!({"to": invoice})).await["state"], "settled");
    deaf.read(true);
    for answer in asked {
        assert!(answer.await.unwrap()["result"]["tools"].is_array());
    }
}
