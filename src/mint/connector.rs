//! The decorator of cdk's connector that makes cdk's melt safe (NUT-05).
//!
//! * `post_melt` records `sent` durably before the first byte leaves, gives the turn at the mint back, sends `prefer_async: false`, is
//!   never repeated, and judges the answer itself: what it heard decides the payment, not what cdk makes of it.
//! * `get_melt_quote_status` of a quote whose outcome is unknown passes anything but PAID to cdk as PENDING, so that cdk never releases
//!   coins that the mint may yet spend. Of a quote that the mint has refused, or that never left, it answers UNPAID without asking.
//! * A melt whose own answer was lost, and that the quote calls PAID without naming change, is PENDING to cdk, which would end it without:
//!   it is finished from NUT-09 instead. Change that NUT-09 lacks is taken from the quote.
//! * Keysets, states and signatures are vetted. Websockets go through our own network port.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use cdk::Error;
use cdk::mint_url::MintUrl;
use cdk::nuts::nut00::ProofsMethods;
use cdk::nuts::{
    BatchCheckMintQuoteRequest, BatchMintRequest, BlindSignature, BlindedMessage, CheckStateRequest, CheckStateResponse, Id, KeySet,
    KeysetResponse, MeltQuoteState, MeltRequest, MintInfo, MintRequest, MintResponse, PaymentMethod, PublicKey, RestoreRequest,
    RestoreResponse, State, SwapRequest, SwapResponse,
};
use cdk::wallet::{AuthWallet, BaseHttpClient, LnurlPayInvoiceResponse, LnurlPayResponse, MintConnector};
use cdk_common::ws_client::{WsError, WsReceiver, WsSender};
use cdk_common::{
    MeltQuoteBolt11Response, MeltQuoteCreateResponse, MeltQuoteRequest, MeltQuoteResponse, MintQuoteRequest, MintQuoteResponse,
};
use tokio::sync::OwnedMutexGuard;

use super::Database;
use super::error::{MintError, nut};
use super::verdict::judge;
use super::vet;
use super::wire::{EXCHANGE, MELT_EXCHANGE, Wire};
use crate::ports::{Barrier, Doubt, Http, HttpRequest, Method};

/// The right to use a mint's counters and to choose among its coins. Dropping it gives it back.
pub type Turn = OwnedMutexGuard<()>;

/// What the mint said to a melt request.
#[derive(Clone, Debug)]
pub(crate) enum Word {
    /// Paid; the preimage as the mint gave it.
    Paid(Option<String>),
    /// Under way.
    Pending,
    /// A definite no, or never sent.
    No(MintError),
    /// Unknown.
    Lost,
}

/// One melt that this process has in its hands.
pub(super) struct Melt {
    turn: Option<Turn>,
    /// The quote as it was, to answer cdk from when nothing can have happened to it.
    quote: MeltQuoteBolt11Response<String>,
    word: Option<Word>,
    /// Blank outputs were sent along (NUT-08).
    asked_change: bool,
}

impl Melt {
    pub(super) fn lacks_change(&self, told: &MeltQuoteBolt11Response<String>) -> bool {
        self.asked_change && told.state == MeltQuoteState::Paid && told.change.as_ref().is_none_or(Vec::is_empty)
    }
}

/// The connector. One per mint.
pub(crate) struct Connector {
    pub(super) inner: BaseHttpClient<Wire>,
    http: Arc<dyn Http>,
    doubt: Arc<dyn Doubt>,
    barrier: Arc<dyn Barrier>,
    pub(super) database: Database,
    pub(super) url: MintUrl,
    melts: Mutex<HashMap<String, Melt>>,
    /// Change signatures that a paid quote's own answer held, by quote.
    pub(super) change: Mutex<HashMap<String, Vec<BlindSignature>>>,
    /// How often change was asked for that was not there, by quote.
    pub(super) asked: Mutex<HashMap<String, u32>>,
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector").field("url", &self.url).finish_non_exhaustive()
    }
}

impl Connector {
    pub(crate) fn new(url: MintUrl, http: Arc<dyn Http>, doubt: Arc<dyn Doubt>, barrier: Arc<dyn Barrier>, database: Database) -> Self {
        let inner = BaseHttpClient::with_shared_transport(url.clone(), Arc::new(Wire(Arc::clone(&http))), None);
        Self { inner, http, doubt, barrier, database, url, melts: Mutex::default(), change: Mutex::default(), asked: Mutex::default() }
    }

