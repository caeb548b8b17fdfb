//! Start-up recovery and the periodic reconciler: ends what was left open, from what the mints say.
//!
//! Takes no input, may be killed anywhere, never runs twice at once. Never decides from silence or from the clock: time only says when to
//! ask again. A melt whose request nobody carries any more, and that its mint calls unpaid, is ended by swapping its coins away: after
//! that the mint cannot pay it.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::time::{Duration, Instant};

use super::code::Code;
use super::error::Error;
use super::{Wallet, coins};
use crate::mint::Mint;
use crate::mint::melt::MeltWord;
use crate::mint::swap::{Purpose, Swap, SwapOutcome, Want};
use crate::model::deposit::{Deposit, DepositState};
use crate::model::mint::MintAddress;
use crate::model::payment::{Payment, PaymentKind, PaymentState};
use crate::store::{Change, TokenRow};

const FIRST_STEP: Duration = Duration::from_secs(2);
/// A token is in its receiver's hands first; nobody waits for our asking.
const FIRST_TOKEN_STEP: Duration = Duration::from_secs(60);
const LONGEST_STEP: Duration = Duration::from_secs(600);
/// How old an unpaid melt without an exchange must be before its coins are swapped away, in seconds.
const CANCEL_AFTER_SECONDS: u64 = 60;
/// How long after its expiry an unpaid invoice of ours is still asked about, in seconds.
const LATE_SECONDS: u64 = 7 * 86_400;

/// When each open thing is asked about next.
#[derive(Debug, Default)]
pub(super) struct Rounds(HashMap<String, (Instant, Duration)>);

impl Rounds {
    /// It is time; the next time is further off. What is seen first is due after its first step.
    fn is_due(&mut self, id: &str, first: Duration) -> bool {
        let now = Instant::now();
        match self.0.get_mut(id) {
            Some((when, _)) if *when > now => false,
            Some((when, step)) => {
                *step = (*step).max(FIRST_STEP).mul_f64(1.5).min(LONGEST_STEP);
                *when = now + *step;
                true
            }
            None => {
                self.0.insert(id.to_owned(), (now + first, first));
                first.is_zero()
            }
        }
    }

    /// It is due at once, and often from now on.
    fn hurry(&mut self, id: &str) {
        self.0.insert(id.to_owned(), (Instant::now(), FIRST_STEP));
    }

    fn keep_only(&mut self, open: &[String]) {
        self.0.retain(|id, _| open.contains(id));
    }

    /// How long until something is due.
    fn next(&self) -> Option<Duration> {
        let now = Instant::now();
        self.0.values().map(|(when, _)| when.saturating_duration_since(now)).min()
    }
}

impl Wallet {
    /// Ends what a crash cut short. Once, at start, before anything else; what cannot be ended now is left to [`Wallet::settle`].
    ///
    /// # Errors
    /// `storage_failed`, `wallet_damaged`. A mint that does not answer is no error.
    pub async fn recover(&self) -> Result<(), Error> {
        for payment in self.store.open_payments().await? {
            self.orphan(payment).await?;
        }
        self.refuse_unbegun().await?;
        for address in self.mints_with_something_open().await? {
            let Ok(mint) = self.mints.at(&address) else { continue };
            let turn = mint.turn().await;
            let wallet = self.clone();
            self.running.spawn(async move {
                if let Err(error) = mint.recover(&turn).await {
                    tracing::warn!(%error, "a mint's recovery is not done");
                }
                drop(turn);
                wallet.wake();
            });
        }
        Ok(())
    }

    /// A payment that was open when the process ended: its caller is gone; if nothing can have left, it failed.
    async fn orphan(&self, mut payment: Payment) -> Result<(), Error> {
        payment.caller_in_doubt = true;
        let swaps = self.journaled_swaps().await?;
        let made = swaps.iter().any(|swap| swap.purpose == Purpose::Send(payment.id.clone()));
        if payment.state == PaymentState::Reserved && !made {
            let error = Error::new(Code::MintUnreachable, "The wallet stopped before anything was sent.");
            self.record_failure(payment, error, Vec::new()).await;
            return Ok(());
        }
        Ok(self.store.commit(vec![Change::Payment(payment)]).await?)
    }

