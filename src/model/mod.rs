//! Domain types. Pure: no async, no input or output, and `now` is an argument.

pub mod deposit;
pub mod destination;
pub mod history_line;
pub mod id;
pub mod invoice;
pub mod keys;
pub mod ledger;
pub mod lnurl;
pub mod mint;
pub mod money;
pub mod payee;
pub mod payment;
pub mod receive;
pub mod secret;
pub mod subject;
pub mod text;
