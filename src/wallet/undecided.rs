//! What is open, for the owner: payments, received tokens, disputed deposits and nutzaps that
//! reached nobody, why each is open, and what can be done.
//!
//! Moves nothing. Asks each mint at most once, so that one that is silent is told as silent.

use std::collections::BTreeMap;

use futures::future::join_all;
use tokio::time::{Duration, timeout};

use super::Wallet;
use super::bury::KEPT_SECONDS;
use super::clock::rfc3339;
use super::error::Error;
use super::give_up::ask;
use super::view::{OpenEntry, OpenView};
use crate::mint::error::MintError;
use crate::mint::operation::Operation;
use crate::mint::swap::{Purpose, Swap};
use crate::model::line::Line;
use crate::model::mint::MintAddress;
use crate::model::payment::{Payment, PaymentState};
use crate::model::receive::Receive;

/// How long a mint gets to answer before it is told as silent.
const PATIENCE: Duration = Duration::from_secs(5);

impl Wallet {
    /// Everything that is open, and what was given up.
    ///
    /// # Errors
    /// `storage_failed`, `wallet_damaged`.
    ///
    /// # Cancel safety
    /// Safe to drop.
    pub async fn list_open(&self) -> Result<OpenView, Error> {
        let (operations, given_up) = (self.operations().await?, self.operations_given_up().await?);
        let (payments, receives) =
            (self.store.open_payments().await?, self.store.open_receives().await?);
        let mut asked: BTreeMap<MintAddress, Vec<Operation>> = BTreeMap::new();
        let open = payments
            .iter()
            .map(|one| (&one.mint, one.id.as_str()))
            .chain(receives.iter().map(|one| (&one.mint, one.id.as_str())));
        for (mint, id) in open {
            asked.entry(mint.clone()).or_insert_with(|| {
                operations.iter().filter(|one| one.subject() == Some(id)).cloned().collect()
            });
        }
        let silent = self.silent(asked).await;
        let mut entries = Vec::new();
        for payment in payments {
            let elsewhere = operations
                .iter()
                .any(|one| is_buried(one) && one.subject() == Some(payment.id.as_str()));
            let why = match payment.state {
                _ if elsewhere => Why::SpentElsewhere,
                _ if silent.contains(&payment.mint) => Why::MintSilent,
                PaymentState::Sent { acknowledged: true, .. } => Why::PayeeHolds,
                _ => self.unknown_since(payment.left_at()),
            };
            entries.push(of_payment(&payment, why));
        }
        for receive in receives {
            let is_silent = silent.contains(&receive.mint);
            entries.push(of_receive(
                &receive,
                if is_silent { Why::MintSilent } else { self.unknown_since(receive.created_at) },
            ));
        }
        for deposit in self.store.open_deposits().await? {
            if let Some(dispute) = deposit.disputed() {
                let (id, mint) = (deposit.id.to_string(), deposit.mint.to_string());
                entries.push(entry(
                    id,
                    "deposit",
                    deposit.amount_sats,
                    mint,
                    dispute.since,
                    Why::Disputed,
                ));
            }
        }
        for (payment, token) in self.store.unfinished(|_| true).await?.new_tokens {
            let delivered_to = self.delivered(&payment).await?;
            if token.claimed_at.is_none()
                && delivered_to.is_some_and(|to| to.given_up == Some(true))
            {
                entries.push(of_payment(&payment, Why::ReachedNobody));
            }
        }
        let mut ids: Vec<&str> = given_up.iter().filter_map(Operation::subject).collect();
        ids.sort_unstable();
        ids.dedup();
        for id in ids {
            if let Ok(id) = id.parse()
                && let Some(payment) = self.store.payment(&id).await?
            {
                entries.push(of_payment(&payment, Why::GivenUp));
            } else if let Ok(id) = id.parse()
                && let Some(receive) = self.store.receive(&id).await?
            {
                entries.push(of_receive(&receive, Why::GivenUp));
            }
        }
        Ok(OpenView { open: entries })
    }

