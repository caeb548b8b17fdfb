//! Tries a relay before it is used: what it says of itself (NIP-11), and whether it takes, shows
//! and deletes an event such as this wallet writes.
//!
//! Uses a key made for the trial and thrown away: the relay learns this computer's address, and
//! nothing of the wallet. Leaves nothing there, unless the relay deletes nothing. Decides nothing:
//! what it finds is told to a person.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use crate::nostr::relay_info::{self, RelayInfo, RetentionLimit};
use crate::nostr::relays::Page;
use crate::nostr::{Ack, End, Event, Identity, Relays, deletion, nutzap_info, token_event};
use crate::ports::{Http, HttpRequest, Method};

/// How long each step may take.
const STEP: Duration = Duration::from_secs(8);
/// How long the largest message of this wallet is, in bytes: a full event of coins.
pub const MESSAGE: u64 = 23 * 1024;
/// How long the content of its event is, in letters.
const CONTENT: u64 = 22_000;
/// What an event of a single coin needs, in bytes.
const SMALLEST: u64 = 1_200;
/// The most tags of an event of this wallet: a deletion of many.
pub const TAGS: u64 = 101;
/// One subscription to read, one to listen.
const SUBSCRIPTIONS: u64 = 2;
/// Who keeps coins at least so long, in seconds, is brought what is missing in time.
const YEAR: u64 = 365 * 86_400;

/// What a relay will not do, or what is not known of it. The texts are the relay's own words, or
/// ours for what went wrong on the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remark {
    /// It was not tried: no key could be made for the trial.
    NoKey,
    /// It was not tried: no event could be made for the trial.
    NoEvent,
    /// It could not be reached.
    Unreachable(String),
    /// It refuses an event of coins.
    RefusesCoins(String),
    /// It does not answer to an event of coins.
    SilentToCoins(String),
    /// It says that it has taken an event, and does not show it.
    ShowsNothing,
    /// It does not answer to a question.
    SilentToQuestion(String),
    /// It shows what was deleted.
    ShowsDeleted,
    /// It does not show a deletion that it has taken.
    ShowsNoDeletion,
    /// It refuses deletions.
    RefusesDeletions(String),
    /// It does not answer to a deletion.
    SilentToDeletion(String),
    /// It asks who we are (NIP-42).
    AsksWho,
    /// It says nothing of itself (NIP-11).
    SaysNothing,
    /// It wants to be paid first.
    WantsPay,
    /// Not everybody may write.
    RestrictsWrites,
    /// It wants a proof of work of so many bits.
    WantsWork {
        /// How many.
        bits: u64,
    },
    /// It takes messages of so many bytes at most: not even one coin fits.
    FitsNoCoin {
        /// How many.
        bytes: u64,
    },
    /// It takes messages of so many bytes at most, fewer than [`MESSAGE`].
    ShortMessages {
        /// How many.
        bytes: u64,
    },
    /// It takes events of so many tags at most, fewer than [`TAGS`].
    FewTags {
        /// How many.
        tags: u64,
    },
    /// A connection may have so many subscriptions at a time, fewer than this wallet needs.
    FewSubscriptions {
        /// How many.
        most: u64,
    },
    /// It takes no event that is older.
    NothingOld {
        /// The age.
        seconds: u64,
    },
    /// It does not keep such events.
    KeepsNone(Events),
    /// It keeps such events so long only.
    KeepsFor {
        /// Which.
        events: Events,
        /// How long.
        seconds: u64,
    },
    /// It keeps so many such events at most.
    KeepsFew {
        /// Which.
        events: Events,
        /// How many.
        most: u64,
    },
    /// It does not speak NIP-77.
    ReadByPages,
}

/// Events that a relay must keep for this wallet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Events {
    /// Coins.
    Coins,
    /// Deletions.
    Deletions,
    /// Where nutzaps are taken.
    NutzapInfo,
}

impl Events {
    /// Their kind.
    pub fn kind(self) -> u16 {
        match self {
            Self::Coins => token_event::KIND,
            Self::Deletions => deletion::KIND,
            Self::NutzapInfo => nutzap_info::KIND,
        }
    }
}

