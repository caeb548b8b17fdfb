//! Sessions over a pipe in memory: both eras with rmcp's own client, and raw lines that no client should send.

#![expect(clippy::indexing_slicing, reason = "a test reads JSON, and a missing member is null")]

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use nutpurse::mcp::{self, LINE_MAX, SessionError};
use nutpurse::wallet::{Caller, Source};
use rmcp::model::{CallToolRequestParams, GetPromptRequestParams, ProtocolVersion, ReadResourceRequestParams};
use rmcp::service::RunningService;
use rmcp::{ClientLifecycleMode, ClientServiceExt, RoleClient};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, ReadHalf, WriteHalf};
use tokio::task::JoinHandle;

use crate::tools::{Busy, Panics};

type Outcome = Result<(), Box<dyn Error>>;

const PATIENCE: Duration = Duration::from_secs(20);

fn serve(source: Arc<dyn Source>) -> (DuplexStream, JoinHandle<Result<(), SessionError>>) {
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    let (reader, writer) = tokio::io::split(theirs);
    (ours, tokio::spawn(mcp::serve(source, Caller { agent: "test".to_owned() }, reader, writer)))
}

fn eras() -> [ClientLifecycleMode; 2] {
    [ClientLifecycleMode::Initialize, ClientLifecycleMode::Discover { preferred_versions: vec![ProtocolVersion::V_2026_07_28] }]
}

async fn client(source: Arc<dyn Source>, era: ClientLifecycleMode) -> Result<RunningService<RoleClient, ()>, Box<dyn Error>> {
    Ok(().serve_with_lifecycle(serve(source).0, era).await?)
}

/// A pipe that speaks lines.
struct Raw {
    reader: BufReader<ReadHalf<DuplexStream>>,
    writer: WriteHalf<DuplexStream>,
    session: JoinHandle<Result<(), SessionError>>,
}

impl Raw {
    fn new(source: Arc<dyn Source>) -> Self {
        let (pipe, session) = serve(source);
        let (reader, writer) = tokio::io::split(pipe);
        Self { reader: BufReader::new(reader), writer, session }
    }

    async fn send(&mut self, line: impl AsRef<[u8]>) -> Outcome {
        self.writer.write_all(line.as_ref()).await?;
        self.writer.write_all(b"\n").await?;
        Ok(())
    }

    async fn next(&mut self) -> Result<Value, Box<dyn Error>> {
        let mut line = String::new();
        tokio::time::timeout(PATIENCE, self.reader.read_line(&mut line)).await.map_err(|_| "no answer came")??;
        Ok(serde_json::from_str(&line)?)
    }

    async fn ask(&mut self, line: impl AsRef<[u8]>) -> Result<Value, Box<dyn Error>> {
        self.send(line).await?;
        self.next().await
    }

    async fn initialized(source: Arc<dyn Source>) -> Result<Self, Box<dyn Error>> {
        let mut raw = Self::new(source);
        raw.ask(initialize(0)).await?;
        raw.send(json!({"jsonrpc": "2.0", "method": "notifications/initialized"}).to_string()).await?;
        Ok(raw)
    }

    /// The session still answers.
    async fn is_alive(&mut self) -> Outcome {
        let answer = self.ask(json!({"jsonrpc": "2.0", "id": "alive", "method": "ping"}).to_string()).await?;
        assert_eq!((&answer["id"], &answer["result"]), (&json!("alive"), &json!({})));
        Ok(())
    }

    async fn hang_up(self) -> Result<(), Box<dyn Error>> {
        let Self { reader, writer, session } = self;
        drop((reader, writer));
        Ok(tokio::time::timeout(PATIENCE, session).await???)
    }
}

fn initialize(id: u32) -> String {
    let params = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "raw", "version": "1"}});
    json!({"jsonrpc": "2.0", "id": id, "method": "initialize", "params": params}).to_string()
}

