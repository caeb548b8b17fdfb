//! What a row of the score is, and the list of all of them.
//!
//! A row is an `async fn(Run) -> Outcome<Proof>` in the file of its group, and one entry in that
//! file's `ROWS`. It returns what proves that its fault fired; an error fails it. [`Proof`] of
//! nothing makes the row `not run`.

use std::future::Future;
use std::pin::Pin;

use crate::trial::Run;
use crate::{
    Outcome, address, crowd, daemon, death, input, later, liar, policy, relays, secrets, storage,
    transport,
};

/// How bad it is when a row fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Severity {
    /// Loss, theft, double payment, a secret told, overspending.
    S1,
    /// Stuck, or a wrong report.
    S2,
    /// Out of service.
    S3,
}

/// How often the fault of a row fired, and what to say of it.
#[derive(Debug)]
pub(crate) struct Proof {
    pub(crate) fired: usize,
    pub(crate) note: String,
}

pub(crate) type Work = Pin<Box<dyn Future<Output = Outcome<Proof>> + Send>>;

/// How a row is run.
#[derive(Clone, Copy, Debug)]
pub(crate) enum How {
    /// Beside others.
    Runs(fn(Run) -> Work),
    /// By itself, since it measures time or memory.
    Alone(fn(Run) -> Work),
    /// After all others, over what they left in [`Watch`](crate::watch::Watch).
    AtEnd(fn(Run) -> Work),
    /// Not yet, and why.
    NotYet(&'static str),
}

/// A row of the score.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    pub(crate) id: &'static str,
    pub(crate) severity: Severity,
    pub(crate) title: &'static str,
    pub(crate) how: How,
    /// Whether it can also run at a mint other than the testbed's.
    pub(crate) any_mint: bool,
    /// Whether it is left out of a short run.
    pub(crate) is_long: bool,
}

impl Row {
    pub(crate) const fn new(
        id: &'static str,
        severity: Severity,
        title: &'static str,
        how: How,
    ) -> Self {
        Self { id, severity, title, how, any_mint: false, is_long: false }
    }

    /// It also runs at mints of others.
    pub(crate) const fn at_any_mint(self) -> Self {
        Self { any_mint: true, ..self }
    }

    /// It takes too long for a short run.
    pub(crate) const fn long(self) -> Self {
        Self { is_long: true, ..self }
    }
}

impl Proof {
    /// So many faults fired.
    pub(crate) fn of(fired: usize) -> Self {
        Self { fired, note: String::new() }
    }

    /// And this is worth saying.
    pub(crate) fn saying(self, note: impl Into<String>) -> Self {
        Self { note: note.into(), ..self }
    }
}

/// A row that only tells how often its fault fired.
pub(crate) fn proven(work: impl Future<Output = Outcome<usize>> + Send + 'static) -> Work {
    Box::pin(async move { Ok(Proof::of(work.await?)) })
}

/// All rows, in the order of their ids.
pub(crate) fn all() -> Vec<Row> {
    let groups = [
        death::ROWS,
        transport::ROWS,
        liar::ROWS,
        crowd::ROWS,
        daemon::ROWS,
        storage::ROWS,
        policy::ROWS,
        input::ROWS,
        address::ROWS,
        secrets::ROWS,
        relays::ROWS,
        later::ROWS,
    ];
    let mut rows = groups.concat();
    rows.sort_by_key(|row| row.id);
    rows
}
