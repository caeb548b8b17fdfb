//! Tests of the whole client against small loopback servers with hand-written answers.

mod proxy;
mod rate_limit;
mod websocket;

use std::error::Error;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;
use url::Url;

use super::origin::origin_of;
use super::settings::BadSettings;
use super::url_policy::AllowedUrl;
use super::*;
use crate::ports::{Http, HttpFailure, HttpRequest, HttpResponse, JSON, MAX_BODY, Method};

type Tested = Result<(), Box<dyn Error>>;

/// Connections and raw requests that a server received, in order.
#[derive(Debug, Default)]
struct Seen {
    connections: AtomicUsize,
    requests: Mutex<Vec<String>>,
}

impl Seen {
    async fn requests(&self) -> Vec<String> {
        self.requests.lock().await.clone()
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

/// Starts a server that handles every connection with `serve`. Returns its origin and what it
/// received.
async fn server<F, D>(serve: F) -> Result<(String, Arc<Seen>), Box<dyn Error>>
where
    F: Fn(TcpStream, Arc<Seen>) -> D + Send + 'static,
    D: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let origin = format!("http://{}", listener.local_addr()?);
    let seen = Arc::<Seen>::default();
    let shared = Arc::clone(&seen);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            shared.connections.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(serve(stream, Arc::clone(&shared)));
        }
    });
    Ok((origin, seen))
}

/// Starts a server that answers every request with `answer` and keeps the connection open.
async fn answers(answer: &'static str) -> Result<(String, Arc<Seen>), Box<dyn Error>> {
    server(move |mut stream, seen| async move {
        while read_request(&mut stream, &seen).await {
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    })
    .await
}

/// Reads one request with its body. Returns `false` at the end of the stream.
async fn read_request(stream: &mut TcpStream, seen: &Seen) -> bool {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                line.to_lowercase().strip_prefix("content-length: ")?.parse::<usize>().ok()
            });
            if body.len() >= length.unwrap_or(0) {
                seen.requests.lock().await.push(text);
                return true;
            }
        }
        match stream.read_buf(&mut bytes).await {
            Ok(read) if read > 0 => {}
            _ => return false,
        }
    }
}

fn web(allow: &[&str]) -> Result<Web, BadSettings> {
    Web::new(&NetworkSettings {
        allow: allow.iter().map(|text| (*text).to_owned()).collect(),
        proxy: None,
    })
}

fn post(url: &str, deadline: Duration) -> HttpRequest {
    HttpRequest {
        method: Method::Post,
        url: url.to_owned(),
        body: Some(b"{\"a\":1}".to_vec()),
        accept: JSON,
        deadline,
    }
}

fn get(url: &str) -> HttpRequest {
    HttpRequest {
        method: Method::Get,
        url: url.to_owned(),
        body: None,
        accept: JSON,
        deadline: LONG,
    }
}

const LONG: Duration = Duration::from_secs(20);

fn lost(result: &Result<HttpResponse, HttpFailure>) -> bool {
    matches!(result, Err(HttpFailure::Lost(_)))
}

