//! One client's connection: what it sends is written down, answered by the rules, or passed to the
//! real relay.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use futures::{SinkExt, StreamExt};
use nostr_relay_builder::prelude::{Event, Filter, JsonUtil, MatchEventOptions};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, accept_async, connect_async};
use tokio_util::sync::CancellationToken;

use super::knobs::{Around, Flood, Knobs, Veil};

/// Serves a client until it leaves or is cut.
pub(super) async fn serve(knobs: Arc<Knobs>, client: TcpStream) {
    let cut = {
        let mut told = knobs.told();
        told.connections += 1;
        told.cut.clone()
    };
    if let Some(Err(why)) = cut.run_until_cancelled(Door::run(knobs, client, &cut)).await {
        tracing::debug!("a connection of the relay ended: {why:#}");
    }
}

struct Door {
    knobs: Arc<Knobs>,
    client: WebSocketStream<TcpStream>,
    relay: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// Events that the real relay was given and has not answered.
    given: HashMap<String, Value>,
    challenges: usize,
    named: bool,
}

impl Door {
    async fn run(knobs: Arc<Knobs>, client: TcpStream, cut: &CancellationToken) -> Result<()> {
        client.set_nodelay(true).ok();
        let head = head(&client).await?;
        if !head.contains("upgrade: websocket") {
            return tell(client, &knobs, &head).await;
        }
        let client = accept_async(client).await?;
        let (relay, _) = connect_async(&knobs.behind).await?;
        let mut door =
            Self { knobs, client, relay, given: HashMap::new(), challenges: 0, named: false };
        if door.veil().is_some() {
            door.ask_for_a_name().await?;
        }
        loop {
            tokio::select! {
                said = door.client.next() => match said.transpose()? {
                    // A message that was sent after the cut may be read in the same poll as one
                    // before it.
                    _ if cut.is_cancelled() => return Ok(()),
                    Some(Message::Text(text)) => door.said(text.as_str()).await?,
                    Some(Message::Close(_)) | None => return Ok(()),
                    Some(_) => {}
                },
                answered = door.relay.next() => match answered.transpose()? {
                    Some(Message::Text(text)) => door.answered(text.as_str()).await?,
                    Some(Message::Close(_)) | None => return Ok(()),
                    Some(_) => {}
                },
            }
        }
    }

    /// What the client said.
    async fn said(&mut self, text: &str) -> Result<()> {
        {
            let mut told = self.knobs.told();
            told.frames += 1;
            told.heard.extend_from_slice(text.as_bytes());
            told.heard.push(b'\n');
        }
        let message: Value = serde_json::from_str(text)?;
        match message.get(0).and_then(Value::as_str) {
            Some("AUTH") => self.name(message.get(1).context("a name")?).await,
            Some("EVENT") => self.event(message.get(1).context("an event")?, text).await,
            Some("REQ") => self.request(message).await,
            _ => self.pass(text.to_owned()).await,
        }
    }

    async fn event(&mut self, event: &Value, text: &str) -> Result<()> {
        let id = event.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
        let (rules, number) = {
            let mut told = self.knobs.told();
            told.events += 1;
            (told.misrule.clone(), told.events)
        };
        if self.must_name() {
            self.ask_for_a_name().await?;
            return self.say(json!(["OK", id, false, "auth-required: who are you?"])).await;
        }
        let kind = event.get("kind").and_then(Value::as_u64);
        let no = if let Some(words) = rules.refuse_with {
            Some(words)
        } else if rules.refuse_longer_than.is_some_and(|most| event.to_string().len() > most) {
            Some("invalid: event too large".to_owned())
        } else if rules.refuse_kind.is_some_and(|refused| kind == Some(refused.into())) {
            Some("blocked: kind not wanted here".to_owned())
        } else {
            None
        };
        if let Some(words) = no {
            let name = if rules.refuse_nameless { "" } else { id.as_str() };
            return self.say(json!(["OK", name, false, words])).await;
        }
        if self.knobs.spring(event, Around::BeforeStored) {
            return Ok(());
        }
        let forgotten = rules.forget_kind.is_some_and(|forgotten| kind == Some(forgotten.into()));
        if rules.forget
            || forgotten
            || rules.lose_every.is_some_and(|every| number.is_multiple_of(every))
        {
            return self.say(json!(["OK", id, true, ""])).await;
        }
        self.given.insert(id, event.clone());
        self.pass(text.to_owned()).await
    }

    async fn request(&mut self, mut message: Value) -> Result<()> {
        let subscription = message.get(1).cloned().unwrap_or_default();
        let rules = self.knobs.told().misrule.clone();
        if self.must_name() {
            self.ask_for_a_name().await?;
            return self.say(json!(["CLOSED", subscription, "auth-required: who are you?"])).await;
        }
        if let Some(flood) = rules.flood {
            return self.flood(flood, &subscription).await;
        }
        for text in &rules.inject {
            let event: Value = serde_json::from_str(text)?;
            self.say(json!(["EVENT", subscription, event])).await?;
        }
        let filters: Vec<Value> = message
            .as_array()
            .map(|parts| parts.iter().skip(2).cloned().collect())
            .unwrap_or_default();
        if rules.resurrect {
            let taken = self.knobs.told().taken.clone();
            for event in
                taken.iter().filter(|event| filters.iter().any(|filter| asks_for(filter, event)))
            {
                if self.hides(event) {
                    continue;
                }
                self.say(json!(["EVENT", subscription, event])).await?;
            }
        }
        for filter in message.as_array_mut().into_iter().flatten().skip(2) {
            if let (Some(most), Some(filter)) = (rules.show_at_most, filter.as_object_mut()) {
                let asked = filter.get("limit").and_then(Value::as_u64).unwrap_or(u64::MAX);
                filter.insert("limit".to_owned(), json!(asked.min(most as u64)));
            }
        }
        self.pass(message.to_string()).await
    }

