//! A real HTTP proxy in front of a mint, on a port of its own, that can fail an exchange at a
//! chosen moment: a wallet that is given its URL takes it for the mint. It carries websockets as
//! they are and never looks into them.

mod connection;
mod plan;
mod rule;
mod wire;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;
use tokio::net::TcpListener;

use self::plan::Plan;
use crate::runtime::Own;

pub use self::plan::Exchange;
pub use self::rule::{Moment, Rule, RuleId};

/// A proxy of the bench.
#[derive(Debug)]
pub struct Proxy {
    plan: Arc<Plan>,
    address: SocketAddr,
    own: Own,
}

impl Proxy {
    /// Starts a proxy in front of the server at `target_url` (`http://127.0.0.1:port`).
    pub async fn start(target_url: &str) -> Result<Self> {
        let target = target_url.strip_prefix("http://").context("only http is proxied")?;
        let target: SocketAddr = target.trim_end_matches('/').parse()?;
        let own = Own::new("proxy", 2)?;
        let plan = Arc::new(Plan::new(target));
        let shared = plan.clone();
        let address = own
            .run(async move {
                let listener = TcpListener::bind("127.0.0.1:0").await?;
                let address = listener.local_addr()?;
                tokio::spawn(async move {
                    while let Ok((client, _)) = listener.accept().await {
                        tokio::spawn(connection::serve(shared.clone(), client));
                    }
                });
                Ok(address)
            })
            .await?;
        Ok(Self { plan, address, own })
    }

    /// Where it answers: `http://127.0.0.1:port`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Fails an exchange from now on; where two rules apply, the earlier does.
    pub fn fail(&self, rule: Rule) -> RuleId {
        self.plan.told().add(rule)
    }

    /// Ends all rules. What is held stays held.
    pub fn clear(&self) {
        self.plan.told().retire();
    }

    /// How often the moment of this rule has come.
    #[must_use]
    pub fn fired(&self, rule: RuleId) -> usize {
        self.plan.told().rules.get(rule.0).map_or(0, |standing| *standing.fired.borrow())
    }

    /// Waits until the moment of this rule has come at least once.
    pub async fn reached(&self, rule: RuleId) {
        let fired = self.plan.told().rules.get(rule.0).map(|standing| standing.fired.subscribe());
        if let Some(mut fired) = fired {
            fired.wait_for(|fired| *fired > 0).await.ok();
        }
    }

    /// Lets go what this rule holds until now.
    pub fn release(&self, rule: RuleId) {
        if let Some(standing) = self.plan.told().rules.get(rule.0) {
            let fired = *standing.fired.borrow();
            standing.released.send_replace(fired);
        }
    }

    /// Gives the mint the requests kept by [`Moment::HoldThenDeliver`], in order, and returns its
    /// answers' statuses and bodies; nobody else gets those.
    pub async fn deliver(&self) -> Result<Vec<(u16, Value)>> {
        let kept = std::mem::take(&mut self.plan.told().kept);
        let plan = self.plan.clone();
        self.own
            .run(async move {
                let mut answers = Vec::new();
                for (place, request) in kept {
                    let answer = connection::forward(&plan, place, &request).await?;
                    answers.push((answer.status().unwrap_or(0), plan::json(&answer.body)));
                }
                Ok(answers)
            })
            .await
    }

    /// Counts the exchanges so far for which this holds.
    #[must_use]
    pub fn count(&self, is: impl Fn(&Exchange) -> bool) -> usize {
        self.exchanges().iter().filter(|exchange| is(exchange)).count()
    }

    /// Every exchange so far, in order.
    #[must_use]
    pub fn exchanges(&self) -> Vec<Exchange> {
        self.plan.told().exchanges.clone()
    }

    /// Changes every JSON answer of the mint by its path and body: the mint lies.
    pub fn rewrite(&self, lie: impl Fn(&str, Value) -> Value + Send + Sync + 'static) {
        self.plan.told().rewrite = Some(Arc::new(lie));
    }

    /// Changes every JSON request by its path and body before the mint gets it: the mint is another
    /// than it is.
    pub fn rewrite_requests(&self, change: impl Fn(&str, Value) -> Value + Send + Sync + 'static) {
        self.plan.told().rewrite_requests = Some(Arc::new(change));
    }

    /// The mint is honest again.
    pub fn stop_rewriting(&self) {
        self.plan.told().rewrite = None;
    }

    /// Waits this long before every exchange, as a distant mint would make a client wait.
    pub fn set_delay(&self, delay: Duration) {
        self.plan.told().delay = delay;
    }

    /// Drops the connections that are open now, websockets too.
    pub fn cut(&self) {
        std::mem::take(&mut self.plan.told().cut).cancel();
    }
}
