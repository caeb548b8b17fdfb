//! HTTP client of one mint: queries and the requests that move money.
//!
//! Never repeats a request. Checks of an answer what can be checked (`read`, `validate`) before it
//! returns it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cdk::mint_url::MintUrl;
use cdk::nuts::{
    CheckStateRequest, CheckStateResponse, CurrencyUnit, Id, KeySet, KeySetInfo,
    MeltQuoteBolt11Request, MeltRequest, MintQuoteBolt11Request, MintRequest, MintResponse,
    PublicKey, RestoreRequest, RestoreResponse, State, SwapRequest, SwapResponse,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::classify::classify;
use super::error::MintError;
use super::info::STATES_AT_ONCE;
use super::read::{self, MeltQuoteResponse, MintQuoteResponse};
use super::unanswered::CountingHttp;
use super::validate;
use crate::model::mint::MintInfo;
use crate::ports::{Http, HttpRequest, JSON, Method, MintRecords};

/// Time limit for any exchange except a melt.
const EXCHANGE: Duration = Duration::from_secs(15);

/// Time limit for a melt's exchange. No caller waits this long: the operation runs in the
/// background.
const MELT_EXCHANGE: Duration = Duration::from_secs(600);

/// HTTP client of one mint.
pub(super) struct Client {
    url: MintUrl,
    pub(super) http: Arc<CountingHttp>,
    pub(super) records: Arc<dyn MintRecords>,
    /// NUTs that responses have shown to be served (`true`) or not.
    shown: Mutex<BTreeMap<u8, bool>>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("url", &self.url).finish_non_exhaustive()
    }
}

impl Client {
    pub(super) fn new(url: MintUrl, http: Arc<dyn Http>, records: Arc<dyn MintRecords>) -> Self {
        Self { url, http: Arc::new(CountingHttp::new(http)), records, shown: Mutex::default() }
    }

    pub(super) fn url(&self) -> &MintUrl {
        &self.url
    }

    /// Returns the mint's key in the records.
    pub(super) fn name(&self) -> String {
        self.url.to_string()
    }

    /// Issues proofs (NUT-04). The caller has journaled the operation.
    pub(super) async fn mint(
        &self,
        request: &MintRequest<String>,
    ) -> Result<MintResponse, MintError> {
        let told: MintResponse = self.post("v1/mint/bolt11", request, EXCHANGE).await?;
        validate::signatures(&request.outputs, &told.signatures, self.proves().await?)?;
        Ok(told)
    }

    /// Swaps proofs (NUT-03). The caller has journaled the operation.
    pub(super) async fn swap(&self, request: &SwapRequest) -> Result<SwapResponse, MintError> {
        let told: SwapResponse = self.post("v1/swap", request, EXCHANGE).await?;
        validate::signatures(request.outputs(), &told.signatures, self.proves().await?)?;
        Ok(told)
    }

    /// Melts (NUT-05). With `waits`, the mint answers when the payment ends, otherwise at once. The
    /// caller has journaled the operation.
    pub(super) async fn melt(
        &self,
        request: MeltRequest<String>,
        waits: bool,
    ) -> Result<MeltQuoteResponse, MintError> {
        read::melt_quote(
            &self.post("v1/melt/bolt11", &request.prefer_async(!waits), MELT_EXCHANGE).await?,
        )
    }

    /// Asks which of these outputs the mint has signed (NUT-09).
    pub(super) async fn restore(
        &self,
        request: &RestoreRequest,
    ) -> Result<RestoreResponse, MintError> {
        let told: RestoreResponse =
            self.served(9, self.post("v1/restore", request, EXCHANGE).await)?;
        validate::restored(request, &told, self.proves().await?)?;
        Ok(told)
    }

    /// Returns whether the mint advertises DLEQ proofs (NUT-12).
    pub(super) async fn proves(&self) -> Result<bool, MintError> {
        Ok(self.records.info(&self.name()).await?.is_some_and(|info| info.nuts.contains(&12)))
    }

    /// Requests an invoice for a deposit (NUT-23).
    pub(super) async fn quote_mint(
        &self,
        request: &MintQuoteBolt11Request,
    ) -> Result<MintQuoteResponse, MintError> {
        read::mint_quote(&self.post("v1/mint/quote/bolt11", request, EXCHANGE).await?)
    }

    pub(super) async fn mint_quote(&self, id: &str) -> Result<MintQuoteResponse, MintError> {
        let quote = read::mint_quote(&self.get(&format!("v1/mint/quote/bolt11/{id}")).await?)?;
        if quote.id == id {
            Ok(quote)
        } else {
            Err(MintError::Wrong("it is for a different quote".to_owned()))
        }
    }

