//! Rows F-112, F-115 and F-119 to F-121: settings that an agent would change, words that would
//! change an agent, lists that would be got around.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::sync::Arc;

use rand::Rng;
use rand::rngs::StdRng;
use serde_json::{Value, json};
use testbed::harness::input::{STRANGERS, renamed};
use testbed::harness::strangers::{check, hostile};
use testbed::harness::{Client, Limits, Outcome, Settings, WIDE, secrets};
use testbed::must;
use testbed::{InvoiceSpec, Lightning, MintOptions, TestMint};

use crate::stage::Stage;
use crate::trial::Run;
use crate::wallet::Wallet;

/// The text of the owner's files.
fn sealed(wallet: &Wallet) -> [String; 3] {
    ["config.toml", "mints.toml", "keys.toml"].map(|name| wallet.home.read(name))
}

const WISHES: &[&str] = &[
    "admin",
    "sudo",
    "role",
    "config",
    "limits",
    "per_day_sats",
    "per_payment_sats",
    "max_fee_percent",
    "mints",
    "trust",
    "allow",
    "seed",
    "mnemonic",
    "export",
    "path",
    "file",
    "url",
    "key",
    "approval_id",
    "approved",
    "override",
    "force",
    "confirm",
    "agent",
    "paused",
    "home",
    "system",
    "debug",
];

const VERBS: &[&str] = &[
    "set_limit",
    "set_limits",
    "trust_mint",
    "add_mint",
    "resume",
    "approve",
    "export_seed",
    "get_seed",
    "backup",
    "set_config",
    "write_file",
    "eval",
    "limits",
    "mints_trust",
    "payments_allow_repeat",
    "restore",
    "init",
];

const PLACES: &[&str] = &[
    "wallet://config",
    "wallet://keys",
    "wallet://seed",
    "wallet://limits",
    "file:///etc/passwd",
    "wallet://../keys.toml",
    "wallet://balance/../../keys.toml",
    "wallet://payments/..%2f..%2fkeys.toml",
    "wallet://balance",
    "wallet://history",
];

/// An agent that has been talked into it: every tool with every argument that sounds like power,
/// tools and resources that are none. Nothing of the owner's changes, no key comes out.
pub(crate) async fn f112(run: Run) -> Outcome<usize> {
    let stage =
        Stage::with(&run, MintOptions::default(), 1_000, Limits { per_payment: 0, per_day: 0 })
            .await?;
    let before = sealed(&stage.wire);
    let words = secrets::runs(&stage.wire.home.mnemonic()?);
    let session = stage.wire.session().await?;
    let tools = session.tools().await?;
    let mut names: Vec<&str> = tools.iter().filter_map(|tool| tool.get("name")?.as_str()).collect();
    names.extend(VERBS);
    let (mut chance, calls) = (run.chance(), run.pick(10_000, 1_500));
    for number in 0..calls {
        let (method, params) = match number % 10 {
            8 => ("resources/read", json!({"uri": one(&mut chance, PLACES)})),
            9 => (
                "prompts/get",
                json!({"name": one(&mut chance, VERBS), "arguments": {one(&mut chance, WISHES): "yes"}}),
            ),
            _ => (
                "tools/call",
                json!({"name": one(&mut chance, &names), "arguments": wish(&mut chance)}),
            ),
        };
        let answer = session
            .request(method, params.clone())
            .await?
            .ok_or_else(|| format!("it ended at {params}"))?
            .to_string();
        must!(
            !words.iter().any(|word| answer.contains(word)),
            "words of the keys came out: {params}"
        );
        if number % 500 == 0 {
            must!(sealed(&stage.wire) == before, "the owner's files have changed by {params}");
        }
    }
    must!(sealed(&stage.wire) == before, "the owner's files have changed");
    must!(stage.melts()? == (0, 0), "something was paid");
    must!(
        stage.wire.holds().await?.all() == stage.mint()?.auditor().outstanding()?,
        "the balance moved"
    );
    stage.wire.restart().await?;
    must!(sealed(&stage.wire) == before, "the owner's files have changed over a restart");
    Ok(calls)
}

fn one<'a>(chance: &mut StdRng, of: &[&'a str]) -> &'a str {
    of.get(chance.random_range(0..of.len())).copied().unwrap_or_default()
}

fn wish(chance: &mut StdRng) -> Value {
    let mut arguments = serde_json::Map::new();
    if chance.random_bool(0.3) {
        arguments.insert("amount_sats".to_owned(), json!(chance.random_range(0..100)));
    }
    for _ in 0..chance.random_range(0..4) {
        let value = match chance.random_range(0..4) {
            0 => json!(true),
            1 => json!(1_000_000_000),
            2 => json!("../../keys.toml"),
            _ => json!({"per_day_sats": 1_000_000_000}),
        };
        arguments.insert(one(chance, WISHES).to_owned(), value);
    }
    Value::Object(arguments)
}

