//! Pays a Lightning invoice (BOLT11, NUT-05), or an address through its server (LUD-06, LUD-16).
//!
//! An address's server is asked for an invoice only after every check that needs no answer has
//! passed. From there both take the same path.

use crate::mint::error::{MintError, nut};
use crate::model::destination::Destination;
use crate::model::id::PaymentId;
use crate::model::invoice::Invoice;
use crate::model::lnurl::{LnurlEndpoint, PayRequest};
use crate::model::mint::MintAddress;
use crate::model::money::Sats;
use crate::model::payment::{KindName, Melted, PaymentKind};
use crate::model::text;
use crate::wallet::core::Caller;
use crate::wallet::core::Core;
use crate::wallet::core::active_policy::{Setup, first_mint};
use crate::wallet::core::deadline::Deadline;
use crate::wallet::core::digest::digest;
use crate::wallet::core::failure::{Cause, Failure, Late};
use crate::wallet::core::lock::Name;
use crate::wallet::core::outgoing_text::outgoing;
use crate::wallet::door::admit::spend;
use crate::wallet::door::known::{KnownRequest, known_by_key};
use crate::wallet::door::record::{PaymentRecord, Replay, describe};
use crate::wallet::execution::judge::deny;
use crate::wallet::execution::planned::{Draft, Execution, Planned};
use crate::wallet::payment::Payments;
use crate::wallet::payment::lnurl::{FetchedInvoice, Wanted, check, fetch_invoice, resolve_lnurl};
use crate::wallet::payment::offer::{Offer, candidates, cheapest};

/// Parameters of a payment.
#[derive(Clone, Debug)]
pub struct PaymentIntent {
    /// The payee.
    pub destination: Destination,
    /// The amount. `None`: the invoice's amount.
    pub amount: Option<Sats>,
    /// The mint to pay from. `None`: the cheapest that can pay.
    pub mint: Option<MintAddress>,
    /// Limit for all fees together, in sats; the owner's ceiling also applies.
    pub max_fee_sats: Option<u64>,
    /// Note for the history, also sent to an address that accepts comments.
    pub comment: Option<String>,
    /// The caller's idempotency key.
    pub key: Option<String>,
    /// The payment that is deliberately repeated.
    pub repeat_of: Option<PaymentId>,
}

/// Maximum number of retries within one call, each after a failure whose cause is already fixed and
/// in which no money moved.
const ONCE_MORE: usize = 2;

/// An invoice fetched for this call; a retry within the call reuses it.
#[derive(Debug)]
struct Kept {
    id: PaymentId,
    invoice: FetchedInvoice,
    words: String,
}

impl Payments<'_> {
    /// Pays an invoice or an address, once per invoice or idempotency key. Takes at most 45 s; a
    /// payment still undecided then is returned as `pending`.
    ///
    /// # Errors
    /// Nothing moved: the request cannot be paid ([`Cause::AmountMissing`] to
    /// [`Cause::PaidElsewhere`], [`Cause::Payee`], [`Cause::Text`]), the owner does not allow it
    /// ([`Cause::Denied`], [`Cause::NotTrusted`], [`Cause::NoMint`], [`Cause::Settings`]), the
    /// balance is too low ([`Cause::Funds`]), the key belongs to another request
    /// ([`Cause::Conflict`]), or no mint can pay ([`Cause::Mint`], [`Cause::Late`]). After
    /// [`Cause::Store`] the outcome is unknown.
    ///
    /// # Cancel safety
    /// Safe to drop: an admitted payment continues in the background.
    pub async fn pay(
        self,
        caller: &Caller,
        intent: PaymentIntent,
    ) -> Result<PaymentRecord, Failure> {
        let core = self.0;
        let (until, mut kept) = (core.deadline(), None);
        let hash = intent.destination.invoice().map(|invoice| Name::Hash(&invoice.payment_hash));
        let _announced =
            core.locks.announce(&caller.agent, &[hash, intent.key.as_deref().map(Name::Key)]);
        let mut outcome = pay_once(core, caller, &intent, until, &mut kept).await;
        for _ in 0..ONCE_MORE {
            match outcome {
                Err(failure) if is_gone_by_now(&failure) => {
                    outcome = pay_once(core, caller, &intent, until, &mut kept).await;
                }
                ended => return ended,
            }
        }
        outcome
    }
}

