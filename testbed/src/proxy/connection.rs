//! One client's connection to the proxy: exchange after exchange, each forwarded to the mint on a
//! connection of its own, or failed by the rule that applies to it.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::io::{AsyncWriteExt, copy_bidirectional};
use tokio::net::TcpStream;

use super::plan::{Hit, Plan, json};
use super::rule::Moment;
use super::wire::Message;

/// Serves a client until it leaves, the rules close the connection, or all are cut.
pub(crate) async fn serve(plan: Arc<Plan>, mut client: TcpStream) {
    client.set_nodelay(true).ok();
    let cut = plan.told().cut.clone();
    let work = async {
        let mut buffer = Vec::new();
        while let Some(request) = Message::read(&mut client, &mut buffer).await? {
            let going_on = exchange(&plan, &mut client, request).await?;
            if going_on.is_none() {
                break;
            }
        }
        anyhow::Ok(())
    };
    if let Some(Err(why)) = cut.run_until_cancelled(work).await {
        tracing::debug!("a connection of the proxy ended: {why:#}");
    }
}

/// One exchange; `None` closes the connection.
async fn exchange(plan: &Plan, client: &mut TcpStream, request: Message) -> Result<Option<()>> {
    let (place, hit) = plan.enter(&request);
    let delay = plan.told().delay;
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    if let Some(hit) = &hit {
        match hit.at {
            Moment::BeforeRequest => {
                plan.fire(place, hit);
                return Ok(None);
            }
            Moment::Hang => {
                hold(plan, client, place, hit).await;
                return Ok(None);
            }
            Moment::Status(status) => {
                plan.fire(place, hit);
                client.write_all(&told(status, hit).bytes("keep-alive")).await?;
                return Ok(Some(()));
            }
            Moment::StatusThenDeliver(status) => {
                plan.told().kept.push((place, request));
                plan.fire(place, hit);
                client.write_all(&told(status, hit).bytes("keep-alive")).await?;
                return Ok(Some(()));
            }
            Moment::Refuse(code) => {
                plan.fire(place, hit);
                client.write_all(&Message::refusal(code).bytes("keep-alive")).await?;
                return Ok(Some(()));
            }
            Moment::HoldThenDeliver => {
                plan.told().kept.push((place, request));
                plan.fire(place, hit);
                return Ok(None);
            }
            Moment::HoldBefore => {
                if hold(plan, client, place, hit).await.is_none() {
                    return Ok(None);
                }
            }
            Moment::Verbatim => {
                plan.fire(place, hit);
                client.write_all(&hit.bytes).await?;
                client.shutdown().await?;
                return Ok(None);
            }
            Moment::Flood(bytes) => {
                plan.fire(place, hit);
                flood(client, bytes).await?;
                return Ok(None);
            }
            Moment::AfterMint
            | Moment::RefuseAfterMint(_)
            | Moment::StatusAfterMint(_)
            | Moment::Garbage
            | Moment::Truncate
            | Moment::HoldAfter
            | Moment::AfterAnswer
            | Moment::Drip => {}
        }
    }
    if request.header("upgrade").is_some() {
        return tunnel(plan, client, place, &request).await;
    }
    let answer = forward(plan, place, &request).await?;
    answer_client(plan, client, place, answer, hit).await
}

async fn answer_client(
    plan: &Plan,
    client: &mut TcpStream,
    place: usize,
    mut answer: Message,
    hit: Option<Hit>,
) -> Result<Option<()>> {
    if let Some(hit) = &hit {
        match hit.at {
            Moment::AfterMint => {
                plan.fire(place, hit);
                return Ok(None);
            }
            Moment::HoldAfter => {
                let going_on = hold(plan, client, place, hit).await;
                if going_on.is_none() {
                    return Ok(None);
                }
            }
            Moment::Truncate => {
                plan.fire(place, hit);
                let mut bytes = answer.bytes("close");
                bytes.truncate(bytes.len() - answer.body.len().div_ceil(2));
                client.write_all(&bytes).await?;
                return Ok(None);
            }
            Moment::RefuseAfterMint(code) => {
                plan.fire(place, hit);
                answer = Message::refusal(code);
            }
            Moment::StatusAfterMint(status) => {
                plan.fire(place, hit);
                answer = told(status, hit);
            }
            Moment::AfterAnswer => {
                client.write_all(&answer.bytes("keep-alive")).await?;
                plan.fire(place, hit);
                return Ok(Some(()));
            }
            Moment::Drip => {
                plan.fire(place, hit);
                drip(client, &answer.bytes("close")).await?;
                return Ok(None);
            }
            Moment::Garbage => {
                plan.fire(place, hit);
                answer = Message::answer(200, "text/html", "<html>This is not a mint.</html>");
            }
            _ => {}
        }
    }
    client.write_all(&answer.bytes("keep-alive")).await?;
    Ok(Some(()))
}