    /// Announces a melt that is about to be confirmed; its request gives `turn` back when it leaves.
    pub(crate) fn announce(&self, quote: MeltQuoteBolt11Response<String>, turn: Turn) {
        let melt = Melt { turn: Some(turn), quote: quote.clone(), word: None, asked_change: false };
        self.melts().insert(quote.quote, melt);
    }

    /// Ends a melt: what the mint said, `None` when the request was never made. Gives the turn back if it is still held.
    pub(crate) fn conclude(&self, quote_id: &str) -> Option<Word> {
        self.melts().remove(quote_id).and_then(|melt| melt.word)
    }

    /// The mint's own word on a melt quote, past the gate.
    pub(crate) async fn raw_melt_quote(&self, quote_id: &str) -> Result<MeltQuoteBolt11Response<String>, MintError> {
        let method = PaymentMethod::BOLT11;
        match self.inner.get_melt_quote_status(method, quote_id).await? {
            MeltQuoteResponse::Bolt11(quote) if quote.quote == quote_id => Ok(quote),
            _ => Err(MintError::Wrong("another quote than asked for".to_owned())),
        }
    }

    /// Makes a swap, judged (NUT-03). Never repeated. The caller has recorded it durably.
    pub(crate) async fn swap(&self, request: &SwapRequest) -> Result<SwapResponse, MintError> {
        let post = self.post("v1/swap", serde_json::to_vec(request), EXCHANGE)?;
        let response: SwapResponse = judge(self.http.send(post).await)?;
        vet::signatures(request.outputs(), &response.signatures, self.proves().await?)?;
        Ok(response)
    }

    fn post(&self, path: &str, body: Result<Vec<u8>, serde_json::Error>, deadline: std::time::Duration) -> Result<HttpRequest, MintError> {
        let body = body.map_err(|error| MintError::NotSent(error.to_string()))?;
        let url = self.url.join(path).map_err(|error| MintError::NotSent(error.to_string()))?;
        Ok(HttpRequest { method: Method::Post, url: url.to_string(), body: Some(body), deadline })
    }

    pub(super) fn melts(&self) -> std::sync::MutexGuard<'_, HashMap<String, Melt>> {
        self.melts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hear(&self, quote_id: &str, word: Word) {
        if let Some(melt) = self.melts().get_mut(quote_id) {
            melt.word = Some(word);
        }
    }

    async fn melt(&self, quote_id: &str, request: MeltRequest<String>) -> Result<MeltQuoteBolt11Response<String>, MintError> {
        let asked_change = request.outputs().as_ref().is_some_and(|outputs| !outputs.is_empty());
        let post = self.post("v1/melt/bolt11", serde_json::to_vec(&request.prefer_async(false)), MELT_EXCHANGE)?;
        self.doubt.sent(quote_id).await.map_err(|error| MintError::NotSent(error.to_string()))?;
        let turn = self.melts().get_mut(quote_id).and_then(|melt| {
            melt.asked_change = asked_change;
            melt.turn.take()
        });
        drop(turn);
        judge(self.http.send(post).await)
    }

    /// The mint has said that it proves its signatures (NUT-12).
    pub(super) async fn proves(&self) -> Result<bool, MintError> {
        let info = self.database.get_mint(self.url.clone()).await.map_err(|error| MintError::Store(error.to_string()))?;
        Ok(info.is_some_and(|info| info.nuts.nut12.supported))
    }

    /// Vets the signatures of an answer to cdk. What is wrong is told as ambiguous: cdk keeps its record of the operation.
    async fn vet_signatures(&self, asked: &[BlindedMessage], told: &[BlindSignature]) -> Result<(), Error> {
        let proves = self.proves().await.map_err(|error| to_cdk(&error))?;
        vet::signatures(asked, told, proves).map_err(|error| Error::InvalidMintResponse(error.to_string()))
    }

    /// Keysets of all other mints we know.
    async fn keysets_elsewhere(&self) -> Result<Vec<Id>, Error> {
        let mut elsewhere = Vec::new();
        for mint in self.database.get_mints().await?.into_keys().filter(|mint| *mint != self.url) {
            let keysets = self.database.get_mint_keysets(mint).await?.unwrap_or_default();
            elsewhere.extend(keysets.into_iter().map(|keyset| keyset.id));
        }
        Ok(elsewhere)
    }

