//! What the rows about lies, input, rules and secrets stand on: a mint that can lie, a home, and a wallet in a process of its own.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use testbed::{Liar, Lightning, MintOptions, TestMint};

use super::wire::{Told, Wire};
use super::{Outcome, must};

/// How long a row waits for everything to come right once its fault is over.
const PATIENCE: Duration = Duration::from_secs(30);

/// A wallet's folder. Gone when dropped.
#[derive(Debug)]
pub(crate) struct Folder(TempDir);

impl Folder {
    /// A folder that trusts these mints, as test mints or not.
    pub(crate) fn new(mints: &[(&str, bool)], per_payment: u64, per_day: u64) -> Outcome<Self> {
        let folder = Self(tempfile::Builder::new().prefix("nutpurse-faults-").tempdir()?);
        folder.mints(mints)?;
        folder.config(mints, per_payment, per_day, "")?;
        Ok(folder)
    }

    /// Writes `mints.toml`.
    pub(crate) fn mints(&self, mints: &[(&str, bool)]) -> Outcome {
        let mut text = String::new();
        for (url, test) in mints {
            write!(text, "[[mint]]\nurl = \"{url}\"\ntest = {test}\n")?;
        }
        self.write("mints.toml", &text)
    }

    /// Writes `config.toml`; `more` comes at its end.
    pub(crate) fn config(&self, mints: &[(&str, bool)], per_payment: u64, per_day: u64, more: &str) -> Outcome {
        let allow: Vec<String> = mints.iter().map(|(url, _)| format!("\"{url}\"")).collect();
        let text = format!(
            "[limits]\nper_payment_sats = {per_payment}\nper_day_sats = {per_day}\nmax_fee_percent = 2.0\nmax_fee_floor_sats = 5\n\
             [network]\nallow = [{}]\n[nostr]\nrelays = []\nnutzaps = true\n{more}",
            allow.join(", ")
        );
        self.write("config.toml", &text)
    }

    /// Writes a file of the owner's.
    pub(crate) fn write(&self, name: &str, text: &str) -> Outcome {
        let file = self.path().join(name);
        fs::write(&file, text)?;
        Ok(fs::set_permissions(&file, fs::Permissions::from_mode(0o600))?)
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }
}

/// What a wallet says it holds, in sats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Holds {
    pub(crate) spendable: u64,
    pub(crate) pending: u64,
    pub(crate) unclaimed: u64,
}

impl Holds {
    pub(crate) fn sum(self) -> u64 {
        self.spendable + self.pending + self.unclaimed
    }
}

/// What a wallet says it holds.
pub(crate) async fn holds(wire: &Wire) -> Outcome<Holds> {
    let told = wire.ok("get_balance", json!({})).await?;
    Ok(Holds { spendable: told.sats("spendable_sats"), pending: told.sats("pending_sats"), unclaimed: told.sats("unclaimed_sats") })
}

/// Puts sats into a wallet, by a deposit that pays itself.
pub(crate) async fn fund(wire: &Wire, sats: u64) -> Outcome {
    let deposit = wire.ok("deposit", json!({"amount_sats": sats})).await?;
    received(wire, &deposit).await
}

/// Waits until a deposit is received.
pub(crate) async fn received(wire: &Wire, deposit: &Told) -> Outcome {
    let told = wire.ok("get_deposit", json!({"deposit_id": deposit.text("deposit_id"), "wait_seconds": 40})).await?;
    must!(told.text("state") == "received", "the deposit was to be received: {}", told.value);
    Ok(())
}

/// Makes a wallet ask whether its token was claimed, which it was.
pub(crate) async fn claimed(wire: &Wire, token: &Told) -> Outcome {
    let told = wire.ok("get_payment", json!({"payment_id": token.text("payment_id"), "wait_seconds": 5})).await?;
    must!(told.value.get("claimed") == Some(&json!(true)), "a token that was claimed: {}", told.value);
    Ok(())
}

/// A mint that can lie, and a wallet at it.
pub(crate) struct Stage {
    program: PathBuf,
    pub(crate) lightning: Lightning,
    pub(crate) mint: TestMint,
    pub(crate) liar: Liar,
    pub(crate) folder: Folder,
    pub(crate) wire: Wire,
    agent: String,
}

impl Stage {
    /// A fresh mint, a fresh folder with wide limits, and so many sats in it.
    pub(crate) async fn new(program: &Path, sats: u64) -> Outcome<Self> {
        Self::with(program, MintOptions::default(), sats, (100_000, 1_000_000)).await
    }

    /// The same, otherwise: the mint's options, the limits of one payment and of a day.
    pub(crate) async fn with(program: &Path, options: MintOptions, sats: u64, limits: (u64, u64)) -> Outcome<Self> {
        let lightning = Lightning::new();
        let mint = TestMint::start(&lightning, options).await?;
        let liar = Liar::start(&mint.url()).await?;
        let folder = Folder::new(&[(&liar.url(), true)], limits.0, limits.1)?;
        let wire = Wire::start(program, folder.path(), &[]).await?;
        if sats > 0 {
            fund(&wire, sats).await?;
        }
        Ok(Self { program: program.to_path_buf(), lightning, mint, liar, folder, wire, agent: "tester".to_owned() })
    }

