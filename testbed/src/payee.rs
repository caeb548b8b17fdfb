//! A payee that the tests make: a node of the simulated network with a key of its own. It signs
//! invoices and counts what it was paid; it never pays.

use anyhow::Result;
use lightning_invoice::Bolt11Invoice;

use crate::invoice::InvoiceSpec;
use crate::lightning::Lightning;
use crate::network::NodeId;

/// A payee on the simulated network.
#[derive(Debug, Clone)]
pub struct Payee {
    lightning: Lightning,
    node: NodeId,
}

impl Payee {
    pub(crate) fn new(lightning: Lightning, node: NodeId) -> Self {
        Self { lightning, node }
    }

    /// An invoice over `amount_sats`.
    pub fn invoice(&self, amount_sats: u64, description: &str) -> Result<Bolt11Invoice> {
        self.invoice_with(&InvoiceSpec::sats(amount_sats, description))
    }

    /// An invoice that leaves the amount to the payer.
    pub fn amountless(&self, description: &str) -> Result<Bolt11Invoice> {
        self.invoice_with(&InvoiceSpec {
            description: description.to_owned(),
            ..InvoiceSpec::default()
        })
    }

    /// An invoice that says what `spec` says.
    pub fn invoice_with(&self, spec: &InvoiceSpec) -> Result<Bolt11Invoice> {
        self.lightning.issue(self.node, spec)
    }

    /// What arrived here, in whole sats.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.lightning.received_msat(self.node) / 1000
    }
}
