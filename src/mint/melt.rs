//! Melting: coins out, a Lightning invoice paid (NUT-05, NUT-08).
//!
//! Never waits for a pending payment, never repeats a request, never decides from silence.

use std::collections::HashMap;

use cdk::nuts::{MeltOptions, MeltQuoteState, PaymentMethod, State};
use cdk::wallet::{MeltConfirmOptions, MeltOutcome as CdkOutcome};
use cdk_common::MeltQuoteBolt11Response;
use cdk_common::wallet::{
    MeltQuote as CdkQuote, MeltSagaState, OperationData, ProofInfo, TransactionDirection, TransactionStatus, WalletSagaState,
};

use super::Mint;
use super::connector::{Turn, Word};
use super::error::MintError;

/// What paying an invoice would cost at a mint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeltQuote {
    /// The mint's name for it.
    pub id: String,
    /// What the payee gets, in sats.
    pub amount_sats: u64,
    /// The most the route may cost, in sats. What is not needed comes back as change.
    pub fee_reserve_sats: u64,
    /// Unix seconds.
    pub expires_at: u64,
}

/// What became of a melt request.
#[derive(Clone, Debug)]
pub enum MeltOutcome {
    /// The mint says paid.
    Settled {
        /// Fees in all, in sats. `None` when the change has not been taken in yet.
        fee_sats: Option<u64>,
        /// As the mint gave it, not checked.
        preimage: Option<String>,
    },
    /// A definite no, or nothing was sent. The coins are free again.
    Refused(MintError),
    /// Nobody knows yet; the coins stay held.
    Unknown {
        /// The mint has said that it is under way.
        acknowledged: bool,
    },
}

/// The mint's own word on a melt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MeltWord {
    /// Paid.
    Paid,
    /// Under way.
    Pending,
    /// Not paid, as far as it knows.
    Unpaid,
}

impl Mint {
    /// Asks what it would cost to pay `invoice`. One request, moves nothing.
    ///
    /// # Errors
    /// As the mint says; [`MintError::Wrong`] when the quote is not for this invoice's amount.
    pub async fn quote_melt(&self, invoice: &str, amount_msat: Option<u64>) -> Result<MeltQuote, MintError> {
        let options = amount_msat.map(MeltOptions::new_amountless);
        let quote = self.cdk.melt_quote(PaymentMethod::BOLT11, invoice, options, None).await?;
        Ok(MeltQuote {
            id: quote.id,
            amount_sats: quote.amount.to_u64(),
            fee_reserve_sats: quote.fee_reserve.to_u64(),
            expires_at: quote.expiry,
        })
    }

    /// Pays. `inputs` cover amount, fee reserve and input fees; `turn` is given back when the request leaves. The caller
    /// holds a [`MeltPlace`](super::MeltPlace) to the end.
    ///
    /// # Cancel safety
    /// Not cancel safe: run it to its end. A dropped future is a crash, which recovery at the next start mends.
    pub async fn melt(&self, quote_id: &str, inputs: Vec<ProofInfo>, turn: Turn) -> MeltOutcome {
        let quote = match self.cdk.localstore.get_melt_quote(quote_id).await {
            Ok(Some(quote)) => quote,
            Ok(None) => return MeltOutcome::Refused(MintError::NotSent("the quote is not known".to_owned())),
            Err(error) => return MeltOutcome::Refused(MintError::Store(error.to_string())),
        };
        let proofs = inputs.into_iter().map(|input| input.proof).collect();
        let prepared = match self.cdk.prepare_melt_proofs(quote_id, proofs, HashMap::new()).await {
            Ok(prepared) => prepared,
            Err(error) => return MeltOutcome::Refused(MintError::from(error)),
        };
        self.connector.announce(as_unpaid(&quote), turn);
        let told = prepared.confirm_prefer_async_with_options(MeltConfirmOptions::skip_swap()).await;
        let word = self.connector.conclude(quote_id);
        match (word, told) {
            (Some(Word::Paid(preimage)), Ok(CdkOutcome::Paid(done))) => {
                MeltOutcome::Settled { fee_sats: Some(done.fee_paid().to_u64()), preimage }
            }
            (Some(Word::Paid(preimage)), _) => MeltOutcome::Settled { fee_sats: None, preimage },
            (_, Ok(CdkOutcome::Paid(done))) => {
                let preimage = done.payment_proof().map(ToOwned::to_owned);
                MeltOutcome::Settled { fee_sats: Some(done.fee_paid().to_u64()), preimage }
            }
            (Some(Word::No(error)), _) => MeltOutcome::Refused(error),
            (Some(Word::Pending), _) => MeltOutcome::Unknown { acknowledged: true },
            (Some(Word::Lost), _) => MeltOutcome::Unknown { acknowledged: false },
            (None, Err(error)) => MeltOutcome::Refused(MintError::NotSent(error.to_string())),
            (None, Ok(CdkOutcome::Pending(_))) => MeltOutcome::Unknown { acknowledged: false },
        }
    }

