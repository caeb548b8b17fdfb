//! What the relay was told and what it saw, shared by its handle and its connections.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio_util::sync::CancellationToken;

/// How a relay misbehaves; the default is not at all.
#[derive(Debug, Clone, Default)]
pub struct Misrule {
    /// Events longer than this are refused for their size, in bytes.
    pub refuse_longer_than: Option<usize>,
    /// Events of this kind are refused.
    pub refuse_kind: Option<u16>,
    /// Every event is refused with these words.
    pub refuse_with: Option<String>,
    /// What is refused is not named, as one relay does.
    pub refuse_nameless: bool,
    /// Every event is said to be taken, and forgotten.
    pub forget: bool,
    /// Every n-th event is said to be taken, and forgotten.
    pub lose_every: Option<usize>,
    /// How long every answer takes.
    pub delay: Duration,
    /// No request is shown more events than this.
    pub show_at_most: Option<usize>,
    /// Every event that was ever taken is shown again, deleted and replaced ones too.
    pub resurrect: bool,
    /// Events, as they are written here, that every request is shown first.
    pub inject: Vec<String>,
    /// Nobody is served before saying who they are.
    pub demand_name: bool,
    /// Nobody is served after saying it either.
    pub never_satisfied: bool,
    /// Neither `OK` nor `EOSE` is ever said.
    pub mute: bool,
    /// Every request is answered with messages without end.
    pub flood: Option<Flood>,
}

/// What a relay floods with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flood {
    /// Events of a million bytes.
    LargeEvents,
    /// Events for a subscription that nobody has.
    OtherSubscription,
    /// Pings.
    Pings,
    /// A notice every tenth of a second.
    Drip,
}

/// What it was told, and what it saw.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) misrule: Misrule,
    pub(super) cut: CancellationToken,
    pub(super) closed: CancellationToken,
    pub(super) heard: Vec<u8>,
    pub(super) frames: usize,
    pub(super) events: usize,
    pub(super) connections: usize,
    pub(super) taken: Vec<Value>,
    pub(super) named: Vec<String>,
}

#[derive(Debug)]
pub(super) struct Knobs {
    /// Where the real relay is.
    pub(super) behind: String,
    told: Mutex<Told>,
}

impl Knobs {
    pub(super) fn new(behind: String) -> Self {
        Self { behind, told: Mutex::default() }
    }

    pub(super) fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
