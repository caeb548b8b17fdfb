//! What the relay was told and what it saw, shared by its handle and its connections.

use std::collections::HashSet;
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
    /// Events of this kind are said to be taken, and forgotten.
    pub forget_kind: Option<u16>,
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
    /// Events of these kinds are taken, and shown to nobody.
    pub hide_kinds: Vec<u16>,
    /// Events with these ids are taken, and shown to nobody.
    pub hide_ids: Vec<String>,
    /// Nobody is served before saying who they are.
    pub demand_name: bool,
    /// Nobody is served after saying it either.
    pub never_satisfied: bool,
    /// Whoever comes is asked who they are, and shown nothing before they say so; that there would
    /// be more, nobody is told.
    pub veil: Option<Veil>,
    /// Neither `OK` nor `EOSE` is ever said.
    pub mute: bool,
    /// Every request is answered with messages without end.
    pub flood: Option<Flood>,
    /// What it says of itself over HTTP (NIP-11). `None`: nothing.
    pub document: Option<String>,
}

/// What a relay behind a veil says to whoever says who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Veil {
    /// That it has understood.
    Confirms,
    /// Nothing, as some relays do.
    Silent,
    /// That it does not take the name.
    Refuses,
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

/// When something happens around one event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Around {
    /// The client has sent it; the relay never gets it.
    BeforeStored,
    /// The relay has it; the client is never told.
    BeforeTold,
    /// The client is told that the relay has it.
    AfterTold,
}

/// Something to do around the next event of a kind.
pub(super) struct Trap {
    pub(super) kind: u16,
    pub(super) around: Around,
    pub(super) then: Box<dyn Fn() + Send + Sync>,
}

impl std::fmt::Debug for Trap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trap")
            .field("kind", &self.kind)
            .field("around", &self.around)
            .finish_non_exhaustive()
    }
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
    pub(super) ids: HashSet<String>,
    pub(super) said: usize,
    pub(super) named: Vec<String>,
    pub(super) trap: Option<Trap>,
    pub(super) sprung: usize,
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

    /// Springs the trap if it is for an event of this kind, and this moment.
    pub(super) fn spring(&self, event: &Value, around: Around) -> bool {
        let kind = event.get("kind").and_then(Value::as_u64);
        let mut told = self.told();
        let is_it = told
            .trap
            .as_ref()
            .is_some_and(|trap| kind == Some(trap.kind.into()) && trap.around == around);
        let Some(trap) = told.trap.take_if(|_| is_it) else { return false };
        (trap.then)();
        told.sprung += 1;
        true
    }
}
