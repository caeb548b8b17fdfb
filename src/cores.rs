//! No core file: what a dead process leaves behind would hold its keys.
//!
//! Never ends the program: where the system refuses, it goes on as it is.

/// Forbids core files for this process, and on Linux its memory to other processes of the same
/// user.
#[cfg(unix)]
pub fn forbid() {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    if let Err(error) = setrlimit(Resource::Core, none) {
        tracing::warn!(%error, "core files are not forbidden");
    }
    #[cfg(target_os = "linux")]
    if let Err(error) =
        rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)
    {
        tracing::warn!(%error, "the process's memory is open to its user's other processes");
    }
}

/// This system has neither.
#[cfg(not(unix))]
pub fn forbid() {}
