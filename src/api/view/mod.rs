//! The answers of the tools, one type per kind, built from the wallet's records. An absent field
//! means empty or zero. Agents see the comment of a field that is marked as shown.
//!
//! Every string that an outsider chose is in a field named `untrusted_*`, cleaned.

use serde::Serialize;
use serde_json::Value;

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

/// Writes a time as RFC 3339 in UTC. `None` if the calendar does not have it.
pub use crate::wallet::core::clock::rfc3339;

/// Turns a view into JSON.
pub fn to_json(view: &impl Serialize) -> Value {
    serde_json::to_value(view).unwrap_or(Value::Null)
}
