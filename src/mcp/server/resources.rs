//! The wallet as MCP resources. Each is read by calling a tool, so a resource contains nothing that
//! no tool returns.

use rmcp::model::{
    CacheScope, ErrorData, ReadResourceResult, Resource, ResourceContents, ResourceTemplate,
};
use serde_json::{Map, Value, json};

use super::error_json;
use crate::api::Code;
use crate::api::tools::{Answer, ToolFailure};
use crate::model::id::{DepositId, PaymentId};

const JSON: &str = "application/json";
const BALANCE: &str = "wallet://balance";
const HISTORY: &str = "wallet://history";
const PAYMENTS: &str = "wallet://payments/";
const DEPOSITS: &str = "wallet://deposits/";

/// The tool call that reads a resource.
pub(super) struct ResourceCall {
    pub(super) tool: &'static str,
    pub(super) arguments: Map<String, Value>,
}

pub(super) fn fixed() -> Vec<Resource> {
    vec![
        Resource::new(BALANCE, "balance")
            .with_title("Balance")
            .with_description("Balance, limits and what is left of them; as get_balance.")
            .with_mime_type(JSON),
        Resource::new(HISTORY, "history")
            .with_title("History")
            .with_description("The latest entries; as list_history.")
            .with_mime_type(JSON),
    ]
}

pub(super) fn templates() -> Vec<ResourceTemplate> {
    vec![
        ResourceTemplate::new("wallet://payments/{id}", "payment")
            .with_title("Payment")
            .with_description("One payment by its payment_id; as get_payment.")
            .with_mime_type(JSON),
        ResourceTemplate::new("wallet://deposits/{id}", "deposit")
            .with_title("Deposit")
            .with_description("One deposit by its deposit_id; as get_deposit.")
            .with_mime_type(JSON),
    ]
}

/// Returns the call that reads this URI. `None`: there is no such resource.
pub(super) fn read_as_call(uri: &str) -> Option<ResourceCall> {
    let one = |tool, name: &str, id: &str| ResourceCall {
        tool,
        arguments: Map::from_iter([(name.to_owned(), json!(id))]),
    };
    match uri {
        BALANCE => Some(ResourceCall { tool: "get_balance", arguments: Map::new() }),
        HISTORY => Some(ResourceCall { tool: "list_history", arguments: Map::new() }),
        _ => {
            if let Some(id) = uri.strip_prefix(PAYMENTS) {
                return id
                    .parse::<PaymentId>()
                    .ok()
                    .map(|id| one("get_payment", "payment_id", id.as_str()));
            }
            let id = uri.strip_prefix(DEPOSITS)?;
            id.parse::<DepositId>().ok().map(|id| one("get_deposit", "deposit_id", id.as_str()))
        }
    }
}

pub(super) fn not_found() -> ErrorData {
    ErrorData::resource_not_found("Unknown resource.", None)
}

/// Converts a tool's failure into a protocol error, with the error object as its data.
pub(super) fn refused(failure: ToolFailure) -> ErrorData {
    match failure {
        ToolFailure::Failed(error) if matches!(error.code, Code::NotFound | Code::InvalidInput) => {
            not_found()
        }
        ToolFailure::Failed(error) => {
            ErrorData::internal_error(error.message.clone(), Some(error_json(&error)))
        }
        ToolFailure::UnknownTool => not_found(),
    }
}

pub(super) fn rendered(
    answer: Result<Answer, ToolFailure>,
    uri: String,
) -> Result<ReadResourceResult, ErrorData> {
    let text = answer.map_err(refused)?.structured.to_string();
    let contents = ResourceContents::text(text, uri).with_mime_type(JSON);
    Ok(ReadResourceResult::new(vec![contents]).with_ttl_ms(0).with_cache_scope(CacheScope::Private))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_by_its_tool_or_not_at_all() {
        let id = PaymentId::random();
        assert_eq!(
            read_as_call(&format!("{PAYMENTS}{id}")).map(|read| read.tool),
            Some("get_payment")
        );
        assert_eq!(read_as_call(BALANCE).map(|read| read.tool), Some("get_balance"));
        for uri in [
            "wallet://payments/",
            "wallet://payments/../balance",
            "wallet://deposits/pay_x",
            "wallet://keys",
            "file:///etc/passwd",
        ] {
            assert!(read_as_call(uri).is_none(), "{uri}");
        }
    }
}