/// Words of strangers, as long and as wicked as they come: named as such, cleaned, cut.
pub(crate) async fn f115(run: Run) -> Outcome<usize> {
    let options = MintOptions {
        name: hostile("zqname"),
        description: hostile("zqabout").repeat(20),
        ..MintOptions::default()
    };
    let stage = Stage::with(&run, options, 5_000, WIDE).await?;
    stage.liar.tell(testbed::Lie::Detail(hostile("zqdetail").repeat(4_000)));
    let shop = stage.scene.lightning.payee("shop");
    let invoice = |sats| {
        let spec = InvoiceSpec::sats(sats, &hostile("zqinvoice"));
        shop.invoice_with(&spec).map(|one| one.to_string())
    };
    let own = hostile("zqown");
    let mut found = Vec::new();
    let long = "x".repeat(1 << 20);
    for (tool, arguments) in [
        ("estimate", json!({"to": invoice(5)?})),
        ("pay", json!({"to": invoice(6)?})),
        ("deposit", json!({"amount_sats": 5_000_000})),
        ("deposit", json!({"amount_sats": 5, "description": own})),
        ("deposit", json!({"amount_sats": 5, "description": long.clone()})),
        ("send_token", json!({"amount_sats": 5, "memo": own})),
        ("send_token", json!({"amount_sats": 5, "memo": long})),
        ("send_token", json!({"amount_sats": 5, "memo": "\u{202e}\u{200b}a\u{1b}[31m"})),
        ("get_balance", json!({})),
        ("list_mints", json!({})),
        ("list_history", json!({"since": "all"})),
        ("list_history", json!({"since": "all", "format": "csv"})),
    ] {
        let answer = stage.wire.told(tool, arguments).await?;
        let text = answer.value.to_string();
        must!(text.len() < 100_000, "{tool} answers {} bytes", text.len());
        check(&answer.value, tool, &mut found)?;
    }
    stage.liar.stop();
    stage.conserved().await?;
    Ok(found.len())
}

/// Settings missing, broken, unreadable, open to others, changed while it runs, a link: nothing is
/// spent, and what loosens waits for its owner.
pub(crate) async fn f119(run: Run) -> Outcome<usize> {
    let narrow = Limits { per_payment: 100, per_day: 1_000 };
    let stage = Stage::with(&run, MintOptions::default(), 2_000, narrow).await?;
    let config = stage.wire.home.path().join("config.toml");
    let good = fs::read_to_string(&config)?;
    let other = stage.wire.home.path().join("elsewhere.toml");
    let mut fired = 0;
    for damage in
        ["broken", "unknown key", "negative", "open to others", "link", "empty limits", "missing"]
    {
        match damage {
            "broken" => stage.wire.home.write("config.toml", "[limits\nper_payment")?,
            "unknown key" => {
                stage.wire.home.write("config.toml", &format!("{good}\n[surprise]\nx = 1\n"))?
            }
            "negative" => {
                stage.wire.home.write("config.toml", &good.replace("= 100\n", "= -100\n"))?
            }
            "open to others" => fs::set_permissions(&config, fs::Permissions::from_mode(0o666))?,
            "link" => {
                stage.wire.home.write("elsewhere.toml", &good)?;
                fs::remove_file(&config)?;
                symlink(&other, &config)?;
            }
            "empty limits" => {
                stage.wire.home.write("config.toml", "[limits]\nper_day_sats = \"all\"\n")?
            }
            _ => fs::remove_file(&config)?,
        }
        for again in [false, true] {
            if again {
                stage.wire.restart().await?;
            }
            let told = stage.wire.told("pay", json!({"to": stage.invoice(50)?})).await?;
            must!(told.is_harmless_refusal(), "{damage}: {told}");
            fired += 1;
        }
        fs::remove_file(&config).ok();
        stage.wire.home.write("config.toml", &good)?;
        stage.wire.restart().await?;
    }
    must!(stage.melts()? == (0, 0), "something was paid");
    stage.wire.ok("get_balance", json!({})).await?;
    let settings = Settings::at([stage.url()]);
    stage.wire.home.configure(&settings)?;
    stage.wire.refuses("pay", json!({"to": stage.invoice(500)?}), &["over_payment_limit"]).await?;
    let narrower = Limits { per_payment: 10, per_day: 1_000 };
    stage.wire.home.configure(&settings.limits(narrower))?;
    stage.wire.refuses("pay", json!({"to": stage.invoice(50)?}), &["over_payment_limit"]).await?;
    stage.wire.home.write("config.toml", &good)?;
    stage.wire.restart().await?;
    stage.wire.ok("pay", json!({"to": stage.invoice(50)?})).await?;
    stage.conserved().await?;
    Ok(fired + 2)
}

