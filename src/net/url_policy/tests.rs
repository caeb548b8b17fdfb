use super::*;

fn policy(allow: &[&str], proxy: Option<&str>) -> Result<UrlPolicy, BadSettings> {
    let allow = allow.iter().map(|text| (*text).to_owned()).collect();
    UrlPolicy::new(&NetworkSettings { allow, proxy: proxy.map(str::to_owned) })
}

#[test]
fn every_way_of_writing_a_near_address_is_refused() -> Result<(), BadSettings> {
    let policy = policy(&[], None)?;
    let hosts = [
        "127.0.0.1",
        "127.1",
        "0x7f.1",
        "0x7f000001",
        "2130706433",
        "017700000001",
        "0177.0.0.1",
        "127.0.0.1.",
        "0",
        "0.0.0.0",
        "１２７.0.0.1",
        "127。0。0。1",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "[fe80::1]",
        "[fd00::1]",
        "10.0.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "169.254.169.254",
        "localhost",
        "LOCALHOST",
        "localhost.",
        "a.localhost",
        "a.localhost.",
        "ｌocalhost",
        "abc.onion",
    ];
    for host in hosts {
        for (url, protocol) in [
            (format!("https://{host}/v1"), Protocol::Http),
            (format!("wss://{host}:8443/"), Protocol::Websocket),
        ] {
            assert!(matches!(policy.check(&url, protocol), Err(HttpFailure::Refused(_))), "{url}");
        }
    }
    Ok(())
}

#[test]
fn what_is_not_plainly_a_public_tls_address_is_refused() -> Result<(), BadSettings> {
    let policy = policy(&[], None)?;
    let urls = [
        "",
        "mint.example",
        "http://mint.example",
        "ftp://mint.example",
        "file:///etc/passwd",
        "https://u:p@mint.example",
        "https://u@mint.example",
        "https://mint.example:22",
        "https://mint.example:25",
        "wss://mint.example",
        "https://[::1",
        "https://",
    ];
    for url in urls {
        assert!(matches!(policy.check(url, Protocol::Http), Err(HttpFailure::Refused(_))), "{url}");
    }
    let long = format!("https://mint.example/{}", "a".repeat(MAX_URL));
    assert!(policy.check(&long, Protocol::Http).is_err());
    for url in [
        "https://mint.example",
        "https://mint.example:443/a?b",
        "https://mint.example:3338",
        "https://1.1.1.1",
        "https://[2606:4700::1]",
    ] {
        assert!(policy.check(url, Protocol::Http).is_ok_and(|target| !target.listed), "{url}");
    }
    Ok(())
}

#[test]
fn a_listed_origin_and_no_other_may_be_private() -> Result<(), BadSettings> {
    let policy = policy(&["http://127.0.0.1:3338", "https://10.0.0.1:22"], None)?;
    for (url, protocol) in [
        ("http://127.0.0.1:3338/v1/info", Protocol::Http),
        ("http://0x7f.1:3338/", Protocol::Http),
        ("ws://127.0.0.1:3338/v1/ws", Protocol::Websocket),
        ("https://10.0.0.1:22/", Protocol::Http),
    ] {
        assert!(policy.check(url, protocol).is_ok_and(|target| target.listed), "{url}");
    }
    for url in [
        "http://127.0.0.1:3339/",
        "https://127.0.0.1:3338/",
        "http://localhost:3338/",
        "http://10.0.0.1:22/",
        "http://u@127.0.0.1:3338",
    ] {
        assert!(policy.check(url, Protocol::Http).is_err(), "{url}");
    }
    Ok(())
}

#[test]
fn a_proxy_is_no_way_around_the_rules() -> Result<(), BadSettings> {
    let policy = policy(&["http://abc.onion"], Some("socks5h://proxy.example:9050"))?;
    assert!(policy.check("http://abc.onion/", Protocol::Http).is_ok());
    assert!(policy.check("https://def.onion/", Protocol::Http).is_ok());
    assert!(policy.check("https://proxy.example/", Protocol::Http).is_err());
    assert!(policy.check("https://10.0.0.1/", Protocol::Http).is_err());
    assert!(!policy.looks_up_for_proxy());
    Ok(())
}

#[test]
fn names_of_private_networks_are_refused_before_a_proxy_hears_them() -> Result<(), BadSettings> {
    let names = [
        "intranet",
        "intranet.",
        "mint.local",
        "router.lan",
        "a.b.internal",
        "nas.home.arpa",
        "x.test",
        "x.invalid",
        "wiki.corp",
    ];
    let schemes = [
        "http://proxy.example:3128",
        "https://proxy.example",
        "socks5://proxy.example:1080",
        "socks5h://127.0.0.1:9050",
    ];
    for proxy in schemes.map(Some).into_iter().chain([None]) {
        let policy = policy(&["https://wiki.corp"], proxy)?;
        for name in names {
            let listed = name == "wiki.corp";
            let checked = policy.check(&format!("https://{name}/lnurl"), Protocol::Http);
            assert_eq!(checked.is_ok(), listed, "{name} by {proxy:?}");
        }
        for literal in ["10.0.0.1", "[fd00::1]", "169.254.169.254", "0x7f.1"] {
            assert!(
                policy.check(&format!("https://{literal}/"), Protocol::Http).is_err(),
                "{literal} by {proxy:?}"
            );
        }
        for name in ["mint.example", "home.example", "corp.example.com", "notlocal.example"] {
            assert!(
                policy.check(&format!("https://{name}/"), Protocol::Http).is_ok(),
                "{name} by {proxy:?}"
            );
        }
        let is_tor = proxy.is_some_and(|proxy| proxy.starts_with("socks5h"));
        assert_eq!(policy.check("https://abc.onion/", Protocol::Http).is_ok(), is_tor, "{proxy:?}");
        assert_eq!(policy.looks_up_for_proxy(), proxy.is_some() && !is_tor, "{proxy:?}");
    }
    Ok(())
}

#[test]
fn bad_settings_are_named() {
    assert_eq!(
        policy(&["127.0.0.1:3338"], None).err(),
        Some(BadSettings::Allow("127.0.0.1:3338".into()))
    );
    for proxy in ["", "127.0.0.1:9050", "ftp://127.0.0.1", "socks5h://"] {
        assert_eq!(policy(&[], Some(proxy)).err(), Some(BadSettings::Proxy), "{proxy}");
    }
}
