//! What is open, and what its owner is told before it is given up.

use schemars::JsonSchema;
use serde::Serialize;

use super::rfc3339;
use crate::api::words;
use crate::wallet::{MayGiveUp, Undecided, Why};

view!(
    /// Something whose outcome is not known, as its owner is told of it.
    OpenEntry {
        /// Its payment_id, receive_id or deposit_id.
        id: String,
        /// What kind of thing.
        kind: &'static str,
        /// Sats.
        amount_sats: u64,
        /// Sats held back from the limits.
        #[serde(skip_serializing_if = "Option::is_none")]
        reserved_sats: Option<u64>,
        /// The mint.
        mint: String,
        /// RFC 3339, UTC.
        since: String,
        /// Why it is open, in words.
        why: &'static str,
        /// In words.
        what_to_do: String,
    }
);

view!(
    /// Everything that is open, and what was given up.
    OpenView {
        /// One each.
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

/// Why something is open, in words, and what can be done about `id`.
fn told(why: Why, id: &str) -> (&'static str, String) {
    match why {
        Why::PayeeHolds => ("the payee holds it", "wait: it ends by itself".to_owned()),
        Why::MintSilent => ("its mint is silent", format!("wait, or if the mint is gone for good: nutpurse payments give-up {id}")),
        Why::Unknown => ("the outcome is unknown", "wait: its mint answers, and is asked again".to_owned()),
        Why::UnknownForAWeek => ("for a week no answer of its mint has ended it", format!("wait, or: nutpurse payments give-up {id}")),
        Why::SpentElsewhere => ("its coins were spent elsewhere", "wait: it ends within a week".to_owned()),
        Why::Disputed => ("its mint says that it has issued the coins, and none is here", "ask whoever runs the mint".to_owned()),
        Why::ReachedNobody => (
            "none of the recipient's relays took it within a month, and it is not sent any more",
            "its coins are the recipient's alone and do not come back: have its agent give them the token that get_payment shows"
                .to_owned(),
        ),
        Why::GivenUp => ("you have given it up", format!("if the mint has come back: nutpurse payments revive {id}")),
    }
}

/// What a person is told before something is given up.
pub fn may_give_up(record: &MayGiveUp) -> Vec<String> {
    let (mut lines, id, mint_answers) = match record {
        MayGiveUp::Payment { payment, since, mint_answers } => {
            let (id, mint) = (payment.id.to_string(), &payment.mint);
            let opened = rfc3339(*since).unwrap_or_default();
            let lines = vec![
                format!("{id}: {} sats, with fees at most {}, at {mint}, open since {opened}", payment.amount_sats, payment.reserved_sats),
                "It is not known whether it was paid. Giving it up does not tell, and its coins leave the balance.".to_owned(),
                format!("For the limit of a day its {} sats count as spent at that time.", payment.reserved_sats),
                "Its agent is told that it stays unknown. A payment like it may be made again, and may pay the same thing twice."
                    .to_owned(),
            ];
            (lines, id, mint_answers)
        }
        MayGiveUp::Receive { receive, since, mint_answers } => {
            let (id, mint) = (receive.id.to_string(), &receive.mint);
            let opened = rfc3339(*since).unwrap_or_default();
            let lines = vec![
                format!(
                    "{id}: a token of {} sats that came from {mint}, open since {opened}",
                    receive.amount_sats
                ),
                "It is not known whether its coins became ours. Giving it up does not tell."
                    .to_owned(),
            ];
            (lines, id, mint_answers)
        }
    };
    let heard = if *mint_answers {
        "Its mint answers, and for more than a week none of its answers has ended it."
    } else {
        "Its mint was asked now, and gave no answer that could end it."
    };
    lines.insert(1, heard.to_owned());
    lines.push(format!("Nothing is deleted: should the mint come back, `nutpurse payments revive {id}` has it asked again."));
    lines
}
