//! What a mint says of itself (NUT-06), as far as we use it, what it lacks, and what its coins are
//! worth right now (NUT-07).

use std::str::FromStr;
use std::sync::Arc;

use cdk::mint_url::MintUrl;
use cdk::nuts::{PublicKey, State};

use super::Mint;
use super::client::ask_info;
use super::error::MintError;
use crate::model::mint::{MintAddress, MintInfo};
use crate::ports::Http;

/// The most coins asked about in one request (NUT-07).
pub const STATES_AT_ONCE: usize = 100;

/// What the wallet leans on and can do without: states of coins, change of payments, signatures
/// given again.
const USED_NUTS: [u8; 3] = [7, 8, 9];

/// The NUTs that the wallet leans on and a mint lacks, as it says itself when it is asked now, and
/// by nothing else: for a mint that is not used yet. One request.
///
/// # Errors
/// As the mint says.
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
    /// What the mint last said of itself. `None`: never asked. No request.
    ///
    /// # Errors
    /// [`MintError::Store`].
    pub async fn info(&self) -> Result<Option<MintInfo>, MintError> {
        Ok(self.client.records.info(&self.client.name()).await?)
    }

    /// The NUTs that the wallet leans on and the mint lacks: by what its answers have shown, else
    /// by what it says of itself. None where it was never asked. No request.
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

    /// The mint says that it keeps coins locked (NUT-11) and proves its signatures (NUT-12).
    /// Without the first, coins that everybody sees are anybody's. One request, where it has never
    /// said what it is.
    ///
    /// # Errors
    /// As the mint says.
    pub async fn supports_nutzaps(&self) -> Result<bool, MintError> {
        if self.info().await?.is_none() {
            self.refresh_info().await?;
        }
        Ok(self
            .info()
            .await?
            .is_some_and(|info| [11, 12].iter().all(|nut| info.nuts.contains(nut))))
    }

    /// The mint gives change for a payment (NUT-08), as far as is known. No request.
    ///
    /// # Errors
    /// [`MintError::Store`].
    pub async fn gives_change(&self) -> Result<bool, MintError> {
        Ok(!self.missing_nuts().await?.contains(&8))
    }

    /// Asks the mint about itself and its keysets. For the background.
    ///
    /// # Errors
    /// As the mint says.
    pub async fn refresh(&self) -> Result<(), MintError> {
        if let Err(error) = self.refresh_info().await {
            tracing::debug!(%error, "a mint did not say what it is");
        }
        self.refresh_keysets().await
    }

    /// Asks the mint about itself alone. One request.
    ///
    /// # Errors
    /// As the mint says.
    pub async fn refresh_info(&self) -> Result<(), MintError> {
        let info = self.client.info().await?;
        Ok(self.client.records.put_info(&self.client.name(), info).await?)
    }

    /// The states of coins, in the order asked (NUT-07). One request per hundred.
    ///
    /// # Errors
    /// As the mint says.
    pub async fn states(&self, ys: Vec<PublicKey>) -> Result<Vec<State>, MintError> {
        self.client.states(&ys).await
    }

    /// All of these coins are spent at the mint.
    ///
    /// # Errors
    /// As the mint says.
    pub async fn all_spent(&self, ys: Vec<PublicKey>) -> Result<bool, MintError> {
        Ok(self.states(ys).await?.iter().all(|state| *state == State::Spent))
    }
}
