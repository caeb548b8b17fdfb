//! What can never end: the owner gives it up, its amount leaves the limit of a day with that day,
//! and a mint that comes back ends it rightly.

use std::sync::Arc;

use nutpurse::testing::api::Error;
use nutpurse::testing::api::view::{OpenView, may_give_up};
use nutpurse::testing::wallet::core::clock;
use serde_json::{Value, json};
use testbed::harness::NOBODY;
use testbed::{Behaviour, Lightning, Moment, Proxy, Rule, TestMint};

use crate::world::{Agent, Home, Limits, Settings, conserved, fund, has, holdings, mint, sats};

const MELT: &str = "/v1/melt/bolt11";
const SWAP: &str = "/v1/swap";
const DAY_SATS: u64 = 100;

/// A wallet at a mint behind a proxy, with a limit for a day, and something of it that the mint
/// does not answer about any more.
struct Scene {
    mint: TestMint,
    lightning: Lightning,
    proxy: Proxy,
    agent: Agent,
    invoice: String,
}

impl Scene {
    async fn new() -> Self {
        let (lightning, mint) = mint().await;
        let proxy = Proxy::start(&mint.url()).await.unwrap();
        let home = Home::new(
            &Settings::at([proxy.url()])
                .limits(Limits { per_payment: DAY_SATS, per_day: DAY_SATS }),
        )
        .unwrap();
        let agent = Agent::open(home);
        fund(&agent, 700).await;
        let invoice = lightning.payee("shop").invoice(50, "once").unwrap().to_string();
        Self { mint, lightning, proxy, agent, invoice }
    }

    /// Pays, and the mint is gone with the request, carried out or not. The payment's id.
    async fn pays(&self, at: Moment) -> Value {
        let gone = self.gone_after(MELT, at);
        let pending = self.agent.ok("pay", json!({"to": self.invoice})).await;
        assert_eq!(
            (pending["state"].as_str(), self.proxy.fired(gone)),
            (Some("pending"), 1),
            "{pending}"
        );
        pending["payment_id"].clone()
    }

    /// The next request of this path is answered no more, nor is anything after it.
    fn gone_after(&self, path: &str, at: Moment) -> testbed::RuleId {
        for (method, question) in [
            ("GET", "/"),
            ("POST", "/v1/checkstate"),
            ("POST", "/v1/restore"),
            ("POST", "/v1/mint"),
        ] {
            self.proxy.fail(Rule::new(method, question, Moment::BeforeRequest).every());
        }
        let gone = self.proxy.fail(Rule::new("POST", path, at));
        self.proxy.fail(Rule::new("POST", path, Moment::BeforeRequest).every());
        gone
    }

    async fn later(self, clock: fn() -> u64) -> Self {
        let home = self.agent.close().await;
        Self { agent: Agent::at(home, clock), ..self }
    }

    async fn left(&self) -> u64 {
        sats(&self.agent.ok("get_balance", json!({})).await["limits"], "left_24h_sats")
    }

    async fn give_up(&self, id: &Value) {
        let wallet = self.agent.wallet().await;
        let id = id.as_str().unwrap();
        let told = may_give_up(&wallet.recovery().may_give_up(id).await.unwrap()).join("\n");
        assert!(
            told.contains("no answer settled it")
                && told.contains(&format!("payments revive {id}")),
            "{told}"
        );
        wallet.recovery().give_up(id).await.unwrap();
    }

    /// What the owner is shown: why, of each.
    async fn open(&self) -> Vec<(String, &'static str)> {
        let open =
            OpenView::from(self.agent.wallet().await.recovery().undecided().await.unwrap()).open;
        open.into_iter().map(|entry| (entry.id, entry.why)).collect()
    }
}

fn a_day_later() -> u64 {
    clock::now() + 87_000
}

