//! The record that an operation at a mint belongs to.

use super::id::{DepositId, PaymentId, ReceiveId};

/// A record that an operation belongs to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// A payment.
    Payment(PaymentId),
    /// A received token.
    Receive(ReceiveId),
    /// A deposit.
    Deposit(DepositId),
}

impl Subject {
    /// Returns the record's id.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Payment(id) => id.as_str(),
            Self::Receive(id) => id.as_str(),
            Self::Deposit(id) => id.as_str(),
        }
    }

    /// Parses an id. `None` if it is not the id of a payment, received token or deposit.
    pub fn read(id: &str) -> Option<Self> {
        let payment = id.parse().ok().map(Self::Payment);
        let receive = || id.parse().ok().map(Self::Receive);
        payment.or_else(receive).or_else(|| id.parse().ok().map(Self::Deposit))
    }
}
