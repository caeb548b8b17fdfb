//! The periodic reconciler: ends what was left open, from what the mints say.
//!
//! Takes no input, may be killed anywhere, never asks one mint twice at once, and lets no mint wait
//! for another. Of one mint the most urgent is asked first, and it is looked again after each
//! exchange what that is. Never decides from silence or from the clock: time only says when to ask
//! again, and a mint that does not answer one question is asked no other for a while.

use std::sync::Arc;

use tokio::time::{Duration, sleep};
use uuid::Uuid;

use super::Wallet;
use super::failure::Failure;
use super::rounds::{OpenOperation, Pick};
use super::turn::{FIRST_STEP, LONGEST_STEP, Urgency};
use crate::mint::Mint;
use crate::mint::operation::Operation;
use crate::mint::swap::{Purpose, Swap, SwapOutcome};
use crate::model::deposit::DepositState;
use crate::model::id::DepositId;
use crate::model::mint::MintAddress;

/// So many questions about deposits and tokens follow each other at once at one mint; then there is
/// a pause between them, which leaves our rate at the mint to whoever pays.
const AT_ONCE: usize = 20;
const PAUSE: Duration = Duration::from_millis(500);

impl Wallet {
    /// One round: whatever is open and due is asked about, each mint on a task of its own. Returns
    /// when to come again; a mint that has answered wakes as well.
    ///
    /// # Errors
    /// `storage_failed`, `wallet_damaged`.
    ///
    /// # Cancel safety
    /// Safe to drop: what was begun goes on.
    pub async fn settle(&self) -> Result<Duration, Failure> {
        self.look_up_open().await?;
        let mut rounds = self.rounds();
        for mint in rounds.begin() {
            let wallet = self.clone();
            self.running.spawn(async move { wallet.ask(mint).await });
        }
        Ok(rounds.next().unwrap_or(LONGEST_STEP))
    }

    /// Something is under way, or undecided, or an invoice of ours can still be paid. A token that
    /// nobody has claimed is none of these, nor is what cannot be looked up.
    pub async fn has_open(&self) -> bool {
        if !self.live().is_empty() {
            return true;
        }
        if self.has_unsent_zap().await {
            return true;
        }
        self.look_up_open().await.is_ok() && self.rounds().has_open((self.clock)())
    }

    /// Brings the rounds in line with the store. Costs the journal's rows; the rest only when
    /// something was committed since.
    async fn look_up_open(&self) -> Result<(), Failure> {
        // Of two looks at once the earlier one could be written last: what has ended since would
        // count as open, what has begun would be missed.
        let _one_at_a_time = self.looking_up.lock().await;
        let commits = self.store.commits();
        if self.rounds().is_behind(commits) {
            let wallet = self.clone();
            let open = self.store.unfinished(move |id| wallet.rounds().is_new(id)).await?;
            self.rounds().know(open, commits, (self.clock)());
        }
        let (mut open, mut claims) = (Vec::new(), Vec::new());
        for operation in self.operations().await? {
            match operation {
                Operation::Swap(swap) => {
                    let urgency = if matches!(swap.purpose, Purpose::Buried { .. }) {
                        Urgency::Rest
                    } else {
                        Urgency::Swap
                    };
                    open.push(OpenOperation {
                        name: name(&swap),
                        id: swap.id,
                        mint: swap.mint,
                        urgency,
                        first: Duration::ZERO,
                    });
                }
                Operation::Melt(melt) if !self.live().contains_key(&melt.payment) => {
                    let Some(payment) = self.store.payment(&melt.payment).await? else { continue };
                    // What must come is asked for at once; where there may be nothing, one question
                    // some time later tells.
                    let first = if !payment.is_open() && melt.must_have_change() {
                        Duration::ZERO
                    } else {
                        FIRST_STEP
                    };
                    let (name, urgency) = if payment.is_open() {
                        (payment.id.to_string(), Urgency::Payment)
                    } else {
                        (format!("change of {}", payment.id), Urgency::Swap)
                    };
                    open.push(OpenOperation { name, id: melt.id, mint: melt.mint, urgency, first });
                }
                Operation::Melt(_) => {}
                // A claim is asked about with its deposit.
                Operation::Issue(issue) => claims.push(issue.deposit),
            }
        }
        self.rounds().know_operations(open, &claims);
        Ok(())
    }

