//! Replies to calls whose answers are lost.
//!
//! A call that could move money is never repeated here: its outcome is unknown until the client
//! asks `get_payment`.

use serde_json::{Value, json};

use crate::api::tools::{self, Tool};
use crate::api::{Code, Error};
use crate::model::payee::Payee;

/// Methods that change nothing. A name that ends with a slash stands for all methods with that
/// prefix.
const READS: &[&str] =
    &["ping", "server/discover", "tools/list", "resources/", "prompts/", "completion/", "logging/"];

/// The kinds of requests that are answered differently when their answer is lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum RequestKind {
    /// The first request of the older era.
    Handshake,
    /// A request that changes nothing and can be made again.
    Read,
    /// A call of a tool that only reads.
    ReadTool,
    /// A subscription: it stays open until it is ended, and changes nothing.
    Listen,
    /// A call of a tool that may move money or write to the store.
    Writes(Box<WriteCall>),
}

/// The details by which such a call can be looked up later.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct WriteCall {
    /// Empty for a tool that this program does not know.
    tool: &'static str,
    /// The tool is declared idempotent: the same call again does nothing more.
    is_idempotent: bool,
    key: Option<String>,
    payment_hash: Option<String>,
}

impl RequestKind {
    /// The kind of a request with this method and these parameters. A method or tool that this
    /// program does not know may move money: the daemon may be a newer one.
    pub(super) fn of(method: &str, params: &Value) -> Self {
        match method {
            "initialize" => Self::Handshake,
            "subscriptions/listen" => Self::Listen,
            "tools/call" => {
                match params.get("name").and_then(Value::as_str).and_then(tools::find) {
                    Some(tool) if tool.hints.read_only => Self::ReadTool,
                    tool => Self::Writes(Box::new(WriteCall::of(tool, params.get("arguments")))),
                }
            }
            _ if READS.iter().any(|known| {
                method == *known || method.strip_prefix(known).is_some_and(|_| known.ends_with('/'))
            }) =>
            {
                Self::Read
            }
            _ => Self::Writes(Box::default()),
        }
    }
}

impl WriteCall {
    fn of(tool: Option<&'static Tool>, arguments: Option<&Value>) -> Self {
        let text = |name: &str| arguments.and_then(|given| given.get(name)).and_then(Value::as_str);
        let payment_hash =
            ["to", "bolt11"].iter().find_map(|name| match Payee::recognise(text(name)?) {
                Payee::Bolt11(invoice) => Some(invoice.payment_hash),
                _ => None,
            });
        let key = text("idempotency_key").filter(|key| key.len() <= 256).map(str::to_owned);
        let (tool, is_idempotent) =
            tool.map_or(("", false), |tool| (tool.name, tool.hints.idempotent));
        Self { tool, is_idempotent, key, payment_hash }
    }

    fn next_step(&self) -> String {
        let by = match (&self.payment_hash, &self.key) {
            (Some(_), _) => "with the payment_hash in details",
            (None, Some(_)) => "with this idempotency_key",
            (None, None) => return self.next_step_unnamed().to_owned(),
        };
        match self.tool {
            "deposit" => {
                "Make the same call again with this idempotency_key: it returns the same invoice."
                    .to_owned()
            }
            _ => format!("Call get_payment {by}; do not pay again for the same thing."),
        }
    }

    fn next_step_unnamed(&self) -> &'static str {
        match self.tool {
            "deposit" => {
                "Call get_deposit, which shows the newest deposit. Create a new one only if it is not there."
            }
            _ if self.is_idempotent => "Make the same call again: it does nothing twice.",
            _ => "Look for it with list_history first; do not pay again for the same thing.",
        }
    }
}

/// The answer to a call that was sent and whose answer is lost.
pub(super) fn unknown(id: &Value, write: &WriteCall, is_modern: bool) -> Vec<u8> {
    let error = Error::new(
        Code::OutcomeUnknown,
        "The call was sent, but the process that carried it out is gone and its answer is lost.",
    );
    let error = error.keyed(write.key.as_deref()).next(write.next_step());
    let error = match &write.payment_hash {
        Some(hash) => error.with("payment_hash", hash.as_str()),
        None => error,
    };
    failed(id, &error, is_modern)
}

