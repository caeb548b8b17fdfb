//! The real binary, killed at each boundary of a request to its mint: what it leaves behind is
//! ended at the next start, and no coin is lost or spent twice.

use std::sync::Arc;

use serde_json::{Value, json};
use testbed::harness::Client;
use testbed::{Lightning, Moment, Proxy, Rule, TestMint};

use crate::world::{Agent, Child, Home, conserved, fund, has, has_for, mint, sats};

/// One request of a verb: its method and the beginning of its path.
type Boundary = (&'static str, &'static str);

struct Scene {
    what: String,
    lightning: Lightning,
    mint: TestMint,
    proxy: Proxy,
    home: Arc<Home>,
    friend: Agent,
}

impl Scene {
    /// A wallet with money, closed, and a friend with some, both at a mint behind a proxy.
    async fn set(verb: &str, (method, path): Boundary, at: Moment) -> Self {
        let (lightning, mint) = mint().await;
        let proxy = Proxy::start(&mint.url()).await.unwrap();
        let agent = Agent::new([proxy.url()]);
        let friend = Agent::new([proxy.url()]);
        fund(&friend, 600).await;
        let token = friend.ok("send_token", json!({"amount_sats": 510})).await;
        agent.ok("receive_token", json!({"token": token["token"]})).await;
        friend.payment(&token["payment_id"]).await;
        let home = agent.close().await;
        Self {
            what: format!("{verb}, {method} {path}, {at:?}"),
            lightning,
            mint,
            proxy,
            home,
            friend,
        }
    }

    /// Starts the binary, calls a tool and kills it at this moment of this request.
    async fn kill(
        &self,
        (method, path): Boundary,
        at: Moment,
        tool: &'static str,
        arguments: Value,
    ) {
        let child = Child::alone(&self.home).await;
        // Its keys and keysets are there before the request that counts.
        child.call("get_balance", json!({})).await.unwrap();
        let rule = self.proxy.fail(Rule::new(method, path, at).then(child.killer()));
        let answer = child.call(tool, arguments).await;
        self.proxy.reached(rule).await;
        self.proxy.clear();
        println!(
            "{}: killed, answered {}",
            self.what,
            answer.map_or_else(|| "nothing".to_owned(), |answer| answer["state"].to_string())
        );
        child.gone().await;
    }

    /// Two minutes later it is started again.
    fn wake(&self) -> Agent {
        Agent::two_minutes_later(Arc::clone(&self.home))
    }

    async fn conserved(&self, agent: &Agent) {
        self.friend.look_at_tokens().await.unwrap();
        let sum = conserved(&self.what, &self.mint.auditor(), &[agent, &self.friend]).await;
        assert_eq!(sum.pending, 0, "{}: nothing is left open", self.what);
        let invoice = self.lightning.payee("after").invoice(3, "after all").unwrap().to_string();
        assert_eq!(
            agent.ok("pay", json!({"to": invoice})).await["state"],
            "settled",
            "{}",
            self.what
        );
        conserved(&self.what, &self.mint.auditor(), &[agent, &self.friend]).await;
    }
}

const SIDES: [Moment; 2] = [Moment::BeforeRequest, Moment::AfterMint];
const SWAP: Boundary = ("POST", "/v1/swap");

async fn kill_a_deposit(at: Boundary, side: Moment) {
    let scene = Scene::set("deposit", at, side).await;
    let child_home = Arc::clone(&scene.home);
    if at.1 == "/v1/mint/quote/bolt11" && at.0 == "POST" {
        scene.kill(at, side, "deposit", json!({"amount_sats": 100})).await;
        let agent = scene.wake();
        agent.refused("get_deposit", json!({}), "not_found").await;
        fund(&agent, 100).await;
        return scene.conserved(&agent).await;
    }
    let child = Child::alone(&child_home).await;
    let rule = scene.proxy.fail(Rule::new(at.0, at.1, side).then(child.killer()));
    let made = child.call("deposit", json!({"amount_sats": 100})).await;
    child.call("get_deposit", json!({"wait_seconds": 45})).await;
    scene.proxy.reached(rule).await;
    scene.proxy.clear();
    child.gone().await;
    println!("{}: killed, had made {}", scene.what, made.is_some());
    let agent = scene.wake();
    let deposit = agent.ok("get_deposit", json!({"wait_seconds": 30})).await;
    has_for(&scene.what, &deposit, json!({"state": "received", "received_sats": 100}));
    scene.conserved(&agent).await;
}

#[tokio::test]
async fn a_wallet_killed_in_a_deposit_has_all_of_it_afterwards() {
    for at in [
        ("POST", "/v1/mint/quote/bolt11"),
        ("GET", "/v1/mint/quote/bolt11"),
        ("POST", "/v1/mint/bolt11"),
    ] {
        for side in SIDES {
            kill_a_deposit(at, side).await;
        }
    }
}

