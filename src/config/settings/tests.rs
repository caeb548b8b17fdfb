use super::*;
use crate::config::env::Environment;
use crate::model::mint::MoneyKind;
use crate::policy::Limits;

type Outcome = Result<(), Box<dyn std::error::Error>>;

fn home(folder: &tempfile::TempDir) -> Result<Home, HomeError> {
    Home::resolve(Some(&folder.path().join("home")), &Environment::default())
}

fn config(text: &str) -> Result<Settings, SettingsError> {
    Texts { config: text.to_owned(), mints: String::new(), accepted: None }.parse()
}

const LIMITS: &str = "[limits]\nper_payment_sats = 1\nper_day_sats = 2\nmax_fee_percent = 0.5\nmax_fee_floor_sats = 0\n";

#[test]
fn a_new_wallet_has_small_limits_and_play_money() -> Outcome {
    let folder = tempfile::tempdir()?;
    let home = home(&folder)?;
    let peeked = Settings::peek(&home)?;
    assert!(!home.exists());
    let settings = Settings::load(&home)?;
    assert_eq!(peeked, settings);
    let limits = Limits {
        per_payment_sats: 1_000,
        per_day_sats: 5_000,
        max_fee_hundredths: 200,
        max_fee_floor_sats: 5,
    };
    assert_eq!(settings.policy.limits, limits);
    assert!(!settings.policy.paused && settings.policy.listed_money() == MoneyKind::Play);
    assert_eq!(settings.network, Network::default());
    assert_eq!(
        settings.nostr,
        Nostr {
            relays: Vec::new(),
            nutzaps: true,
            nutzap_min_sats: 1,
            claim: AdoptWhen::Shortfall
        }
    );
    assert_eq!(settings.policy.agent("anyone").tools, None);
    Ok(())
}

#[test]
fn settings_are_read_again_only_when_their_bytes_differ() -> Outcome {
    let folder = tempfile::tempdir()?;
    let home = home(&folder)?;
    let mut last_read = LastRead::default();
    assert!(Settings::load_if_changed(&home, &mut last_read)?.is_some());
    assert!(Settings::load_if_changed(&home, &mut last_read)?.is_none());
    files::replace(&home.config(), LIMITS)?;
    assert_eq!(
        Settings::load_if_changed(&home, &mut last_read)?
            .map(|s| s.policy.limits.max_fee_hundredths),
        Some(50)
    );
    files::replace(&home.config(), "broken")?;
    assert!(
        Settings::load_if_changed(&home, &mut last_read).is_err()
            && Settings::load_if_changed(&home, &mut last_read).is_err()
    );
    files::replace(&home.config(), LIMITS)?;
    files::replace(&home.file("accepted"), "abc\n")?;
    assert_eq!(
        Settings::load_if_changed(&home, &mut last_read)?.and_then(|s| s.accepted).as_deref(),
        Some("abc")
    );
    Ok(())
}

#[cfg(unix)]
#[test]
fn a_file_that_cannot_be_used_is_never_replaced_by_a_default() -> Outcome {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    let folder = tempfile::tempdir()?;
    let home = home(&folder)?;
    let mut last_read = LastRead::default();
    Settings::load_if_changed(&home, &mut last_read)?;
    for path in [home.config(), home.mints()] {
        let good = fs::read(&path)?;
        for mode in [0o666, 0o620] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode))?;
            assert!(Settings::load_if_changed(&home, &mut last_read).is_err(), "{mode:o}");
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
        for bad in [&b"\xff"[..], b"[", b"extra = 1\n"] {
            fs::write(&path, bad)?;
            assert!(Settings::load(&home).is_err(), "{bad:?}");
            assert_eq!(fs::read(&path)?, bad);
        }
        fs::remove_file(&path)?;
        std::os::unix::fs::symlink("/nonexistent/elsewhere", &path)?;
        assert!(Settings::load(&home).is_err());
        fs::remove_file(&path)?;
        fs::create_dir(&path)?;
        assert!(Settings::load(&home).is_err());
        fs::remove_dir(&path)?;
        files::create(&path, &String::from_utf8(good)?)?;
    }
    fs::write(home.config(), "")?;
    assert_eq!(Settings::load(&home).err().and_then(|fault| fault.key).as_deref(), Some("limits"));
    Ok(())
}

