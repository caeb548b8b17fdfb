//! A client's session while no daemon can be reached: it lists the tools and refuses every call
//! with the reason.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::io::DuplexStream;
use tokio::task::JoinSet;

use super::connect::ConnectOptions;
use crate::api::{Error, Source};
use crate::config::Settings;
use crate::mcp;
use crate::wallet::{Caller, Wallet};

/// The size of the pipe to the session, in bytes.
const PIPE: usize = 64 * 1024;

#[derive(Debug)]
struct Unavailable {
    why: Error,
    tools: Option<BTreeSet<String>>,
}

#[async_trait]
impl Source for Unavailable {
    async fn wallet(&self) -> Result<Wallet, Error> {
        Err(self.why.clone())
    }

    fn tools_of(&self, _caller: &Caller) -> Option<BTreeSet<String>> {
        self.tools.clone()
    }
}

/// Starts such a session; returns the client's end of its pipe.
pub(super) fn session(
    why: Error,
    options: &ConnectOptions,
    running: &mut JoinSet<()>,
) -> DuplexStream {
    let (far, near) = tokio::io::duplex(PIPE);
    let (reader, writer) = tokio::io::split(near);
    let caller = Caller { agent: options.agent.clone() };
    let policy = options
        .resolve_home()
        .ok()
        .and_then(|home| Settings::peek(&home).ok())
        .map(|settings| settings.policy);
    let tools = policy.and_then(|policy| policy.agent(&options.agent).tools);
    running.spawn(async move {
        let _ended = mcp::serve(Arc::new(Unavailable { why, tools }), caller, reader, writer).await;
    });
    far
}
