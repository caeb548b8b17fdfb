//! Issues proofs for a paid Lightning invoice (NUT-04, NUT-20, NUT-23).
//!
//! ```text
//!  plan --(journaled)--> post --> Done | Refused | OutputsUsed | Disputed | Unknown
//!                          ^                                                   |
//!                          +--------------------- resume <---------------------+
//! ```
//! Never trusts a notification: only the quote's state, as the mint answers it, counts. Never sends
//! a request with other outputs while an earlier one may have been carried out.

use std::collections::BTreeMap;

use cdk::amount::Amount;
use cdk::nuts::nut20::derive_quote_locking_key;
use cdk::nuts::{CurrencyUnit, MintQuoteBolt11Request, MintQuoteState, MintRequest, SecretKey};
use cdk::secp256k1::{Keypair, Message};
use cdk_common::SECP256K1;
use cdk_common::wallet::ProofInfo;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::error::{MintError, nut};
use super::outputs::{Outputs, wrong};
use super::read::needed;
use super::{Mint, MintGuard};
use crate::model::deposit::Deposit;
use crate::model::id::DepositId;
use crate::model::mint::MintAddress;
use crate::model::secret::Secret;
use crate::ports::Counters;

/// A mint quote: an invoice that adds money to the wallet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssueQuote {
    /// The mint's id of the quote.
    pub id: String,
    /// The invoice.
    pub bolt11: String,
    /// Expiry in Unix seconds; 0 if the mint gives none.
    pub expires_at: u64,
    /// Index of the seed's key that locks the quote (NUT-20).
    pub lock: u32,
}

/// State of a mint quote, as the mint answers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IssueState {
    /// The invoice is unpaid.
    Unpaid,
    /// The invoice is paid; the proofs can be issued.
    Paid,
    /// The proofs are issued.
    Issued,
}

/// A journaled issue. Contains secrets.
#[derive(Clone, Serialize, Deserialize)]
pub struct Issue {
    /// Id of the operation.
    pub id: Uuid,
    /// The deposit it serves.
    pub deposit: DepositId,
    /// The mint.
    pub mint: MintAddress,
    quote_id: String,
    lock: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    quote_key: Option<Secret>,
    pub(super) outputs: Outputs,
}

impl std::fmt::Debug for Issue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Issue")
            .field("id", &self.id)
            .field("deposit", &self.deposit)
            .finish_non_exhaustive()
    }
}

impl Issue {
    /// Returns the counters of its outputs.
    pub fn counters(&self) -> Counters {
        self.outputs.counters()
    }

    /// Returns the sats it brings.
    pub fn sats(&self) -> u64 {
        self.outputs.total()
    }
}

/// Outcome of an issue.
#[derive(Clone, Debug)]
pub enum IssueOutcome {
    /// Signed: the new proofs.
    Done(Vec<ProofInfo>),
    /// Definitely refused, or not sent. The outputs were not signed.
    Refused(MintError),
    /// The outputs were signed earlier for something else and are never used again.
    OutputsUsed,
    /// The mint calls the quote issued but has signed none of these outputs.
    Disputed,
    /// Not known yet.
    Unknown(MintError),
}

impl Mint {
    /// Requests an invoice over `amount_sats`. One request. The description is omitted if the mint
    /// does not accept one.
    ///
    /// # Errors
    /// If the request fails.
    pub async fn quote_deposit(
        &self,
        amount_sats: u64,
        description: Option<String>,
    ) -> Result<IssueQuote, MintError> {
        self.keyset_infos().await?;
        let takes_words = self
            .info()
            .await?
            .is_none_or(|info| info.deposit.is_some_and(|method| method.description == Some(true)));
        let lock = self.client.records.next_quote_key().await?;
        let pubkey = derive_quote_locking_key(self.seed.bytes(), lock).map_err(wrong)?.public_key();
        let request = MintQuoteBolt11Request {
            amount: Amount::from(amount_sats),
            unit: CurrencyUnit::Sat,
            description: description.filter(|_| takes_words),
            pubkey: Some(pubkey),
        };
        let quote = self.client.quote_mint(&request).await?;
        Ok(IssueQuote {
            id: quote.id,
            bolt11: needed(quote.bolt11, "request")?,
            expires_at: quote.expires_at,
            lock,
        })
    }

    /// Asks for the state of one of our quotes. One request.
    ///
    /// # Errors
    /// If the request fails.
    pub async fn deposit_state(&self, quote_id: &str) -> Result<IssueState, MintError> {
        Ok(self.deposit_quote(quote_id).await?.0)
    }

    /// Asks for a quote's state and invoice, which is empty if the mint omits it. One request.
    ///
    /// # Errors
    /// If the request fails.
    pub async fn deposit_quote(&self, quote_id: &str) -> Result<(IssueState, String), MintError> {
        let quote = self.client.mint_quote(quote_id).await?;
        let state = match needed(quote.state, "state")? {
            MintQuoteState::Unpaid => IssueState::Unpaid,
            MintQuoteState::Paid => IssueState::Paid,
            MintQuoteState::Issued => IssueState::Issued,
        };
        Ok((state, quote.bolt11.unwrap_or_default()))
    }

