//! The session of a client while no keeper can be had: the tools are listed, every call is refused with the reason.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::io::DuplexStream;
use tokio::task::JoinSet;

use crate::mcp;
use crate::wallet::{Caller, Error, Source, Wallet};

/// How much of a session may be under way.
const PIPE: usize = 64 * 1024;

#[derive(Debug)]
struct Refuses(Error);

#[async_trait]
impl Source for Refuses {
    async fn wallet(&self) -> Result<Wallet, Error> {
        Err(self.0.clone())
    }
}

/// The far end of such a session.
pub(super) fn session(why: Error, agent: &str, running: &mut JoinSet<()>) -> DuplexStream {
    let (far, near) = tokio::io::duplex(PIPE);
    let (reader, writer) = tokio::io::split(near);
    let caller = Caller { agent: agent.to_owned() };
    running.spawn(async move {
        let _ended = mcp::serve(Arc::new(Refuses(why)), caller, reader, writer).await;
    });
    far
}
