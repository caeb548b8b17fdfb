//! Disables core dumps, since a core file would contain the keys.
//!
//! If the system refuses, the program continues.

/// Disables core files for this process, and on Linux access to its memory by other processes of
/// the same user.
#[cfg(unix)]
pub fn disable() {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    if let Err(error) = setrlimit(Resource::Core, none) {
        tracing::warn!(%error, "core files could not be disabled");
    }
    #[cfg(target_os = "linux")]
    if let Err(error) =
        rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)
    {
        tracing::warn!(%error, "other processes of this user can read this process's memory");
    }
}

/// Does nothing on this system.
#[cfg(not(unix))]
pub fn disable() {}
