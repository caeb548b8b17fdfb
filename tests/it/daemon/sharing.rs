//! Copies that are started at once, a person's commands beside them, and who may hold the wallet
//! alone.

use std::time::Duration;

use serde_json::{Value, json};
use testbed::{Moment, Proxy, Rule};

use super::{daemon, done, holders, home, stop, until};
use crate::world::{Agent, Child, Home, Settings, binary, conserved, has, mint, shim};

#[tokio::test]
async fn ten_copies_at_once_all_serve_and_one_process_holds_the_store() {
    let (lightning, mint) = mint().await;
    let home = home(&mint.url(), 600);
    Child::start(&home, "first").await.fund(5_000).await;
    for round in 0..3 {
        stop(&home);
        let payee = lightning.payee("shop");
        let copies = (0..10).map(|number| {
            let (home, invoice) =
                (home.clone(), payee.invoice(5, &format!("{round} {number}")).unwrap().to_string());
            async move {
                let shim = Child::start(&home, &format!("copy{number}")).await;
                let tools = shim.ask("tools/list", json!({})).await;
                assert_eq!(tools["result"]["tools"].as_array().map(Vec::len), Some(13));
                let paid = shim.ok("pay", json!({"to": invoice})).await;
                assert_eq!(paid["state"], "settled", "{paid}");
                let balance = shim.ok("get_balance", json!({})).await;
                assert_eq!(balance["agent"], format!("copy{number}"));
                shim
            }
        });
        let copies = futures::future::join_all(copies).await;
        assert_eq!(holders(&home).len(), 1);
        for copy in copies {
            assert_eq!(copy.hang_up().await, Some(0));
        }
    }
    stop(&home);
    let agent = Agent::reopen(home);
    conserved("ten copies", &mint.auditor(), &[&agent]).await;
    assert_eq!(mint.auditor().paid().unwrap().len(), 30);
}

#[tokio::test]
async fn a_persons_commands_go_through_the_same_process() {
    let (lightning, mint) = mint().await;
    let home = home(&mint.url(), 600);
    let shim = Child::start(&home, "desktop").await;
    shim.fund(500).await;
    let before = daemon(&home);
    let shown: Value =
        serde_json::from_str(&done(&home, &["get-balance", "--json"]).unwrap()).unwrap();
    has(&shown, json!({"spendable_sats": 500, "agent": "cli"}));
    let invoice = lightning.payee("shop").invoice(20, "by command").unwrap().to_string();
    let paid: Value =
        serde_json::from_str(&done(&home, &["pay", &invoice, "--json"]).unwrap()).unwrap();
    assert_eq!(paid["state"], "settled");
    let left = 500 - paid["total_sats"].as_u64().unwrap();
    let refused = done(&home, &["pay", "nothing"]).unwrap_err();
    assert!(
        refused.contains("payee_unsupported") || refused.contains("invalid_input"),
        "{refused}"
    );
    let doctor = done(&home, &["doctor"]).unwrap();
    let pid = before.as_raw_nonzero().to_string();
    assert!(
        doctor.contains(&format!("process: {pid} keeps this wallet"))
            && doctor.contains("sessions: desktop"),
        "{doctor}"
    );
    assert_eq!(daemon(&home), before);
    // What needs the store for itself makes the daemon finish, and the session finds the next one.
    done(&home, &["init"]).unwrap();
    assert_eq!(shim.ok("get_balance", json!({})).await["spendable_sats"], left);
    assert!(stop(&home).contains("has ended"));
    assert!(holders(&home).is_empty());
    assert_eq!(shim.ok("get_balance", json!({})).await["spendable_sats"], left);
    assert_ne!(daemon(&home), before);
}

#[tokio::test]
async fn who_holds_the_wallet_alone_is_no_daemon_and_shims_say_so_until_it_is_gone() {
    let (_lightning, mint) = mint().await;
    let home = home(&mint.url(), 600);
    let alone = Child::alone(&home).await;
    alone.fund(100).await;
    let shim = Child::start(&home, "desktop").await;
    let tools = shim.ask("tools/list", json!({})).await;
    assert_eq!(tools["result"]["tools"].as_array().map(Vec::len), Some(13));
    let busy = shim.answer("get_balance", json!({})).await;
    has(&busy, json!({"error": "wallet_busy", "money_moved": "no"}));
    assert!(done(&home, &["get-balance"]).unwrap_err().contains("wallet_busy"));
    let mut second = binary::binary(&home);
    second.arg("get-balance");
    let refused = binary::run(second, "");
    assert!(
        !refused.status.success()
            && String::from_utf8_lossy(&refused.stderr)
                .contains("another process holds this wallet")
    );
    assert_eq!(alone.hang_up().await, Some(0));
    until("the shim has found the wallet free", Duration::from_secs(20), || {
        holders(&home).len() == 1 || done(&home, &["get-balance"]).is_ok()
    })
    .await;
    assert_eq!(shim.ok("get_balance", json!({})).await["spendable_sats"], 100);
}