#[tokio::test]
async fn a_payment_that_is_given_up_counts_for_a_day_and_ends_as_its_mint_says_when_it_comes_back()
{
    for (at, state) in [(Moment::AfterMint, "settled"), (Moment::BeforeRequest, "failed")] {
        let scene = Scene::new().await;
        let id = scene.pays(at).await;
        let name = id.as_str().unwrap().to_owned();
        let (held, left) = (holdings(&scene.agent).await, scene.left().await);
        assert!(held.pending >= 50 && left <= DAY_SATS - 50, "{held:?} {left}");
        assert_eq!(scene.open().await, [(name.clone(), "its mint is not answering")]);

        // A day changes nothing, as long as it is open.
        let scene = scene.later(a_day_later).await;
        assert_eq!(
            (scene.left().await, holdings(&scene.agent).await.pending),
            (left, held.pending)
        );
        let scene = scene.later(clock::now).await;
        scene.give_up(&id).await;
        let after = holdings(&scene.agent).await;
        assert_eq!((after.spendable, after.pending, scene.left().await), (held.spendable, 0, left));
        let refused = scene
            .agent
            .refused("send_token", json!({"amount_sats": left + 1}), "over_budget")
            .await;
        assert!(
            refused.retry_after_seconds.is_some_and(|seconds| seconds <= 86_400),
            "it leaves the window: {refused:?}"
        );

        let scene = scene.later(a_day_later).await;
        assert_eq!(scene.left().await, DAY_SATS);
        let asked = scene.proxy.exchanges().len();
        scene.agent.wallet().await.recovery().settle().await.unwrap();
        assert!(
            !scene.agent.wallet().await.recovery().has_open().await,
            "nothing keeps the process"
        );
        let shown = scene.agent.payment_within(&id, 1).await;
        has(&shown, json!({"state": "pending", "final": false}));
        assert_eq!(shown["pending_reason"], "outcome_unknown");
        assert!(shown["next_step"].as_str().unwrap().contains("given it up"), "{shown}");
        let again = scene.agent.ok("pay", json!({"to": scene.invoice})).await;
        has(&again, json!({"state": "pending", "replayed": true, "payment_id": id}));
        assert_eq!(scene.proxy.exchanges().len(), asked, "its mint is not asked");
        assert_eq!(scene.open().await, [(name.clone(), "you have given it up")]);

        // The mint is back. All that it has signed is looked through, and still the coins are the
        // payment's.
        scene.proxy.clear();
        let wallet = scene.agent.wallet().await;
        wallet
            .recovery()
            .recheck(nutpurse::testing::wallet::engine::recheck::Which::All, |_| ())
            .await
            .unwrap();
        assert_eq!(holdings(&scene.agent).await.spendable, held.spendable);
        wallet.recovery().take_up(&name).await.unwrap();
        let ended = scene.agent.ended(&id).await;
        assert_eq!(ended["state"], state, "{ended}");
        assert!(scene.open().await.is_empty());
        let mut changes = wallet.changes();
        while wallet.recovery().has_open().await {
            tokio::time::timeout(std::time::Duration::from_secs(30), changes.changed())
                .await
                .unwrap()
                .unwrap();
        }
        let sum = conserved(state, &scene.mint.auditor(), &[&scene.agent]).await;
        assert_eq!(sum.pending, 0);
        let cost =
            if state == "settled" { sats(&scene.agent.ended(&id).await, "total_sats") } else { 0 };
        assert_eq!(scene.left().await, DAY_SATS - cost);
        let melts = scene.mint.auditor().melts().unwrap();
        assert_eq!(
            melts.iter().filter(|melt| melt.state == "PAID").count(),
            usize::from(state == "settled")
        );
        let told = Error::from(wallet.recovery().take_up(&name).await.unwrap_err());
        assert!(told.message.contains("not given up"), "{told}");
    }
}

#[tokio::test]
async fn what_was_given_up_is_taken_up_after_a_restart_and_stays_given_up_over_one() {
    let scene = Scene::new().await;
    let id = scene.pays(Moment::AfterMint).await;
    scene.give_up(&id).await;
    let home = scene.agent.close().await;
    let agent = Agent::reopen(home);
    assert_eq!(holdings(&agent).await.pending, 0);
    agent.wallet().await.recovery().take_up(id.as_str().unwrap()).await.unwrap();
    assert!(holdings(&agent).await.pending > 0);
    scene.proxy.clear();
    let agent = Agent::two_minutes_later(agent.close().await);
    assert_eq!(agent.ended(&id).await["state"], "settled");
}