    /// Tokens whose swap was never journaled: nothing was taken.
    async fn refuse_unbegun(&self) -> Result<(), Error> {
        let swaps = self.journaled_swaps().await?;
        for receive in self.store.open_receives().await? {
            if !swaps.iter().any(|swap| swap.purpose == Purpose::Receive(receive.id.clone())) {
                let error = Error::new(Code::MintUnreachable, "The wallet stopped before the token was taken in.");
                let _told = self.refuse(receive, Vec::new(), error).await;
            }
        }
        Ok(())
    }

    async fn mints_with_something_open(&self) -> Result<Vec<MintAddress>, Error> {
        let mut open: Vec<_> = self.store.open_payments().await?.into_iter().map(|payment| payment.mint).collect();
        open.extend(self.store.open_deposits().await?.into_iter().map(|deposit| deposit.mint));
        for held in self.store.balances().await?.into_iter().filter(|held| held.pending > 0) {
            open.extend(held.mint.parse());
        }
        open.sort();
        open.dedup();
        Ok(open)
    }

    /// One round over everything open. Returns when to come again.
    ///
    /// # Errors
    /// `storage_failed`, `wallet_damaged`.
    ///
    /// # Cancel safety
    /// Not cancel safe: run it to its end.
    pub async fn settle(&self) -> Result<Duration, Error> {
        let _one_at_a_time = self.settling.lock().await;
        let mut open = Vec::new();
        for swap in self.journaled_swaps().await? {
            let name = name(&swap);
            open.push(name.clone());
            if self.is_due(&name, Duration::ZERO) {
                self.note(self.settle_swap(swap).await);
            }
        }
        for payment in self.store.open_payments().await? {
            open.push(payment.id.to_string());
            if payment.kind == PaymentKind::Payment
                && !self.live().contains_key(&payment.id)
                && self.is_due(payment.id.as_str(), FIRST_STEP)
            {
                self.note(self.settle_melt(payment).await);
            }
        }
        for deposit in self.store.open_deposits().await? {
            if self.is_worth_asking(&deposit) {
                open.push(deposit.id.to_string());
                if self.is_due(deposit.id.as_str(), FIRST_STEP) {
                    self.note(self.advance(deposit).await.map(|_| ()));
                }
            }
        }
        for (payment, row) in self.store.unclaimed_tokens().await? {
            open.push(payment.id.to_string());
            if self.is_due(payment.id.as_str(), FIRST_TOKEN_STEP) {
                self.note(self.check_claimed(payment, row).await.map(|_| ()));
            }
        }
        let mut rounds = self.rounds();
        rounds.keep_only(&open);
        Ok(rounds.next().unwrap_or(LONGEST_STEP))
    }

    /// Somebody waits for it.
    pub(super) fn hurry(&self, id: &str) {
        self.rounds().hurry(id);
        self.wake();
    }

    fn is_due(&self, id: &str, first: Duration) -> bool {
        self.rounds().is_due(id, first)
    }

    fn note(&self, outcome: Result<(), Error>) {
        if let Err(error) = outcome {
            tracing::debug!(code = error.code.as_str(), "left for the next round");
        }
    }

    fn is_worth_asking(&self, deposit: &Deposit) -> bool {
        let late = deposit.expires_at > 0 && deposit.expires_at.saturating_add(LATE_SECONDS) < (self.clock)();
        deposit.state == DepositState::Paid || !late
    }

    /// A token of ours that is being taken back: nobody knows yet whether it is still good.
    pub(super) async fn is_being_reclaimed(&self, payment: &Payment) -> Result<bool, Error> {
        if payment.kind != PaymentKind::TokenSent || !matches!(payment.state, PaymentState::Settled { claimed: false, .. }) {
            return Ok(false);
        }
        Ok(self.journaled_swaps().await?.iter().any(|swap| swap.purpose == Purpose::Reclaim(payment.id.clone())))
    }

