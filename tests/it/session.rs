//! Sessions as clients hold them: both eras with rmcp's own client, and what a session does with
//! calls that take their time.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use nutpurse::testing::api::Source;
use rmcp::model::{
    CallToolRequestParams, GetPromptRequestParams, ProtocolVersion, ReadResourceRequestParams,
};
use rmcp::service::RunningService;
use rmcp::{ClientLifecycleMode, ClientServiceExt, RoleClient};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use crate::pipe::{Gate, Outcome, Raw, meta, serve, slow_call};
use crate::tools::{Busy, Panics};

fn eras() -> [ClientLifecycleMode; 2] {
    [
        ClientLifecycleMode::Initialize,
        ClientLifecycleMode::Discover { preferred_versions: vec![ProtocolVersion::V_2026_07_28] },
    ]
}

async fn client(
    source: Arc<dyn Source>,
    era: ClientLifecycleMode,
) -> Result<RunningService<RoleClient, ()>, Box<dyn Error>> {
    Ok(().serve_with_lifecycle(serve(source).0, era).await?)
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
    assert_eq!(lists.first().and_then(Value::as_array).map(Vec::len), Some(13));
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
        let error: Value =
            serde_json::from_str(result["content"][0]["text"].as_str().ok_or("no text")?)?;
        assert_eq!(error["error"], "wallet_busy");
        let unknown = client.call_tool(CallToolRequestParams::new("get_rich")).await;
        assert!(
            unknown.is_err_and(|error| error.to_string().contains("-32602")),
            "an unknown tool is misuse of the protocol"
        );
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
            assert!(
                client.read_resource(ReadResourceRequestParams::new(uri)).await.is_err(),
                "{uri}"
            );
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
    let result =
        serde_json::to_string(&client.call_tool(CallToolRequestParams::new("list_mints")).await?)?;
    assert!(result.contains("internal") && !result.contains("cashuB"), "{result}");
    assert_eq!(client.list_all_tools().await?.len(), 13);
    client.cancel().await?;
    Ok(())
}

#[tokio::test]
async fn the_newer_era_needs_no_handshake() -> Outcome {
    let mut raw = Raw::new(Arc::new(Busy));
    let list =
        json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": meta()}});
    let list = raw.ask(list.to_string()).await?;
    assert_eq!(
        (&list["result"]["cacheScope"], &list["result"]["resultType"]),
        (&json!("private"), &json!("complete"))
    );
    raw.hang_up().await
}

#[tokio::test]
async fn a_call_that_takes_its_time_gives_signs_of_life() -> Outcome {
    let gate = Gate::new();
    let mut raw = Raw::initialized(gate.clone()).await?;
    let sign = raw.ask(slow_call(1)).await?;
    assert_eq!(sign["method"], "notifications/progress");
    assert_eq!(
        (&sign["params"]["progressToken"], &sign["params"]["progress"]),
        (&json!("t"), &json!(1.0))
    );
    gate.open.add_permits(1);
    assert_eq!(raw.next().await?["id"], 1);
    assert_eq!(raw.ask(slow_call(2)).await?["id"], 2, "what is done at once gives none");
    raw.hang_up().await
}

#[tokio::test]
async fn a_cancelled_call_loses_its_answer_and_ends_its_waiting() -> Outcome {
    let gate = Gate::new();
    let mut raw = Raw::initialized(gate.clone()).await?;
    raw.ask(slow_call(1)).await?;
    raw.send(r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#)
        .await?;
    raw.is_alive().await?;
    gate.open.add_permits(1);
    let mut answer = raw.ask(slow_call(2)).await?;
    while answer["method"] == "notifications/progress" {
        answer = raw.next().await?;
    }
    assert_eq!(answer["id"], 2, "{answer}");
    raw.is_alive().await?;
    assert_eq!(gate.opened.available_permits(), 1, "the first call waits no more");
    raw.hang_up().await
}

#[tokio::test]
async fn a_call_under_way_at_the_end_of_the_input_is_answered() -> Outcome {
    let gate = Gate::new();
    let mut raw = Raw::initialized(gate.clone()).await?;
    raw.ask(slow_call(1)).await?;
    raw.writer.shutdown().await?;
    gate.open.add_permits(1);
    assert_eq!(raw.next().await?["id"], 1);
    raw.hang_up().await
}

#[tokio::test]
async fn only_resources_that_exist_and_open_can_be_watched() -> Outcome {
    let mut raw = Raw::initialized(Arc::new(Busy)).await?;
    for (uri, code) in [("wallet://balance", -32603), ("wallet://keys", -32002)] {
        let answer =
            raw.ask(json!({"jsonrpc": "2.0", "id": 1, "method": "resources/subscribe", "params": {"uri": uri}}).to_string()).await?;
        assert_eq!(answer["error"]["code"], code, "{answer}");
    }
    raw.hang_up().await
}

#[tokio::test(start_paused = true)]
async fn an_open_subscription_does_not_hold_up_the_end() -> Outcome {
    let mut raw = Raw::new(Gate::new());
    let params = json!({"_meta": meta(), "notifications": {"resourceSubscriptions": ["wallet://balance", "wallet://keys"]}});
    let ack = raw
        .ask(
            json!({"jsonrpc": "2.0", "id": 1, "method": "subscriptions/listen", "params": params})
                .to_string(),
        )
        .await?;
    assert_eq!(ack["method"], "notifications/subscriptions/acknowledged");
    assert_eq!(
        ack["params"]["notifications"]["resourceSubscriptions"],
        json!(["wallet://balance"])
    );
    let begun = tokio::time::Instant::now();
    raw.hang_up().await?;
    assert!(begun.elapsed() < Duration::from_secs(2));
    Ok(())
}
