//! Taking a token in (NUT-03): its coins are swapped for ours at its own mint, if that is one we
//! use.
//!
//! The token is written down before its mint is asked, so that a crash cannot lose it. A token of a
//! stranger's mint contacts nobody.

use super::code::Code;
use super::error::Error;
use super::request::{Caller, ReceiveToken, ReclaimToken};
use super::rules::{Setup, not_trusted};
use super::view::PaymentView;
use super::{Wallet, coins};
use crate::mint::swap::{Purpose, Swap, SwapOutcome, Want};
use crate::mint::token::{Incoming, TokenError, read};
use crate::mint::{Coins, Mint, Turn};
use crate::model::id::{PaymentId, ReceiveId};
use crate::model::mint::MintAddress;
use crate::model::money::Unit;
use crate::model::payment::Failure;
use crate::model::receive::{Receive, ReceiveState};
use crate::model::text;
use crate::store::{Capped, Change, ForeignState};

impl Wallet {
    /// Takes a token in. The same token again answers what became of it.
    ///
    /// # Errors
    /// `token_invalid`, `token_locked`, `token_spent`, `mint_not_trusted`, `over_balance_limit`,
    /// `mint_unreachable`, `mint_refused`, `too_many_requests`: nothing was taken, the token is as
    /// it was.
    ///
    /// # Cancel safety
    /// Safe to drop: the token is taken in, and history has it.
    pub async fn receive_token(
        &self,
        caller: &Caller,
        request: ReceiveToken,
    ) -> Result<PaymentView, Error> {
        let until = self.deadline();
        let setup = self.setup().await?;
        let incoming = read(&request.token).map_err(unreadable)?;
        let earlier = self.store.receive_by_digest(&incoming.digest).await?;
        if let Some(receive) = earlier
            .as_ref()
            .filter(|receive| !matches!(receive.state, ReceiveState::Refused { .. }))
        {
            return Ok(super::show::receive(receive.clone(), true));
        }
        if let Some(payment_id) = self.own_token(&request.token).await? {
            let request = ReclaimToken { payment_id: payment_id.to_string() };
            return self.reclaim_token(caller, request).await;
        }
        self.admit_token(&setup, &incoming).await?;
        let receive = Receive {
            id: earlier.as_ref().map_or_else(ReceiveId::random, |receive| receive.id.clone()),
            agent: caller.agent.clone(),
            token_digest: incoming.digest.clone(),
            mint: incoming.mint.clone(),
            money: setup.money,
            amount_sats: incoming.amount,
            untrusted_memo: incoming
                .memo
                .as_deref()
                .map(text::clean)
                .filter(|memo| !memo.is_empty()),
            nutzap: None,
            // The history knows it by the time it was first tried.
            created_at: earlier.as_ref().map_or((self.clock)(), |receive| receive.created_at),
            state: ReceiveState::Open,
        };
        let (wallet, pending) = (self.clone(), receive.clone());
        let done = self
            .run_to_end(until.left(), async move { wallet.take_in(receive, incoming).await })
            .await;
        let receive = match done {
            Some(outcome) => outcome?,
            // Another call with the same token may be the one that takes it in.
            None => self.store.receive_by_digest(&pending.token_digest).await?.unwrap_or(pending),
        };
        Ok(super::show::receive(receive, false))
    }

    /// What stands against a token, before anybody is contacted.
    async fn admit_token(&self, setup: &Setup, incoming: &Incoming) -> Result<(), Error> {
        let Some(mint) = setup.mint(&incoming.mint) else {
            return Err(not_trusted(&incoming.mint));
        };
        if incoming.unit != Unit::sat() {
            return Err(Error::new(Code::TokenInvalid, "The token is not in sats.")
                .with_untrusted("unit", incoming.unit.as_str()));
        }
        let locks = incoming.locks();
        if !locks.is_empty() && !self.lock_keys().await?.open_all(&locks) {
            return Err(Error::new(
                Code::TokenLocked,
                "The token is locked to a key that is not this wallet's.",
            ));
        }
        self.check_cap(&incoming.mint, mint.max_balance_sats, incoming.amount).await
    }

    /// Refuses what would bring our coins at a mint above the owner's cap.
    pub(super) async fn check_cap(
        &self,
        mint: &MintAddress,
        cap: Option<u64>,
        more: u64,
    ) -> Result<(), Error> {
        let Some(cap) = cap else { return Ok(()) };
        let held = self.held_at(mint).await?;
        if held.saturating_add(more) <= cap {
            return Ok(());
        }
        Err(over_cap(cap, held, more))
    }

    /// Writes the token's coming down, then swaps it. Two calls with one token take turns, and the
    /// second finds what the first did.
    async fn take_in(&self, receive: Receive, incoming: Incoming) -> Result<Receive, Error> {
        let _one_at_a_time = self.gates.pass(&receive.token_digest).await;
        if let Some(earlier) = self.store.receive_by_digest(&receive.token_digest).await?
            && !matches!(earlier.state, ReceiveState::Refused { .. })
        {
            return Ok(earlier);
        }
        let mint = self.mints.at(&receive.mint)?;
        let cap = self.setup().await?.mint(&receive.mint).and_then(|mint| mint.max_balance_sats);
        if let Capped::Over(held) =
            self.store.open_receive(receive.clone(), cap, (self.clock)()).await?
        {
            return Err(over_cap(cap.unwrap_or(0), held, receive.amount_sats));
        }
        let turn = mint.turn().await;
        match self.swap_in(&receive, &incoming, &mint, &turn).await {
            Ok((swap, outcome)) => self.end_receive(receive, &mint, &swap, outcome, &turn).await,
            Err(error) => self.refuse(receive, Vec::new(), error).await,
        }
    }

