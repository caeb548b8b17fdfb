//! Tests of servers that request a pause.

use super::*;

#[tokio::test]
async fn a_503_pauses_its_origin_only_where_it_says_for_how_long() -> Tested {
    let (origin, seen) =
        answers("HTTP/1.1 503 Service Unavailable\r\nRetry-After: 40\r\nContent-Length: 0\r\n\r\n")
            .await?;
    let (other, _) =
        answers("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n").await?;
    let web = web(&[&origin, &other])?;
    assert_eq!(web.send(post(&origin, LONG)).await?.retry_after_seconds, Some(40));
    let paused = web.send(post(&origin, LONG)).await;
    assert!(
        matches!(paused, Err(HttpFailure::RateLimited { retry_after_seconds: 30..=40 })),
        "{paused:?}"
    );
    assert_eq!(seen.requests().await.len(), 1);
    for _ in 0..2 {
        assert_eq!(web.send(post(&other, LONG)).await?.status, 503);
    }
    Ok(())
}

#[tokio::test]
async fn a_429_pauses_its_origin_alone() -> Tested {
    let (origin, seen) =
        answers("HTTP/1.1 429 Too Many Requests\r\nRetry-After: 3600\r\nContent-Length: 0\r\n\r\n")
            .await?;
    let (other, _) = answers("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await?;
    let web = web(&[&origin, &other])?;
    let answer = web.send(post(&origin, LONG)).await?;
    assert_eq!((answer.status, answer.retry_after_seconds), (429, Some(3600)));
    let paused = web.send(post(&origin, LONG)).await;
    assert!(
        matches!(paused, Err(HttpFailure::RateLimited { retry_after_seconds: 3590..=3600 })),
        "{paused:?}"
    );
    let socket = web.websocket(&origin.replace("http", "ws")).await;
    assert!(matches!(socket, Err(HttpFailure::RateLimited { .. })));
    assert_eq!(seen.requests().await.len(), 1);
    assert_eq!(web.send(post(&other, LONG)).await?.status, 200);
    Ok(())
}
