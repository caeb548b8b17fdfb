//! The bench nutpurse is tested on, all of it on loopback: real cdk mints whose Lightning is a
//! small simulated network, a relay, payees' servers, a proxy that fails an HTTP exchange at a
//! chosen moment, an auditor that reads what a mint owes from its database, and the [`harness`]
//! that drives a wallet.
//!
//! Every server runs on a runtime of its own, so a test may block while it waits for a child
//! process:
//!
//! ```no_run
//! # async fn example() -> anyhow::Result<()> {
//! use testbed::{Bench, Behaviour, Moment, Proxy, Rule};
//!
//! let bench = Bench::start().await?;
//! let proxy = Proxy::start(&bench.mint.url()).await?; // the wallet is given `proxy.url()`
//! let invoice = bench.lightning.payee("shop").invoice(21, "a coffee")?;
//! bench.lightning.set_behaviour_of(invoice.payment_hash(), Behaviour::Pending);
//! let lost = proxy.fail(Rule::new("POST", "/v1/melt/bolt11", Moment::AfterMint));
//! // ... the wallet pays the invoice ...
//! bench.lightning.attempted(invoice.payment_hash()).await;
//! bench.lightning.settle(invoice.payment_hash());
//! proxy.reached(lost).await;
//! assert_eq!(bench.mint.auditor().melts()?.len(), 1);
//! # Ok(())
//! # }
//! ```
//!
//! Nothing here reaches the internet, and nothing here is part of the shipped wallet.

mod auditor;
mod backend;
mod bench;
mod binary;
pub mod harness;
mod inside;
mod invoice;
mod liar;
mod lightning;
mod lnurl;
mod mint;
mod network;
mod nutshell;
mod options;
mod payee;
mod proxy;
mod relay;
mod requests;
mod runtime;
mod shim;
mod zaps;

pub use auditor::{Auditor, ByState, Melt};
pub use bench::Bench;
pub use binary::wallet_binary;
pub use inside::Cut;
pub use invoice::InvoiceSpec;
pub use liar::{CoinLie, Detour, KeysetLie, Liar, Lie, RestoreLie, SignatureLie, collision};
pub use lightning::{Behaviour, Lightning, LightningPayment};
pub use lightning_invoice::{Bolt11Invoice, Currency};
pub use lnurl::{Answer, Asked, InvoiceLie, LnurlServer, Terms};
pub use mint::TestMint;
pub use nutshell::Nutshell;
pub use options::MintOptions;
pub use payee::Payee;
pub use proxy::{Exchange, Moment, Proxy, Rule, RuleId};
pub use relay::{Around, Flood, Misrule, Relay, Veil};
pub use requests::{Request, RequestKind};
pub use shim::{Act, Calls, EIO, ENOSPC, Shim, ShimLibrary};
pub use zaps::ReceiptLie;