/// Tries a relay, and returns what it will not do, the worst first. Empty: nothing was found.
/// `clock` gives Unix seconds.
///
/// # Cancel safety
/// Safe to drop: an event of a key that nobody has may stay there.
pub async fn try_relay(http: &Arc<dyn Http>, url: &str, clock: fn() -> u64) -> Vec<Remark> {
    let (tried, info) = tokio::join!(round_trip(http, url, clock), ask(http, url));
    let mut remarks = match tried {
        Ok(remarks) => remarks,
        Err(remark) => vec![remark],
    };
    match info {
        Some(info) => {
            if info.auth_required && !remarks.contains(&Remark::AsksWho) {
                remarks.push(Remark::AsksWho);
            }
            remarks.extend(limits(&info));
        }
        None => remarks.push(Remark::SaysNothing),
    }
    remarks
}

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
) -> Result<Vec<Remark>, Remark> {
    let failed = |_| Remark::NoEvent;
    let key = Identity::random().map_err(|_| Remark::NoKey)?;
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
        return Err(Remark::Unreachable(reason));
    }
    match round.put(&event).await {
        Ack::Stored => {}
        Ack::Refused { reason, .. } => return Err(Remark::RefusesCoins(reason)),
        Ack::NoAnswer(reason) => return Err(Remark::SilentToCoins(reason)),
    }
    let mut remarks = Vec::new();
    let page = round.page(&mine, 1).await;
    let shown = page.events.iter().any(|one| one.id() == event.id());
    match page.end {
        _ if shown => {}
        End::Whole => remarks.push(Remark::ShowsNothing),
        End::Cut(reason) | End::Unreachable(reason) => {
            remarks.push(Remark::SilentToQuestion(reason));
        }
    }
    match round.put(&gone).await {
        Ack::Stored if shown => {
            if round.page(&mine, 0).await.events.iter().any(|one| one.id() == event.id()) {
                remarks.push(Remark::ShowsDeleted);
            }
            if !round.page(&deletions, 1).await.events.iter().any(|one| one.id() == gone.id()) {
                remarks.push(Remark::ShowsNoDeletion);
            }
        }
        Ack::Stored => {}
        Ack::Refused { reason, .. } => remarks.push(Remark::RefusesDeletions(reason)),
        Ack::NoAnswer(reason) => remarks.push(Remark::SilentToDeletion(reason)),
    }
    if round.asks_who {
        remarks.push(Remark::AsksWho);
    }
    Ok(remarks)
}

/// What its own words mean for this wallet.
fn limits(info: &RelayInfo) -> Vec<Remark> {
    let mut remarks = Vec::new();
    if info.payment_required {
        remarks.push(Remark::WantsPay);
    }
    if info.restricted_writes && !info.payment_required {
        remarks.push(Remark::RestrictsWrites);
    }
    if info.proof_of_work > 0 {
        remarks.push(Remark::WantsWork { bits: info.proof_of_work });
    }
    let bytes = info
        .max_message
        .into_iter()
        .chain(info.max_content.filter(|most| *most < CONTENT))
        .min()
        .unwrap_or(u64::MAX);
    if bytes < SMALLEST {
        remarks.push(Remark::FitsNoCoin { bytes });
    } else if bytes < MESSAGE {
        remarks.push(Remark::ShortMessages { bytes });
    }
    if let Some(tags) = info.max_tags.filter(|most| *most < TAGS) {
        remarks.push(Remark::FewTags { tags });
    }
    if let Some(most) = info.max_subscriptions.filter(|most| *most < SUBSCRIPTIONS) {
        remarks.push(Remark::FewSubscriptions { most });
    }
    if let Some(seconds) = info.max_age.filter(|most| *most < YEAR) {
        remarks.push(Remark::NothingOld { seconds });
    }
    for events in [Events::Coins, Events::Deletions, Events::NutzapInfo] {
        match info.retention_of(events.kind()) {
            RetentionLimit { seconds: Some(0), .. } => remarks.push(Remark::KeepsNone(events)),
            RetentionLimit { seconds: Some(seconds), .. } if seconds < YEAR => {
                remarks.push(Remark::KeepsFor { events, seconds });
            }
            RetentionLimit { count: Some(most), .. } => {
                remarks.push(Remark::KeepsFew { events, most })
            }
            RetentionLimit { .. } => {}
        }
    }
    if !info.nips.contains(&77) {
        remarks.push(Remark::ReadByPages);
    }
    remarks
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
    fn what_a_relay_says_is_told_where_it_touches_this_wallet_alone() {
        let read = |text: &str| limits(&relay_info::read(text.as_bytes()).unwrap());
        let generous = r#"{"supported_nips": [77], "limitation": {"max_message_length": 65536, "max_content_length": 65000,
            "max_subscriptions": 20, "max_event_tags": 2000, "created_at_lower_limit": 94608000},
            "retention": [{"kinds": [[20000, 29999]], "time": 0}]}"#;
        assert_eq!(read(generous), []);
        assert_eq!(read("{}"), [Remark::ReadByPages]);
        let mean = r#"{"limitation": {"payment_required": true, "min_pow_difficulty": 20, "max_message_length": 4096, "max_event_tags": 50,
            "max_subscriptions": 1, "created_at_lower_limit": 86400},
            "retention": [{"kinds": [5], "time": 0}, {"kinds": [[7000, 8000]], "time": 172800}, {"count": 10}]}"#;
        assert_eq!(
            read(mean),
            [
                Remark::WantsPay,
                Remark::WantsWork { bits: 20 },
                Remark::ShortMessages { bytes: 4096 },
                Remark::FewTags { tags: 50 },
                Remark::FewSubscriptions { most: 1 },
                Remark::NothingOld { seconds: 86_400 },
                Remark::KeepsFor { events: Events::Coins, seconds: 172_800 },
                Remark::KeepsNone(Events::Deletions),
                Remark::KeepsFew { events: Events::NutzapInfo, most: 10 },
                Remark::ReadByPages,
            ]
        );
        let tiny = read(r#"{"limitation": {"max_message_length": 700}}"#);
        assert_eq!(tiny, [Remark::FitsNoCoin { bytes: 700 }, Remark::ReadByPages]);
    }
}
