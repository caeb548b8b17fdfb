//! Rows F-041 to F-049: keysets that change or are another's, deposits that are not what they are
//! said to be, signatures given again, addresses that lead elsewhere, units.

use serde_json::{Value, json};
use testbed::harness::input::{LONG_AGO, TEST_NETWORKS, renamed};
use testbed::harness::lies::{AGAIN, CLAIM, PAY, PRICE, QUOTE, RESTORED, SWAP};
use testbed::harness::{Client, Holdings, NOBODY, Outcome, WIDE};
use testbed::must;
use testbed::{
    Detour, InvoiceSpec, KeysetLie, Liar, Lie, Lightning, MintOptions, Moment, Proxy, RestoreLie,
    Rule, SignatureLie, TestMint, collision,
};

use crate::stage::Stage;
use crate::trial::Run;

/// The keyset is rotated while a request is on its way: planned anew or refused, and the old coins
/// are good.
pub(crate) async fn f041(run: Run) -> Outcome<usize> {
    let stage = Stage::new(&run, 5_000).await?;
    let friend = stage.friend(500).await?;
    let proxy = &stage.scene.proxy;
    let gift = friend.ok("send_token", json!({"amount_sats": 100})).await?;
    let mut fired = 0;
    for (path, tool, arguments) in [
        (SWAP, "send_token", json!({"amount_sats": 33, "lock_to": NOBODY})),
        (SWAP, "receive_token", json!({"token": gift.text("token")})),
        (PAY, "pay", json!({"to": stage.invoice(100)?})),
        (PRICE, "pay", json!({"to": stage.invoice(100)?})),
    ] {
        let rule = proxy.fail(Rule::new("POST", path, Moment::HoldBefore));
        let (told, rotated) = tokio::join!(stage.wire.told(tool, arguments), async {
            proxy.reached(rule).await;
            let rotated = stage.rotate(100).await;
            proxy.release(rule);
            rotated
        });
        rotated?;
        let told = told?;
        must!(!told.is_error || told.text("money_moved") == "no", "{tool} at {path}: {told}");
        must!(
            told.is_error || ["settled", "received"].contains(&told.text("state")),
            "{tool} at {path}: {told}"
        );
        fired += proxy.fired(rule);
        stage.conserved().await?;
    }
    let rule = proxy.fail(Rule::new("POST", CLAIM, Moment::HoldBefore));
    let deposit = stage.wire.ok("deposit", json!({"amount_sats": 200})).await?;
    let (done, rotated) = tokio::join!(stage.wire.receives(&deposit), async {
        proxy.reached(rule).await;
        let rotated = stage.rotate(100).await;
        proxy.release(rule);
        rotated
    });
    rotated?;
    done?;
    stage.conserved().await?;
    stage.all_is_good().await?;
    Ok(fired + proxy.fired(rule))
}

/// All keysets vanish, also over a restart, and come back: the coins are kept, and good.
pub(crate) async fn f042(run: Run) -> Outcome<usize> {
    let stage = Stage::new(&run, 5_000).await?;
    stage.liar.tell(Lie::Keysets(KeysetLie::Gone));
    stage.rotate(100).await?;
    stage.wire.told("send_token", json!({"amount_sats": 33, "lock_to": NOBODY})).await?;
    stage.wire.restart().await?;
    must!(stage.wire.holds().await?.all() >= 4_960, "the coins are still shown");
    stage.wire.told("pay", json!({"to": stage.invoice(100)?})).await?;
    stage.conserved().await?;
    let told = stage.liar.told();
    stage.liar.stop();
    stage.wire.restart().await?;
    let paid = stage.wire.told("pay", json!({"to": stage.invoice(101)?})).await?;
    must!(paid.text("state") == "settled", "{paid}");
    stage.conserved().await?;
    stage.all_is_good().await?;
    Ok(told)
}

