//! F-129 and F-130 on a shared wallet: what others can read of its processes, and where these
//! write.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::json;
use testbed::harness::{Client, Outcome};
use testbed::must;

use crate::files::under_any_mask;
use crate::scene::Scene;
use crate::trial::Run;
use crate::wallet::Wallet;

/// What a client's environment may hold, and a daemon must not.
const CLIENTS: [(&str, &str); 9] = [
    ("NUTPURSE_NSEC", "canary-nsec"),
    ("NSEC", "canary-nsec"),
    ("OPENAI_API_KEY", "canary-key"),
    ("HTTPS_PROXY", "http://canary"),
    ("ALL_PROXY", "http://canary"),
    ("SSL_CERT_FILE", "/canary"),
    ("SSL_CERT_DIR", "/canary"),
    ("LD_LIBRARY_PATH", "/canary"),
    ("NUTPURSE_HOMES", "canary"),
];

/// F-129: the command lines and environments of shim and daemon; `secrets_of` gives a wallet's keys
/// in all their forms.
pub(crate) async fn what_others_read(
    run: &Run,
    secrets_of: fn(&Wallet) -> Outcome<Vec<String>>,
) -> Outcome<usize> {
    let scene = Scene::set(run).await?;
    let wallet = scene.shared(0).await?;
    let mut command = wallet.command("tester");
    command.envs(CLIENTS);
    let session = wallet.start(command).await?;
    let asked = session.ok("deposit", json!({"amount_sats": 100})).await?;
    session.deposit_within(&asked, 45).await?;
    let token = session.ok("send_token", json!({"amount_sats": 32})).await?;
    let mut secrets = secrets_of(&wallet)?;
    secrets.push(token.text("token").to_owned());
    let daemon = wallet.daemon()?.as_raw_nonzero();
    let mut read = 0;
    for process in [session.process().as_raw_nonzero(), daemon] {
        for name in ["cmdline", "environ", "comm", "status"] {
            let bytes = fs::read(format!("/proc/{process}/{name}"))?;
            let text = String::from_utf8_lossy(&bytes).replace('\0', " ");
            must!(!secrets.iter().any(|secret| text.contains(secret)), "{name} holds a secret");
            let is_its_clients = process != daemon && name == "environ";
            must!(
                text.contains("canary") == is_its_clients,
                "{name} of {process}, the daemon is {daemon}: {text}"
            );
            read += usize::from(!bytes.is_empty());
        }
    }
    let environment =
        String::from_utf8_lossy(&fs::read(format!("/proc/{daemon}/environ"))?).into_owned();
    let preloaded = environment
        .split('\0')
        .find(|variable| variable.starts_with("LD_") || variable.starts_with("TESTBED_"));
    must!(preloaded.is_none(), "the daemon got {preloaded:?}");
    must!(
        !wallet.daemon_log().contains("canary"),
        "the daemon's log holds what its client's environment held"
    );
    session.close().await?;
    scene.conserved().await?;
    Ok(read)
}

/// F-130: everything in the folder is its owner's alone; all that the daemon has open lies there;
/// nothing is written elsewhere.
pub(crate) async fn modes(run: &Run) -> Outcome<usize> {
    let scene = Scene::set(run).await?;
    let wallet = scene.shared(0).await?;
    let elsewhere = tempfile::Builder::new().prefix("nutpurse-tmp-").tempdir()?;
    let mut command = under_any_mask(&wallet.command("tester"));
    command
        .current_dir(elsewhere.path())
        .env("TMPDIR", elsewhere.path())
        .env("HOME", elsewhere.path())
        .env("XDG_RUNTIME_DIR", elsewhere.path());
    let session = wallet.start(command).await?;
    let asked = session.ok("deposit", json!({"amount_sats": 200, "qr": true})).await?;
    session.deposit_within(&asked, 45).await?;
    session.ok("pay", json!({"to": scene.invoice(20)?.0})).await?;
    session.ok("list_history", json!({"format": "csv"})).await?;
    must!(mode(wallet.home.path())? == 0o700, "the folder: {:o}", mode(wallet.home.path())?);
    let mut seen = Vec::new();
    for entry in fs::read_dir(wallet.home.path())? {
        let path = entry?.path();
        let wanted = if path.is_dir() { 0o700 } else { 0o600 };
        must!(mode(&path)? == wanted, "{}: {:o}", path.display(), mode(&path)?);
        seen.push(path.file_name().unwrap_or_default().to_string_lossy().into_owned());
    }
    for name in ["daemon.lock", "daemon.log", "daemon.sock", "keys.toml", "wallet.redb"] {
        must!(seen.iter().any(|seen| seen == name), "no {name} in {seen:?}");
    }
    let daemon = wallet.daemon()?.as_raw_nonzero().get();
    let mut open = 0;
    for entry in fs::read_dir(format!("/proc/{daemon}/fd"))? {
        let Ok(file) = fs::read_link(entry?.path()) else { continue };
        let is_file = file.is_absolute() && !file.starts_with("/dev");
        must!(
            !is_file || file.starts_with(wallet.home.path()),
            "the daemon has {} open",
            file.display()
        );
        open += usize::from(is_file);
    }
    must!(
        open > 0 && fs::read_link(format!("/proc/{daemon}/cwd"))? == Path::new("/"),
        "the daemon stands in its client's folder"
    );
    let left: Vec<_> =
        fs::read_dir(elsewhere.path())?.flatten().map(|entry| entry.file_name()).collect();
    must!(left.is_empty(), "written elsewhere: {left:?}");
    session.close().await?;
    wallet.stop().await?;
    must!(!wallet.home.path().join("daemon.sock").exists(), "it left its socket");
    scene.conserved().await?;
    Ok(seen.len() + open)
}

fn mode(path: &Path) -> Outcome<u32> {
    Ok(fs::symlink_metadata(path)?.permissions().mode() & 0o777)
}
