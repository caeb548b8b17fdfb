//! What holds after every row: what the wallets hold, by state, is what the mint owes; nothing was
//! paid twice; no secret was logged.

use std::collections::HashSet;
use std::fs;

use serde_json::{Value, json};
use tokio::time::{Duration, Instant, sleep};

use crate::scene::Scene;
use crate::session::Answer;
use crate::wallet::Wallet;
use crate::{Outcome, fail, holds};

/// How long what is open may take to end, after the fault is lifted.
const PATIENCE: Duration = Duration::from_secs(120);

/// What wallets say they hold at the scene's mint, in sats.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Holdings {
    pub(crate) spendable: u64,
    pub(crate) pending: u64,
    pub(crate) unclaimed: u64,
}

impl Holdings {
    pub(crate) fn all(&self) -> u64 {
        self.spendable + self.pending + self.unclaimed
    }
}

impl Wallet {
    /// What it says it holds.
    pub(crate) async fn holds(&self) -> Outcome<Holdings> {
        let balance = self.ok("get_balance", json!({})).await?;
        let sats = |field| balance.sats(field);
        Ok(Holdings {
            spendable: sats("spendable_sats"),
            pending: sats("pending_sats"),
            unclaimed: sats("unclaimed_sats"),
        })
    }

    /// Has it look whether its unclaimed tokens and nutzaps were claimed.
    pub(crate) async fn look_at_tokens(&self) -> Outcome {
        self.look_at("token_sent").await?;
        self.look_at("zap").await
    }

    async fn look_at(&self, kind: &str) -> Outcome {
        let mut cursor = Value::Null;
        loop {
            let mut ask = json!({"kind": kind, "since": "all", "limit": 100});
            if let (Some(ask), false) = (ask.as_object_mut(), cursor.is_null()) {
                ask.insert("cursor".to_owned(), cursor);
            }
            let page = self.ok("list_history", ask).await?;
            for entry in page.value.get("entries").and_then(Value::as_array).into_iter().flatten() {
                let is_open = entry.get("claimed").and_then(Value::as_bool) != Some(true);
                if is_open && let Some(id) = entry.get("payment_id").or_else(|| entry.get("id")) {
                    self.ok("get_payment", json!({"payment_id": id})).await?;
                }
            }
            match page.value.get("next_cursor") {
                Some(next) if !next.is_null() => cursor = next.clone(),
                _ => return Ok(()),
            }
        }
    }
}

impl Scene {
    /// Lifts all faults, restarts all wallets a minute later, waits until nothing is open, and
    /// checks all of the law.
    pub(crate) async fn conserved(&self) -> Outcome<Holdings> {
        self.lifted().await?;
        self.settled().await
    }

    /// Lifts all faults and restarts all wallets a minute later.
    pub(crate) async fn lifted(&self) -> Outcome {
        self.proxy.clear();
        self.proxy.stop_rewriting();
        self.proxy.set_delay(Duration::ZERO);
        for wallet in self.wallets() {
            wallet.restart().await?;
        }
        Ok(())
    }

