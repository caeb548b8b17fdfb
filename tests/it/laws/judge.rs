//! The laws, asked of the mints' databases once all faults are lifted and everything has come to an
//! end.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::join_all;
use nutpurse::testing::api::{Code, MoneyMoved};
use nutpurse::testing::config::edit::Edit;
use serde_json::{Value, json};

use super::scene::Scene;
use crate::world::{Agent, Limits, Settings, at_mint, holdings, owned, sats};

/// How long everything open may take to end at mints that answer.
const PATIENCE: Duration = Duration::from_secs(90);
const DAY: u64 = 86_400;
/// The mint's clock is read in whole seconds, and a jump falls between two of them.
const SLACK: u64 = 10;

impl Scene {
    pub(super) async fn judge(mut self) -> String {
        self.settle().await;
        self.all_have_answered().await;
        let entries = self.all_is_final().await;
        self.deliver().await;
        self.conserved("when all has ended").await;
        self.paid_once();
        self.what_failed_is_unpaid();
        self.what_is_shown_is_so(&entries).await;
        let most = self.limits_held(&entries).await;
        self.no_fiction().await;
        self.conserved("when all was handed over").await;
        let paid = self.paid().len();
        format!(
            "{} entries, {paid} payments, at most {most} of {} sats in a day",
            entries.len(),
            self.per_day
        )
    }

    /// Lifts the faults, ends what is on its way, and starts both wallets anew when everything may
    /// be asked about.
    async fn settle(&mut self) {
        self.log.note("-- the faults are lifted".to_owned());
        self.mints.iter().for_each(|(_, proxy)| proxy.clear());
        self.end_payments(self.arrive);
        if self.arrive {
            self.deliver().await;
        }
        Edit::paused(&owned(&self.home), false).unwrap().commit(true).unwrap();
        self.close().await;
        let highest = self.jumps.iter().map(|(_, offset)| *offset).max().unwrap_or_default();
        let current = self.jumps.last().map_or(0, |(_, offset)| *offset);
        self.jump(highest - current + 200).await;
        self.open().await;
        let friend = Arc::clone(&self.friend.clone().close().await);
        self.friend = Agent::two_minutes_later(friend);
    }

    /// Those who waited for a payment that its payee held were told something.
    async fn all_have_answered(&self) {
        let waiting = std::mem::take(&mut self.made().waiting);
        for call in waiting {
            match tokio::time::timeout(PATIENCE, call).await.unwrap().unwrap() {
                Ok(told) => {
                    assert!(told["state"] == "pending" || told["state"] == "settled", "{told}")
                }
                // It stopped in the meantime.
                Err(error) if error.code == Code::OutcomeUnknown => {}
                Err(error) => assert_eq!(error.money_moved, MoneyMoved::No, "{error}"),
            }
        }
    }

    /// Every payment, token and deposit of both wallets, once each is final.
    async fn all_is_final(&self) -> Vec<Value> {
        let (begun, mut quiet) = (Instant::now(), 0);
        loop {
            let mut open = Vec::new();
            for agent in [&self.agent, &self.friend] {
                let entries = entries_of(agent).await;
                let looks = join_all(entries.iter().map(|entry| is_open(agent, entry))).await;
                open.extend(looks.into_iter().flatten());
                // A payment is settled, and its change not in yet.
                let pending = holdings(agent).await.pending;
                open.extend((pending > 0).then(|| json!({"pending_sats": pending})));
            }
            quiet = if open.is_empty() { quiet + 1 } else { 0 };
            // Asked once more, who gave a token knows that its taker has ended.
            if quiet == 2 {
                return entries_of(&self.agent).await;
            }
            assert!(quiet == 1 || begun.elapsed() < PATIENCE, "it does not end: {open:?}");
        }
    }

    async fn conserved(&self, when: &str) {
        let mut held = 0;
        for agent in [&self.agent, &self.friend] {
            let one = holdings(agent).await;
            self.log.note(format!("{when}: {one:?}"));
            assert_eq!(one.pending, 0, "{when}: nothing is left open: {one:?}");
            held += one.spendable + one.pending + one.unclaimed;
        }
        let owed: u64 =
            self.mints.iter().map(|(mint, _)| mint.auditor().outstanding().unwrap()).sum();
        assert_eq!(held, owed, "{when}: what the wallets hold is what the mints owe");
    }

    /// One payment per payment hash and per key.
    fn paid_once(&self) {
        let mut paid: BTreeMap<String, usize> = BTreeMap::new();
        for melt in self.paid() {
            *paid.entry(melt.payment_hash).or_default() += 1;
        }
        assert!(paid.values().all(|times| *times == 1), "paid more than once: {paid:?}");
        let made = self.made();
        for (key, hashes) in &made.keyed {
            // An invoice that was asked for by another key as well, or by none, may be that one's
            // payment.
            let elsewhere = |hash: &String| {
                made.keyless.contains(hash)
                    || made.keyed.iter().any(|(other, of)| other != key && of.contains(hash))
            };
            let of_key: BTreeSet<&String> =
                hashes.iter().filter(|hash| paid.contains_key(*hash) && !elsewhere(hash)).collect();
            assert!(of_key.len() <= 1, "{key} paid more than once: {of_key:?}");
        }
    }

