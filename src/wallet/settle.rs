//! The periodic reconciler: ends what was left open, from what the mints say.
//!
//! Takes no input, may be killed anywhere, never asks one mint twice at once, and lets no mint wait for another. Never decides from
//! silence or from the clock: time only says when to ask again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::time::Duration;

use super::Wallet;
use super::claimed::CLAIMED_TWICE_SECONDS;
use super::error::Error;
use super::rounds::{FIRST_STEP, LONGEST_STEP};
use crate::mint::Mint;
use crate::mint::melt::Melt;
use crate::mint::operation::Operation;
use crate::mint::swap::{Purpose, Swap, SwapOutcome};
use crate::model::deposit::{Deposit, DepositState};
use crate::model::mint::MintAddress;
use crate::model::payment::Payment;
use crate::store::TokenRow;

/// A token is in its receiver's hands first; nobody waits for our asking.
const FIRST_TOKEN_STEP: Duration = Duration::from_secs(60);
/// How long after its expiry an unpaid invoice of ours is still asked about, in seconds.
const LATE_SECONDS: u64 = 7 * 86_400;

/// Something open, to be asked about at its mint.
#[derive(Debug)]
enum Open {
    Swap(Box<Swap>),
    /// Sent and undecided, or paid and its change not in.
    Melt(Box<Payment>, Box<Melt>),
    Deposit(Box<Deposit>),
    Token(Box<Payment>, TokenRow),
    Claimed(Box<Payment>, TokenRow),
}

/// One open thing: its name among the rounds, its mint, how soon it is asked about first.
#[derive(Debug)]
struct Item {
    name: String,
    mint: MintAddress,
    first: Duration,
    open: Open,
}

impl Wallet {
    /// One round: whatever is open and due is asked about, each mint on a task of its own. Returns when to come again; a mint that has
    /// answered wakes as well.
    ///
    /// # Errors
    /// `storage_failed`, `wallet_damaged`.
    ///
    /// # Cancel safety
    /// Safe to drop: what was begun goes on.
    pub async fn settle(&self) -> Result<Duration, Error> {
        let items = self.open_items().await?;
        let names: BTreeSet<String> = items.iter().map(|item| item.name.clone()).collect();
        let (mut due, mut waiting) = (BTreeMap::<MintAddress, Vec<Item>>::new(), BTreeSet::new());
        let mut rounds = self.rounds();
        for item in items {
            if rounds.is_asked(&item.mint) {
                waiting.insert(item.name);
            } else if rounds.is_due(&item.name, item.first) {
                due.entry(item.mint.clone()).or_default().push(item);
            }
        }
        rounds.keep_only(&names);
        for (mint, items) in due {
            if rounds.ask(&mint) {
                let wallet = self.clone();
                self.running.spawn(async move { wallet.ask(mint, items).await });
            }
        }
        Ok(rounds.next(&waiting).unwrap_or(LONGEST_STEP))
    }

    /// Something is under way, or undecided, or an invoice of ours can still be paid. A token that nobody has claimed is none of these, nor
    /// is what cannot be looked up.
    pub async fn has_open(&self) -> bool {
        if !self.live().is_empty() {
            return true;
        }
        if self.has_unsent_zap().await {
            return true;
        }
        let Ok(items) = self.open_items().await else { return false };
        let now = (self.clock)();
        items.iter().any(|item| match &item.open {
            Open::Swap(_) | Open::Melt(..) => true,
            Open::Deposit(deposit) => deposit.state == DepositState::Paid || deposit.expires_at > now,
            Open::Token(..) | Open::Claimed(..) => false,
        })
    }

    /// Everything that is open.
    async fn open_items(&self) -> Result<Vec<Item>, Error> {
        let mut items = Vec::new();
        for operation in self.operations().await? {
            match operation {
                Operation::Swap(swap) => {
                    items.push(Item {
                        name: name(&swap),
                        mint: swap.mint.clone(),
                        first: Duration::ZERO,
                        open: Open::Swap(Box::new(swap)),
                    });
                }
                Operation::Melt(melt) if !self.live().contains_key(&melt.payment) => {
                    let Some(payment) = self.store.payment(&melt.payment).await? else { continue };
                    // What must come is asked for at once; where there may be nothing, one question some time later tells.
                    let first = if !payment.is_open() && melt.must_have_change() { Duration::ZERO } else { FIRST_STEP };
                    let name = if payment.is_open() { payment.id.to_string() } else { format!("change of {}", payment.id) };
                    let mint = melt.mint.clone();
                    items.push(Item { name, mint, first, open: Open::Melt(Box::new(payment), Box::new(melt)) });
                }
                // A claim is asked about with its deposit.
                Operation::Melt(_) | Operation::Issue(_) => {}
            }
        }
        for deposit in self.store.open_deposits().await? {
            if self.is_worth_asking(&deposit) {
                let (name, mint) = (deposit.id.to_string(), deposit.mint.clone());
                items.push(Item { name, mint, first: FIRST_STEP, open: Open::Deposit(Box::new(deposit)) });
            }
        }
        for (payment, row) in self.store.unclaimed_tokens().await? {
            let (name, mint) = (payment.id.to_string(), payment.mint.clone());
            items.push(Item { name, mint, first: FIRST_TOKEN_STEP, open: Open::Token(Box::new(payment), row) });
        }
        for (payment, row) in self.store.tokens_claimed_once().await? {
            let since = row.claimed_at.unwrap_or(0);
            if since.saturating_add(CLAIMED_TWICE_SECONDS) <= (self.clock)() {
                let (name, mint) = (payment.id.to_string(), payment.mint.clone());
                items.push(Item { name, mint, first: Duration::ZERO, open: Open::Claimed(Box::new(payment), row) });
            }
        }
        Ok(items)
    }