    async fn journaled_swaps(&self) -> Result<Vec<Swap>, Error> {
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

    async fn is_journaled(&self, swap: &Swap) -> Result<bool, Error> {
        Ok(self.store.swaps().await?.iter().any(|row| row.id == swap.id))
    }

    /// A melt that this process does not carry: asks the mint's own word.
    async fn settle_melt(&self, payment: Payment) -> Result<(), Error> {
        let Some(quote_id) = payment.quote_id.clone() else { return Ok(()) };
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

    /// The mint says unpaid and nobody carries the request: swaps its coins away, so that it cannot be paid any more.
    async fn cancel_melt(&self, payment: Payment, mint: &Mint, quote_id: &str) -> Result<(), Error> {
        let PaymentState::Sent { since, .. } = payment.state else { return Ok(()) };
        if since.saturating_add(CANCEL_AFTER_SECONDS) > (self.clock)() {
            return Ok(());
        }
        let turn = mint.turn().await;
        let purpose = Purpose::Cancel(payment.id.clone());
        if self.journaled_swaps().await?.iter().any(|swap| swap.purpose == purpose) {
            return Ok(());
        }
        let held = mint.held_by_melt(quote_id).await?;
        if held.is_empty() {
            return Ok(());
        }
        let want = Want { purpose, give_sats: 0, lock_to: None, memo: None };
        let (swap, outcome) = self.swap(mint, coins::proofs(held), want, |_| Ok(Vec::new()), &turn).await?;
        drop(turn);
        self.end_cancel(payment, mint, &swap, outcome).await
    }

    /// What swapping a melt's coins away came to. Refused or spent: the mint's word on the quote decides in a later round.
    async fn end_cancel(&self, payment: Payment, mint: &Mint, swap: &Swap, outcome: SwapOutcome) -> Result<(), Error> {
        match outcome {
            SwapOutcome::Done { keep, .. } => {
                let beside = coins::swapped(swap, keep)?;
                let quote_id = payment.quote_id.clone().unwrap_or_default();
                let error = Error::new(Code::RouteNotFound, "The payment did not go through; its coins came back.");
                self.record_failure(payment, error, beside).await;
                self.store.lift_doubt(&quote_id);
                let turn = mint.turn().await;
                mint.finish_melt(&quote_id, &turn).await?;
                Ok(())
            }
            SwapOutcome::Refused(_) | SwapOutcome::SpentElsewhere => Ok(self.store.commit(vec![Change::EndSwap(swap.id)]).await?),
            SwapOutcome::Unknown(_) => Ok(()),
        }
    }

    /// Asks the mint whether somebody has claimed a token of ours, and writes it down.
    pub(super) async fn check_claimed(&self, payment: Payment, row: TokenRow) -> Result<Payment, Error> {
        let mint = self.mints.at(&payment.mint)?;
        if !mint.all_spent(row.ys.clone()).await? {
            return Ok(payment);
        }
        let turn = mint.turn().await;
        if self.store.token(&payment.id).await?.is_none() {
            return Ok(self.store.payment(&payment.id).await?.unwrap_or(payment));
        }
        let reclaiming = self.journaled_swaps().await?.iter().any(|swap| swap.purpose == Purpose::Reclaim(payment.id.clone()));
        if reclaiming {
            return Ok(payment);
        }
        let ended = self.record_claimed(payment, row.ys, Vec::new()).await;
        drop(turn);
        ended
    }
}

/// Under which name a swap has its turn: that of what waits for it. A cancelled melt has its own turn beside its swap's.
fn name(swap: &Swap) -> String {
    match &swap.purpose {
        Purpose::Send(id) | Purpose::Reclaim(id) => id.to_string(),
        Purpose::Receive(id) => id.to_string(),
        Purpose::Cancel(_) => swap.id.to_string(),
    }
}
