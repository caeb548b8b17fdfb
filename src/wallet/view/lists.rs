//! The answers that are lists: history, mints, and what is open.

use schemars::JsonSchema;
use serde::Serialize;

use super::MoneyWord;

view!(
    /// One thing that happened.
    Entry {
        /// Its payment_id, deposit_id or receive_id, or the time of a policy change.
        id: String,
        /// RFC 3339, UTC.
        time: String,
        /// in, out or none.
        direction: &'static str,
        /// What kind of thing.
        kind: &'static str,
        /// As the verb that made it says.
        state: &'static str,
        /// Sats.
        amount_sats: u64,
        /// Sats.
        fee_sats: u64,
        /// The mint.
        #[serde(skip_serializing_if = "Option::is_none")]
        mint: Option<String>,
        /// The payee as the caller gave it.
        #[serde(skip_serializing_if = "Option::is_none")]
        payee: Option<String>,
        /// The payee as it calls itself.
        #[serde(skip_serializing_if = "Option::is_none")]
        untrusted_payee: Option<String>,
        /// A nutzap that came in: its coins themselves name the sender. If false, anybody may have
        /// published it.
        #[serde(skip_serializing_if = "Option::is_none")]
        sender_proven: Option<bool>,
        /// Our own words.
        #[serde(skip_serializing_if = "Option::is_none")]
        note: Option<String>,
        /// A stranger's words.
        #[serde(skip_serializing_if = "Option::is_none")]
        untrusted_note: Option<String>,
        /// The payment it belongs to.
        #[serde(skip_serializing_if = "Option::is_none")]
        payment_id: Option<String>,
        /// A token: somebody has claimed it.
        #[serde(skip_serializing_if = "Option::is_none")]
        claimed: Option<bool>,
        /// The agent that caused it.
        agent: String,
    }
);

view!(
    /// Sums of one group.
    Group {
        /// The day, kind, mint, payee or agent.
        key: String,
        /// Came in.
        in_sats: u64,
        /// Left, fees apart.
        out_sats: u64,
        /// Fees.
        fee_sats: u64,
        /// How many entries.
        count: u64,
    }
);

view!(
    /// Sums of all that was asked for.
    Totals {
        /// Came in.
        in_sats: u64,
        /// Left, fees apart.
        out_sats: u64,
        /// Fees.
        fee_sats: u64,
        /// How many entries.
        count: u64,
    }
);

view!(
    /// What happened.
    HistoryView {
        /// Kind of money.
        money: MoneyWord,
        /// Newest first.
        #[serde(skip_serializing_if = "Option::is_none")]
        entries: Option<Vec<Entry>>,
        /// With summary_by.
        #[serde(skip_serializing_if = "Option::is_none")]
        groups: Option<Vec<Group>>,
        /// With format csv.
        #[serde(skip_serializing_if = "Option::is_none")]
        csv: Option<String>,
        /// Sums over everything asked for, not only this page.
        totals: Totals,
        /// Give it as cursor for the next page.
        #[serde(skip_serializing_if = "Option::is_none")]
        next_cursor: Option<String>,
    }
);

view!(
    /// From how much to how much; absent: the mint does not say.
    Range {
        /// Least.
        #[serde(skip_serializing_if = "Option::is_none")]
        min_sats: Option<u64>,
        /// Most.
        #[serde(skip_serializing_if = "Option::is_none")]
        max_sats: Option<u64>,
    }
);

view!(
    /// A mint.
    MintView {
        /// Its address.
        mint: String,
        /// What it calls itself.
        #[serde(skip_serializing_if = "Option::is_none")]
        untrusted_name: Option<String>,
        /// Its coins are play money.
        test: bool,
        /// The wallet uses it.
        usable: bool,
        /// It answered just now. Absent: not known, since a mint that was never used is not
        /// contacted.
        #[serde(skip_serializing_if = "Option::is_none")]
        reachable: Option<bool>,
        /// Can be spent now.
        spendable_sats: u64,
        /// Coins there that another program of this wallet has perhaps handed out as a token: not
        /// part of spendable_sats.
        #[serde(skip_serializing_if = "Option::is_none")]
        perhaps_handed_out_sats: Option<u64>,
        /// The owner's cap.
        #[serde(skip_serializing_if = "Option::is_none")]
        max_balance_sats: Option<u64>,
        /// Its fee in thousandths of a sat per coin spent.
        #[serde(skip_serializing_if = "Option::is_none")]
        fee_ppk: Option<u64>,
        /// How many people that the owner follows on Nostr recommend it.
        #[serde(skip_serializing_if = "Option::is_none")]
        recommended_by: Option<u64>,
        /// Present when the mint calls another public key its own than when it was first used: ask
        /// its operator.
        #[serde(skip_serializing_if = "Option::is_none")]
        identity_changed: Option<bool>,
        /// What it takes in.
        #[serde(skip_serializing_if = "Option::is_none")]
        deposit: Option<Range>,
        /// What it pays out.
        #[serde(skip_serializing_if = "Option::is_none")]
        pay: Option<Range>,
        /// It pays invoices that name no amount. Absent: it does not say.
        #[serde(skip_serializing_if = "Option::is_none")]
        amountless: Option<bool>,
        /// What the wallet leans on and it has not: NUT-07 (states of coins), NUT-08 (change),
        /// NUT-09 (signatures again).
        #[serde(skip_serializing_if = "Vec::is_empty")]
        lacks: Vec<String>,
    }
);

view!(
    /// The mints.
    MintsView {
        /// Kind of money.
        money: MoneyWord,
        /// In the owner's order.
        mints: Vec<MintView>,
    }
);

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