    /// Requests a quote for paying an invoice (NUT-23).
    pub(super) async fn quote_melt(
        &self,
        request: &MeltQuoteBolt11Request,
    ) -> Result<MeltQuoteResponse, MintError> {
        read::melt_quote(&self.post("v1/melt/quote/bolt11", request, EXCHANGE).await?)
    }

    pub(super) async fn melt_quote(&self, id: &str) -> Result<MeltQuoteResponse, MintError> {
        let quote = read::melt_quote(&self.get(&format!("v1/melt/quote/bolt11/{id}")).await?)?;
        if quote.id == id {
            Ok(quote)
        } else {
            Err(MintError::Wrong("it is for a different quote".to_owned()))
        }
    }

    /// Returns the states of proofs, in the order asked (NUT-07). One request per hundred.
    pub(super) async fn states(&self, ys: &[PublicKey]) -> Result<Vec<State>, MintError> {
        let mut states = Vec::with_capacity(ys.len());
        for some in ys.chunks(STATES_AT_ONCE) {
            let asked = CheckStateRequest { ys: some.to_vec() };
            let told: CheckStateResponse =
                self.served(7, self.post("v1/checkstate", &asked, EXCHANGE).await)?;
            validate::states(&asked, &told)?;
            states.extend(told.states.into_iter().map(|one| one.state));
        }
        Ok(states)
    }

    pub(super) async fn info(&self) -> Result<MintInfo, MintError> {
        ask_info(&*self.http, &self.url).await
    }

    /// Fetches, checks and stores the mint's list of keysets (NUT-02).
    pub(super) async fn keysets(&self) -> Result<Vec<KeySetInfo>, MintError> {
        let (name, listed) = (self.name(), read::keysets(&self.get("v1/keysets").await?)?);
        validate::keysets(
            &listed,
            &self.records.keysets(&name).await?,
            &self.records.keysets_elsewhere(&name).await?,
        )?;
        // Reject before storing: a list without a sat keyset is useless, and a stored keyset never
        // changes.
        if listed.iter().all(|keyset| keyset.unit != CurrencyUnit::Sat) {
            return Err(MintError::Wrong("the mint has no keyset in sats".to_owned()));
        }
        self.records.put_keysets(&name, listed.clone()).await?;
        Ok(listed)
    }

    /// Fetches and stores the keys of one keyset (NUT-01).
    pub(super) async fn keys(&self, id: Id) -> Result<KeySet, MintError> {
        let keyset = read::keys(&self.get(&format!("v1/keys/{id}")).await?, id)?;
        if keyset.verify_id().is_err() {
            return Err(MintError::Wrong("the keys do not match the keyset id".to_owned()));
        }
        self.records.put_keys(keyset.clone()).await?;
        Ok(keyset)
    }

    /// Returns whether responses have shown a NUT to be served since this process began. `None`: no
    /// evidence yet.
    pub(super) fn has_shown(&self, nut: u8) -> Option<bool> {
        self.shown().get(&nut).copied()
    }

    /// Records that responses have shown a NUT to be served or not.
    pub(super) fn show(&self, nut: u8, served: bool) {
        self.shown().insert(nut, served);
    }

    fn shown(&self) -> MutexGuard<'_, BTreeMap<u8, bool>> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn served<R>(&self, nut: u8, told: Result<R, MintError>) -> Result<R, MintError> {
        match &told {
            Ok(_) => self.show(nut, true),
            Err(error) if error.is_not_served() => self.show(nut, false),
            Err(_) => {}
        }
        told
    }

    async fn get(&self, path: &str) -> Result<Value, MintError> {
        exchange(&*self.http, &self.url, Method::Get, path, None, EXCHANGE).await
    }

    async fn post<R: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
        deadline: Duration,
    ) -> Result<R, MintError> {
        let body =
            serde_json::to_vec(body).map_err(|error| MintError::NotSent(error.to_string()))?;
        exchange(&*self.http, &self.url, Method::Post, path, Some(body), deadline).await
    }
}

/// Fetches a mint's info (NUT-06).
pub(super) async fn ask_info(http: &dyn Http, url: &MintUrl) -> Result<MintInfo, MintError> {
    read::info(&exchange(http, url, Method::Get, "v1/info", None, EXCHANGE).await?)
}

async fn exchange<R: DeserializeOwned>(
    http: &dyn Http,
    url: &MintUrl,
    method: Method,
    path: &str,
    body: Option<Vec<u8>>,
    deadline: Duration,
) -> Result<R, MintError> {
    let url = url.join(path).map_err(|error| MintError::NotSent(error.to_string()))?;
    classify(
        http.send(HttpRequest { method, url: url.to_string(), body, accept: JSON, deadline }).await,
    )
}
