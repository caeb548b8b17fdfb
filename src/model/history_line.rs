//! Lines of the history: one for each record, or two for a token that came back. Every sum of the
//! history is a sum of lines.

use serde::{Deserialize, Serialize};

use super::deposit::{Deposit, DepositState};
use super::payment::{KindName, Payment, PaymentState};
use super::receive::{Receive, ReceiveState};

/// Direction of money. The serde names are in the keys of the store's sums.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// To the wallet.
    In,
    /// From the wallet.
    Out,
    /// Neither.
    None,
}

/// Kind of a line. The serde names are in the keys of the store's sums.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EntryKind {
    /// A deposit over Lightning.
    Deposit,
    /// A Lightning invoice that was paid.
    Payment,
    /// A token for someone else.
    TokenSent,
    /// A token that was redeemed.
    TokenReceived,
    /// A token of ours that was reclaimed.
    TokenReclaimed,
    /// A zap of a person or an event on Nostr.
    Zap,
    /// A nutzap from someone else.
    NutzapReceived,
    /// A change of the limits by the owner.
    Policy,
}

/// State of a line's record, as its caller sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryState {
    /// The outcome is not known yet.
    Pending,
    /// A payment was paid, a token was made, or a change was made.
    Settled,
    /// Nothing moved.
    Failed,
    /// A token of ours was reclaimed.
    Returned,
    /// The money has come in.
    Received,
    /// A deposit waits for its payer.
    Unpaid,
    /// A deposit is paid and not yet claimed.
    Paid,
    /// A deposit was not paid in time.
    Expired,
}

impl From<KindName> for EntryKind {
    fn from(kind: KindName) -> Self {
        match kind {
            KindName::Payment => Self::Payment,
            KindName::TokenSent => Self::TokenSent,
            KindName::Zap => Self::Zap,
        }
    }
}

impl From<&Receive> for EntryKind {
    fn from(receive: &Receive) -> Self {
        if receive.nutzap.is_some() { Self::NutzapReceived } else { Self::TokenReceived }
    }
}

impl From<&PaymentState> for EntryState {
    fn from(state: &PaymentState) -> Self {
        match state {
            PaymentState::Reserved | PaymentState::Sent { .. } | PaymentState::GivenUp { .. } => {
                Self::Pending
            }
            PaymentState::Settled { .. } => Self::Settled,
            PaymentState::Failed { .. } => Self::Failed,
            PaymentState::Returned { .. } => Self::Returned,
        }
    }
}

impl From<&ReceiveState> for EntryState {
    fn from(state: &ReceiveState) -> Self {
        match state {
            ReceiveState::Open | ReceiveState::GivenUp { .. } => Self::Pending,
            ReceiveState::Received { .. } => Self::Received,
            ReceiveState::Refused { .. } => Self::Failed,
        }
    }
}

/// One line of the history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HistoryLine {
    /// Unix seconds at which it happened.
    pub at: u64,
    /// The direction of the money.
    pub direction: Direction,
    /// The kind.
    pub kind: EntryKind,
    /// The state.
    pub state: EntryState,
    /// The amount, in sats.
    pub amount_sats: u64,
    /// The fee, in sats.
    pub fee_sats: u64,
}

/// Sums of lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HistorySums {
    /// Sats that came in.
    pub in_sats: u128,
    /// Sats that left, without fees.
    pub out_sats: u128,
    /// Fees, in sats.
    pub fee_sats: u128,
    /// Number of lines.
    pub count: u64,
}

impl HistorySums {
    /// Adds `more`.
    #[must_use]
    pub fn and(self, more: Self) -> Self {
        Self {
            in_sats: self.in_sats.saturating_add(more.in_sats),
            out_sats: self.out_sats.saturating_add(more.out_sats),
            fee_sats: self.fee_sats.saturating_add(more.fee_sats),
            count: self.count.saturating_add(more.count),
        }
    }

