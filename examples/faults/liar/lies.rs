//! Rows F-033 to F-040: a mint that lies about quotes, payments, signatures and coins.

use serde_json::{Value, json};
use testbed::harness::lies::{self, AGAIN, CLAIM, PAY, PRICE, SWAP};
use testbed::harness::{Client, NOBODY, Outcome};
use testbed::must;
use testbed::{CoinLie, Lie, Moment, Rule, SignatureLie};

use crate::stage::Stage;
use crate::trial::Run;

/// A payment's quote is for another amount: refused, no coin leaves.
pub(crate) async fn f033(run: Run) -> Outcome<usize> {
    let stage = Stage::new(&run, 5_000).await?;
    for amount in [0, 49, 51, 500, u64::MAX] {
        stage.liar.tell(Lie::field(PRICE, "amount", amount));
        stage.wire.refuses("pay", json!({"to": stage.invoice(50)?}), &["mint_refused"]).await?;
        stage.liar.stop();
    }
    must!(stage.melts()?.0 == 0, "coins were sent");
    stage.conserved().await?;
    Ok(stage.liar.told())
}

/// A fee reserve out of all proportion: refused, no overflow.
pub(crate) async fn f034(run: Run) -> Outcome<usize> {
    let stage = Stage::new(&run, 90_000).await?;
    let refusals =
        ["fee_too_high", "mint_refused", "insufficient_funds", "over_payment_limit", "over_budget"];
    let lies = [
        vec![Lie::FeeReserveTimes(10)],
        vec![Lie::field(PRICE, "fee_reserve", u64::MAX - 1)],
        vec![Lie::field(PRICE, "fee_reserve", u64::MAX)],
        vec![
            Lie::field(PRICE, "fee_reserve", u64::MAX - 1_000),
            Lie::field(PRICE, "amount", u64::MAX - 1),
        ],
    ];
    for lies in lies {
        lies.into_iter().for_each(|lie| stage.liar.tell(lie));
        stage.wire.refuses("pay", json!({"to": stage.invoice(1_000)?}), &refusals).await?;
        let asked = stage.wire.told("estimate", json!({"to": stage.invoice(1_000)?})).await?;
        must!(asked.text("verdict") != "allowed", "an estimate allows it: {asked}");
        stage.liar.stop();
    }
    must!(stage.melts()?.0 == 0, "coins were sent");
    let paid = stage.wire.ok("pay", json!({"to": stage.invoice(1_000)?})).await?;
    must!(paid.text("state") == "settled", "the session goes on: {paid}");
    stage.conserved().await?;
    Ok(stage.liar.told())
}

/// Paid, with no preimage or one that proves nothing: not shown as proven.
pub(crate) async fn f035(run: Run) -> Outcome<usize> {
    let stage = Stage::new(&run, 5_000).await?;
    for preimage in [Value::Null, json!("00".repeat(32)), json!("not a preimage"), json!("")] {
        stage.liar.tell(Lie::Field {
            path: "/v1/melt",
            field: "payment_preimage",
            value: preimage.clone(),
        });
        let paid = stage.wire.ok("pay", json!({"to": stage.invoice(50)?})).await?;
        stage.liar.stop();
        let unproven = paid.text("state") == "settled"
            && paid.text("proof") == "mint_word"
            && paid.text("preimage").is_empty();
        must!(unproven, "{preimage}: {paid}");
        let shown = stage.wire.payment(paid.text("payment_id")).await?;
        must!(shown.text("proof") == "mint_word" && shown.text("preimage").is_empty(), "{shown}");
    }
    let paid = stage.wire.ok("pay", json!({"to": stage.invoice(50)?})).await?;
    must!(
        paid.text("proof") == "preimage" && !paid.text("preimage").is_empty(),
        "an honest one: {paid}"
    );
    stage.conserved().await?;
    Ok(stage.liar.told())
}

