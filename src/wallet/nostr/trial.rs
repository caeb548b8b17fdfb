//! Tries a relay before it is used: what it says of itself (NIP-11), and whether it takes, shows
//! and deletes an event such as this wallet writes.
//!
//! Uses a key made for the trial and thrown away: the relay learns this computer's address, and
//! nothing of the wallet. Leaves nothing there, unless the relay deletes nothing. Decides nothing:
//! what it finds is told to a person.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use crate::nostr::relay_info::{self, Kept, RelayInfo};
use crate::nostr::relays::Page;
use crate::nostr::{Ack, End, Event, Identity, Relays, deletion, nutzap_info, token_event};
use crate::ports::{Http, HttpRequest, Method};

/// How long each step may take.
const STEP: Duration = Duration::from_secs(8);
/// How long the largest message of this wallet is, in bytes, and the content of its event, in
/// letters: a full event of coins.
const MESSAGE: u64 = 23 * 1024;
const CONTENT: u64 = 22_000;
/// What an event of a single coin needs, in bytes.
const SMALLEST: u64 = 1_200;
/// The most tags of an event of this wallet: a deletion of many.
const TAGS: u64 = 101;
/// One subscription to read, one to listen.
const SUBSCRIPTIONS: u64 = 2;
/// Who keeps coins at least so long, in seconds, is brought what is missing in time.
const YEAR: u64 = 365 * 86_400;

/// Tries a relay; says in a sentence each what it will not do, the worst first. Empty: nothing was
/// found. `clock` gives Unix seconds.
///
/// # Cancel safety
/// Safe to drop: an event of a key that nobody has may stay there.
pub async fn try_relay(http: &Arc<dyn Http>, url: &str, clock: fn() -> u64) -> Vec<String> {
    let (tried, info) = tokio::join!(round_trip(http, url, clock), ask(http, url));
    let mut remarks = match tried {
        Ok(remarks) => remarks,
        Err(remark) => vec![remark],
    };
    match info {
        Some(info) => {
            let asks = ASKS_WHO.to_owned();
            if info.auth_required && !remarks.contains(&asks) {
                remarks.push(asks);
            }
            remarks.extend(limits(&info));
        }
        None => remarks.push(
            "It says nothing of itself (NIP-11): its limits show only when they are met."
                .to_owned(),
        ),
    }
    remarks
}

const ASKS_WHO: &str = "It asks who you are (AUTH, NIP-42): it is told the wallet's public key before it takes or gives anything, and may turn it away.";

/// What the relay says of itself. `None`: nothing that can be read.
async fn ask(http: &Arc<dyn Http>, url: &str) -> Option<RelayInfo> {
    // `ws` becomes `http`, and `wss` `https`.
    let url = format!("http{}", url.strip_prefix("ws")?);
    let request = HttpRequest {
        method: Method::Get,
        url,
        body: None,
        accept: relay_info::TYPE,
        deadline: STEP,
    };
    let answer = http.send(request).await.ok()?;
    if answer.status == 200 { relay_info::read(&answer.body) } else { None }
}

/// The trial under way.
struct Round<'a> {
    url: &'a str,
    nameless: Relays,
    /// Says who we are to a relay that insists: the throw-away key.
    named: Relays,
    /// The relay served the named one, and not the nameless one.
    asks_who: bool,
}

impl Round<'_> {
    async fn put(&mut self, event: &Event) -> Ack {
        if !self.asks_who {
            let ack = self.nameless.publish(self.url, event.json(), event.id(), STEP).await;
            if !matches!(ack, Ack::Refused { .. }) {
                return ack;
            }
        }
        let ack = self.named.publish(self.url, event.json(), event.id(), STEP).await;
        self.asks_who |= ack == Ack::Stored;
        ack
    }

    /// `wanted`: how many events should be there. Some relays show less to whom they do not know,
    /// instead of asking.
    async fn page(&mut self, filter: &serde_json::Value, wanted: usize) -> Page {
        let nameless = if self.asks_who {
            None
        } else {
            Some(self.nameless.page(self.url, filter, STEP).await)
        };
        match nameless {
            Some(page) if page.end == End::Whole && page.events.len() >= wanted => page,
            before => {
                let page = self.named.page(self.url, filter, STEP).await;
                self.asks_who |=
                    before.is_some_and(|before| page.events.len() > before.events.len());
                page
            }
        }
    }
}

