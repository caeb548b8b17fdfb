//! Issues the proofs of a paid deposit (NUT-04).
//!
//! One call at a time per deposit. If a mint claims to have issued proofs that are not here, the
//! claim is not accepted: the deposit is disputed and stays open.

use crate::mint::error::nut;
use crate::mint::issue::{Issue, IssueOutcome, IssueState};
use crate::mint::operation::Operation;
use crate::mint::{Mint, MintGuard};
use crate::model::deposit::{Deposit, DepositState, Dispute};
use crate::store::Change;
use crate::wallet::core::Core;
use crate::wallet::core::failure::Failure;
use crate::wallet::deposit::quotes::{Elsewhere, claimed_by_another};
use crate::wallet::engine::journal::{issue_of, journaled};
use crate::wallet::engine::recheck::{Which, recheck};
use crate::wallet::engine::swap::leave_used_counters;
use crate::wallet::proofs::changes;

/// Asks the mint for the deposit's state and claims it if it is paid. A received deposit is
/// returned unchanged.
pub(crate) async fn advance(core: &Core, deposit: Deposit) -> Result<Deposit, Failure> {
    let mint = core.mints.at(&deposit.mint)?;
    let _one_at_a_time = core.locks.pass(deposit.id.as_str()).await;
    let mut deposit = core.store.deposit(&deposit.id).await?.unwrap_or(deposit);
    if !deposit.is_open() {
        return Ok(deposit);
    }
    if let Some(issue) = issue_of(core, &deposit.id).await? {
        let guard = mint.lock().await;
        let outcome = mint.resume_issue(&issue, &guard).await;
        if matches!(outcome, IssueOutcome::Disputed) {
            drop(guard);
            return dispute(core, deposit, Some(issue)).await;
        }
        return end_issue(core, deposit, &mint, issue, outcome, &guard).await;
    }
    let now = (core.clock)();
    let told = mint.deposit_state(&deposit.quote_id).await?;
    if told != IssueState::Issued && deposit.dispute.take().is_some() {
        core.store.commit(vec![Change::Deposit(deposit.clone())]).await?;
        core.schedule().is_disputed(&deposit.id, false);
    }
    match told {
        IssueState::Paid => {
            let guard = mint.lock().await;
            let held = core.store.unspent_amounts(&deposit.mint).await?;
            let issue = mint.plan_issue(&deposit, &held).await?;
            deposit.state = DepositState::Paid;
            journal_issue(core, &issue, vec![Change::Deposit(deposit.clone())]).await?;
            core.changed();
            let outcome = mint.post_issue(&issue, &guard).await;
            end_issue(core, deposit, &mint, issue, outcome, &guard).await
        }
        IssueState::Unpaid
            if deposit.state == DepositState::Unpaid
                && deposit.expires_at > 0
                && deposit.expires_at < now =>
        {
            put(core, deposit, DepositState::Expired).await
        }
        IssueState::Unpaid => Ok(deposit),
        IssueState::Issued => dispute(core, deposit, None).await,
    }
}