    /// The mint says that it still takes all of these coins. A refusal counts only then.
    async fn are_unspent(&self, ys: Vec<PublicKey>) -> bool {
        match self.post_check_state(CheckStateRequest { ys }).await {
            Ok(told) => told.states.iter().all(|one| one.state == State::Unspent),
            Err(_) => false,
        }
    }

    /// Some of these coins are spent, none is in use, and the quote they were for is unpaid, asked in this order: they were not spent by
    /// this melt, which therefore cannot be made any more.
    async fn spent_elsewhere(&self, quote_id: &str, ys: Vec<PublicKey>) -> bool {
        let Ok(told) = self.post_check_state(CheckStateRequest { ys }).await else { return false };
        let any = |word: State| told.states.iter().any(|one| one.state == word);
        if !any(State::Spent) || any(State::Pending) {
            return false;
        }
        let told = self.raw_melt_quote(quote_id).await;
        told.is_ok_and(|quote| quote.state == MeltQuoteState::Unpaid && quote.payment_preimage.is_none())
    }

    async fn make_durable(&self) -> Result<(), Error> {
        self.barrier.barrier().await.map_err(|error| Error::Custom(error.to_string()))
    }
}

/// A mint error as cdk's: definite ones as a plain text, unknown ones as a timeout, which cdk treats as ambiguous.
pub(super) fn to_cdk(error: &MintError) -> Error {
    if error.is_definite() { Error::Custom(error.to_string()) } else { Error::Timeout }
}

#[async_trait]
impl MintConnector for Connector {
    async fn connect_websocket(&self, url: &str, headers: &[(&str, &str)]) -> Result<(WsSender, WsReceiver), WsError> {
        self.inner.connect_websocket(url, headers).await
    }

    async fn fetch_lnurl_pay_request(&self, url: &str) -> Result<LnurlPayResponse, Error> {
        self.inner.fetch_lnurl_pay_request(url).await
    }

    async fn fetch_lnurl_invoice(&self, url: &str) -> Result<LnurlPayInvoiceResponse, Error> {
        self.inner.fetch_lnurl_invoice(url).await
    }

    async fn get_mint_keys(&self) -> Result<Vec<KeySet>, Error> {
        self.inner.get_mint_keys().await
    }

    async fn get_mint_keyset(&self, id: Id) -> Result<KeySet, Error> {
        let keyset = self.inner.get_mint_keyset(id).await?;
        if keyset.id == id { Ok(keyset) } else { Err(Error::InvalidMintResponse("another keyset than asked for".to_owned())) }
    }

    async fn get_mint_keysets(&self) -> Result<KeysetResponse, Error> {
        let response = self.inner.get_mint_keysets().await?;
        let before = self.database.get_mint_keysets(self.url.clone()).await?.unwrap_or_default();
        let elsewhere = self.keysets_elsewhere().await?;
        vet::keysets(&response.keysets, &before, &elsewhere).map_err(|error| Error::InvalidMintResponse(error.to_string()))?;
        Ok(response)
    }

    async fn post_mint_quote(&self, request: MintQuoteRequest) -> Result<MintQuoteResponse<String>, Error> {
        self.inner.post_mint_quote(request).await
    }

    async fn post_mint(&self, method: &PaymentMethod, request: MintRequest<String>) -> Result<MintResponse, Error> {
        self.make_durable().await?;
        let asked = request.outputs.clone();
        let response = self.inner.post_mint(method, request).await?;
        self.vet_signatures(&asked, &response.signatures).await?;
        Ok(response)
    }

    async fn post_batch_check_mint_quote_status(
        &self,
        method: &PaymentMethod,
        request: BatchCheckMintQuoteRequest<String>,
    ) -> Result<Vec<MintQuoteResponse<String>>, Error> {
        self.inner.post_batch_check_mint_quote_status(method, request).await
    }

    async fn post_batch_mint(&self, method: &PaymentMethod, request: BatchMintRequest<String>) -> Result<MintResponse, Error> {
        self.make_durable().await?;
        let asked = request.outputs.clone();
        let response = self.inner.post_batch_mint(method, request).await?;
        self.vet_signatures(&asked, &response.signatures).await?;
        Ok(response)
    }

    async fn post_melt_quote(&self, request: MeltQuoteRequest) -> Result<MeltQuoteCreateResponse<String>, Error> {
        self.inner.post_melt_quote(request).await
    }

    async fn get_mint_quote_status(&self, method: PaymentMethod, quote_id: &str) -> Result<MintQuoteResponse<String>, Error> {
        self.inner.get_mint_quote_status(method, quote_id).await
    }

