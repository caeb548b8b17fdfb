//! Runs the rows: beside one another where they measure nothing, then one by one, then those over
//! the whole run.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::StdRng;
use testbed::ShimLibrary;
use testbed::harness::{Outcome, Watch};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use crate::arguments::{Arguments, MintKind};
use crate::nightly;
use crate::report::{Ended, NOT_ASKED_FOR, Report, Verdict};
use crate::table::{self, How, Proof, Row, Work};

/// The number of rows that run at the same time.
const BESIDE: usize = 3;
/// No row may take longer.
const LONGEST: Duration = Duration::from_secs(1200);

/// The context of a row: the binary, the arguments, the record over the whole run.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub(crate) id: &'static str,
    pub(crate) binary: Arc<PathBuf>,
    pub(crate) arguments: Arc<Arguments>,
    pub(crate) shim: ShimLibrary,
    pub(crate) watch: Arc<Watch>,
}

impl Run {
    /// The row's own chance: the same for the same seed, whatever runs beside it.
    pub(crate) fn chance(&self) -> StdRng {
        let mut hasher = DefaultHasher::new();
        self.id.hash(&mut hasher);
        StdRng::seed_from_u64(self.arguments.seed ^ hasher.finish())
    }

    pub(crate) fn is_short(&self) -> bool {
        self.arguments.short
    }

    /// One number for a long run, another for a short one.
    pub(crate) fn pick<T>(&self, long: T, short: T) -> T {
        if self.is_short() { short } else { long }
    }
}

/// Takes the score and says whether nothing failed.
pub(crate) async fn take(arguments: Arguments, binary: PathBuf) -> Outcome<bool> {
    let report = Report::begin(&arguments, &binary)?;
    let run = Run {
        id: "",
        binary: Arc::new(binary),
        arguments: Arc::new(arguments),
        shim: ShimLibrary::build()?,
        watch: Arc::default(),
    };
    let rows: Vec<Row> = table::all();
    let (mut ended, mut beside, mut alone, mut at_end) =
        (BTreeMap::new(), JoinSet::new(), Vec::new(), Vec::new());
    let places = Arc::new(Semaphore::new(BESIDE));
    for row in &rows {
        let run = Run { id: row.id, ..run.clone() };
        match (left_out(row, &run.arguments), row.how) {
            (Some(why), _) | (None, How::NotYet(why)) => {
                ended.insert(row.id, Ended::not_run(why));
            }
            (None, How::Runs(work)) => {
                let places = Arc::clone(&places);
                beside.spawn(async move {
                    let _place = places.acquire().await;
                    (run.id, one(work, run).await)
                });
            }
            (None, How::Alone(work)) => alone.push((work, run)),
            (None, How::AtEnd(work)) => at_end.push((work, run)),
        }
    }
    while let Some(done) = beside.join_next().await {
        let (id, end) = done?;
        ended.insert(id, end);
    }
    for (work, run) in alone.into_iter().chain(at_end) {
        ended.insert(run.id, one(work, run).await);
    }
    report.end(&rows, &ended, &run)
}

fn left_out(row: &Row, arguments: &Arguments) -> Option<&'static str> {
    if !arguments.wants(row.id) {
        Some(NOT_ASKED_FOR)
    } else if arguments.mint != MintKind::Testbed && !row.any_mint {
        Some("needs the testbed's mint")
    } else if arguments.ci && nightly::beside(row.id).is_some() {
        Some("run by night")
    } else if arguments.short && row.is_long {
        Some("left out of a short run")
    } else {
        None
    }
}

async fn one(work: fn(Run) -> Work, run: Run) -> Ended {
    let row = table::all().into_iter().find(|row| row.id == run.id);
    let since = Instant::now();
    let verdict = match timeout(LONGEST, work(run)).await {
        Ok(Ok(Proof { fired: 0, note })) => {
            Verdict::NotRun(format!("the fault did not fire {note}"))
        }
        Ok(Ok(proof)) => Verdict::Passed(proof),
        Ok(Err(error)) => Verdict::Failed(error.to_string()),
        Err(_) => Verdict::Failed(format!("it did not end within {} s", LONGEST.as_secs())),
    };
    let ended = Ended { verdict, took: since.elapsed() };
    if let Some(row) = row {
        Report::progress(&row, &ended);
    }
    ended
}