#[tokio::test]
async fn a_payment_whose_mint_answers_is_not_given_up() {
    let scene = Scene::new().await;
    let held = scene.lightning.payee("shop").invoice(20, "held").unwrap();
    scene.lightning.set_behaviour_of(held.payment_hash(), Behaviour::Pending);
    let late = scene.proxy.fail(Rule::new("POST", MELT, Moment::HoldThenDeliver));
    let pending = scene.agent.ok("pay", json!({"to": held.to_string()})).await;
    assert_eq!(
        (pending["state"].as_str(), scene.proxy.fired(late)),
        (Some("pending"), 1),
        "{pending}"
    );
    let (wallet, id) = (scene.agent.wallet().await, pending["payment_id"].as_str().unwrap());
    let scene = Arc::new(scene);
    let mint_side = Arc::clone(&scene);
    let delivered = tokio::spawn(async move { mint_side.proxy.deliver().await.unwrap() });
    scene.lightning.attempted(held.payment_hash()).await;
    while scene.agent.payment_within(&id, 1).await["pending_reason"] != "payee_holds" {}
    assert_eq!(scene.open().await, [(id.to_owned(), "the payee holds it")]);
    let refused = Error::from(wallet.recovery().may_give_up(id).await.unwrap_err());
    assert!(
        refused.message.contains("Its mint answers") && refused.message.contains("next start"),
        "{refused}"
    );
    scene.lightning.settle(held.payment_hash());
    assert_eq!(scene.agent.ended(&pending["payment_id"]).await["state"], "settled");
    delivered.await.unwrap();
    for (id, code) in [
        (id, "invalid_input"),
        ("pay_aaaaaaaaaaaaaaaaaaaa", "not_found"),
        ("x", "not_found"),
        ("dep_aaaaaaaaaaaaaaaaaaaa", "invalid_input"),
    ] {
        assert_eq!(
            Error::from(wallet.recovery().may_give_up(id).await.unwrap_err()).code.as_str(),
            code,
            "{id}"
        );
        assert_eq!(
            Error::from(wallet.recovery().give_up(id).await.unwrap_err()).code.as_str(),
            code,
            "{id}"
        );
    }
}

#[tokio::test]
async fn answers_that_end_nothing_for_a_week_are_as_good_as_none() {
    let scene = Scene::new().await;
    let id = scene.pays(Moment::BeforeRequest).await;
    scene.proxy.clear();
    // It calls the payment unpaid, and takes no swap that would end it.
    let no_swaps = scene.proxy.fail(Rule::new("POST", SWAP, Moment::BeforeRequest).every());
    let scene = scene.later(|| clock::now() + 120).await;
    let wallet = scene.agent.wallet().await;
    scene.proxy.reached(no_swaps).await;
    let refused =
        Error::from(wallet.recovery().may_give_up(id.as_str().unwrap()).await.unwrap_err());
    assert!(refused.message.contains("Its mint answers"), "{refused}");
    let scene = scene.later(|| clock::now() + 8 * 86_400).await;
    let wallet = scene.agent.wallet().await;
    let told =
        may_give_up(&wallet.recovery().may_give_up(id.as_str().unwrap()).await.unwrap()).join("\n");
    assert!(told.contains("for more than a week"), "{told}");
    assert_eq!(
        scene.open().await,
        [(id.as_str().unwrap().to_owned(), "no answer from its mint has settled it for a week")]
    );
    wallet.recovery().give_up(id.as_str().unwrap()).await.unwrap();
    assert_eq!((holdings(&scene.agent).await.pending, scene.left().await), (0, DAY_SATS));
    scene.proxy.clear();
    wallet.recovery().take_up(id.as_str().unwrap()).await.unwrap();
    assert_eq!(scene.agent.ended(&id).await["state"], "failed");
    conserved("a swap that was given up", &scene.mint.auditor(), &[&scene.agent]).await;
}

