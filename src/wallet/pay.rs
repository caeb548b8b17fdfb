//! Paying a Lightning invoice (BOLT11, NUT-05), and an address whose server makes one (LUD-06,
//! LUD-16).
//!
//! An address is asked for its invoice only after everything that needs no answer was judged; the
//! invoice then goes the same way.

use super::Wallet;
use super::code::Code;
use super::deadline::Deadline;
use super::error::Error;
use super::gate::Name;
use super::known::{Known, digest};
use super::lnurl::{FetchedInvoice, Wanted};
use super::offer::Offer;
use super::payable::{Payable, check};
use super::request::{Caller, Pay};
use super::rules::{Setup, first_mint};
use super::show::Replay;
use super::spend::{Act, Order};
use super::view::PaymentView;
use crate::mint::error::nut;
use crate::model::id::PaymentId;
use crate::model::invoice::Invoice;
use crate::model::lnurl::{PayRequest, Target};
use crate::model::payment::{Payment, PaymentKind, PaymentState};
use crate::model::text;

/// How often a payment that was surely not made, for a reason that is gone by then, is tried again.
const ONCE_MORE: usize = 2;

/// What an address's server has given for this call: a second attempt of the same call begins with
/// it.
#[derive(Debug)]
struct Kept {
    id: PaymentId,
    invoice: FetchedInvoice,
    words: String,
}

impl Wallet {
    /// Pays an invoice or an address, once, however often it is asked. At most 45 s; what is
    /// undecided then is answered `pending`.
    ///
    /// # Errors
    /// `invalid_input`, `payee_unsupported`, `invoice_expired`, `wrong_network`, `amount_missing`,
    /// `amount_mismatch`, `amount_out_of_range`, `recipient_unknown`, `recipient_refuses`,
    /// `server_unreachable`, `address_refused`, `mint_not_trusted`, `no_mint`,
    /// `insufficient_funds`, `fee_too_high`, `over_payment_limit`, `over_budget`,
    /// `spending_paused`, `possible_duplicate`, `key_conflict`, `text_refused`, `mint_unreachable`,
    /// `mint_refused`, `route_not_found`, `too_many_requests`: nothing moved. `storage_failed`:
    /// unknown.
    ///
    /// # Cancel safety
    /// Safe to drop: the payment goes on to its end.
    pub async fn pay(&self, caller: &Caller, request: Pay) -> Result<PaymentView, Error> {
        let (until, mut kept) = (self.deadline(), None);
        let payable = Payable::read(&request.to)?;
        let hash = payable.invoice().map(|invoice| Name::Hash(&invoice.payment_hash));
        let _announced = self
            .gates
            .announce(&caller.agent, &[hash, request.idempotency_key.as_deref().map(Name::Key)]);
        let mut outcome = self.pay_once(caller, &request, &payable, until, &mut kept).await;
        for _ in 0..ONCE_MORE {
            match outcome {
                Err(error) if keyset_was_gone(&error) || spent_elsewhere(&error) => {
                    outcome = self.pay_once(caller, &request, &payable, until, &mut kept).await;
                }
                ended => return ended,
            }
        }
        outcome
    }