    /// Waits until nothing is open, and checks all of the law.
    pub(crate) async fn settled(&self) -> Outcome<Holdings> {
        let since = Instant::now();
        loop {
            let (sum, owed) = self.books().await?;
            if sum.pending == 0 && sum.all() == owed {
                self.paid_once()?;
                self.nothing_told()?;
                return Ok(sum);
            }
            if since.elapsed() > PATIENCE {
                let last = self.last_exchanges();
                return fail(format!(
                    "the law: {sum:?} is {}, the mint owes {owed}; last: {last}",
                    sum.all()
                ));
            }
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// The last exchanges, for who looks into a failure.
    fn last_exchanges(&self) -> String {
        let exchanges = self.proxy.exchanges();
        let told = exchanges
            .iter()
            .rev()
            .filter(|exchange| !exchange.path.ends_with("checkstate"))
            .take(12)
            .map(|exchange| {
                let state = exchange.response.get("state").and_then(Value::as_str).unwrap_or("-");
                let signed = ["change", "signatures"].map(|key| {
                    exchange.response.get(key).and_then(Value::as_array).map_or(0, Vec::len)
                });
                format!(
                    "{} {} {:?} {state} {}",
                    exchange.method,
                    exchange.path,
                    exchange.status,
                    signed.iter().sum::<usize>()
                )
            });
        told.collect::<Vec<_>>().join(" < ")
    }

    /// The law as things stand, something open or not. Meant for moments in which nothing is under
    /// way.
    pub(crate) async fn balanced(&self) -> Outcome<Holdings> {
        let (sum, owed) = self.books().await?;
        holds(
            sum.all() == owed,
            format!("the law: {sum:?} is {}, the mint owes {owed}", sum.all()),
        )?;
        self.paid_once()?;
        Ok(sum)
    }

    /// What all wallets hold, and what the mint owes.
    pub(crate) async fn books(&self) -> Outcome<(Holdings, u64)> {
        let mut sum = Holdings::default();
        for wallet in self.wallets() {
            wallet.look_at_tokens().await?;
            let one = wallet.holds().await?;
            sum.spendable += one.spendable;
            sum.pending += one.pending;
            sum.unclaimed += one.unclaimed;
        }
        Ok((sum, self.owed()?))
    }

    /// The mint paid no payment hash twice.
    pub(crate) fn paid_once(&self) -> Outcome {
        let mut seen = HashSet::new();
        match self.mint.paid()?.into_iter().find(|paid| !seen.insert(paid.payment_hash.clone())) {
            Some(twice) => fail(format!("{} was paid twice", twice.payment_hash)),
            None => Ok(()),
        }
    }

    /// How often the mint paid this hash.
    pub(crate) fn times_paid(&self, hash: &str) -> Outcome<usize> {
        Ok(self.mint.paid()?.iter().filter(|paid| paid.payment_hash == hash).count())
    }

    /// A payment as the wallet tells of it is as the mint's books have it: settled or failed, and
    /// paid once or not at all.
    pub(crate) fn agrees(&self, payment: &Answer, hash: &str) -> Outcome {
        let (paid, state) = (self.times_paid(hash)?, payment.text("state"));
        holds(
            (paid, state) == (1, "settled") || (paid, state) == (0, "failed"),
            format!("said {state}, and the mint paid it {paid} times"),
        )
    }

    /// No secret that this run knows of stands in a log: words of a mnemonic, secrets and
    /// signatures of proofs, tokens.
    pub(crate) fn nothing_told(&self) -> Outcome {
        self.wallets().iter().try_for_each(|wallet| self.nothing_told_by(wallet))
    }

    /// The same of one wallet, whether the law counts it or not.
    pub(crate) fn nothing_told_by(&self, wallet: &Wallet) -> Outcome {
        let proofs = self.proofs_seen();
        let log = fs::read_to_string(wallet.log_path()).unwrap_or_default() + &wallet.daemon_log();
        holds(!log.contains("cashuA") && !log.contains("cashuB"), "a token stands in the log")?;
        for run in mnemonic_runs(
            &fs::read_to_string(wallet.home.path().join("keys.toml")).unwrap_or_default(),
        ) {
            holds(!log.contains(&run), "words of the mnemonic stand in the log")?;
        }
        let told = log
            .split(|letter: char| !letter.is_ascii_hexdigit())
            .find(|word| word.len() >= 64 && proofs.contains(*word));
        holds(told.is_none(), "a proof's secret stands in the log")
    }

    /// The secrets and signatures of all proofs that went through the proxy.
    pub(crate) fn proofs_seen(&self) -> HashSet<String> {
        let exchanges = self.proxy.exchanges();
        let inputs = exchanges
            .iter()
            .filter_map(|exchange| exchange.request.get("inputs")?.as_array())
            .flatten();
        inputs
            .flat_map(|proof| ["secret", "C"].map(|key| proof.get(key)))
            .filter_map(|value| Some(value?.as_str()?.to_owned()))
            .collect()
    }
}

/// Every three words that follow one another in a mnemonic of twelve or more.
fn mnemonic_runs(keys: &str) -> Vec<String> {
    let quoted = keys.split('"').map(|text| text.split_whitespace().collect::<Vec<_>>());
    let words = quoted.filter(|words| words.len() >= 12).max_by_key(Vec::len).unwrap_or_default();
    words.windows(3).map(|three| three.join(" ")).collect()
}
