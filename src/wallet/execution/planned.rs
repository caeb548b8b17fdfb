//! A payment before it is recorded: drafted from the request, then planned at a mint.
//!
//! ```text
//!  Draft --(mint, price, execution)--> Planned --(the door)--> Payment
//! ```
//! Drafts and plans reserve nothing and are never stored; only the door creates a `Payment`.

use std::sync::Arc;

use crate::mint::Mint;
use crate::mint::melt::MeltQuote;
use crate::mint::swap::P2pkLock;
use crate::model::id::PaymentId;
use crate::model::mint::MoneyKind;
use crate::model::payment::{KindName, Payment, PaymentKind, PaymentState};
use crate::wallet::core::active_policy::Setup;
use crate::wallet::core::lock::PaymentLock;

/// A requested payment without a mint. Amounts are sats, times Unix seconds; fields as in
/// [`Payment`].
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(crate) id: PaymentId,
    pub(crate) agent: String,
    pub(crate) kind: KindName,
    pub(crate) key: Option<String>,
    pub(crate) request_digest: String,
    pub(crate) payee: String,
    pub(crate) shown_payee: Option<String>,
    pub(crate) note: Option<String>,
    pub(crate) note_is_untrusted: bool,
    pub(crate) money: MoneyKind,
    pub(crate) amount_sats: u64,
    pub(crate) created_at: u64,
    pub(crate) attempt: u32,
    pub(crate) repeat_of: Option<PaymentId>,
}

/// The way in which value leaves.
#[derive(Clone, Debug)]
pub(crate) enum Execution {
    /// A melt of this quote.
    Melt(MeltQuote),
    /// A token, with its lock and memo.
    Token { lock_to: Option<P2pkLock>, memo: Option<String> },
}

/// A draft with its mint, price and execution.
#[derive(Debug)]
pub(crate) struct Planned {
    pub(crate) draft: Draft,
    pub(crate) kind: PaymentKind,
    pub(crate) mint: Arc<Mint>,
    pub(crate) execution: Execution,
    pub(crate) max_fee_sats: Option<u64>,
    /// Lock of the payment, held until it is admitted.
    pub(crate) pass: Option<PaymentLock>,
}

impl Draft {
    /// Creates a draft: a new payment, or the next attempt of a failed one.
    pub(crate) fn new(
        setup: &Setup,
        agent: &str,
        kind: KindName,
        amount_sats: u64,
        earlier: Option<&Payment>,
        now: u64,
    ) -> Self {
        Self {
            id: earlier.map_or_else(PaymentId::random, |payment| payment.id.clone()),
            agent: agent.to_owned(),
            kind,
            key: None,
            request_digest: String::new(),
            payee: String::new(),
            shown_payee: None,
            note: None,
            note_is_untrusted: false,
            money: setup.money,
            amount_sats,
            created_at: earlier.map_or(now, |payment| payment.created_at),
            attempt: earlier.map_or(1, |payment| payment.attempt.saturating_add(1)),
            repeat_of: None,
        }
    }

    /// Returns whether the caller gave an invoice, which identifies this one payment.
    pub(crate) fn is_of_invoice(&self) -> bool {
        self.kind == KindName::Payment && self.shown_payee.is_none()
    }

    /// Returns the key by which the ledger finds similar payments.
    pub(crate) fn probe(&self) -> (KindName, String, u64) {
        (self.kind, self.payee.clone(), self.amount_sats)
    }
}

impl Planned {
    /// Returns the value the proofs must have beyond their own input fee, in sats.
    pub(crate) fn need_sats(&self) -> u64 {
        match &self.execution {
            Execution::Melt(quote) => quote.amount_sats.saturating_add(quote.fee_reserve_sats),
            Execution::Token { .. } => self.draft.amount_sats,
        }
    }

    /// Returns the mint's fee reserve for the Lightning route, in sats.
    pub(crate) fn fee_reserve_sats(&self) -> u64 {
        match &self.execution {
            Execution::Melt(quote) => quote.fee_reserve_sats,
            Execution::Token { .. } => 0,
        }
    }

    /// Converts the plan to a payment for which `reserved_sats` are reserved.
    pub(crate) fn to_payment(&self, reserved_sats: u64, state: PaymentState) -> Payment {
        let draft = self.draft.clone();
        Payment {
            id: draft.id,
            agent: draft.agent,
            kind: self.kind.clone(),
            key: draft.key,
            request_digest: draft.request_digest,
            payee: draft.payee,
            shown_payee: draft.shown_payee,
            note: draft.note,
            note_is_untrusted: draft.note_is_untrusted,
            mint: self.mint.address().clone(),
            money: draft.money,
            amount_sats: draft.amount_sats,
            reserved_sats,
            created_at: draft.created_at,
            attempt: draft.attempt,
            repeat_of: draft.repeat_of,
            outcome_undelivered: false,
            state,
        }
    }
}
