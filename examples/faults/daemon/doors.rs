//! F-131: who is sent away at the socket.

use std::fs::{Permissions, metadata, read_dir, read_link, read_to_string, set_permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use serde_json::json;
use testbed::harness::{Client, Outcome};
use testbed::must;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;
use tokio::time::{Duration, Instant, timeout};

use super::within;
use crate::scene::Scene;
use crate::table::Proof;
use crate::trial::Run;
use crate::wallet::Wallet;

/// A user who is nobody.
const NOBODY: u32 = 65_534;
/// Connections of somebody who says nothing.
const SILENT: usize = 100;
/// How long a stranger is listened to.
const HEARD_OUT: Duration = Duration::from_secs(6);
/// How another user's program connects: argument 1 is the socket, 2 the line it says.
const CONNECT: &str = "import socket, sys\ns = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])\n\
    s.sendall((sys.argv[2] + '\\n').encode()); print(repr(s.recv(1000)))";

pub(crate) async fn strangers(run: Run) -> Outcome<Proof> {
    let scene = Scene::set(&run).await?;
    let wallet = scene.shared(100).await?;
    let daemon = wallet.daemon()?;
    let mut sent_away = 0;
    let call = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "send_token", "arguments": {"amount_sats": 50}}});
    let body = format!("{call}\n");
    let head = format!(
        "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let endless = "x".repeat(1 << 20);
    for (what, words) in [
        ("a browser", format!("{head}{body}")),
        ("no first line", body.clone()),
        ("an endless line", endless),
    ] {
        let told = within(HEARD_OUT, what, wallet.knock(words.as_bytes())).await??;
        must!(told.is_empty(), "{what} was told {told}");
        sent_away += 1;
    }
    for token in ["", "guessed", &"0".repeat(32)] {
        for want in ["session", "finish", "status"] {
            let hello = json!({"protocol": 1, "version": "0.1.0", "token": token, "folder": wallet.folder()?, "settings": "",
                "agent": "tester", "want": want});
            // The call is said at once, as by somebody who hopes that nobody looks.
            let told = within(HEARD_OUT, want, wallet.knock(format!("{hello}\n{body}").as_bytes()))
                .await??;
            let is_no = told.contains("\"refused\":\"token\"")
                && !told.contains("spendable")
                && !told.contains("status\":");
            must!(is_no, "without the token, {want}: {told}");
            sent_away += 1;
        }
    }
    sent_away += silent(&wallet).await?;
    must!(listeners(daemon.as_raw_nonzero().get())? == 0, "the daemon listens on a network");
    let is_root = metadata(wallet.home.path())?.uid() == 0;
    if is_root {
        sent_away += another_user(&wallet).await?;
    }
    must!(wallet.daemon()? == daemon, "the daemon is another");
    must!(wallet.holds().await?.spendable == 100, "something was spent");
    scene.conserved().await?;
    Ok(Proof::of(sent_away).saying(if is_root {
        ""
    } else {
        "not root: another user was not tried"
    }))
}

/// How many ports of a network a process listens on.
fn listeners(process: i32) -> Outcome<usize> {
    let files = read_dir(format!("/proc/{process}/fd"))?
        .flatten()
        .filter_map(|file| read_link(file.path()).ok());
    let sockets: Vec<String> = files
        .map(|file| file.to_string_lossy().into_owned())
        .filter(|file| file.starts_with("socket:"))
        .collect();
    let listening = ["tcp", "tcp6"]
        .map(|name| read_to_string(format!("/proc/{process}/net/{name}")).unwrap_or_default())
        .concat();
    // The fourth column is the state, 0A for one that listens; the tenth the socket.
    let of = |line: &str| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        (columns.get(3) == Some(&"0A"))
            .then(|| columns.get(9).map(|inode| format!("socket:[{inode}]")))
            .flatten()
    };
    Ok(listening.lines().filter_map(of).filter(|socket| sockets.contains(socket)).count())
}

/// Many who say nothing: others are served meanwhile, and none of them is listened to for long.
async fn silent(wallet: &Wallet) -> Outcome<usize> {
    let mut streams = Vec::new();
    for _ in 0..SILENT {
        let mut stream = wallet.connect().await?;
        stream.write_all(b"{").await?;
        streams.push(stream);
    }
    let since = Instant::now();
    wallet.another("beside").await?.ok("get_balance", json!({})).await?;
    must!(since.elapsed() < Duration::from_secs(2), "others waited {:?}", since.elapsed());
    for mut stream in streams {
        let mut told = Vec::new();
        let ended = timeout(HEARD_OUT, stream.read_to_end(&mut told))
            .await
            .map_err(|_| "the silent are listened to for ever")?;
        must!(ended.is_err() || told.is_empty(), "the silent were told something");
    }
    Ok(SILENT)
}

/// Another user is sent away even where the modes of the files would let it in and it knows the
/// token.
async fn another_user(wallet: &Wallet) -> Outcome<usize> {
    let (folder, socket) =
        (wallet.home.path().to_path_buf(), wallet.home.path().join("daemon.sock"));
    let parent = folder.parent().ok_or("no parent")?.to_path_buf();
    let hello = json!({"protocol": 1, "version": "99.0.0", "token": wallet.token()?, "folder": wallet.folder()?, "settings": "",
        "agent": "tester", "want": "finish"})
    .to_string();
    let connect = async || -> Outcome<String> {
        let mut other = Command::new("python3");
        other
            .args(["-c", CONNECT])
            .arg(&socket)
            .arg(&hello)
            .uid(NOBODY)
            .gid(NOBODY)
            .current_dir("/");
        let told = other.output().await?;
        Ok([told.stdout, told.stderr]
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .concat())
    };
    let modes = [&parent, &folder, &socket]
        .map(|path| Ok::<_, std::io::Error>((path.clone(), metadata(path)?.permissions())));
    let said = connect().await?;
    must!(said.contains("PermissionError"), "the folder let it in: {said}");
    set_permissions(&parent, Permissions::from_mode(0o755))?;
    set_permissions(&folder, Permissions::from_mode(0o755))?;
    set_permissions(&socket, Permissions::from_mode(0o666))?;
    let said = connect().await?;
    for mode in modes {
        let (path, mode) = mode?;
        set_permissions(path, mode)?;
    }
    let is_no = ["b''", "ConnectionResetError", "BrokenPipe"].iter().any(|no| said.contains(no));
    must!(is_no, "another user was told {said}");
    must!(wallet.daemon_log().contains("another user"), "the daemon's log does not say it");
    Ok(2)
}