    /// Asks one mint about what is open there, one thing after the other.
    async fn ask(self, mint: MintAddress, items: Vec<Item>) {
        let _asked = Asked { wallet: self.clone(), mint: mint.clone() };
        for item in items {
            if self.closing.is_cancelled() {
                return;
            }
            let outcome = match item.open {
                Open::Swap(swap) => self.settle_swap(*swap).await,
                Open::Melt(payment, melt) => self.settle_melt(*payment, *melt).await,
                Open::Deposit(deposit) => self.advance(*deposit).await.map(|_| ()),
                Open::Token(payment, row) => self.check_claimed(*payment, row).await.map(|_| ()),
                Open::Claimed(payment, row) => self.check_still_claimed(*payment, row).await,
            };
            if let Err(error) = outcome {
                tracing::debug!(code = error.code.as_str(), "left for the next round");
            }
        }
    }

    /// Somebody waits for it.
    pub(super) fn hurry(&self, id: &str) {
        self.rounds().hurry(id);
        self.wake();
    }

    fn is_worth_asking(&self, deposit: &Deposit) -> bool {
        let late = deposit.expires_at > 0 && deposit.expires_at.saturating_add(LATE_SECONDS) < (self.clock)();
        (deposit.state == DepositState::Paid || !late) && !deposit.rests((self.clock)())
    }

    /// A swap of which nobody waits for the outcome any more.
    async fn settle_swap(&self, swap: Swap) -> Result<(), Error> {
        match swap.purpose.clone() {
            Purpose::Send(id) => {
                let Some(payment) = self.store.payment(&id).await? else { return Ok(()) };
                if self.live().contains_key(&id) {
                    return Ok(());
                }
                let Some((mint, swap, outcome)) = self.resume(&swap).await? else { return Ok(()) };
                self.end_send(payment, &mint, &swap, outcome).await?;
            }
            Purpose::Receive(id) => {
                let Some(receive) = self.store.receive(&id).await? else { return Ok(()) };
                let mint = self.mints.at(&receive.mint)?;
                let turn = mint.turn().await;
                let Some(swap) = self.as_journaled(&swap).await? else { return Ok(()) };
                let outcome = mint.resume_swap(&swap, &turn).await;
                self.end_receive(receive, &mint, &swap, outcome, &turn).await?;
            }
            Purpose::Reclaim(id) => {
                let Some(payment) = self.store.payment(&id).await? else { return Ok(()) };
                let mint = self.mints.at(&payment.mint)?;
                let turn = mint.turn().await;
                let Some(swap) = self.as_journaled(&swap).await? else { return Ok(()) };
                let outcome = mint.resume_swap(&swap, &turn).await;
                self.end_reclaim(payment, &mint, &swap, outcome, &turn).await?;
            }
            Purpose::Cancel(id) => {
                let Some(payment) = self.store.payment(&id).await? else { return Ok(()) };
                let Some((_, swap, outcome)) = self.resume(&swap).await? else { return Ok(()) };
                self.end_cancel(payment, &swap, outcome).await?;
            }
            Purpose::Claim => {
                let Some((mint, swap, outcome)) = self.resume(&swap).await? else { return Ok(()) };
                self.end_claim(&mint, &swap, outcome).await?;
            }
            Purpose::Buried { of, since } => self.look_for(swap, *of, since).await?,
        }
        Ok(())
    }

    /// Resumes a swap unless somebody has ended it meanwhile.
    async fn resume(&self, seen: &Swap) -> Result<Option<(Arc<Mint>, Swap, SwapOutcome)>, Error> {
        let mint = self.mints.at(&seen.mint)?;
        let turn = mint.turn().await;
        let Some(swap) = self.as_journaled(seen).await? else { return Ok(None) };
        let outcome = mint.resume_swap(&swap, &turn).await;
        Ok(Some((mint, swap, outcome)))
    }
}

/// A mint is being asked, until this is dropped.
struct Asked {
    wallet: Wallet,
    mint: MintAddress,
}

impl Drop for Asked {
    fn drop(&mut self) {
        self.wallet.rounds().asked(&self.mint);
        self.wallet.wake();
    }
}

/// Under which name a swap has its turn: that of what waits for it. A cancelled melt has its own turn beside its swap's.
fn name(swap: &Swap) -> String {
    match &swap.purpose {
        Purpose::Send(id) | Purpose::Reclaim(id) => id.to_string(),
        Purpose::Receive(id) => id.to_string(),
        Purpose::Cancel(_) | Purpose::Claim | Purpose::Buried { .. } => swap.id.to_string(),
    }
}