    /// An invoice of a shop on the network.
    pub(crate) fn invoice(&self, sats: u64) -> Outcome<String> {
        Ok(self.lightning.payee("shop").invoice(sats, "")?.to_string())
    }

    /// Ends the wallet and starts it again on its folder.
    pub(crate) async fn restart(&mut self) -> Outcome {
        self.wire.end().await?;
        self.wire = Wire::start(&self.program, self.folder.path(), &[("NUTPURSE_AGENT", &self.agent)]).await?;
        Ok(())
    }

    /// The same as another agent.
    pub(crate) async fn restart_as(&mut self, agent: &str) -> Outcome {
        self.agent = agent.to_owned();
        self.restart().await
    }

    /// Kills the wallet and starts it again.
    pub(crate) async fn kill_and_restart(&mut self) -> Outcome {
        self.wire.kill().await?;
        self.wire = Wire::start(&self.program, self.folder.path(), &[("NUTPURSE_AGENT", &self.agent)]).await?;
        Ok(())
    }

    /// Another wallet at the same mint, by the same address.
    pub(crate) async fn friend(&self, sats: u64) -> Outcome<(Folder, Wire)> {
        let folder = Folder::new(&[(&self.liar.url(), true)], 100_000, 1_000_000)?;
        let wire = Wire::start(&self.program, folder.path(), &[]).await?;
        if sats > 0 {
            fund(&wire, sats).await?;
        }
        Ok((folder, wire))
    }

    /// How many payments the mint was asked to make, and how many it made.
    pub(crate) fn melts(&self) -> Outcome<(usize, usize)> {
        let asked = self.liar.proxy().exchanges().iter().filter(|one| one.method == "POST" && one.path == "/v1/melt/bolt11").count();
        let paid = self.mint.auditor().melts()?.iter().filter(|melt| melt.state == "PAID").count();
        Ok((asked, paid))
    }

    /// What left by the mint's own list: amounts and fees of every payment it made.
    pub(crate) fn paid_out(&self) -> Outcome<u64> {
        let melts = self.mint.auditor().melts()?;
        Ok(melts.iter().filter(|melt| melt.state == "PAID").map(|melt| melt.amount_sats + melt.fee_sats).sum())
    }

    /// Waits until a payment, a token or a token taken in is in this state.
    pub(crate) async fn becomes(&self, id: &str, state: &str) -> Outcome<Told> {
        let since = Instant::now();
        loop {
            let told = self.wire.ok("get_payment", json!({"payment_id": id, "wait_seconds": 3})).await?;
            if told.text("state") == state {
                return Ok(told);
            }
            must!(since.elapsed() < PATIENCE, "{id} was to be {state}: {}", told.value);
        }
    }

    /// The law: what the wallets hold is what the mint owes; in the end nothing is held back. Every payment was made once.
    pub(crate) async fn conserved(&self, others: &[&Wire]) -> Outcome {
        let since = Instant::now();
        let mut last = Vec::new();
        loop {
            last.clear();
            for wire in [&self.wire].into_iter().chain(others.iter().copied()) {
                last.push(holds(wire).await?);
            }
            let (sum, owed) = (last.iter().map(|one| one.sum()).sum::<u64>(), self.mint.auditor().outstanding()?);
            if sum == owed {
                break;
            }
            must!(since.elapsed() < PATIENCE, "the wallets hold {last:?}, the mint owes {owed}");
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        let mut hashes: Vec<String> =
            self.mint.auditor().melts()?.into_iter().filter(|melt| melt.state == "PAID").map(|melt| melt.payment_hash).collect();
        let paid = hashes.len();
        hashes.sort();
        hashes.dedup();
        must!(hashes.len() == paid, "an invoice was paid twice");
        must!(self.wire.lines().iter().all(|line| serde_json::from_str::<Value>(line).is_ok()), "a line that is not JSON");
        Ok(())
    }

    /// No fiction: what is shown spendable the mint takes, all but what a fee may need.
    pub(crate) async fn all_is_good(&self) -> Outcome {
        self.all_is_good_beside(&[]).await
    }

    /// The same, where others hold coins of the mint too.
    pub(crate) async fn all_is_good_beside(&self, others: &[&Wire]) -> Outcome {
        let held = holds(&self.wire).await?;
        let (_folder, friend) = self.friend(0).await?;
        let give = held.spendable.saturating_sub(10);
        if give == 0 {
            return Ok(());
        }
        let token = self.wire.ok("send_token", json!({"amount_sats": give, "memo": "everything"})).await?;
        let taken = friend.ok("receive_token", json!({"token": token.text("token")})).await?;
        must!(taken.text("state") == "received", "what was spendable is not taken: {}", taken.value);
        claimed(&self.wire, &token).await?;
        let all: Vec<&Wire> = others.iter().copied().chain([&friend]).collect();
        self.conserved(&all).await
    }
}