#[tokio::test]
async fn an_exchange_is_plain_and_honest() -> Tested {
    let (origin, seen) =
        answers("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nSet-Cookie: a=b\r\n\r\n{}").await?;
    let web = web(&[&origin])?;
    for _ in 0..2 {
        let answer = web.send(post(&format!("{origin}/v1/swap"), LONG)).await?;
        assert_eq!(
            (answer.status, answer.body.as_slice(), answer.retry_after_seconds),
            (200, b"{}".as_slice(), None)
        );
    }
    let requests = seen.requests().await;
    assert_eq!((requests.len(), seen.connections()), (2, 1));
    for request in requests {
        let head = request.to_lowercase();
        assert!(
            head.starts_with("post /v1/swap http/1.1\r\n") && head.ends_with("{\"a\":1}"),
            "{request}"
        );
        assert!(
            head.contains("content-type: application/json\r\n")
                && head.contains("user-agent: nutpurse/"),
            "{request}"
        );
        assert!(
            !head.contains("cookie")
                && !head.contains("accept-encoding")
                && !head.contains("referer"),
            "{request}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_redirect_is_an_answer() -> Tested {
    let (canary, trapped) = answers("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await?;
    let place = canary.clone();
    let (origin, seen) = server(move |mut stream, seen| {
        let answer = format!(
            "HTTP/1.1 307 Temporary Redirect\r\nLocation: {canary}\r\nContent-Length: 0\r\n\r\n"
        );
        async move {
            while read_request(&mut stream, &seen).await {
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        }
    })
    .await?;
    let answer = web(&[&origin])?.send(post(&origin, LONG)).await?;
    assert_eq!((answer.status, answer.location), (307, Some(place)));
    assert_eq!((seen.requests().await.len(), trapped.connections()), (1, 0));
    Ok(())
}

#[tokio::test]
async fn a_body_over_the_cap_is_cut() -> Tested {
    let sent = Arc::new(AtomicUsize::new(0));
    for head in ["Transfer-Encoding: chunked", "Content-Length: 2147483648", "Connection: close"] {
        let sent = Arc::clone(&sent);
        sent.store(0, Ordering::SeqCst);
        let counter = Arc::clone(&sent);
        let (origin, _) = server(move |mut stream, seen| {
            let counter = Arc::clone(&counter);
            async move {
                read_request(&mut stream, &seen).await;
                let _ =
                    stream.write_all(format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n").as_bytes()).await;
                let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
                while stream.write_all(chunk.as_bytes()).await.is_ok() {
                    counter.fetch_add(chunk.len(), Ordering::SeqCst);
                }
            }
        })
        .await?;
        assert!(lost(&web(&[&origin])?.send(get(&origin)).await), "{head}");
        // The socket buffers add to what the client read.
        assert!(sent.load(Ordering::SeqCst) < MAX_BODY * 5, "{head}");
    }
    Ok(())
}

#[tokio::test]
async fn the_longest_body_is_read() -> Tested {
    let (origin, _) = server(|mut stream, seen| async move {
        read_request(&mut stream, &seen).await;
        let _ = stream
            .write_all(format!("HTTP/1.1 200 OK\r\nContent-Length: {MAX_BODY}\r\n\r\n").as_bytes())
            .await;
        let _ = stream.write_all(&vec![b'x'; MAX_BODY]).await;
    })
    .await?;
    assert_eq!(web(&[&origin])?.send(get(&origin)).await?.body.len(), MAX_BODY);
    Ok(())
}

#[tokio::test]
async fn silence_and_dripping_are_lost_at_the_deadline() -> Tested {
    let (silent, _) = server(|mut stream, seen| async move {
        read_request(&mut stream, &seen).await;
        std::future::pending::<()>().await;
    })
    .await?;
    let (dripping, _) = server(|mut stream, seen| async move {
        read_request(&mut stream, &seen).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n").await;
        while stream.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await?;
    let web = web(&[&silent, &dripping])?;
    for origin in [silent, dripping] {
        let start = Instant::now();
        assert!(lost(&web.send(post(&origin, Duration::from_millis(400))).await), "{origin}");
        assert!(start.elapsed() < Duration::from_secs(5), "{origin}");
    }
    Ok(())
}

#[tokio::test]
async fn what_never_left_is_not_sent() -> Tested {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let origin = format!("http://{}", listener.local_addr()?);
    drop(listener);
    let outcome = web(&[&origin])?.send(post(&origin, LONG)).await;
    assert_eq!(outcome.err(), Some(HttpFailure::NotSent("the connection was refused".into())));
    Ok(())
}

#[tokio::test]
async fn a_server_without_tls_gets_no_request() -> Tested {
    let (origin, seen) = server(|mut stream, _| async move {
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n").await;
        let _ = stream.read(&mut [0; 1024]).await;
    })
    .await?;
    let origin = origin.replace("http://", "https://");
    let web = web(&[&origin])?;
    let outcome = web.send(post(&origin, LONG)).await;
    assert_eq!(outcome.err(), Some(HttpFailure::NotSent("TLS failed".into())));
    let socket = web.websocket(&origin.replace("https", "wss")).await;
    assert_eq!(socket.err(), Some(HttpFailure::NotSent("TLS failed".into())));
    assert_eq!(seen.connections(), 2);
    Ok(())
}

#[tokio::test]
async fn a_broken_answer_is_lost() -> Tested {
    for answer in [
        "",
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
        "HTTP/1.1 2",
        "\u{0}\u{1}nonsense\r\n\r\n",
    ] {
        let (origin, seen) = server(move |mut stream, seen| async move {
            read_request(&mut stream, &seen).await;
            let _ = stream.write_all(answer.as_bytes()).await;
        })
        .await?;
        let outcome = web(&[&origin])?.send(post(&origin, LONG)).await;
        assert!(lost(&outcome), "{answer:?} {outcome:?}");
        assert_eq!((seen.requests().await.len(), seen.connections()), (1, 1), "{answer:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_post_is_never_made_twice() -> Tested {
    // Answers the first request of a connection, reads the second and closes without an answer.
    let (origin, seen) = server(|mut stream, seen| async move {
        if read_request(&mut stream, &seen).await {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").await;
            read_request(&mut stream, &seen).await;
        }
    })
    .await?;
    let web = web(&[&origin])?;
    assert_eq!(web.send(post(&origin, LONG)).await?.status, 200);
    assert!(lost(&web.send(post(&origin, LONG)).await));
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!((seen.requests().await.len(), seen.connections()), (2, 1));
    Ok(())
}

#[tokio::test]
async fn a_connection_closed_while_idle_costs_no_request() -> Tested {
    // Closes after every answer without announcing it.
    let (origin, seen) = server(|mut stream, seen| async move {
        read_request(&mut stream, &seen).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").await;
    })
    .await?;
    let web = web(&[&origin])?;
    let mut answered = 0;
    for _ in 0..20 {
        match web.send(post(&origin, LONG)).await {
            Ok(_) => answered += 1,
            Err(failure) => assert!(matches!(failure, HttpFailure::Lost(_)), "{failure}"),
        }
    }
    assert_eq!(seen.requests().await.len(), answered);
    Ok(())
}

#[tokio::test]
async fn a_private_address_hears_nothing() -> Tested {
    let (origin, seen) = answers("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await?;
    let port = origin.rsplit(':').next().unwrap_or_default();
    let web = web(&[])?;
    for host in
        ["127.0.0.1", "localhost", "localhost.", "0x7f.1", "2130706433", "[::ffff:127.0.0.1]", "0"]
    {
        for scheme in ["http", "https"] {
            let outcome = web.send(get(&format!("{scheme}://{host}:{port}/"))).await;
            assert!(matches!(outcome, Err(HttpFailure::Refused(_))), "{scheme} {host} {outcome:?}");
        }
        for scheme in ["ws", "wss"] {
            let outcome = web.websocket(&format!("{scheme}://{host}:{port}/")).await;
            assert!(matches!(outcome, Err(HttpFailure::Refused(_))), "{scheme} {host}");
        }
    }
    assert_eq!(seen.connections(), 0);
    Ok(())
}

#[tokio::test]
async fn a_name_that_leads_to_this_machine_hears_nothing() -> Tested {
    let (origin, seen) = answers("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await?;
    // Simulates an ordinary name that resolves to 127.0.0.1 and ::1.
    let url = Url::parse(&origin.replace("http://127.0.0.1", "https://localhost"))?;
    let origin = origin_of(&url).ok_or("no origin")?;
    let target = AllowedUrl { url, origin, listed: false };
    let outcome = web(&[])?.exchange(&target, get("")).await;
    assert_eq!(
        outcome.err(),
        Some(HttpFailure::Refused("the name resolves to a private address".into()))
    );
    assert!(matches!(web(&[])?.open(&target).await, Err(HttpFailure::Refused(_))));
    assert_eq!(seen.connections(), 0);
    Ok(())
}
