//! The way through a proxy, and that no task of the library outlives its relays.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use nutpurse::testing::nostr::Relays;
use nutpurse::testing::nostr::relays::{Ack, End, ListenerEvent};
use nutpurse::testing::wallet::core::clock;
use serde_json::json;
use testbed::Relay;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;

use super::{SHORT, WAIT, event, me, relays, web};

/// A SOCKS5 proxy that leads every name to one place; the names it was given.
async fn socks(to: String) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let names = Arc::<Mutex<Vec<String>>>::default();
    let given = names.clone();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let (to, given) = (to.clone(), given.clone());
            tokio::spawn(async move {
                let mut greeting = [0; 2];
                client.read_exact(&mut greeting).await.unwrap();
                client.read_exact(&mut vec![0; greeting[1].into()]).await.unwrap();
                client.write_all(&[5, 0]).await.unwrap();
                let mut request = [0; 4];
                client.read_exact(&mut request).await.unwrap();
                let length = if request[3] == 3 { client.read_u8().await.unwrap() } else { 4 };
                let mut name = vec![0; length.into()];
                client.read_exact(&mut name).await.unwrap();
                client.read_u16().await.unwrap();
                given.lock().unwrap().push(if request[3] == 3 {
                    String::from_utf8(name).unwrap()
                } else {
                    format!("{name:?}")
                });
                client.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await.unwrap();
                let mut server = TcpStream::connect(to).await.unwrap();
                let _ = copy_bidirectional(&mut client, &mut server).await;
            });
        }
    });
    (address, names)
}

#[tokio::test]
async fn relays_are_reached_through_the_owners_proxy_which_alone_resolves_them() {
    let me = me();
    let relay = Relay::start().await.unwrap();
    let (proxy, names) = socks(relay.url()[5..].to_owned()).await;
    let url = "ws://relay.nutpurse.example:7777";
    let relays = Relays::new(web(url, Some(format!("socks5h://{proxy}"))), None, clock::now);
    let one = event(&me, 7, vec![], "through a proxy");
    assert_eq!(relays.publish(url, one.json(), one.id(), WAIT).await, Ack::Stored);
    assert_eq!(relays.page(url, &json!({"kinds": [7375]}), WAIT).await.events, [one]);
    assert_eq!(*names.lock().unwrap(), ["relay.nutpurse.example"]);
    // Where names are looked up here first, one that this machine does not know goes nowhere.
    let relays = Relays::new(web(url, Some(format!("socks5://{proxy}"))), None, clock::now);
    assert!(matches!(relays.page(url, &json!({}), WAIT).await.end, End::Unreachable(_)));
    let near = relay.url();
    let relays = Relays::new(web(near, Some(format!("socks5://{proxy}"))), None, clock::now);
    assert_eq!(relays.page(near, &json!({"kinds": [7375]}), WAIT).await.end, End::Whole);
    assert_eq!(*names.lock().unwrap(), ["relay.nutpurse.example", "[127, 0, 0, 1]"]);
    assert_eq!(relay.connections(), 2);
}

/// Waits until no more tasks run than so many.
async fn at_rest(tasks: usize) {
    for _ in 0..200 {
        if Handle::current().metrics().num_alive_tasks() <= tasks {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{} tasks, {tasks} before", Handle::current().metrics().num_alive_tasks());
}

#[tokio::test]
async fn no_task_of_the_library_outlives_its_relays() {
    let me = me();
    let relay = Relay::start().await.unwrap();
    let before = Handle::current().metrics().num_alive_tasks();
    for closes in [true, false] {
        let relays = relays(relay.url(), Some(&me));
        let (listening, mut heard) =
            relays.listen(relay.url().to_owned(), json!({"kinds": [9321]}));
        let listening = tokio::spawn(listening);
        assert!(matches!(heard.recv().await, Some(ListenerEvent::Connected)));
        assert_eq!(relays.page(relay.url(), &json!({"kinds": [1]}), WAIT).await.end, End::Whole);
        assert!(
            Handle::current().metrics().num_alive_tasks() > before + 1,
            "a connection is a task, and a listener is another"
        );
        // One that is given up in the middle.
        relay.rule(|rule| rule.mute = true);
        assert!(
            tokio::time::timeout(SHORT, relays.page(relay.url(), &json!({"kinds": [1]}), WAIT))
                .await
                .is_err()
        );
        relay.rule(|rule| rule.mute = false);
        assert_eq!(relays.page(relay.url(), &json!({"kinds": [1]}), WAIT).await.end, End::Whole);
        drop(heard);
        listening.await.unwrap();
        if closes {
            relays.close().await;
            at_rest(before).await;
            assert!(matches!(
                relays.page(relay.url(), &json!({}), WAIT).await.end,
                End::Unreachable(_)
            ));
        }
        drop(relays);
        at_rest(before).await;
    }
}
