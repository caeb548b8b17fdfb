//! What the verbs answer: records, with what only the wallet knows beside them. No words for
//! agents: `api` has them.

use crate::model::id::PaymentId;
use crate::model::payment::{Payment, PaymentKind, PaymentState};
use crate::model::receive::Receive;
use crate::model::secret::Secret;
use crate::wallet::core::Caller;
use crate::wallet::core::Core;
use crate::wallet::core::active_policy::Setup;
use crate::wallet::core::failure::{Cause, Failure, Missing};
use crate::wallet::engine::journal::is_being_reclaimed;
use crate::wallet::nutzaps::outgoing::{Delivered, delivered};
use crate::wallet::proofs::balances::spendable;

/// Whether an answer is of an earlier call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replay {
    /// It is.
    Yes,
    /// It is of this one.
    No,
    /// The caller asked for it: nothing to remark.
    Asked,
}

/// A payment, and how it stands.
#[derive(Clone, Debug)]
pub struct PaymentRecord {
    /// The payment.
    pub payment: Payment,
    /// Whether this is the outcome of an earlier call.
    pub replay: Replay,
    /// The token that was made, for the payment's own agent. `None`: it is not there, or not
    /// theirs.
    pub token: Option<Secret>,
    /// There is a token of ours that can be taken back.
    pub is_reclaimable: bool,
    /// A token that is being taken back.
    pub is_being_reclaimed: bool,
    /// This process carries it.
    pub is_in_hand: bool,
    /// The caller is the payment's own agent.
    pub is_own: bool,
    /// Who was zapped, as an npub.
    pub to_npub: Option<String>,
    /// How far a nutzap has come.
    pub delivered: Option<Delivered>,
    /// What is left. `None`: the payment is of the wallet's play money, and the wallet is real.
    pub left: Option<Left>,
}

/// What is left to spend, in sats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Left {
    /// Spendable at the wallet's mints.
    pub balance_sats: u64,
    /// Left of the day's limit.
    pub today_sats: u64,
}

/// A zap that an event shares among several.
#[derive(Debug)]
pub struct SharedZap {
    /// The name of the whole.
    pub id: PaymentId,
    /// The parts, in their order.
    pub shares: Vec<Share>,
}

/// One part of a shared zap.
#[derive(Debug)]
pub struct Share {
    /// Who gets it, as an npub. `None`: it is not known.
    pub to_npub: Option<String>,
    /// How much, in sats.
    pub sats: u64,
    /// What came of it.
    pub outcome: Result<PaymentRecord, Failure>,
}

/// A received token.
#[derive(Clone, Debug)]
pub struct ReceiveRecord {
    /// The token.
    pub receive: Receive,
    /// Whether this is the outcome of an earlier call.
    pub replay: Replay,
}

/// What became of something that was asked for.
#[derive(Debug)]
pub enum Outcome {
    /// A payment, a token handed out, or a zap.
    Payment(Box<PaymentRecord>),
    /// A zap that is shared among several.
    Shared(SharedZap),
    /// A received token.
    Received(Box<ReceiveRecord>),
}

impl From<PaymentRecord> for Outcome {
    fn from(record: PaymentRecord) -> Self {
        Self::Payment(Box::new(record))
    }
}

impl From<ReceiveRecord> for Outcome {
    fn from(record: ReceiveRecord) -> Self {
        Self::Received(Box::new(record))
    }
}

/// A payment with what belongs to it.
///
/// # Errors
/// [`Cause::Failed`] where it failed, unless it was asked for.
pub(crate) async fn describe(
    core: &Core,
    setup: &Setup,
    caller: &Caller,
    payment: Payment,
    replay: Replay,
) -> Result<PaymentRecord, Failure> {
    if let (PaymentState::Failed { failure, .. }, Replay::Yes | Replay::No) =
        (&payment.state, replay)
    {
        return Err(Failure::new(Cause::Failed(failure.clone())).of(&payment.id));
    }
    let (row, is_own) = (core.store.token(&payment.id).await?, payment.agent == caller.agent);
    let left = if payment.money == setup.money {
        let ledger = core.store.ledger(&caller.agent, None, (core.clock)()).await?;
        let today_sats = setup.policy.left_today(&caller.agent, &ledger);
        Some(Left { balance_sats: spendable(core, setup).await?, today_sats })
    } else {
        None
    };
    let recipient = payment.zap().and_then(|zap| zap.recipient.as_deref());
    let is_in_hand = core.live().contains_key(&payment.id);
    Ok(PaymentRecord {
        replay,
        is_reclaimable: row.as_ref().is_some_and(|row| !row.locked),
        token: row.filter(|_| is_own).map(|row| row.token),
        is_being_reclaimed: matches!(payment.kind, PaymentKind::Token)
            && is_being_reclaimed(core, &payment).await?,
        is_in_hand,
        is_own,
        to_npub: recipient.map(shown_key),
        delivered: delivered(core, &payment).await?,
        left,
        payment,
    })
}

/// The agent's own payment of this id.
pub(crate) async fn own_payment(
    core: &Core,
    caller: &Caller,
    id: &PaymentId,
) -> Result<Payment, Failure> {
    let found = core.store.payment(id).await?;
    found
        .filter(|payment| payment.agent == caller.agent)
        .ok_or_else(|| Cause::NotFound(Missing::Payment).into())
}

/// A key as people write it.
pub(crate) fn shown_key(hex: &str) -> String {
    crate::nostr::npub(hex).unwrap_or_else(|| hex.to_owned())
}
