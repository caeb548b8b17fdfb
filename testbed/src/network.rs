//! The state of the simulated Lightning network: its nodes, their invoices and the payments between
//! them. Pure bookkeeping behind the lock of [`Lightning`](crate::Lightning); it never waits and
//! knows no clock but an invoice's own expiry.

use std::collections::{HashMap, VecDeque};
use std::time::SystemTime;

use bitcoin::secp256k1::SecretKey;
use cdk_common::QuoteId;
use lightning_invoice::Bolt11Invoice;
use tokio::sync::mpsc::UnboundedSender;

use crate::lightning::{Behaviour, LightningPayment};

/// A payment hash in hexadecimal.
pub(crate) type Hash = String;

/// A node, by its place in the list of nodes.
pub(crate) type NodeId = usize;

/// The node that pays for whoever stands outside of the bench.
pub(crate) const OUTSIDE: NodeId = 0;

#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) key: SecretKey,
    pub(crate) events: Option<UnboundedSender<NodeEvent>>,
}

#[derive(Debug, Clone)]
pub(crate) enum NodeEvent {
    Received { hash: Hash, amount_msat: u64 },
    Resolved(Attempt),
}

#[derive(Debug)]
pub(crate) struct Issued {
    pub(crate) node: NodeId,
    pub(crate) preimage: [u8; 32],
    pub(crate) received_msat: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Progress {
    InFlight,
    Settled { preimage: [u8; 32] },
    Failed { reason: &'static str },
}

/// One payment as its payer sees it.
#[derive(Debug, Clone)]
pub(crate) struct Attempt {
    pub(crate) payer: NodeId,
    pub(crate) hash: Hash,
    pub(crate) amount_msat: u64,
    pub(crate) fee_msat: u64,
    pub(crate) quote: Option<QuoteId>,
    pub(crate) progress: Progress,
    /// Whether it is resolved later than its dispatch, so that the payer must be told.
    pub(crate) slow: bool,
}

/// What a node asks the network to pay.
#[derive(Debug)]
pub(crate) struct Order {
    pub(crate) payer: NodeId,
    pub(crate) invoice: Bolt11Invoice,
    pub(crate) amount_msat: u64,
    pub(crate) max_fee_msat: Option<u64>,
    pub(crate) quote: Option<QuoteId>,
}

#[derive(Debug)]
pub(crate) struct Network {
    pub(crate) nodes: Vec<Node>,
    pub(crate) issued: HashMap<Hash, Issued>,
    pub(crate) attempts: HashMap<(NodeId, Hash), Attempt>,
    pub(crate) arrived: Vec<LightningPayment>,
    pub(crate) base_msat: u64,
    pub(crate) ppm: u64,
    pub(crate) usual: Behaviour,
    pub(crate) by_hash: HashMap<Hash, Behaviour>,
    pub(crate) next: VecDeque<Behaviour>,
}

impl Network {
    pub(crate) fn behaviour(&mut self, hash: &Hash) -> Behaviour {
        match self.by_hash.get(hash) {
            Some(behaviour) => *behaviour,
            None => self.next.pop_front().unwrap_or(self.usual),
        }
    }

    /// Puts a payment on its way, or marks it failed where no route and no payee would take it.
    pub(crate) fn dispatch(&mut self, order: Order) -> Attempt {
        let hash = order.invoice.payment_hash().to_string();
        let fee_msat = self.base_msat + order.amount_msat.saturating_mul(self.ppm) / 1_000_000;
        let progress = match self.refusal(&order, &hash, fee_msat) {
            Some(reason) => Progress::Failed { reason },
            None => Progress::InFlight,
        };
        let Order { payer, amount_msat, quote, .. } = order;
        let slow = false;
        let attempt =
            Attempt { payer, hash: hash.clone(), amount_msat, fee_msat, quote, progress, slow };
        self.attempts.insert((payer, hash), attempt.clone());
        attempt
    }

    /// From here on the payer is told when the payment is resolved.
    pub(crate) fn slow_down(&mut self, payer: NodeId, hash: &Hash) {
        if let Some(attempt) = self.attempts.get_mut(&(payer, hash.clone())) {
            attempt.slow = true;
        }
    }

    fn refusal(&self, order: &Order, hash: &Hash, fee_msat: u64) -> Option<&'static str> {
        let Some(issued) = self.issued.get(hash) else {
            return Some("no route: nobody on the bench made this invoice");
        };
        let asked = order.invoice.amount_milli_satoshis();
        if issued.node == order.payer {
            Some("a node does not pay itself over the network")
        } else if issued.received_msat.is_some() {
            Some("the payee was paid for this invoice already")
        } else if order.invoice.is_expired() {
            Some("the invoice is expired")
        } else if order.amount_msat == 0 || asked.is_some_and(|asked| asked != order.amount_msat) {
            Some("the amount is not what the invoice asks for")
        } else if order.max_fee_msat.is_some_and(|most| fee_msat > most) {
            Some("no route within the fee reserve")
        } else {
            None
        }
    }

    /// Settles the payment of `hash` that is on its way from `payer`, and tells both ends.
    pub(crate) fn settle(&mut self, payer: NodeId, hash: &Hash) {
        let Some(issued) = self.issued.get_mut(hash) else {
            return;
        };
        let Some(attempt) = self.attempts.get_mut(&(payer, hash.clone())) else {
            return;
        };
        if attempt.progress != Progress::InFlight {
            return;
        }
        if issued.received_msat.is_some() {
            return self.fail(payer, hash, "the payee was paid for this invoice already");
        }
        issued.received_msat = Some(attempt.amount_msat);
        attempt.progress = Progress::Settled { preimage: issued.preimage };
        let (attempt, payee) = (attempt.clone(), issued.node);
        self.arrived.push(LightningPayment {
            payment_hash: hash.clone(),
            amount_msat: attempt.amount_msat,
            fee_msat: attempt.fee_msat,
            payer: self.name(payer),
            payee: self.name(payee),
            at: SystemTime::now(),
        });
        self.tell(
            payee,
            NodeEvent::Received { hash: hash.clone(), amount_msat: attempt.amount_msat },
        );
        self.tell_payer(attempt);
    }

    /// Fails the payment of `hash` that is on its way from `payer`, and tells the payer.
    pub(crate) fn fail(&mut self, payer: NodeId, hash: &Hash, reason: &'static str) {
        let Some(attempt) = self.attempts.get_mut(&(payer, hash.clone())) else {
            return;
        };
        if attempt.progress == Progress::InFlight {
            attempt.progress = Progress::Failed { reason };
            let attempt = attempt.clone();
            self.tell_payer(attempt);
        }
    }

    /// The payers whose payment of `hash` is on its way.
    pub(crate) fn payers(&self, hash: &Hash) -> Vec<NodeId> {
        let on_its_way =
            |attempt: &&Attempt| &attempt.hash == hash && attempt.progress == Progress::InFlight;
        self.attempts.values().filter(on_its_way).map(|attempt| attempt.payer).collect()
    }

    /// Everything that `node` would have been told until now.
    pub(crate) fn history(&self, node: NodeId) -> Vec<NodeEvent> {
        let received = self.issued.iter().filter(|(_, issued)| issued.node == node);
        let received = received.filter_map(|(hash, issued)| {
            let amount_msat = issued.received_msat?;
            Some(NodeEvent::Received { hash: hash.clone(), amount_msat })
        });
        let paid = self.attempts.values().filter(|attempt| attempt.payer == node);
        let resolved =
            paid.filter(|attempt| attempt.slow && attempt.progress != Progress::InFlight);
        received.chain(resolved.cloned().map(NodeEvent::Resolved)).collect()
    }

    fn name(&self, node: NodeId) -> String {
        self.nodes.get(node).map(|node| node.name.clone()).unwrap_or_default()
    }

    fn tell_payer(&self, attempt: Attempt) {
        if attempt.slow {
            self.tell(attempt.payer, NodeEvent::Resolved(attempt));
        }
    }

    fn tell(&self, node: NodeId, event: NodeEvent) {
        if let Some(events) = self.nodes.get(node).and_then(|node| node.events.as_ref()) {
            events.send(event).ok();
        }
    }
}
