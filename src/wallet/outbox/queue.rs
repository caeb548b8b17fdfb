//! Plans, signs and queues events for changed proofs, nutzaps and payments. Contacts nobody.
//!
//! May be killed anywhere: what was not committed is planned again.

use std::collections::BTreeMap;

use cdk_common::nuts::PublicKey;

use crate::model::payment::{Payment, PaymentState};
use crate::model::receive::{Receive, ReceiveState};
use crate::nostr::history_event::{self, HistoryDirection, NewHistoryEvent, Redeemed};
use crate::nostr::{Event, deletion, token_event};
use crate::store::{Deletion, NutzapRow, NutzapState, OutboxEvent, QueueRound, TokenEventRow};
use crate::wallet::core::Core;
use crate::wallet::core::failure::{Cause, Failure, Mistake};
use crate::wallet::core::relays::{Link, NostrParts};
use crate::wallet::outbox::plan::{Plan, PlannedMint, PlannedToken, plan};

/// Maximum number of changed proofs per round.
const AT_ONCE: usize = 500;
/// Maximum number of ids per deletion.
pub(crate) const DELETED_AT_ONCE: usize = 100;

/// Priority of an event; lower values are sent first.
pub(crate) mod class {
    /// Nutzaps; a caller waits for them.
    pub(crate) const ZAP: u8 = 0;
    /// Token events.
    pub(crate) const TOKEN: u8 = 1;
    /// Deletions of replaced token events.
    pub(crate) const DELETION: u8 = 2;
    /// Events about the wallet itself.
    pub(crate) const ABOUT: u8 = 3;
    /// History.
    pub(crate) const HISTORY: u8 = 4;
}

/// Queues events for all changes. Does nothing if Nostr is off.
///
/// # Errors
/// [`Cause::Settings`], and those of the store.
///
/// # Cancel safety
/// Safe to drop: what was not committed is planned again.
pub(crate) async fn queue_changes(core: &Core) -> Result<(), Failure> {
    let Some(link) = &core.nostr else { return Ok(()) };
    let _one_at_a_time = link.queueing.lock().await;
    loop {
        let view = core.store.outbox_view(AT_ONCE).await?;
        let (told, paid) = (redeemed(core).await?, core.store.payments_to_announce().await?);
        if view.dirty.is_empty() && told.is_empty() && paid.is_empty() {
            return Ok(());
        }
        let setup = core.setup().await?;
        let listed = |mint: &str| setup.mints().any(|one| one.address.as_str() == mint);
        let plan = plan(&view, listed, fits);
        let nothing_dealt_with = plan.done.is_empty();
        let round = sign(core, &link.parts, plan, told, paid)?;
        core.store.mirrored(round).await?;
        if nothing_dealt_with {
            return Ok(());
        }
    }
}

/// Returns redeemed nutzaps not yet announced to relays, with their receives.
async fn redeemed(core: &Core) -> Result<Vec<(NutzapRow, Receive)>, Failure> {
    let mut found = Vec::new();
    for row in core.store.nutzaps_to_announce().await? {
        if let NutzapState::Taken(id) = &row.state
            && let Some(receive) = core.store.receive(id).await?
        {
            found.push((row, receive));
        }
    }
    Ok(found)
}

fn sign(
    core: &Core,
    nostr: &NostrParts,
    plan: Plan,
    told: Vec<(NutzapRow, Receive)>,
    paid: Vec<Payment>,
) -> Result<QueueRound, Failure> {
    let mut round = QueueRound { done: plan.done, ..QueueRound::default() };
    let mut redeemed: BTreeMap<String, u64> = BTreeMap::new();
    round.nutzaps.at = (core.clock)();
    for (row, receive) in told {
        if let (ReceiveState::Received { received_sats, .. }, Some(from)) =
            (&receive.state, &receive.nutzap)
        {
            let (at, identity) = ((core.clock)(), &nostr.identity);
            let of = Redeemed {
                id: row.id.clone(),
                relay: row.relay.clone(),
                sender: from.sender.clone(),
            };
            let line = NewHistoryEvent {
                redeemed: Some(&of),
                ..NewHistoryEvent::sats(HistoryDirection::In, *received_sats)
            };
            let event = history_event::write(identity, &line, at).map_err(unsigned)?;
            // The sender reads where it was published. We do not follow a stranger's relay list,
            // which could make us contact anyone.
            let beside = vec![row.relay];
            round.outgoing.push(OutboxEvent { beside, ..outgoing(&event, class::HISTORY, at) });
            let sum = redeemed.entry(receive.mint.to_string()).or_default();
            *sum = sum.saturating_add(*received_sats);
        }
        round.nutzaps.done.insert(row.id, row.created_at);
    }
    let mut left: BTreeMap<String, u64> = BTreeMap::new();
    for payment in paid {
        if let (PaymentState::Settled { fee_sats, .. }, Some(hash)) =
            (&payment.state, payment.payment_hash())
        {
            let (at, cost) = ((core.clock)(), payment.amount_sats.saturating_add(*fee_sats));
            let line = NewHistoryEvent {
                payment_hash: Some(hash),
                ..NewHistoryEvent::sats(HistoryDirection::Out, cost)
            };
            let event = history_event::write(&nostr.identity, &line, at).map_err(unsigned)?;
            round.outgoing.push(outgoing(&event, class::HISTORY, at));
            let sum = left.entry(payment.mint.to_string()).or_default();
            *sum = sum.saturating_add(cost);
        }
        round.announced.push(payment.id);
    }
    for mut mint in plan.mints {
        // Amounts already reported as a nutzap or payment are not reported twice.
        mint.came = mint.came.saturating_sub(redeemed.remove(&mint.mint).unwrap_or(0));
        let told = left.remove(&mint.mint).unwrap_or(0);
        // The payment's change came back in the same round.
        (mint.came, mint.left) =
            if mint.left >= told { (mint.came, mint.left.saturating_sub(told)) } else { (0, 0) };
        sign_mint(core, nostr, mint, &mut round)?;
    }
    Ok(round)
}

