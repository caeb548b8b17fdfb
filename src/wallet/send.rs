//! Handing out a token (NUT-00), locked or not (NUT-11).

use super::digest::digest;
use super::draft::{Draft, Execution, Planned};
use super::failure::{Cause, Failure};
use super::gate::Name;
use super::inputs::funds;
use super::known::Known;
use super::outgoing_text::outgoing;
use super::record::{PaymentRecord, Replay};
use super::rules::Setup;
use super::{Caller, Wallet};
use crate::mint::swap::Lock;
use crate::mint::token;
use crate::model::id::PaymentId;
use crate::model::mint::MintAddress;
use crate::model::money::Sats;
use crate::model::payment::{KindName, PaymentKind};

/// A token that is to be made.
#[derive(Clone, Debug)]
pub struct TokenIntent {
    /// What it shall be worth.
    pub amount: Sats,
    /// Whose money it shall be. `None`: the mint that holds most.
    pub mint: Option<MintAddress>,
    /// Words inside it for its receiver.
    pub memo: Option<String>,
    /// The key that it is locked to. `None`: it is for whoever holds it.
    pub lock_to: Option<LockKey>,
    /// The caller's idempotency key.
    pub key: Option<String>,
    /// The payment that is repeated on purpose.
    pub repeat_of: Option<PaymentId>,
}

/// A public key that coins can be locked to (NUT-11).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockKey {
    /// As the caller gave it.
    given: String,
    /// Compressed, hex.
    hex: String,
}

/// The text is neither a public key of 66 hex characters nor an npub.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("neither a public key nor an npub")]
pub struct NotALockKey;

impl std::str::FromStr for LockKey {
    type Err = NotALockKey;

    fn from_str(text: &str) -> Result<Self, NotALockKey> {
        if text.len() > 200 {
            return Err(NotALockKey);
        }
        let hex = match bech32::decode(text.trim()) {
            Ok((hrp, data)) if hrp.as_str() == "npub" && data.len() == 32 => hex::encode(data),
            Ok(_) => return Err(NotALockKey),
            Err(_) => text.to_owned(),
        };
        let hex = token::read_lock(&hex).map_err(|_| NotALockKey)?;
        Ok(Self { given: text.to_owned(), hex })
    }
}

impl Wallet {
    /// Makes a token. Value leaves when somebody claims it; until then `reclaim_token` takes it
    /// back, unless it is locked.
    ///
    /// # Errors
    /// As [`Wallet::pay`], but for what concerns invoices: nothing moved.
    ///
    /// # Cancel safety
    /// Safe to drop: the token is made, and `get_payment` has it.
    pub async fn send_token(
        &self,
        caller: &Caller,
        intent: TokenIntent,
    ) -> Result<PaymentRecord, Failure> {
        let until = self.deadline();
        let _announced =
            self.gates.announce(&caller.agent, &[intent.key.as_deref().map(Name::Key)]);
        let setup = self.setup().await?;
        let (amount, mint) = (intent.amount.get(), self.mint_to_send_from(&setup, &intent).await?);
        let (memo, lock) = (intent.memo.as_deref().unwrap_or(""), intent.lock_to.as_ref());
        let given = lock.map_or("", |key| key.given.as_str());
        let digest = digest(&[
            "send_token",
            &amount.to_string(),
            intent.mint.as_ref().map_or("", MintAddress::as_str),
            &digest(&[memo, given]),
        ]);
        let known = self.known_by_key(caller, intent.key.as_deref(), &digest).await?;
        if let Known::Recorded(payment) = known {
            return self.describe(&setup, caller, *payment, Replay::Yes).await;
        }
        outgoing("memo", intent.memo.as_deref())?;
        let now = (self.clock)();
        let draft = Draft {
            key: intent.key,
            request_digest: digest,
            // What makes two tokens equal, apart from the amount.
            payee: self::digest(&[mint.as_str(), memo, lock.map_or("", |key| key.hex.as_str())]),
            shown_payee: lock.map(|key| key.given.clone()),
            note: intent.memo.clone(),
            repeat_of: intent.repeat_of,
            ..Draft::new(&setup, &caller.agent, KindName::TokenSent, amount, known.earlier(), now)
        };
        self.deny(&setup, &draft).await?;
        let held = self.held_at(&mint).await?;
        if held < amount {
            let left_out = self.left_out([&mint].into_iter()).await?;
            return Err(funds(amount, held, left_out).at(&mint));
        }
        let lock_to = intent.lock_to.map(|key| Lock { key: key.hex, tags: Vec::new() });
        let planned = Planned {
            draft,
            kind: PaymentKind::Token,
            mint: self.mints.at(&mint)?,
            execution: Execution::Token { lock_to, memo: intent.memo },
            max_fee_sats: None,
            pass: None,
        };
        let id = planned.draft.id.clone();
        let payment = self.spend(planned, until).await?;
        let replay = if payment.id == id { Replay::No } else { Replay::Yes };
        self.describe(&setup, caller, payment, replay).await
    }

    /// The named mint, else the one that holds most.
    async fn mint_to_send_from(
        &self,
        setup: &Setup,
        intent: &TokenIntent,
    ) -> Result<MintAddress, Failure> {
        if let Some(mint) = &intent.mint {
            return Ok(setup.usable(mint)?.address.clone());
        }
        let mut best: Option<(u64, MintAddress)> = None;
        for mint in setup.mints() {
            let held = self.spendable_at(&mint.address).await?;
            if best.as_ref().is_none_or(|(most, _)| held > *most) {
                best = Some((held, mint.address.clone()));
            }
        }
        best.map(|(_, mint)| mint).ok_or_else(|| Cause::NoMint.into())
    }
}