    /// Returns the hex secret key that locks one of our quotes. No request.
    ///
    /// # Errors
    /// If it cannot be derived.
    pub fn quote_key(&self, lock: u32) -> Result<Secret, MintError> {
        Ok(Secret::new(
            derive_quote_locking_key(self.seed.bytes(), lock).map_err(wrong)?.to_secret_hex(),
        ))
    }

    /// Plans the issue of a paid deposit. `held` is the number of proofs of each amount in the
    /// wallet. The caller holds the mint's lock and journals the plan before [`Mint::post_issue`].
    ///
    /// # Errors
    /// If a request for keysets fails.
    pub async fn plan_issue(
        &self,
        deposit: &Deposit,
        held: &BTreeMap<u64, usize>,
    ) -> Result<Issue, MintError> {
        let keyset = self.active_keyset().await?;
        let outputs = self.spread_outputs(&keyset, deposit.amount_sats, held).await?;
        let (id, mint, quote_id) = (Uuid::new_v4(), self.address.clone(), deposit.quote_id.clone());
        Ok(Issue {
            id,
            deposit: deposit.id.clone(),
            mint,
            quote_id,
            lock: deposit.lock,
            quote_key: deposit.quote_key.clone(),
            outputs,
        })
    }

    /// Replans an issue with new outputs in the same journal row. Allowed only if none of its
    /// outputs was signed, or all were signed for something else.
    ///
    /// # Errors
    /// Those of [`Mint::plan_issue`].
    pub async fn replan_issue(
        &self,
        issue: &Issue,
        _guard: &MintGuard,
    ) -> Result<Issue, MintError> {
        let keyset = self.active_keyset().await?;
        Ok(Issue { outputs: self.own_outputs(&keyset, 0, issue.sats()).await?, ..issue.clone() })
    }

    /// Sends the request for a paid quote's proofs. One request; more if the answer is not
    /// decisive.
    ///
    /// # Cancel safety
    /// Not cancel safe: a dropped future leaves the issue to [`Mint::resume_issue`]. Nothing is
    /// lost.
    pub async fn post_issue(&self, issue: &Issue, _guard: &MintGuard) -> IssueOutcome {
        match self.request_issue(issue).await {
            Ok(proofs) => IssueOutcome::Done(proofs),
            // Nothing was sent: no query is needed.
            Err(error) if error.is_definite() && error.code().is_none() => {
                IssueOutcome::Refused(error)
            }
            // Another folder with the same mnemonic used these counters, unless this very issue
            // did.
            Err(error) if error.code() == Some(nut::OUTPUTS_SIGNED) => {
                match self.lookup_issue(issue).await {
                    IssueLookup::Unsigned(MintQuoteState::Paid) => IssueOutcome::OutputsUsed,
                    looked => looked.outcome().unwrap_or(IssueOutcome::Unknown(error)),
                }
            }
            // A refusal counts only if the mint has signed nothing and does not call the quote
            // issued.
            Err(error) => match self.lookup_issue(issue).await {
                IssueLookup::Unsigned(MintQuoteState::Paid | MintQuoteState::Unpaid)
                    if error.is_definite() =>
                {
                    IssueOutcome::Refused(error)
                }
                looked => looked.outcome().unwrap_or(IssueOutcome::Unknown(error)),
            },
        }
    }

    /// Ends an issue with unknown outcome: by signatures the mint already has, otherwise by
    /// repeating the request.
    pub async fn resume_issue(&self, issue: &Issue, guard: &MintGuard) -> IssueOutcome {
        match self.lookup_issue(issue).await {
            IssueLookup::Unsigned(MintQuoteState::Paid) => {
                match self.post_issue(issue, guard).await {
                    // Only the repeat was rejected; the earlier request may still arrive.
                    IssueOutcome::Refused(error) if error.code().is_none() => {
                        IssueOutcome::Unknown(error)
                    }
                    outcome => outcome,
                }
            }
            // A paid quote never becomes unpaid: a lagging replica of the mint answered.
            IssueLookup::Unsigned(MintQuoteState::Unpaid) => {
                IssueOutcome::Unknown(MintError::Wrong("a paid quote is called unpaid".to_owned()))
            }
            // Issued, but the mint does not serve NUT-09: a repeat may return the signatures
            // (NUT-19).
            IssueLookup::Failed(error) if error.is_not_served() => self
                .request_issue(issue)
                .await
                .map_or(IssueOutcome::Unknown(error), IssueOutcome::Done),
            IssueLookup::Failed(error) => IssueOutcome::Unknown(error),
            looked => looked.outcome().unwrap_or(IssueOutcome::Disputed),
        }
    }

