//! The change of a melt (NUT-08), from whichever of the mint's answers has it: the quote's, or what it has signed (NUT-09).
//!
//! A mint says PAID some time before it has signed the change. "None" is believed after some seconds where there may be none, and after
//! many questions where there must be some; until then the melt stays open, and is asked about again.

use std::sync::PoisonError;
use std::time::Duration;

use cdk::Error;
use cdk::nuts::{BlindedMessage, MeltQuoteState, RestoreRequest, RestoreResponse};
use cdk::wallet::MintConnector;
use cdk_common::wallet::{MeltOperationData, OperationData};
use cdk_common::{MeltQuoteBolt11Response, MeltQuoteResponse};

use super::connector::{Connector, to_cdk};
use super::vet;

/// How long to wait before each further question about change of which there is none yet.
const ASK_AGAIN: [Duration; 3] = [Duration::from_millis(200), Duration::from_millis(500), Duration::from_secs(1)];
/// How often in one process a melt is asked about that must have change. With what lies between, more than an hour.
const ASKED_OFTEN: u32 = 20;

impl Connector {
    /// The melt of this quote is ended: its change is in.
    pub(crate) fn forget_change(&self, quote_id: &str) {
        self.change.lock().unwrap_or_else(PoisonError::into_inner).remove(quote_id);
    }

    pub(super) fn keep_change(&self, quote_id: &str, told: &MeltQuoteResponse<String>) {
        let MeltQuoteResponse::Bolt11(MeltQuoteBolt11Response { state: MeltQuoteState::Paid, change: Some(change), .. }) = told else {
            return;
        };
        if !change.is_empty() {
            self.change.lock().unwrap_or_else(PoisonError::into_inner).insert(quote_id.to_owned(), change.clone());
        }
    }

    /// The change of the melt whose blank outputs these are, where the quote's own answer has more of it than the restore had
    /// (NUT-05, NUT-08): the first signatures are of the first outputs.
    async fn change_for(&self, request: &RestoreRequest, signed: usize) -> Result<Option<RestoreResponse>, Error> {
        let kept = self.change.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if kept.values().all(|change| change.len() <= signed) {
            return Ok(None);
        }
        for saga in self.database.get_incomplete_sagas().await?.into_iter().filter(|saga| saga.mint_url == self.url) {
            let OperationData::Melt(melt) = saga.data else { continue };
            let asked = melt.change_blinded_messages.filter(|blank| *blank == request.outputs);
            let (Some(asked), Some(change)) = (asked, kept.get(&melt.quote_id)) else { continue };
            if change.len() > signed && change.len() <= asked.len() {
                let outputs = asked.into_iter().take(change.len()).collect();
                return Ok(Some(RestoreResponse { outputs, signatures: change.clone() }));
            }
        }
        Ok(None)
    }

    pub(super) fn lacks_change(&self, quote_id: &str, told: &MeltQuoteBolt11Response<String>) -> bool {
        self.melts().get(quote_id).is_some_and(|melt| melt.lacks_change(told))
    }

    /// Asks for the change that a paid melt's answer came without: a mint commits PAID before it signs, and answers in between. Where there
    /// may be none, each of its two answers about it is asked for once: a mint answers for a quote when it is done with it. `false`: there
    /// is some, or it is not certain that there is none, and the melt stays open. The caller need not hold the turn.
    pub(super) async fn await_change(&self, paid: &mut MeltQuoteBolt11Response<String>, blank: &[BlindedMessage]) -> bool {
        let may_have_none = matches!(self.melt_of_blank(blank).await, Ok(Some(melt)) if !must_have_change(&melt));
        for pause in std::iter::once(Duration::ZERO).chain(ASK_AGAIN) {
            tokio::time::sleep(pause).await;
            let Ok(told) = self.raw_melt_quote(&paid.quote).await else { continue };
            if told.state == MeltQuoteState::Paid && told.change.as_ref().is_some_and(|change| !change.is_empty()) {
                paid.change = told.change;
                return true;
            }
            if told.state == MeltQuoteState::Paid && may_have_none {
                let signed = self.restored(&RestoreRequest { outputs: blank.to_vec() }).await;
                return signed.is_ok_and(|told| told.signatures.is_empty());
            }
        }
        false
    }

    /// What the mint has signed of these outputs; of a melt's blank ones, asked for some seconds where there is nothing.
    pub(super) async fn restore(&self, request: RestoreRequest) -> Result<RestoreResponse, Error> {
        let mut told = self.restored(&request).await;
        let Some(melt) = self.melt_of_blank(&request.outputs).await? else { return told };
        for pause in ASK_AGAIN {
            let signed = told.as_ref().map_or(0, |told| told.signatures.len());
            if let Some(change) = self.change_for(&request, signed).await? {
                return Ok(change);
            }
            if signed > 0 || told.is_err() {
                return told;
            }
            tokio::time::sleep(pause).await;
            told = self.restored(&request).await;
        }
        if must_have_change(&melt) && self.ask_count(&melt.quote_id) < ASKED_OFTEN {
            return Err(Error::Timeout);
        }
        told
    }

    fn ask_count(&self, quote_id: &str) -> u32 {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let count = asked.entry(quote_id.to_owned()).or_insert(0);
        *count = count.saturating_add(1);
        *count
    }

    async fn restored(&self, request: &RestoreRequest) -> Result<RestoreResponse, Error> {
        let told = self.inner.post_restore(request.clone()).await?;
        let proves = self.proves().await.map_err(|error| to_cdk(&error))?;
        vet::restored(request, &told, proves).map_err(|error| Error::InvalidMintResponse(error.to_string()))?;
        Ok(told)
    }

    /// The melt under way whose blank outputs these are.
    async fn melt_of_blank(&self, outputs: &[BlindedMessage]) -> Result<Option<MeltOperationData>, Error> {
        let sagas = self.database.get_incomplete_sagas().await?;
        Ok(sagas.into_iter().find_map(|saga| match saga.data {
            OperationData::Melt(melt) if melt.change_blinded_messages.as_deref() == Some(outputs) => Some(melt),
            _ => None,
        }))
    }
}

/// The inputs exceed amount, input fee and reserve.
fn must_have_change(melt: &MeltOperationData) -> bool {
    melt.change_amount.is_some_and(|most| most > melt.fee_reserve)
}
