//! The websocket of a mint is a hint: dropped, silent, closed or flooding, it delays nothing for
//! long and decides nothing.

use serde_json::json;
use testbed::harness::{Client, Outcome};
use testbed::must;
use testbed::{Moment, Rule};

use crate::scene::Scene;
use crate::table::Proof;
use crate::trial::Run;

/// F-029, as far as a hint can fail without speaking the protocol of hints.
pub(crate) async fn hints(run: Run) -> Outcome<Proof> {
    let mut fired = 0;
    let moments =
        [Moment::BeforeRequest, Moment::Hang, Moment::Status(500), Moment::Flood(1 << 26)];
    let verbatim = Rule::verbatim(
        "GET",
        "/v1/ws",
        *b"HTTP/1.1 101 Switching\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n\x81\x04PAID",
    );
    let rules =
        moments.map(|moment| Rule::new("GET", "/v1/ws", moment)).into_iter().chain([verbatim]);
    for rule in rules {
        let scene = Scene::set(&run).await?;
        let what = format!("{rule:?}");
        let rule = scene.proxy.fail(rule.every());
        let wallet = scene.funded(300).await.map_err(|error| format!("{what}: {error}"))?;
        let (invoice, hash) = scene.invoice(50)?;
        let paid = wallet.ok("pay", json!({"to": invoice})).await?;
        must!(paid.text("state") == "settled", "{what}: {paid}");
        scene.agrees(&paid, &hash)?;
        fired += scene.proxy.fired(rule);
        scene.conserved().await?;
    }
    // Cut in the middle, again and again.
    let scene = Scene::set(&run).await?;
    let wallet = scene.wallet()?;
    let cutting = async {
        for _ in 0..20 {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            scene.proxy.cut();
        }
        Ok(20)
    };
    let (_told, cuts): (_, Outcome<usize>) =
        tokio::join!(wallet.told("deposit", json!({"amount_sats": 90})), cutting);
    wallet.fund(100).await?;
    scene.conserved().await?;
    Ok(Proof::of(if fired == 0 { 0 } else { fired + cuts? }))
}
