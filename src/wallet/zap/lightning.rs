//! A zap over Lightning (NIP-57): the payee's server makes an invoice for our request, and
//! publishes a receipt once it is paid.
//!
//! A receipt is never taken for the payment: the mint's word and the preimage are. It is waited
//! for, checked, and told.

use futures::future::join_all;
use serde_json::json;
use tokio::time::{Duration, sleep};

use super::super::Wallet;
use super::super::code::Code;
use super::super::deadline::Deadline;
use super::super::error::Error;
use super::super::lnurl::{FetchedInvoice, Wanted};
use super::super::nostr::find::Person;
use super::super::nostr::{Link, plain_url};
use super::super::offer::Offer;
use super::super::request::Zap;
use super::super::rules::Setup;
use super::super::spend::{Act, Order};
use super::Leg;
use super::whom::Whom;
use crate::model::lnurl::{PayRequest, Target, ZapNote};
use crate::model::payee::Payee;
use crate::model::payment::{Payment, PaymentState, Rail, Receipt};
use crate::nostr::relay_list::usable;
use crate::nostr::zap::{self, ReceiptWant, check_receipt};
use crate::store::Change;

/// How long a receipt is waited for.
const RECEIPT: Duration = Duration::from_secs(30);
/// How often relays are asked for it, and how long one may take.
const LOOK: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(3));
/// Relays that a receipt is asked to appear on.
const RECEIPT_RELAYS: usize = 4;

