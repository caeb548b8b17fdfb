//! Who is let in, what a daemon is given of its starter's world, and what a project's settings
//! beside a wallet can do to it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use super::{daemon, done, holders, home, stop};
use crate::world::{Child, Home, has, mint, shim};

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn everything_in_the_folder_is_its_users_alone() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("made/by/it");
    let mut start = tokio::process::Command::new(env!("CARGO_BIN_EXE_nutpurse"));
    start.env_clear().env("NUTPURSE_KEYRING", "off").env("NUTPURSE_HOME", &folder);
    let shim = Child::started(start).await;
    shim.ok("get_balance", json!({})).await;
    assert_eq!(mode(&folder), 0o700);
    let mut seen = Vec::new();
    for file in fs::read_dir(&folder).unwrap().flatten() {
        assert_eq!(mode(&file.path()), 0o600, "{}", file.path().display());
        seen.push(file.file_name().into_string().unwrap());
    }
    for name in ["daemon.lock", "daemon.log", "daemon.sock", "keys.toml", "wallet.redb"] {
        assert!(seen.iter().any(|seen| seen == name), "{name} in {seen:?}");
    }
}

async fn answer(home: &Home, first: &[u8]) -> String {
    let mut stream = UnixStream::connect(home.path().join("daemon.sock")).await.unwrap();
    // It may be sent away before it has said all.
    stream.write_all(first).await.ok();
    let mut told = String::new();
    stream.read_to_string(&mut told).await.unwrap_or_default();
    told
}

#[tokio::test]
async fn strangers_at_the_socket_are_sent_away() {
    let (_lightning, mint) = mint().await;
    let home = home(&mint.url(), 600);
    let shim = Child::start(&home, "desktop").await;
    shim.fund(100).await;
    let post = b"POST / HTTP/1.1\r\nHost: localhost\r\n\r\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}\n";
    assert_eq!(answer(&home, post).await, "", "a page of a browser gets nothing");
    let hello = |token: &str, agent: &str| json!({"protocol": 1, "version": "0.1.0", "token": token, "folder": "", "settings": "", "agent": agent, "want": "session"});
    let told = answer(&home, format!("{}\n", hello("guessed", "x")).as_bytes()).await;
    assert!(told.contains("\"refused\":\"token\""), "{told}");
    let note: Value =
        serde_json::from_str(&fs::read_to_string(home.path().join("daemon.lock")).unwrap())
            .unwrap();
    let token = note["token"].as_str().unwrap();
    let told = answer(&home, format!("{}\n", hello(token, "x")).as_bytes()).await;
    assert!(told.contains("\"refused\":\"folder\""), "{told}");
    let endless = vec![b'x'; 1024 * 1024];
    assert_eq!(answer(&home, &endless).await, "");
    assert_eq!(shim.ok("get_balance", json!({})).await["spendable_sats"], 100);
}