    /// The number of deposits whose mint says that it has issued their coins, though none of them
    /// is here.
    ///
    /// # Errors
    /// `storage_failed`, `wallet_damaged`.
    pub async fn disputed(&self) -> Result<usize, Error> {
        Ok(self
            .store
            .open_deposits()
            .await?
            .iter()
            .filter(|deposit| deposit.disputed().is_some())
            .count())
    }

    fn unknown_since(&self, since: u64) -> Why {
        if since.saturating_add(KEPT_SECONDS) < (self.clock)() {
            Why::UnknownForAWeek
        } else {
            Why::Unknown
        }
    }

    /// The mints that do not answer about what is open there.
    async fn silent(&self, asked: BTreeMap<MintAddress, Vec<Operation>>) -> Vec<MintAddress> {
        let questions = asked.into_iter().map(async |(address, operations)| {
            let Ok(mint) = self.mints.even_unchecked(&address) else { return Some(address) };
            match timeout(PATIENCE, ask(&mint, &operations)).await {
                Ok(Ok(_) | Err(MintError::TooMany { .. } | MintError::Busy { .. })) => None,
                Ok(Err(_)) | Err(_) => Some(address),
            }
        });
        join_all(questions).await.into_iter().flatten().collect()
    }
}

/// Why something is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    PayeeHolds,
    MintSilent,
    Unknown,
    UnknownForAWeek,
    SpentElsewhere,
    Disputed,
    ReachedNobody,
    GivenUp,
}

impl Why {
    /// In words, and what can be done about `id`.
    fn told(self, id: &str) -> (&'static str, String) {
        match self {
            Self::PayeeHolds => ("the payee holds it", "wait: it ends by itself".to_owned()),
            Self::MintSilent => ("its mint is silent", format!("wait, or if the mint is gone for good: nutpurse payments give-up {id}")),
            Self::Unknown => ("the outcome is unknown", "wait: its mint answers, and is asked again".to_owned()),
            Self::UnknownForAWeek => ("for a week no answer of its mint has ended it", format!("wait, or: nutpurse payments give-up {id}")),
            Self::SpentElsewhere => ("its coins were spent elsewhere", "wait: it ends within a week".to_owned()),
            Self::Disputed => ("its mint says that it has issued the coins, and none is here", "ask whoever runs the mint".to_owned()),
            Self::ReachedNobody => (
                "none of the recipient's relays took it within a month, and it is not sent any more",
                "its coins are the recipient's alone and do not come back: have its agent give them the token that get_payment shows"
                    .to_owned(),
            ),
            Self::GivenUp => ("you have given it up", format!("if the mint has come back: nutpurse payments revive {id}")),
        }
    }
}

fn is_buried(operation: &Operation) -> bool {
    matches!(operation, Operation::Swap(Swap { purpose: Purpose::Buried { .. }, .. }))
}

fn of_payment(payment: &Payment, why: Why) -> OpenEntry {
    let (id, mint) = (payment.id.to_string(), payment.mint.to_string());
    let entry = entry(id, payment.kind.word(), payment.amount_sats, mint, payment.left_at(), why);
    OpenEntry { reserved_sats: Some(payment.reserved_sats).filter(|_| payment.is_open()), ..entry }
}

fn of_receive(receive: &Receive, why: Why) -> OpenEntry {
    let (id, mint) = (receive.id.to_string(), receive.mint.to_string());
    entry(id, Line::of_receive(receive).kind, receive.amount_sats, mint, receive.created_at, why)
}

fn entry(
    id: String,
    kind: &'static str,
    amount_sats: u64,
    mint: String,
    since: u64,
    why: Why,
) -> OpenEntry {
    let (why, what_to_do) = why.told(&id);
    OpenEntry {
        id,
        kind,
        amount_sats,
        reserved_sats: None,
        mint,
        since: rfc3339(since).unwrap_or_default(),
        why,
        what_to_do,
    }
}