    fn what_failed_is_unpaid(&self) {
        for melt in self.paid() {
            let failed = self.made().failed.iter().any(|(quote, _)| *quote == melt.quote_id);
            assert!(!failed, "answered as failed, and paid: {melt:?}");
        }
    }

    /// A payment is settled for the wallet exactly when a mint has paid it, and costs what the mint
    /// took. cdk signs no change once the keyset of the blank outputs is inactive: while the
    /// wallet still asks for that change, the fee it shows is what the mint may keep.
    async fn what_is_shown_is_so(&self, entries: &[Value]) {
        let (mut shown, mut paid) = (Vec::new(), Vec::new());
        for entry in
            entries.iter().filter(|entry| entry["kind"] == "payment" && entry["state"] == "settled")
        {
            shown.push((sats(entry, "amount_sats"), sats(entry, "fee_sats")));
        }
        for melt in self.paid() {
            paid.push((melt.amount_sats, melt.fee_sats, melt.change_sats));
        }
        shown.sort_unstable();
        paid.sort_unstable();
        let asks_for_change = self.agent.wallet().await.recovery().has_open().await;
        let agree = shown.len() == paid.len()
            && shown.iter().zip(&paid).all(|(&(amount, fee), &(paid_amount, paid_fee, change))| {
                let owed = asks_for_change && change == 0 && fee < paid_fee;
                amount == paid_amount && (fee == paid_fee || owed)
            });
        assert!(agree, "amounts and fees of the payments shown, {shown:?}, and made, {paid:?}");
    }

    /// What left in any day by the wallet's clock: payments by the mint's own list and time, tokens
    /// by the history.
    async fn limits_held(&self, entries: &[Value]) -> u64 {
        let mut left: Vec<(u64, u64)> = Vec::new();
        for melt in self.paid() {
            left.push((self.by_its_clock(melt.paid_at.unwrap()), melt.amount_sats + melt.fee_sats));
        }
        for entry in entries
            .iter()
            .filter(|entry| entry["kind"] == "token_sent" && entry["state"] != "failed")
        {
            let at: jiff::Timestamp = entry["time"].as_str().unwrap().parse().unwrap();
            let (amount, fee) =
                (sats(entry, "amount_sats"), entry["fee_sats"].as_u64().unwrap_or(0));
            // Of a token that was taken back only the fees have left, and the fee of taking it back
            // was paid out of its own coins.
            let most = if entry["state"] == "returned" { amount.max(fee) } else { amount + fee };
            left.push((u64::try_from(at.as_second()).unwrap(), most));
        }
        let window = |end: u64| {
            left.iter()
                .filter(|(at, _)| *at <= end && at + (DAY - SLACK) > end)
                .map(|(_, sats)| sats)
                .sum::<u64>()
        };
        let most = left.iter().map(|(at, _)| window(*at)).max().unwrap_or(0);
        assert!(
            most <= self.per_day,
            "{most} sats left in a day whose limit is {}: {left:?}",
            self.per_day
        );
        most
    }

    /// All that is shown spendable is good: its whole is handed out and taken in.
    async fn no_fiction(&mut self) {
        self.close().await;
        let limits = Limits { per_payment: 10_000_000, per_day: 10_000_000 };
        let urls: Vec<String> = self.mints.iter().map(|(_, proxy)| proxy.url()).collect();
        self.home.configure(&Settings::at(&urls).limits(limits)).unwrap();
        self.open().await;
        for url in &urls {
            let mut ask = at_mint(&self.agent, url).await.0;
            while ask > 0 {
                // So many coins that they need a swap first, whose fee nobody foresees here, go in
                // more than one token.
                let call =
                    json!({"amount_sats": ask, "mint": url, "memo": format!("{ask} of all")});
                ask = match self.agent.call("send_token", call).await {
                    Ok(sent) => {
                        let taken =
                            self.friend.ok("receive_token", json!({"token": sent["token"]})).await;
                        let told = self.friend.ended(&taken["receive_id"]).await;
                        assert_eq!(told["state"], "received", "{taken} {told}");
                        if taken["state"] != "received" {
                            self.log.note(format!("taken in at the second attempt: {taken}"));
                        }
                        self.agent.payment(&sent["payment_id"]).await;
                        at_mint(&self.agent, url).await.0
                    }
                    Err(error) if error.code == Code::InsufficientFunds => ask * 9 / 10,
                    Err(error) => panic!("what is shown spendable is not: {error}"),
                };
            }
            assert_eq!(at_mint(&self.agent, url).await.0, 0, "all of it was handed out");
        }
    }
}

async fn entries_of(agent: &Agent) -> Vec<Value> {
    agent.ok("list_history", json!({"limit": 500})).await["entries"].as_array().unwrap().clone()
}

/// Asks for an entry. What it still is when it is not final.
async fn is_open(agent: &Agent, entry: &Value) -> Option<Value> {
    let id = &entry["id"];
    match entry["kind"].as_str().unwrap() {
        "deposit" => {
            let told = agent.ok("get_deposit", json!({"deposit_id": id})).await;
            let unpaid = told["state"] == "unpaid" || told["state"] == "expired";
            (told["state"] != "received" && !unpaid).then_some(told)
        }
        "payment" | "token_sent" | "token_received" => {
            let told = agent.payment_within(&id, 2).await;
            let unclaimed = told["token"].is_string() || told["state"] == "settled";
            (told["final"] != true && !unclaimed).then_some(told)
        }
        _ => None,
    }
}
