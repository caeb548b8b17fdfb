//! The relay answers a websocket handshake, and not when it is stopped.

use anyhow::{Context, Result};
use testbed::Relay;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[tokio::test]
async fn it_speaks_websocket_until_it_is_stopped() -> Result<()> {
    let relay = Relay::start().await?;
    let host = relay.url().trim_end_matches('/').strip_prefix("ws://").context("ws")?.to_owned();
    let mut stream = TcpStream::connect(&host).await?;
    let handshake = format!(
        "GET / HTTP/1.1\r\nhost: {host}\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    stream.write_all(handshake.as_bytes()).await?;
    let mut first = [0; 12];
    stream.read_exact(&mut first).await?;
    assert_eq!(String::from_utf8_lossy(&first), "HTTP/1.1 101");

    relay.stop().await;
    assert!(TcpStream::connect(&host).await.is_err());
    Ok(())
}
