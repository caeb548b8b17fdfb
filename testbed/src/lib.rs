//! The bench nutpurse is tested on, all of it on loopback: real cdk mints whose Lightning is a small
//! simulated network, a relay, a proxy that fails an HTTP exchange at a chosen moment, and an
//! auditor that reads what a mint owes from its database.
//!
//! Every server runs on a runtime of its own, so a test may block while it waits for a child
//! process. Nothing here reaches the internet, and nothing here is part of the shipped wallet.

mod auditor;
mod backend;
mod bench;
mod invoice;
mod lightning;
mod mint;
mod network;
mod options;
mod payee;
mod proxy;
mod relay;
mod requests;
mod runtime;

pub use auditor::{Auditor, ByState, Melt};
pub use bench::Bench;
pub use invoice::InvoiceSpec;
pub use lightning::{Behaviour, Lightning, LightningPayment};
pub use lightning_invoice::{Bolt11Invoice, Currency};
pub use mint::TestMint;
pub use options::MintOptions;
pub use payee::Payee;
pub use proxy::{Exchange, Moment, Proxy, Rule, RuleId};
pub use relay::Relay;
pub use requests::{Request, RequestKind};
