//! Tests a relay before it is used: its self-description (NIP-11), and whether it stores, shows and
//! deletes an event like this wallet's.
//!
//! Uses a throwaway key, so the relay learns this computer's address but nothing about the wallet.
//! Leaves nothing there unless the relay ignores deletions. Decides nothing.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use crate::nostr::relay_info::{self, RelayInfo, RetentionLimit};
use crate::nostr::relays::Page;
use crate::nostr::{Ack, End, Event, Identity, Relays, deletion, nutzap_info, token_event};
use crate::ports::{Http, HttpRequest, Method};

/// Timeout of each step.
const STEP: Duration = Duration::from_secs(8);
/// Size of the wallet's largest message, in bytes: a full token event.
pub const MESSAGE: u64 = 23 * 1024;
/// Length of that event's content, in characters.
const CONTENT: u64 = 22_000;
/// Size of a token event with one proof, in bytes.
const SMALLEST: u64 = 1_200;
/// Maximum number of tags of an event of this wallet: those of a large deletion.
pub const TAGS: u64 = 101;
/// One subscription to read, one to listen.
const SUBSCRIPTIONS: u64 = 2;
/// Retention that is long enough, in seconds: what a relay drops later is sent again in time.
const YEAR: u64 = 365 * 86_400;

/// Something a relay does not do, or that is not known about it. Texts are the relay's own words,
/// or our description of a connection error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remark {
    /// The relay was not tested: no key could be generated.
    NoKey,
    /// The relay was not tested: no event could be created.
    NoEvent,
    /// It could not be reached.
    Unreachable(String),
    /// It rejects a token event.
    RefusesCoins(String),
    /// It does not answer a token event.
    SilentToCoins(String),
    /// It acknowledges an event but does not show it.
    ShowsNothing,
    /// It does not answer a query.
    SilentToQuestion(String),
    /// It shows a deleted event.
    ShowsDeleted,
    /// It does not show a deletion that it acknowledged.
    ShowsNoDeletion,
    /// It rejects deletions.
    RefusesDeletions(String),
    /// It does not answer a deletion.
    SilentToDeletion(String),
    /// It requires authentication (NIP-42).
    AsksWho,
    /// It does not describe itself (NIP-11).
    SaysNothing,
    /// It requires payment.
    WantsPay,
    /// It restricts who may write.
    RestrictsWrites,
    /// It requires proof of work.
    WantsWork {
        /// Difficulty in bits.
        bits: u64,
    },
    /// The message limit is too small even for one proof.
    FitsNoCoin {
        /// The limit, in bytes.
        bytes: u64,
    },
    /// The message limit is below [`MESSAGE`].
    ShortMessages {
        /// The limit, in bytes.
        bytes: u64,
    },
    /// The limit of tags per event is below [`TAGS`].
    FewTags {
        /// The limit.
        tags: u64,
    },
    /// It allows fewer subscriptions per connection than this wallet needs.
    FewSubscriptions {
        /// The limit.
        most: u64,
    },
    /// It rejects older events.
    NothingOld {
        /// Age limit, in seconds.
        seconds: u64,
    },
    /// It does not keep these events.
    KeepsNone(Events),
    /// It keeps these events for a limited time.
    KeepsFor {
        /// Events concerned.
        events: Events,
        /// Retention time, in seconds.
        seconds: u64,
    },
    /// It keeps a limited number of these events.
    KeepsFew {
        /// Events concerned.
        events: Events,
        /// Maximum number of events that it keeps.
        most: u64,
    },
    /// It does not support NIP-77.
    ReadByPages,
}

/// Events that a relay must keep for this wallet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Events {
    /// Token events.
    Coins,
    /// Deletions.
    Deletions,
    /// The nutzap list (NIP-61).
    NutzapInfo,
}

impl Events {
    /// Returns the Nostr kind.
    pub fn kind(self) -> u16 {
        match self {
            Self::Coins => token_event::KIND,
            Self::Deletions => deletion::KIND,
            Self::NutzapInfo => nutzap_info::KIND,
        }
    }
}

/// Tests a relay and returns its shortcomings, the worst first; empty if there are none. `clock`
/// returns Unix seconds.
///
/// # Cancel safety
/// Safe to drop; an event signed by the throwaway key may remain on the relay.
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

/// Reads the relay's self-description (NIP-11). `None`: none that can be read.
async fn ask(http: &Arc<dyn Http>, url: &str) -> Option<RelayInfo> {
    // `ws` becomes `http`, and `wss` becomes `https`.
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

/// State of a running test.
struct Round<'a> {
    url: &'a str,
    nameless: Relays,
    /// Authenticates with the throwaway key if the relay requires it.
    named: Relays,
    /// `true` if the relay served the authenticated client better than the anonymous one.
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

    /// Queries a page. `wanted` is the number of expected events, because some relays show less to
    /// anonymous clients instead of requiring authentication.
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

/// Writes an event, reads it, deletes it and reads again.
///
/// # Errors
/// The remark that ended the test.
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

/// Returns what the relay's self-description means for this wallet.
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