    /// Asks one mint about what is open there, one thing after the other, until nothing is due or
    /// the mint does not answer.
    async fn ask(self, address: MintAddress) {
        let _asked = Asked { wallet: self.clone(), mint: address.clone() };
        let Ok(mint) = self.mints.at(&address) else { return self.rounds().falls_silent(&address) };
        let mut not_urgent = 0_usize;
        while !self.closing.is_cancelled() {
            let Some(pick) = self.rounds().pick(&address) else { return };
            let unanswered = mint.unanswered();
            not_urgent =
                not_urgent.saturating_add(usize::from(!matches!(pick, Pick::Operation(_))));
            let outcome = match pick {
                Pick::Operation(id) => self.settle_operation(id).await,
                Pick::Deposit(id) => self.settle_deposit(&id).await,
                Pick::Tokens(payments) => self.check_tokens(&mint, payments).await,
            };
            if let Err(error) = outcome {
                tracing::debug!(%error, "left for the next round");
            }
            if mint.unanswered() != unanswered {
                return self.rounds().falls_silent(&address);
            }
            self.rounds().answers(&address);
            if not_urgent > AT_ONCE {
                sleep(PAUSE).await;
            }
        }
    }

    async fn settle_operation(&self, id: Uuid) -> Result<(), Failure> {
        match self.operation(id).await? {
            Some(Operation::Swap(swap)) => self.settle_swap(swap).await,
            Some(Operation::Melt(melt)) => match self.store.payment(&melt.payment).await? {
                Some(payment) => self.settle_melt(payment, melt).await,
                None => Ok(()),
            },
            Some(Operation::Issue(_)) | None => Ok(()),
        }
    }

    async fn settle_deposit(&self, id: &str) -> Result<(), Failure> {
        let found = match id.parse::<DepositId>() {
            Ok(id) => self.store.deposit(&id).await?,
            Err(_) => None,
        };
        let Some(deposit) = found
            .filter(|deposit| deposit.is_asked((self.clock)()) && !deposit.rests((self.clock)()))
        else {
            return Ok(());
        };
        if deposit.state == DepositState::Paid {
            self.rounds().is_paid(&deposit.id);
        }
        self.advance(deposit).await.map(drop)
    }

    /// A swap of which nobody waits for the outcome any more.
    async fn settle_swap(&self, swap: Swap) -> Result<(), Failure> {
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
            Purpose::Nutzaps(_) => {
                let Some((_, swap, outcome)) = self.resume(&swap).await? else { return Ok(()) };
                self.end_nutzaps(&swap, outcome).await?;
            }
            Purpose::Split => self.settle_split(&swap).await?,
            Purpose::Buried { of, since } => self.look_for(swap, *of, since).await?,
        }
        Ok(())
    }

    /// Resumes a swap unless somebody has ended it meanwhile.
    async fn resume(&self, seen: &Swap) -> Result<Option<(Arc<Mint>, Swap, SwapOutcome)>, Failure> {
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
        self.wallet.rounds().end(&self.mint);
        self.wallet.wake();
    }
}

/// Under which name a swap has its turn: that of what waits for it. A cancelled melt has its own
/// turn beside its swap's.
fn name(swap: &Swap) -> String {
    match &swap.purpose {
        Purpose::Send(id) | Purpose::Reclaim(id) => id.to_string(),
        Purpose::Receive(id) => id.to_string(),
        Purpose::Cancel(_)
        | Purpose::Claim
        | Purpose::Nutzaps(_)
        | Purpose::Split
        | Purpose::Buried { .. } => swap.id.to_string(),
    }
}
