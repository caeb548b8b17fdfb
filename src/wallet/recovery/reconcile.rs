//! Periodic reconciler: ends open items according to the mints' answers.
//!
//! Takes no input and may be killed anywhere. Each mint has its own task, so no mint delays another
//! and none is queried twice at once. After each exchange, the most urgent item is picked again.
//!
//! Never decides from silence or from the clock: time only says when to ask again. A mint that
//! leaves one query unanswered gets no other for a while.

use std::sync::Arc;

use tokio::time::{Duration, sleep};
use uuid::Uuid;

use crate::mint::Mint;
use crate::mint::operation::Operation;
use crate::mint::swap::{Swap, SwapOutcome, SwapPurpose};
use crate::model::deposit::DepositState;
use crate::model::id::DepositId;
use crate::model::mint::MintAddress;
use crate::wallet::core::Core;
use crate::wallet::core::due::{FIRST_STEP, LONGEST_STEP, Urgency};
use crate::wallet::core::failure::Failure;
use crate::wallet::core::schedule::{OpenOperation, Pick};
use crate::wallet::deposit::issue::advance;
use crate::wallet::engine::journal::{as_journaled, operation, operations};
use crate::wallet::engine::receive::end_receive;
use crate::wallet::execution::cancel::end_cancel;
use crate::wallet::execution::exact::settle_split;
use crate::wallet::execution::melt::settle_melt;
use crate::wallet::execution::token::end_send;
use crate::wallet::nutzaps::end_redeem::end_nutzaps;
use crate::wallet::nutzaps::outgoing::has_unsent_zap;
use crate::wallet::recovery::Recovery;
use crate::wallet::recovery::disputed_swaps::look_for;
use crate::wallet::sync::adopt::end_adopt;
use crate::wallet::token::reclaim::end_reclaim;
use crate::wallet::token::watch::check_tokens;

/// Queries about deposits and tokens that one mint gets without a pause; further ones are spaced by
/// [`PAUSE`], to leave the mint's rate limit to payments.
const AT_ONCE: usize = 20;
const PAUSE: Duration = Duration::from_millis(500);

impl Recovery<'_> {
    /// Runs one round: queries every mint with due items, each on its own task. Returns the time
    /// until the next round; a mint's answer also wakes the loop.
    ///
    /// # Errors
    /// [`Cause::Store`](crate::wallet::core::failure::Cause::Store).
    ///
    /// # Cancel safety
    /// Safe to drop: started queries continue.
    pub async fn settle(self) -> Result<Duration, Failure> {
        let core = self.0;
        look_up_open(core).await?;
        let mut rounds = core.schedule();
        for mint in rounds.begin() {
            let owned = core.clone();
            core.running.spawn(async move { ask(&owned, mint).await });
        }
        Ok(rounds.next().unwrap_or(LONGEST_STEP))
    }

    /// Returns whether something is under way or undecided, or one of our invoices can still be
    /// paid. Unclaimed tokens do not count, nor does anything that the store cannot read.
    pub async fn has_open(self) -> bool {
        let core = self.0;
        if !core.live().is_empty() {
            return true;
        }
        if has_unsent_zap(core).await {
            return true;
        }
        look_up_open(core).await.is_ok() && core.schedule().has_open((core.clock)())
    }
}

