//! The tools, resources and prompts as an MCP server, for both protocol eras.
//!
//! Stateless except for subscriptions: a call's outcome never depends on an earlier call of the
//! session. A cancelled request, or one whose session has ended, loses its answer, never its
//! payment: the wallet finishes the payment and records that its outcome was not delivered. A
//! failure is a tool result without structured content; protocol errors are for misuse of the
//! protocol.

mod notes;
mod prompts;
mod resources;
mod updates;

use std::sync::Arc;

use base64::Engine;
use rmcp::model::{
    Annotations, CacheScope, CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock,
    CustomRequest, CustomResult, ErrorCode, ErrorData, GetPromptRequestParams, GetPromptResponse,
    ImageContent, Implementation, ListPromptsResult, ListResourceTemplatesResult,
    ListResourcesResult, ListToolsResult, PaginatedRequestParams, ProtocolVersion,
    ReadResourceRequestParams, ReadResourceResponse, Role, ServerCapabilities, ServerConfig,
    SubscribeRequestParams, SubscriptionFilter, UnsubscribeRequestParams,
};
use rmcp::service::{RequestContext, SubscriptionContext};
use rmcp::{RoleServer, ServerHandler};
use serde_json::{Map, Value};

use crate::api::tools::{self, Answer, Tool, ToolFailure};
use crate::api::{Code, Error, Source};
use crate::wallet::Caller;
use updates::Updates;

/// The instructions that every agent gets at the start. Clients truncate them at 2 KB.
const INSTRUCTIONS: &str = include_str!("../instructions.md");

/// How long a client may cache the lists, in ms; they are compiled in.
const LIST_TTL_MS: u64 = 3_600_000;

pub(super) struct Server {
    source: Arc<dyn Source>,
    caller: Caller,
    updates: Arc<Updates>,
}

impl Server {
    pub(super) fn new(source: Arc<dyn Source>, caller: Caller) -> Self {
        Self { source, caller, updates: Arc::default() }
    }

    /// The session's subscriptions, which must end with it.
    pub(super) fn updates(&self) -> Arc<Updates> {
        Arc::clone(&self.updates)
    }

    async fn call(
        &self,
        name: &str,
        arguments: Map<String, Value>,
        context: &RequestContext<RoleServer>,
    ) -> Result<Answer, ToolFailure> {
        let progress = notes::of(context);
        let call =
            tools::call(name, arguments, &self.caller, self.source.as_ref(), progress.as_ref());
        // The answer to a cancelled request is never sent.
        let cancelled = || {
            Err(ToolFailure::Failed(Error::new(Code::OutcomeUnknown, "The call was cancelled.")))
        };
        context.ct.run_until_cancelled(call).await.unwrap_or_else(cancelled)
    }

    fn has(&self, tool: &Tool) -> bool {
        tools::has(self.source.as_ref(), &self.caller, tool)
    }
}

/// Converts a tool for the list, which is the same for every connection of one agent.
fn listed(tool: &Tool) -> rmcp::model::Tool {
    let hints = rmcp::model::ToolAnnotations::new()
        .read_only(tool.hints.read_only)
        .destructive(tool.hints.destructive)
        .idempotent(tool.hints.idempotent)
        .open_world(tool.hints.open_world);
    let mut listed = rmcp::model::Tool::new(tool.name, tool.description, tool.input_schema.clone());
    listed.title = Some(tool.title.to_owned());
    listed.output_schema = Some(Arc::new(tool.output_schema.clone()));
    listed.annotations = Some(hints);
    listed
}

fn succeeded(answer: Answer) -> CallToolResult {
    let mut result = CallToolResult::structured(answer.structured);
    if let Some(png) = answer.png {
        let data = base64::engine::general_purpose::STANDARD.encode(png);
        let for_people = Annotations::default().with_audience(vec![Role::User]);
        result.content.push(ContentBlock::Image(
            ImageContent::new(data, "image/png").with_annotations(for_people),
        ));
    }
    result
}

/// Renders a failure as text only: clients validate structured content against the output schema
/// even in failures, and would hide the error.
fn failed(error: &Error) -> CallToolResult {
    CallToolResult::error(vec![ContentBlock::text(error_json(error).to_string())])
}

fn error_json(error: &Error) -> Value {
    serde_json::to_value(error).unwrap_or(Value::Null)
}

fn is_modern(context: &RequestContext<RoleServer>) -> bool {
    context
        .protocol_version()
        .is_some_and(|version| version.as_str() >= ProtocolVersion::V_2026_07_28.as_str())
}

