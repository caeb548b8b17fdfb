//! Issuing the coins of a deposit (NUT-04): where its quote stands, and its coins once it is paid.
//!
//! One call at a time for a deposit. A mint that says it has issued coins that are not here is
//! believed in nothing: the deposit is disputed and stays open.

use super::failure::Failure;
use super::journal::journaled;
use super::nostr::Elsewhere;
use super::restore::Which;
use super::{Wallet, coins};
use crate::mint::error::nut;
use crate::mint::issue::{Issue, IssueOutcome, IssueState};
use crate::mint::operation::Operation;
use crate::mint::{Mint, Turn};
use crate::model::deposit::{Deposit, DepositState, Dispute};
use crate::store::Change;

impl Wallet {
    /// Asks the mint where a deposit stands, and claims it if it is paid. Does nothing to one that
    /// is received.
    pub(super) async fn advance(&self, deposit: Deposit) -> Result<Deposit, Failure> {
        let mint = self.mints.at(&deposit.mint)?;
        let _one_at_a_time = self.gates.pass(deposit.id.as_str()).await;
        let mut deposit = self.store.deposit(&deposit.id).await?.unwrap_or(deposit);
        if !deposit.is_open() {
            return Ok(deposit);
        }
        if let Some(issue) = self.issue_of(&deposit.id).await? {
            let turn = mint.turn().await;
            let outcome = mint.resume_issue(&issue, &turn).await;
            if matches!(outcome, IssueOutcome::Disputed) {
                drop(turn);
                return self.dispute(deposit, Some(issue)).await;
            }
            return self.end_issue(deposit, &mint, issue, outcome, &turn).await;
        }
        let now = (self.clock)();
        let told = mint.deposit_state(&deposit.quote_id).await?;
        if told != IssueState::Issued && deposit.dispute.take().is_some() {
            self.store.commit(vec![Change::Deposit(deposit.clone())]).await?;
            self.rounds().is_disputed(&deposit.id, false);
        }
        match told {
            IssueState::Paid => {
                let turn = mint.turn().await;
                let held = self.store.unspent_amounts(&deposit.mint).await?;
                let issue = mint.plan_issue(&deposit, &held).await?;
                deposit.state = DepositState::Paid;
                self.journal_issue(&issue, vec![Change::Deposit(deposit.clone())]).await?;
                self.changed();
                let outcome = mint.post_issue(&issue, &turn).await;
                self.end_issue(deposit, &mint, issue, outcome, &turn).await
            }
            IssueState::Unpaid
                if deposit.state == DepositState::Unpaid
                    && deposit.expires_at > 0
                    && deposit.expires_at < now =>
            {
                self.put(deposit, DepositState::Expired).await
            }
            IssueState::Unpaid => Ok(deposit),
            IssueState::Issued => self.dispute(deposit, None).await,
        }
    }

    /// The mint says that it has made a deposit's coins, and none of them is here. All that it has
    /// signed for us is looked through once: what is found so is the deposit's. Where that is not
    /// enough the deposit is disputed. The caller does not hold the turn.
    async fn dispute(
        &self,
        mut deposit: Deposit,
        issue: Option<Issue>,
    ) -> Result<Deposit, Failure> {
        let now = (self.clock)();
        match self.claimed_by_another(&deposit).await? {
            Elsewhere::No => {}
            Elsewhere::Perhaps => return Ok(deposit),
            Elsewhere::Claimed => {
                deposit.state = DepositState::Received { at: now, received_sats: 0 };
                let beside = issue.iter().map(|issue| Change::EndOperation(issue.id));
                self.store
                    .commit(beside.chain([Change::Deposit(deposit.clone())]).collect())
                    .await?;
                self.changed();
                return Ok(deposit);
            }
        }
        let known = deposit.dispute.take();
        let received = Deposit {
            state: DepositState::Received { at: now, received_sats: deposit.amount_sats },
            ..deposit.clone()
        };
        let beside: Vec<Change> =
            issue.iter().map(|issue| Change::EndOperation(issue.id)).collect();
        let mut found = self.store.receive_found(received.clone(), beside.clone()).await?;
        if !found && known.is_none() {
            let asked = self.recheck(Which::At(deposit.mint.clone()), |_| ()).await?.mints;
            if asked.first().is_none_or(|asked| asked.error.is_some()) {
                // It was not looked through to the end, which says nothing.
                return Ok(deposit);
            }
            found = self.store.receive_found(received.clone(), beside).await?;
        }
        if found {
            self.changed();
            return Ok(received);
        }
        tracing::warn!(deposit = %deposit.id, "its mint says that its coins were made, and has signed none for this wallet; it is disputed");
        deposit.dispute =
            Some(Dispute { since: known.map_or(now, |known| known.since), asked: now });
        self.store.commit(vec![Change::Deposit(deposit.clone())]).await?;
        self.rounds().is_disputed(&deposit.id, true);
        self.changed();
        Ok(deposit)
    }