    async fn request_issue(&self, issue: &Issue) -> Result<Vec<ProofInfo>, MintError> {
        let mut request = MintRequest {
            quote: issue.quote_id.clone(),
            outputs: issue.outputs.blinded(),
            signature: None,
        };
        let unusable = |error: &dyn std::fmt::Display| MintError::NotSent(error.to_string());
        let key = match (&issue.quote_key, issue.lock) {
            (Some(key), _) => {
                SecretKey::from_hex(key.reveal()).map_err(|error| unusable(&error))?
            }
            (None, Some(lock)) => derive_quote_locking_key(self.seed.bytes(), lock)
                .map_err(|error| unusable(&error))?,
            (None, None) => {
                return self
                    .unblind_issue(issue, self.client.mint(&request).await?.signatures)
                    .await;
            }
        };
        sign(&mut request, &key);
        let told = match self.client.mint(&request).await {
            // Mints older than NUT-20's domain-separated message accept only the legacy signature.
            // The request is otherwise the same.
            Err(MintError::Refused { code: nut::NOT_OPENED, .. }) => {
                request.sign_legacy(key).map_err(|error| MintError::NotSent(error.to_string()))?;
                // The first request may have been carried out, whatever happens to the second.
                let unsent = |error: &MintError| error.is_definite() && error.code().is_none();
                self.client.mint(&request).await.map_err(|error| {
                    if unsent(&error) { MintError::Lost(error.to_string()) } else { error }
                })?
            }
            told => told?,
        };
        self.unblind_issue(issue, told.signatures).await
    }

    async fn unblind_issue(
        &self,
        issue: &Issue,
        signatures: Vec<cdk::nuts::BlindSignature>,
    ) -> Result<Vec<ProofInfo>, MintError> {
        self.unblind(&issue.outputs, issue.outputs.signed_in_order(signatures)?, issue.id).await
    }

    /// Looks up what the mint knows of an issue. Asks for the outputs first, so that signatures
    /// made between the two queries show in the quote.
    async fn lookup_issue(&self, issue: &Issue) -> IssueLookup {
        let unanswered = self.unanswered();
        let signed = match self.signed(&issue.outputs).await {
            Err(silent) if self.unanswered() != unanswered => return IssueLookup::Failed(silent),
            signed => signed,
        };
        let state = self
            .client
            .mint_quote(&issue.quote_id)
            .await
            .and_then(|quote| needed(quote.state, "state"));
        let (signed, state) = match (signed, state) {
            (Ok(signed), Ok(state)) => (signed, state),
            // Only some outputs are signed, or for other amounts; a repeat of the request will say
            // so.
            (Err(MintError::Wrong(_)), Ok(MintQuoteState::Paid)) => (None, MintQuoteState::Paid),
            // The mint does not serve NUT-09. A quote it has not issued has no signatures.
            (Err(error), Ok(MintQuoteState::Paid)) if error.is_not_served() => {
                (None, MintQuoteState::Paid)
            }
            (Err(error), _) | (_, Err(error)) => return IssueLookup::Failed(error),
        };
        match (signed, state) {
            (Some(signed), MintQuoteState::Issued) => {
                match self.unblind(&issue.outputs, signed, issue.id).await {
                    Ok(proofs) => IssueLookup::Ours(proofs),
                    Err(error) => IssueLookup::Failed(error),
                }
            }
            (Some(_), _) => IssueLookup::SignedForOther,
            (None, MintQuoteState::Issued) => match self.signed(&issue.outputs).await {
                Ok(None) => IssueLookup::Unsigned(MintQuoteState::Issued),
                Ok(Some(signed)) => match self.unblind(&issue.outputs, signed, issue.id).await {
                    Ok(proofs) => IssueLookup::Ours(proofs),
                    Err(error) => IssueLookup::Failed(error),
                },
                Err(error) => IssueLookup::Failed(error),
            },
            (None, state) => IssueLookup::Unsigned(state),
        }
    }
}

/// Signs the request with the quote's key (NUT-20). The signature is deterministic, so that a mint
/// that caches answers (NUT-19) recognizes a repeat.
fn sign(request: &mut MintRequest<String>, key: &SecretKey) {
    let message = Message::from_digest(Sha256::digest(request.msg_to_sign()).into());
    let pair = Keypair::from_secret_key(&SECP256K1, key);
    request.signature = Some(SECP256K1.sign_schnorr_no_aux_rand(&message, &pair).to_string());
}

/// The mint's knowledge of an issue's outputs and quote.
enum IssueLookup {
    /// Signed for this quote.
    Ours(Vec<ProofInfo>),
    /// Signed for something else.
    SignedForOther,
    /// Not signed; contains the quote's state.
    Unsigned(MintQuoteState),
    /// A query failed.
    Failed(MintError),
}

impl IssueLookup {
    /// Returns the outcome, if this decides it.
    fn outcome(self) -> Option<IssueOutcome> {
        match self {
            Self::Ours(proofs) => Some(IssueOutcome::Done(proofs)),
            Self::SignedForOther => Some(IssueOutcome::OutputsUsed),
            Self::Unsigned(MintQuoteState::Issued) => Some(IssueOutcome::Disputed),
            Self::Unsigned(_) | Self::Failed(_) => None,
        }
    }
}
