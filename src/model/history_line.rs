//! A record's lines in the history: one, or two for a token that came back. Every sum of the
//! history is a sum of lines.

use serde::{Deserialize, Serialize};

use super::deposit::{Deposit, DepositState};
use super::payment::{KindName, Payment, PaymentState};
use super::receive::{Receive, ReceiveState};

/// Which way money went. Its serde names are in the keys of the store's sums.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// To us.
    In,
    /// From us.
    Out,
    /// Neither.
    None,
}

/// What kind of thing a line is about. Its serde names are in the keys of the store's sums.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EntryKind {
    /// Money came in over Lightning.
    Deposit,
    /// A Lightning invoice was paid.
    Payment,
    /// A token was handed out.
    TokenSent,
    /// A token was taken in.
    TokenReceived,
    /// A token of ours was taken back.
    TokenReclaimed,
    /// A person or an event on Nostr was zapped.
    Zap,
    /// Somebody's nutzap came in.
    NutzapReceived,
    /// The owner changed a rule.
    Policy,
}

/// How a line's record stands, as its caller is told of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryState {
    /// Its outcome is not known yet.
    Pending,
    /// A payment was paid, a token was made, or a change was made.
    Settled,
    /// Nothing moved.
    Failed,
    /// A token of ours was taken back.
    Returned,
    /// The money has come in.
    Received,
    /// A deposit waits for its payer.
    Unpaid,
    /// A deposit is paid and not yet claimed.
    Paid,
    /// Nobody paid a deposit in time.
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
    /// When it happened, in Unix seconds.
    pub at: u64,
    /// Which way the money went.
    pub direction: Direction,
    /// What kind of thing.
    pub kind: EntryKind,
    /// How it stands.
    pub state: EntryState,
    /// Sats.
    pub amount_sats: u64,
    /// Sats.
    pub fee_sats: u64,
}

/// Sums of lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HistorySums {
    /// Came in, in sats.
    pub in_sats: u128,
    /// Left, fees apart.
    pub out_sats: u128,
    /// Fees.
    pub fee_sats: u128,
    /// How many lines.
    pub count: u64,
}

impl HistorySums {
    /// With these as well.
    #[must_use]
    pub fn and(self, more: Self) -> Self {
        Self {
            in_sats: self.in_sats.saturating_add(more.in_sats),
            out_sats: self.out_sats.saturating_add(more.out_sats),
            fee_sats: self.fee_sats.saturating_add(more.fee_sats),
            count: self.count.saturating_add(more.count),
        }
    }

    /// Without these. `None`: they are not in it.
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
    /// What it adds. What failed or is not yet ours counts, and adds nothing.
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

    /// A payment; before it its return, where it came back.
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

    /// A deposit.
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

    /// A token, or a nutzap, that came in.
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

    /// A change of the limits.
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
