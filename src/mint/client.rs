//! One mint over HTTP: questions through cdk's client, and the requests that move money through our own port.
//!
//! It never repeats a request. It checks what can be checked of an answer (`vet`) before it returns it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use cdk::mint_url::MintUrl;
use cdk::nuts::{
    CheckStateRequest, CurrencyUnit, Id, KeySet, KeySetInfo, MeltQuoteBolt11Request, MeltRequest, MintInfo, MintQuoteBolt11Request,
    MintQuoteBolt11Response, MintRequest, MintResponse, PaymentMethod, PublicKey, RestoreRequest, RestoreResponse, State, SwapRequest,
    SwapResponse,
};
use cdk::wallet::{BaseHttpClient, MintConnector};
use cdk_common::{
    MeltQuoteBolt11Response, MeltQuoteCreateResponse, MeltQuoteRequest, MeltQuoteResponse, MintQuoteRequest, MintQuoteResponse,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::MintError;
use super::heard::Heard;
use super::info::STATES_AT_ONCE;
use super::verdict::judge;
use super::vet;
use super::wire::{EXCHANGE, MELT_EXCHANGE, Wire};
use crate::ports::{Http, HttpRequest, Method, MintRecords};

/// One mint over HTTP.
pub(super) struct Client {
    url: MintUrl,
    inner: BaseHttpClient<Wire>,
    pub(super) http: Arc<Heard>,
    pub(super) records: Arc<dyn MintRecords>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("url", &self.url).finish_non_exhaustive()
    }
}

impl Client {
    pub(super) fn new(url: MintUrl, http: Arc<dyn Http>, records: Arc<dyn MintRecords>) -> Self {
        let http = Arc::new(Heard::new(http));
        let inner = BaseHttpClient::with_shared_transport(url.clone(), Arc::new(Wire(http.clone())), None);
        Self { url, inner, http, records }
    }

    pub(super) fn url(&self) -> &MintUrl {
        &self.url
    }

    /// The mint's name in the records.
    pub(super) fn name(&self) -> String {
        self.url.to_string()
    }

    /// Mints (NUT-04). The caller has journaled it durably.
    pub(super) async fn mint(&self, request: &MintRequest<String>) -> Result<MintResponse, MintError> {
        let told: MintResponse = self.post("v1/mint/bolt11", request, EXCHANGE).await?;
        vet::signatures(&request.outputs, &told.signatures, self.proves().await?)?;
        Ok(told)
    }

    /// Swaps (NUT-03). The caller has journaled it durably.
    pub(super) async fn swap(&self, request: &SwapRequest) -> Result<SwapResponse, MintError> {
        let told: SwapResponse = self.post("v1/swap", request, EXCHANGE).await?;
        vet::signatures(request.outputs(), &told.signatures, self.proves().await?)?;
        Ok(told)
    }

    /// Melts (NUT-05) and waits for the end of it, or lets the mint answer at once. The caller has journaled it durably.
    pub(super) async fn melt(&self, request: MeltRequest<String>, waits: bool) -> Result<MeltQuoteBolt11Response<String>, MintError> {
        self.post("v1/melt/bolt11", &request.prefer_async(!waits), MELT_EXCHANGE).await
    }

    /// Asks what was signed of these outputs (NUT-09).
    pub(super) async fn restore(&self, request: &RestoreRequest) -> Result<RestoreResponse, MintError> {
        let told: RestoreResponse = self.post("v1/restore", request, EXCHANGE).await?;
        vet::restored(request, &told, self.proves().await?)?;
        Ok(told)
    }

    async fn post<R: DeserializeOwned>(&self, path: &str, body: &impl Serialize, deadline: Duration) -> Result<R, MintError> {
        let body = serde_json::to_vec(body).map_err(|error| MintError::NotSent(error.to_string()))?;
        let url = self.url.join(path).map_err(|error| MintError::NotSent(error.to_string()))?;
        judge(self.http.send(HttpRequest { method: Method::Post, url: url.to_string(), body: Some(body), deadline }).await)
    }