#[tokio::test]
async fn probes_notices_first_and_double_starts_work_and_end_well() {
    let (_lightning, mint) = mint().await;
    let home = home(&mint.url(), 600);
    // A probe that asks and hangs up, as a client that looks which era a server speaks.
    let probe = Child::spawn(shim(&home, "probe"));
    let meta = json!({"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}});
    let discovered = probe.ask("server/discover", json!({"_meta": meta})).await;
    assert!(discovered["result"]["supportedVersions"].is_array(), "{discovered}");
    assert_eq!(probe.hang_up().await, Some(0));
    // One that says nothing, and one that says half a line.
    assert_eq!(Child::spawn(shim(&home, "mute")).hang_up().await, Some(0));
    // A notice before anything else.
    let early = Child::spawn(shim(&home, "early"));
    let notice = json!({"jsonrpc": "2.0", "method": "notifications/roots/list_changed"});
    early.send(&notice).await.unwrap();
    early.shake_hands().await.unwrap();
    let (one, two) = tokio::join!(Child::start(&home, "desktop"), Child::start(&home, "desktop"));
    for shim in [&one, &two, &early] {
        assert_eq!(shim.ok("get_balance", json!({})).await["spendable_sats"], 0);
    }
    for shim in [one, two, early] {
        assert_eq!(shim.hang_up().await, Some(0));
    }
}

#[tokio::test]
async fn the_owner_sees_what_is_open_beside_a_running_daemon() {
    let (lightning, mint) = mint().await;
    let proxy = Proxy::start(&mint.url()).await.unwrap();
    let home = home(&proxy.url(), 600);
    let shim = Child::start(&home, "desktop").await;
    shim.fund(200).await;
    // The payment is made, and the mint is silent from then on.
    proxy.fail(Rule::new("POST", "/v1/melt/bolt11", Moment::AfterMint));
    proxy.fail(Rule::new("GET", "/v1/melt/quote/bolt11/", Moment::BeforeRequest).every());
    let invoice = lightning.payee("shop").invoice(20, "lost").unwrap().to_string();
    let pending = shim.ok("pay", json!({"to": invoice})).await;
    assert_eq!(pending["state"], "pending", "{pending}");
    let shown = done(&home, &["payments", "open"]).unwrap();
    assert!(
        shown.contains(pending["payment_id"].as_str().unwrap())
            && shown.contains("its mint is not answering"),
        "{shown}"
    );
    proxy.clear();
    assert_eq!(shim.ended(json!({"payment_id": pending["payment_id"]})).await["state"], "settled");
    assert!(done(&home, &["payments", "open"]).unwrap().contains("(none)"));

    // What a daemon knows of a mint that contradicts it is seen without asking anybody.
    proxy.rewrite(|path, mut answer| {
        if path.starts_with("/v1/mint/quote/bolt11/") {
            (answer["state"], answer["amount_paid"], answer["amount_issued"]) =
                (json!("ISSUED"), json!(90), json!(90));
        }
        answer
    });
    let deposit = shim.ok("deposit", json!({"amount_sats": 90})).await;
    shim.ok("get_deposit", json!({"deposit_id": deposit["deposit_id"], "wait_seconds": 40})).await;
    let doctor = done(&home, &["doctor"]).unwrap();
    assert!(
        doctor.contains("disputed deposits: 1") && doctor.contains("payments open"),
        "{doctor}"
    );
    assert!(
        done(&home, &["payments", "open"])
            .unwrap()
            .contains(deposit["deposit_id"].as_str().unwrap())
    );
    assert_eq!(shim.hang_up().await, Some(0));
}

#[tokio::test]
async fn doctor_looks_at_the_relays_beside_a_client_that_goes_on() {
    let (_lightning, mint) = mint().await;
    let relay = testbed::Relay::start().await.unwrap();
    let home = Home::new(
        &Settings::at([mint.url()]).relays([relay.url()]).more("[daemon]\nidle_seconds = 600"),
    )
    .unwrap();
    let shim = Child::start(&home, "desktop").await;
    shim.fund(100).await;
    assert_eq!(shim.ok("sync", json!({})).await["state"], "synced");
    let before = daemon(&home);
    let told = done(&home, &["doctor"]).unwrap();
    for words in [
        format!("process: {} keeps this wallet", before.as_raw_nonzero()),
        "Nothing is wrong there.".to_owned(),
    ] {
        assert!(told.contains(&words), "{words}: {told}");
    }
    assert_eq!(shim.ok("get_balance", json!({})).await["spendable_sats"], 100);
    assert_ne!(daemon(&home), before, "it finished, and the client found the next one");
    let local = done(&home, &["doctor", "--local"]).unwrap();
    assert!(!local.contains("on relays"), "{local}");
    stop(&home);
}
