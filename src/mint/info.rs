//! What a mint says of itself (NUT-06), as far as we use it, and what its coins are worth right now (NUT-07).

use cdk::nuts::nut04::MintMethodOptions;
use cdk::nuts::{CurrencyUnit, PaymentMethod, PublicKey, State};

use super::Mint;
use super::error::MintError;

/// The most coins asked about in one request (NUT-07).
pub const STATES_AT_ONCE: usize = 100;

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
    /// It writes our words into its invoices.
    pub takes_description: bool,
    /// It tells over a websocket when an invoice is paid (NUT-17).
    pub notifies: bool,
}

impl Mint {
    /// What the mint last said of itself. `None`: never asked. No request.
    ///
    /// # Errors
    /// [`MintError::Store`].
    pub async fn about(&self) -> Result<Option<About>, MintError> {
        let Some(info) = self.client.records.info(&self.client.name()).await? else { return Ok(None) };
        let method = PaymentMethod::BOLT11;
        let minting = info.nuts.nut04.get_settings(&CurrencyUnit::Sat, &method);
        let melting = info.nuts.nut05.get_settings(&CurrencyUnit::Sat, &method);
        let options = minting.as_ref().and_then(|one| one.options.as_ref());
        let sats = |amount: Option<cdk::Amount>| amount.map(|amount| amount.to_u64());
        Ok(Some(About {
            name: info.name,
            deposit: minting.as_ref().map_or((None, None), |one| (sats(one.min_amount), sats(one.max_amount))),
            pay: melting.as_ref().map_or((None, None), |one| (sats(one.min_amount), sats(one.max_amount))),
            can_deposit: minting.is_some() && !info.nuts.nut04.disabled,
            can_pay: melting.is_some() && !info.nuts.nut05.disabled,
            takes_description: matches!(options, Some(MintMethodOptions::Bolt11 { description: true })),
            notifies: !info.nuts.nut17.supported.is_empty(),
        }))
    }

    /// Asks the mint about itself and its keysets. For the background.
    ///
    /// # Errors
    /// As the mint says.
    pub async fn refresh(&self) -> Result<(), MintError> {
        if let Err(error) = self.refresh_about().await {
            tracing::debug!(%error, "a mint did not say what it is");
        }
        self.learn_keysets().await
    }

    /// Asks the mint about itself alone. One request.
    ///
    /// # Errors
    /// As the mint says.
    pub async fn refresh_about(&self) -> Result<(), MintError> {
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
