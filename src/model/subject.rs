//! What an operation at a mint is for.

use super::id::{DepositId, PaymentId, ReceiveId};

/// A record that an operation belongs to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// A payment, or a token handed out.
    Payment(PaymentId),
    /// A received token.
    Receive(ReceiveId),
    /// A deposit.
    Deposit(DepositId),
}

impl Subject {
    /// The record's id.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Payment(id) => id.as_str(),
            Self::Receive(id) => id.as_str(),
            Self::Deposit(id) => id.as_str(),
        }
    }

    /// The record of this id. `None`: it is no id of a kind that operations belong to.
    pub fn read(id: &str) -> Option<Self> {
        let payment = id.parse().ok().map(Self::Payment);
        let receive = || id.parse().ok().map(Self::Receive);
        payment.or_else(receive).or_else(|| id.parse().ok().map(Self::Deposit))
    }
}