    /// The mint's own word on a quote. One request.
    ///
    /// # Errors
    /// As the mint says.
    pub async fn melt_word(&self, quote_id: &str) -> Result<(MeltWord, Option<String>), MintError> {
        let quote = self.connector.raw_melt_quote(quote_id).await?;
        let word = match quote.state {
            MeltQuoteState::Paid => MeltWord::Paid,
            MeltQuoteState::Pending | MeltQuoteState::Unknown => MeltWord::Pending,
            MeltQuoteState::Unpaid | MeltQuoteState::Failed => MeltWord::Unpaid,
        };
        Ok((word, quote.payment_preimage))
    }

    /// The coins that a melt holds. No request.
    ///
    /// # Errors
    /// [`MintError::Store`].
    pub async fn held_by_melt(&self, quote_id: &str) -> Result<Vec<ProofInfo>, MintError> {
        let store = |error: cdk_common::database::Error| MintError::Store(error.to_string());
        let quote = self.cdk.localstore.get_melt_quote(quote_id).await.map_err(store)?;
        let operation = quote.and_then(|quote| quote.used_by_operation);
        let Some(operation) = operation.and_then(|text| uuid::Uuid::parse_str(&text).ok()) else { return Ok(Vec::new()) };
        let held = self.cdk.localstore.get_reserved_proofs(&operation).await.map_err(store)?;
        Ok(held.into_iter().filter(|coin| matches!(coin.state, State::Pending | State::Reserved)).collect())
    }

    /// Ends melts that were prepared and never asked for; with the turn, nobody is about to ask.
    ///
    /// # Errors
    /// [`MintError::Store`]; as the mint says. What is left stays for the next time.
    pub async fn free_unbegun_melts(&self, _turn: &Turn) -> Result<(), MintError> {
        let sagas = self.cdk.localstore.get_incomplete_sagas().await.map_err(|error| MintError::Store(error.to_string()))?;
        for saga in sagas.into_iter().filter(|saga| saga.mint_url == self.cdk.mint_url) {
            if saga.state == WalletSagaState::Melt(MeltSagaState::ProofsReserved)
                && let OperationData::Melt(melt) = &saga.data
            {
                // Frees the coins first; that it then cannot ask the mint about the quote is no matter.
                if let Err(error) = self.cdk.check_melt_quote_status(&melt.quote_id).await {
                    tracing::debug!(error = %MintError::from(error), "a melt that was never asked for");
                }
            }
        }
        Ok(())
    }

    /// Lets cdk end the melts whose doubt has been lifted: change in, inputs spent. Returns what `quote_id` cost in fees, in sats;
    /// `None` when cdk could not end it now. The caller holds the turn.
    ///
    /// # Errors
    /// [`MintError::Store`].
    pub async fn finish_melt(&self, quote_id: &str, _turn: &Turn) -> Result<Option<u64>, MintError> {
        let ended = self.cdk.finalize_pending_melts().await?;
        self.connector.forget_change(quote_id);
        if let Some(this) = ended.iter().find(|melt| melt.quote_id() == quote_id && melt.state() == MeltQuoteState::Paid) {
            return Ok(Some(this.fee_paid().to_u64()));
        }
        let recorded = self.cdk.list_transactions(Some(TransactionDirection::Outgoing)).await?;
        let this = recorded.into_iter().find(|one| one.quote_id.as_deref() == Some(quote_id) && one.status == TransactionStatus::Completed);
        Ok(this.map(|one| one.fee.to_u64()))
    }
}

/// The quote as the mint gave it, for cdk to read when nothing has happened to it.
fn as_unpaid(quote: &CdkQuote) -> MeltQuoteBolt11Response<String> {
    MeltQuoteBolt11Response {
        quote: quote.id.clone(),
        amount: quote.amount,
        fee_reserve: quote.fee_reserve,
        state: MeltQuoteState::Unpaid,
        expiry: quote.expiry,
        payment_preimage: None,
        change: None,
        request: Some(quote.request.clone()),
        unit: Some(quote.unit.clone()),
        method: quote.payment_method.clone(),
    }
}