    /// Subtracts `less`. `None` if these sums do not contain it.
    #[must_use]
    pub fn without(self, less: Self) -> Option<Self> {
        Some(Self {
            in_sats: self.in_sats.checked_sub(less.in_sats)?,
            out_sats: self.out_sats.checked_sub(less.out_sats)?,
            fee_sats: self.fee_sats.checked_sub(less.fee_sats)?,
            count: self.count.checked_sub(less.count)?,
        })
    }
}

impl HistoryLine {
    /// Returns what the line adds to the sums. If it failed, or is not ours yet, it only counts.
    pub fn sums(&self) -> HistorySums {
        use EntryState::{Expired, Failed, Paid, Pending, Unpaid};
        let only_counts = matches!(self.state, Failed | Unpaid | Expired | Paid)
            || (self.direction == Direction::In && self.state == Pending);
        let of = |direction: Direction| {
            if self.direction == direction && !only_counts {
                u128::from(self.amount_sats)
            } else {
                0
            }
        };
        let fee_sats = if only_counts { 0 } else { u128::from(self.fee_sats) };
        HistorySums { in_sats: of(Direction::In), out_sats: of(Direction::Out), fee_sats, count: 1 }
    }

    /// Returns a payment's line; before it, the line of its return if it came back.
    pub fn of_payment(payment: &Payment) -> Vec<Self> {
        let out = Self {
            at: payment.created_at,
            direction: Direction::Out,
            kind: payment.kind.name().into(),
            state: (&payment.state).into(),
            amount_sats: payment.amount_sats,
            fee_sats: match &payment.state {
                PaymentState::Reserved
                | PaymentState::Sent { .. }
                | PaymentState::GivenUp { .. } => {
                    payment.reserved_sats.saturating_sub(payment.amount_sats)
                }
                PaymentState::Settled { fee_sats, .. }
                | PaymentState::Returned { fee_sats, .. } => *fee_sats,
                PaymentState::Failed { .. } => 0,
            },
        };
        match payment.state {
            PaymentState::Returned { at, reclaimed_sats, .. } => {
                vec![
                    Self {
                        at,
                        direction: Direction::In,
                        kind: EntryKind::TokenReclaimed,
                        state: EntryState::Returned,
                        amount_sats: reclaimed_sats,
                        fee_sats: 0,
                    },
                    out,
                ]
            }
            _ => vec![out],
        }
    }

    /// Returns a deposit's line.
    pub fn of_deposit(deposit: &Deposit) -> Self {
        let (state, amount_sats) = match deposit.state {
            DepositState::Unpaid => (EntryState::Unpaid, deposit.amount_sats),
            DepositState::Paid => (EntryState::Paid, deposit.amount_sats),
            DepositState::Received { received_sats, .. } => (EntryState::Received, received_sats),
            DepositState::Expired => (EntryState::Expired, deposit.amount_sats),
        };
        Self {
            at: deposit.created_at,
            direction: Direction::In,
            kind: EntryKind::Deposit,
            state,
            amount_sats,
            fee_sats: 0,
        }
    }

    /// Returns the line of a received token or nutzap.
    pub fn of_receive(receive: &Receive) -> Self {
        let (amount_sats, fee_sats) = match receive.state {
            ReceiveState::Received { received_sats, fee_sats, .. } => (received_sats, fee_sats),
            _ => (receive.amount_sats, 0),
        };
        Self {
            at: receive.created_at,
            direction: Direction::In,
            kind: receive.into(),
            state: (&receive.state).into(),
            amount_sats,
            fee_sats,
        }
    }

    /// Returns the line of a change of the limits.
    pub fn of_policy(at: u64) -> Self {
        Self {
            at,
            direction: Direction::None,
            kind: EntryKind::Policy,
            state: EntryState::Settled,
            amount_sats: 0,
            fee_sats: 0,
        }
    }
}
