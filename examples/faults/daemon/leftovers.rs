//! F-055: what an earlier daemon, another program or a person left where the lock and the socket
//! belong, and a long path.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;

use serde_json::json;
use testbed::harness::{Client, Outcome};
use testbed::must;
use tokio::time::Duration;

use super::until;
use crate::scene::Scene;
use crate::table::Proof;
use crate::trial::Run;

/// How soon a session notices that a person has made room.
const NOTICED: Duration = Duration::from_secs(15);

pub(crate) async fn left_behind(run: Run) -> Outcome<Proof> {
    let mut tried = 0;
    for kind in ["a daemon's", "another program's", "nobody's"] {
        stale(&run, kind).await.map_err(|error| format!("{kind} lock: {error}"))?;
        tried += 1;
    }
    for what in ["file", "link", "link to a socket", "folder"] {
        in_the_way(&run, what).await.map_err(|error| format!("a {what} as socket: {error}"))?;
        tried += 1;
    }
    let length = long_path(&run).await?;
    Ok(Proof::of(tried + 1).saying(format!("a socket's path of {length} bytes")))
}

/// A socket to which nobody listens, and a lock file that names a process which has nothing to do
/// with it.
async fn stale(run: &Run, kind: &str) -> Outcome {
    let scene = Scene::set(run).await?;
    let wallet = scene.shared(100).await?;
    let mut sleeper =
        tokio::process::Command::new("sleep").arg("1000").kill_on_drop(true).spawn()?;
    let process = sleeper.id().ok_or("no process")?;
    match kind {
        // Killed: its own socket and note stay.
        "a daemon's" => {
            let daemon = wallet.daemon()?;
            wallet.kill().await?;
            super::signal(daemon, rustix::process::Signal::KILL)?;
            until("the killed daemon is gone", NOTICED, || Ok(wallet.holders().is_empty())).await?;
            must!(wallet.home.path().join("daemon.sock").exists(), "it took its socket with it");
        }
        _ => {
            wallet.close().await?;
            wallet.stop().await?;
            drop(UnixListener::bind(wallet.home.path().join("daemon.sock"))?);
            let note = json!({"token": "old", "version": "0.0.1", "pid": process}).to_string();
            wallet
                .home
                .write("daemon.lock", if kind == "nobody's" { "\0\0 no note" } else { &note })?;
            wallet.home.write("daemon.pid", &process.to_string())?;
        }
    }
    let paid = wallet.ok("pay", json!({"to": scene.invoice(10)?.0})).await?;
    must!(paid.text("state") == "settled", "not paid: {paid}");
    // It sleeps as before: nobody has ended, stopped or woken it.
    let state = fs::read_to_string(format!("/proc/{process}/stat"))?;
    must!(
        sleeper.try_wait()?.is_none() && state.contains(") S "),
        "the other program was signalled: {state}"
    );
    sleeper.kill().await?;
    scene.conserved().await?;
    Ok(())
}

/// Something lies in the socket's place: said, left alone, and served as soon as it is moved away.
async fn in_the_way(run: &Run, what: &str) -> Outcome {
    let scene = Scene::set(run).await?;
    let wallet = scene.shared(0).await?;
    let socket = wallet.home.path().join("daemon.sock");
    let elsewhere = wallet.home.path().with_extension("elsewhere");
    let _listener = UnixListener::bind(&elsewhere)?;
    match what {
        "file" => fs::write(&socket, "mine")?,
        "link" => symlink(wallet.home.path().with_extension("nowhere"), &socket)?,
        "link to a socket" => symlink(&elsewhere, &socket)?,
        _ => fs::create_dir(&socket)?,
    }
    let before = looks(&socket)?;
    let told = wallet.refuses("get_balance", json!({}), &["settings_invalid"]).await?;
    let file = told.text("details/file");
    must!(
        file.contains("daemon.sock") && file.contains("move it away"),
        "not said what to do: {told}"
    );
    must!(wallet.holders().is_empty(), "somebody holds the store");
    must!(looks(&socket)? == before, "what lay there was touched");
    fs::rename(&socket, socket.with_extension("away"))?;
    wallet.serves(NOTICED).await?;
    scene.conserved().await?;
    Ok(())
}

/// What can be seen of it without following it.
fn looks(path: &Path) -> Outcome<String> {
    let about = fs::symlink_metadata(path)?;
    let (content, target) =
        (fs::read(path).unwrap_or_default(), fs::read_link(path).unwrap_or_default());
    Ok(format!("{:?} {:?} {content:?} {target:?}", about.file_type(), about.modified()?))
}

/// A folder so deep that the system takes no socket by its whole path.
async fn long_path(run: &Run) -> Outcome<usize> {
    let scene = Scene::set(run).await?;
    let wallet = scene.shared_below(&"deep/".repeat(40)).await?;
    let length = wallet.home.path().join("daemon.sock").as_os_str().len();
    must!(length > 108, "{length} bytes are not too many");
    wallet.fund(100).await?;
    let other = wallet.another("other").await?;
    let paid = other.ok("pay", json!({"to": scene.invoice(10)?.0})).await?;
    must!(paid.text("state") == "settled", "not paid: {paid}");
    let daemon = wallet.daemon()?;
    must!(
        daemon != other.process() && daemon != wallet.session().await?.process(),
        "a shim holds the store"
    );
    other.close().await?;
    scene.conserved().await?;
    Ok(length)
}