#[tokio::test]
async fn a_process_of_another_user_is_sent_away_even_where_the_files_would_let_it_in() {
    if !rustix::process::geteuid().is_root() {
        println!("not run: only root can become another user");
        return;
    }
    let (_lightning, mint) = mint().await;
    let home = home(&mint.url(), 600);
    let shim = Child::start(&home, "desktop").await;
    shim.ok("get_balance", json!({})).await;
    let socket = home.path().join("daemon.sock");
    fs::set_permissions(home.path(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(&socket, fs::Permissions::from_mode(0o666)).unwrap();
    let token = fs::read_to_string(home.path().join("daemon.lock")).unwrap();
    let script = "import socket, sys\ns = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])\n\
                  s.sendall((sys.argv[2] + '\\n').encode()); print(repr(s.recv(1000)))";
    let hello = json!({"protocol": 1, "version": "9.9.9", "token": serde_json::from_str::<Value>(&token).unwrap()["token"], "folder": "",
        "settings": "", "agent": "x", "want": "finish"});
    let mut other = std::process::Command::new("/usr/bin/python3");
    other.args(["-c", script]).arg(&socket).arg(hello.to_string()).uid(65_534).gid(65_534);
    let output = other.output().unwrap();
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(
        said.contains("b''")
            || said.contains("ConnectionResetError")
            || said.contains("BrokenPipe"),
        "{said}"
    );
    assert_eq!(shim.ok("get_balance", json!({})).await["spendable_sats"], 0);
    let log = fs::read_to_string(home.path().join("daemon.log")).unwrap();
    assert!(log.contains("another user"), "{log}");
}

#[tokio::test]
async fn a_daemon_gets_nothing_of_its_starters_environment_but_what_it_needs() {
    let (_lightning, mint) = mint().await;
    let home = home(&mint.url(), 600);
    let mut start = shim(&home, "desktop");
    let strange = [
        ("NUTPURSE_NSEC", "nsec1canary"),
        ("NSEC", "nsec1canary"),
        ("HTTPS_PROXY", "http://canary"),
        ("ALL_PROXY", "http://canary"),
        ("SSL_CERT_FILE", "/canary"),
        ("LD_LIBRARY_PATH", "/canary"),
        ("OPENAI_API_KEY", "canary"),
        ("XDG_RUNTIME_DIR", "/canary"),
        ("DBUS_SESSION_BUS_ADDRESS", "unix:path=/canary"),
    ];
    start.envs(strange).env("LC_ALL", "C");
    let shim = Child::started(start).await;
    shim.ok("get_balance", json!({})).await;
    let about = |what: &str| {
        let bytes = fs::read(format!("/proc/{}/{what}", daemon(&home).as_raw_nonzero())).unwrap();
        String::from_utf8_lossy(&bytes).replace('\0', "\n")
    };
    let (line, environment) = (about("cmdline"), about("environ"));
    assert!(!environment.contains("canary") && !line.contains("canary"), "{environment}");
    let names: Vec<_> = environment.lines().filter_map(|line| line.split('=').next()).collect();
    assert_eq!(names.len(), 4, "{names:?}");
    for name in ["PATH", "LC_ALL", "NUTPURSE_LOG", "NUTPURSE_KEYRING"] {
        assert!(names.contains(&name), "{names:?}");
    }
    let group =
        fs::read_to_string(format!("/proc/{}/stat", daemon(&home).as_raw_nonzero())).unwrap();
    let fields: Vec<_> = group.rsplit(") ").next().unwrap().split(' ').collect();
    let shim_group =
        fs::read_to_string(format!("/proc/{}/stat", shim.process().as_raw_nonzero())).unwrap();
    let shim_fields: Vec<_> = shim_group.rsplit(") ").next().unwrap().split(' ').collect();
    assert!(
        fields[2] != shim_fields[2] && fields[3] != shim_fields[3],
        "its own group and session"
    );
}

#[tokio::test]
async fn a_daemon_holds_nothing_open_that_its_starter_had_open() {
    let (_lightning, mint) = mint().await;
    let home = home(&mint.url(), 600);
    let held = home.path().with_extension("held");
    let plain = shim(&home, "desktop");
    let mut start = tokio::process::Command::new("/bin/sh");
    start
        .args(["-c", "exec 8>\"$0\"; exec \"$@\""])
        .arg(&held)
        .arg(plain.as_std().get_program())
        .args(plain.as_std().get_args());
    start
        .env_clear()
        .envs(plain.as_std().get_envs().filter_map(|(name, value)| Some((name, value?))));
    let shim = Child::started(start).await;
    shim.ok("get_balance", json!({})).await;
    let has_it = |process: rustix::process::Pid| {
        let open =
            fs::read_dir(format!("/proc/{}/fd", process.as_raw_nonzero())).unwrap().flatten();
        open.filter_map(|file| fs::read_link(file.path()).ok()).any(|file| file == held)
    };
    assert!(has_it(shim.process()), "the shell's file is open in what it started");
    assert!(!has_it(daemon(&home)));
    fs::remove_file(held).unwrap();
}

#[tokio::test]
async fn what_lies_in_the_sockets_place_is_left_alone_and_said() {
    let (_lightning, mint) = mint().await;
    for what in ["file", "link", "folder"] {
        let home = home(&mint.url(), 600);
        let socket = home.path().join("daemon.sock");
        match what {
            "file" => fs::write(&socket, "mine").unwrap(),
            "link" => std::os::unix::fs::symlink("/nowhere/elsewhere", &socket).unwrap(),
            _ => fs::create_dir(&socket).unwrap(),
        }
        let shim = Child::start(&home, "desktop").await;
        assert_eq!(
            shim.ask("tools/list", json!({})).await["result"]["tools"].as_array().map(Vec::len),
            Some(13)
        );
        let told = shim.answer("get_balance", json!({})).await;
        assert_eq!(told["error"], "settings_invalid", "{told}");
        assert!(
            told["details"]["file"].as_str().is_some_and(|file| file.contains("daemon.sock")),
            "{told}"
        );
        assert!(done(&home, &["get-balance"]).unwrap_err().contains("daemon.sock"));
        assert!(fs::symlink_metadata(&socket).is_ok());
        assert!(holders(&home).is_empty());
        assert_eq!(shim.hang_up().await, Some(0));
    }
}

#[tokio::test]
async fn a_lock_file_that_names_somebody_else_means_nothing_and_nobody_is_signalled() {
    let (_lightning, mint) = mint().await;
    let home = home(&mint.url(), 600);
    let mut sleeper = std::process::Command::new("sleep").arg("100").spawn().unwrap();
    fs::write(
        home.path().join("daemon.lock"),
        json!({"token": "old", "version": "0.0.1", "pid": sleeper.id()}).to_string(),
    )
    .unwrap();
    drop(std::os::unix::net::UnixListener::bind(home.path().join("daemon.sock")).unwrap());
    let shim = Child::start(&home, "desktop").await;
    assert_eq!(shim.ok("get_balance", json!({})).await["spendable_sats"], 0);
    assert!(sleeper.try_wait().unwrap().is_none());
    sleeper.kill().unwrap();
    sleeper.wait().unwrap();
}

#[tokio::test]
async fn a_projects_settings_beside_a_wallet_find_no_key_move_no_coin_and_redirect_nothing() {
    let (_lightning, mint) = mint().await;
    let wallet = home(&mint.url(), 600);
    let owner = Child::start(&wallet, "desktop").await;
    owner.fund(300).await;
    let words = fs::read_to_string(wallet.path().join("keys.toml")).unwrap();
    // Another folder: another wallet, with keys of its own and no money.
    let other = home(&mint.url(), 600);
    let mut project = shim(&other, "project");
    project
        .env("NUTPURSE_NSEC", "nsec1canary")
        .env("NSEC", "nsec1canary")
        .env("HTTPS_PROXY", "http://127.0.0.1:9");
    let project = Child::started(project).await;
    project.fund(50).await;
    assert_eq!(
        project.ok("get_balance", json!({})).await["spendable_sats"],
        50,
        "its traffic goes where it should"
    );
    let other_words = fs::read_to_string(other.path().join("keys.toml")).unwrap();
    assert_ne!(words.lines().last(), other_words.lines().last());
    assert!(!other_words.contains("canary"));
    // A folder by a relative path, one that others can write, one that is another user's.
    let writable = tempfile::tempdir().unwrap();
    fs::set_permissions(writable.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let foreign = tempfile::tempdir().unwrap();
    std::os::unix::fs::chown(foreign.path(), Some(65_534), None).unwrap();
    for (path, why) in [
        ("relative/folder", "absolute"),
        (writable.path().to_str().unwrap(), "others may write"),
        (foreign.path().to_str().unwrap(), "another user"),
    ] {
        let mut bad = tokio::process::Command::new(env!("CARGO_BIN_EXE_nutpurse"));
        bad.env_clear()
            .env("NUTPURSE_KEYRING", "off")
            .env("NUTPURSE_HOME", path)
            .current_dir(writable.path());
        let bad = Child::started(bad).await;
        assert_eq!(
            bad.ask("tools/list", json!({})).await["result"]["tools"].as_array().map(Vec::len),
            Some(13)
        );
        let told = bad.answer("get_balance", json!({})).await;
        has(&told, json!({"error": "settings_invalid", "money_moved": "no"}));
        assert!(told["details"]["file"].as_str().is_some_and(|file| file.contains(why)), "{told}");
        assert_eq!(bad.hang_up().await, Some(0));
    }
    assert!(
        fs::read_dir(writable.path()).unwrap().next().is_none()
            && fs::read_dir(foreign.path()).unwrap().next().is_none()
    );
    assert_eq!(owner.ok("get_balance", json!({})).await["spendable_sats"], 300);
    assert_eq!(fs::read_to_string(wallet.path().join("keys.toml")).unwrap(), words);
    stop(&wallet);
    stop(&other);
}

#[tokio::test]
async fn keys_of_another_wallet_in_the_place_of_its_own_are_not_used() {
    let (_lightning, mint) = mint().await;
    let (home, other) = (home(&mint.url(), 600), home(&mint.url(), 600));
    let shim = Child::start(&home, "desktop").await;
    shim.fund(100).await;
    Child::start(&other, "desktop").await.ok("get_balance", json!({})).await;
    stop(&home);
    let keys = home.path().join("keys.toml");
    let own = fs::read(&keys).unwrap();
    fs::copy(other.path().join("keys.toml"), &keys).unwrap();
    let told = shim.answer("get_balance", json!({})).await;
    assert_eq!(told["error"], "wallet_damaged", "{told}");
    fs::write(&keys, own).unwrap();
    assert_eq!(shim.ok("get_balance", json!({})).await["spendable_sats"], 100);
}