/// Handles a mint's claim that it has issued this deposit's proofs, though none is here. Rechecks
/// the mint once: proofs found belong to the deposit; if they do not cover it, the deposit is
/// disputed. The caller must not hold the mint's lock.
async fn dispute(
    core: &Core,
    mut deposit: Deposit,
    issue: Option<Issue>,
) -> Result<Deposit, Failure> {
    let now = (core.clock)();
    match claimed_by_another(core, &deposit).await? {
        Elsewhere::No => {}
        Elsewhere::Perhaps => return Ok(deposit),
        Elsewhere::Claimed => {
            deposit.state = DepositState::Received { at: now, received_sats: 0 };
            let beside = issue.iter().map(|issue| Change::EndOperation(issue.id));
            core.store.commit(beside.chain([Change::Deposit(deposit.clone())]).collect()).await?;
            core.changed();
            return Ok(deposit);
        }
    }
    let known = deposit.dispute.take();
    let received = Deposit {
        state: DepositState::Received { at: now, received_sats: deposit.amount_sats },
        ..deposit.clone()
    };
    let beside: Vec<Change> = issue.iter().map(|issue| Change::EndOperation(issue.id)).collect();
    let mut found = core.store.receive_found(received.clone(), beside.clone()).await?;
    if !found && known.is_none() {
        let asked = recheck(core, Which::At(deposit.mint.clone()), |_| ()).await?.mints;
        if asked.first().is_none_or(|asked| asked.error.is_some()) {
            // An incomplete recheck proves nothing.
            return Ok(deposit);
        }
        found = core.store.receive_found(received.clone(), beside).await?;
    }
    if found {
        core.changed();
        return Ok(received);
    }
    tracing::warn!(deposit = %deposit.id, "the mint says it issued this deposit's coins but has signed none for this wallet; the deposit is disputed");
    deposit.dispute = Some(Dispute { since: known.map_or(now, |known| known.since), asked: now });
    core.store.commit(vec![Change::Deposit(deposit.clone())]).await?;
    core.schedule().is_disputed(&deposit.id, true);
    core.changed();
    Ok(deposit)
}

async fn journal_issue(core: &Core, issue: &Issue, mut beside: Vec<Change>) -> Result<(), Failure> {
    beside.extend([
        Change::UseCounters(issue.counters()),
        journaled(&Operation::Issue(issue.clone()))?,
    ]);
    Ok(core.store.commit(beside).await?)
}

/// Records the outcome of a claim.
async fn end_issue(
    core: &Core,
    mut deposit: Deposit,
    mint: &Mint,
    issue: Issue,
    outcome: IssueOutcome,
    guard: &MintGuard,
) -> Result<Deposit, Failure> {
    let (outcome, issue) = match outcome {
        // None of the old outputs was signed for this quote: retry with new ones in the same row.
        IssueOutcome::Refused(error)
            if error.code() == Some(nut::KEYSET_INACTIVE) && mint.refresh().await.is_ok() =>
        {
            let again = mint.replan_issue(&issue, guard).await?;
            journal_issue(core, &again, vec![Change::FreeCounters(issue.counters())]).await?;
            (mint.post_issue(&again, guard).await, again)
        }
        IssueOutcome::OutputsUsed => {
            let again = mint.replan_issue(&issue, guard).await?;
            journal_issue(core, &again, Vec::new()).await?;
            leave_used_counters(core);
            (mint.post_issue(&again, guard).await, again)
        }
        outcome => (outcome, issue),
    };
    match outcome {
        IssueOutcome::Done(coins) => {
            let received_sats = changes::total_sats(&coins);
            (deposit.state, deposit.dispute) =
                (DepositState::Received { at: (core.clock)(), received_sats }, None);
            let ended = vec![
                Change::Proofs { add: coins },
                Change::EndOperation(issue.id),
                Change::Deposit(deposit.clone()),
            ];
            core.store.commit(ended).await?;
            core.changed();
            Ok(deposit)
        }
        IssueOutcome::Refused(error) => {
            let mut ended = vec![Change::EndOperation(issue.id)];
            if error.code() != Some(nut::OUTPUTS_SIGNED) {
                ended.push(Change::FreeCounters(issue.counters()));
            }
            core.store.commit(ended).await?;
            Err(Failure::from(error))
        }
        // The next check runs without the mint's lock and searches for them.
        IssueOutcome::Disputed | IssueOutcome::OutputsUsed => Ok(deposit),
        IssueOutcome::Unknown(error) => {
            tracing::debug!(%error, deposit = %deposit.id, "the outcome of issuing this deposit's coins is not known yet");
            Ok(deposit)
        }
    }
}

async fn put(core: &Core, mut deposit: Deposit, state: DepositState) -> Result<Deposit, Failure> {
    if deposit.state != state {
        deposit.state = state;
        core.store.commit(vec![Change::Deposit(deposit.clone())]).await?;
        core.changed();
    }
    Ok(deposit)
}