/// Writes, reads, deletes, reads again.
///
/// # Errors
/// What ended the trial.
async fn round_trip(
    http: &Arc<dyn Http>,
    url: &str,
    clock: fn() -> u64,
) -> Result<Vec<String>, String> {
    let failed = |_| "It was not tried: no event could be made for it.".to_owned();
    let key = Identity::random()
        .map_err(|_| "It was not tried: no key could be made for it.".to_owned())?;
    let event = token_event::write(&key, "https://mint.example", "sat", &[], &[], clock())
        .map_err(failed)?;
    let gone = deletion::write(&key, &[event.id().to_owned()], clock().saturating_add(1))
        .map_err(failed)?;
    let mine = json!({"kinds": [token_event::KIND], "authors": [key.public_key()]});
    let deletions =
        json!({"kinds": [deletion::KIND], "authors": [key.public_key()], "#k": ["7375"]});
    let relays = |identity| Relays::new(Arc::clone(http), identity, clock);
    let mut round =
        Round { url, nameless: relays(None), named: relays(Some(key)), asks_who: false };

    let first = round.nameless.page(url, &mine, STEP).await;
    if let End::Unreachable(reason) = first.end {
        return Err(format!("It could not be reached: {reason}."));
    }
    match round.put(&event).await {
        Ack::Stored => {}
        Ack::Refused { reason, .. } => {
            return Err(format!("It refuses what this wallet writes: {reason}."));
        }
        Ack::NoAnswer(reason) => {
            return Err(format!("It does not answer to what is written to it: {reason}."));
        }
    }
    let mut remarks = Vec::new();
    let page = round.page(&mine, 1).await;
    let shown = page.events.iter().any(|one| one.id() == event.id());
    match page.end {
        _ if shown => {}
        End::Whole => {
            remarks.push("It says that it has taken an event, and does not show it: coins that it alone holds are lost with it.".to_owned())
        }
        End::Cut(reason) | End::Unreachable(reason) => remarks.push(format!("It does not answer to a question: {reason}.")),
    }
    match round.put(&gone).await {
        Ack::Stored if shown => {
            if round.page(&mine, 0).await.events.iter().any(|one| one.id() == event.id()) {
                remarks.push("It still shows what was deleted: other programs may count coins there that are spent.".to_owned());
            }
            if !round.page(&deletions, 1).await.events.iter().any(|one| one.id() == gone.id()) {
                remarks.push("It keeps no deletions (kind 5): other devices may take for coins there what is spent.".to_owned());
            }
        }
        Ack::Stored => {}
        Ack::Refused { reason, .. } => {
            remarks.push(format!("It refuses deletions ({reason}): what is spent stays there, and other programs may count it."));
        }
        Ack::NoAnswer(reason) => {
            remarks.push(format!("It does not answer to a deletion: {reason}."))
        }
    }
    if round.asks_who {
        remarks.push(ASKS_WHO.to_owned());
    }
    Ok(remarks)
}

