//! A payment's row in the wallet file: one flat record for all kinds, without the fields of other
//! kinds. The field names are the file format and never change.

use serde::{Deserialize, Serialize};

use super::{
    Fetched, KindName, Melted, Payment, PaymentKind, PaymentState, Rail, Receipt, Zap, ZapRequest,
    ZappedEvent,
};
use crate::model::id::PaymentId;
use crate::model::mint::{MintAddress, MoneyKind};
use crate::model::secret::Secret;

/// A row that lacks a field of its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} is missing")]
pub(super) struct Lacks(&'static str);

#[derive(Serialize, Deserialize)]
pub(super) struct Row {
    id: PaymentId,
    agent: String,
    kind: KindName,
    key: Option<String>,
    request_digest: String,
    payment_hash: Option<String>,
    payee: String,
    shown_payee: Option<String>,
    note: Option<String>,
    note_is_untrusted: bool,
    mint: MintAddress,
    money: MoneyKind,
    quote_id: Option<String>,
    amount_sats: u64,
    reserved_sats: u64,
    created_at: u64,
    attempt: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fetched: Option<Fetched>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    zap: Option<ZapRow>,
    repeat_of: Option<PaymentId>,
    caller_in_doubt: bool,
    #[serde(flatten)]
    state: PaymentState,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum RailRow {
    Lightning,
    Nutzap,
}

#[derive(Serialize, Deserialize)]
struct ZapRow {
    recipient: Option<String>,
    event: Option<String>,
    zapped: Option<(Option<String>, Option<u16>, Option<String>)>,
    rail: RailRow,
    comment: String,
    anonymous: bool,
    relays: Vec<String>,
    mint_as_listed: Option<String>,
    request: Option<String>,
    receipt_key: Option<String>,
    receipt: Receipt,
    nutzap: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    signer: Option<Secret>,
}

impl From<Payment> for Row {
    fn from(payment: Payment) -> Self {
        let kind = payment.kind.name();
        let (melted, zap) = match payment.kind {
            PaymentKind::Lightning(melted) => (Some(melted), None),
            PaymentKind::Token => (None, None),
            PaymentKind::Zap(zap) => {
                let (melted, zap) = zap_row(*zap);
                (melted, Some(zap))
            }
        };
        let (payment_hash, quote_id, fetched) = melted.map_or((None, None, None), |melted| {
            (Some(melted.payment_hash), Some(melted.quote_id), melted.fetched)
        });
        Self {
            id: payment.id,
            agent: payment.agent,
            kind,
            key: payment.key,
            request_digest: payment.request_digest,
            payment_hash,
            payee: payment.payee,
            shown_payee: payment.shown_payee,
            note: payment.note,
            note_is_untrusted: payment.note_is_untrusted,
            mint: payment.mint,
            money: payment.money,
            quote_id,
            amount_sats: payment.amount_sats,
            reserved_sats: payment.reserved_sats,
            created_at: payment.created_at,
            attempt: payment.attempt,
            fetched,
            zap,
            repeat_of: payment.repeat_of,
            caller_in_doubt: payment.outcome_undelivered,
            state: payment.state,
        }
    }
}

fn zap_row(zap: Zap) -> (Option<Melted>, ZapRow) {
    let receipt = zap.receipt();
    let (event, zapped) = zap
        .event
        .map_or((None, None), |one| (Some(one.id), Some((one.relay, one.kind, one.coordinate))));
    let mut row = ZapRow {
        recipient: zap.recipient,
        event,
        zapped,
        rail: RailRow::Lightning,
        comment: zap.comment,
        anonymous: zap.anonymous,
        relays: zap.relays,
        mint_as_listed: None,
        request: None,
        receipt_key: None,
        receipt,
        nutzap: None,
        signer: None,
    };
    let melted = match zap.rail {
        Rail::Lightning { melted, request, .. } => {
            (row.request, row.receipt_key) =
                request.map(|request| (request.json, request.receipt_key)).unzip();
            Some(melted)
        }
        Rail::Nutzap { mint_as_listed, event, signer } => {
            (row.rail, row.mint_as_listed) = (RailRow::Nutzap, Some(mint_as_listed));
            (row.nutzap, row.signer) = (event, signer);
            None
        }
    };
    (melted, row)
}

impl TryFrom<Row> for Payment {
    type Error = Lacks;

    fn try_from(row: Row) -> Result<Self, Lacks> {
        let melted = || {
            Ok(Melted {
                payment_hash: row.payment_hash.clone().ok_or(Lacks("payment_hash"))?,
                quote_id: row.quote_id.clone().ok_or(Lacks("quote_id"))?,
                fetched: row.fetched,
            })
        };
        let kind = match row.kind {
            KindName::Payment => PaymentKind::Lightning(melted()?),
            KindName::TokenSent => PaymentKind::Token,
            KindName::Zap => {
                let zap = row.zap.ok_or(Lacks("zap"))?;
                let rail = match zap.rail {
                    RailRow::Lightning => Rail::Lightning {
                        melted: melted()?,
                        request: zap
                            .request
                            .zip(zap.receipt_key)
                            .map(|(json, receipt_key)| ZapRequest { json, receipt_key }),
                        receipt: zap.receipt,
                    },
                    RailRow::Nutzap => Rail::Nutzap {
                        mint_as_listed: zap.mint_as_listed.unwrap_or_else(|| row.mint.to_string()),
                        event: zap.nutzap,
                        signer: zap.signer,
                    },
                };
                let (relay, kind, coordinate) = zap.zapped.unwrap_or_default();
                PaymentKind::Zap(Box::new(Zap {
                    recipient: zap.recipient,
                    event: zap.event.map(|id| ZappedEvent { id, relay, kind, coordinate }),
                    comment: zap.comment,
                    anonymous: zap.anonymous,
                    relays: zap.relays,
                    rail,
                }))
            }
        };
        Ok(Self {
            id: row.id,
            agent: row.agent,
            kind,
            key: row.key,
            request_digest: row.request_digest,
            payee: row.payee,
            shown_payee: row.shown_payee,
            note: row.note,
            note_is_untrusted: row.note_is_untrusted,
            mint: row.mint,
            money: row.money,
            amount_sats: row.amount_sats,
            reserved_sats: row.reserved_sats,
            created_at: row.created_at,
            attempt: row.attempt,
            repeat_of: row.repeat_of,
            outcome_undelivered: row.caller_in_doubt,
            state: row.state,
        })
    }
}
