//! The session of a client while no keeper can be had: the tools are listed, every call is refused
//! with the reason.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::io::DuplexStream;
use tokio::task::JoinSet;

use super::elect::Way;
use crate::config::Settings;
use crate::mcp;
use crate::wallet::{Caller, Error, Source, Wallet};

/// How much of a session may be under way.
const PIPE: usize = 64 * 1024;

#[derive(Debug)]
struct Refuses {
    why: Error,
    tools: Option<BTreeSet<String>>,
}

#[async_trait]
impl Source for Refuses {
    async fn wallet(&self) -> Result<Wallet, Error> {
        Err(self.why.clone())
    }

    fn tools_of(&self, _caller: &Caller) -> Option<BTreeSet<String>> {
        self.tools.clone()
    }
}

/// The far end of such a session.
pub(super) fn session(why: Error, way: &Way, running: &mut JoinSet<()>) -> DuplexStream {
    let (far, near) = tokio::io::duplex(PIPE);
    let (reader, writer) = tokio::io::split(near);
    let caller = Caller { agent: way.agent.clone() };
    let policy =
        way.home().ok().and_then(|home| Settings::peek(&home).ok()).map(|settings| settings.policy);
    let tools = policy.and_then(|policy| policy.agent(&way.agent).tools);
    running.spawn(async move {
        let _ended = mcp::serve(Arc::new(Refuses { why, tools }), caller, reader, writer).await;
    });
    far
}
