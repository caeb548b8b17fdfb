//! One round of telling relays what we hold: plan, sign, queue. Contacts nobody.
//!
//! May be killed anywhere: what was not committed is planned again.

use std::collections::BTreeMap;

use cdk_common::nuts::PublicKey;

use super::super::Wallet;
use super::super::failure::{Cause, Failure};
use super::plan::{Plan, PlannedMint, PlannedToken, plan};
use super::{Link, Nostr};
use crate::model::payment::{Payment, PaymentState};
use crate::model::receive::{Receive, ReceiveState};
use crate::nostr::history_event::{self, Direction, Line, Redeemed};
use crate::nostr::{Event, deletion, token_event};
use crate::store::{Deletion, Mirrored, NutzapRow, NutzapState, Outgoing, TokenEventRow};

/// Changed coins looked at in one round.
const AT_ONCE: usize = 500;
/// Ids in one deletion.
pub(super) const DELETED_AT_ONCE: usize = 100;

/// How soon an event is sent: a smaller number first.
pub(in super::super) mod class {
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

impl Wallet {
    /// Turns every change of a coin into events in the queue. Nothing when Nostr is off.
    ///
    /// # Errors
    /// `settings_invalid`, `storage_failed`.
    ///
    /// # Cancel safety
    /// Safe to drop: what is not committed is planned again.
    pub(in super::super) async fn mirror(&self) -> Result<(), Failure> {
        let Some(link) = &self.nostr else { return Ok(()) };
        let _one_at_a_time = link.mirroring.lock().await;
        loop {
            let view = self.store.mirror_view(AT_ONCE).await?;
            let (told, paid) = (self.redeemed().await?, self.store.payments_to_tell().await?);
            if view.dirty.is_empty() && told.is_empty() && paid.is_empty() {
                return Ok(());
            }
            let setup = self.setup().await?;
            let listed = |mint: &str| setup.mints().any(|one| one.address.as_str() == mint);
            let plan = plan(&view, listed, fits);
            let nothing_dealt_with = plan.done.is_empty();
            let round = self.sign(&link.parts, plan, told, paid)?;
            self.store.mirrored(round).await?;
            if nothing_dealt_with {
                return Ok(());
            }
        }
    }

    /// Nutzaps that were taken in and of which relays have not been told, with what came of each.
    async fn redeemed(&self) -> Result<Vec<(NutzapRow, Receive)>, Failure> {
        let mut found = Vec::new();
        for row in self.store.nutzaps_to_tell().await? {
            if let NutzapState::Taken(id) = &row.state
                && let Some(receive) = self.store.receive(id).await?
            {
                found.push((row, receive));
            }
        }
        Ok(found)
    }

    fn sign(
        &self,
        nostr: &Nostr,
        plan: Plan,
        told: Vec<(NutzapRow, Receive)>,
        paid: Vec<Payment>,
    ) -> Result<Mirrored, Failure> {
        let mut round = Mirrored { done: plan.done, ..Mirrored::default() };
        let mut redeemed: BTreeMap<String, u64> = BTreeMap::new();
        round.nutzaps.at = (self.clock)();
        for (row, receive) in told {
            if let (ReceiveState::Received { received_sats, .. }, Some(from)) =
                (&receive.state, &receive.nutzap)
            {
                let (at, identity) = ((self.clock)(), &nostr.identity);
                let of = Redeemed {
                    id: row.id.clone(),
                    relay: row.relay.clone(),
                    sender: from.sender.clone(),
                };
                let line =
                    Line { redeemed: Some(&of), ..Line::sats(Direction::In, *received_sats) };
                let event = history_event::write(identity, &line, at).map_err(unsigned)?;
                // Its sender reads where it was published. A stranger's list of relays is not
                // followed: it would have us contact anybody.
                let beside = vec![row.relay];
                round.outgoing.push(Outgoing { beside, ..outgoing(&event, class::HISTORY, at) });
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
                let (at, cost) = ((self.clock)(), payment.amount_sats.saturating_add(*fee_sats));
                let line = Line { payment_hash: Some(hash), ..Line::sats(Direction::Out, cost) };
                let event = history_event::write(&nostr.identity, &line, at).map_err(unsigned)?;
                round.outgoing.push(outgoing(&event, class::HISTORY, at));
                let sum = left.entry(payment.mint.to_string()).or_default();
                *sum = sum.saturating_add(cost);
            }
            round.told.push(payment.id);
        }
        for mut mint in plan.mints {
            // What was told as a nutzap or a payment is not told twice.
            mint.came = mint.came.saturating_sub(redeemed.remove(&mint.mint).unwrap_or(0));
            let told = left.remove(&mint.mint).unwrap_or(0);
            // The change of what was paid came back in the same round.
            (mint.came, mint.left) = if mint.left >= told {
                (mint.came, mint.left.saturating_sub(told))
            } else {
                (0, 0)
            };
            self.sign_mint(nostr, mint, &mut round)?;
        }
        Ok(round)
    }

    fn sign_mint(
        &self,
        nostr: &Nostr,
        planned: PlannedMint,
        round: &mut Mirrored,
    ) -> Result<(), Failure> {
        let now = (self.clock)();
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
                if planned.came > planned.left { Direction::In } else { Direction::Out };
            let amount = planned.came.abs_diff(planned.left);
            let line = Line {
                unit: &planned.unit,
                created: &made,
                destroyed: &replaced,
                ..Line::sats(direction, amount)
            };
            let event = history_event::write(&nostr.identity, &line, now).map_err(unsigned)?;
            round.outgoing.push(outgoing(&event, class::HISTORY, now));
        }
        round.gone.append(&mut replaced);
        Ok(())
    }
}

/// The plaintext is of a size that every relay takes.
fn fits(token: &PlannedToken) -> bool {
    token_event::plain_len(&token.mint, &token.unit, &token.proofs, &token.del)
        <= token_event::TARGET_BYTES
}

pub(super) fn outgoing(event: &Event, class: u8, now: u64) -> Outgoing {
    Outgoing::new(event.id(), event.kind(), event.json(), class, now)
}

pub(super) fn deleted(event: &Event, ids: &[String]) -> Deletion {
    Deletion { id: event.id().to_owned(), at: event.created_at(), ids: ids.to_vec() }
}

pub(super) fn row(event: &Event, mint: String, unit: String, ys: Vec<PublicKey>) -> TokenEventRow {
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

pub(super) fn unsigned(error: impl std::fmt::Display) -> Failure {
    tracing::error!(%error, "an event could not be made");
    Cause::Internal("an event for the relays could not be made").into()
}

impl Link {
    /// For tests and `doctor`: the key's public name.
    pub(in super::super) fn npub(&self) -> String {
        self.parts.identity.npub()
    }
}