fn meta() -> Value {
    json!({"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}})
}

#[tokio::test]
async fn the_list_is_the_same_in_both_eras() -> Outcome {
    let mut lists = Vec::new();
    for era in eras() {
        let client = client(Arc::new(Busy), era).await?;
        lists.push(serde_json::to_value(client.list_all_tools().await?)?);
        client.cancel().await?;
    }
    assert_eq!(lists.first(), lists.last());
    assert_eq!(lists.first().and_then(Value::as_array).map(Vec::len), Some(11));
    Ok(())
}

#[tokio::test]
async fn a_failure_is_text_alone_in_both_eras() -> Outcome {
    for era in eras() {
        let client = client(Arc::new(Busy), era).await?;
        let result = client.call_tool(CallToolRequestParams::new("get_balance")).await?;
        let result = serde_json::to_value(result)?;
        assert_eq!(result["isError"], true);
        assert!(result.get("structuredContent").is_none());
        assert_eq!(result["content"].as_array().map(Vec::len), Some(1));
        let error: Value = serde_json::from_str(result["content"][0]["text"].as_str().ok_or("no text")?)?;
        assert_eq!(error["error"], "wallet_busy");
        let unknown = client.call_tool(CallToolRequestParams::new("get_rich")).await;
        assert!(unknown.is_err_and(|error| error.to_string().contains("-32602")), "an unknown tool is misuse of the protocol");
        client.cancel().await?;
    }
    Ok(())
}

#[tokio::test]
async fn resources_and_prompts_answer_in_both_eras() -> Outcome {
    for era in eras() {
        let client = client(Arc::new(Busy), era).await?;
        assert_eq!(client.list_all_resources().await?.len(), 2);
        assert_eq!(client.list_all_resource_templates().await?.len(), 2);
        let busy = client.read_resource(ReadResourceRequestParams::new("wallet://balance")).await;
        assert!(busy.is_err_and(|error| error.to_string().contains("wallet_busy")));
        for uri in ["wallet://keys", "wallet://payments/1"] {
            assert!(client.read_resource(ReadResourceRequestParams::new(uri)).await.is_err(), "{uri}");
        }
        assert_eq!(client.list_all_prompts().await?.len(), 2);
        let prompt = client.get_prompt(GetPromptRequestParams::new("review_spending")).await?;
        assert_eq!(prompt.messages.len(), 1);
        client.cancel().await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_panic_is_answered_and_the_session_goes_on() -> Outcome {
    let client = client(Arc::new(Panics), ClientLifecycleMode::Initialize).await?;
    let result = serde_json::to_string(&client.call_tool(CallToolRequestParams::new("list_mints")).await?)?;
    assert!(result.contains("internal") && !result.contains("cashuB"), "{result}");
    assert_eq!(client.list_all_tools().await?.len(), 11);
    client.cancel().await?;
    Ok(())
}

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
    raw.send(r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#).await?;
    let early_list = raw.ask(r#"{"jsonrpc":"2.0","id":2,"method":"tools/list"}"#).await?;
    assert_eq!(early_list["error"]["code"], -32602);
    raw.send(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#).await?;
    assert_eq!(raw.ask(initialize(3)).await?["result"]["protocolVersion"], "2025-11-25");
    raw.is_alive().await?;
    raw.hang_up().await
}

#[tokio::test]
async fn the_newer_era_needs_no_handshake() -> Outcome {
    let mut raw = Raw::new(Arc::new(Busy));
    let list = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": meta()}});
    let list = raw.ask(list.to_string()).await?;
    assert_eq!((&list["result"]["cacheScope"], &list["result"]["resultType"]), (&json!("private"), &json!("complete")));
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
    for ignored in [&b"hello"[..], b"\xff\xfe\xfd", b"   ", b"\r", br#"{"jsonrpc":"2.0","method":"textDocument/didOpen","params":{}}"#, b"null garbage"] {
        raw.send(ignored).await?;
        raw.is_alive().await?;
    }
    let deep = format!(r#"{{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{}{}}}"#, "[".repeat(50_000), "]".repeat(50_000));
    let mut not_utf8 = br#"{"jsonrpc":"2.0","id":8,"method":"tools/call","params":{"name":""#.to_vec();
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
        assert_eq!((&answer["id"], &answer["error"]["code"]), (&id, &json!(code)), "{}", String::from_utf8_lossy(line.get(..60).unwrap_or(&line)));
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
        let answer = raw.ask(json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).to_string()).await?;
        assert_eq!(answer["error"]["code"], code, "{params}: {answer}");
    }
    for arguments in [json!([]), json!("x"), json!(5)] {
        let params = json!({"name": "pay", "arguments": arguments});
        let answer = raw.ask(json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).to_string()).await?;
        assert_eq!(answer["result"]["isError"], true, "{answer}");
        assert!(answer["result"].get("resultType").is_none(), "the older era has none: {answer}");
        assert!(answer["result"]["content"][0]["text"].as_str().is_some_and(|text| text.contains("invalid_input")), "{answer}");
    }
    for method in ["nope", "tools/steal", "resources/read"] {
        let answer = raw.ask(json!({"jsonrpc": "2.0", "id": 1, "method": method}).to_string()).await?;
        assert!(answer["error"]["code"].is_i64(), "{method}: {answer}");
    }
    raw.is_alive().await?;
    raw.hang_up().await
}

#[tokio::test]
async fn a_line_over_the_cap_is_answered_and_skipped() -> Outcome {
    let mut raw = Raw::initialized(Arc::new(Busy)).await?;
    let filler = "x".repeat(LINE_MAX);
    for line in [
        format!(r#"{{"jsonrpc":"2.0","id":"big","method":"tools/call","params":{{"id":1,"a":"{filler}"}}}}"#),
        format!(r#"{{"method":"tools/call","params":{{"id":1,"a":"{filler}"}},"jsonrpc":"2.0","id":"big"}}"#),
    ] {
        let answer = raw.ask(line).await?;
        assert_eq!((&answer["id"], &answer["error"]["code"]), (&json!("big"), &json!(-32600)));
        raw.is_alive().await?;
    }
    let answer = raw.ask(format!("{filler}x")).await?;
    assert_eq!((answer.get("id"), &answer["error"]["code"]), (None, &json!(-32600)), "what is no JSON has no id");
    raw.is_alive().await?;
    let room = LINE_MAX - 200;
    let fits = format!(r#"{{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{{"name":"receive_token","arguments":{{"token":"{}"}}}}}}"#, "x".repeat(room));
    assert_eq!(raw.ask(fits).await?["result"]["isError"], true);
    raw.hang_up().await
}

#[tokio::test]
async fn signs_of_life_come_before_the_answer() -> Outcome {
    let mut raw = Raw::initialized(Arc::new(Busy)).await?;
    let params = json!({"name": "get_balance", "arguments": {}, "_meta": {"progressToken": "t"}});
    let answer = raw.ask(json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).to_string()).await?;
    assert_eq!(answer["id"], 1, "what is done at once gives no sign: {answer}");
    raw.hang_up().await
}
