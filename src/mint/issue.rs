//! Minting: a Lightning payment in, coins out (NUT-04, NUT-20, NUT-23).
//!
//! Never trusts a notification: the quote's state as the mint answers it decides.

use cdk::amount::{Amount, SplitTarget};
use cdk::nuts::nut00::ProofsMethods;
use cdk::nuts::{Id, MintQuoteState, PaymentMethod, RestoreRequest};
use cdk::wallet::MintConnector;
use cdk_common::wallet::{OperationData, TransactionDirection, TransactionStatus};
use uuid::Uuid;

use super::Mint;
use super::connector::Turn;
use super::error::MintError;

/// An invoice that fills the wallet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssueQuote {
    /// The mint's name for it.
    pub id: String,
    /// The invoice.
    pub bolt11: String,
    /// Unix seconds; 0 when the mint does not say.
    pub expires_at: u64,
}

/// Where an invoice of ours stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IssueState {
    /// Not paid.
    Unpaid,
    /// Paid; the coins can be had.
    Paid,
    /// The coins were made and are here, this many sats.
    Issued(u64),
    /// The mint says that the coins were made, and they are not here: it is wrong, or somebody else has them.
    Disputed,
}

impl Mint {
    /// Asks for an invoice over `amount_sats`. One request. A mint that takes no description gets none.
    ///
    /// # Errors
    /// As the mint says.
    pub async fn quote_deposit(&self, amount_sats: u64, description: Option<String>) -> Result<IssueQuote, MintError> {
        let ask = |description| self.cdk.mint_quote(PaymentMethod::BOLT11, Some(Amount::from(amount_sats)), description, None);
        let quote = match ask(description).await {
            Err(cdk::Error::InvoiceDescriptionUnsupported) => ask(None).await?,
            other => other?,
        };
        Ok(IssueQuote { id: quote.id, bolt11: quote.request, expires_at: quote.expiry })
    }

    /// A claim of this deposit was cut short and is not ended yet. No request.
    ///
    /// # Errors
    /// [`MintError::Store`].
    pub async fn is_claim_cut_short(&self, quote_id: &str) -> Result<bool, MintError> {
        let quote = self.cdk.localstore.get_mint_quote(quote_id).await.map_err(|error| MintError::Store(error.to_string()))?;
        Ok(quote.is_some_and(|quote| quote.used_by_operation.is_some()))
    }

    /// Asks where an invoice of ours stands; ends a claim that a crash cut short, for which the caller holds the turn. One request.
    ///
    /// # Errors
    /// As the mint says.
    pub async fn deposit_state(&self, quote_id: &str) -> Result<IssueState, MintError> {
        let quote = match self.cdk.check_mint_quote_status(quote_id).await {
            Err(cdk::Error::InvalidMintResponse(_)) if self.drop_dead_claim(quote_id).await? => {
                self.cdk.check_mint_quote_status(quote_id).await?
            }
            told => told?,
        };
        Ok(match quote.state {
            MintQuoteState::Unpaid => IssueState::Unpaid,
            MintQuoteState::Paid => IssueState::Paid,
            MintQuoteState::Issued => match self.claimed_sats(quote_id).await? {
                0 => {
                    self.forget_what_was_said(quote_id).await?;
                    IssueState::Disputed
                }
                sats => IssueState::Issued(sats),
            },
        })
    }

    /// cdk keeps the highest that a mint has said of a quote; of one that was not claimed here it was wrong.
    async fn forget_what_was_said(&self, quote_id: &str) -> Result<(), MintError> {
        let store = |error: cdk_common::database::Error| MintError::Store(error.to_string());
        let Some(mut quote) = self.cdk.localstore.get_mint_quote(quote_id).await.map_err(store)? else { return Ok(()) };
        if quote.used_by_operation.is_some() {
            return Ok(());
        }
        quote.state = MintQuoteState::Unpaid;
        (quote.amount_paid, quote.amount_issued) = (Amount::ZERO, Amount::ZERO);
        self.cdk.localstore.add_mint_quote(quote).await.map_err(store)
    }

    /// What was claimed of a deposit, by our own record of it, in sats.
    async fn claimed_sats(&self, quote_id: &str) -> Result<u64, MintError> {
        let taken = self.cdk.list_transactions(Some(TransactionDirection::Incoming)).await?;
        let of_this = taken.iter().filter(|one| one.quote_id.as_deref() == Some(quote_id) && one.status == TransactionStatus::Completed);
        Ok(of_this.map(|one| one.amount.to_u64()).fold(0, u64::saturating_add))
    }

    /// Drops a claim that can never be signed: the mint has signed none of its outputs, and their keyset is out of use. cdk takes the
    /// empty answer to its NUT-09 question for a wrong one and would keep such a claim, and the deposit with it, open for ever.
    async fn drop_dead_claim(&self, quote_id: &str) -> Result<bool, MintError> {
        let store = |error: cdk_common::database::Error| MintError::Store(error.to_string());
        let quote = self.cdk.localstore.get_mint_quote(quote_id).await.map_err(store)?;
        let operation = quote.and_then(|quote| quote.used_by_operation).and_then(|text| Uuid::parse_str(&text).ok());
        let Some(operation) = operation else { return Ok(false) };
        let saga = self.cdk.localstore.get_saga(&operation).await.map_err(store)?;
        let Some(OperationData::Mint(claim)) = saga.map(|saga| saga.data) else { return Ok(false) };
        let outputs = claim.blinded_messages.unwrap_or_default();
        let keysets = self.refresh_keysets().await?;
        let is_out_of_use = |id: Id| keysets.iter().any(|keyset| keyset.id == id && keyset.active == Some(false));
        if outputs.is_empty() || !outputs.iter().all(|output| is_out_of_use(output.keyset_id)) {
            return Ok(false);
        }
        // Asked after the keysets: what was not signed before they went out of use is not signed any more.
        let told = self.connector.post_restore(RestoreRequest { outputs }).await?;
        if !told.signatures.is_empty() {
            return Ok(false);
        }
        self.cdk.localstore.release_mint_quote(&operation).await.map_err(store)?;
        self.cdk.localstore.delete_saga(&operation).await.map_err(store)?;
        Ok(true)
    }

    /// Takes the coins of a paid invoice. The caller holds the turn to the end. One request.
    ///
    /// # Errors
    /// As the mint says. After [`MintError::Lost`] the next [`Mint::deposit_state`] ends it.
    ///
    /// # Cancel safety
    /// Not cancel safe: run it to its end.
    pub async fn claim(&self, quote_id: &str, _turn: &Turn) -> Result<u64, MintError> {
        let proofs = self.cdk.mint(quote_id, SplitTarget::default(), None).await?;
        let total = proofs.total_amount().map_err(cdk::Error::from)?;
        Ok(total.to_u64())
    }
}
