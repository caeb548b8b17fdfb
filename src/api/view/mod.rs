//! The answers of the tools, one type per kind of answer, made of the wallet's records. Absent
//! means empty or zero.
//!
//! Every string that an outsider chose is in a field named `untrusted_*`, cleaned.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::model::mint::MoneyKind;

/// `play` or `real`, on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MoneyWord {
    /// Play money.
    Play,
    /// Real money.
    Real,
}

impl From<MoneyKind> for MoneyWord {
    fn from(kind: MoneyKind) -> Self {
        match kind {
            MoneyKind::Play => Self::Play,
            MoneyKind::Real => Self::Real,
        }
    }
}

macro_rules! view {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
        pub struct $name { $($(#[$field_doc])* pub $field: $type,)* }
    };
}

mod balance;
mod deposit;
mod doctor;
mod estimate;
mod history;
mod mints;
mod open;
mod outcome;
mod payment;
mod relays;

pub use balance::Balance;
pub use deposit::DepositView;
pub use doctor::RelaysReport;
pub use estimate::EstimateView;
pub use history::{Entry, Group, HistoryView};
pub use mints::MintsView;
pub use open::{OpenView, may_give_up};
pub use payment::{OutcomeView, PaymentView, ReceiveView, TokenView, ZapView};
pub use relays::{NostrView, SyncView};

/// RFC 3339 in UTC. `None` when the time is out of the calendar.
pub use crate::wallet::core::clock::rfc3339;

/// A view as JSON, for every edge alike.
pub fn to_json(view: &impl Serialize) -> Value {
    serde_json::to_value(view).unwrap_or(Value::Null)
}