/// Paid, the coins spent, and the quote says it was not: the coins are not offered, and nothing is
/// paid again.
pub(crate) async fn f036(run: Run) -> Outcome<usize> {
    let stage = Stage::new(&run, 5_000).await?;
    let mut fired = 0;
    for word in ["UNPAID", "FAILED"] {
        let before = stage.wire.holds().await?;
        let rule = stage.scene.proxy.fail(Rule::new("POST", PAY, Moment::AfterMint));
        stage.liar.tell(Lie::states(PRICE, &[word]));
        let invoice = stage.invoice(300)?;
        let told = stage.wire.told("pay", json!({"to": invoice})).await?;
        must!(told.text("state") == "pending", "{word}: {told}");
        let id = told.text("payment_id").to_owned();
        for _ in 0..2 {
            let again = stage.wire.told("pay", json!({"to": invoice})).await?;
            must!(again.text("state") == "pending", "{word}, again: {again}");
            let now = stage.wire.holds().await?;
            must!(
                now.spendable + 300 <= before.spendable && now.pending >= 300,
                "{word}: {now:?} after {before:?}"
            );
            stage.wire.restart().await?;
        }
        must!(stage.melts()?.1 == fired + 1, "paid once");
        fired += stage.scene.proxy.fired(rule);
        stage.liar.stop();
        stage.wire.restart().await?;
        stage.becomes(&id, "settled").await?;
        stage.conserved().await?;
    }
    stage.all_is_good().await?;
    Ok(fired.min(stage.liar.told()))
}

/// The state of a quote goes back: what is settled stays settled.
pub(crate) async fn f037(run: Run) -> Outcome<usize> {
    let stage = Stage::new(&run, 5_000).await?;
    for words in [
        ["PAID", "PENDING", "UNPAID"],
        ["PENDING", "UNPAID", "PAID"],
        ["UNPAID", "PAID", "PENDING"],
    ] {
        stage.scene.proxy.fail(Rule::new("POST", PAY, Moment::AfterMint));
        stage.liar.tell(Lie::states(PRICE, &["UNPAID", words[0], words[1], words[2]]));
        let told = stage.wire.told("pay", json!({"to": stage.invoice(100)?})).await?;
        let id = told.text("payment_id").to_owned();
        let mut settled = told.text("state") == "settled";
        for _ in 0..6 {
            let shown = stage.wire.payment_within(&id, 1).await?;
            let state = shown.text("state").to_owned();
            must!(
                state == "settled" || state == "pending" && !settled,
                "{words:?}: {state} after settled: {settled}"
            );
            settled |= state == "settled";
        }
        stage.liar.stop();
        stage.wire.restart().await?;
        stage.becomes(&id, "settled").await?;
    }
    stage.conserved().await?;
    Ok(stage.liar.told())
}

/// Signatures that are not what was asked for, at every place where there are some: the whole
/// answer is refused, and asked for again.
pub(crate) async fn f038(run: Run) -> Outcome<usize> {
    let stage = Stage::new(&run, 20_000).await?;
    let friend = stage.friend(5_000).await?;
    for lie in lies::signatures() {
        let (told, before) = (stage.liar.told(), stage.wire.holds().await?);
        let gift =
            friend.ok("send_token", json!({"amount_sats": 37, "memo": format!("{lie:?}")})).await?;
        [CLAIM, SWAP, AGAIN]
            .iter()
            .for_each(|path| stage.liar.tell(Lie::signatures(path, lie.clone())));
        let deposit = stage.wire.ok("deposit", json!({"amount_sats": 100})).await?;
        let shown = stage.wire.deposit_within(&deposit, 1).await?;
        must!(shown.text("state") != "received", "{lie:?}: {shown}");
        let sent = stage
            .wire
            .told(
                "send_token",
                json!({"amount_sats": 33, "memo": format!("{lie:?}"), "lock_to": NOBODY}),
            )
            .await?;
        must!(sent.text("state") == "pending" && sent.text("token").is_empty(), "{lie:?}: {sent}");
        let taken = stage.wire.told("receive_token", json!({"token": gift.text("token")})).await?;
        must!(taken.text("state") == "pending", "{lie:?}: {taken}");
        must!(
            stage.wire.holds().await?.spendable <= before.spendable,
            "{lie:?}: coins that no signature backs"
        );
        must!(stage.liar.told() >= told + 3, "{lie:?} was told {} times", stage.liar.told() - told);
        stage.liar.stop();
        stage.wire.restart().await?;
        stage.wire.receives(&deposit).await?;
        stage.becomes(sent.text("payment_id"), "settled").await?;
        stage.becomes(taken.text("receive_id"), "received").await?;
        stage.conserved().await?;
    }
    let told = stage.liar.told();
    for lie in lies::change() {
        ["/v1/melt", AGAIN]
            .iter()
            .for_each(|path| stage.liar.tell(Lie::signatures(path, lie.clone())));
        let paid = stage.wire.ok("pay", json!({"to": stage.invoice(300)?})).await?;
        must!(paid.text("state") == "settled", "{lie:?}: {paid}");
        stage.liar.stop();
        stage.wire.restart().await?;
        stage.conserved().await?;
    }
    must!(
        stage.liar.told() >= told + 5,
        "change was lied about {} times",
        stage.liar.told() - told
    );
    Ok(stage.liar.told())
}