impl Wallet {
    pub(super) async fn plan_lightning(
        &self,
        link: &Link,
        setup: &Setup,
        request: &Zap,
        mut payment: Payment,
        leg: &Leg,
        person: &Person,
    ) -> Result<Order, Error> {
        let target = target(leg, person)?;
        self.candidates(setup, leg.sats, None).await?;
        let asked = self.resolve_lnurl(&target).await?;
        let note = self.zap_note(link, request, &mut payment, leg, person, &asked)?;
        let comment = request.comment.as_deref();
        let wanted =
            Wanted { amount_sats: leg.sats, comment, zap: note.as_ref(), again: Some(&payment.id) };
        let FetchedInvoice { invoice, fetched } = self.fetch_invoice(setup, &asked, wanted).await?;
        payment.payment_hash = Some(invoice.payment_hash.clone());
        payment.fetched = Some(fetched);
        let Offer { mint, quote, .. } =
            self.cheapest(setup, &invoice, leg.sats, None, &payment.agent).await?;
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

    /// The signed request, where the server takes zaps and we know for whom it is. `None`: a plain
    /// payment.
    fn zap_note(
        &self,
        link: &Link,
        request: &Zap,
        payment: &mut Payment,
        leg: &Leg,
        person: &Person,
        asked: &PayRequest,
    ) -> Result<Option<ZapNote>, Error> {
        let Some(of) = payment.zap.as_mut() else { return Ok(None) };
        of.rail = Rail::Lightning;
        let (Some(pubkey), Some(server_key), Some(lnurl)) =
            (leg.whom.pubkey(), &asked.nostr_key, asked.target.lnurl())
        else {
            return Ok(None);
        };
        let anonymous = request.anonymous.unwrap_or(false);
        let relays = if anonymous { relays_of(person, leg) } else { relays_of_both(link, person) };
        if relays.is_empty() {
            // A request must name relays for the receipt (NIP-57). The recipient has none, and ours
            // would tell who pays.
            return Ok(None);
        }
        let identity = self.signer(link, anonymous)?;
        let (msat, comment) =
            (leg.sats.saturating_mul(1000), request.comment.as_deref().unwrap_or(""));
        let signed = zap::request(
            &identity,
            &relays,
            msat,
            &lnurl,
            pubkey,
            leg.event.as_ref(),
            comment,
            anonymous,
            (self.clock)(),
        );
        let signed = signed
            .map_err(|_| Error::new(Code::Internal, "The zap's request could not be made."))?;
        (of.relays, of.request, of.receipt_key) =
            (relays, Some(signed.json().to_owned()), Some(server_key.clone()));
        of.receipt = Receipt::Waiting;
        Ok(Some(ZapNote { json: signed.json().to_owned(), lnurl }))
    }

    /// Waits for the receipt of a zap that is paid, and writes down what came of it.
    pub(super) async fn await_receipt(
        &self,
        link: &Link,
        payment: Payment,
        until: Deadline,
    ) -> Result<Payment, Error> {
        let waits = payment.zap.as_ref().is_some_and(|of| of.receipt == Receipt::Waiting);
        if !waits || !matches!(payment.state, PaymentState::Settled { .. }) {
            return Ok(payment);
        }
        let until = until.sooner(LOOK.1).within(RECEIPT);
        let mut seen = Receipt::Timeout;
        while !until.is_past() {
            seen = self.look_for_receipt(link, &payment).await;
            if seen == Receipt::Found {
                break;
            }
            sleep(LOOK.0.min(until.left())).await;
        }
        self.note_receipt(payment, seen).await
    }

    /// One look on the relays where it shall appear.
    pub(super) async fn look_for_receipt(&self, link: &Link, payment: &Payment) -> Receipt {
        let Some(want) = want(payment) else { return Receipt::None };
        let relays = payment.zap.as_ref().map(|of| of.relays.clone()).unwrap_or_default();
        let filter = json!({"kinds": [zap::RECEIPT], "#p": [want.recipient], "since": payment.created_at.saturating_sub(600)});
        let pages =
            join_all(relays.iter().map(|url| link.parts.strangers.page(url, &filter, LOOK.1)))
                .await;
        let mut seen = Receipt::Timeout;
        for event in pages.into_iter().flat_map(|page| page.events) {
            match check_receipt(&event, &want) {
                Ok(()) => return Receipt::Found,
                // Somebody else's zap is no false one.
                Err(zap::BadReceipt::Request | zap::BadReceipt::Other) => {}
                Err(_) if event.content().is_empty() && names(&event, &want) => {
                    seen = Receipt::Invalid
                }
                Err(_) => {}
            }
        }
        seen
    }

    pub(super) async fn note_receipt(
        &self,
        payment: Payment,
        seen: Receipt,
    ) -> Result<Payment, Error> {
        let mut payment = self.store.payment(&payment.id).await?.unwrap_or(payment);
        if let Some(of) = payment.zap.as_mut()
            && of.receipt != seen
        {
            of.receipt = seen;
            self.store.commit(vec![Change::Payment(payment.clone())]).await?;
        }
        Ok(payment)
    }
}

/// The recipient's relays, as far as any are known: everybody reads them in the receipt, so an
/// anonymous zap names no others.
fn relays_of(person: &Person, leg: &Leg) -> Vec<String> {
    let listed = person.nutzaps.as_ref().map(|info| usable(&info.relays)).unwrap_or_default();
    let mut relays: Vec<String> = Vec::new();
    for url in person
        .reads
        .iter()
        .chain(&listed)
        .chain(&usable(leg.whom.hints()))
        .chain(&person.writes)
        .map(|url| plain_url(url))
    {
        if relays.len() < RECEIPT_RELAYS && !relays.contains(&url) {
            relays.push(url);
        }
    }
    relays
}

/// Half ours, half where the recipient reads.
fn relays_of_both(link: &Link, person: &Person) -> Vec<String> {
    let mut relays: Vec<String> =
        link.parts.urls.iter().map(|url| plain_url(url)).take(RECEIPT_RELAYS / 2).collect();
    let theirs: Vec<String> = person
        .reads
        .iter()
        .filter(|url| !relays.contains(url))
        .take(RECEIPT_RELAYS / 2)
        .cloned()
        .collect();
    relays.extend(theirs);
    relays
}

/// A receipt that holds our request, and is wrong.
fn names(event: &crate::nostr::Event, want: &ReceiptWant) -> bool {
    event.tag_values("description").any(|told| told == want.request_json)
}

fn want(payment: &Payment) -> Option<ReceiptWant> {
    let of = payment.zap.as_ref()?;
    let request_json = of.request.clone()?;
    let request = crate::nostr::Event::read(&request_json).ok()?;
    Some(ReceiptWant {
        request_id: request.id().to_owned(),
        request_json,
        bolt11_payment_hash: payment.payment_hash.clone()?,
        msat: payment.amount_sats.saturating_mul(1000),
        nostr_pubkey: of.receipt_key.clone()?,
        recipient: of.recipient.clone()?,
    })
}

/// The server that takes Lightning for the recipient.
fn target(leg: &Leg, person: &Person) -> Result<Target, Error> {
    let said = match &leg.whom {
        Whom::Address { address } => Some(address.clone()),
        Whom::Key { .. } | Whom::Named { .. } => person
            .profile
            .as_ref()
            .and_then(|profile| profile.lud16.clone().or_else(|| profile.lud06.clone())),
    };
    let named = match &leg.whom {
        Whom::Named { address, .. } => Some(address.clone()),
        _ => None,
    };
    let unknown = || {
        Error::new(Code::RecipientUnknown, "The recipient has published no Lightning address and takes no nutzap from a mint we use.")
            .next("Ask the user for another way to pay this person, such as a Lightning address or an invoice.")
    };
    let text = said.or(named).ok_or_else(unknown)?;
    match Target::of(&Payee::recognise(&text)) {
        Some(Ok(target)) => Ok(target),
        _ => Err(unknown()),
    }
}
