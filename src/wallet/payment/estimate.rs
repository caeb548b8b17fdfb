//! Estimates the cost of a payment and whether the policy would admit it. Moves no money.

use crate::model::destination::Destination;
use crate::model::invoice::Invoice;
use crate::model::lnurl::LnurlEndpoint;
use crate::model::mint::{MintAddress, MoneyKind};
use crate::model::money::Sats;
use crate::model::payment::KindName;
use crate::model::text;
use crate::policy::Ask;
use crate::wallet::core::Caller;
use crate::wallet::core::Core;
use crate::wallet::core::active_policy::Setup;
use crate::wallet::core::deadline::Deadline;
use crate::wallet::core::failure::{Cause, Failure, Late};
use crate::wallet::execution::coin_selection::funds;
use crate::wallet::payment::Payments;
use crate::wallet::payment::lnurl::{check, resolve_lnurl, takes};
use crate::wallet::payment::offer::{Offer, candidates, cheapest};
use crate::wallet::payment::pay::invoice_amount_sats;
use crate::wallet::proofs::balances::{left_out, spendable_at, unspent_at};

/// Result of an estimate. Amounts are sats, times Unix seconds; `None` means not known.
#[derive(Debug)]
pub struct Estimated {
    /// The kind of money.
    pub money: MoneyKind,
    /// Amount the payee would receive.
    pub amount_sats: Option<u64>,
    /// Smallest amount the payee's server accepts.
    pub min_sats: Option<u64>,
    /// Largest amount the payee's server accepts.
    pub max_sats: Option<u64>,
    /// Upper bound of all fees.
    pub max_fee_sats: Option<u64>,
    /// The mint that would pay.
    pub mint: Option<MintAddress>,
    /// The payee's key or address as the payee gives it, cleaned.
    pub untrusted_payee: Option<String>,
    /// The invoice's payment hash, lower-case hex.
    pub payment_hash: Option<String>,
    /// Expiry of the invoice.
    pub expires_at: Option<u64>,
    /// `true` if the invoice has expired.
    pub expired: Option<bool>,
    /// The invoice's or the payee's server's description, cleaned.
    pub untrusted_description: Option<String>,
    /// The failure that `pay` would return. `None`: the payment would be admitted.
    pub refusal: Option<Failure>,
}

impl Payments<'_> {
    /// Estimates a payment. The fee comes from a mint's quote, or else is the owner's fee ceiling.
    /// For an address, asks its server for the accepted range but not for an invoice.
    ///
    /// # Errors
    /// [`Cause::Settings`], and those of the store. Reasons for which `pay` would refuse are not
    /// errors: they are in [`Estimated::refusal`].
    ///
    /// # Cancel safety
    /// Safe to drop.
    pub async fn estimate(
        self,
        caller: &Caller,
        destination: &Destination,
        amount: Option<Sats>,
        mint: Option<&MintAddress>,
    ) -> Result<Estimated, Failure> {
        let core = self.0;
        let until: Deadline = core.deadline();
        let setup = core.setup().await?;
        let mut estimated = Estimated {
            money: setup.money,
            amount_sats: amount.map(Sats::get),
            min_sats: None,
            max_sats: None,
            max_fee_sats: None,
            mint: None,
            untrusted_payee: None,
            payment_hash: None,
            expires_at: None,
            expired: None,
            untrusted_description: None,
            refusal: None,
        };
        let judge = async {
            match destination {
                Destination::Invoice(invoice) => {
                    judge_invoice(core, &setup, caller, invoice, amount, mint, &mut estimated).await
                }
                Destination::Address { target, .. } => {
                    judge_address(core, &setup, caller, target, amount, mint, &mut estimated).await
                }
            }
        };
        let judged = until.wait(judge).await;
        estimated.refusal = judged.unwrap_or_else(|| Err(Cause::Late(Late::Mint).into())).err();
        Ok(estimated)
    }
}

