//! What a mint says of itself (NUT-06), as far as we use it, and what its coins are worth right now (NUT-07).

use cdk::nuts::{CheckStateRequest, PaymentMethod, PublicKey, State};
use cdk::wallet::MintConnector;
use cdk_common::wallet::ProofInfo;

use super::Mint;
use super::error::MintError;

/// The most coins asked about in one request.
const STATES_AT_ONCE: usize = 100;

/// What a mint says of itself. A stranger's words, not cleaned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct About {
    /// Its name.
    pub name: Option<String>,
    /// Least and most it takes in over Lightning, in sats. `None`: it does not say.
    pub deposit: (Option<u64>, Option<u64>),
    /// Least and most it pays out over Lightning, in sats. `None`: it does not say.
    pub pay: (Option<u64>, Option<u64>),
    /// It takes in sats over Lightning.
    pub can_deposit: bool,
    /// It pays sats over Lightning.
    pub can_pay: bool,
    /// It tells over a websocket when an invoice is paid (NUT-17).
    pub notifies: bool,
}

impl Mint {
    /// What the mint last said of itself. `None`: never asked. No request.
    ///
    /// # Errors
    /// [`MintError::Store`].
    pub async fn about(&self) -> Result<Option<About>, MintError> {
        let info = self.cdk.localstore.get_mint(self.cdk.mint_url.clone()).await;
        let Some(info) = info.map_err(|error| MintError::Store(error.to_string()))? else { return Ok(None) };
        let method = PaymentMethod::BOLT11;
        let minting = info.nuts.nut04.get_settings(&self.cdk.unit, &method);
        let melting = info.nuts.nut05.get_settings(&self.cdk.unit, &method);
        let sats = |amount: Option<cdk::Amount>| amount.map(|amount| amount.to_u64());
        Ok(Some(About {
            name: info.name,
            deposit: minting.as_ref().map_or((None, None), |one| (sats(one.min_amount), sats(one.max_amount))),
            pay: melting.as_ref().map_or((None, None), |one| (sats(one.min_amount), sats(one.max_amount))),
            can_deposit: minting.is_some() && !info.nuts.nut04.disabled,
            can_pay: melting.is_some() && !info.nuts.nut05.disabled,
            notifies: !info.nuts.nut17.supported.is_empty(),
        }))
    }

    /// Asks the mint about itself and its keysets. For the background.
    ///
    /// # Errors
    /// As the mint says.
    pub async fn refresh(&self) -> Result<(), MintError> {
        self.cdk.fetch_mint_info().await?;
        self.refresh_keysets().await?;
        Ok(())
    }

    /// Asks the mint about itself alone. One request.
    ///
    /// # Errors
    /// As the mint says.
    pub async fn refresh_about(&self) -> Result<(), MintError> {
        self.cdk.fetch_mint_info().await?;
        Ok(())
    }

    /// The states of coins, in the order asked (NUT-07). One request per hundred.
    ///
    /// # Errors
    /// As the mint says.
    pub async fn states(&self, ys: Vec<PublicKey>) -> Result<Vec<State>, MintError> {
        let mut states = Vec::with_capacity(ys.len());
        for some in ys.chunks(STATES_AT_ONCE) {
            let answer = self.connector.post_check_state(CheckStateRequest { ys: some.to_vec() }).await?;
            states.extend(answer.states.into_iter().map(|one| one.state));
        }
        Ok(states)
    }

    /// Coins of ours by Y, with what the store keeps beside them. No request.
    ///
    /// # Errors
    /// [`MintError::Store`].
    pub async fn coins(&self, ys: Vec<PublicKey>) -> Result<Vec<ProofInfo>, MintError> {
        self.cdk.localstore.get_proofs_by_ys(ys).await.map_err(|error| MintError::Store(error.to_string()))
    }

    /// All of these coins are spent at the mint.
    ///
    /// # Errors
    /// As the mint says.
    pub async fn all_spent(&self, ys: Vec<PublicKey>) -> Result<bool, MintError> {
        Ok(self.states(ys).await?.iter().all(|state| *state == State::Spent))
    }
}
