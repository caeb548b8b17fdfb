//! Logs to standard error, or to the daemon's log file: this program's own events, never a
//! library's.
//!
//! Libraries log whole requests and results, which contain tokens and preimages; no setting enables
//! that.

use std::fs::OpenOptions;
use std::path::Path;
use std::sync::Mutex;

use file_rotate::compression::Compression;
use file_rotate::suffix::AppendCount;
use file_rotate::{ContentLimit, FileRotate};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// The size at which the log is rotated, in bytes.
const LOG_BYTES: usize = 1024 * 1024;
/// The number of earlier logs that are kept.
const LOGS: usize = 2;

/// Starts logging to standard error. `level` is `off`, `error`, `warn`, `info`, `debug` or `trace`;
/// anything else counts as `warn`.
pub fn start(level: Option<&str>) {
    let lines = fmt::layer().with_writer(std::io::stderr).with_ansi(false).with_target(false);
    let _already_started =
        tracing_subscriber::registry().with(ours(level, LevelFilter::WARN)).with(lines).try_init();
}

/// Starts logging to a file that only its owner can read, and its two predecessors. `level` as for
/// [`start`]; anything else counts as `info`.
pub fn start_in(file: &Path, level: Option<&str>) {
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options
            .mode(0o600)
            .custom_flags(i32::try_from(rustix::fs::OFlags::NOFOLLOW.bits()).unwrap_or(0));
    }
    let log = FileRotate::new(
        file,
        AppendCount::new(LOGS),
        ContentLimit::BytesSurpassed(LOG_BYTES),
        Compression::None,
        Some(options),
    );
    let lines = fmt::layer().with_writer(Mutex::new(log)).with_ansi(false).with_target(false);
    let _already_started =
        tracing_subscriber::registry().with(ours(level, LevelFilter::INFO)).with(lines).try_init();
}

fn ours(level: Option<&str>, usual: LevelFilter) -> Targets {
    let level = level.and_then(|word| word.parse::<LevelFilter>().ok()).unwrap_or(usual);
    Targets::new().with_target("nutpurse", level)
}

/// Logs why the process cannot do its work.
pub fn failed(error: &dyn std::error::Error) {
    tracing::error!("{error}");
}
