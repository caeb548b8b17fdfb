//! Choosing the coins to spend, with the turn at the mint held.
//!
//! Coins that other melts of this process hold come back as change within moments: a payment that
//! lacks only those waits for them, so that payments in parallel do not fail for want of small
//! coins.

use tokio::time::{Duration, Instant, timeout_at};

use super::Wallet;
use super::code::Code;
use super::error::Error;
use super::rules::Setup;
use super::spend::{Act, Awaits, Gone, Order};
use crate::mint::{MeltPlace, Turn};
use crate::model::money::Unit;
use crate::store::{Chosen, Need};

/// The longest a payment waits for coins that others hold.
const LONGEST: Duration = Duration::from_secs(40);

/// What is claimed of other devices' coins beyond what is missing, in sats: fees of the coins that
/// are made.
const CLAIMED_BEYOND: u64 = 8;

/// When to come back if all places for melts are taken.
const PAUSE_SECONDS: u64 = 30;

/// Coins to spend.
#[derive(Debug)]
pub(super) struct Inputs {
    pub(super) coins: Chosen,
    /// What the mint takes for spending them and for having made them exact, in sats.
    pub(super) fee_sats: u64,
    /// They are exactly the amount: a token can be made of them as they are.
    pub(super) exact: bool,
    /// The part of the fee that was spent on making them exact, in sats.
    pub(super) prepared_sats: u64,
}

impl Wallet {
    /// Waits for a place among the melts under way at the mint, before the turn: Lightning holds up
    /// no other money. `None` for what is no melt.
    pub(super) async fn take_place(&self, order: &Order) -> Result<Option<MeltPlace>, Error> {
        if !matches!(order.act, Act::Melt(_)) {
            return Ok(None);
        }
        let place = timeout_at(Instant::now() + LONGEST, order.mint.melt_place()).await;
        Ok(Some(place.map_err(|_| no_place())??))
    }

    /// Takes the turn and chooses. Nothing is reserved yet: the caller reserves before it gives the
    /// turn back.
    pub(super) async fn take_inputs(
        &self,
        order: &Order,
        gone: &Gone,
    ) -> Result<(Turn, Inputs), Error> {
        let until = Instant::now() + LONGEST;
        let mut changes = self.notices.subscribe();
        loop {
            changes.mark_unchanged();
            gone.awaits(Awaits::Mint);
            let turn = order.mint.turn().await;
            let chosen = match self.choose(order).await? {
                Some(inputs) => Some(inputs),
                // Another device's coins: our own first, then these, made ours.
                None if self.claim_for(order, &turn).await? => self.choose(order).await?,
                None => None,
            };
            if let Some(inputs) = chosen {
                let inputs = self.make_exact(order, inputs, &turn).await?;
                return Ok((turn, inputs));
            }
            drop(turn);
            if gone.is_gone() || !self.others_hold_coins(order) {
                return Err(self.too_little(order).await);
            }
            gone.awaits(Awaits::Coins);
            if timeout_at(until, changes.changed()).await.is_err() {
                return Err(self.too_little(order).await);
            }
        }
    }

    async fn choose(&self, order: &Order) -> Result<Option<Inputs>, Error> {
        let fees = order.mint.fees_ppk().await?;
        let mint = order.mint.address();
        let amount = order.payment.amount_sats;
        // Coins that relays show are never handed out as they are: another device of this wallet
        // would take them back.
        let relayed = self.store.mirror_begun().await?;
        if let Act::Token { lock_to: None, .. } = order.act
            && !relayed
        {
            let exact =
                self.store.choose(mint, &Unit::sat(), Need::Exact { amount }, fees.clone()).await?;
            if let Some(coins) = exact {
                return Ok(Some(Inputs { coins, fee_sats: 0, exact: true, prepared_sats: 0 }));
            }
        }
        let need =
            Need::Spend { amount: need_of(order), fee_at_most: self.fee_at_most(order).await? };
        let coins = self.store.choose(mint, &Unit::sat(), need, fees).await?;
        Ok(coins.map(|coins| Inputs { fee_sats: coins.fee, coins, exact: false, prepared_sats: 0 }))
    }

    /// The most that the order's inputs should cost, in sats.
    pub(super) async fn fee_at_most(&self, order: &Order) -> Result<u64, Error> {
        let reserve = match &order.act {
            Act::Melt(quote) => quote.fee_reserve_sats,
            Act::Token { .. } => 0,
        };
        let accepted = order.max_fee_sats.map_or(u64::MAX, |most| most.saturating_sub(reserve));
        Ok(tolerated_sats(&self.setup().await?, &order.payment.agent).min(accepted))
    }

    /// Claims what this order lacks of coins that other devices left on relays. Whether anything
    /// was claimed.
    async fn claim_for(&self, order: &Order, turn: &Turn) -> Result<bool, Error> {
        if self.nostr.is_none() {
            return Ok(false);
        }
        let mint = order.mint.address();
        let own = self.unspent_at(mint).await?;
        // Beyond what is missing: the fees of the claim and of the coins it makes.
        let lacking = need_of(order).saturating_sub(own).saturating_add(CLAIMED_BEYOND);
        self.claim(&order.mint, lacking, turn).await
    }

    /// Another operation of this process at the same mint may give coins back.
    fn others_hold_coins(&self, order: &Order) -> bool {
        self.live().keys().any(|id| *id != order.payment.id)
    }

    pub(super) async fn too_little(&self, order: &Order) -> Error {
        let mint = order.mint.address();
        let (held, left_out) = (
            self.spendable_at(mint).await.unwrap_or(0),
            self.left_out([mint].into_iter()).await.unwrap_or(0),
        );
        insufficient(need_of(order), held, left_out).with("mint", mint.as_str())
    }
}

/// All places for melts that are leaving stayed taken.
pub(super) fn no_place() -> Error {
    Error::new(Code::TooManyRequests, "Too many payments are leaving for this mint.")
        .after(Some(PAUSE_SECONDS))
}

/// What the owner's ceiling tolerates of inputs' fees beside the reserve for the route, in sats.
pub(super) fn tolerated_sats(setup: &Setup, agent: &str) -> u64 {
    setup.policy.limits_for(agent).max_fee_floor_sats
}

/// What the coins have to be worth beside their own fees, in sats.
pub(super) fn need_of(order: &Order) -> u64 {
    match &order.act {
        Act::Melt(quote) => quote.amount_sats.saturating_add(quote.fee_reserve_sats),
        Act::Token { .. } => order.payment.amount_sats,
    }
}

/// How much is missing, and what does not count because another program has perhaps handed it out.
pub(super) fn insufficient(need_sats: u64, held_sats: u64, left_out_sats: u64) -> Error {
    let missing = need_sats.saturating_sub(held_sats).max(1);
    let mut message = format!(
        "{need_sats} sats and the mint's input fee are needed; {held_sats} sats can be spent there."
    );
    if left_out_sats > 0 {
        message += &format!(
            " {left_out_sats} sats more were perhaps handed out as a token by another program of this wallet: they count again when a week \
             has passed and the mint still calls them unspent."
        );
    }
    let error = Error::new(Code::InsufficientFunds, message);
    let error = if left_out_sats > 0 {
        error.with("perhaps_handed_out_sats", left_out_sats)
    } else {
        error
    };
    error.with("missing_sats", missing).with("spendable_sats", held_sats).next(format!(
        "Make a deposit of at least {missing} sats and a little for fees, then call again."
    ))
}
