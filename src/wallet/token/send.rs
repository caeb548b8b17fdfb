//! Sends a token (NUT-00), locked or not (NUT-11).

use crate::mint::swap::P2pkLock;
use crate::mint::token;
use crate::model::id::PaymentId;
use crate::model::mint::MintAddress;
use crate::model::money::Sats;
use crate::model::payment::{KindName, PaymentKind};
use crate::wallet::core::Caller;
use crate::wallet::core::Core;
use crate::wallet::core::active_policy::Setup;
use crate::wallet::core::digest::digest;
use crate::wallet::core::failure::{Cause, Failure};
use crate::wallet::core::lock::Name;
use crate::wallet::core::outgoing_text::outgoing;
use crate::wallet::door::admit::spend;
use crate::wallet::door::known::{KnownRequest, known_by_key};
use crate::wallet::door::record::{PaymentRecord, Replay, describe};
use crate::wallet::execution::coin_selection::funds;
use crate::wallet::execution::judge::deny;
use crate::wallet::execution::planned::{Draft, Execution, Planned};
use crate::wallet::proofs::balances::{held_at, left_out, spendable_at};
use crate::wallet::token::Tokens;

/// Parameters of a token.
#[derive(Clone, Debug)]
pub struct TokenIntent {
    /// The token's value.
    pub amount: Sats,
    /// The mint whose proofs it contains. `None`: the mint that holds most.
    pub mint: Option<MintAddress>,
    /// Message for the recipient, inside the token.
    pub memo: Option<String>,
    /// The key to lock it to. `None`: anyone who has it can claim it.
    pub lock_to: Option<LockKey>,
    /// The caller's idempotency key.
    pub key: Option<String>,
    /// The payment that is deliberately repeated.
    pub repeat_of: Option<PaymentId>,
}

/// A public key that coins can be locked to (NUT-11).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockKey {
    /// The text as given.
    given: String,
    /// Compressed key, hex.
    hex: String,
}

/// Error: the text is neither a public key of 66 hex characters nor an npub.
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

impl Tokens<'_> {
    /// Makes a token. Value leaves when someone claims it; until then [`Tokens::reclaim`] can take
    /// it back, unless it is locked.
    ///
    /// # Errors
    /// Those of `Payments::pay`, except the ones about invoices: nothing moved.
    ///
    /// # Cancel safety
    /// Safe to drop: an admitted token is made in the background and recorded.
    pub async fn send(
        self,
        caller: &Caller,
        intent: TokenIntent,
    ) -> Result<PaymentRecord, Failure> {
        let core = self.0;
        let until = core.deadline();
        let _announced =
            core.locks.announce(&caller.agent, &[intent.key.as_deref().map(Name::Key)]);
        let setup = core.setup().await?;
        let (amount, mint) = (intent.amount.get(), mint_to_send_from(core, &setup, &intent).await?);
        let (memo, lock) = (intent.memo.as_deref().unwrap_or(""), intent.lock_to.as_ref());
        let given = lock.map_or("", |key| key.given.as_str());
        let digest = digest(&[
            "send_token",
            &amount.to_string(),
            intent.mint.as_ref().map_or("", MintAddress::as_str),
            &digest(&[memo, given]),
        ]);
        let known = known_by_key(core, caller, intent.key.as_deref(), &digest).await?;
        if let KnownRequest::Recorded(payment) = known {
            return describe(core, &setup, caller, *payment, Replay::Yes).await;
        }
        outgoing("memo", intent.memo.as_deref())?;
        let now = (core.clock)();
        let draft = Draft {
            key: intent.key,
            request_digest: digest,
            // Two tokens with equal digest and amount count as similar payments.
            payee: self::digest(&[mint.as_str(), memo, lock.map_or("", |key| key.hex.as_str())]),
            shown_payee: lock.map(|key| key.given.clone()),
            note: intent.memo.clone(),
            repeat_of: intent.repeat_of,
            ..Draft::new(&setup, &caller.agent, KindName::TokenSent, amount, known.earlier(), now)
        };
        deny(core, &setup, &draft).await?;
        let held = held_at(core, &mint).await?;
        if held < amount {
            let left_out = left_out(core, [&mint].into_iter()).await?;
            return Err(funds(amount, held, left_out).at(&mint));
        }
        let lock_to = intent.lock_to.map(|key| P2pkLock { key: key.hex, tags: Vec::new() });
        let planned = Planned {
            draft,
            kind: PaymentKind::Token,
            mint: core.mints.at(&mint)?,
            execution: Execution::Token { lock_to, memo: intent.memo },
            max_fee_sats: None,
            pass: None,
        };
        let id = planned.draft.id.clone();
        let payment = spend(core, planned, until).await?;
        let replay = if payment.id == id { Replay::No } else { Replay::Yes };
        describe(core, &setup, caller, payment, replay).await
    }
}

/// Returns the named mint, or the one that holds most.
async fn mint_to_send_from(
    core: &Core,
    setup: &Setup,
    intent: &TokenIntent,
) -> Result<MintAddress, Failure> {
    if let Some(mint) = &intent.mint {
        return Ok(setup.usable(mint)?.address.clone());
    }
    let mut best: Option<(u64, MintAddress)> = None;
    for mint in setup.mints() {
        let held = spendable_at(core, &mint.address).await?;
        if best.as_ref().is_none_or(|(most, _)| held > *most) {
            best = Some((held, mint.address.clone()));
        }
    }
    best.map(|(_, mint)| mint).ok_or_else(|| Cause::NoMint.into())
}
