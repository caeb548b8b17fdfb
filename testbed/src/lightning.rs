//! The simulated Lightning network of the bench: it knows every invoice of its mints and of the
//! payees that tests make, settles them with true preimages, takes routing fees, and delays, fails
//! or withholds a payment when told to. It never touches a real network, and an invoice it did not
//! see made has no route.

use std::collections::{HashMap, VecDeque};
use std::fmt::Display;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use anyhow::{Result, ensure};
use bitcoin::secp256k1::SecretKey;
use lightning_invoice::Bolt11Invoice;
use tokio::sync::{mpsc, watch};

use crate::invoice::InvoiceSpec;
use crate::network::{Attempt, Issued, Network, Node, NodeEvent, NodeId, OUTSIDE, Order, Progress};
use crate::payee::Payee;

/// What the network does with a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Behaviour {
    /// Settles it at once.
    Settle,
    /// Settles it after this long; the payer waits.
    Delay(Duration),
    /// Fails it at once.
    Fail,
    /// Fails it after this long; the payer waits.
    FailAfter(Duration),
    /// Leaves it on its way until [`Lightning::settle`] or [`Lightning::fail`]; the payer is told
    /// that it is pending.
    Pending,
}

/// A payment that arrived.
#[derive(Debug, Clone)]
pub struct LightningPayment {
    /// The payment hash, in hexadecimal.
    pub payment_hash: String,
    /// What the payee received.
    pub amount_msat: u64,
    /// What the network took on top.
    pub fee_msat: u64,
    /// The name of the node that paid.
    pub payer: String,
    /// The name of the node that was paid.
    pub payee: String,
    /// When it arrived.
    pub at: SystemTime,
}

/// The simulated network; clones are the same network.
#[derive(Debug, Clone)]
pub struct Lightning {
    network: Arc<Mutex<Network>>,
    changed: Arc<watch::Sender<()>>,
}

impl Default for Lightning {
    fn default() -> Self {
        Self::new()
    }
}

impl Lightning {
    /// A network without nodes that takes 1 sat a payment and settles at once.
    #[must_use]
    pub fn new() -> Self {
        let network = Network {
            nodes: Vec::new(),
            issued: HashMap::new(),
            attempts: HashMap::new(),
            arrived: Vec::new(),
            base_msat: 1000,
            ppm: 0,
            usual: Behaviour::Settle,
            by_hash: HashMap::new(),
            next: VecDeque::new(),
        };
        let lightning = Self {
            network: Arc::new(Mutex::new(network)),
            changed: Arc::new(watch::Sender::new(())),
        };
        lightning.join("outside");
        lightning
    }

    /// A node with its own key that makes invoices and is paid.
    #[must_use]
    pub fn payee(&self, name: &str) -> Payee {
        Payee::new(self.clone(), self.join(name))
    }

    /// The routing fee that the network takes from here on.
    pub fn set_fee(&self, base_sats: u64, ppm: u64) {
        let mut network = self.lock();
        network.base_msat = base_sats * 1000;
        network.ppm = ppm;
    }

    /// What the network does with a payment it was told nothing else about.
    pub fn set_behaviour(&self, behaviour: Behaviour) {
        self.lock().usual = behaviour;
    }

    /// What the network does with every payment of this hash.
    pub fn set_behaviour_of(&self, payment_hash: impl Display, behaviour: Behaviour) {
        self.lock().by_hash.insert(payment_hash.to_string(), behaviour);
    }

    /// What the network does with the next payment; called twice, with the next two.
    pub fn on_next(&self, behaviour: Behaviour) {
        self.lock().next.push_back(behaviour);
    }

    /// Every payment that arrived, in order.
    #[must_use]
    pub fn payments(&self) -> Vec<LightningPayment> {
        self.lock().arrived.clone()
    }

    /// The hashes of the payments that are on their way.
    #[must_use]
    pub fn pending(&self) -> Vec<String> {
        let network = self.lock();
        let on_its_way = |attempt: &&Attempt| attempt.progress == Progress::InFlight;
        network.attempts.values().filter(on_its_way).map(|attempt| attempt.hash.clone()).collect()
    }

    /// Waits until a payment of this hash has reached the network, whatever became of it.
    pub async fn attempted(&self, payment_hash: impl Display) {
        let hash = payment_hash.to_string();
        self.until(|network| network.attempts.values().any(|a| a.hash == hash).then_some(())).await;
    }

    /// Settles the pending payments of this hash; the payee takes only the first.
    pub fn settle(&self, payment_hash: impl Display) {
        let hash = payment_hash.to_string();
        self.change(|network| {
            for payer in network.payers(&hash) {
                network.settle(payer, &hash);
            }
        });
    }

    /// Fails the pending payments of this hash.
    pub fn fail(&self, payment_hash: impl Display) {
        let hash = payment_hash.to_string();
        self.change(|network| {
            for payer in network.payers(&hash) {
                network.fail(payer, &hash, "the payment failed on its way");
            }
        });
    }

    /// Pays an invoice from outside of the bench, at once and whatever the behaviour.
    pub fn pay(&self, invoice: &Bolt11Invoice) -> Result<()> {
        self.pay_msat(invoice, invoice.amount_milli_satoshis().unwrap_or_default())
    }

