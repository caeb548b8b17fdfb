//! Tests that websockets follow the same rules.

use futures::{SinkExt, StreamExt};
use tokio_tungstenite::tungstenite::Message;

use super::*;

#[tokio::test]
async fn a_websocket_carries_messages_up_to_the_cap() -> Tested {
    let (origin, _) = server(|stream, _| async move {
        let Ok(mut socket) = tokio_tungstenite::accept_async(stream).await else { return };
        for length in [MAX_BODY, MAX_BODY + 1] {
            let _ = socket.send(Message::text("x".repeat(length))).await;
        }
        let _ = socket.next().await;
    })
    .await?;
    let mut socket =
        web(&[&origin])?.websocket(&format!("{}/v1/ws", origin.replace("http", "ws"))).await?;
    assert!(
        socket
            .next()
            .await
            .is_some_and(|message| message.is_ok_and(|message| message.len() == MAX_BODY))
    );
    assert!(socket.next().await.is_some_and(|message| message.is_err()));
    Ok(())
}

#[tokio::test]
async fn a_websocket_that_cannot_be_opened_says_why() -> Tested {
    let (plain, _) =
        answers("HTTP/1.1 302 Found\r\nLocation: http://10.0.0.1/\r\nContent-Length: 0\r\n\r\n")
            .await?;
    let (busy, seen) =
        answers("HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n\r\n").await?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let gone = format!("http://{}", listener.local_addr()?);
    drop(listener);
    let web = web(&[&plain, &busy, &gone])?;
    let open = async |origin: &str| web.websocket(&origin.replace("http", "ws")).await.err();
    assert!(matches!(open(&plain).await, Some(HttpFailure::Lost(_))));
    assert_eq!(open(&gone).await, Some(HttpFailure::NotSent("the connection was refused".into())));
    assert_eq!(open(&busy).await, Some(HttpFailure::RateLimited { retry_after_seconds: 30 }));
    assert!(matches!(open(&busy).await, Some(HttpFailure::RateLimited { .. })));
    assert_eq!(seen.connections(), 1);
    Ok(())
}
