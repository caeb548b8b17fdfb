//! A mint that lies: nothing is shown spendable that the mint refuses, and nothing is lost once the
//! lie stops.

use nutpurse::testing::wallet::core::clock;
use serde_json::{Value, json};
use testbed::harness::lies::{AGAIN, CLAIM, COINS, PAY, PRICE, RESTORED, SWAP, change, signatures};
use testbed::harness::{Client, NOBODY};
use testbed::{
    CoinLie, Liar, Lie, Lightning, MintOptions, Moment, Proxy, RestoreLie, Rule, SignatureLie,
    TestMint,
};

use crate::world::{Agent, conserved, fund, has, has_for, holdings, mint_with};

/// A wallet at a real mint that lies as told.
pub(crate) struct Scene {
    pub(crate) lightning: Lightning,
    pub(crate) mint: TestMint,
    pub(crate) proxy: Proxy,
    pub(crate) liar: Liar,
    pub(crate) agent: Agent,
}

impl Scene {
    pub(crate) async fn new(coins: u64) -> Self {
        let (lightning, mint) = mint_with(MintOptions::default()).await;
        let proxy = Proxy::start(&mint.url()).await.unwrap();
        let liar = Liar::before(&proxy);
        let agent = Agent::new([proxy.url()]);
        if coins > 0 {
            fund(&agent, coins).await;
        }
        Self { lightning, mint, proxy, liar, agent }
    }

