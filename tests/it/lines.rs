//! Raw lines that no client should send: each is answered or ignored, and the session goes on.

use std::error::Error;
use std::sync::Arc;

use nutpurse::testing::mcp::MAX_FRAME;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt};

use crate::pipe::{Outcome, PATIENCE, Raw, initialize, meta, slow_call};
use crate::tools::Busy;

#[tokio::test]
async fn what_comes_before_the_first_request_is_dropped() -> Outcome {
    let mut raw = Raw::new(Arc::new(Busy));
    for early in [
        r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#,
        r#"{"jsonrpc":"2.0","id":4,"result":{}}"#,
        "hello?",
        "",
    ] {
        raw.send(early).await?;
    }
    let discover = json!({"jsonrpc": "2.0", "id": 1, "method": "server/discover", "params": {"_meta": meta()}});
    assert!(raw.ask(discover.to_string()).await?["result"]["instructions"].is_string());
    raw.send(r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#)
        .await?;
    let early_list = raw.ask(r#"{"jsonrpc":"2.0","id":2,"method":"tools/list"}"#).await?;
    assert_eq!(early_list["error"]["code"], -32602);
    raw.send(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#).await?;
    assert_eq!(raw.ask(initialize(3)).await?["result"]["protocolVersion"], "2025-11-25");
    raw.is_alive().await?;
    raw.hang_up().await
}

#[tokio::test]
async fn a_probe_that_hangs_up_is_a_session_like_any_other() -> Outcome {
    Raw::new(Arc::new(Busy)).hang_up().await?;
    let mut raw = Raw::new(Arc::new(Busy));
    raw.send(initialize(0)).await?;
    raw.hang_up().await
}

#[tokio::test]
async fn lines_that_are_no_message_are_answered_or_ignored() -> Outcome {
    let mut raw = Raw::initialized(Arc::new(Busy)).await?;
    for ignored in [
        &b"hello"[..],
        b"\xff\xfe\xfd",
        b"   ",
        b"\r",
        br#"{"jsonrpc":"2.0","method":"textDocument/didOpen","params":{}}"#,
        b"null garbage",
    ] {
        raw.send(ignored).await?;
        raw.is_alive().await?;
    }
    let deep = format!(
        r#"{{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{}{}}}"#,
        "[".repeat(50_000),
        "]".repeat(50_000)
    );
    let mut not_utf8 =
        br#"{"jsonrpc":"2.0","id":8,"method":"tools/call","params":{"name":""#.to_vec();
    not_utf8.extend_from_slice(b"\xff\xff\"}}");
    let answered: [(Vec<u8>, Value, i64); 5] = [
        (deep.into_bytes(), json!(7), -32700),
        (not_utf8, json!(8), -32700),
        (br#"[{"jsonrpc":"2.0","id":9,"method":"ping"}]"#.to_vec(), Value::Null, -32600),
        (br#"{"jsonrpc":"1.0","id":10,"method":"ping"}"#.to_vec(), json!(10), -32600),
        (br#"{"jsonrpc":"2.0"}"#.to_vec(), Value::Null, -32600),
    ];
    for (line, id, code) in answered {
        let answer = raw.ask(&line).await?;
        assert_eq!(
            (&answer["id"], &answer["error"]["code"]),
            (&id, &json!(code)),
            "{}",
            String::from_utf8_lossy(line.get(..60).unwrap_or(&line))
        );
        raw.is_alive().await?;
    }
    raw.hang_up().await
}

#[tokio::test]
async fn requests_of_another_shape_are_answered() -> Outcome {
    let mut raw = Raw::initialized(Arc::new(Busy)).await?;
    for (params, code) in [
        (json!(null), -32602),
        (json!({}), -32602),
        (json!({"name": 5}), -32602),
        (json!({"name": "no_such_tool", "arguments": []}), -32602),
        (json!({"name": "no_such_tool"}), -32602),
    ] {
        let answer = raw
            .ask(
                json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})
                    .to_string(),
            )
            .await?;
        assert_eq!(answer["error"]["code"], code, "{params}: {answer}");
    }
    for arguments in [json!([]), json!("x"), json!(5)] {
        let params = json!({"name": "pay", "arguments": arguments});
        let answer = raw
            .ask(
                json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})
                    .to_string(),
            )
            .await?;
        assert_eq!(answer["result"]["isError"], true, "{answer}");
        assert!(answer["result"].get("resultType").is_none(), "the older era has none: {answer}");
        assert!(
            answer["result"]["content"][0]["text"]
                .as_str()
                .is_some_and(|text| text.contains("invalid_input")),
            "{answer}"
        );
    }
    for method in ["nope", "tools/steal", "resources/read"] {
        let answer =
            raw.ask(json!({"jsonrpc": "2.0", "id": 1, "method": method}).to_string()).await?;
        assert!(answer["error"]["code"].is_i64(), "{method}: {answer}");
    }
    raw.is_alive().await?;
    raw.hang_up().await
}

#[tokio::test]
async fn a_line_over_the_cap_is_answered_and_skipped() -> Outcome {
    let mut raw = Raw::initialized(Arc::new(Busy)).await?;
    let filler = "x".repeat(MAX_FRAME);
    for line in [
        format!(
            r#"{{"jsonrpc":"2.0","id":"big","method":"tools/call","params":{{"id":1,"a":"{filler}"}}}}"#
        ),
        format!(
            r#"{{"method":"tools/call","params":{{"id":1,"a":"{filler}"}},"jsonrpc":"2.0","id":"big"}}"#
        ),
    ] {
        let answer = raw.ask(line).await?;
        assert_eq!((&answer["id"], &answer["error"]["code"]), (&json!("big"), &json!(-32600)));
        raw.is_alive().await?;
    }
    let answer = raw.ask(format!("{filler}x")).await?;
    assert_eq!(
        (answer.get("id"), &answer["error"]["code"]),
        (None, &json!(-32600)),
        "what is no JSON has no id"
    );
    raw.is_alive().await?;
    let room = MAX_FRAME - 200;
    let fits = format!(
        r#"{{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{{"name":"receive_token","arguments":{{"token":"{}"}}}}}}"#,
        "x".repeat(room)
    );
    assert_eq!(raw.ask(fits).await?["result"]["isError"], true);
    raw.hang_up().await
}

#[tokio::test(start_paused = true)]
async fn a_client_that_reads_nothing_cannot_keep_the_session() -> Outcome {
    let mut raw = Raw::initialized(Arc::new(Busy)).await?;
    for id in 0..20 {
        raw.send(json!({"jsonrpc": "2.0", "id": id, "method": "tools/list"}).to_string()).await?;
    }
    raw.writer.shutdown().await?;
    let Raw { reader, writer, session } = raw;
    tokio::time::timeout(PATIENCE, session).await???;
    drop((reader, writer));
    Ok(())
}

#[tokio::test]
async fn lines_that_come_in_pieces_are_whole_lines() -> Outcome {
    const CALLS: u32 = 100;
    let raw = Raw::initialized(Arc::new(Busy)).await?;
    let Raw { mut reader, mut writer, session } = raw;
    let write = async {
        for id in 1..=CALLS {
            let line =
                json!({"jsonrpc": "2.0", "id": id, "method": "tools/list"}).to_string() + "\n";
            for piece in line.as_bytes().chunks(17) {
                writer.write_all(piece).await?;
                tokio::task::yield_now().await;
            }
        }
        Ok::<_, Box<dyn Error>>(())
    };
    let read = async {
        let mut ids = std::collections::BTreeSet::new();
        let mut line = String::new();
        while ids.len() < CALLS as usize {
            line.clear();
            tokio::time::timeout(PATIENCE, reader.read_line(&mut line)).await??;
            ids.insert(serde_json::from_str::<Value>(&line)?["id"].as_u64());
        }
        Ok::<_, Box<dyn Error>>(())
    };
    tokio::try_join!(write, read)?;
    Raw { reader, writer, session }.hang_up().await
}

#[tokio::test]
async fn no_line_ends_a_session() -> Outcome {
    let good = [
        initialize(3),
        slow_call(4),
        json!({"jsonrpc": "2.0", "id": 5, "method": "ping"}).to_string(),
    ];
    let mut random = rand::rngs::StdRng::seed_from_u64(7);
    let mut raw = Raw::new(Arc::new(Busy));
    for round in 0..600 {
        if round == 300 {
            raw.send(initialize(0)).await?;
        }
        let mut line = good[round % good.len()].clone().into_bytes();
        for _ in 0..random.random_range(1..4) {
            let at = random.random_range(0..line.len());
            match random.random_range(0..3) {
                0 => line[at] = random.random::<u8>().max(b' '),
                1 => line.truncate(at.max(1)),
                _ => line.insert(at, b"{}[]\",:0"[random.random_range(0..8)]),
            }
        }
        raw.send(&line).await?;
        raw.send(json!({"jsonrpc": "2.0", "id": "alive", "method": "ping"}).to_string()).await?;
        while raw.next().await?["id"] != "alive" {}
    }
    raw.hang_up().await
}