/// The answer to a request that the daemon does not answer in time.
pub(super) fn unanswered(id: &Value, kind: &RequestKind, is_modern: bool) -> Vec<u8> {
    match kind {
        RequestKind::Writes(write) => {
            let message = "The wallet's process does not answer, so the outcome of the call is not known yet.";
            let error = Error::new(Code::OutcomeUnknown, message)
                .keyed(write.key.as_deref())
                .next(write.next_step());
            let error = match &write.payment_hash {
                Some(hash) => error.with("payment_hash", hash.as_str()),
                None => error,
            };
            failed(id, &error, is_modern)
        }
        RequestKind::ReadTool => {
            failed(id, &busy("The wallet's process does not answer."), is_modern)
        }
        RequestKind::Handshake | RequestKind::Read | RequestKind::Listen => {
            let error = json!({"code": -32603, "message": "The wallet's process does not answer."});
            line(&json!({"jsonrpc": "2.0", "id": id, "error": error}))
        }
    }
}

/// The error for a call that was not made because another process holds the wallet.
pub(super) fn busy(message: &str) -> Error {
    Error::new(Code::WalletBusy, message).next(
        "This call was not made: make it again later, or tell the user that another copy of this wallet is running. This says nothing about an \
         earlier call that was answered outcome_unknown: check that one with get_payment first.",
    )
}

/// The answer to a request that was never sent because no daemon could be reached.
pub(super) fn not_sent(id: &Value, kind: &RequestKind, is_modern: bool) -> Vec<u8> {
    match kind {
        RequestKind::Writes(_) => {
            failed(id, &busy("The wallet's process could not be reached in time."), is_modern)
        }
        kind => unanswered(id, kind, is_modern),
    }
}

fn failed(id: &Value, error: &Error, is_modern: bool) -> Vec<u8> {
    let text = serde_json::to_string(error).unwrap_or_default();
    let mut result = json!({"content": [{"type": "text", "text": text}], "isError": true});
    if let (true, Some(fields)) = (is_modern, result.as_object_mut()) {
        fields.insert("resultType".to_owned(), json!("complete"));
    }
    line(&json!({"jsonrpc": "2.0", "id": id, "result": result}))
}

fn line(message: &Value) -> Vec<u8> {
    let mut line = message.to_string().into_bytes();
    line.push(b'\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(arguments: &Value, tool: &str) -> Value {
        let RequestKind::Writes(write) =
            RequestKind::of("tools/call", &json!({"name": tool, "arguments": arguments}))
        else {
            return Value::Null;
        };
        let answer: Value =
            serde_json::from_slice(&unknown(&json!(7), &write, true)).unwrap_or_default();
        assert_eq!(
            (answer.get("id"), answer.pointer("/result/resultType")),
            (Some(&json!(7)), Some(&json!("complete")))
        );
        let text =
            answer.pointer("/result/content/0/text").and_then(Value::as_str).unwrap_or_default();
        serde_json::from_str(text).unwrap_or_default()
    }

    #[test]
    fn only_what_changes_nothing_is_a_read() {
        let call = |tool: &str| RequestKind::of("tools/call", &json!({"name": tool}));
        for tool in tools::all() {
            assert_eq!(
                matches!(call(tool.name), RequestKind::Writes(_)),
                !tool.hints.read_only,
                "{}",
                tool.name
            );
        }
        // A newer daemon may know it.
        assert!(
            matches!(call("no_such_tool"), RequestKind::Writes(_))
                && matches!(RequestKind::of("tasks/run", &Value::Null), RequestKind::Writes(_))
        );
        for method in [
            "resources/read",
            "tools/list",
            "ping",
            "server/discover",
            "prompts/get",
            "logging/setLevel",
        ] {
            assert_eq!(RequestKind::of(method, &Value::Null), RequestKind::Read, "{method}");
        }
        assert_eq!(RequestKind::of("subscriptions/listen", &Value::Null), RequestKind::Listen);
    }

    #[test]
    fn a_lost_call_is_named_by_what_the_client_knows_of_it() {
        let keyed = told(&json!({"amount_sats": 5, "idempotency_key": "k1"}), "send_token");
        assert_eq!(
            (&keyed["error"], &keyed["money_moved"], &keyed["idempotency_key"]),
            (&json!("outcome_unknown"), &json!("unknown"), &json!("k1"))
        );
        assert!(
            keyed["next_step"]
                .as_str()
                .is_some_and(|next| next.contains("get_payment with this idempotency_key"))
        );
        let bare = told(&json!({"amount_sats": 5}), "send_token");
        assert!(bare["next_step"].as_str().is_some_and(|next| next.contains("list_history")));
        let again = told(&json!({"token": "cashuB"}), "receive_token");
        assert!(
            again["next_step"].as_str().is_some_and(|next| next.contains("does nothing twice"))
        );
    }
}