async fn pay_once(
    core: &Core,
    caller: &Caller,
    intent: &PaymentIntent,
    until: Deadline,
    kept: &mut Option<Kept>,
) -> Result<PaymentRecord, Failure> {
    let (setup, destination) = (core.setup().await?, &intent.destination);
    let amount = amount_sats(destination, intent.amount)?;
    let digest = digest(&["pay", destination.name(), &amount.to_string()]);
    let hash = destination.invoice().map(|invoice| invoice.payment_hash.clone());
    let gate = hash.as_ref().unwrap_or(&digest);
    let pass = until.wait(core.locks.pass(gate)).await.ok_or(Cause::Late(Late::Planned))?;
    let mut known = known_by_key(core, caller, intent.key.as_deref(), &digest).await?;
    let same = match (&hash, &*kept) {
        (Some(hash), _) => core.store.payment_by_hash(hash).await?,
        (None, Some(kept)) => core.store.payment(&kept.id).await?,
        (None, None) => None,
    };
    if let Some(payment) = same {
        known = KnownRequest::from(payment);
    }
    if let KnownRequest::Recorded(payment) = known {
        return describe(core, &setup, caller, *payment, Replay::Yes).await;
    }
    let now = (core.clock)();
    if let Some(invoice) = destination.invoice() {
        check(&setup, invoice, now)?;
    }
    if let Some(hash) = hash.as_deref().filter(|_| core.nostr.is_some())
        && core.store.paid_elsewhere(hash).await?
    {
        return Err(Cause::PaidElsewhere.into());
    }
    outgoing("comment", intent.comment.as_deref())?;
    match &intent.mint {
        Some(mint) => setup.usable(mint)?,
        None => first_mint(&setup)?,
    };
    let draft = Draft::new(&setup, &caller.agent, KindName::Payment, amount, known.earlier(), now);
    let draft = Draft {
        id: match (known.earlier(), &*kept) {
            // A retry within this call keeps the id; the first try may not have written a record.
            (None, Some(kept)) => kept.id.clone(),
            _ => draft.id,
        },
        key: intent.key.clone(),
        request_digest: digest,
        payee: destination.payee().to_owned(),
        shown_payee: destination.shown(),
        note: note(
            intent,
            destination.invoice().and_then(|invoice| invoice.description.as_deref()),
        ),
        note_is_untrusted: intent.comment.is_none(),
        repeat_of: intent.repeat_of.clone(),
        ..draft
    };
    deny(core, &setup, &draft).await?;
    let planned = until.wait(plan(core, &setup, draft, intent, kept)).await;
    let mut planned = planned.unwrap_or_else(|| Err(Cause::Late(Late::Mint).into()))?;
    planned.pass = Some(pass);
    let id = planned.draft.id.clone();
    let payment = spend(core, planned, until).await?;
    let replay = if payment.id == id { Replay::No } else { Replay::Yes };
    describe(core, &setup, caller, payment, replay).await
}

/// Step 3: asks the mints for quotes and plans the payment at the cheapest.
async fn plan(
    core: &Core,
    setup: &Setup,
    mut draft: Draft,
    intent: &PaymentIntent,
    kept: &mut Option<Kept>,
) -> Result<Planned, Failure> {
    let (invoice, fetched): (&Invoice, _) = match &intent.destination {
        Destination::Invoice(invoice) => (invoice, None),
        Destination::Address { target, .. } => {
            let fresh = match kept.take() {
                Some(kept) => kept,
                None => ask_for_invoice(core, setup, &draft, target, intent).await?,
            };
            let Kept { invoice: FetchedInvoice { invoice, fetched }, words, .. } =
                kept.insert(fresh);
            draft.note = note(intent, invoice.description.as_deref().or(Some(words)));
            (invoice, Some(*fetched))
        }
    };
    let named = intent.mint.as_ref();
    let Offer { mint, quote, .. } =
        cheapest(core, setup, invoice, draft.amount_sats, named, &draft.agent).await?;
    draft.amount_sats = quote.amount_sats.max(1);
    let kind = PaymentKind::Lightning(Melted {
        payment_hash: invoice.payment_hash.clone(),
        quote_id: quote.id.clone(),
        fetched,
    });
    Ok(Planned {
        draft,
        kind,
        mint,
        execution: Execution::Melt(quote),
        max_fee_sats: intent.max_fee_sats,
        pass: None,
    })
}

/// Fetches an invoice from the payee's server, if some mint holds enough to pay it.
async fn ask_for_invoice(
    core: &Core,
    setup: &Setup,
    draft: &Draft,
    target: &LnurlEndpoint,
    intent: &PaymentIntent,
) -> Result<Kept, Failure> {
    let amount_sats = draft.amount_sats;
    candidates(core, setup, amount_sats, intent.mint.as_ref()).await?;
    let asked: PayRequest = resolve_lnurl(core, target).await?;
    let wanted = Wanted {
        amount_sats,
        comment: intent.comment.as_deref(),
        zap: None,
        again: Some(&draft.id),
    };
    let invoice = fetch_invoice(core, setup, &asked, wanted).await?;
    Ok(Kept { id: draft.id.clone(), invoice, words: asked.description })
}

/// Returns whether the cause of the failure is already fixed: the change outputs used an inactive
/// keyset and the keysets have been refreshed, or another device spent the proofs and they are now
/// recorded as spent.
fn is_gone_by_now(failure: &Failure) -> bool {
    matches!(
        failure.cause,
        Cause::Mint(
            MintError::SpentElsewhere | MintError::Refused { code: nut::KEYSET_INACTIVE, .. }
        )
    )
}

/// Returns the amount for the payee in whole sats; a fraction of a sat is rounded up.
fn amount_sats(destination: &Destination, given: Option<Sats>) -> Result<u64, Failure> {
    let amount = match destination {
        Destination::Invoice(invoice) => return invoice_amount_sats(invoice, given),
        Destination::Address { .. } => given.ok_or(Cause::AmountMissing { invoice: false })?,
    };
    Ok(amount.get())
}

/// Returns an invoice's amount in whole sats; a given amount must match it.
pub(crate) fn invoice_amount_sats(invoice: &Invoice, given: Option<Sats>) -> Result<u64, Failure> {
    match (invoice.amount_sats(), given.map(Sats::get)) {
        (Some(named), Some(given)) if named != given => {
            Err(Cause::AmountMismatch { invoice_sats: named, asked_sats: given }.into())
        }
        (Some(named), _) => Ok(named),
        (None, Some(given)) => Ok(given),
        (None, None) => Err(Cause::AmountMissing { invoice: true }.into()),
    }
}

/// Returns the caller's comment, or else the payee's description, cleaned and cut to length.
fn note(intent: &PaymentIntent, description: Option<&str>) -> Option<String> {
    let words = intent.comment.as_deref().or(description)?;
    Some(text::clean_to(words, text::MAX_OUTGOING)).filter(|words| !words.is_empty())
}
