//! The failing disk and the moved clock, on a program that is not ours.

use std::fs::{create_dir, read};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use tempfile::TempDir;
use testbed::{Act, Calls, ENOSPC, Shim, ShimLibrary};

struct Disk {
    folder: TempDir,
    shim: Shim,
}

impl Disk {
    fn new() -> Result<Self> {
        let folder = TempDir::new()?;
        create_dir(folder.path().join("watched"))?;
        let shim = Shim::new(&ShimLibrary::build()?, &folder.path().join("watched"))?;
        Ok(Self { folder, shim })
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    /// Writes two blocks to a file and syncs it.
    fn write(&self, to: &Path) -> Result<Output> {
        let mut dd = Command::new("dd");
        dd.envs(self.shim.environment())
            .args(["if=/dev/zero", "bs=512", "count=2", "conv=fsync"])
            .arg(format!("of={}", to.display()));
        dd.output().context("dd")
    }
}

#[test]
fn the_nth_call_on_watched_files_fails() -> Result<()> {
    let disk = Disk::new()?;
    let (file, other) = (disk.path("watched/a"), disk.path("b"));
    assert!(disk.write(&file)?.status.success());
    disk.shim.at(Calls::WRITES, 2, Act::FailFrom(ENOSPC))?;
    assert!(!disk.write(&file)?.status.success());
    assert_eq!((read(&file)?.len(), disk.shim.fired()?), (512, 1));
    assert!(disk.write(&other)?.status.success(), "files elsewhere are not watched");
    disk.shim.at(Calls::SYNCS, 1, Act::FailOnce(ENOSPC))?;
    assert!(!disk.write(&file)?.status.success());
    disk.shim.calm()?;
    assert!(disk.write(&file)?.status.success());
    Ok(())
}

#[test]
fn the_program_is_killed_before_or_after_a_call() -> Result<()> {
    let disk = Disk::new()?;
    for (act, length) in [(Act::KillBefore, 0), (Act::KillAfter, 512)] {
        let file = disk.path("watched/c");
        disk.shim.at(Calls::WRITES, 1, act)?;
        assert_eq!(disk.write(&file)?.status.signal(), Some(9));
        assert_eq!((read(&file)?.len(), disk.shim.fired()?), (length, 1), "{act:?}");
    }
    Ok(())
}

#[test]
fn a_power_cut_undoes_what_was_not_synced() -> Result<()> {
    let disk = Disk::new()?;
    let file = disk.path("watched/e");
    std::fs::write(&file, [1; 2048])?;
    // As redb opens and writes.
    let write = "import os, sys; file = os.open(sys.argv[1], os.O_RDWR); os.pwrite(file, bytes(3072), 0); os.fsync(file)";
    let mut python = Command::new("python3");
    python.envs(disk.shim.environment()).args(["-c", write]).arg(&file);
    disk.shim.at(Calls::SYNCS, 1, Act::PowerCut)?;
    assert_eq!(python.output()?.status.signal(), Some(9));
    assert_eq!((read(&file)?, disk.shim.fired()?), (vec![1; 2048], 1));
    Ok(())
}

#[test]
fn a_frozen_call_comes_back_when_all_is_calm() -> Result<()> {
    let disk = Disk::new()?;
    disk.shim.at(Calls::SYNCS, 1, Act::Freeze)?;
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| disk.write(&disk.path("watched/d")));
        while disk.shim.fired()? == 0 {
            std::thread::sleep(Duration::from_millis(1));
        }
        assert!(!writer.is_finished());
        disk.shim.calm()?;
        let output = writer.join().ok().context("the thread")??;
        assert!(output.status.success());
        Ok(())
    })
}

#[test]
fn the_wall_clock_is_moved() -> Result<()> {
    let disk = Disk::new()?;
    for ahead in [0_i64, 86_400, -86_400] {
        disk.shim.set_clock(ahead)?;
        let told = Command::new("date").arg("+%s").envs(disk.shim.environment()).output()?;
        let told: i64 = String::from_utf8(told.stdout)?.trim().parse()?;
        let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs())?;
        assert!((told - now - ahead).abs() <= 1, "{ahead}: {told}");
    }
    Ok(())
}
