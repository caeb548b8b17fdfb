//! One round of telling relays what we hold: plan, sign, queue. Contacts nobody.
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

/// Changed coins looked at in one round.
const AT_ONCE: usize = 500;
/// Ids in one deletion.
pub(crate) const DELETED_AT_ONCE: usize = 100;

/// How soon an event is sent: a smaller number first.
pub(crate) mod class {
    /// Somebody waits for it.
    pub(crate) const ZAP: u8 = 0;
    /// Coins.
    pub(crate) const TOKEN: u8 = 1;
    /// What coins' events replace.
    pub(crate) const DELETION: u8 = 2;
    /// What the wallet says of itself.
    pub(crate) const ABOUT: u8 = 3;
    /// What happened.
    pub(crate) const HISTORY: u8 = 4;
}

/// Turns every change of a coin into events in the queue. Nothing when Nostr is off.
///
/// # Errors
/// [`Cause::Settings`], and those of the store.
///
/// # Cancel safety
/// Safe to drop: what is not committed is planned again.
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

/// Nutzaps that were taken in and of which relays have not been told, with what came of each.
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
            // Its sender reads where it was published. A stranger's list of relays is not
            // followed: it would have us contact anybody.
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
        // What was told as a nutzap or a payment is not told twice.
        mint.came = mint.came.saturating_sub(redeemed.remove(&mint.mint).unwrap_or(0));
        let told = left.remove(&mint.mint).unwrap_or(0);
        // The change of what was paid came back in the same round.
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
            // Whoever reads it takes the others for gone: what stands for them has to be there.
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

/// The plaintext is of a size that every relay takes.
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
    /// For tests and `doctor`: the key's public name.
    pub(crate) fn npub(&self) -> String {
        self.parts.identity.npub()
    }
}