    fn tell(&self, paths: &[&'static str], lie: &SignatureLie) -> usize {
        let told = self.liar.told();
        paths.iter().for_each(|path| self.liar.tell(Lie::signatures(path, lie.clone())));
        told
    }

    /// Locks a token to [`NOBODY`] while the swap stays unanswered and this lie is told. Returns the
    /// number of lies told before, and the answer.
    async fn unanswered(&self, moment: Moment, lie: Lie, what: &str) -> (usize, Value) {
        let rule = self.proxy.fail(Rule::new("POST", SWAP, moment));
        let told = self.liar.told();
        self.liar.tell(lie);
        let asked = json!({"amount_sats": 37, "memo": what, "lock_to": NOBODY});
        let made = self.agent.ok("send_token", asked).await;
        assert_eq!(
            (&made["state"], self.proxy.fired(rule)),
            (&json!("pending"), 1),
            "{what}: {made}"
        );
        (told, made)
    }

    /// The lie ends; it must have been told.
    pub(crate) fn end(&self, told: usize, what: &str) {
        self.liar.stop();
        assert!(self.liar.told() > told, "{what} was never told");
    }

    /// Ends the wallet and opens it again, when what waits for its time may go on.
    pub(crate) async fn later(self) -> Self {
        let Self { lightning, mint, proxy, liar, agent } = self;
        let home = agent.close().await;
        Self { lightning, mint, proxy, liar, agent: Agent::two_minutes_later(home) }
    }

    /// The same later still, when the mint is honest, and everything has come right.
    async fn later_and_right(self, what: &str) -> Self {
        let Self { lightning, mint, proxy, liar, agent } = self;
        let agent = Agent::at(agent.close().await, || clock::now() + 240);
        let mut changes = agent.wallet().await.changes();
        let right = async {
            while holdings(&agent).await.all() != mint.auditor().outstanding().unwrap() {
                changes.changed().await.unwrap();
            }
        };
        let _judged_below = tokio::time::timeout(std::time::Duration::from_secs(20), right).await;
        conserved(what, &mint.auditor(), &[&agent]).await;
        Self { lightning, mint, proxy, liar, agent }
    }

    /// What is shown spendable the mint accepts: it goes out as a token that a friend receives.
    pub(crate) async fn all_is_good(&self) {
        let friend = Agent::new([self.proxy.url()]);
        Client::all_is_good(&self.agent, &friend).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deposit_with_wrong_signatures_is_not_received_and_comes_in_when_they_are_right() {
    let scene = Scene::new(0).await;
    for (number, lie) in signatures().iter().enumerate() {
        let before = holdings(&scene.agent).await.spendable;
        let told = scene.tell(&[CLAIM, AGAIN], lie);
        let deposit = scene.agent.ok("deposit", json!({"amount_sats": 100})).await;
        let id = &deposit["deposit_id"];
        let shown = scene.agent.deposit_within(&id, 1).await;
        assert_ne!(shown["state"], "received", "{lie:?}: {shown}");
        assert_eq!(holdings(&scene.agent).await.spendable, before, "{lie:?}");
        scene.end(told, &format!("{lie:?}"));
        let shown = scene.agent.deposit_within(&id, 30).await;
        has_for(format!("{lie:?}"), &shown, json!({"state": "received", "received_sats": 100}));
        assert_eq!(holdings(&scene.agent).await.spendable, 100 * (number as u64 + 1), "{lie:?}");
    }
    conserved(
        "after every lie about a deposit's signatures",
        &scene.mint.auditor(),
        &[&scene.agent],
    )
    .await;
    scene.all_is_good().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_made_with_wrong_signatures_is_not_handed_out_until_they_are_right() {
    let mut scene = Scene::new(2_000).await;
    for lie in signatures() {
        let told = scene.tell(&[SWAP, AGAIN], &lie);
        let made = scene
            .agent
            .ok(
                "send_token",
                json!({"amount_sats": 37, "memo": format!("{lie:?}"), "lock_to": NOBODY}),
            )
            .await;
        has_for(format!("{lie:?}"), &made, json!({"state": "pending", "token": null}));
        scene.end(told, &format!("{lie:?}"));
        scene = scene.later().await;
        let shown = scene.agent.ended(&made["payment_id"]).await;
        assert_eq!(shown["state"], "settled", "{lie:?}: {shown}");
        conserved(&format!("{lie:?}"), &scene.mint.auditor(), &[&scene.agent]).await;
    }
    scene.all_is_good().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_taken_in_with_wrong_signatures_is_ours_when_they_are_right() {
    let mut scene = Scene::new(0).await;
    let friend = Agent::new([scene.proxy.url()]);
    fund(&friend, 2_000).await;
    for lie in signatures() {
        let gift =
            friend.ok("send_token", json!({"amount_sats": 37, "memo": format!("{lie:?}")})).await;
        let before = holdings(&scene.agent).await.spendable;
        let told = scene.tell(&[SWAP, AGAIN], &lie);
        let taken = scene.agent.ok("receive_token", json!({"token": gift["token"]})).await;
        assert_ne!(taken["state"], "received", "{lie:?}: {taken}");
        assert_eq!(holdings(&scene.agent).await.spendable, before, "{lie:?}");
        scene.end(told, &format!("{lie:?}"));
        scene = scene.later().await;
        let shown = scene.agent.payment_within(&taken["receive_id"], 30).await;
        assert_eq!(shown["state"], "received", "{lie:?}: {shown}");
    }
    scene.agent.ok("get_balance", json!({})).await;
    scene.all_is_good().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_change_makes_no_coins_and_a_payment_stays_paid() {
    let mut scene = Scene::new(5_000).await;
    for lie in change() {
        let invoice = scene.lightning.payee("shop").invoice(300, "").unwrap().to_string();
        let told = scene.tell(&[PAY, PRICE, AGAIN], &lie);
        let paid = scene.agent.ok("pay", json!({"to": invoice})).await;
        assert_eq!(paid["state"], "settled", "{lie:?}: {paid}");
        let held = holdings(&scene.agent).await;
        assert!(held.spendable <= scene.mint.auditor().outstanding().unwrap(), "{lie:?}: {held:?}");
        scene.end(told, &format!("{lie:?}"));
        scene = scene.later_and_right(&format!("{lie:?}")).await;
        assert_eq!(holdings(&scene.agent).await.pending, 0, "{lie:?}");
    }
    scene.all_is_good().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn signatures_given_again_count_only_when_they_are_all_of_ours() {
    let mut scene = Scene::new(2_000).await;
    for lie in RESTORED {
        let what = format!("{lie:?}");
        let (told, made) = scene.unanswered(Moment::AfterMint, Lie::Restored(lie), &what).await;
        scene = scene.later().await;
        let shown = scene.agent.payment_within(&made["payment_id"], 2).await;
        let true_in_another_order = lie == RestoreLie::Reordered;
        assert_eq!(shown["state"] == "settled", true_in_another_order, "{lie:?}: {shown}");
        scene.end(told, &format!("{lie:?}"));
        scene = scene.later().await;
        let shown = scene.agent.ended(&made["payment_id"]).await;
        assert_eq!(shown["state"], "settled", "{lie:?}: {shown}");
        conserved(&format!("{lie:?}"), &scene.mint.auditor(), &[&scene.agent]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_answer_about_our_own_swap_loses_nothing() {
    let mut scene = Scene::new(500).await;
    let lie = Lie::Restored(RestoreLie::Empty);
    let (told, made) = scene.unanswered(Moment::AfterMint, lie, "nothing was signed").await;
    scene = scene.later().await;
    scene.agent.payment_within(&made["payment_id"], 2).await;
    scene.end(told, "nothing was signed");
    scene.later_and_right("after an empty answer").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_said_to_be_claimed_is_not_forgotten() {
    let mut scene = Scene::new(500).await;
    let made = scene.agent.ok("send_token", json!({"amount_sats": 64})).await;
    let told = scene.liar.told();
    scene.liar.tell(Lie::Coins(CoinLie::All("SPENT")));
    scene = scene.later().await;
    scene.agent.wallet().await.recovery().settle().await.unwrap();
    scene.agent.payment_within(&made["payment_id"], 1).await;
    scene.end(told, "all coins are spent");
    scene = scene.later_and_right("after a lie about claimed coins").await;
    let shown = scene.agent.payment(&made["payment_id"]).await;
    has(&shown, json!({"claimed": false, "token": made["token"]}));
}

#[tokio::test(flavor = "multi_thread")]
async fn states_that_no_mint_can_give_decide_nothing() {
    let mut scene = Scene::new(2_000).await;
    for lie in COINS {
        let what = format!("{lie:?}");
        let (told, made) = scene.unanswered(Moment::BeforeRequest, Lie::Coins(lie), &what).await;
        scene = scene.later().await;
        let shown = scene.agent.payment_within(&made["payment_id"], 2).await;
        assert_eq!(shown["state"], "pending", "{lie:?}: {shown}");
        scene.end(told, &format!("{lie:?}"));
        scene = scene.later().await;
        let shown = scene.agent.ended(&made["payment_id"]).await;
        assert_eq!(shown["state"], "settled", "{lie:?}: {shown}");
        conserved(&format!("{lie:?}"), &scene.mint.auditor(), &[&scene.agent]).await;
    }
}