/// Spending a coin costs a thousand sats from now on: nothing is paid at that price.
pub(crate) async fn f043(run: Run) -> Outcome<usize> {
    let stage =
        Stage::with(&run, MintOptions { input_fee_ppk: 0, ..MintOptions::default() }, 5_000, WIDE)
            .await?;
    let before = stage.wire.holds().await?;
    stage.liar.tell(Lie::Keysets(KeysetLie::Fee(1_000_000)));
    let rule = stage.scene.proxy.fail(Rule::new("POST", SWAP, Moment::HoldBefore));
    let (told, rotated) = tokio::join!(
        stage.wire.told("send_token", json!({"amount_sats": 33, "lock_to": NOBODY})),
        async {
            stage.scene.proxy.reached(rule).await;
            let rotated = stage.rotate(0).await;
            stage.scene.proxy.release(rule);
            rotated
        }
    );
    rotated?;
    let told = told?;
    must!(told.sats("fee_sats") <= 5, "{told}");
    let paid = stage.wire.told("pay", json!({"to": stage.invoice(100)?})).await?;
    must!(
        paid.sats("fee_sats") <= 5 && (!paid.is_error || paid.text("money_moved") == "no"),
        "{paid}"
    );
    stage.wire.restart().await?;
    let paid = stage.wire.told("pay", json!({"to": stage.invoice(100)?})).await?;
    must!(
        paid.sats("fee_sats") <= 5 && (!paid.is_error || paid.text("money_moved") == "no"),
        "{paid}"
    );
    let lost = before.all() - stage.wire.holds().await?.all();
    must!(lost <= 200 + 3 * 5 + 5, "{lost} sats are gone");
    let fired = stage.liar.told().min(stage.scene.proxy.fired(rule));
    stage.liar.stop();
    stage.wire.restart().await?;
    stage.conserved().await?;
    let fees =
        Stage::with(&run, MintOptions { input_fee_ppk: 0, ..MintOptions::default() }, 5_000, WIDE)
            .await?;
    fees.rotate(1_000_000).await?;
    let paid = fees.wire.told("pay", json!({"to": fees.invoice(100)?})).await?;
    must!(paid.sats("fee_sats") <= 10, "{paid}");
    fees.conserved().await?;
    Ok(fired)
}

/// Another mint's keys, ids with the same derivation number, an id that is not that of its keys: no
/// output is made for them.
pub(crate) async fn f044(run: Run) -> Outcome<usize> {
    let mut fired = 0;
    for kind in ["copied", "collision", "keys"] {
        let stage = Stage::with(
            &run,
            MintOptions { seed: Some([7; 32]), ..MintOptions::named("honest") },
            0,
            WIDE,
        )
        .await?;
        let seed = if kind == "copied" { Some([7; 32]) } else { None };
        let other = TestMint::start(
            &stage.scene.lightning,
            MintOptions { seed, ..MintOptions::named("other") },
        )
        .await?;
        let proxy = Proxy::start(&other.url()).await?;
        let liar = Liar::before(&proxy);
        let wire = stage.scene.wallet_at(&[stage.url(), proxy.url()], WIDE)?;
        wire.fund(500).await?;
        match kind {
            "collision" => {
                for keyset in stage.mint()?.mint()?.keysets().keysets {
                    liar.tell(Lie::Keysets(KeysetLie::More(
                        collision(&keyset.id.to_string()).ok_or("an id")?,
                    )));
                }
            }
            "keys" => liar.tell(Lie::Keysets(KeysetLie::Keys)),
            _ => {}
        }
        let deposit = wire.told("deposit", json!({"amount_sats": 50, "mint": proxy.url()})).await?;
        if !deposit.is_error {
            let shown = wire.deposit_within(&deposit, 3).await?;
            must!(shown.text("state") != "received", "{kind}: {shown}");
        }
        if kind == "copied" {
            // A token of the honest mint's coins that names the copy: taken in there, it would sign
            // away counters.
            let token =
                wire.ok("send_token", json!({"amount_sats": 32, "mint": stage.url()})).await?;
            let moved = renamed(token.text("token"), &proxy.url())?;
            let taken = wire.told("receive_token", json!({"token": moved})).await?;
            must!(taken.is_error || taken.text("state") != "received", "{kind}: {taken}");
            wire.ok("reclaim_token", json!({"payment_id": token.text("payment_id")})).await?;
        }
        let asked = proxy.exchanges();
        must!(!asked.is_empty(), "{kind}: the other mint was never asked");
        must!(
            asked.iter().all(|one| one.path != CLAIM && one.path != SWAP),
            "{kind}: outputs were made for it"
        );
        must!(other.auditor().by_state()?.signed == 0, "{kind}: it has signed");
        must!(wire.holds().await?.all() <= 500, "{kind}: coins of it are counted");
        fired += if kind == "copied" { 1 } else { liar.told().min(1) };
        let paid = wire.ok("pay", json!({"to": stage.invoice(20)?})).await?;
        must!(
            paid.text("mint") == stage.url() && paid.text("state") == "settled",
            "{kind}: {paid}"
        );
    }
    must!(fired == 3, "not every lie was told: {fired}");
    Ok(fired)
}