    async fn swap_in(
        &self,
        receive: &Receive,
        incoming: &Incoming,
        mint: &Mint,
        turn: &Turn,
    ) -> Result<(Swap, SwapOutcome), Error> {
        let proofs = mint.token_proofs(incoming).await?;
        let proofs = self.lock_keys().await?.sign(proofs);
        self.swap_coins_in(receive, proofs, mint, turn).await
    }

    /// Swaps received coins for ours, under the receive's name.
    pub(super) async fn swap_coins_in(
        &self,
        receive: &Receive,
        proofs: Coins,
        mint: &Mint,
        turn: &Turn,
    ) -> Result<(Swap, SwapOutcome), Error> {
        if mint.input_fee(&proofs).await? >= receive.amount_sats {
            return Err(Error::new(
                Code::AmountOutOfRange,
                "The mint's fee is as much as the token is worth.",
            ));
        }
        let want = Want {
            purpose: Purpose::Receive(receive.id.clone()),
            give_sats: 0,
            lock_to: None,
            memo: None,
        };
        self.swap(mint, proofs, want, |_| Ok(Vec::new()), turn).await
    }

    /// What a received token's swap came to.
    pub(super) async fn end_receive(
        &self,
        mut receive: Receive,
        mint: &Mint,
        swap: &Swap,
        outcome: SwapOutcome,
        _turn: &Turn,
    ) -> Result<Receive, Error> {
        let now = (self.clock)();
        match outcome {
            SwapOutcome::Done { keep, .. } => {
                receive.state = ReceiveState::Received {
                    at: now,
                    received_sats: coins::total_sats(&keep),
                    fee_sats: swap.fee_sats(),
                };
                // The token may have been of coins that another device of ours left on relays.
                let others = Change::Foreign { ys: swap.input_ys()?, to: ForeignState::Spent };
                let changes = vec![
                    Change::Proofs { add: keep },
                    others,
                    Change::EndOperation(swap.id),
                    Change::Receive(receive.clone()),
                ];
                self.store.commit(changes).await?;
                self.changed();
                self.wake();
                Ok(receive)
            }
            SwapOutcome::Refused(error) => {
                self.refuse(receive, super::swap::refused(swap, &error), Error::from(error)).await
            }
            SwapOutcome::SpentElsewhere => {
                let left = self.left_of(mint, swap).await;
                let error = Error::new(Code::TokenSpent, "The token is spent already.");
                let error = if left > 0 { error.with("left_sats", left) } else { error };
                self.refuse(receive, self.bury(swap)?.into(), error).await
            }
            SwapOutcome::Unknown(_) => {
                self.wake();
                Ok(receive)
            }
        }
    }

    /// Nothing was taken; the token is as it was.
    pub(super) async fn refuse(
        &self,
        mut receive: Receive,
        mut beside: Vec<Change>,
        error: Error,
    ) -> Result<Receive, Error> {
        let reason = error
            .details
            .get("untrusted_reason")
            .and_then(|reason| reason.as_str())
            .map(str::to_owned);
        let failure = Failure { code: error.code.as_str().to_owned(), untrusted_reason: reason };
        receive.state = ReceiveState::Refused { at: (self.clock)(), failure };
        beside.push(Change::Receive(receive));
        self.store.commit(beside).await?;
        Err(error)
    }

    async fn left_of(&self, mint: &Mint, swap: &Swap) -> u64 {
        mint.unspent_of(swap).await.unwrap_or(0)
    }

    /// The payment whose token this is, if we made it ourselves and nobody has claimed it.
    async fn own_token(&self, token: &str) -> Result<Option<PaymentId>, Error> {
        Ok(self.store.payment_of_token(token.trim()).await?)
    }
}

/// More would come in than the owner allows at a mint. `held` is what is there or promised.
pub(super) fn over_cap(cap: u64, held: u64, more: u64) -> Error {
    let refusal = Error::new(
        Code::OverBalanceLimit,
        format!(
            "The owner's cap at this mint is {cap} sats; {held} are there or on their way and {more} more would pass it."
        ),
    );
    refusal.with("limit_sats", cap).with("held_sats", held).with("asked_sats", more)
}

fn unreadable(error: TokenError) -> Error {
    let message = match error {
        TokenError::Unreadable => "That is not a Cashu token that can be read.",
        TokenError::Empty => "The token holds no coins.",
        TokenError::TooLarge => "The token is larger than one swap can be.",
        TokenError::Repeats => "The token names a coin twice.",
        TokenError::Mint => "The token does not name one mint.",
    };
    Error::new(Code::TokenInvalid, message)
}