    async fn pay_once(
        &self,
        caller: &Caller,
        request: &Pay,
        payable: &Payable,
        until: Deadline,
        kept: &mut Option<Kept>,
    ) -> Result<PaymentView, Error> {
        let setup = self.setup().await?;
        let amount = payable.amount_sats(request.amount_sats)?;
        let digest = digest(&["pay", payable.name(), &amount.to_string()]);
        let hash = payable.invoice().map(|invoice| invoice.payment_hash.clone());
        let key = request.idempotency_key.as_deref();
        let gate = hash.as_ref().unwrap_or(&digest);
        let pass = until.wait(self.gates.pass(gate)).await.ok_or_else(|| still_planned(key))?;
        let mut known = self.known_by_key(caller, key, &digest).await?;
        let same = match (&hash, &*kept) {
            (Some(hash), _) => self.store.payment_by_hash(hash).await?,
            (None, Some(kept)) => self.store.payment(&kept.id).await?,
            (None, None) => None,
        };
        if let Some(payment) = same {
            known = Known::from(payment);
        }
        let earlier = match known {
            Known::Recorded(payment) => {
                return self.show_payment(&setup, caller, *payment, Replay::Yes).await;
            }
            Known::Again(payment) => Some(payment),
            Known::New => None,
        };
        if let Some(invoice) = payable.invoice() {
            check(&setup, invoice, (self.clock)())?;
        }
        if let Some(hash) = hash.as_deref().filter(|_| self.nostr.is_some())
            && self.store.paid_elsewhere(hash).await?
        {
            return Err(paid_elsewhere().keyed(key));
        }
        outgoing("comment", request.comment.as_deref())?;
        let repeat_of = read_repeat(request.repeat_of.as_deref())?;
        let payment = Payment {
            id: match (&earlier, &*kept) {
                (Some(payment), _) => payment.id.clone(),
                // The same call again: its first try may not have come as far as a record.
                (None, Some(kept)) => kept.id.clone(),
                (None, None) => PaymentId::random(),
            },
            agent: caller.agent.clone(),
            kind: PaymentKind::Payment,
            key: request.idempotency_key.clone(),
            request_digest: digest,
            payment_hash: hash,
            payee: payable.payee().to_owned(),
            shown_payee: payable.shown(),
            note: note(
                request,
                payable.invoice().and_then(|invoice| invoice.description.as_deref()),
            ),
            note_is_untrusted: request.comment.is_none(),
            mint: match request.mint.as_deref() {
                Some(text) => setup.named(text)?.address.clone(),
                None => first_mint(&setup)?.address.clone(),
            },
            money: setup.money,
            quote_id: None,
            amount_sats: amount,
            reserved_sats: amount,
            created_at: earlier.as_ref().map_or((self.clock)(), |payment| payment.created_at),
            attempt: earlier.as_ref().map_or(1, |payment| payment.attempt.saturating_add(1)),
            fetched: None,
            zap: None,
            repeat_of,
            caller_in_doubt: false,
            state: PaymentState::Reserved,
        };
        self.deny(&setup, &payment).await?;
        let planned = until.wait(self.plan(&setup, payment, payable, request, kept)).await;
        let mut order =
            planned.unwrap_or_else(|| Err(silent())).map_err(|error| error.keyed(key))?;
        order.pass = Some(pass);
        let planned = order.payment.id.clone();
        let payment = self.spend(order, until).await?;
        let replay = if payment.id == planned { Replay::No } else { Replay::Yes };
        self.show_payment(&setup, caller, payment, replay).await
    }

    /// Step 3: what it would cost at each mint that could, and the cheapest of them.
    async fn plan(
        &self,
        setup: &Setup,
        mut payment: Payment,
        payable: &Payable,
        request: &Pay,
        kept: &mut Option<Kept>,
    ) -> Result<Order, Error> {
        let invoice: &Invoice = match payable {
            Payable::Invoice(invoice) => invoice,
            Payable::Address { target, .. } => {
                let fresh = match kept.take() {
                    Some(kept) => kept,
                    None => self.ask_for_invoice(setup, &payment, target, request).await?,
                };
                let Kept { invoice: FetchedInvoice { invoice, fetched }, words, .. } =
                    kept.insert(fresh);
                payment.payment_hash = Some(invoice.payment_hash.clone());
                payment.fetched = Some(*fetched);
                payment.note = note(request, invoice.description.as_deref().or(Some(words)));
                invoice
            }
        };
        let named = request.mint.as_deref();
        let Offer { mint, quote, .. } =
            self.cheapest(setup, invoice, payment.amount_sats, named, &payment.agent).await?;
        payment.amount_sats = quote.amount_sats.max(1);
        payment.mint = mint.address().clone();
        payment.quote_id = Some(quote.id.clone());
        Ok(Order {
            payment,
            mint,
            act: Act::Melt(quote),
            max_fee_sats: request.max_fee_sats,
            pass: None,
        })
    }