#[tokio::test]
async fn tokens_on_their_way_out_and_in_are_given_up_and_taken_up_too() {
    let scene = Scene::new().await;
    let friend = Agent::new([scene.proxy.url()]);
    fund(&friend, 300).await;
    let gift = friend.ok("send_token", json!({"amount_sats": 33})).await;
    let own = scene.agent.ok("send_token", json!({"amount_sats": 1, "lock_to": NOBODY})).await;
    assert_eq!(own["state"], "settled", "its keysets are known");

    scene.gone_after(SWAP, Moment::AfterMint);
    let sent = scene.agent.ok("send_token", json!({"amount_sats": 20, "lock_to": NOBODY})).await;
    assert_eq!(sent["state"], "pending", "{sent}");
    let taken = scene.agent.ok("receive_token", json!({"token": gift["token"]})).await;
    assert_eq!(taken["state"], "pending", "{taken}");
    let (sent, taken) = (sent["payment_id"].clone(), taken["receive_id"].clone());
    scene.give_up(&sent).await;
    scene.give_up(&taken).await;
    assert_eq!(holdings(&scene.agent).await.pending, 0);
    assert!(!scene.agent.wallet().await.recovery().has_open().await);
    let shown = scene.agent.ok("receive_token", json!({"token": gift["token"]})).await;
    has(&shown, json!({"state": "pending", "receive_id": taken}));
    assert!(shown["next_step"].as_str().unwrap().contains("given it up"), "{shown}");

    scene.proxy.clear();
    let wallet = scene.agent.wallet().await;
    for id in [&sent, &taken] {
        wallet.recovery().take_up(id.as_str().unwrap()).await.unwrap();
    }
    assert_eq!(scene.agent.ended(&sent).await["state"], "settled");
    assert_eq!(scene.agent.ended(&taken).await["state"], "received");
    friend.payment(&gift["payment_id"]).await;
    conserved("tokens", &scene.mint.auditor(), &[&scene.agent, &friend]).await;
}

#[tokio::test]
async fn a_person_gives_up_by_command_and_an_agents_shell_does_not() {
    let scene = Scene::new().await;
    let id = scene.pays(Moment::BeforeRequest).await.as_str().unwrap().to_owned();
    let home: Arc<Home> = scene.agent.close().await;
    let (same, line) = (Arc::clone(&home), id.clone());
    tokio::task::spawn_blocking(move || {
        use crate::confirm::{answer, command, policy_entries};
        use crate::world::binary;
        let shown = binary::done(&same, &["payments", "open"]);
        assert!(
            shown.contains(&line)
                && shown.contains("its mint is not answering")
                && shown.contains("give-up"),
            "{shown}"
        );
        let give_up = ["payments", "give-up", &line];
        let output = binary::run(command(&same, &give_up), "yes\n");
        assert!(
            !output.status.success()
                && String::from_utf8_lossy(&output.stderr).contains("only a person")
        );
        let (shown, done) = answer(&same, &give_up, |_| "no".to_owned());
        assert!(!done && policy_entries(&same).is_empty(), "{shown}");
        let (shown, done) = answer(&same, &give_up, str::to_owned);
        assert!(done && shown.contains("It is not known whether it was paid"), "{shown}");
        assert_eq!(policy_entries(&same).len(), 1);
        let shown = binary::done(&same, &["payments", "open"]);
        assert!(shown.contains("you have given it up"), "{shown}");
        let output = binary::run(command(&same, &give_up), "");
        assert!(String::from_utf8_lossy(&output.stderr).contains("It is not open"));
        let shown = binary::done(&same, &["payments", "revive", &line]);
        assert!(shown.contains("open again") && policy_entries(&same).len() == 2, "{shown}");
    })
    .await
    .unwrap();
    scene.proxy.clear();
    let agent = Agent::two_minutes_later(home);
    assert_eq!(agent.ended(&json!(id)).await["state"], "failed");
    conserved("by command", &scene.mint.auditor(), &[&agent]).await;
}
