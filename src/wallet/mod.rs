//! The verbs. One file each; the only place where effects are ordered.

pub mod code;
pub mod error;
pub mod request;
pub mod view;

use std::sync::Arc;

use async_trait::async_trait;

pub use code::Code;
pub use error::{Error, MoneyMoved, Retry};
pub use request::Caller;
use request::{Deposit, Estimate, GetBalance, GetDeposit, GetPayment, ListHistory, ListMints, Pay, ReceiveToken, ReclaimToken, SendToken};
use view::{Balance, DepositView, EstimateView, HistoryView, MintsView, PaymentView};

/// The wallet.
#[derive(Debug)]
pub struct Wallet {}

/// Opens the wallet at its first use, so that a session can list its tools with no home, no network and no settings.
#[async_trait]
pub trait Source: Send + Sync + std::fmt::Debug {
    /// The open wallet; opens it the first time.
    async fn wallet(&self) -> Result<Arc<Wallet>, Error>;
}

fn unbuilt<T>() -> Result<T, Error> {
    Err(Error::new(Code::Internal, "not built"))
}

#[expect(missing_docs, clippy::unused_async, reason = "a skeleton")]
impl Wallet {
    pub async fn get_balance(&self, _caller: &Caller, _request: GetBalance) -> Result<Balance, Error> { unbuilt() }
    pub async fn deposit(&self, _caller: &Caller, _request: Deposit) -> Result<DepositView, Error> { unbuilt() }
    pub async fn get_deposit(&self, _caller: &Caller, _request: GetDeposit) -> Result<DepositView, Error> { unbuilt() }
    pub async fn estimate(&self, _caller: &Caller, _request: Estimate) -> Result<EstimateView, Error> { unbuilt() }
    pub async fn pay(&self, _caller: &Caller, _request: Pay) -> Result<PaymentView, Error> { unbuilt() }
    pub async fn get_payment(&self, _caller: &Caller, _request: GetPayment) -> Result<PaymentView, Error> { unbuilt() }
    pub async fn send_token(&self, _caller: &Caller, _request: SendToken) -> Result<PaymentView, Error> { unbuilt() }
    pub async fn receive_token(&self, _caller: &Caller, _request: ReceiveToken) -> Result<PaymentView, Error> { unbuilt() }
    pub async fn reclaim_token(&self, _caller: &Caller, _request: ReclaimToken) -> Result<PaymentView, Error> { unbuilt() }
    pub async fn list_history(&self, _caller: &Caller, _request: ListHistory) -> Result<HistoryView, Error> { unbuilt() }
    pub fn changes(&self) -> tokio::sync::watch::Receiver<u64> { tokio::sync::watch::channel(0).1 }
    pub async fn list_mints(&self, _caller: &Caller, _request: ListMints) -> Result<MintsView, Error> { unbuilt() }
}
