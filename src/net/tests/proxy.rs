//! Tests that all traffic goes through the proxy.

use super::super::origin::origin_of;
use super::*;

#[tokio::test]
async fn a_dead_proxy_stops_everything() -> Tested {
    let (origin, seen) = answers("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await?;
    for scheme in ["socks5h", "socks5", "http"] {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let proxy = format!("{scheme}://{}", listener.local_addr()?);
        drop(listener);
        let web = Web::new(&NetworkSettings { allow: vec![origin.clone()], proxy: Some(proxy) })?;
        let outcome = web.send(get(&origin)).await;
        assert!(matches!(outcome, Err(HttpFailure::NotSent(_))), "{scheme} {outcome:?}");
        let socket = web.websocket(&origin.replace("http", "ws")).await.err();
        assert!(matches!(socket, Some(HttpFailure::NotSent(_))), "{scheme} {socket:?}");
    }
    assert_eq!(seen.connections(), 0);
    Ok(())
}

#[tokio::test]
async fn a_proxy_gets_the_name_and_nobody_else_is_asked() -> Tested {
    let (proxy, seen) = answers("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n").await?;
    let proxy = proxy.replace("127.0.0.1", "localhost");
    let web = Web::new(&NetworkSettings {
        allow: vec!["http://mint.invalid".into()],
        proxy: Some(proxy),
    })?;
    // This machine cannot resolve the name, so only the proxy can have received it.
    let outcome = web.send(post("https://no-such-host.nutpurse.example/v1/swap", LONG)).await;
    assert!(matches!(outcome, Err(HttpFailure::NotSent(_))), "{outcome:?}");
    let socket = web.websocket("wss://no-such-relay.nutpurse.example").await;
    assert!(matches!(socket.err(), Some(HttpFailure::NotSent(_))));
    assert_eq!(web.send(get("http://mint.invalid/v1/info")).await?.status, 502);
    let requests = seen.requests().await;
    let heads: Vec<&str> = requests.iter().filter_map(|request| request.lines().next()).collect();
    let expected = [
        "CONNECT no-such-host.nutpurse.example:443 HTTP/1.1",
        "CONNECT no-such-relay.nutpurse.example:443 HTTP/1.1",
        "GET http://mint.invalid/v1/info HTTP/1.1",
    ];
    assert_eq!(heads, expected);
    Ok(())
}

#[tokio::test]
async fn a_proxy_is_not_given_a_name_that_leads_to_this_machine() -> Tested {
    let (proxy, seen) = answers("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await?;
    // Simulates an ordinary name that resolves to 127.0.0.1 and ::1.
    let url = Url::parse("https://localhost:8443/")?;
    let target = AllowedUrl { origin: origin_of(&url).ok_or("no origin")?, url, listed: false };
    for scheme in ["http", "socks5"] {
        let proxy = Some(proxy.replace("http", scheme));
        let web = Web::new(&NetworkSettings { allow: Vec::new(), proxy })?;
        let outcome = web.exchange(&target, get("")).await;
        let refused = Some(HttpFailure::Refused("the name resolves to a private address".into()));
        assert_eq!(
            (outcome.err(), web.open(&target).await.err()),
            (refused.clone(), refused),
            "{scheme}"
        );
    }
    assert_eq!(seen.connections(), 0);
    Ok(())
}

#[test]
fn a_proxys_password_is_not_printed() -> Tested {
    let settings = NetworkSettings {
        allow: Vec::new(),
        proxy: Some("socks5h://user:hunter2@127.0.0.1:9050".into()),
    };
    let printed = format!("{settings:?} {:?}", Web::new(&settings)?);
    assert!(!printed.contains("hunter2"), "{printed}");
    Ok(())
}