    /// What the real relay answered.
    async fn answered(&mut self, text: &str) -> Result<()> {
        let answer: Value = serde_json::from_str(text)?;
        let label = answer.get(0).and_then(Value::as_str).unwrap_or_default();
        if label == "OK"
            && let Some(event) =
                answer.get(1).and_then(Value::as_str).and_then(|id| self.given.remove(id))
            && answer.get(2) == Some(&Value::Bool(true))
        {
            {
                let mut told = self.knobs.told();
                if told
                    .ids
                    .insert(event.get("id").and_then(Value::as_str).unwrap_or_default().to_owned())
                {
                    told.taken.push(event.clone());
                }
            }
            if self.knobs.spring(&event, Around::BeforeTold) {
                return Ok(());
            }
            if !self.knobs.told().misrule.mute {
                self.say(answer).await?;
            }
            self.knobs.spring(&event, Around::AfterTold);
            return Ok(());
        }
        if label == "EVENT" && answer.get(2).is_some_and(|event| self.hides(event)) {
            return Ok(());
        }
        let mute = self.knobs.told().misrule.mute;
        if mute && matches!(label, "OK" | "EOSE") {
            return Ok(());
        }
        self.say(answer).await
    }

    fn veil(&self) -> Option<Veil> {
        self.knobs.told().misrule.veil
    }

    fn hides(&self, event: &Value) -> bool {
        if self.veil().is_some() && !self.named {
            return true;
        }
        let rules = &self.knobs.told().misrule;
        let kind = event.get("kind").and_then(Value::as_u64);
        let id = event.get("id").and_then(Value::as_str).unwrap_or_default();
        rules.hide_kinds.iter().any(|hidden| kind == Some((*hidden).into()))
            || rules.hide_ids.iter().any(|hidden| hidden == id)
    }

    fn must_name(&self) -> bool {
        let rules = &self.knobs.told().misrule;
        rules.never_satisfied || (rules.demand_name && !self.named)
    }

    async fn ask_for_a_name(&mut self) -> Result<()> {
        self.challenges += 1;
        self.say(json!(["AUTH", format!("challenge-{}", self.challenges)])).await
    }

    async fn name(&mut self, name: &Value) -> Result<()> {
        let event = Event::from_json(name.to_string())?;
        let challenge = format!("challenge-{}", self.challenges);
        let right = event.verify().is_ok()
            && event.kind.as_u16() == 22_242
            && event.tags.challenge() == Some(challenge.as_str());
        let right = right && self.veil() != Some(Veil::Refuses);
        if right {
            self.named = true;
            self.knobs.told().named.push(event.pubkey.to_hex());
        }
        if self.veil() == Some(Veil::Silent) {
            return Ok(());
        }
        self.say(json!([
            "OK",
            event.id.to_hex(),
            right,
            if right { "" } else { "invalid: no answer to the challenge" }
        ]))
        .await
    }

    async fn flood(&mut self, flood: Flood, subscription: &Value) -> Result<()> {
        let event = |size: usize, of: &Value| {
            let event = json!({"id": "00".repeat(32), "pubkey": "00".repeat(32), "created_at": 1, "kind": 1, "tags": [],
                "content": "x".repeat(size), "sig": ""});
            Message::text(json!(["EVENT", of, event]).to_string())
        };
        let message = match flood {
            Flood::LargeEvents => event(1_000_000, subscription),
            Flood::OtherSubscription => event(1_000, &json!("nobody's")),
            Flood::Pings => Message::Ping(vec![0; 64].into()),
            Flood::Drip => Message::text(json!(["NOTICE", "soon"]).to_string()),
        };
        loop {
            self.client.send(message.clone()).await?;
            if flood == Flood::Drip {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }

    async fn say(&mut self, answer: Value) -> Result<()> {
        let delay = self.knobs.told().misrule.delay;
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        let text = answer.to_string();
        self.knobs.told().said += text.len();
        Ok(self.client.send(Message::text(text)).await?)
    }

    async fn pass(&mut self, text: String) -> Result<()> {
        Ok(self.relay.send(Message::text(text)).await?)
    }
}

fn asks_for(filter: &Value, event: &Value) -> bool {
    let (Ok(filter), Ok(event)) =
        (Filter::from_json(filter.to_string()), Event::from_json(event.to_string()))
    else {
        return false;
    };
    filter.match_event(&event, MatchEventOptions::new())
}

/// The head of a request, in lower case; it is not taken off the connection.
async fn head(client: &TcpStream) -> Result<String> {
    let mut bytes = [0; 4096];
    loop {
        let read = client.peek(&mut bytes).await?;
        let head = String::from_utf8_lossy(bytes.get(..read).unwrap_or_default()).to_lowercase();
        if read == 0 || read == bytes.len() || head.contains("\r\n\r\n") {
            return Ok(head);
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// What the relay says of itself, to whoever asks for that.
async fn tell(mut client: TcpStream, knobs: &Knobs, head: &str) -> Result<()> {
    let document = knobs
        .told()
        .misrule
        .document
        .clone()
        .filter(|_| head.contains("accept: application/nostr+json"));
    let (status, body) =
        document.map_or(("404 Not Found", String::new()), |document| ("200 OK", document));
    let length = body.len();
    let answer = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/nostr+json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    );
    // What was only looked at would make the close a reset.
    client.read_exact(&mut vec![0; head.len()]).await?;
    client.write_all(answer.as_bytes()).await?;
    Ok(client.shutdown().await?)
}
