//! What the relay library drops, hides or ends without telling, against relays that say exactly
//! what is written here.

mod compare;
mod life;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::{SinkExt, StreamExt};
use nutpurse::testing::net::{NetworkSettings, Web};
use nutpurse::testing::nostr::relays::{Ack, End, ListenerEvent};
use nutpurse::testing::nostr::{Event, Identity, Relays, UnsignedEvent};
use nutpurse::testing::wallet::core::clock;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_tungstenite::accept_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

const WAIT: Duration = Duration::from_secs(10);
const SHORT: Duration = Duration::from_millis(700);

/// What a scripted relay does.
enum Do {
    Say(Value),
    /// As it stands.
    Raw(String),
    /// Ends the connection without a word.
    Drop,
    /// Ends it with a code.
    Close(CloseCode),
}

/// A relay that answers every message by a script; what it was told.
struct Script {
    url: String,
    told: Arc<Mutex<Vec<Value>>>,
}

impl Script {
    async fn start(
        greeting: Vec<Value>,
        answer: impl Fn(&str, &Value) -> Vec<Do> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("ws://{}", listener.local_addr().unwrap());
        let told = Arc::<Mutex<Vec<Value>>>::default();
        let (shared, answer) = (told.clone(), Arc::new(answer));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (told, answer, greeting) = (shared.clone(), answer.clone(), greeting.clone());
                tokio::spawn(async move {
                    let mut socket = accept_async(stream).await.unwrap();
                    for words in greeting {
                        socket.send(Message::text(words.to_string())).await.unwrap();
                    }
                    while let Some(Ok(message)) = socket.next().await {
                        let Message::Text(text) = message else { continue };
                        let message: Value = serde_json::from_str(&text).unwrap();
                        told.lock().unwrap().push(message.clone());
                        for what in answer(message[0].as_str().unwrap(), &message) {
                            let sent = match what {
                                Do::Say(words) => {
                                    socket.send(Message::text(words.to_string())).await
                                }
                                Do::Raw(text) => socket.send(Message::text(text)).await,
                                Do::Drop => return,
                                Do::Close(code) => {
                                    socket
                                        .close(Some(CloseFrame { code, reason: "no".into() }))
                                        .await
                                }
                            };
                            if sent.is_err() {
                                return;
                            }
                        }
                    }
                });
            }
        });
        Self { url, told }
    }

    fn count(&self, label: &str) -> usize {
        self.told.lock().unwrap().iter().filter(|message| message[0] == label).count()
    }
}

fn web(url: &str, proxy: Option<String>) -> Arc<Web> {
    let allow = vec![url.replace("ws://", "http://")];
    Arc::new(Web::new(&NetworkSettings { allow, proxy }).unwrap())
}

fn relays(url: &str, identity: Option<&Identity>) -> Relays {
    Relays::new(web(url, None), identity.cloned(), clock::now)
}

fn me() -> Identity {
    Identity::random().unwrap()
}

fn event(me: &Identity, created_at: u64, tags: Vec<Vec<String>>, content: &str) -> Event {
    me.sign(UnsignedEvent { kind: 7375, created_at, tags, content: content.to_owned() }).unwrap()
}