    /// Pays an invoice that leaves the amount open from outside of the bench.
    pub fn pay_sats(&self, invoice: &Bolt11Invoice, amount_sats: u64) -> Result<()> {
        self.pay_msat(invoice, amount_sats * 1000)
    }

    /// The preimage behind an invoice of the bench, in hexadecimal, paid or not.
    #[must_use]
    pub fn preimage(&self, payment_hash: impl Display) -> Option<String> {
        let network = self.lock();
        let issued = network.issued.get(&payment_hash.to_string())?;
        Some(cdk_common::util::hex::encode(issued.preimage))
    }

    fn pay_msat(&self, invoice: &Bolt11Invoice, amount_msat: u64) -> Result<()> {
        let invoice = invoice.clone();
        let order = Order { payer: OUTSIDE, invoice, amount_msat, max_fee_msat: None, quote: None };
        let attempt = self.change(|network| {
            let attempt = network.dispatch(order);
            network.settle(OUTSIDE, &attempt.hash);
            attempt
        });
        ensure!(attempt.progress == Progress::InFlight, "not paid: {:?}", attempt.progress);
        Ok(())
    }
}

/// What the nodes of the bench use.
impl Lightning {
    pub(crate) fn join(&self, name: &str) -> NodeId {
        let key = loop {
            if let Ok(key) = SecretKey::from_slice(&rand::random::<[u8; 32]>()) {
                break key;
            }
        };
        let mut network = self.lock();
        network.nodes.push(Node { name: name.to_owned(), key, events: None });
        network.nodes.len() - 1
    }

    pub(crate) fn issue(&self, node: NodeId, spec: &InvoiceSpec) -> Result<Bolt11Invoice> {
        let preimage: [u8; 32] = rand::random();
        let mut network = self.lock();
        let Some(key) = network.nodes.get(node).map(|node| node.key) else {
            anyhow::bail!("no such node")
        };
        let invoice = spec.sign(&key, preimage)?;
        let issued = Issued { node, preimage, received_msat: None };
        network.issued.insert(invoice.payment_hash().to_string(), issued);
        Ok(invoice)
    }

    pub(crate) fn received_msat(&self, node: NodeId) -> u64 {
        let network = self.lock();
        let own = network.issued.values().filter(|issued| issued.node == node);
        own.filter_map(|issued| issued.received_msat).sum()
    }

    pub(crate) fn received(&self, hash: &str) -> Option<u64> {
        self.lock().issued.get(hash)?.received_msat
    }

    /// The node's events from its beginning, for one listener at a time.
    pub(crate) fn listen(&self, node: NodeId) -> mpsc::UnboundedReceiver<NodeEvent> {
        let (events, listener) = mpsc::unbounded_channel();
        let mut network = self.lock();
        for event in network.history(node) {
            events.send(event).ok();
        }
        if let Some(node) = network.nodes.get_mut(node) {
            node.events = Some(events);
        }
        listener
    }

    pub(crate) fn attempt(&self, payer: NodeId, hash: &str) -> Option<Attempt> {
        self.lock().attempts.get(&(payer, hash.to_owned())).cloned()
    }

    /// Puts a payment on its way and says how far it came: at once, or after the wait that the
    /// behaviour asks for. A payment goes on when its payer stops waiting.
    pub(crate) async fn send(&self, order: Order) -> Option<Attempt> {
        let (payer, hash) = (order.payer, order.invoice.payment_hash().to_string());
        let behaviour = self.change(|network| {
            network.dispatch(order);
            let behaviour = network.behaviour(&hash);
            match behaviour {
                Behaviour::Settle => network.settle(payer, &hash),
                Behaviour::Fail => network.fail(payer, &hash, "the payment failed on its way"),
                Behaviour::Delay(_) | Behaviour::FailAfter(_) | Behaviour::Pending => {
                    network.slow_down(payer, &hash);
                }
            }
            behaviour
        });
        if let Behaviour::Delay(wait) | Behaviour::FailAfter(wait) = behaviour {
            let (lightning, late) = (self.clone(), hash.clone());
            std::thread::spawn(move || {
                std::thread::sleep(wait);
                lightning.change(|network| match behaviour {
                    Behaviour::FailAfter(_) => {
                        network.fail(payer, &late, "the payment failed on its way");
                    }
                    _ => network.settle(payer, &late),
                });
            });
            self.until(|network| {
                let attempt = network.attempts.get(&(payer, hash.clone()))?;
                (attempt.progress != Progress::InFlight).then_some(())
            })
            .await;
        }
        self.attempt(payer, &hash)
    }

    async fn until<T>(&self, look: impl Fn(&Network) -> Option<T>) -> Option<T> {
        let mut changes = self.changed.subscribe();
        loop {
            if let Some(seen) = look(&self.lock()) {
                return Some(seen);
            }
            changes.changed().await.ok()?;
        }
    }

    fn change<T>(&self, act: impl FnOnce(&mut Network) -> T) -> T {
        let outcome = act(&mut self.lock());
        self.changed.send_replace(());
        outcome
    }

    fn lock(&self) -> MutexGuard<'_, Network> {
        self.network.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
