//! Redeems a token (NUT-03): swaps its proofs for new ones at its own mint, if the owner lists that
//! mint.
//!
//! The token is stored before its mint is asked, so that a crash cannot lose it. For a token of an
//! unlisted mint nobody is contacted.

use crate::mint::swap::{Swap, SwapOutcome};
pub use crate::mint::token::TokenError;
use crate::mint::token::{self, ParsedToken};
use crate::mint::{Mint, MintGuard};
use crate::model::id::ReceiveId;
use crate::model::money::Unit;
use crate::model::receive::{Receive, ReceiveState};
use crate::model::secret::Secret;
use crate::model::text;
use crate::store::Capped;
use crate::wallet::core::Caller;
use crate::wallet::core::Core;
use crate::wallet::core::active_policy::Setup;
use crate::wallet::core::failure::{Cause, Failure, TokenRefusal};
use crate::wallet::door::record::{Outcome, ReceiveRecord, Replay};
use crate::wallet::engine::receive::{end_receive, refuse, swap_coins_in};
use crate::wallet::proofs::balances::{check_cap, over_cap};
use crate::wallet::token::Tokens;
use crate::wallet::token::reclaim::reclaim_token;
use crate::wallet::wallet_event::lock_keys::lock_keys;

/// A parsed token from someone else.
#[derive(Clone, Debug)]
pub struct IncomingToken {
    text: Secret,
    read: ParsedToken,
}

impl IncomingToken {
    /// Parses a token. Contacts nobody.
    ///
    /// # Errors
    /// [`TokenError`].
    pub fn read(text: &str) -> Result<Self, TokenError> {
        Ok(Self { read: token::read(text)?, text: Secret::new(text.trim().to_owned()) })
    }
}

impl Tokens<'_> {
    /// Redeems a token. A repeat with the same token returns the recorded result.
    ///
    /// # Errors
    /// [`Cause::Token`], [`Cause::NotTrusted`], [`Cause::OverCap`], [`Cause::Mint`],
    /// [`Cause::FeeEatsToken`]: nothing was taken and the token is unchanged.
    ///
    /// # Cancel safety
    /// Safe to drop: the redemption continues in the background and is recorded in the history.
    pub async fn receive(self, caller: &Caller, token: IncomingToken) -> Result<Outcome, Failure> {
        let core = self.0;
        let until = core.deadline();
        let setup = core.setup().await?;
        let IncomingToken { text: token, read: incoming } = token;
        let earlier = core.store.receive_by_digest(&incoming.digest).await?;
        if let Some(receive) = earlier
            .as_ref()
            .filter(|receive| !matches!(receive.state, ReceiveState::Refused { .. }))
        {
            return Ok(ReceiveRecord { receive: receive.clone(), replay: Replay::Yes }.into());
        }
        // This wallet made the token and nobody has claimed it.
        if let Some(payment) = core.store.payment_of_token(token.reveal()).await? {
            return Ok(reclaim_token(core, caller, &payment).await?.into());
        }
        admit_token(core, &setup, &incoming).await?;
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
            // A retry keeps the time of the first try, by which the history lists it.
            created_at: earlier.as_ref().map_or((core.clock)(), |receive| receive.created_at),
            state: ReceiveState::Open,
        };
        let (owned, pending) = (core.clone(), receive.clone());
        let done = core
            .run_to_end(until.left(), async move { take_in(&owned, receive, incoming).await })
            .await;
        let receive = match done {
            Some(outcome) => outcome?,
            // Another call with the same token may have redeemed it.
            None => core.store.receive_by_digest(&pending.token_digest).await?.unwrap_or(pending),
        };
        Ok(ReceiveRecord { receive, replay: Replay::No }.into())
    }
}

/// Runs the checks that need no network: listed mint, unit, lock and the owner's cap.
async fn admit_token(core: &Core, setup: &Setup, incoming: &ParsedToken) -> Result<(), Failure> {
    let mint = setup.usable(&incoming.mint)?;
    if incoming.unit != Unit::sat() {
        let unit = incoming.unit.as_str().to_owned();
        return Err(Cause::Token(TokenRefusal::Unit(unit)).into());
    }
    let locks = incoming.locks();
    if !locks.is_empty() && !lock_keys(core).await?.open_all(&locks) {
        return Err(Cause::Token(TokenRefusal::Locked).into());
    }
    check_cap(core, &incoming.mint, mint.max_balance_sats, incoming.amount).await
}

/// Stores the receive, then swaps the token. Calls with the same token run one after the other; a
/// later one finds the result of the first.
async fn take_in(core: &Core, receive: Receive, incoming: ParsedToken) -> Result<Receive, Failure> {
    let _one_at_a_time = core.locks.pass(&receive.token_digest).await;
    if let Some(earlier) = core.store.receive_by_digest(&receive.token_digest).await?
        && !matches!(earlier.state, ReceiveState::Refused { .. })
    {
        return Ok(earlier);
    }
    let mint = core.mints.at(&receive.mint)?;
    let cap = core.setup().await?.mint(&receive.mint).and_then(|mint| mint.max_balance_sats);
    if let Capped::Over(held) =
        core.store.open_receive(receive.clone(), cap, (core.clock)()).await?
    {
        return Err(over_cap(cap.unwrap_or(0), held, receive.amount_sats));
    }
    let guard = mint.lock().await;
    match swap_in(core, &receive, &incoming, &mint, &guard).await {
        Ok((swap, outcome)) => end_receive(core, receive, &mint, &swap, outcome, &guard).await,
        Err(error) => refuse(core, receive, Vec::new(), error).await,
    }
}

async fn swap_in(
    core: &Core,
    receive: &Receive,
    incoming: &ParsedToken,
    mint: &Mint,
    guard: &MintGuard,
) -> Result<(Swap, SwapOutcome), Failure> {
    let proofs = mint.token_proofs(incoming).await?;
    let proofs = lock_keys(core).await?.sign(proofs);
    swap_coins_in(core, receive, proofs, mint, guard).await
}
