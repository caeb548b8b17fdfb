//! Disables core dumps: a core file would hold the keys.
//!
//! Where the system refuses, the program goes on without.

/// Disables core files for this process, and on Linux access to its memory by other processes of
/// the same user.
#[cfg(unix)]
pub fn disable() {
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

/// Does nothing on this system.
#[cfg(not(unix))]
pub fn disable() {}