/// What its own words mean for this wallet.
fn limits(info: &RelayInfo) -> Vec<String> {
    let mut remarks = Vec::new();
    if info.payment_required {
        remarks.push("It wants to be paid before it keeps anything (NIP-11), and this wallet pays no relay by itself.".to_owned());
    }
    if info.restricted_writes && !info.payment_required {
        remarks.push("It lets only some people write (NIP-11): the wallet's key may have to be let in first.".to_owned());
    }
    if info.proof_of_work > 0 {
        remarks.push(format!(
            "It wants a proof of work of {} bits, which this wallet does not make.",
            info.proof_of_work
        ));
    }
    let bytes = info
        .max_message
        .into_iter()
        .chain(info.max_content.filter(|most| *most < CONTENT))
        .min()
        .unwrap_or(u64::MAX);
    if bytes < SMALLEST {
        remarks.push(format!("It takes messages of {bytes} bytes at most: not even one coin fits, so it holds nothing of this wallet."));
    } else if bytes < MESSAGE {
        remarks.push(format!("It takes messages of {bytes} bytes at most; this wallet writes up to {MESSAGE}, and smaller ones for it."));
    }
    if let Some(most) = info.max_tags.filter(|most| *most < TAGS) {
        remarks
            .push(format!("It takes events of {most} tags at most: a deletion of many events, which has up to {TAGS}, is refused there."));
    }
    if let Some(most) = info.max_subscriptions.filter(|most| *most < SUBSCRIPTIONS) {
        remarks.push(format!("It lets a connection ask {most} question at a time: reading it and listening to it disturb each other."));
    }
    if let Some(most) = info.max_age.filter(|most| *most < YEAR) {
        remarks.push(format!("It takes no event older than {}: what it loses later than that is not brought back to it.", span(most)));
    }
    for (kind, what) in [
        (token_event::KIND, "coins"),
        (deletion::KIND, "deletions"),
        (nutzap_info::KIND, "where nutzaps are taken"),
    ] {
        match info.keeps(kind) {
            Kept { seconds: Some(0), .. } => {
                remarks.push(format!("It keeps no events of kind {kind} ({what})."))
            }
            Kept { seconds: Some(most), .. } if most < YEAR => {
                remarks.push(format!(
                    "It keeps events of kind {kind} ({what}) for {} only.",
                    span(most)
                ));
            }
            Kept { count: Some(most), .. } => {
                remarks.push(format!("It keeps {most} events of kind {kind} ({what}) at most."))
            }
            Kept { .. } => {}
        }
    }
    if !info.nips.contains(&77) {
        remarks.push(
            "It does not speak NIP-77: a wallet with a long past is read there page by page."
                .to_owned(),
        );
    }
    remarks
}

/// So many seconds in the largest whole unit.
fn span(seconds: u64) -> String {
    let units = [(86_400, "days"), (3_600, "hours"), (60, "minutes"), (1, "seconds")];
    let unit = units.into_iter().find(|(length, _)| seconds >= *length).unwrap_or((1, "seconds"));
    format!("{} {}", seconds / unit.0, unit.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_event_of_coins_is_as_large_as_is_said() {
        let key = Identity::random().unwrap();
        let mint =
            "m".repeat(token_event::TARGET_BYTES - token_event::plain_len("", "sat", &[], &[]));
        let event = token_event::write(&key, &mint, "sat", &[], &[], 1).unwrap();
        let (message, content) = (event.json().len() as u64 + 10, event.content().len() as u64);
        println!("a full event is a message of {message} bytes, with a content of {content}");
        assert!(message <= MESSAGE && content <= CONTENT);
    }

    #[test]
    fn ages_are_said_in_words() {
        assert_eq!(
            [span(90), span(7_200), span(864_000), span(5)],
            ["1 minutes", "2 hours", "10 days", "5 seconds"]
        );
    }

    #[test]
    fn what_a_relay_says_is_told_where_it_touches_this_wallet_alone() {
        let read = |text: &str| limits(&relay_info::read(text.as_bytes()).unwrap());
        let generous = r#"{"supported_nips": [77], "limitation": {"max_message_length": 65536, "max_content_length": 65000,
            "max_subscriptions": 20, "max_event_tags": 2000, "created_at_lower_limit": 94608000},
            "retention": [{"kinds": [[20000, 29999]], "time": 0}]}"#;
        assert_eq!(read(generous), Vec::<String>::new());
        assert_eq!(read("{}").len(), 1, "NIP-77 alone");
        let mean = r#"{"limitation": {"payment_required": true, "min_pow_difficulty": 20, "max_message_length": 4096, "max_event_tags": 50,
            "max_subscriptions": 1, "created_at_lower_limit": 86400},
            "retention": [{"kinds": [5], "time": 0}, {"kinds": [[7000, 8000]], "time": 172800}, {"count": 10}]}"#;
        let said = read(mean).join("\n");
        for words in [
            "paid",
            "20 bits",
            "4096 bytes at most",
            "50 tags",
            "1 question",
            "older than 1 days",
            "no events of kind 5",
            "kind 7375 (coins) for 2 days",
            "10 events of kind 10019",
            "NIP-77",
        ] {
            assert!(said.contains(words), "{words}: {said}");
        }
        assert!(
            read(r#"{"limitation": {"max_message_length": 700}}"#)
                .join(" ")
                .contains("not even one coin")
        );
    }
}
