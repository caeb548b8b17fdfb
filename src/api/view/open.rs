//! Views of what is open, and of what its owner must know before giving it up.

use schemars::JsonSchema;
use serde::Serialize;

use super::rfc3339;
use crate::api::words;
use crate::wallet::{MayGiveUp, Undecided, Why};

view!(
    /// Something whose outcome is not known.
    OpenEntry {
        /// The payment_id, receive_id or deposit_id.
        id: String,
        /// The kind of entry.
        kind: &'static str,
        /// The amount, in sats.
        amount_sats: u64,
        /// The sats that count toward the limits.
        #[serde(skip_serializing_if = "Option::is_none")]
        reserved_sats: Option<u64>,
        /// The mint's URL.
        mint: String,
        /// The time since which it is open, RFC 3339, UTC.
        since: String,
        /// The reason that it is open.
        why: &'static str,
        /// The advice to the owner.
        what_to_do: String,
    }
);

view!(
    /// Everything that is open, and what was given up.
    OpenView {
        /// The entries.
        open: Vec<OpenEntry>,
    }
);

impl From<Vec<Undecided>> for OpenView {
    fn from(open: Vec<Undecided>) -> Self {
        Self { open: open.into_iter().map(OpenEntry::from).collect() }
    }
}

impl From<Undecided> for OpenEntry {
    fn from(one: Undecided) -> Self {
        let (why, what_to_do) = told(one.why, &one.id);
        Self {
            id: one.id,
            kind: words::entry_kind(one.kind),
            amount_sats: one.amount_sats,
            reserved_sats: one.reserved_sats,
            mint: one.mint.to_string(),
            since: rfc3339(one.since).unwrap_or_default(),
            why,
            what_to_do,
        }
    }
}

/// Returns the reason that something is open, and what the owner can do about `id`.
fn told(why: Why, id: &str) -> (&'static str, String) {
    match why {
        Why::PayeeHolds => ("the payee holds it", "wait: it ends automatically".to_owned()),
        Why::MintSilent => ("its mint is not answering", format!("wait, or if the mint is gone for good: nutpurse payments give-up {id}")),
        Why::Unknown => ("the outcome is unknown", "wait: its mint answers and is asked again".to_owned()),
        Why::UnknownForAWeek => ("no answer from its mint has settled it for a week", format!("wait, or: nutpurse payments give-up {id}")),
        Why::SpentElsewhere => ("its coins were spent elsewhere", "wait: it ends within a week".to_owned()),
        Why::Disputed => ("its mint says it has issued the coins, but none is here", "ask the mint's operator".to_owned()),
        Why::ReachedNobody => (
            "none of the recipient's relays accepted it within a month, so it is no longer sent",
            "its coins belong to the recipient and do not come back: have the agent give them the token from get_payment"
                .to_owned(),
        ),
        Why::GivenUp => ("you have given it up", format!("if the mint has come back: nutpurse payments revive {id}")),
    }
}

/// Returns the lines for the owner before something is given up.
pub fn may_give_up(record: &MayGiveUp) -> Vec<String> {
    let (mut lines, id, mint_answers) = match record {
        MayGiveUp::Payment { payment, since, mint_answers } => {
            let (id, mint) = (payment.id.to_string(), &payment.mint);
            let opened = rfc3339(*since).unwrap_or_default();
            let lines = vec![
                format!("{id}: {} sats, with fees at most {}, at {mint}, open since {opened}", payment.amount_sats, payment.reserved_sats),
                "It is not known whether it was paid. Giving it up does not answer that, and its coins leave the balance.".to_owned(),
                format!("Its {} sats count toward the 24-hour limit as spent at that time.", payment.reserved_sats),
                "Its agent is told that the outcome stays unknown. It may then pay again, and so pay for the same thing twice."
                    .to_owned(),
            ];
            (lines, id, mint_answers)
        }
        MayGiveUp::Receive { receive, since, mint_answers } => {
            let (id, mint) = (receive.id.to_string(), &receive.mint);
            let opened = rfc3339(*since).unwrap_or_default();
            let lines = vec![
                format!(
                    "{id}: a token of {} sats from {mint}, open since {opened}",
                    receive.amount_sats
                ),
                "It is not known whether its coins arrived. Giving it up does not answer that."
                    .to_owned(),
            ];
            (lines, id, mint_answers)
        }
    };
    let heard = if *mint_answers {
        "Its mint answers, but no answer has settled it for more than a week."
    } else {
        "Its mint was asked now, and no answer settled it."
    };
    lines.insert(1, heard.to_owned());
    lines.push(format!("Nothing is deleted: if the mint comes back, `nutpurse payments revive {id}` makes the wallet ask it again."));
    lines
}