    async fn journal_issue(&self, issue: &Issue, mut beside: Vec<Change>) -> Result<(), Failure> {
        beside.extend([
            Change::UseCounters(issue.counters()),
            journaled(&Operation::Issue(issue.clone()))?,
        ]);
        Ok(self.store.commit(beside).await?)
    }

    /// What claiming a deposit came to.
    async fn end_issue(
        &self,
        mut deposit: Deposit,
        mint: &Mint,
        issue: Issue,
        outcome: IssueOutcome,
        turn: &Turn,
    ) -> Result<Deposit, Failure> {
        let (outcome, issue) = match outcome {
            // New outputs in the same row, and again: none of the old ones was signed for this
            // quote.
            IssueOutcome::Refused(error)
                if error.code() == Some(nut::KEYSET_INACTIVE) && mint.refresh().await.is_ok() =>
            {
                let again = mint.replan_issue(&issue, turn).await?;
                self.journal_issue(&again, vec![Change::FreeCounters(issue.counters())]).await?;
                (mint.post_issue(&again, turn).await, again)
            }
            IssueOutcome::OutputsUsed => {
                let again = mint.replan_issue(&issue, turn).await?;
                self.journal_issue(&again, Vec::new()).await?;
                self.leave_used_counters();
                (mint.post_issue(&again, turn).await, again)
            }
            outcome => (outcome, issue),
        };
        match outcome {
            IssueOutcome::Done(coins) => {
                let received_sats = coins::total_sats(&coins);
                (deposit.state, deposit.dispute) =
                    (DepositState::Received { at: (self.clock)(), received_sats }, None);
                let ended = vec![
                    Change::Proofs { add: coins },
                    Change::EndOperation(issue.id),
                    Change::Deposit(deposit.clone()),
                ];
                self.store.commit(ended).await?;
                self.changed();
                Ok(deposit)
            }
            IssueOutcome::Refused(error) => {
                let mut ended = vec![Change::EndOperation(issue.id)];
                if error.code() != Some(nut::OUTPUTS_SIGNED) {
                    ended.push(Change::FreeCounters(issue.counters()));
                }
                self.store.commit(ended).await?;
                Err(Failure::from(error))
            }
            // The next question begins without the turn, and looks for them.
            IssueOutcome::Disputed | IssueOutcome::OutputsUsed => Ok(deposit),
            IssueOutcome::Unknown(error) => {
                tracing::debug!(%error, deposit = %deposit.id, "it is not known yet whether its coins were made");
                Ok(deposit)
            }
        }
    }

    async fn put(&self, mut deposit: Deposit, state: DepositState) -> Result<Deposit, Failure> {
        if deposit.state != state {
            deposit.state = state;
            self.store.commit(vec![Change::Deposit(deposit.clone())]).await?;
            self.changed();
        }
        Ok(deposit)
    }
}