    /// The payee's server is asked only if some mint could pay.
    async fn ask_for_invoice(
        &self,
        setup: &Setup,
        payment: &Payment,
        target: &Target,
        request: &Pay,
    ) -> Result<Kept, Error> {
        let amount_sats = payment.amount_sats;
        self.candidates(setup, amount_sats, request.mint.as_deref()).await?;
        let asked: PayRequest = self.resolve_lnurl(target).await?;
        let wanted = Wanted {
            amount_sats,
            comment: request.comment.as_deref(),
            zap: None,
            again: Some(&payment.id),
        };
        let invoice = self.fetch_invoice(setup, &asked, wanted).await?;
        Ok(Kept { id: payment.id.clone(), invoice, words: asked.description })
    }

    /// Paid. A preimage is kept only if it hashes to the payment hash.
    pub(super) fn settled(
        &self,
        payment: &Payment,
        fee_sats: u64,
        preimage: Option<String>,
    ) -> PaymentState {
        let hash = payment.payment_hash.as_deref().unwrap_or_default();
        let preimage = preimage
            .filter(|text| super::preimage::opens(text, hash))
            .map(crate::model::secret::Secret::new);
        PaymentState::Settled { at: (self.clock)(), fee_sats, preimage, claimed: false }
    }
}

/// The mint refused because the keyset we asked change in has gone out of use; its keysets are
/// known anew by now.
fn keyset_was_gone(error: &Error) -> bool {
    error.details.get("nut_code").and_then(serde_json::Value::as_u64)
        == Some(u64::from(nut::KEYSET_INACTIVE))
}

/// Best effort: only what relays have shown by now is known.
fn paid_elsewhere() -> Error {
    Error::new(Code::PossibleDuplicate, "Another device of this wallet has paid this invoice, as its history on the relays says.")
        .next("Do not pay it again. Tell the user; if the payee says that it is unpaid, ask for a new invoice.")
}

/// Another device had the coins; they are known to be spent by now.
fn spent_elsewhere(error: &Error) -> bool {
    error.details.get("nut_code").and_then(serde_json::Value::as_u64)
        == Some(u64::from(nut::TOKEN_SPENT))
}

/// A mint that does not answer a question that moves nothing.
pub(super) fn silent() -> Error {
    Error::new(Code::MintUnreachable, "The mint did not answer in time; nothing was paid.")
}

/// Another call plans this very payment, and its mint is slow.
pub(super) fn still_planned(key: Option<&str>) -> Error {
    let error = Error::new(
        Code::MintUnreachable,
        "Another call for this payment still waits for its answers; nothing was sent by this one.",
    );
    error
        .next("Look the payment up with get_payment or list_history before calling again.")
        .keyed(key)
}

/// Refuses our own words out when they are too long or hold a secret.
pub(super) fn outgoing(field: &str, words: Option<&str>) -> Result<(), Error> {
    let Some(words) = words else { return Ok(()) };
    if text::outgoing_too_long(words) {
        let refusal = Error::new(
            Code::TextRefused,
            format!("{field} is longer than {} characters.", text::MAX_OUTGOING),
        );
        return Err(refusal.with("field", field));
    }
    match text::refuse_secrets(words) {
        Some(what) => {
            Err(Error::new(Code::TextRefused, format!("{field} holds {what}."))
                .with("field", field))
        }
        None => Ok(()),
    }
}

/// The payment that is knowingly repeated.
pub(super) fn read_repeat(text: Option<&str>) -> Result<Option<PaymentId>, Error> {
    let read = text.map(str::parse).transpose();
    read.map_err(|_| Error::invalid("repeat_of", "repeat_of is not a payment_id."))
}

/// The caller's own comment, else what the payee says that it is for.
fn note(request: &Pay, description: Option<&str>) -> Option<String> {
    let words = request.comment.as_deref().or(description)?;
    Some(text::clean_to(words, text::MAX_OUTGOING)).filter(|words| !words.is_empty())
}