/// A deposit is paid, or claimed, says the mint, and is not; a claim's answer is lost; it signs
/// less.
pub(crate) async fn f045(run: Run) -> Outcome<usize> {
    let stage = Stage::unpaid(&run).await?;
    let mut fired = 0;
    for word in ["PAID", "ISSUED"] {
        let before = stage.wire.holds().await?;
        let deposit = stage.wire.ok("deposit", json!({"amount_sats": 200})).await?;
        let told = stage.liar.told();
        for (field, value) in [
            ("amount_paid", json!(200)),
            ("amount_issued", json!(if word == "ISSUED" { 200 } else { 0 })),
        ] {
            stage.liar.tell(Lie::Field { path: QUOTE, field, value });
        }
        stage.liar.tell(Lie::states(QUOTE, &[word]));
        let shown = stage.wire.deposit_within(&deposit, 2).await?;
        must!(shown.text("state") != "received", "{word}, and nothing came: {shown}");
        let held = Holdings { incoming: before.incoming, ..stage.wire.holds().await? };
        must!(held == before, "{word}: the balance moved");
        must!(stage.liar.told() > told, "{word} was never told");
        stage.liar.stop();
        stage.wire.restart().await?;
        stage.pays(&deposit).await?;
        stage.conserved().await?;
    }
    fired += stage.liar.told();
    let deposit = stage.wire.ok("deposit", json!({"amount_sats": 200})).await?;
    let rule = stage.scene.proxy.fail(Rule::new("POST", CLAIM, Moment::AfterMint));
    stage.pays(&deposit).await?;
    must!(stage.scene.proxy.fired(rule) == 1, "the claim's answer was not lost");
    stage.conserved().await?;
    let deposit = stage.wire.ok("deposit", json!({"amount_sats": 200})).await?;
    [CLAIM, AGAIN]
        .iter()
        .for_each(|path| stage.liar.tell(Lie::signatures(path, SignatureLie::Fewer)));
    stage.scene.pay_from_outside(deposit.text("bolt11"))?;
    let shown = stage.wire.deposit_within(&deposit, 2).await?;
    must!(shown.text("state") != "received", "it signed less: {shown}");
    stage.liar.stop();
    stage.wire.receives(&deposit).await?;
    stage.conserved().await?;
    stage.all_is_good().await?;
    Ok(fired)
}

/// A deposit's invoice is for another amount, has run out, is of another network: it is not shown.
pub(crate) async fn f046(run: Run) -> Outcome<usize> {
    let stage = Stage::new(&run, 0).await?;
    // The wallet holds real money as far as it knows: only invoices of the main network will do.
    let wire = stage.real_wallet()?;
    let shop = stage.scene.lightning.payee("somebody");
    let mut invoices = vec![
        ("another amount", InvoiceSpec::sats(201, "")),
        ("no amount", InvoiceSpec::default()),
        ("expired", InvoiceSpec { created_at: Some(LONG_AGO), ..InvoiceSpec::sats(200, "") }),
    ];
    let of = |network| ("of a test network", InvoiceSpec { network, ..InvoiceSpec::sats(200, "") });
    invoices.extend(TEST_NETWORKS.map(of));
    for (what, spec) in invoices {
        stage.liar.tell(Lie::field(QUOTE, "request", shop.invoice_with(&spec)?.to_string()));
        let told = wire.told("deposit", json!({"amount_sats": 200})).await?;
        stage.liar.stop();
        must!(
            told.code() == "mint_refused" && told.text("bolt11").is_empty(),
            "an invoice {what}: {told}"
        );
    }
    stage.liar.tell(Lie::field(QUOTE, "request", "lnbc1 pay me at once"));
    let told = wire.told("deposit", json!({"amount_sats": 200})).await?;
    stage.liar.stop();
    must!(told.is_error, "{told}");
    let honest = wire.ok("deposit", json!({"amount_sats": 200})).await?;
    must!(honest.text("bolt11").starts_with("lnbc"), "{honest}");
    Ok(stage.liar.told())
}

