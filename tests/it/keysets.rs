//! Keysets that are not what they were, or another mint's: nothing is signed for them, and nothing
//! is lost.

use std::sync::Arc;

use serde_json::{Value, json};
use testbed::harness::lies::keysets;
use testbed::{KeysetLie, Lie, MintOptions};

use crate::lies::Scene;
use crate::world::{Agent, Home, conserved, fund, holdings, mint_with};

#[tokio::test(flavor = "multi_thread")]
async fn keysets_that_are_not_what_they_were_do_not_count() {
    let scene = Scene::new(1_000).await;
    let info: Value = scene
        .proxy
        .exchanges()
        .iter()
        .find(|one| one.path == "/v1/keysets")
        .unwrap()
        .response
        .clone();
    let id = info["keysets"][0]["id"].as_str().unwrap().to_owned();
    println!("the mint's keyset is {id}");
    for lie in keysets(&id) {
        let told = scene.liar.told();
        scene.liar.tell(Lie::Keysets(lie.clone()));
        scene.agent.wallet().await.refresh_mints().await;
        let invoice = scene.lightning.payee("shop").invoice(10, "").unwrap().to_string();
        let paid = scene.agent.ok("pay", json!({"to": invoice})).await;
        assert_eq!(paid["state"], "settled", "{lie:?}: {paid}");
        if lie != KeysetLie::Keys {
            scene.end(told, &format!("{lie:?}"));
        }
        scene.liar.stop();
        conserved(&format!("{lie:?}"), &scene.mint.auditor(), &[&scene.agent]).await;
    }
    let scene = scene.later().await;
    conserved("after a restart", &scene.mint.auditor(), &[&scene.agent]).await;
    scene.all_is_good().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_mint_with_the_firsts_keys_gets_no_signature_request() {
    let seed = Some([7; 32]);
    let (_one, honest) = mint_with(MintOptions { seed, ..MintOptions::named("honest") }).await;
    let (_two, copy) = mint_with(MintOptions { seed, ..MintOptions::named("copy") }).await;
    let home = Home::at([honest.url(), copy.url()]).unwrap();
    let agent = Agent::open(home);
    fund(&agent, 100).await;
    let _before = copy.take_requests();
    let refused = agent.call("deposit", json!({"amount_sats": 50, "mint": copy.url()})).await;
    if let Ok(deposit) = refused {
        agent.deposit_within(&deposit["deposit_id"], 3).await;
    }
    let asked = copy.take_requests();
    assert!(
        !asked.is_empty() && asked.iter().all(|one| one.route() != "POST /v1/mint/bolt11"),
        "{asked:?}"
    );
    assert_eq!(copy.auditor().by_state().unwrap().signed, 0);
    assert_eq!(holdings(&agent).await.spendable, 100);
    let _home: Arc<Home> = agent.close().await;
}
