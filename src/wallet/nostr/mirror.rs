//! One round of telling relays what we hold: plan, sign, queue. Contacts nobody.
//!
//! May be killed anywhere: what was not committed is planned again.

use cdk_common::nuts::PublicKey;

use super::super::Wallet;
use super::super::code::Code;
use super::super::error::Error;
use super::plan::{Plan, PlannedMint, PlannedToken, plan};
use super::{Link, Nostr};
use crate::nostr::{Event, deletion, history_event, token_event};
use crate::store::{Mirrored, Outgoing, TokenEventRow};

/// Changed coins looked at in one round.
const AT_ONCE: usize = 500;
/// Ids in one deletion.
const DELETED_AT_ONCE: usize = 100;

/// How soon an event is sent: a smaller number first.
pub(super) mod class {
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
    pub(in super::super) async fn mirror(&self) -> Result<(), Error> {
        let Some(link) = &self.nostr else { return Ok(()) };
        let _one_at_a_time = link.mirroring.lock().await;
        loop {
            let view = self.store.mirror_view(AT_ONCE).await?;
            if view.dirty.is_empty() {
                return Ok(());
            }
            let setup = self.setup().await?;
            let listed = |mint: &str| setup.mints().any(|one| one.address.as_str() == mint);
            let plan = plan(&view, listed, fits);
            let nothing_dealt_with = plan.done.is_empty();
            let round = self.sign(&link.parts, plan)?;
            self.store.mirrored(round).await?;
            if nothing_dealt_with {
                return Ok(());
            }
        }
    }

    fn sign(&self, nostr: &Nostr, plan: Plan) -> Result<Mirrored, Error> {
        let mut round = Mirrored { done: plan.done, ..Mirrored::default() };
        for mint in plan.mints {
            self.sign_mint(nostr, mint, &mut round)?;
        }
        Ok(round)
    }

    fn sign_mint(&self, nostr: &Nostr, planned: PlannedMint, round: &mut Mirrored) -> Result<(), Error> {
        let now = (self.clock)();
        let (mut made, mut replaced) = (Vec::new(), planned.stale);
        for token in planned.tokens {
            let PlannedToken { mint, unit, ys, proofs, del, above } = token;
            let at = now.max(above.saturating_add(1));
            let event = token_event::write(&nostr.identity, &mint, &unit, &proofs, &del, at).map_err(unsigned)?;
            made.push(event.id().to_owned());
            round.outgoing.push(outgoing(&event, class::TOKEN, now));
            round.new.push(row(&event, mint, unit, ys));
        }
        for some in replaced.chunks(DELETED_AT_ONCE) {
            let at = now.max(planned.above.saturating_add(1));
            let event = deletion::write(&nostr.identity, some, at).map_err(unsigned)?;
            let mut outgoing = outgoing(&event, class::DELETION, now);
            outgoing.after.clone_from(&made);
            round.outgoing.push(outgoing);
        }
        if planned.came != planned.left {
            let (came_in, amount) = (planned.came > planned.left, planned.came.abs_diff(planned.left));
            let event = history_event::write(&nostr.identity, came_in, amount, &planned.unit, &made, &replaced, None, now).map_err(unsigned)?;
            round.outgoing.push(outgoing(&event, class::HISTORY, now));
        }
        round.gone.append(&mut replaced);
        Ok(())
    }
}

/// The plaintext is of a size that every relay takes.
fn fits(token: &PlannedToken) -> bool {
    token_event::plain_len(&token.mint, &token.unit, &token.proofs, &token.del) <= token_event::TARGET_BYTES
}

pub(super) fn outgoing(event: &Event, class: u8, now: u64) -> Outgoing {
    Outgoing::new(event.id(), event.kind(), event.json(), class, now)
}

pub(super) fn row(event: &Event, mint: String, unit: String, ys: Vec<PublicKey>) -> TokenEventRow {
    TokenEventRow { id: event.id().to_owned(), mint, unit, created_at: event.created_at(), ys, json: event.json().to_owned() }
}

pub(super) fn unsigned(error: impl std::fmt::Display) -> Error {
    tracing::error!(%error, "an event could not be made");
    Error::new(Code::Internal, "An event for the relays could not be made.")
}

impl Link {
    /// For tests and `doctor`: the key's public name.
    pub(in super::super) fn npub(&self) -> String {
        self.parts.identity.npub()
    }
}