/// Signatures given again: only an answer that covers every output once counts, and the record of
/// the swap is kept until there is one.
pub(crate) async fn f047(run: Run) -> Outcome<usize> {
    let stage = Stage::new(&run, 5_000).await?;
    let mut fired = 0;
    for lie in RESTORED {
        let rule = stage.scene.proxy.fail(Rule::new("POST", SWAP, Moment::AfterMint));
        let told = stage.liar.told();
        stage.liar.tell(Lie::Restored(lie));
        let sent = stage
            .wire
            .told(
                "send_token",
                json!({"amount_sats": 33, "memo": format!("{lie:?}"), "lock_to": NOBODY}),
            )
            .await?;
        must!(sent.text("state") == "pending", "{lie:?}: {sent}");
        stage.wire.restart().await?;
        let shown = stage.wire.payment_within(sent.text("payment_id"), 3).await?;
        let as_it_should = shown.text("state") == "pending" || lie == RestoreLie::Reordered;
        must!(as_it_should, "{lie:?}: {shown}");
        must!(stage.liar.told() > told, "{lie:?} was never told");
        fired += stage.scene.proxy.fired(rule);
        stage.liar.stop();
        stage.wire.restart().await?;
        stage.becomes(sent.text("payment_id"), "settled").await?;
        stage.conserved().await?;
    }
    stage.all_is_good().await?;
    Ok(fired)
}

/// The mint's address redirects, and its info names another key: nobody is followed, and the change
/// is told.
pub(crate) async fn f048(run: Run) -> Outcome<usize> {
    let canary = TestMint::start(&Lightning::new(), MintOptions::named("elsewhere")).await?;
    let stage = Stage::new(&run, 1_000).await?;
    let mut sent = 0;
    for status in [301, 302, 307, 308] {
        let detour = Detour::start(status, &canary.url()).await?;
        let wire = stage.scene.wallet_at(&[detour.url()], WIDE)?;
        let told = wire.told("deposit", json!({"amount_sats": 50})).await?;
        must!(told.is_error, "{status}: {told}");
        wire.ok("list_mints", json!({})).await?;
        sent += detour.sent();
    }
    must!(canary.requests().is_empty(), "a redirect was followed");
    stage.wire.ok("list_mints", json!({})).await?;
    stage.liar.tell(Lie::field("/v1/info", "pubkey", NOBODY));
    stage.wire.restart().await?;
    let listed = stage.wire.ok("list_mints", json!({})).await?;
    let told = stage.liar.told();
    stage.conserved().await?;
    must!(told > 0, "nobody asked for the mint's info");
    let changed = listed.value.pointer("/mints/0/identity_changed").and_then(Value::as_bool);
    must!(changed == Some(true), "the mint's new key is not told: {listed}");
    Ok(sent.min(told))
}

/// Keysets in other units, or in none: never counted, never mixed with sats.
pub(crate) async fn f049(run: Run) -> Outcome<usize> {
    let mut told = 0;
    for unit in ["msat", "usd", "eur"] {
        let stage = Stage::new(&run, 0).await?;
        stage.liar.tell(Lie::Keysets(KeysetLie::Unit(unit)));
        let deposit = stage.wire.told("deposit", json!({"amount_sats": 100})).await?;
        if !deposit.is_error {
            let shown = stage.wire.deposit_within(&deposit, 2).await?;
            must!(shown.text("state") != "received", "{unit}: {shown}");
        }
        must!(stage.wire.holds().await?.all() == 0, "{unit}: counted");
        told += stage.liar.told();
        stage.liar.stop();
        if !deposit.is_error {
            stage.wire.receives(&deposit).await?;
        }
        stage.conserved().await?;
    }
    let stage = Stage::new(&run, 1_000).await?;
    for unit in ["msat", "usd"] {
        let before = stage.liar.told();
        stage.liar.tell(Lie::Keysets(KeysetLie::Unit(unit)));
        stage.rotate(100).await?;
        stage
            .wire
            .told("send_token", json!({"amount_sats": 33, "memo": unit, "lock_to": NOBODY}))
            .await?;
        stage.wire.restart().await?;
        stage.conserved().await?;
        must!(stage.liar.told() > before, "{unit} was never told");
        told += stage.liar.told() - before;
        stage.liar.stop();
    }
    stage.wire.restart().await?;
    stage.all_is_good().await?;
    Ok(told)
}
