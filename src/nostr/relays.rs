//! Stub
use std::sync::Arc;
use std::time::Duration;
use serde_json::Value;
use super::{Event, Identity};
use crate::ports::Http;
/// R
#[derive(Debug)]
pub struct Relays;
/// E
#[derive(Debug)]
pub enum End { /// w
 Whole, /// c
 Cut(String), /// u
 Unreachable(String) }
/// L
#[derive(Debug)]
pub struct Listing { /// e
 pub events: Vec<Event>, /// i
 pub ids: Vec<String>, /// e
 pub end: End }
/// A
#[derive(Debug)]
pub enum Ack { /// S
 Stored, /// R
 Refused { /// r
  reason: String, /// l
  lasting: bool, /// t
  too_large: bool }, /// n
 NoAnswer(String) }
impl Relays {
    /// n
    pub fn new(_http: Arc<dyn Http>, _identity: Option<Identity>) -> Self { Self }
    /// a
    pub async fn all(&self, _url: &str, _filter: &Value, _known: impl Fn(&str) -> bool + Send, _wait: Duration) -> Listing { Listing { events: vec![], ids: vec![], end: End::Whole } }
    /// p
    pub async fn publish(&self, _url: &str, _json: &str, _id: &str, _wait: Duration) -> Ack { Ack::Stored }
}
