//! Processes and files of a wallet, as the operating system shows them.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;

use rustix::process::{Pid, Signal, kill_process};

use super::Outcome;
use crate::must;

/// The wallet's program on this folder, without a keyring and with nothing of the caller's
/// environment.
#[must_use]
pub fn program(binary: &Path, home: &Path) -> Command {
    let mut command = Command::new(binary);
    command.env_clear().env("PATH", "/usr/bin:/bin").env("NUTPURSE_KEYRING", "off");
    command.arg("--home").arg(home);
    command
}

/// The processes that have the store in this folder open.
#[must_use]
pub fn holders(home: &Path) -> Vec<Pid> {
    let Ok(store) = fs::metadata(home.join("wallet.redb")) else { return Vec::new() };
    let is_it = |file: fs::DirEntry| {
        fs::metadata(file.path())
            .is_ok_and(|file| file.ino() == store.ino() && file.dev() == store.dev())
    };
    // Processes come and go meanwhile.
    let list = |folder: &Path| fs::read_dir(folder).into_iter().flatten().flatten();
    let holds = |process: &fs::DirEntry| list(&process.path().join("fd")).any(is_it);
    list(Path::new("/proc"))
        .filter(holds)
        .filter_map(|process| Pid::from_raw(process.file_name().to_str()?.parse().ok()?))
        .collect()
}

/// A function that kills a process, for [`Rule::then`](crate::Rule::then).
pub fn killer(process: Pid) -> impl Fn() + Send + Sync + 'static {
    move || {
        kill_process(process, Signal::KILL).ok();
    }
}

/// The permission bits of a file.
pub fn mode(path: &Path) -> Outcome<u32> {
    Ok(fs::metadata(path)?.permissions().mode() & 0o777)
}

/// Checks that the folder is 0700 and every file below it 0600. Returns the number of files.
pub fn closed_to_others(folder: &Path) -> Outcome<usize> {
    must!(mode(folder)? == 0o700, "{}: {:o}", folder.display(), mode(folder)?);
    let mut files = 0;
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            files += closed_to_others(&path)?;
        } else {
            must!(mode(&path)? == 0o600, "{}: {:o}", path.display(), mode(&path)?);
            files += 1;
        }
    }
    Ok(files)
}