/// An answer of this status, with the rule's body. Of 429 a rule with a body wants to be asked
/// again soon.
fn told(status: u16, hit: &Hit) -> Message {
    if hit.bytes.is_empty() {
        return Message::answer(status, "text/plain", "the proxy of the bench");
    }
    let mut answer =
        Message::answer(status, "application/json", &String::from_utf8_lossy(&hit.bytes));
    if status == 429 {
        answer.headers.push(("retry-after".to_owned(), "1".to_owned()));
    }
    answer
}

/// Holds the exchange until it is released, or `None` when the client is gone.
async fn hold(plan: &Plan, client: &TcpStream, place: usize, hit: &Hit) -> Option<()> {
    let firing = plan.fire(place, hit);
    tokio::select! {
        biased;
        () = gone(client) => None,
        () = plan.released(hit, firing) => Some(()),
    }
}

async fn gone(client: &TcpStream) {
    // Bytes before the answer would be a second request: such a client is there.
    if let Ok(1..) = client.peek(&mut [0]).await {
        std::future::pending::<()>().await;
    }
}

/// Sends a byte a second, for as long as somebody reads them.
async fn drip(client: &mut TcpStream, bytes: &[u8]) -> Result<()> {
    let mut second = tokio::time::interval(Duration::from_secs(1));
    for byte in bytes {
        second.tick().await;
        client.write_all(&[*byte]).await?;
    }
    Ok(())
}

/// Sends an answer of this length, as fast as it is read.
async fn flood(client: &mut TcpStream, length: u64) -> Result<()> {
    let head = format!(
        "HTTP/1.1 200 Testbed\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    );
    client.write_all(head.as_bytes()).await?;
    let piece = [b' '; 65_536];
    let mut left = length;
    while left > 0 {
        let part = piece
            .get(..usize::try_from(left).unwrap_or(usize::MAX).min(piece.len()))
            .unwrap_or(&piece);
        client.write_all(part).await?;
        left -= part.len() as u64;
    }
    Ok(())
}

/// Asks the mint, on a connection that nobody else uses.
pub(crate) async fn forward(plan: &Plan, place: usize, request: &Message) -> Result<Message> {
    let mut mint = connect(plan).await?;
    let change = plan.told().rewrite_requests.clone();
    let mut request = request.clone();
    if let Some(change) = change.filter(|_| !request.body.is_empty()) {
        request.body = serde_json::to_vec(&change(request.path(), json(&request.body)))?;
    }
    mint.write_all(&request.bytes("close")).await?;
    let answer = Message::read(&mut mint, &mut Vec::new()).await?;
    let mut answer = answer.context("the mint closed the connection")?;
    let rewrite = plan.told().rewrite.clone();
    if let Some(rewrite) = rewrite {
        let before = json(&answer.body);
        if !before.is_null() {
            answer.body = serde_json::to_vec(&rewrite(request.path(), before))?;
        }
    }
    plan.answered(place, &answer);
    Ok(answer)
}

/// Passes a websocket through as it is.
async fn tunnel(
    plan: &Plan,
    client: &mut TcpStream,
    place: usize,
    request: &Message,
) -> Result<Option<()>> {
    let mut mint = connect(plan).await?;
    mint.write_all(&request.bytes("Upgrade")).await?;
    let mut buffer = Vec::new();
    let answer = Message::read(&mut mint, &mut buffer).await?;
    let answer = answer.context("the mint closed the connection")?;
    plan.answered(place, &answer);
    if answer.status() != Some(101) {
        client.write_all(&answer.bytes("close")).await?;
        return Ok(None);
    }
    let mut head = format!("{}\r\n", answer.first_line);
    for (name, value) in &answer.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    client.write_all(&[head.into_bytes(), buffer].concat()).await?;
    copy_bidirectional(client, &mut mint).await.ok();
    Ok(None)
}

async fn connect(plan: &Plan) -> Result<TcpStream> {
    let mint = TcpStream::connect(plan.target).await.context("the mint behind the proxy")?;
    mint.set_nodelay(true)?;
    Ok(mint)
}