    async fn get_melt_quote_status(&self, method: PaymentMethod, quote_id: &str) -> Result<MeltQuoteResponse<String>, Error> {
        if let Some(Melt { word: Some(Word::No(_)), quote, .. }) = self.melts().get(quote_id) {
            return Ok(MeltQuoteResponse::Bolt11(quote.clone()));
        }
        let told = self.inner.get_melt_quote_status(method, quote_id).await?;
        self.keep_change(quote_id, &told);
        let undecided = self.doubt.is_undecided(quote_id).await.map_err(|error| Error::Custom(error.to_string()))?;
        Ok(match told {
            MeltQuoteResponse::Bolt11(mut quote)
                if undecided && quote.state != MeltQuoteState::Paid && quote.payment_preimage.is_none()
                    || self.lacks_change(quote_id, &quote) =>
            {
                quote.state = MeltQuoteState::Pending;
                MeltQuoteResponse::Bolt11(quote)
            }
            other => other,
        })
    }

    async fn post_melt(&self, method: &PaymentMethod, request: MeltRequest<String>) -> Result<MeltQuoteResponse<String>, Error> {
        if *method != PaymentMethod::BOLT11 {
            return Err(Error::UnsupportedPaymentMethod);
        }
        let quote_id = request.quote_id().clone();
        let (blank, inputs) = (request.outputs().clone().unwrap_or_default(), request.inputs().ys()?);
        let mut answer = self.melt(&quote_id, request).await;
        if matches!(answer, Err(MintError::UnderWay { code: nut::TOKEN_SPENT })) && self.spent_elsewhere(&quote_id, inputs.clone()).await {
            answer = Err(MintError::SpentElsewhere);
        }
        if matches!(answer, Err(MintError::Refused { .. })) && !self.are_unspent(inputs).await {
            answer = Err(MintError::Lost("a no, of coins that are not unspent".to_owned()));
        }
        let word = match &answer {
            Ok(quote) if quote.quote != quote_id => Word::Lost,
            Ok(quote) if quote.state == MeltQuoteState::Paid => Word::Paid(quote.payment_preimage.clone()),
            Ok(_) => Word::Pending,
            Err(error) if error.is_definite() => Word::No(error.clone()),
            Err(_) => Word::Lost,
        };
        if matches!(word, Word::Paid(_) | Word::No(_)) {
            self.doubt.decided(&quote_id).await.map_err(|error| Error::Custom(error.to_string()))?;
        }
        let mut pending = matches!(word, Word::Pending);
        self.hear(&quote_id, word);
        if let Ok(paid) = &mut answer
            && paid.quote == quote_id
            && self.lacks_change(&quote_id, paid)
        {
            pending = !self.await_change(paid, &blank).await;
        }
        if let Ok(MeltQuoteBolt11Response { change: Some(change), .. }) = &answer {
            let proves = self.proves().await.map_err(|error| to_cdk(&error))?;
            if let Err(error) = vet::change(&blank, change, proves) {
                tracing::warn!(%error, "a payment's change is asked for again later");
                pending = true;
            }
        }
        match answer {
            Ok(quote) if quote.quote != quote_id => Err(Error::Timeout),
            Ok(mut quote) => {
                if pending {
                    quote.state = MeltQuoteState::Pending;
                }
                Ok(MeltQuoteResponse::Bolt11(quote))
            }
            Err(error) => Err(to_cdk(&error)),
        }
    }

    async fn post_swap(&self, request: SwapRequest) -> Result<SwapResponse, Error> {
        self.make_durable().await?;
        let asked = request.outputs().clone();
        let response = self.inner.post_swap(request).await?;
        self.vet_signatures(&asked, &response.signatures).await?;
        Ok(response)
    }

    async fn get_mint_info(&self) -> Result<MintInfo, Error> {
        self.inner.get_mint_info().await
    }

    async fn post_check_state(&self, request: CheckStateRequest) -> Result<CheckStateResponse, Error> {
        let response = self.inner.post_check_state(request.clone()).await?;
        vet::states(&request, &response).map_err(|error| Error::InvalidMintResponse(error.to_string()))?;
        Ok(response)
    }

    async fn post_restore(&self, request: RestoreRequest) -> Result<RestoreResponse, Error> {
        self.restore(request).await
    }

    async fn get_auth_wallet(&self) -> Option<AuthWallet> {
        None
    }

    async fn set_auth_wallet(&self, _wallet: Option<AuthWallet>) {}
}
