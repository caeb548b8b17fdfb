//! What is said on standard error: our own events only, never a library's.
//!
//! Libraries log whole requests and results, which are tokens and preimages; no filter of the environment turns them on.

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Starts logging to standard error. `level` is `off`, `error`, `warn`, `info`, `debug` or `trace`; anything else counts as `warn`.
pub fn start(level: Option<&str>) {
    let level = level.and_then(|word| word.parse::<LevelFilter>().ok()).unwrap_or(LevelFilter::WARN);
    let ours = Targets::new().with_target("nutpurse", level);
    let lines = fmt::layer().with_writer(std::io::stderr).with_ansi(false).with_target(false);
    let _already_started = tracing_subscriber::registry().with(ours).with(lines).try_init();
}
