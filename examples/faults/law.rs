//! The law after every row: the wallets hold, by state, what the mint owes; no payment hash was
//! paid twice; no secret was logged.

use std::collections::HashSet;
use std::fs;

use serde_json::Value;
use testbed::harness::secrets::runs;
use testbed::harness::{Answer, Client, Holdings, Outcome, books, fail, holds};
use testbed::must;
use tokio::time::{Duration, Instant, sleep};

use crate::scene::Scene;
use crate::wallet::Wallet;

/// The longest time in which everything must end once the fault is lifted.
const PATIENCE: Duration = Duration::from_secs(120);

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

    /// The last exchanges, for the reader of a failure.
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

    /// Checks the law now, whether something is open or not. No operation may be running.
    pub(crate) async fn balanced(&self) -> Outcome<Holdings> {
        let (sum, owed) = self.books().await?;
        must!(sum.all() == owed, "the law: {sum:?} is {}, the mint owes {owed}", sum.all());
        self.paid_once()?;
        Ok(sum)
    }

    /// Adds up what all wallets hold. Returns it and what the mints owe.
    pub(crate) async fn books(&self) -> Outcome<(Holdings, u64)> {
        let wallets = self.wallets();
        for wallet in &wallets {
            wallet.look_at_tokens().await?;
        }
        let wallets: Vec<&Wallet> = wallets.iter().map(|wallet| &**wallet).collect();
        let sum = books(&wallets).await?;
        Ok((sum, self.owed()?))
    }

    /// Checks that the mint paid no payment hash twice.
    pub(crate) fn paid_once(&self) -> Outcome {
        let mut seen = HashSet::new();
        match self.mint.paid()?.into_iter().find(|paid| !seen.insert(paid.payment_hash.clone())) {
            Some(twice) => fail(format!("{} was paid twice", twice.payment_hash)),
            None => Ok(()),
        }
    }

    /// Counts the payments of this hash.
    pub(crate) fn times_paid(&self, hash: &str) -> Outcome<usize> {
        Ok(self.mint.paid()?.iter().filter(|paid| paid.payment_hash == hash).count())
    }

    /// Checks that a payment is settled in the wallet and paid once by the mint, or failed and not
    /// paid.
    pub(crate) fn agrees(&self, payment: &Answer, hash: &str) -> Outcome {
        let (paid, state) = (self.times_paid(hash)?, payment.text("state"));
        holds(
            (paid, state) == (1, "settled") || (paid, state) == (0, "failed"),
            format!("said {state}, and the mint paid it {paid} times"),
        )
    }

    /// Checks that no log contains a secret of this run: words of a mnemonic, secrets and
    /// signatures of proofs, tokens.
    pub(crate) fn nothing_told(&self) -> Outcome {
        self.wallets().iter().try_for_each(|wallet| self.nothing_told_by(wallet))
    }

    /// Checks the log of one wallet, which the law need not count.
    pub(crate) fn nothing_told_by(&self, wallet: &Wallet) -> Outcome {
        let proofs = self.proofs_seen();
        let log = fs::read_to_string(wallet.log_path()).unwrap_or_default() + &wallet.daemon_log();
        must!(!log.contains("cashuA") && !log.contains("cashuB"), "a token stands in the log");
        let words = wallet.home.mnemonic().map(|words| runs(&words)).unwrap_or_default();
        must!(!words.iter().any(|run| log.contains(run)), "words of the mnemonic stand in the log");
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