/// Change left out or cut short. What is left out of the payment's answer alone is asked for again,
/// and found; what is left out of every answer is waited for; what is cut short costs what the
/// history says, and no more than was allowed.
pub(crate) async fn f039(run: Run) -> Outcome<usize> {
    const MOST: u64 = 1_000 + 20 + 5;
    let stage = Stage::new(&run, 5_000).await?;
    for paths in [&["/v1/melt"][..], &["/v1/melt", AGAIN]] {
        let before = stage.wire.holds().await?;
        paths.iter().for_each(|path| stage.liar.tell(Lie::signatures(path, SignatureLie::None)));
        let paid = stage.wire.ok("pay", json!({"to": stage.invoice(1_000)?})).await?;
        let meanwhile = stage.wire.holds().await?;
        stage.liar.stop();
        must!(
            paid.text("state") == "settled" && paid.sats("total_sats") <= MOST,
            "{paths:?}: {paid}"
        );
        must!(
            meanwhile.spendable + 1_000 <= before.spendable,
            "{paths:?}: {meanwhile:?} of {before:?}"
        );
        stage.wire.restart().await?;
        stage.conserved().await?;
    }
    let before = stage.wire.holds().await?;
    stage.liar.tell(Lie::signatures("/v1/melt", SignatureLie::Fewer));
    let paid = stage.wire.ok("pay", json!({"to": stage.invoice(1_000)?})).await?;
    stage.liar.stop();
    let cost = before.spendable - stage.wire.holds().await?.all();
    must!(paid.sats("total_sats") == cost && cost <= MOST, "it cost {cost}, and it says {paid}");
    let honest =
        stage.mint()?.auditor().melts()?.last().map_or(0, |melt| melt.amount_sats + melt.fee_sats);
    must!(cost > honest, "nothing was kept back");
    let missing = cost - honest;
    let (held, owed) = (stage.wire.holds().await?, stage.mint()?.auditor().outstanding()?);
    must!(
        held.all() == owed || held.all() + missing == owed,
        "{held:?}, {missing} kept back, the mint owes {owed}"
    );
    Ok(stage.liar.told())
}

/// All coins are spent, says the mint, or none: what is ours is kept, and is there again when it
/// says so.
pub(crate) async fn f040(run: Run) -> Outcome<usize> {
    let stage = Stage::new(&run, 5_000).await?;
    let friend = stage.friend(0).await?;
    let token = stage.wire.ok("send_token", json!({"amount_sats": 64, "memo": "a"})).await?;
    stage.liar.tell(Lie::Coins(CoinLie::All("SPENT")));
    stage.wire.restart().await?;
    let id = token.text("payment_id");
    stage.wire.payment_within(id, 3).await?;
    let told = stage.liar.told();
    stage.liar.stop();
    must!(told > 0, "nobody asked for the coins' states");
    stage.wire.restart().await?;
    stage.conserved().await?;
    let back = stage.wire.ok("reclaim_token", json!({"payment_id": id})).await?;
    must!(back.text("state") == "returned", "{back}");
    let token = stage.wire.ok("send_token", json!({"amount_sats": 128, "memo": "b"})).await?;
    friend.ok("receive_token", json!({"token": token.text("token")})).await?;
    stage.liar.tell(Lie::Coins(CoinLie::All("UNSPENT")));
    let back =
        stage.wire.told("reclaim_token", json!({"payment_id": token.text("payment_id")})).await?;
    must!(back.text("state") != "returned", "a claimed token came back: {back}");
    stage.liar.stop();
    stage.wire.restart().await?;
    stage.conserved().await?;
    stage.all_is_good().await?;
    Ok(told)
}