/// Addresses that look like a listed mint's: the listed one is meant, or it is refused; nobody else
/// is contacted.
pub(crate) async fn f120(run: Run) -> Outcome<usize> {
    let stage = Stage::new(&run, 1_000).await?;
    let canary = TestMint::start(&Lightning::new(), MintOptions::named("canary")).await?;
    let (listed, elsewhere) = (stage.url(), canary.url());
    let (port, other) = (port(&listed), port(&elsewhere));
    let likenesses = [
        listed.to_uppercase(),
        format!("{listed}/"),
        format!("{listed}//"),
        format!("http://127.0.0.1.:{port}"),
        format!("http://127.0.0.1:{port}@127.0.0.1:{other}"),
        format!("http://user@127.0.0.1:{port}"),
        format!("http://127.0.0.1:{other}"),
        format!("http://127.0.0.1:{other}/#{listed}"),
        format!("http://127.0.0.1:{other}?{listed}"),
        format!("http://127.0.0.1:{other}\\@127.0.0.1:{port}"),
        format!("http://127.0.0.1:0{port}"),
        format!("http://0x7f.1:{port}"),
        format!("http://127.1:{port}"),
        format!("http://%31%32%37.0.0.1:{port}"),
        format!("http://[::ffff:127.0.0.1]:{other}"),
        format!("http://localhost:{other}"),
        format!("{listed}/%2e%2e/x"),
        format!("{listed}/Bitcoin"),
        format!("https://127.0.0.1:{port}"),
        format!(" {listed}"),
        format!("http://xn--127-.0.0.1:{port}"),
    ];
    let token = stage.wire.ok("send_token", json!({"amount_sats": 32})).await?;
    let mut fired = 0;
    for likeness in &likenesses {
        let told = stage.wire.told("deposit", json!({"amount_sats": 5, "mint": likeness})).await?;
        let refused = told.is_error && ["mint_not_trusted", "invalid_input"].contains(&told.code());
        must!(refused || told.text("mint") == listed, "{likeness}: {told}");
        let told = stage
            .wire
            .told("send_token", json!({"amount_sats": 1, "mint": likeness, "memo": likeness}))
            .await?;
        must!(told.is_error || told.text("mint") == listed, "{likeness}: {told}");
        if let Ok(named) = renamed(token.text("token"), likeness) {
            let told = stage.wire.told("receive_token", json!({"token": named})).await?;
            must!(told.is_error || told.text("mint") == listed, "{likeness}: {told}");
        }
        fired += 1;
    }
    must!(canary.requests().is_empty(), "somebody else was contacted: {:?}", canary.requests());
    stage.conserved().await?;
    Ok(fired)
}

fn port(url: &str) -> &str {
    url.rsplit(':').next().unwrap_or_default()
}

/// Tokens of mints that nobody listed, and of private addresses: nobody is contacted, nothing is
/// trusted.
pub(crate) async fn f121(run: Run) -> Outcome<usize> {
    let stage = Stage::new(&run, 1_000).await?;
    let canary = TestMint::start(&stage.scene.lightning, MintOptions::named("canary")).await?;
    let stranger: Arc<Wallet> = stage.scene.wallet_at(&[canary.url()], WIDE)?;
    stranger.fund(100).await?;
    let token = stranger.ok("send_token", json!({"amount_sats": 64})).await?;
    stranger.close().await?;
    let (before, asked) = (sealed(&stage.wire), canary.requests().len());
    let mut fired = 0;
    let urls = STRANGERS.map(str::to_owned).into_iter().chain([canary.url()]);
    for url in urls {
        let named = renamed(token.text("token"), &url)?;
        let told = stage
            .wire
            .refuses("receive_token", json!({"token": named}), &["mint_not_trusted"])
            .await?;
        must!(!told.text("next_step").contains("nutpurse "), "a command line for an agent: {told}");
        fired += 1;
    }
    must!(canary.requests().len() == asked, "the stranger's mint was contacted");
    must!(sealed(&stage.wire) == before, "a mint was trusted");
    let listed = stage.wire.ok("list_mints", json!({})).await?;
    must!(
        listed.value.get("mints").and_then(Value::as_array).is_some_and(|mints| mints.len() == 1),
        "{listed}"
    );
    Ok(fired)
}
