//! Result types of the wallet's verbs: stored records with facts that only the wallet knows.
//! Contains no text for agents; `api` writes that.

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

/// Relation of a result to the current call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replay {
    /// It is the result of an earlier call.
    Yes,
    /// It is the result of this call.
    No,
    /// The caller looked the record up.
    Asked,
}

/// A payment with its current state.
#[derive(Clone, Debug)]
pub struct PaymentRecord {
    /// The payment.
    pub payment: Payment,
    /// Relation of this result to the current call.
    pub replay: Replay,
    /// The token, shown only to the payment's own agent. `None`: there is none, or the caller is
    /// another agent.
    pub token: Option<Secret>,
    /// `true` if this is an unlocked token whose text is still stored, so that it can be reclaimed.
    pub is_reclaimable: bool,
    /// `true` while the token is being reclaimed.
    pub is_being_reclaimed: bool,
    /// `true` while this process is executing the payment.
    pub is_in_hand: bool,
    /// `true` if the caller is the payment's own agent.
    pub is_own: bool,
    /// The recipient of a zap, as an npub.
    pub to_npub: Option<String>,
    /// Delivery state of a nutzap.
    pub delivered: Option<Delivered>,
    /// Money and limit left. `None`: the payment used the other kind of money (play or real).
    pub left: Option<Left>,
}

/// Remaining money and daily limit, in sats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Left {
    /// Spendable balance at the wallet's mints.
    pub balance_sats: u64,
    /// Rest of the daily limit.
    pub today_sats: u64,
}

/// A zap that an event splits among several recipients.
#[derive(Debug)]
pub struct SharedZap {
    /// Id of the whole zap.
    pub id: PaymentId,
    /// The parts, in the event's order.
    pub shares: Vec<Share>,
}

/// One part of a split zap.
#[derive(Debug)]
pub struct Share {
    /// The recipient as an npub. `None`: not known.
    pub to_npub: Option<String>,
    /// Amount in sats.
    pub sats: u64,
    /// Result of this part.
    pub outcome: Result<PaymentRecord, Failure>,
}

/// A received token.
#[derive(Clone, Debug)]
pub struct ReceiveRecord {
    /// The stored record.
    pub receive: Receive,
    /// Relation of this result to the current call.
    pub replay: Replay,
}

/// Result of a request, of any kind.
#[derive(Debug)]
pub enum Outcome {
    /// A payment, a sent token, or a zap.
    Payment(Box<PaymentRecord>),
    /// A zap split among several recipients.
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

/// Builds the record of a payment.
///
/// # Errors
/// [`Cause::Failed`] if the payment failed, unless the caller looked it up ([`Replay::Asked`]); and
/// those of the store.
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

/// Returns the payment with this id if it belongs to the calling agent.
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

/// Formats a hex public key as an npub.
pub(crate) fn shown_key(hex: &str) -> String {
    crate::nostr::npub(hex).unwrap_or_else(|| hex.to_owned())
}
