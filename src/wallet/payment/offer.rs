//! Asks mints for melt quotes (NUT-05, NUT-23) and chooses the cheapest. Moves no money.

use std::sync::Arc;

use futures::future::join_all;

use crate::mint::Mint;
use crate::mint::error::{MintError, nut};
use crate::mint::melt::MeltQuote;
use crate::model::invoice::Invoice;
use crate::model::mint::MintAddress;
use crate::store::Selection;
use crate::wallet::core::Core;
use crate::wallet::core::active_policy::Setup;
use crate::wallet::core::failure::{Cause, Failure, WrongQuote};
use crate::wallet::execution::coin_selection::{funds, tolerated_sats};
use crate::wallet::execution::exact::coins_for_melt;
use crate::wallet::proofs::balances::{held_at, left_out};

/// A mint's melt quote for an invoice.
#[derive(Debug)]
pub(crate) struct Offer {
    pub(crate) mint: Arc<Mint>,
    pub(crate) quote: MeltQuote,
    /// The proofs that would be spent. `None`: the unspent proofs at this mint do not suffice now.
    pub(crate) coins: Option<Selection>,
}

impl Offer {
    /// Sort key: offers payable now first, then by maximum cost in sats.
    fn rank(&self) -> (bool, u64) {
        let fee_sats = self.coins.as_ref().map_or(0, |coins| coins.fee);
        (
            self.coins.is_none(),
            self.quote
                .amount_sats
                .saturating_add(self.quote.fee_reserve_sats)
                .saturating_add(fee_sats),
        )
    }
}

/// Quotes an invoice at all mints with enough money, one request each, and returns the cheapest by
/// amount, fee reserve and input fee. Skips mints whose info (NUT-06) excludes amountless invoices.
pub(crate) async fn cheapest(
    core: &Core,
    setup: &Setup,
    invoice: &Invoice,
    amount_sats: u64,
    named: Option<&MintAddress>,
    agent: &str,
) -> Result<Offer, Failure> {
    let mut candidates = candidates(core, setup, amount_sats, named).await?;
    let amount_msat =
        if invoice.amount_msat.is_none() { Some(amount_sats.saturating_mul(1000)) } else { None };
    if amount_msat.is_some() {
        candidates = paying_any_amount(candidates).await?;
    }
    let asked = candidates.into_iter().map(|mint| async move {
        let quote = mint.quote_melt(&invoice.text, amount_msat).await;
        (mint, quote)
    });
    let (mut offers, mut worst): (Vec<Offer>, Option<Failure>) = (Vec::new(), None);
    for (mint, quote) in join_all(asked).await {
        let refusal = match quote {
            Ok(quote) if is_for(&quote, invoice, amount_sats) => {
                match offer(core, Arc::clone(&mint), quote, tolerated_sats(setup, agent)).await {
                    Ok(offer) => {
                        offers.push(offer);
                        continue;
                    }
                    Err(error) => error.at(mint.address()),
                }
            }
            Ok(_) => Cause::Quote(WrongQuote::MeltAmount).into(),
            Err(error) if amount_msat.is_some() => of_amountless(error).at(mint.address()),
            Err(error) => Failure::from(error).at(mint.address()),
        };
        // Report "no amountless invoices" only if no mint gave another reason.
        if worst.is_none() || !takes_no_amountless(&refusal) {
            worst = Some(refusal);
        }
    }
    let none = || worst.unwrap_or_else(|| Cause::NoMintPays.into());
    offers.into_iter().min_by_key(Offer::rank).ok_or_else(none)
}

async fn offer(
    core: &Core,
    mint: Arc<Mint>,
    quote: MeltQuote,
    fee_at_most: u64,
) -> Result<Offer, Failure> {
    let coins = coins_for_melt(
        core,
        &mint,
        quote.amount_sats.saturating_add(quote.fee_reserve_sats),
        fee_at_most,
    )
    .await?;
    Ok(Offer { mint, quote, coins })
}

/// Returns the mints to ask: the named one, or all listed ones; in both cases only those that hold
/// the amount, counting proofs of open payments.
pub(crate) async fn candidates(
    core: &Core,
    setup: &Setup,
    amount_sats: u64,
    named: Option<&MintAddress>,
) -> Result<Vec<Arc<Mint>>, Failure> {
    let listed: Vec<_> = match named {
        Some(address) => vec![setup.usable(address)?.clone()],
        None => setup.mints().cloned().collect(),
    };
    if listed.is_empty() {
        return Err(Cause::NoMint.into());
    }
    let (mut candidates, mut most) = (Vec::new(), 0);
    for mint in &listed {
        let held = held_at(core, &mint.address).await?;
        most = most.max(held);
        if held >= amount_sats {
            candidates.push(core.mints.at(&mint.address)?);
        }
    }
    if candidates.is_empty() {
        return Err(funds(
            amount_sats,
            most,
            left_out(core, listed.iter().map(|mint| &mint.address)).await?,
        ));
    }
    Ok(candidates)
}

/// Removes the mints whose info says that they pay no invoice without an amount.
async fn paying_any_amount(mints: Vec<Arc<Mint>>) -> Result<Vec<Arc<Mint>>, Failure> {
    let mut able = Vec::new();
    for mint in mints {
        if mint.info().await?.and_then(|about| about.pay).and_then(|pay| pay.amountless)
            != Some(false)
        {
            able.push(mint);
        }
    }
    if able.is_empty() { Err(Cause::Amountless(String::new()).into()) } else { Ok(able) }
}

/// Maps a mint's refusal to quote an amountless invoice: an error without a listed NUT code means
/// that it does not support them.
fn of_amountless(error: MintError) -> Failure {
    match error {
        MintError::Unexplained { status: 400 | 422, reason } => {
            Cause::Amountless(reason.unwrap_or_default()).into()
        }
        error => error.into(),
    }
}

/// Returns whether the mint pays no invoice without an amount.
fn takes_no_amountless(failure: &Failure) -> bool {
    matches!(failure.cause, Cause::Amountless(_)) || failure.nut_code() == Some(nut::AMOUNTLESS)
}

/// Returns whether the quote is for the invoice's amount. Mints round to whole sats in either
/// direction.
fn is_for(quote: &MeltQuote, invoice: &Invoice, amount_sats: u64) -> bool {
    let rounded_down = invoice
        .amount_msat
        .is_some_and(|msat| msat % 1000 != 0 && msat / 1000 == quote.amount_sats);
    quote.amount_sats == amount_sats || rounded_down
}
