//! The periodic reconciler: ends what was left open, from what the mints say.
//!
//! Takes no input, may be killed anywhere, never asks one mint twice at once, and lets no mint wait for another. Never decides from
//! silence or from the clock: time only says when to ask again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::time::Duration;

use super::claimed::CLAIMED_TWICE_SECONDS;
use super::error::Error;
use super::rounds::{FIRST_STEP, LONGEST_STEP};
use super::{Wallet, coins};
use crate::mint::Mint;
use crate::mint::melt::MeltWord;
use crate::mint::swap::{Purpose, Swap, SwapOutcome};
use crate::model::deposit::{Deposit, DepositState};
use crate::model::mint::MintAddress;
use crate::model::payment::{Payment, PaymentState};
use crate::store::{Change, TokenRow};

/// A token is in its receiver's hands first; nobody waits for our asking.
const FIRST_TOKEN_STEP: Duration = Duration::from_secs(60);
/// How long after its expiry an unpaid invoice of ours is still asked about, in seconds.
const LATE_SECONDS: u64 = 7 * 86_400;

/// Something open, to be asked about at its mint.
#[derive(Debug)]
enum Open {
    Swap(Box<Swap>),
    Melt(Box<Payment>),
    Deposit(Box<Deposit>),
    Token(Box<Payment>, TokenRow),
    Claimed(Box<Payment>, TokenRow),
    /// Paid, and its change is not in.
    Unfinished(Box<Payment>),
    /// Coins that nothing we know of holds.
    Orphans,
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
            Open::Swap(_) | Open::Melt(_) | Open::Unfinished(_) | Open::Orphans => true,
            Open::Deposit(deposit) => deposit.state == DepositState::Paid || deposit.expires_at > now,
            Open::Token(..) | Open::Claimed(..) => false,
        })
    }

    /// Everything that is open.
    async fn open_items(&self) -> Result<Vec<Item>, Error> {
        let mut items = Vec::new();
        for swap in self.journaled_swaps().await? {
            if let Some(mint) = self.mint_of(&swap).await? {
                items.push(Item { name: name(&swap), mint, first: Duration::ZERO, open: Open::Swap(Box::new(swap)) });
            }
        }
        for payment in self.store.open_payments().await? {
            if !payment.is_of_coins() && !self.live().contains_key(&payment.id) {
                let (name, mint) = (payment.id.to_string(), payment.mint.clone());
                items.push(Item { name, mint, first: FIRST_STEP, open: Open::Melt(Box::new(payment)) });
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
        for payment in self.store.unfinished_melts().await? {
            let (name, mint) = (format!("change of {}", payment.id), payment.mint.clone());
            if !self.live().contains_key(&payment.id) {
                items.push(Item { name, mint, first: Duration::ZERO, open: Open::Unfinished(Box::new(payment)) });
            }
        }
        let orphaned: BTreeSet<String> = self.store.orphans().await?.iter().map(|coin| coin.mint_url.to_string()).collect();
        for mint in orphaned {
            if let Ok(mint) = mint.parse::<MintAddress>() {
                items.push(Item { name: format!("orphans {mint}"), mint, first: FIRST_STEP, open: Open::Orphans });
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
                Open::Melt(payment) => self.settle_melt(*payment).await,
                Open::Deposit(deposit) => self.advance(*deposit).await.map(|_| ()),
                Open::Token(payment, row) => self.check_claimed(*payment, row).await.map(|_| ()),
                Open::Claimed(payment, row) => self.check_still_claimed(*payment, row).await,
                Open::Unfinished(payment) => self.finish(*payment).await,
                Open::Orphans => self.sweep(&mint).await,
            };
            if let Err(error) = outcome {
                tracing::debug!(code = error.code.as_str(), "left for the next round");
            }
        }
    }

    async fn mint_of(&self, swap: &Swap) -> Result<Option<MintAddress>, Error> {
        Ok(match &swap.purpose {
            Purpose::Receive(id) => self.store.receive(id).await?.map(|receive| receive.mint),
            Purpose::Send(id) | Purpose::Reclaim(id) | Purpose::Cancel(id) => self.store.payment(id).await?.map(|payment| payment.mint),
            Purpose::Buried { mint, .. } | Purpose::Claim(mint) => Some(mint.clone()),
        })
    }

    /// Coins that an operation took of which nothing else was written: a crash came between two of cdk's writes. The mint says whether
    /// they are spent.
    async fn sweep(&self, address: &MintAddress) -> Result<(), Error> {
        let mint = self.mints.at(address)?;
        let turn = mint.turn().await;
        mint.free_unbegun_melts(&turn).await?;
        let mut orphans = self.store.orphans().await?;
        orphans.retain(|coin| coin.mint_url.to_string().parse::<MintAddress>().is_ok_and(|mint| mint == *address));
        if orphans.is_empty() {
            return Ok(());
        }
        let states = mint.states(coins::ys(&orphans)).await?;
        let (free, spent) = coins::by_word(&orphans, &states);
        tracing::warn!(free = free.len(), spent = spent.len(), "coins of an operation that left no trace were found");
        self.store.commit(vec![coins::free(free), coins::spent(spent)]).await?;
        self.changed();
        Ok(())
    }

    /// Somebody waits for it.
    pub(super) fn hurry(&self, id: &str) {
        self.rounds().hurry(id);
        self.wake();
    }

    fn is_worth_asking(&self, deposit: &Deposit) -> bool {
        let late = deposit.expires_at > 0 && deposit.expires_at.saturating_add(LATE_SECONDS) < (self.clock)();
        deposit.state == DepositState::Paid || !late
    }

    pub(super) async fn journaled_swaps(&self) -> Result<Vec<Swap>, Error> {
        let rows = self.store.swaps().await?;
        Ok(rows.iter().map(|row| Swap::from_row(&row.body)).collect::<Result<_, _>>()?)
    }

    /// A swap of which nobody waits for the outcome any more.
    async fn settle_swap(&self, swap: Swap) -> Result<(), Error> {
        match swap.purpose.clone() {
            Purpose::Send(id) => {
                let Some(payment) = self.store.payment(&id).await? else { return Ok(()) };
                if self.live().contains_key(&id) {
                    return Ok(());
                }
                let (mint, outcome) = self.resume(&payment.mint, &swap).await?;
                let Some(outcome) = outcome else { return Ok(()) };
                self.end_send(payment, &mint, &swap, outcome).await?;
            }
            Purpose::Receive(id) => {
                let Some(receive) = self.store.receive(&id).await? else { return Ok(()) };
                let mint = self.mints.at(&receive.mint)?;
                let turn = mint.turn().await;
                if !self.is_journaled(&swap).await? {
                    return Ok(());
                }
                let outcome = mint.resume_swap(&swap, &turn).await;
                self.end_receive(receive, &mint, &swap, outcome, &turn).await?;
            }
            Purpose::Reclaim(id) => {
                let Some(payment) = self.store.payment(&id).await? else { return Ok(()) };
                let mint = self.mints.at(&payment.mint)?;
                let turn = mint.turn().await;
                if !self.is_journaled(&swap).await? {
                    return Ok(());
                }
                let outcome = mint.resume_swap(&swap, &turn).await;
                self.end_reclaim(payment, &mint, &swap, outcome, &turn).await?;
            }
            Purpose::Cancel(id) => {
                let Some(payment) = self.store.payment(&id).await? else { return Ok(()) };
                let (mint, outcome) = self.resume(&payment.mint, &swap).await?;
                let Some(outcome) = outcome else { return Ok(()) };
                self.end_cancel(payment, &mint, &swap, outcome).await?;
            }
            Purpose::Claim(mint) => {
                let (mint, outcome) = self.resume(&mint, &swap).await?;
                let Some(outcome) = outcome else { return Ok(()) };
                self.end_claim(&mint, &swap, outcome).await?;
            }
            Purpose::Buried { of, mint, since } => self.look_for(&mint, swap, *of, since).await?,
        }
        Ok(())
    }

    /// Resumes a swap unless somebody has ended it meanwhile.
    async fn resume(&self, address: &MintAddress, swap: &Swap) -> Result<(Arc<Mint>, Option<SwapOutcome>), Error> {
        let mint = self.mints.at(address)?;
        let turn = mint.turn().await;
        if !self.is_journaled(swap).await? {
            return Ok((mint, None));
        }
        let outcome = mint.resume_swap(swap, &turn).await;
        Ok((mint, Some(outcome)))
    }

    pub(super) async fn is_journaled(&self, swap: &Swap) -> Result<bool, Error> {
        Ok(self.store.swaps().await?.iter().any(|row| row.id == swap.id))
    }

    /// A melt that this process does not carry: asks the mint's own word.
    async fn settle_melt(&self, seen: Payment) -> Result<(), Error> {
        let Some(payment) = self.store.payment(&seen.id).await? else { return Ok(()) };
        let Some(quote_id) = payment.quote_id.clone().filter(|_| payment.is_open()) else { return Ok(()) };
        if self.live().contains_key(&payment.id) {
            return Ok(());
        }
        let mint = self.mints.at(&payment.mint)?;
        match mint.melt_word(&quote_id).await? {
            (MeltWord::Paid, preimage) => self.end_paid(payment, &mint, &quote_id, preimage).await,
            (MeltWord::Pending, _) => match payment.state {
                PaymentState::Sent { since, acknowledged: false } => {
                    self.record(payment, PaymentState::Sent { since, acknowledged: true }, Vec::new()).await.map(|_| ())
                }
                _ => Ok(()),
            },
            (MeltWord::Unpaid, _) => self.cancel_melt(payment, &mint, &quote_id).await,
        }
    }

    async fn end_paid(&self, payment: Payment, mint: &Mint, quote_id: &str, preimage: Option<String>) -> Result<(), Error> {
        self.store.lift_doubt(quote_id);
        let turn = mint.turn().await;
        let ceiling = payment.reserved_sats.saturating_sub(payment.amount_sats);
        let fee_sats = mint.finish_melt(quote_id, &turn).await?.unwrap_or(ceiling);
        let state = self.settled(&payment, fee_sats, preimage);
        self.record(payment, state, Vec::new()).await?;
        Ok(())
    }

    /// Takes the change of a settled payment in; only then it is known what it cost.
    pub(super) async fn finish(&self, mut payment: Payment) -> Result<(), Error> {
        let (PaymentState::Settled { fee_sats: fee, .. }, Some(quote_id)) = (&mut payment.state, payment.quote_id.clone()) else {
            return Ok(());
        };
        let mint = self.mints.at(&payment.mint)?;
        let turn = mint.turn().await;
        if let Some(cost) = mint.finish_melt(&quote_id, &turn).await? {
            *fee = cost;
            self.store.commit(vec![Change::Payment(payment)]).await?;
            self.changed();
        }
        Ok(())
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
        Purpose::Cancel(_) | Purpose::Claim(_) | Purpose::Buried { .. } => swap.id.to_string(),
    }
}
