//! What the proxy was told and what it saw, shared by its handle and its connections.

use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::rule::{Moment, Rule, RuleId};
use super::wire::Message;

/// An exchange that went through the proxy, or did not.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// The request's method.
    pub method: String,
    /// The request's path.
    pub path: String,
    /// The request's body; null where it is empty or not JSON.
    pub request: Value,
    /// The status of the mint's answer, 101 for a websocket; `None` if the mint was not asked or
    /// has not answered.
    pub status: Option<u16>,
    /// The mint's answer after [`Proxy::rewrite`](crate::Proxy::rewrite), passed on or not.
    pub response: Value,
    /// What the proxy did to it.
    pub moment: Option<Moment>,
    /// When it came in.
    pub at: Instant,
}

type Rewrite = Arc<dyn Fn(&str, Value) -> Value + Send + Sync>;

#[derive(Default)]
pub(crate) struct Told {
    pub(crate) rules: Vec<Standing>,
    pub(crate) exchanges: Vec<Exchange>,
    /// Requests to deliver later, with the place of their exchange.
    pub(crate) kept: Vec<(usize, Message)>,
    pub(crate) rewrite: Option<Rewrite>,
    pub(crate) rewrite_requests: Option<Rewrite>,
    pub(crate) delay: Duration,
    pub(crate) cut: CancellationToken,
}

pub(crate) struct Standing {
    rule: Rule,
    active: bool,
    seen: usize,
    pub(crate) fired: watch::Sender<usize>,
    pub(crate) released: watch::Sender<usize>,
}

/// A rule that applies to the exchange at hand.
#[derive(Clone)]
pub(crate) struct Hit {
    pub(crate) at: Moment,
    pub(crate) then: Option<Arc<dyn Fn() + Send + Sync>>,
    pub(crate) bytes: Arc<[u8]>,
    pub(crate) id: RuleId,
}

pub(crate) struct Plan {
    pub(crate) target: SocketAddr,
    told: Mutex<Told>,
}

impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plan").field("target", &self.target).finish_non_exhaustive()
    }
}

impl Plan {
    pub(crate) fn new(target: SocketAddr) -> Self {
        Self { target, told: Mutex::new(Told::default()) }
    }

    pub(crate) fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes an exchange, and finds the rule for it: the first that applies; each counts it.
    pub(crate) fn enter(&self, request: &Message) -> (usize, Option<Hit>) {
        let mut told = self.told();
        let (method, path) = (request.method(), request.path());
        let mut hit = None;
        for (place, standing) in told.rules.iter_mut().enumerate() {
            if !standing.active || !standing.rule.matches(method, path) {
                continue;
            }
            standing.seen += 1;
            if hit.is_none() && standing.rule.nth.is_none_or(|nth| nth == standing.seen) {
                let Rule { at, then, bytes, .. } = standing.rule.clone();
                hit = Some(Hit { at, then, bytes, id: RuleId(place) });
            }
        }
        told.exchanges.push(Exchange {
            method: method.to_owned(),
            path: path.to_owned(),
            request: json(&request.body),
            status: None,
            response: Value::Null,
            moment: None,
            at: Instant::now(),
        });
        (told.exchanges.len() - 1, hit)
    }

    /// Notes the mint's answer.
    pub(crate) fn answered(&self, exchange: usize, answer: &Message) {
        if let Some(exchange) = self.told().exchanges.get_mut(exchange) {
            exchange.status = answer.status();
            exchange.response = json(&answer.body);
        }
    }

    /// The moment of a rule has come. Returns which firing of the rule this is, from 1.
    pub(crate) fn fire(&self, exchange: usize, hit: &Hit) -> usize {
        let mut times = 0;
        {
            let mut told = self.told();
            if let Some(exchange) = told.exchanges.get_mut(exchange) {
                exchange.moment = Some(hit.at);
            }
            if let Some(standing) = told.rules.get(hit.id.0) {
                standing.fired.send_modify(|fired| {
                    *fired += 1;
                    times = *fired;
                });
            }
        }
        if let Some(then) = &hit.then {
            then();
        }
        times
    }

    /// Waits until [`Proxy::release`](crate::Proxy::release) lets this firing of the rule go.
    pub(crate) async fn released(&self, hit: &Hit, firing: usize) {
        let Some(mut released) = self.told().rules.get(hit.id.0).map(|s| s.released.subscribe())
        else {
            return;
        };
        released.wait_for(|released| *released >= firing).await.ok();
    }
}

impl Told {
    pub(crate) fn add(&mut self, rule: Rule) -> RuleId {
        self.rules.push(Standing {
            rule,
            active: true,
            seen: 0,
            fired: watch::Sender::new(0),
            released: watch::Sender::new(0),
        });
        RuleId(self.rules.len() - 1)
    }

    pub(crate) fn retire(&mut self) {
        self.rules.iter_mut().for_each(|standing| standing.active = false);
    }
}

pub(crate) fn json(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap_or(Value::Null)
}