    /// The mint has said that it proves its signatures (NUT-12).
    pub(super) async fn proves(&self) -> Result<bool, MintError> {
        Ok(self.records.info(&self.name()).await?.is_some_and(|info| info.nuts.nut12.supported))
    }

    /// Asks for an invoice that fills the wallet (NUT-23).
    pub(super) async fn quote_mint(&self, request: MintQuoteBolt11Request) -> Result<MintQuoteBolt11Response<String>, MintError> {
        match self.inner.post_mint_quote(MintQuoteRequest::Bolt11(request)).await? {
            MintQuoteResponse::Bolt11(quote) => Ok(quote),
            _ => Err(MintError::Wrong("a quote of another kind".to_owned())),
        }
    }

    pub(super) async fn mint_quote(&self, id: &str) -> Result<MintQuoteBolt11Response<String>, MintError> {
        match self.inner.get_mint_quote_status(PaymentMethod::BOLT11, id).await? {
            MintQuoteResponse::Bolt11(quote) if quote.quote == id => Ok(quote),
            _ => Err(MintError::Wrong("another quote than asked for".to_owned())),
        }
    }

    /// Asks what paying an invoice would cost (NUT-23).
    pub(super) async fn quote_melt(&self, request: MeltQuoteBolt11Request) -> Result<MeltQuoteBolt11Response<String>, MintError> {
        match self.inner.post_melt_quote(MeltQuoteRequest::Bolt11(request)).await? {
            MeltQuoteCreateResponse::Bolt11(quote) => Ok(quote),
            _ => Err(MintError::Wrong("a quote of another kind".to_owned())),
        }
    }

    pub(super) async fn melt_quote(&self, id: &str) -> Result<MeltQuoteBolt11Response<String>, MintError> {
        match self.inner.get_melt_quote_status(PaymentMethod::BOLT11, id).await? {
            MeltQuoteResponse::Bolt11(quote) if quote.quote == id => Ok(quote),
            _ => Err(MintError::Wrong("another quote than asked for".to_owned())),
        }
    }

    /// The states of coins, in the order asked (NUT-07). One request per hundred.
    pub(super) async fn states(&self, ys: &[PublicKey]) -> Result<Vec<State>, MintError> {
        let mut states = Vec::with_capacity(ys.len());
        for some in ys.chunks(STATES_AT_ONCE) {
            let asked = CheckStateRequest { ys: some.to_vec() };
            let told = self.inner.post_check_state(asked.clone()).await?;
            vet::states(&asked, &told)?;
            states.extend(told.states.into_iter().map(|one| one.state));
        }
        Ok(states)
    }

    pub(super) async fn info(&self) -> Result<MintInfo, MintError> {
        Ok(self.inner.get_mint_info().await?)
    }

    /// The keysets as the mint lists them now, vetted and remembered (NUT-02).
    pub(super) async fn keysets(&self) -> Result<Vec<KeySetInfo>, MintError> {
        let (name, listed) = (self.name(), self.inner.get_mint_keysets().await?.keysets);
        vet::keysets(&listed, &self.records.keysets(&name).await?, &self.records.keysets_elsewhere(&name).await?)?;
        // A list without one in sats is of no use, and what is remembered of a keyset never changes.
        if listed.iter().all(|keyset| keyset.unit != CurrencyUnit::Sat) {
            return Err(MintError::Wrong("the mint has no keyset in sats".to_owned()));
        }
        self.records.put_keysets(&name, listed.clone()).await?;
        Ok(listed)
    }

    /// The keys of one keyset (NUT-01), remembered.
    pub(super) async fn keys(&self, id: Id) -> Result<KeySet, MintError> {
        let keyset = self.inner.get_mint_keyset(id).await?;
        if keyset.id != id || keyset.verify_id().is_err() {
            return Err(MintError::Wrong("the keys are not those of the keyset".to_owned()));
        }
        self.records.put_keys(keyset.clone()).await?;
        Ok(keyset)
    }
}
