//! Paying a Lightning invoice (BOLT11, NUT-05), and an address whose server makes one (LUD-06,
//! LUD-16).
//!
//! An address is asked for its invoice only after everything that needs no answer was judged; the
//! invoice then goes the same way.

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

/// What is to be paid.
#[derive(Clone, Debug)]
pub struct PaymentIntent {
    /// To whom.
    pub destination: Destination,
    /// How much. `None`: the invoice says it.
    pub amount: Option<Sats>,
    /// From where. `None`: the cheapest mint that can.
    pub mint: Option<MintAddress>,
    /// The most that all fees together may be, in sats; the owner's ceiling holds as well.
    pub max_fee_sats: Option<u64>,
    /// A note for the history, which an address that takes comments gets as well.
    pub comment: Option<String>,
    /// The caller's idempotency key.
    pub key: Option<String>,
    /// The payment that is repeated on purpose.
    pub repeat_of: Option<PaymentId>,
}

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

impl Payments<'_> {
    /// Pays an invoice or an address, once, however often it is asked. At most 45 s; what is
    /// undecided then is answered `pending`.
    ///
    /// # Errors
    /// Nothing moved: what is asked for cannot be paid ([`Cause::AmountMissing`] to
    /// [`Cause::PaidElsewhere`], [`Cause::Payee`], [`Cause::Text`]), the owner does not allow it
    /// ([`Cause::Denied`], [`Cause::NotTrusted`], [`Cause::NoMint`], [`Cause::Settings`]), too
    /// little is held ([`Cause::Funds`]), the key was used ([`Cause::Conflict`]), no mint does it
    /// ([`Cause::Mint`], [`Cause::Late`]). [`Cause::Store`]: unknown.
    ///
    /// # Cancel safety
    /// Safe to drop: the payment goes on to its end.
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
            // The same call again: its first try may not have come as far as a record.
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

/// Step 3: what it would cost at each mint that could, and the cheapest of them.
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

/// The payee's server is asked only if some mint could pay.
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

/// Why it was not paid is gone by now: the keyset that we asked change in went out of use, and the
/// mint's keysets are known anew; or another device had the coins, and they are known to be spent.
fn is_gone_by_now(failure: &Failure) -> bool {
    matches!(
        failure.cause,
        Cause::Mint(
            MintError::SpentElsewhere | MintError::Refused { code: nut::KEYSET_INACTIVE, .. }
        )
    )
}

/// What the payee gets, in whole sats; a part of a sat is rounded up.
fn amount_sats(destination: &Destination, given: Option<Sats>) -> Result<u64, Failure> {
    let amount = match destination {
        Destination::Invoice(invoice) => return invoice_amount_sats(invoice, given),
        Destination::Address { .. } => given.ok_or(Cause::AmountMissing { invoice: false })?,
    };
    Ok(amount.get())
}

/// What an invoice's payee gets, in whole sats.
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

/// The caller's own comment, else what the payee says that it is for.
fn note(intent: &PaymentIntent, description: Option<&str>) -> Option<String> {
    let words = intent.comment.as_deref().or(description)?;
    Some(text::clean_to(words, text::MAX_OUTGOING)).filter(|words| !words.is_empty())
}
