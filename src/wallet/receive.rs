//! Taking a token in (NUT-03): its coins are swapped for ours at its own mint, if that is one we
//! use.
//!
//! The token is written down before its mint is asked, so that a crash cannot lose it. A token of a
//! stranger's mint contacts nobody.

use super::balances::over_cap;
use super::failure::{Cause, Failure, TokenRefusal};
use super::record::{Outcome, ReceiveRecord, Replay};
use super::rules::Setup;
use super::{Caller, Wallet};
use crate::mint::swap::{Swap, SwapOutcome};
pub use crate::mint::token::TokenError;
use crate::mint::token::{self, Incoming};
use crate::mint::{Mint, Turn};
use crate::model::id::ReceiveId;
use crate::model::money::Unit;
use crate::model::receive::{Receive, ReceiveState};
use crate::model::secret::Secret;
use crate::model::text;
use crate::store::Capped;

/// A token that was brought to us.
#[derive(Clone, Debug)]
pub struct IncomingToken {
    text: Secret,
    read: Incoming,
}

impl IncomingToken {
    /// Reads a token. Contacts nobody, whatever mint it names.
    ///
    /// # Errors
    /// [`TokenError`].
    pub fn read(text: &str) -> Result<Self, TokenError> {
        Ok(Self { read: token::read(text)?, text: Secret::new(text.trim().to_owned()) })
    }
}

impl Wallet {
    /// Takes a token in. The same token again answers what became of it.
    ///
    /// # Errors
    /// [`Cause::Token`], [`Cause::NotTrusted`], [`Cause::OverCap`], [`Cause::Mint`],
    /// [`Cause::FeeEatsToken`]: nothing was taken, the token is as it was.
    ///
    /// # Cancel safety
    /// Safe to drop: the token is taken in, and history has it.
    pub async fn receive_token(
        &self,
        caller: &Caller,
        token: IncomingToken,
    ) -> Result<Outcome, Failure> {
        let until = self.deadline();
        let setup = self.setup().await?;
        let IncomingToken { text: token, read: incoming } = token;
        let earlier = self.store.receive_by_digest(&incoming.digest).await?;
        if let Some(receive) = earlier
            .as_ref()
            .filter(|receive| !matches!(receive.state, ReceiveState::Refused { .. }))
        {
            return Ok(ReceiveRecord { receive: receive.clone(), replay: Replay::Yes }.into());
        }
        // Made by ourselves, and claimed by nobody.
        if let Some(payment) = self.store.payment_of_token(token.reveal()).await? {
            return Ok(self.reclaim_token(caller, &payment).await?.into());
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
        Ok(ReceiveRecord { receive, replay: Replay::No }.into())
    }

    /// What stands against a token, before anybody is contacted.
    async fn admit_token(&self, setup: &Setup, incoming: &Incoming) -> Result<(), Failure> {
        let mint = setup.usable(&incoming.mint)?;
        if incoming.unit != Unit::sat() {
            let unit = incoming.unit.as_str().to_owned();
            return Err(Cause::Token(TokenRefusal::Unit(unit)).into());
        }
        let locks = incoming.locks();
        if !locks.is_empty() && !self.lock_keys().await?.open_all(&locks) {
            return Err(Cause::Token(TokenRefusal::Locked).into());
        }
        self.check_cap(&incoming.mint, mint.max_balance_sats, incoming.amount).await
    }

    /// Writes the token's coming down, then swaps it. Two calls with one token take turns, and the
    /// second finds what the first did.
    async fn take_in(&self, receive: Receive, incoming: Incoming) -> Result<Receive, Failure> {
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
    ) -> Result<(Swap, SwapOutcome), Failure> {
        let proofs = mint.token_proofs(incoming).await?;
        let proofs = self.lock_keys().await?.sign(proofs);
        self.swap_coins_in(receive, proofs, mint, turn).await
    }
}
