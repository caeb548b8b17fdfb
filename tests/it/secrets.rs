//! Secrets stay where they must be: nothing of them on standard error at any level of logging, on
//! standard output only in the answers that must carry them, and no file of the wallet for others
//! to read.

use std::fs;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use cdk_common::nuts::Token;
use serde_json::Value;
use testbed::harness::{closed_to_others, program, secrets};
use testbed::{Behaviour, MintOptions, Moment, Proxy, Rule};

use crate::world::{Home, binary, mint_with};

/// What a home's commands have printed.
struct Watch {
    home: Arc<Home>,
    stdout: Vec<(String, String)>,
    stderr: String,
}

impl Watch {
    fn new(home: Home) -> Self {
        Self { home: Arc::new(home), stdout: Vec::new(), stderr: String::new() }
    }

    /// Runs a command with all logging on. Gives what it printed, if that was JSON.
    fn run(&mut self, line: &[&str], input: &str) -> Value {
        let mut command = binary::binary(&self.home);
        command.env("NUTPURSE_LOG", "trace").env("RUST_LOG", "trace").args(line).arg("--json");
        assert!(line.iter().all(|word| !word.starts_with("cashu")), "no secret on a command line");
        let output = binary::run(command, input);
        let said = String::from_utf8(output.stdout).unwrap();
        self.stderr.push_str(&String::from_utf8(output.stderr).unwrap());
        self.stdout.push((line[0].to_owned(), said.clone()));
        serde_json::from_str(&said).unwrap_or(Value::Null)
    }

    fn text(&mut self, line: &[&str], input: &str, field: &str) -> String {
        let answer = self.run(line, input);
        answer[field].as_str().unwrap_or_else(|| panic!("{line:?}: {answer}")).to_owned()
    }

    fn mnemonic(&self) -> String {
        self.home.mnemonic().unwrap()
    }

    /// `secret` is on standard output in the answers of `commands` alone, and on standard error
    /// never.
    fn holds(&self, secret: &str, commands: &[&str]) {
        assert!(secret.len() >= 8, "no secret: {secret}");
        assert!(!self.stderr.contains(secret), "standard error holds a secret");
        for (command, said) in &self.stdout {
            assert!(
                !said.contains(secret) || commands.contains(&command.as_str()),
                "{command} printed a secret"
            );
        }
    }
}

fn coins_of(token: &str) -> Vec<String> {
    Token::from_str(token).unwrap().token_secrets().iter().map(ToString::to_string).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_way_through_the_wallet_prints_a_secret_it_need_not() {
    let (lightning, mint) = mint_with(MintOptions::default()).await;
    let proxy = Proxy::start(&mint.url()).await.unwrap();
    let url = proxy.url();
    let (mut giver, mut taker) =
        (Watch::new(Home::at([&url]).unwrap()), Watch::new(Home::at([&url]).unwrap()));
    let shop = lightning.payee("shop");

    for one in [&mut giver, &mut taker] {
        let deposit = one.text(&["deposit", "500"], "", "deposit_id");
        assert_eq!(
            one.text(&["get-deposit", &deposit, "--wait-seconds", "30"], "", "state"),
            "received"
        );
    }
    let invoice = shop.invoice(5, "a").unwrap();
    assert_eq!(giver.text(&["pay", &invoice.to_string()], "", "state"), "settled");
    let preimage = lightning.preimage(invoice.payment_hash()).unwrap();
    let token = giver.text(&["send-token", "21", "--memo", "for you"], "", "token");
    let coins = coins_of(&token);
    assert_eq!(taker.text(&["receive-token", "-"], &token, "state"), "received");
    let spent = taker.run(&["receive-token", "-"], &token);
    assert_eq!(spent["replayed"], true);

    // The ways that fail: at the payee, at the mint, in the answer, on its way, of a token that
    // cannot be read.
    let failing = shop.invoice(6, "b").unwrap();
    lightning.set_behaviour_of(failing.payment_hash(), Behaviour::Fail);
    giver.run(&["pay", &failing.to_string()], "");
    for moment in [Moment::Garbage, Moment::Truncate, Moment::Status(500), Moment::Refuse(11_001)] {
        let rule = proxy.fail(Rule::new("POST", "/v1/swap", moment));
        giver.run(&["send-token", "33", "--memo", &format!("{moment:?}")], "");
        let unlucky = giver.run(&["send-token", "8", "--memo", &format!("for {moment:?}")], "");
        proxy.clear();
        let rule_again = proxy.fail(Rule::new("POST", "/v1/swap", moment));
        if let Some(token) = unlucky["token"].as_str() {
            taker.run(&["receive-token", "-"], token);
            coins_of(token).iter().for_each(|coin| giver.holds(coin, &["send-token"]));
            coins_of(token).iter().for_each(|coin| taker.holds(coin, &[]));
        }
        proxy.clear();
        let _ = (proxy.fired(rule), proxy.fired(rule_again));
    }
    let broken = format!("{}x", token.get(..60).unwrap());
    giver.run(&["receive-token", "-"], &broken);
    giver.run(&["pay", "-"], &token);
    giver.run(&["send-token", "5", "--memo", &format!("words: {}", giver.mnemonic())], "");
    for one in [&mut giver, &mut taker] {
        one.run(&["get-balance"], "");
        one.run(&["list-history"], "");
        one.run(&["list-history", "--format", "csv"], "");
        one.run(&["list-mints"], "");
    }

    for one in [&giver, &taker] {
        let keys = secrets::keys(&one.mnemonic()).unwrap();
        keys.iter().for_each(|secret| one.holds(secret, &[]));
        assert!(closed_to_others(one.home.path()).unwrap() >= 3);
        assert!(!one.stderr.contains("cashuA") && !one.stderr.contains("cashuB"));
    }
    giver.holds(&preimage, &["pay"]);
    giver.holds(&token, &["send-token"]);
    taker.holds(&token, &[]);
    for coin in &coins {
        giver.holds(coin, &[]);
        taker.holds(coin, &[]);
    }
    giver.holds(&broken, &[]);
}

#[test]
fn a_new_folder_is_closed_to_others_from_its_first_command() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("deep/er");
    let mut command = program(Path::new(env!("CARGO_BIN_EXE_nutpurse")), &path);
    command.args(["init"]);
    let output = binary::run(command, "");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(closed_to_others(&path).unwrap() > 0);
    let words = secrets::mnemonic(&fs::read_to_string(path.join("keys.toml")).unwrap()).unwrap();
    assert!(!String::from_utf8_lossy(&output.stdout).contains(&words));
}
