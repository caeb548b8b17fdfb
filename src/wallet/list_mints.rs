//! The mints: what they are, what they take, whether they answer.

use futures::future::join_all;
use tokio::time::{Duration, timeout};

use super::Wallet;
use super::error::Error;
use super::request::{Caller, ListMints};
use super::rules::Setup;
use super::view::{MintView, MintsView, Range};
use crate::mint::error::MintError;
use crate::model::mint::{MethodInfo, TrustedMint};

/// How long a mint may take to say that it is there.
const PATIENCE: Duration = Duration::from_secs(5);

impl Wallet {
    /// Every listed mint. Asks those that were used before whether they answer; contacts no other.
    ///
    /// # Errors
    /// `settings_invalid`, `storage_failed`.
    ///
    /// # Cancel safety
    /// Safe to drop.
    pub async fn list_mints(
        &self,
        _caller: &Caller,
        _request: ListMints,
    ) -> Result<MintsView, Error> {
        let setup = self.setup().await?;
        let views =
            join_all(setup.policy.mints.iter().map(|mint| self.view_mint(&setup, mint))).await;
        Ok(MintsView {
            money: setup.money.into(),
            mints: views.into_iter().collect::<Result<_, _>>()?,
        })
    }

    async fn view_mint(&self, setup: &Setup, listed: &TrustedMint) -> Result<MintView, Error> {
        let mint = self.mints.even_unchecked(&listed.address)?;
        let usable = setup.mint(&listed.address).is_some();
        let mut about = mint.about().await?;
        let mut reachable = None;
        if about.is_some() && usable {
            reachable = match timeout(PATIENCE, mint.refresh_about()).await {
                // Our own limit: nothing was asked.
                Ok(Err(MintError::TooMany { .. })) => None,
                Ok(answer) => Some(answer.map_or_else(|error| error.was_answered(), |()| true)),
                Err(_) => Some(false),
            };
            about = mint.about().await?;
        }
        let range =
            |method: MethodInfo| Range { min_sats: method.min_sats, max_sats: method.max_sats };
        Ok(MintView {
            mint: listed.address.to_string(),
            untrusted_name: self.name_of(&listed.address).await,
            test: listed.test,
            usable,
            reachable,
            spendable_sats: if usable { self.spendable_at(&listed.address).await? } else { 0 },
            perhaps_handed_out_sats: Some(self.left_out([&listed.address].into_iter()).await?)
                .filter(|sats| usable && *sats > 0),
            max_balance_sats: listed.max_balance_sats,
            fee_ppk: mint.fee_ppk().await,
            identity_changed: self
                .store
                .mint_identity_changed(listed.address.as_str())
                .await?
                .then_some(true),
            recommended_by: self.recommended_by(&listed.address).await?,
            deposit: about.as_ref().and_then(|about| about.deposit).map(range),
            pay: about.as_ref().and_then(|about| about.pay).map(range),
            amountless: about.as_ref().and_then(|about| about.pay).and_then(|pay| pay.amountless),
            lacks: mint.lacks().await?.into_iter().map(|nut| format!("NUT-{nut:02}")).collect(),
        })
    }
}