#[tokio::test]
async fn a_wallet_killed_in_a_payment_has_paid_once_or_can_pay_again() {
    for at in [("POST", "/v1/melt/quote/bolt11"), ("POST", "/v1/melt/bolt11")] {
        for side in SIDES {
            let scene = Scene::set("pay", at, side).await;
            let shop = scene.lightning.payee("shop");
            let invoice = shop.invoice(50, "once").unwrap();
            let (call, hash) =
                (json!({"to": invoice.to_string()}), invoice.payment_hash().to_string());
            scene.kill(at, side, "pay", call.clone()).await;

            let begun = at.1 == "/v1/melt/bolt11";
            let paid = begun && side == Moment::AfterMint;
            let soon = Agent::reopen(Arc::clone(&scene.home));
            if begun && !paid {
                let open =
                    soon.ok("get_payment", json!({"payment_hash": hash, "wait_seconds": 6})).await;
                assert_eq!(open["state"], "pending", "only time lets it be cancelled: {open}");
                let again = soon.ok("pay", call.clone()).await;
                has(&again, json!({"state": "pending", "replayed": true}));
            }
            soon.close().await;
            let agent = scene.wake();
            if begun {
                let known = agent.ok("get_payment", json!({"payment_hash": hash})).await;
                let ended = agent.ended(&known["payment_id"]).await;
                println!("{}: {} {}", scene.what, ended["state"], ended["error"]);
                assert_eq!(ended["state"], if paid { "settled" } else { "failed" }, "{ended}");
            } else {
                agent.refused("get_payment", json!({"payment_hash": hash}), "not_found").await;
            }
            let again = agent.ok("pay", call).await;
            has(&again, json!({"state": "settled", "replayed": paid}));
            let made = scene.mint.auditor().paid().unwrap();
            assert_eq!((made.len(), shop.received()), (1, 50), "{}", scene.what);
            assert_eq!(
                sats(&again, "fee_sats"),
                made[0].fee_sats,
                "{}: the fee as it was",
                scene.what
            );
            assert_eq!(again["proof"], "preimage");
            scene.conserved(&agent).await;
        }
    }
}

#[tokio::test]
async fn a_wallet_killed_while_it_makes_a_token_has_made_it_once() {
    for side in SIDES {
        let scene = Scene::set("send", SWAP, side).await;
        let call = json!({"amount_sats": 21, "idempotency_key": "gift"});
        scene.kill(SWAP, side, "send_token", call.clone()).await;
        let agent = scene.wake();
        let made = agent.ok("get_payment", json!({"idempotency_key": "gift"})).await;
        let made = agent.ended(&made["payment_id"]).await;
        assert_eq!(made["state"], "settled", "{}: {made}", scene.what);
        let again = agent.ok("send_token", call).await;
        assert_eq!(again["token"], made["token"]);
        assert_eq!(
            scene.friend.ok("receive_token", json!({"token": made["token"]})).await["state"],
            "received"
        );
        let claimed = agent.payment(&made["payment_id"]).await;
        assert_eq!(claimed["claimed"], true, "{claimed}");
        scene.conserved(&agent).await;
    }
}

#[tokio::test]
async fn a_wallet_killed_while_it_takes_a_token_in_has_it_afterwards() {
    for side in SIDES {
        let scene = Scene::set("receive", SWAP, side).await;
        let token =
            scene.friend.ok("send_token", json!({"amount_sats": 40})).await["token"].clone();
        scene.kill(SWAP, side, "receive_token", json!({"token": token})).await;
        let agent = scene.wake();
        let again = agent.ok("receive_token", json!({"token": token})).await;
        let ended = agent.ended(&again["receive_id"]).await;
        assert_eq!(ended["state"], "received", "{}: {ended}", scene.what);
        scene.conserved(&agent).await;
    }
}

#[tokio::test]
async fn a_wallet_killed_while_it_takes_its_token_back_has_it_back() {
    for side in SIDES {
        let scene = Scene::set("reclaim", SWAP, side).await;
        let agent = Agent::reopen(Arc::clone(&scene.home));
        let sent = agent.ok("send_token", json!({"amount_sats": 21})).await;
        agent.close().await;
        scene.kill(SWAP, side, "reclaim_token", json!({"payment_id": sent["payment_id"]})).await;
        let agent = scene.wake();
        let ended = agent.ended(&sent["payment_id"]).await;
        assert_eq!(ended["state"], "returned", "{}: {ended}", scene.what);
        scene.friend.refused("receive_token", json!({"token": sent["token"]}), "token_spent").await;
        scene.conserved(&agent).await;
    }
}