impl ServerHandler for Server {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder()
            .enable_tools()
            .enable_prompts()
            .enable_resources()
            .enable_resources_subscribe()
            .build();
        let me = Implementation::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
            .with_title("nutpurse")
            .with_description(env!("CARGO_PKG_DESCRIPTION"));
        ServerConfig::new(capabilities).with_server_info(me).with_instructions(INSTRUCTIONS)
    }

    async fn list_tools(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let tools = tools::all().iter().filter(|tool| self.has(tool)).map(listed).collect();
        Ok(ListToolsResult::with_all_items(tools)
            .with_ttl_ms(LIST_TTL_MS)
            .with_cache_scope(CacheScope::Private))
    }

    fn get_tool(&self, name: &str) -> Option<rmcp::model::Tool> {
        tools::find(name).filter(|tool| self.has(tool)).map(listed)
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        match self.call(&request.name, request.arguments.unwrap_or_default(), &context).await {
            Ok(answer) => Ok(succeeded(answer).into()),
            Err(ToolFailure::Failed(error)) => Ok(failed(&error).into()),
            Err(ToolFailure::UnknownTool) => Err(ErrorData::invalid_params("Unknown tool.", None)),
        }
    }

    /// Answers a request that rmcp could not parse: a known method with invalid parameters, or an
    /// unknown method. A tool call gets a tool failure, which the model sees.
    async fn on_custom_request(
        &self,
        request: CustomRequest,
        context: RequestContext<RoleServer>,
    ) -> Result<CustomResult, ErrorData> {
        let name =
            request.params.as_ref().and_then(|params| params.get("name")).and_then(Value::as_str);
        if request.method == "tools/call"
            && name.and_then(tools::find).is_some_and(|tool| self.has(tool))
        {
            let mut result = failed(&Error::invalid(
                "arguments",
                "arguments must be an object with the tool's parameters.",
            ));
            if !is_modern(&context) {
                result.result_type = None;
            }
            return Ok(CustomResult::new(serde_json::to_value(result).unwrap_or(Value::Null)));
        }
        let known = ["tools/", "resources/", "prompts/", "completion/", "subscriptions/"];
        if known.iter().any(|prefix| request.method.starts_with(prefix)) {
            return Err(ErrorData::invalid_params(
                "The method or its parameters cannot be read.",
                None,
            ));
        }
        Err(ErrorData::new(ErrorCode::METHOD_NOT_FOUND, "There is no such method.", None))
    }

    async fn list_resources(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        Ok(ListResourcesResult::with_all_items(resources::fixed())
            .with_ttl_ms(LIST_TTL_MS)
            .with_cache_scope(CacheScope::Private))
    }

    async fn list_resource_templates(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        let all = ListResourceTemplatesResult::with_all_items(resources::templates());
        Ok(all.with_ttl_ms(LIST_TTL_MS).with_cache_scope(CacheScope::Private))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let read = resources::read_as_call(&request.uri).ok_or_else(resources::not_found)?;
        let answer = self.call(read.tool, read.arguments, &context).await;
        resources::rendered(answer, request.uri).map(Into::into)
    }

    fn accepted_subscription_filter(
        &self,
        requested: &SubscriptionFilter,
    ) -> Option<SubscriptionFilter> {
        Some(updates::accepted(requested))
    }

    async fn listen(&self, subscription: SubscriptionContext) -> Result<(), ErrorData> {
        self.updates.listen(self.source.as_ref(), &subscription).await
    }

    async fn subscribe(
        &self,
        request: SubscribeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        self.updates.subscribe(self.source.as_ref(), request.uri, context.peer).await
    }

    async fn unsubscribe(
        &self,
        request: UnsubscribeRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        self.updates.unsubscribe(&request.uri);
        Ok(())
    }

    async fn list_prompts(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        Ok(ListPromptsResult::with_all_items(prompts::all())
            .with_ttl_ms(LIST_TTL_MS)
            .with_cache_scope(CacheScope::Private))
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        prompts::get(&request.name, request.arguments.unwrap_or_default()).map(Into::into)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_success_has_both_and_a_failure_text_alone() {
        let answer = Answer { structured: json!({"money": "play"}), png: Some(vec![1, 2, 3]) };
        let shown = serde_json::to_value(succeeded(answer)).unwrap_or_default();
        assert_eq!(shown.pointer("/structuredContent"), Some(&json!({"money": "play"})));
        assert_eq!(shown.pointer("/content/0/text"), Some(&json!("{\"money\":\"play\"}")));
        assert_eq!(shown.pointer("/content/1/mimeType"), Some(&json!("image/png")));
        assert_eq!(shown.pointer("/content/1/annotations/audience"), Some(&json!(["user"])));
        let shown = serde_json::to_value(failed(&Error::new(Code::OverBudget, "Over.")))
            .unwrap_or_default();
        assert_eq!(shown.pointer("/isError"), Some(&json!(true)));
        assert!(shown.get("structuredContent").is_none());
    }

    #[test]
    fn the_instructions_are_not_cut_by_clients() {
        assert!(INSTRUCTIONS.len() < 2_000);
    }
}
