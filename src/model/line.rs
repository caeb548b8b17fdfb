//! What the history says of a record in numbers: one line, or two of a token that came back. Every
//! sum of the history is a sum of lines.

use super::deposit::{Deposit, DepositState};
use super::ledger::state_word;
use super::payment::{Payment, PaymentState};
use super::receive::{Receive, ReceiveState};

/// One line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// When it happened, in Unix seconds.
    pub at: u64,
    /// in, out or none.
    pub direction: &'static str,
    /// What kind of thing.
    pub kind: &'static str,
    /// As the verb that made it says.
    pub state: &'static str,
    /// Sats.
    pub amount_sats: u64,
    /// Sats.
    pub fee_sats: u64,
}

/// Sums of lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// Came in, in sats.
    pub in_sats: u128,
    /// Left, fees apart.
    pub out_sats: u128,
    /// Fees.
    pub fee_sats: u128,
    /// How many lines.
    pub count: u64,
}

impl Sums {
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

impl Line {
    /// What it adds. What failed or is not yet ours counts, and adds nothing.
    pub fn sums(&self) -> Sums {
        let only_counts = matches!(self.state, "failed" | "unpaid" | "expired" | "paid")
            || (self.direction == "in" && self.state == "pending");
        let of = |direction: &str| {
            if self.direction == direction && !only_counts {
                u128::from(self.amount_sats)
            } else {
                0
            }
        };
        let fee_sats = if only_counts { 0 } else { u128::from(self.fee_sats) };
        Sums { in_sats: of("in"), out_sats: of("out"), fee_sats, count: 1 }
    }

    /// A payment; before it its return, where it came back.
    pub fn of_payment(payment: &Payment) -> Vec<Self> {
        let state = state_word(&payment.state);
        let out = Self {
            at: payment.created_at,
            direction: "out",
            kind: payment.kind.word(),
            state,
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
                let kind = "token_reclaimed";
                vec![
                    Self {
                        at,
                        direction: "in",
                        kind,
                        state: "returned",
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
            DepositState::Unpaid => ("unpaid", deposit.amount_sats),
            DepositState::Paid => ("paid", deposit.amount_sats),
            DepositState::Received { received_sats, .. } => ("received", received_sats),
            DepositState::Expired => ("expired", deposit.amount_sats),
        };
        Self {
            at: deposit.created_at,
            direction: "in",
            kind: "deposit",
            state,
            amount_sats,
            fee_sats: 0,
        }
    }

    /// A token, or a nutzap, that came in.
    pub fn of_receive(receive: &Receive) -> Self {
        let (state, amount_sats, fee_sats) = match receive.state {
            ReceiveState::Open | ReceiveState::GivenUp { .. } => {
                ("pending", receive.amount_sats, 0)
            }
            ReceiveState::Received { received_sats, fee_sats, .. } => {
                ("received", received_sats, fee_sats)
            }
            ReceiveState::Refused { .. } => ("failed", receive.amount_sats, 0),
        };
        let kind = if receive.nutzap.is_some() { "nutzap_received" } else { "token_received" };
        Self { at: receive.created_at, direction: "in", kind, state, amount_sats, fee_sats }
    }

    /// A change of the limits.
    pub fn of_policy(at: u64) -> Self {
        Self {
            at,
            direction: "none",
            kind: "policy",
            state: "settled",
            amount_sats: 0,
            fee_sats: 0,
        }
    }
}
