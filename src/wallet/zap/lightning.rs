//! Zaps over Lightning (NIP-57): the payee's server makes an invoice for a zap request and
//! publishes a receipt once it is paid.
//!
//! A receipt never decides whether a zap is paid; the mint's answer and the preimage do. The
//! receipt is waited for, checked and reported.

use futures::future::join_all;
use serde_json::json;
use tokio::time::{Duration, sleep};

use crate::model::lnurl::{LnurlEndpoint, PayRequest, ZapNote};
use crate::model::payee::Payee;
use crate::model::payment::{
    Melted, Payment, PaymentKind, PaymentState, Rail, Receipt, Zap, ZapRequest,
};
use crate::nostr::relay_list::usable;
use crate::nostr::zap::{self, ExpectedReceipt, check_receipt};
use crate::store::Change;
use crate::wallet::core::Core;
use crate::wallet::core::active_policy::Setup;
use crate::wallet::core::deadline::Deadline;
use crate::wallet::core::failure::{Cause, Failure, Mistake, ZapRefusal};
use crate::wallet::core::relays::{Link, plain_url};
use crate::wallet::execution::planned::{Draft, Execution, Planned};
use crate::wallet::nutzaps::outgoing::signer;
use crate::wallet::payment::lnurl::{FetchedInvoice, Wanted, fetch_invoice, resolve_lnurl};
use crate::wallet::payment::offer::{Offer, candidates, cheapest};
use crate::wallet::people::find::Person;
use crate::wallet::zap::recipient::Whom;
use crate::wallet::zap::{Leg, ZapIntent};

/// Maximum wait for a receipt.
const RECEIPT: Duration = Duration::from_secs(30);
/// Interval between two looks at the relays, and time limit for one relay.
const LOOK: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(3));
/// Maximum number of relays named for the receipt.
const RECEIPT_RELAYS: usize = 4;

/// A signed zap request and the relays named in it for the receipt.
struct SignedZapRequest {
    note: ZapNote,
    receipt_key: String,
    relays: Vec<String>,
}

pub(super) async fn plan_lightning(
    core: &Core,
    link: &Link,
    setup: &Setup,
    intent: &ZapIntent,
    draft: Draft,
    leg: &Leg,
    person: &Person,
) -> Result<Planned, Failure> {
    let target = target(leg, person)?;
    candidates(core, setup, leg.sats, None).await?;
    let server = resolve_lnurl(core, &target).await?;
    let asked = zap_request(core, link, intent, leg, person, &server)?;
    let wanted = Wanted {
        amount_sats: leg.sats,
        comment: intent.comment.as_deref(),
        zap: asked.as_ref().map(|asked| &asked.note),
        again: Some(&draft.id),
    };
    let FetchedInvoice { invoice, fetched } = fetch_invoice(core, setup, &server, wanted).await?;
    let Offer { mint, quote, .. } =
        cheapest(core, setup, &invoice, leg.sats, None, &draft.agent).await?;
    let receipt = if asked.is_some() { Receipt::Waiting } else { Receipt::None };
    let (relays, request) = asked
        .map(|asked| {
            let SignedZapRequest { note, receipt_key, relays } = asked;
            (relays, ZapRequest { json: note.json, receipt_key })
        })
        .unzip();
    let melted = Melted {
        payment_hash: invoice.payment_hash.clone(),
        quote_id: quote.id.clone(),
        fetched: Some(fetched),
    };
    let kind = PaymentKind::Zap(Box::new(Zap {
        relays: relays.unwrap_or_default(),
        ..leg.zap(intent, Rail::Lightning { melted, request, receipt })
    }));
    Ok(Planned {
        draft,
        kind,
        mint,
        execution: Execution::Melt(quote),
        max_fee_sats: intent.max_fee_sats,
        pass: None,
    })
}

/// Signs a zap request. `None`: the server takes no zaps, the recipient's key is not known, or no
/// relay may be named; a plain payment is made instead.
fn zap_request(
    core: &Core,
    link: &Link,
    intent: &ZapIntent,
    leg: &Leg,
    person: &Person,
    server: &PayRequest,
) -> Result<Option<SignedZapRequest>, Failure> {
    let (Some(pubkey), Some(receipt_key), Some(lnurl)) =
        (leg.whom.pubkey(), &server.nostr_key, server.target.lnurl())
    else {
        return Ok(None);
    };
    let relays =
        if intent.anonymous { relays_of(person, leg) } else { relays_of_both(link, person) };
    if relays.is_empty() {
        // A zap request must name relays for the receipt (NIP-57). The recipient has none, and
        // naming ours would reveal the payer.
        return Ok(None);
    }
    let signed = zap::request(
        &signer(link, intent.anonymous)?,
        &relays,
        leg.sats.saturating_mul(1000),
        &lnurl,
        pubkey,
        leg.event.as_ref(),
        intent.comment.as_deref().unwrap_or(""),
        intent.anonymous,
        (core.clock)(),
    );
    let signed = signed.map_err(|_| Cause::Internal(Mistake::ZapRequest))?;
    let note = ZapNote { json: signed.json().to_owned(), lnurl };
    Ok(Some(SignedZapRequest { note, receipt_key: receipt_key.clone(), relays }))
}

