//! What a payment would cost, and whether it would be admitted. Moves nothing.

use super::Wallet;
use super::clock::rfc3339;
use super::deadline::Deadline;
use super::error::Error;
use super::lnurl::takes;
use super::offer::Offer;
use super::pay::silent;
use super::payable::{Payable, amount_missing, amount_sats, check};
use super::request::{Caller, Estimate};
use super::rules::Setup;
use super::view::EstimateView;
use crate::model::invoice::Invoice;
use crate::model::lnurl::Target;
use crate::model::payee::Payee;
use crate::model::payment::PaymentKind;
use crate::model::text;
use crate::policy::Ask;

impl Wallet {
    /// Asks a mint for its fee where it can; else the ceiling is ours. Of an address its server is
    /// asked what it takes, and for no invoice.
    ///
    /// # Errors
    /// `invalid_input` when `to` is nothing that is known; `settings_invalid`, `storage_failed`.
    /// What `pay` would refuse is not an error here but `code`.
    ///
    /// # Cancel safety
    /// Safe to drop.
    pub async fn estimate(
        &self,
        caller: &Caller,
        request: Estimate,
    ) -> Result<EstimateView, Error> {
        let until = self.deadline();
        let setup = self.setup().await?;
        let payee = Payee::recognise(&request.to);
        if matches!(payee, Payee::Unknown | Payee::BrokenBolt11(_)) {
            Payable::read(&request.to)?;
        }
        let mut view = EstimateView {
            kind: payee.kind(),
            money: setup.money.into(),
            amount_sats: request.amount_sats,
            min_sats: None,
            max_sats: None,
            max_fee_sats: None,
            max_total_sats: None,
            mint: None,
            untrusted_payee: None,
            payment_hash: None,
            expires_at: None,
            expired: None,
            untrusted_description: None,
            verdict: "denied",
            code: None,
        };
        match Payable::read(&request.to) {
            Ok(payable) => {
                self.estimate_payable(&setup, caller, &payable, &request, &mut view, until).await
            }
            Err(refusal) => view.code = Some(refusal.code.as_str()),
        }
        Ok(view)
    }

    async fn estimate_payable(
        &self,
        setup: &Setup,
        caller: &Caller,
        payable: &Payable,
        request: &Estimate,
        view: &mut EstimateView,
        until: Deadline,
    ) {
        let now = (self.clock)();
        let judge = async {
            match payable {
                Payable::Invoice(invoice) => {
                    show(invoice, view, now);
                    self.judge_invoice(setup, caller, invoice, request, view, now).await
                }
                Payable::Address { target, .. } => {
                    self.judge_address(setup, caller, target, request, view, now).await
                }
            }
        };
        match until.wait(judge).await.unwrap_or_else(|| Err(silent())) {
            Ok(()) => view.verdict = "allowed",
            Err(refusal) => view.code = Some(refusal.code.as_str()),
        }
        view.max_total_sats =
            view.amount_sats.zip(view.max_fee_sats).map(|(amount, fee)| amount.saturating_add(fee));
    }

    /// Denied is denied without asking the payee's server; what only a quote would tell is taken to
    /// be good.
    async fn judge_address(
        &self,
        setup: &Setup,
        caller: &Caller,
        target: &Target,
        request: &Estimate,
        view: &mut EstimateView,
        now: u64,
    ) -> Result<(), Error> {
        if let Some(amount) = request.amount_sats {
            view.max_fee_sats = Some(setup.policy.max_fee_sats(amount));
            let probe = Some((PaymentKind::Payment, target.url.to_string(), amount));
            let ledger = self.store.ledger(&caller.agent, probe, now).await?;
            setup.policy.precheck(&ask(caller, amount, false), &ledger, now)?;
            let candidates = self.candidates(setup, amount, request.mint.as_deref()).await?;
            view.mint = candidates.first().map(|mint| mint.address().to_string());
        }
        let asked = self.resolve_lnurl(target).await?;
        (view.min_sats, view.max_sats) = (Some(asked.min_sats()), Some(asked.max_sats()));
        view.untrusted_payee =
            Some(text::clean(asked.identifier.as_deref().unwrap_or(target.url.as_str())));
        view.untrusted_description =
            Some(text::clean(&asked.description)).filter(|words| !words.is_empty());
        takes(&asked, request.amount_sats.ok_or_else(amount_missing)?).map(drop)
    }

    async fn judge_invoice(
        &self,
        setup: &Setup,
        caller: &Caller,
        invoice: &Invoice,
        request: &Estimate,
        view: &mut EstimateView,
        now: u64,
    ) -> Result<(), Error> {
        let amount = amount_sats(invoice, request.amount_sats)?;
        view.amount_sats = Some(amount);
        view.max_fee_sats = Some(setup.policy.max_fee_sats(amount));
        check(setup, invoice, now)?;
        let probe = Some((PaymentKind::Payment, invoice.payee.clone(), amount));
        let ledger = self.store.ledger(&caller.agent, probe, now).await?;
        let mut ask = ask(caller, amount, true);
        setup.policy.precheck(&ask, &ledger, now)?;
        let Offer { mint, quote, coins } =
            self.cheapest(setup, invoice, amount, request.mint.as_deref(), &caller.agent).await?;
        view.mint = Some(mint.address().to_string());
        let (held, left_out) = (
            self.spendable_at(mint.address()).await?,
            self.left_out([mint.address()].into_iter()).await?,
        );
        ask.input_fee_sats = coins.as_ref().map_or(0, |coins| coins.fee);
        ask.fee_ceiling_sats = quote.fee_reserve_sats.saturating_add(ask.input_fee_sats);
        view.max_fee_sats = Some(ask.fee_ceiling_sats);
        setup.policy.decide(&ask, &ledger, now)?;
        let need = quote.amount_sats.saturating_add(quote.fee_reserve_sats);
        match coins {
            Some(_) => Ok(()),
            // Of another device's coins the payment would make its own first.
            None if held.saturating_add(left_out)
                > need.max(self.unspent_at(mint.address()).await?) =>
            {
                Ok(())
            }
            None => Err(super::inputs::insufficient(need, held, left_out)),
        }
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

/// What an invoice says of itself.
fn show(invoice: &Invoice, view: &mut EstimateView, now: u64) {
    view.payment_hash = Some(invoice.payment_hash.clone());
    view.untrusted_payee = Some(invoice.payee.clone());
    view.untrusted_description =
        invoice.description.as_deref().map(text::clean).filter(|words| !words.is_empty());
    view.expires_at = rfc3339(invoice.expires_at);
    view.expired = Some(invoice.is_expired(now));
}
