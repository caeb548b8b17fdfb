//! When each open thing is asked about next: often at first, then less and less. Schedules only.

use std::collections::{BTreeSet, HashMap};

use tokio::time::{Duration, Instant};

use crate::model::mint::MintAddress;

pub(super) const FIRST_STEP: Duration = Duration::from_secs(2);
pub(super) const LONGEST_STEP: Duration = Duration::from_secs(600);

/// The turns of what is open, and the mints that are being asked.
#[derive(Debug, Default)]
pub(super) struct Rounds {
    turns: HashMap<String, (Instant, Duration)>,
    asked: BTreeSet<MintAddress>,
}

impl Rounds {
    /// It is time; the next time is further off. What is seen first is due after its first step.
    pub(super) fn is_due(&mut self, id: &str, first: Duration) -> bool {
        let now = Instant::now();
        match self.turns.get_mut(id) {
            Some((when, _)) if *when > now => false,
            Some((when, step)) => {
                *step = (*step).max(FIRST_STEP).mul_f64(1.5).min(LONGEST_STEP);
                *when = now + *step;
                true
            }
            None => {
                self.turns.insert(id.to_owned(), (now + first, first));
                first.is_zero()
            }
        }
    }

    /// It is due at once, and often from now on.
    pub(super) fn hurry(&mut self, id: &str) {
        self.turns.insert(id.to_owned(), (Instant::now(), FIRST_STEP));
    }

    pub(super) fn keep_only(&mut self, open: &BTreeSet<String>) {
        self.turns.retain(|id, _| open.contains(id));
    }

    /// How long until something is due, `waiting` left out: what waits for a mint comes again when that mint has answered.
    pub(super) fn next(&self, waiting: &BTreeSet<String>) -> Option<Duration> {
        let now = Instant::now();
        let turns = self.turns.iter().filter(|(id, _)| !waiting.contains(*id));
        turns.map(|(_, (when, _))| when.saturating_duration_since(now)).min()
    }

    /// A mint is being asked.
    pub(super) fn is_asked(&self, mint: &MintAddress) -> bool {
        self.asked.contains(mint)
    }

    /// Marks a mint as being asked. `false`: it is already.
    pub(super) fn ask(&mut self, mint: &MintAddress) -> bool {
        self.asked.insert(mint.clone())
    }

    pub(super) fn asked(&mut self, mint: &MintAddress) {
        self.asked.remove(mint);
    }
}