/// Waits for the receipt of a paid zap and records the result.
pub(super) async fn await_receipt(
    core: &Core,
    link: &Link,
    payment: Payment,
    until: Deadline,
) -> Result<Payment, Failure> {
    let waits = payment.zap().is_some_and(|zap| zap.receipt() == Receipt::Waiting);
    if !waits || !matches!(payment.state, PaymentState::Settled { .. }) {
        return Ok(payment);
    }
    let until = until.sooner(LOOK.1).within(RECEIPT);
    let mut seen = Receipt::Timeout;
    while !until.is_past() {
        seen = look_for_receipt(link, &payment).await;
        if seen == Receipt::Found {
            break;
        }
        sleep(LOOK.0.min(until.left())).await;
    }
    note_receipt(core, payment, seen).await
}

/// Looks for the receipt once, on all relays named for it.
async fn look_for_receipt(link: &Link, payment: &Payment) -> Receipt {
    let Some(want) = want(payment) else { return Receipt::None };
    let relays = payment.zap().map(|zap| zap.relays.clone()).unwrap_or_default();
    let filter = json!({"kinds": [zap::RECEIPT], "#p": [want.recipient], "since": payment.created_at.saturating_sub(600)});
    let pages =
        join_all(relays.iter().map(|url| link.parts.anonymous_relays.page(url, &filter, LOOK.1)))
            .await;
    let mut seen = Receipt::Timeout;
    for event in pages.into_iter().flat_map(|page| page.events) {
        match check_receipt(&event, &want) {
            Ok(()) => return Receipt::Found,
            // The receipt of someone else's zap is not a false receipt.
            Err(zap::BadReceipt::Request | zap::BadReceipt::Other) => {}
            Err(_) if event.content().is_empty() && names(&event, &want) => seen = Receipt::Invalid,
            Err(_) => {}
        }
    }
    seen
}

async fn note_receipt(core: &Core, payment: Payment, seen: Receipt) -> Result<Payment, Failure> {
    let mut payment = core.store.payment(&payment.id).await?.unwrap_or(payment);
    if let Some(Zap { rail: Rail::Lightning { receipt, .. }, .. }) = payment.zap_mut()
        && *receipt != seen
    {
        *receipt = seen;
        core.store.commit(vec![Change::Payment(payment.clone())]).await?;
    }
    Ok(payment)
}

/// Returns relays of the recipient only: receipts are public, so an anonymous zap must not name
/// ours.
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

/// Returns relays of ours and read relays of the recipient, half each.
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

/// Returns whether the receipt contains our zap request.
fn names(event: &crate::nostr::Event, want: &ExpectedReceipt) -> bool {
    event.tag_values("description").any(|told| told == want.request_json)
}

fn want(payment: &Payment) -> Option<ExpectedReceipt> {
    let zap = payment.zap()?;
    let Rail::Lightning { melted, request: Some(sent), .. } = &zap.rail else { return None };
    let request = crate::nostr::Event::read(&sent.json).ok()?;
    Some(ExpectedReceipt {
        request_id: request.id().to_owned(),
        request_json: sent.json.clone(),
        bolt11_payment_hash: melted.payment_hash.clone(),
        msat: payment.amount_sats.saturating_mul(1000),
        nostr_pubkey: sent.receipt_key.clone(),
        recipient: zap.recipient.clone()?,
    })
}

/// Returns the Lightning address or LNURL of the recipient.
fn target(leg: &Leg, person: &Person) -> Result<LnurlEndpoint, Failure> {
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
    let unknown = || Failure::new(Cause::Zap(ZapRefusal::NoWay));
    let text = said.or(named).ok_or_else(unknown)?;
    match LnurlEndpoint::of(&Payee::recognise(&text)) {
        Some(Ok(target)) => Ok(target),
        _ => Err(unknown()),
    }
}