/// Judges a payment to an address. A payment that the policy denies is refused before the payee's
/// server is asked. No mint quotes are requested, so limits that depend on them are not checked.
async fn judge_address(
    core: &Core,
    setup: &Setup,
    caller: &Caller,
    target: &LnurlEndpoint,
    amount: Option<Sats>,
    mint: Option<&MintAddress>,
    estimated: &mut Estimated,
) -> Result<(), Failure> {
    if let Some(amount) = amount.map(Sats::get) {
        let now = (core.clock)();
        estimated.max_fee_sats = Some(setup.policy.max_fee_sats(amount));
        let probe = Some((KindName::Payment, target.url.to_string(), amount));
        let ledger = core.store.ledger(&caller.agent, probe, now).await?;
        setup.policy.precheck(&ask(caller, amount, false), &ledger, now)?;
        let candidates = candidates(core, setup, amount, mint).await?;
        estimated.mint = candidates.first().map(|mint| mint.address().clone());
    }
    let asked = resolve_lnurl(core, target).await?;
    (estimated.min_sats, estimated.max_sats) = (Some(asked.min_sats()), Some(asked.max_sats()));
    estimated.untrusted_payee =
        Some(text::clean(asked.identifier.as_deref().unwrap_or(target.url.as_str())));
    estimated.untrusted_description =
        Some(text::clean(&asked.description)).filter(|words| !words.is_empty());
    let amount = amount.ok_or(Cause::AmountMissing { invoice: false })?;
    takes(&asked, amount.get()).map(drop)
}

async fn judge_invoice(
    core: &Core,
    setup: &Setup,
    caller: &Caller,
    invoice: &Invoice,
    amount: Option<Sats>,
    mint: Option<&MintAddress>,
    estimated: &mut Estimated,
) -> Result<(), Failure> {
    let now = (core.clock)();
    read_invoice(invoice, estimated, now);
    let amount = invoice_amount_sats(invoice, amount)?;
    estimated.amount_sats = Some(amount);
    estimated.max_fee_sats = Some(setup.policy.max_fee_sats(amount));
    check(setup, invoice, now)?;
    let probe = Some((KindName::Payment, invoice.payee.clone(), amount));
    let ledger = core.store.ledger(&caller.agent, probe, now).await?;
    let mut ask = ask(caller, amount, true);
    setup.policy.precheck(&ask, &ledger, now)?;
    let Offer { mint, quote, coins } =
        cheapest(core, setup, invoice, amount, mint, &caller.agent).await?;
    let mint = mint.address();
    estimated.mint = Some(mint.clone());
    let held = spendable_at(core, mint).await?;
    let left_out = left_out(core, [mint].into_iter()).await?;
    ask.input_fee_sats = coins.as_ref().map_or(0, |coins| coins.fee);
    ask.fee_ceiling_sats = quote.fee_reserve_sats.saturating_add(ask.input_fee_sats);
    estimated.max_fee_sats = Some(ask.fee_ceiling_sats);
    setup.policy.decide(&ask, &ledger, now)?;
    let need = quote.amount_sats.saturating_add(quote.fee_reserve_sats);
    match coins {
        Some(_) => Ok(()),
        // The payment would first adopt proofs of other devices.
        None if held.saturating_add(left_out) > need.max(unspent_at(core, mint).await?) => Ok(()),
        None => Err(funds(need, held, left_out)),
    }
}

fn ask(caller: &Caller, amount_sats: u64, invoice: bool) -> Ask<'_> {
    Ask {
        agent: &caller.agent,
        amount_sats,
        fee_ceiling_sats: 0,
        input_fee_sats: 0,
        caller_max_fee_sats: None,
        repeat_of: None,
        invoice,
    }
}

/// Copies the fields of an invoice into the estimate.
fn read_invoice(invoice: &Invoice, estimated: &mut Estimated, now: u64) {
    estimated.payment_hash = Some(invoice.payment_hash.clone());
    estimated.untrusted_payee = Some(invoice.payee.clone());
    estimated.untrusted_description =
        invoice.description.as_deref().map(text::clean).filter(|words| !words.is_empty());
    estimated.expires_at = Some(invoice.expires_at);
    estimated.expired = Some(invoice.is_expired(now));
}