fn sign_mint(
    core: &Core,
    nostr: &NostrParts,
    planned: PlannedMint,
    round: &mut QueueRound,
) -> Result<(), Failure> {
    let now = (core.clock)();
    let (mut made, mut replaced) = (Vec::new(), planned.stale);
    for token in planned.tokens {
        let PlannedToken { mint, unit, ys, proofs, del, above } = token;
        let at = now.max(above.saturating_add(1));
        let event = token_event::write(&nostr.identity, &mint, &unit, &proofs, &del, at)
            .map_err(unsigned)?;
        let mut outgoing = outgoing(&event, class::TOKEN, now);
        if !del.is_empty() {
            // Events in `del` count as deleted, so their replacements must be there first.
            outgoing.after.clone_from(&made);
        }
        made.push(event.id().to_owned());
        round.outgoing.push(outgoing);
        round.new.push(row(&event, mint, unit, ys));
    }
    for some in replaced.chunks(DELETED_AT_ONCE) {
        let at = now.max(planned.above.saturating_add(1));
        let event = deletion::write(&nostr.identity, some, at).map_err(unsigned)?;
        round.deletions.push(deleted(&event, some));
        let mut outgoing = outgoing(&event, class::DELETION, now);
        outgoing.after.clone_from(&made);
        round.outgoing.push(outgoing);
    }
    if planned.came != planned.left {
        let direction =
            if planned.came > planned.left { HistoryDirection::In } else { HistoryDirection::Out };
        let amount = planned.came.abs_diff(planned.left);
        let line = NewHistoryEvent {
            unit: &planned.unit,
            created: &made,
            destroyed: &replaced,
            ..NewHistoryEvent::sats(direction, amount)
        };
        let event = history_event::write(&nostr.identity, &line, now).map_err(unsigned)?;
        round.outgoing.push(outgoing(&event, class::HISTORY, now));
    }
    round.gone.append(&mut replaced);
    Ok(())
}

/// Returns whether the plaintext is small enough for every relay.
fn fits(token: &PlannedToken) -> bool {
    token_event::plain_len(&token.mint, &token.unit, &token.proofs, &token.del)
        <= token_event::TARGET_BYTES
}

pub(crate) fn outgoing(event: &Event, class: u8, now: u64) -> OutboxEvent {
    OutboxEvent::new(event.id(), event.kind(), event.json(), class, now)
}

pub(crate) fn deleted(event: &Event, ids: &[String]) -> Deletion {
    Deletion { id: event.id().to_owned(), at: event.created_at(), ids: ids.to_vec() }
}

pub(crate) fn row(event: &Event, mint: String, unit: String, ys: Vec<PublicKey>) -> TokenEventRow {
    TokenEventRow {
        id: event.id().to_owned(),
        mint,
        unit,
        created_at: event.created_at(),
        ys,
        partial: false,
        json: event.json().to_owned(),
    }
}

pub(crate) fn unsigned(error: impl std::fmt::Display) -> Failure {
    tracing::error!(%error, "an event could not be made");
    Cause::Internal(Mistake::RelayEvent).into()
}

impl Link {
    /// Returns the wallet's npub.
    pub(crate) fn npub(&self) -> String {
        self.parts.identity.npub()
    }
}
