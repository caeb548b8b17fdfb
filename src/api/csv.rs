//! Writes the history as CSV: one group or one entry per row.

use super::code::Code;
use super::error::Error;
use super::view::{Entry, Group};
use crate::model::text;

pub(super) fn write_csv(groups: Option<&[Group]>, entries: &[Entry]) -> Result<String, Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let failed = |_| Error::new(Code::Internal, "The CSV could not be written.");
    if let Some(groups) = groups {
        writer.write_record(["key", "in_sats", "out_sats", "fee_sats", "count"]).map_err(failed)?;
        for group in groups {
            let cells = [
                text::csv_cell(&group.key),
                group.in_sats.to_string(),
                group.out_sats.to_string(),
                group.fee_sats.to_string(),
                group.count.to_string(),
            ];
            writer.write_record(cells).map_err(failed)?;
        }
    } else {
        let heads = [
            "id",
            "time",
            "direction",
            "kind",
            "state",
            "amount_sats",
            "fee_sats",
            "mint",
            "payee",
            "untrusted_payee",
            "sender_proven",
            "note",
            "untrusted_note",
            "payment_id",
            "claimed",
            "agent",
        ];
        writer.write_record(heads).map_err(failed)?;
        let cell = |words: &Option<String>| text::csv_cell(words.as_deref().unwrap_or(""));
        for entry in entries {
            let cells = [
                entry.id.clone(),
                entry.time.clone(),
                entry.direction.to_string(),
                entry.kind.to_string(),
                entry.state.to_string(),
                entry.amount_sats.to_string(),
                entry.fee_sats.to_string(),
                cell(&entry.mint),
                cell(&entry.payee),
                cell(&entry.untrusted_payee),
                entry.sender_proven.map(|proven| proven.to_string()).unwrap_or_default(),
                cell(&entry.note),
                cell(&entry.untrusted_note),
                cell(&entry.payment_id),
                entry.claimed.map(|claimed| claimed.to_string()).unwrap_or_default(),
                text::csv_cell(&entry.agent),
            ];
            writer.write_record(cells).map_err(failed)?;
        }
    }
    let bytes = writer
        .into_inner()
        .map_err(|_| Error::new(Code::Internal, "The CSV could not be written."))?;
    String::from_utf8(bytes)
        .map_err(|_| Error::new(Code::Internal, "The CSV could not be written."))
}