#[test]
fn a_fault_names_its_line_and_key() {
    let rows = [
        (
            "[limits]\nper_payment_sats = 1\nper_day_sats = 2\nmax_fee_percent = 0.5\n".to_owned(),
            1,
            "max_fee_floor_sats",
        ),
        (LIMITS.replace("= 1\n", "= -1\n"), 2, "per_payment_sats"),
        (LIMITS.replace("= 1\n", "= 2_100_000_000_000_001\n"), 2, "per_payment_sats"),
        (LIMITS.replace("= 2\n", "= \"lots\"\n"), 3, "per_day_sats"),
        (LIMITS.replace("0.5", "100.01"), 4, "max_fee_percent"),
        (LIMITS.replace("0.5", "0.001"), 4, "max_fee_percent"),
        (LIMITS.replace("0.5", "nan"), 4, "max_fee_percent"),
        (LIMITS.replace("0.5", "inf"), 4, "max_fee_percent"),
        (LIMITS.replace("0.5", "-1"), 4, "max_fee_percent"),
        (format!("{LIMITS}unlimited = true\n"), 6, "unlimited"),
        (format!("{LIMITS}[network]\nallow = [\"127.0.0.1\"]\n"), 7, "allow"),
        (format!("{LIMITS}[network]\nallow = [\"http://a.example/path\"]\n"), 7, "allow"),
        (format!("{LIMITS}[network]\nproxy = \"socks5://127.0.0.1:9050\"\n"), 7, "proxy"),
        (format!("{LIMITS}[network]\nproxy = \"http://u:p@127.0.0.1:9050\"\n"), 7, "proxy"),
        (format!("{LIMITS}[nostr]\nrelays = [\"https://r.example\"]\n"), 7, "relays"),
        (format!("{LIMITS}[agents.a]\nper_day_sats = -2\n"), 7, "per_day_sats"),
    ];
    for (text, line, key) in rows {
        let fault = config(&text).err();
        assert_eq!(
            fault.as_ref().map(|f| (f.line, f.key.as_deref())),
            Some((Some(line), Some(key))),
            "{text}: {fault:?}"
        );
    }
    assert!(config(&format!("{LIMITS}[agents.\"a b\"]\n")).is_err());
}

#[test]
fn every_value_arrives() -> Outcome {
    let text = format!(
        "{LIMITS}[spending]\npaused = true\n[network]\nallow = [\"HTTP://127.0.0.1:80\", \"ws://[::1]:7\"]\nproxy = \"socks5h://127.0.0.1:9050\"\n\
         [nostr]\nrelays = [\"wss://r.example\"]\nnutzaps = false\nnutzap_min_sats = 21\n[agents.bot]\ntools = [\"get_balance\"]\nper_day_sats = 1\nmax_fee_percent = 1\n"
    );
    let settings = config(&text)?;
    assert!(settings.policy.paused && settings.policy.mints.is_empty());
    assert_eq!(
        settings.network.allow.iter().map(String::as_str).collect::<Vec<_>>(),
        ["http://127.0.0.1", "ws://[::1]:7"]
    );
    assert_eq!(settings.network.proxy.as_deref(), Some("socks5h://127.0.0.1:9050"));
    assert_eq!(
        settings.nostr,
        Nostr {
            relays: vec!["wss://r.example".into()],
            nutzaps: false,
            nutzap_min_sats: 21,
            claim: AdoptWhen::Shortfall
        }
    );
    assert_eq!(settings.policy.agent("bot").tools, Some(["get_balance".to_owned()].into()));
    assert_eq!(settings.policy.limits_for("bot").per_day_sats, 1);
    assert_eq!(settings.policy.limits_for("bot").max_fee_hundredths, 50);
    Ok(())
}
