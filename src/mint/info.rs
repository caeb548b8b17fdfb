//! A mint's info (NUT-06), the NUTs it lacks, and the states of its proofs (NUT-07).

use std::str::FromStr;
use std::sync::Arc;

use cdk::mint_url::MintUrl;
use cdk::nuts::{PublicKey, State};

use super::Mint;
use super::client::ask_info;
use super::error::MintError;
use crate::model::mint::{MintAddress, MintInfo};
use crate::ports::Http;

/// Maximum number of proofs in one state request (NUT-07).
pub const STATES_AT_ONCE: usize = 100;

/// NUTs that the wallet uses but can do without: proof states, change of melts, restore.
const USED_NUTS: [u8; 3] = [7, 8, 9];

/// Asks a mint that is not used yet for its info, and returns the used NUTs it lacks. One request.
///
/// # Errors
/// If the request fails.
pub async fn missing_nuts(
    http: &Arc<dyn Http>,
    address: &MintAddress,
) -> Result<Vec<u8>, MintError> {
    let url = MintUrl::from_str(address.as_str())
        .map_err(|error| MintError::AddressRefused(error.to_string()))?;
    let info = ask_info(&**http, &url).await?;
    Ok(USED_NUTS.into_iter().filter(|nut| !info.nuts.contains(nut)).collect())
}

impl Mint {
    /// Returns the mint's last info. `None`: never asked. No request.
    ///
    /// # Errors
    /// [`MintError::Store`].
    pub async fn info(&self) -> Result<Option<MintInfo>, MintError> {
        Ok(self.client.records.info(&self.client.name()).await?)
    }

    /// Returns the used NUTs that the mint lacks, according to its responses or else its info.
    /// Empty if it was never asked. No request.
    ///
    /// # Errors
    /// [`MintError::Store`].
    pub async fn missing_nuts(&self) -> Result<Vec<u8>, MintError> {
        let info = self.info().await?;
        let said = |nut: &u8| info.as_ref().is_none_or(|info| info.nuts.contains(nut));
        Ok(USED_NUTS
            .into_iter()
            .filter(|nut| !self.client.has_shown(*nut).unwrap_or_else(|| said(nut)))
            .collect())
    }

    /// Returns whether the mint supports locks (NUT-11) and DLEQ proofs (NUT-12). Without locks,
    /// anyone could take proofs from a public event. One request if its info is not known.
    ///
    /// # Errors
    /// If the request fails.
    pub async fn supports_nutzaps(&self) -> Result<bool, MintError> {
        if self.info().await?.is_none() {
            self.refresh_info().await?;
        }
        Ok(self
            .info()
            .await?
            .is_some_and(|info| [11, 12].iter().all(|nut| info.nuts.contains(nut))))
    }

    /// Returns whether the mint gives change for a melt (NUT-08), as far as known. No request.
    ///
    /// # Errors
    /// [`MintError::Store`].
    pub async fn gives_change(&self) -> Result<bool, MintError> {
        Ok(!self.missing_nuts().await?.contains(&8))
    }

    /// Fetches the mint's info and keysets, for background use. Only the keysets are required.
    ///
    /// # Errors
    /// If the request for keysets fails.
    pub async fn refresh(&self) -> Result<(), MintError> {
        if let Err(error) = self.refresh_info().await {
            tracing::debug!(%error, "a mint's info could not be fetched");
        }
        self.refresh_keysets().await
    }

    /// Fetches the mint's info. One request.
    ///
    /// # Errors
    /// If the request fails.
    pub async fn refresh_info(&self) -> Result<(), MintError> {
        let info = self.client.info().await?;
        Ok(self.client.records.put_info(&self.client.name(), info).await?)
    }

    /// Returns the states of proofs, in the order asked (NUT-07). One request per hundred.
    ///
    /// # Errors
    /// If a request fails.
    pub async fn states(&self, ys: Vec<PublicKey>) -> Result<Vec<State>, MintError> {
        self.client.states(&ys).await
    }

    /// Returns whether all of these proofs are spent at the mint.
    ///
    /// # Errors
    /// If a request fails.
    pub async fn all_spent(&self, ys: Vec<PublicKey>) -> Result<bool, MintError> {
        Ok(self.states(ys).await?.iter().all(|state| *state == State::Spent))
    }
}