/// Updates the schedule: operations each time, deposits and tokens only after a new commit.
async fn look_up_open(core: &Core) -> Result<(), Failure> {
    // Of two concurrent reads, the older could be applied last and would undo the newer.
    let _one_at_a_time = core.looking_up.lock().await;
    let commits = core.store.commits();
    if core.schedule().is_behind(commits) {
        let owned = core.clone();
        let open = core.store.unfinished(move |id| owned.schedule().is_new(id)).await?;
        core.schedule().know(open, commits, (core.clock)());
    }
    let (mut open, mut claims) = (Vec::new(), Vec::new());
    for operation in operations(core).await? {
        match operation {
            Operation::Swap(swap) => {
                let urgency = if matches!(swap.purpose, SwapPurpose::Disputed { .. }) {
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
            Operation::Melt(melt) if !core.live().contains_key(&melt.payment) => {
                let Some(payment) = core.store.payment(&melt.payment).await? else { continue };
                // Change that the mint must return is requested at once; possible change, later.
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
            // An issue is queried together with its deposit.
            Operation::Issue(issue) => claims.push(issue.deposit),
        }
    }
    core.schedule().know_operations(open, &claims);
    Ok(())
}

/// Queries one mint, one item at a time, until nothing is due or the mint does not answer.
async fn ask(core: &Core, address: MintAddress) {
    let _asked = Reconciling { core: core.clone(), mint: address.clone() };
    let Ok(mint) = core.mints.at(&address) else { return core.schedule().falls_silent(&address) };
    let mut not_urgent = 0_usize;
    while !core.closing.is_cancelled() {
        let Some(pick) = core.schedule().pick(&address) else { return };
        let unanswered = mint.unanswered();
        not_urgent = not_urgent.saturating_add(usize::from(!matches!(pick, Pick::Operation(_))));
        let outcome = match pick {
            Pick::Operation(id) => settle_operation(core, id).await,
            Pick::Deposit(id) => settle_deposit(core, &id).await,
            Pick::Tokens(payments) => check_tokens(core, &mint, payments).await,
        };
        if let Err(error) = outcome {
            tracing::debug!(%error, "an open item is left for the next round");
        }
        if mint.unanswered() != unanswered {
            return core.schedule().falls_silent(&address);
        }
        core.schedule().answers(&address);
        if not_urgent > AT_ONCE {
            sleep(PAUSE).await;
        }
    }
}

async fn settle_operation(core: &Core, id: Uuid) -> Result<(), Failure> {
    match operation(core, id).await? {
        Some(Operation::Swap(swap)) => settle_swap(core, swap).await,
        Some(Operation::Melt(melt)) => match core.store.payment(&melt.payment).await? {
            Some(payment) => settle_melt(core, payment, melt).await,
            None => Ok(()),
        },
        Some(Operation::Issue(_)) | None => Ok(()),
    }
}

async fn settle_deposit(core: &Core, id: &str) -> Result<(), Failure> {
    let found = match id.parse::<DepositId>() {
        Ok(id) => core.store.deposit(&id).await?,
        Err(_) => None,
    };
    let Some(deposit) =
        found.filter(|deposit| deposit.is_asked((core.clock)()) && !deposit.rests((core.clock)()))
    else {
        return Ok(());
    };
    if deposit.state == DepositState::Paid {
        core.schedule().is_paid(&deposit.id);
    }
    advance(core, deposit).await.map(drop)
}

/// Settles a swap that no caller waits for.
async fn settle_swap(core: &Core, swap: Swap) -> Result<(), Failure> {
    match swap.purpose.clone() {
        SwapPurpose::Send(id) => {
            let Some(payment) = core.store.payment(&id).await? else { return Ok(()) };
            if core.live().contains_key(&id) {
                return Ok(());
            }
            let Some((mint, swap, outcome)) = resume(core, &swap).await? else { return Ok(()) };
            end_send(core, payment, &mint, &swap, outcome).await?;
        }
        SwapPurpose::Receive(id) => {
            let Some(receive) = core.store.receive(&id).await? else { return Ok(()) };
            let mint = core.mints.at(&receive.mint)?;
            let guard = mint.lock().await;
            let Some(swap) = as_journaled(core, &swap).await? else { return Ok(()) };
            let outcome = mint.resume_swap(&swap, &guard).await;
            end_receive(core, receive, &mint, &swap, outcome, &guard).await?;
        }
        SwapPurpose::Reclaim(id) => {
            let Some(payment) = core.store.payment(&id).await? else { return Ok(()) };
            let mint = core.mints.at(&payment.mint)?;
            let guard = mint.lock().await;
            let Some(swap) = as_journaled(core, &swap).await? else { return Ok(()) };
            let outcome = mint.resume_swap(&swap, &guard).await;
            end_reclaim(core, payment, &mint, &swap, outcome, &guard).await?;
        }
        SwapPurpose::Cancel(id) => {
            let Some(payment) = core.store.payment(&id).await? else { return Ok(()) };
            let Some((_, swap, outcome)) = resume(core, &swap).await? else { return Ok(()) };
            end_cancel(core, payment, &swap, outcome).await?;
        }
        SwapPurpose::Adopt => {
            let Some((mint, swap, outcome)) = resume(core, &swap).await? else { return Ok(()) };
            end_adopt(core, &mint, &swap, outcome).await?;
        }
        SwapPurpose::Nutzaps(_) => {
            let Some((_, swap, outcome)) = resume(core, &swap).await? else { return Ok(()) };
            end_nutzaps(core, &swap, outcome).await?;
        }
        SwapPurpose::Split => settle_split(core, &swap).await?,
        SwapPurpose::Disputed { of, since } => look_for(core, swap, *of, since).await?,
    }
    Ok(())
}

/// Resumes a swap. `None`: it has already ended.
async fn resume(
    core: &Core,
    seen: &Swap,
) -> Result<Option<(Arc<Mint>, Swap, SwapOutcome)>, Failure> {
    let mint = core.mints.at(&seen.mint)?;
    let guard = mint.lock().await;
    let Some(swap) = as_journaled(core, seen).await? else { return Ok(None) };
    let outcome = mint.resume_swap(&swap, &guard).await;
    Ok(Some((mint, swap, outcome)))
}

/// Guard that marks a mint as being queried.
struct Reconciling {
    core: Core,
    mint: MintAddress,
}

impl Drop for Reconciling {
    fn drop(&mut self) {
        self.core.schedule().end(&self.mint);
        self.core.wake();
    }
}

/// Returns the schedule name of a swap: the id of the record that waits for it. The swap of a
/// cancelled melt has its own turn, separate from the melt's.
fn name(swap: &Swap) -> String {
    match &swap.purpose {
        SwapPurpose::Send(id) | SwapPurpose::Reclaim(id) => id.to_string(),
        SwapPurpose::Receive(id) => id.to_string(),
        SwapPurpose::Cancel(_)
        | SwapPurpose::Adopt
        | SwapPurpose::Nutzaps(_)
        | SwapPurpose::Split
        | SwapPurpose::Disputed { .. } => swap.id.to_string(),
    }
}