fn shows(of: &Value, event: &Event) -> Do {
    Do::Raw(format!(r#"["EVENT",{of},{}]"#, event.json()))
}

/// Shows these events to every request, and says at the end what is written here.
fn shown(
    events: Vec<Event>,
    end: impl Fn(&Value) -> Do + Send + Sync + 'static,
) -> impl Fn(&str, &Value) -> Vec<Do> + Send + Sync {
    move |label, message| match label {
        "REQ" => {
            let until = message[2]["until"].as_u64().unwrap_or(u64::MAX);
            let fit = events.iter().filter(|event| event.created_at() <= until);
            fit.map(|event| shows(&message[1], event)).chain([end(&message[1])]).collect()
        }
        "EVENT" => vec![Do::Say(json!(["OK", message[1]["id"], true, ""]))],
        _ => vec![],
    }
}

fn some(me: &Identity, count: u64) -> Vec<Event> {
    (0..count).map(|n| event(me, 1_000_000 - n, vec![], &n.to_string())).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_is_too_slow_says_cut_and_a_page_is_never_too_quick() {
    let me = me();
    let filter = json!({"authors": [me.public_key()]});
    for (count, whole) in [(500, true), (4_000, false)] {
        let relay = Script::start(
            vec![],
            shown(some(&me, count), |of| Do::Say(json!(["EOSE", of, ["finish"]]))),
        )
        .await;
        let relays = relays(&relay.url, None);
        let slowly = |_: &str| {
            std::thread::sleep(Duration::from_millis(2));
            false
        };
        let listing = relays.all(&relay.url, &filter, slowly, Duration::from_secs(60)).await;
        println!("{count} events: {} read, {:?}", listing.events.len(), listing.end);
        match listing.end {
            End::Whole => assert!(whole && listing.events.len() == 500),
            End::Cut(reason) => assert!(!whole && reason.contains("more at once"), "{reason}"),
            End::Unreachable(reason) => panic!("{reason}"),
        }
    }
}

#[tokio::test]
async fn a_relay_that_asks_who_we_are_before_it_needs_to_is_not_told() {
    let me = me();
    let events = some(&me, 2);
    let relay = Script::start(
        vec![json!(["AUTH", "who?"])],
        shown(events.clone(), |of| Do::Say(json!(["EOSE", of]))),
    )
    .await;
    let relays = relays(&relay.url, Some(&me));
    let page = relays.page(&relay.url, &json!({"kinds": [7375]}), WAIT).await;
    assert_eq!((page.events.len(), page.end), (2, End::Whole));
    assert_eq!(
        relays.publish(&relay.url, events[0].json(), events[0].id(), WAIT).await,
        Ack::Stored
    );
    let (listening, mut heard) = relays.listen(relay.url.clone(), json!({"kinds": [7375]}));
    let listening = tokio::spawn(listening);
    while !matches!(heard.recv().await, Some(ListenerEvent::Connected)) {}
    drop(heard);
    listening.await.unwrap();
    assert_eq!((relay.count("AUTH"), relay.count("REQ")), (0, 2));
}

#[tokio::test]
async fn an_end_that_is_none_is_cut() {
    let me = me();
    let ends: [fn(&Value) -> Do; 6] = [
        |of| Do::Say(json!(["CLOSED", of, "too many filters"])),
        |of| Do::Say(json!(["CLOSED", of])),
        |of| Do::Say(json!(["CLOSED", of, "error: db"])),
        |of| Do::Say(json!(["EOSE", of, ["more"]])),
        |_| Do::Drop,
        |_| Do::Close(CloseCode::Normal),
    ];
    for (number, end) in ends.into_iter().enumerate() {
        let relay = Script::start(vec![], shown(some(&me, 3), end)).await;
        let relays = relays(&relay.url, None);
        let page = relays.page(&relay.url, &json!({"kinds": [7375]}), WAIT).await;
        println!("{number}: {:?}", page.end);
        assert!(
            matches!(page.end, End::Cut(_)) && page.events.len() == 3,
            "{number}: {:?}",
            page.end
        );
        let listing = relays.all(&relay.url, &json!({"kinds": [7375]}), |_| false, WAIT).await;
        assert!(
            matches!(listing.end, End::Cut(_)) && listing.events.len() == 3,
            "{number}: {:?}",
            listing.end
        );
    }
}

#[tokio::test]
async fn the_words_at_the_end_save_two_requests() {
    let me = me();
    for (hint, requests) in [
        (json!(["finish"]), 1),
        (json!(["new", "finish"]), 1),
        (json!([]), 3),
        (json!(["later"]), 3),
    ] {
        let relay = Script::start(
            vec![],
            shown(vec![some(&me, 1).remove(0)], move |of| Do::Say(json!(["EOSE", of, hint]))),
        )
        .await;
        let listing = relays(&relay.url, None)
            .all(&relay.url, &json!({"kinds": [7375]}), |_| false, WAIT)
            .await;
        assert_eq!(
            (listing.events.len(), listing.end, relay.count("REQ")),
            (1, End::Whole, requests)
        );
    }
}

#[tokio::test]
async fn what_a_relay_says_of_an_event_in_its_own_way_is_understood() {
    let me = me();
    let one = event(&me, 1, vec![], "one");
    type Answer = fn(&Value) -> Do;
    let answers: [(Answer, Option<Ack>); 4] = [
        (|of| Do::Say(json!(["OK", of, true])), Some(Ack::Stored)),
        (|_| Do::Say(json!(["OK", "", true, ""])), None),
        (
            |_| Do::Say(json!(["OK", "", false, "blocked: no"])),
            Some(Ack::Refused {
                reason: "blocked: no".to_owned(),
                lasting: true,
                too_large: false,
            }),
        ),
        (
            |_| Do::Close(CloseCode::Size),
            Some(Ack::Refused {
                reason: "the relay closed the connection: no".to_owned(),
                lasting: true,
                too_large: true,
            }),
        ),
    ];
    for (answer, expected) in answers {
        let relay = Script::start(vec![], move |_, message| vec![answer(&message[1]["id"])]).await;
        let ack = relays(&relay.url, None).publish(&relay.url, one.json(), one.id(), SHORT).await;
        match expected {
            Some(expected) => assert_eq!(ack, expected),
            None => assert!(matches!(ack, Ack::NoAnswer(_)), "{ack:?}"),
        }
    }
}

#[tokio::test]
async fn events_that_have_expired_hide_nothing_behind_them() {
    let me = me();
    let expired = |n: u64| {
        event(
            &me,
            1_000_000 - n,
            vec![vec!["expiration".to_owned(), "1000001".to_owned()]],
            &n.to_string(),
        )
    };
    let mut events: Vec<Event> = (0..8).map(expired).collect();
    events.push(event(&me, 7, vec![], "older, and alive"));
    // Four at a time, the newest first.
    let relay = Script::start(vec![], move |label, message| {
        let until = message[2]["until"].as_u64().unwrap_or(u64::MAX);
        let fit = events.iter().filter(|event| event.created_at() <= until).take(4);
        match label {
            "REQ" => fit
                .map(|event| shows(&message[1], event))
                .chain([Do::Say(json!(["EOSE", message[1]]))])
                .collect(),
            _ => vec![],
        }
    })
    .await;
    let listing =
        relays(&relay.url, None).all(&relay.url, &json!({"kinds": [7375]}), |_| false, WAIT).await;
    assert_eq!((listing.events.len(), listing.skipped, listing.end), (9, 0, End::Whole));
}

#[tokio::test]
async fn another_text_under_the_id_of_an_event_that_was_checked_is_forged() {
    let me = me();
    let one = event(&me, 7, vec![], "good");
    let (asked, forged, json) =
        (AtomicUsize::new(0), one.json().replace("good", "evil"), one.json().to_owned());
    let relay = Script::start(vec![], move |label, message| {
        let text = if label == "REQ" && asked.fetch_add(1, Ordering::SeqCst) == 0 {
            &json
        } else {
            &forged
        };
        match label {
            "REQ" => vec![
                Do::Raw(format!(r#"["EVENT",{},{text}]"#, message[1])),
                Do::Say(json!(["EOSE", message[1]])),
            ],
            _ => vec![],
        }
    })
    .await;
    let relays = relays(&relay.url, None);
    let filter = json!({"kinds": [7375]});
    assert_eq!(relays.page(&relay.url, &filter, WAIT).await.events, [one]);
    let page = relays.page(&relay.url, &filter, WAIT).await;
    assert_eq!((page.events, page.skipped, page.end), (vec![], 1, End::Whole));
}
