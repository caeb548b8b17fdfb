//! The words of strangers: each is found where it is called a stranger's, cleaned, and nowhere
//! else.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use testbed::harness::strangers::{canary_in, check, hostile};
use testbed::{Behaviour, Lightning, MintOptions, Moment, Proxy, Rule, TestMint};

use crate::hostile_words::check_terminal;
use crate::pipe::{Outcome, Raw};
use crate::world::{Agent, binary, fund, mint_with};

struct Scene {
    lightning: Lightning,
    _mint: TestMint,
    proxy: Proxy,
    agent: Agent,
    found: Vec<&'static str>,
}

impl Scene {
    async fn of_a_hostile_mint() -> Self {
        let options = MintOptions {
            name: hostile("zqname"),
            description: hostile("zqabout"),
            ..MintOptions::default()
        };
        let (lightning, mint) = mint_with(options).await;
        let proxy = Proxy::start(&mint.url()).await.unwrap();
        proxy.rewrite(|path, mut body| {
            if path == "/v1/info" && body.is_object() {
                body["motd"] = json!(hostile("zqmotd"));
                body["name"] = json!(hostile("zqname"));
                body["description_long"] = json!(hostile("zqabout"));
            }
            if body.get("detail").is_some() {
                body["detail"] = json!(hostile("zqdetail"));
            }
            body
        });
        let agent = Agent::new([proxy.url()]).named("test");
        Self { lightning, _mint: mint, proxy, agent, found: Vec::new() }
    }

    /// Calls a tool; whatever it answers is looked at.
    async fn call(&mut self, tool: &str, arguments: Value) -> Value {
        let answer = match self.agent.call(tool, arguments).await {
            Ok(answer) => answer,
            Err(error) => {
                assert!(
                    canary_in(&error.to_string()).is_none()
                        && canary_in(&error.next_step).is_none(),
                    "{error}"
                );
                serde_json::to_value(error).unwrap()
            }
        };
        check(&answer, tool, &mut self.found).unwrap();
        answer
    }

    fn saw(&self, canaries: &[&str]) {
        for canary in canaries {
            assert!(
                self.found.contains(canary),
                "{canary} was not shown at all: the test looks past it"
            );
        }
    }
}

fn token_of(url: &str) -> String {
    let coin = json!({"amount": 8, "id": "009a1f293253e41e", "secret": "a", "C": "02bc9097997d81afb2cc7346b5e4345a9346bd2a506eb7958598a72f0cf85163ea"});
    let body = json!({"token": [{"mint": url, "proofs": [coin]}], "unit": hostile("zqunit"), "memo": hostile("zqmemo")});
    format!("cashuA{}", URL_SAFE_NO_PAD.encode(body.to_string()))
}

/// Everything that a stranger can say, said, and everything that shows it, called.
async fn story(scene: &mut Scene) {
    fund(&scene.agent, 1_000).await;
    let shop = scene.lightning.payee("shop");
    let invoice = shop.invoice(5, &hostile("zqinvoice")).unwrap().to_string();
    let failing = shop.invoice(7, &hostile("zqinvoice")).unwrap();
    scene.lightning.set_behaviour_of(failing.payment_hash(), Behaviour::Fail);
    scene.call("estimate", json!({"to": invoice})).await;
    let paid = scene.call("pay", json!({"to": invoice})).await;
    assert_eq!(paid["state"], "settled", "{paid}");
    let refused = scene.call("pay", json!({"to": failing.to_string()})).await;
    assert!(refused["error"].is_string(), "{refused}");
    scene.call("get_payment", json!({"payment_hash": failing.payment_hash().to_string()})).await;
    scene.call("deposit", json!({"amount_sats": 3_000_000})).await;
    scene.call("deposit", json!({"amount_sats": 5, "description": hostile("zqown")})).await;
    let url = scene.proxy.url();
    for address in
        [url.clone(), format!("https://zqurl.example/{}", hostile("zqurl")), hostile("zqurl")]
    {
        scene.call("receive_token", json!({"token": token_of(&address)})).await;
    }
    let giver = Agent::new([&url]);
    fund(&giver, 100).await;
    let gift = giver.ok("send_token", json!({"amount_sats": 8, "memo": hostile("zqmemo")})).await;
    let received = scene.call("receive_token", json!({"token": gift["token"]})).await;
    assert_eq!(received["state"], "received", "{received}");
    scene.call("get_payment", json!({"payment_id": received["receive_id"]})).await;
    let rule = scene.proxy.fail(Rule::new("POST", "/v1/swap", Moment::Status(400)));
    scene.call("send_token", json!({"amount_sats": 77, "memo": hostile("zqown")})).await;
    scene.proxy.clear();
    let _fired = scene.proxy.fired(rule);
    for (tool, arguments) in reads() {
        scene.call(tool, arguments).await;
    }
}

fn reads() -> Vec<(&'static str, Value)> {
    let mut reads = vec![
        ("get_balance", json!({})),
        ("list_mints", json!({})),
        ("get_deposit", json!({})),
        ("list_history", json!({})),
    ];
    for by in ["none", "day", "kind", "mint", "payee", "agent"] {
        for format in ["json", "csv"] {
            reads.push(("list_history", json!({"summary_by": by, "format": format})));
        }
    }
    reads
}

#[tokio::test]
async fn no_tool_says_a_strangers_words_as_its_own() {
    let mut scene = Scene::of_a_hostile_mint().await;
    story(&mut scene).await;
    scene.saw(&["zqname", "zqdetail", "zqinvoice", "zqmemo", "zqurl", "zqown"]);
}

#[tokio::test]
async fn no_session_resource_or_note_says_them_either() -> Outcome {
    let mut scene = Scene::of_a_hostile_mint().await;
    story(&mut scene).await;
    scene.found.clear();
    scene.proxy.set_delay(Duration::from_millis(50));
    let mut raw = Raw::initialized(scene.agent.source()).await?;
    let mut asked =
        vec![json!({"method": "resources/read", "params": {"uri": "wallet://balance"}})];
    asked.push(json!({"method": "resources/read", "params": {"uri": "wallet://history"}}));
    asked.push(json!({"method": "resources/list"}));
    asked.push(json!({"method": "prompts/get", "params": {"name": "review_spending"}}));
    for (tool, arguments) in reads() {
        asked.push(json!({"method": "tools/call", "params": {"name": tool, "arguments": arguments, "_meta": {"progressToken": "p"}}}));
    }
    for (number, mut request) in asked.into_iter().enumerate() {
        request["jsonrpc"] = json!("2.0");
        request["id"] = json!(number + 100);
        let mut answer = raw.ask(request.to_string()).await?;
        while answer["method"] == "notifications/progress" {
            check(&answer, "progress", &mut scene.found).unwrap();
            answer = raw.next().await?;
        }
        assert_eq!(answer["id"], number + 100, "{answer}");
        check(&answer, &request.to_string(), &mut scene.found).unwrap();
    }
    scene.saw(&["zqname", "zqinvoice", "zqmemo"]);
    raw.hang_up().await
}

#[tokio::test]
async fn no_table_or_line_on_a_terminal_says_them_either() {
    let mut scene = Scene::of_a_hostile_mint().await;
    story(&mut scene).await;
    let shop = scene.lightning.payee("shop");
    let good = shop.invoice(6, &hostile("zqinvoice")).unwrap().to_string();
    let failing = shop.invoice(9, &hostile("zqinvoice")).unwrap();
    scene.lightning.set_behaviour_of(failing.payment_hash(), Behaviour::Fail);
    let failing = failing.to_string();
    let Scene { agent, mut found, .. } = scene;
    found.clear();
    let home = agent.close().await;
    let foreign = token_of("https://zqurl.example/zqurl");
    let found = tokio::task::spawn_blocking(move || {
        let mut lines: Vec<Vec<&str>> = vec![
            vec!["get-balance"],
            vec!["list-mints"],
            vec!["list-history"],
            vec!["list-history", "--format", "csv"],
            vec!["get-deposit"],
            vec!["list-history", "--summary-by", "payee"],
            vec!["list-history", "--summary-by", "mint"],
            vec!["estimate", &good],
            vec!["pay", &good],
            vec!["pay", &failing],
            vec!["receive-token", &foreign],
            vec!["deposit", "3000000"],
            vec!["mints", "list"],
        ];
        lines.push(vec!["list-history", "--limit", "2"]);
        for line in lines {
            let mut command = binary::binary(&home);
            command.arg("--agent").arg("test").args(&line).env("NUTPURSE_LOG", "trace");
            let output = binary::run(command, "");
            check_terminal(&String::from_utf8(output.stdout).unwrap(), &mut found);
            let told = String::from_utf8(output.stderr).unwrap();
            check_terminal(&told, &mut found);
        }
        found
    })
    .await
    .unwrap();
    for canary in ["zqname", "zqdetail", "zqinvoice", "zqmemo", "zqurl"] {
        assert!(found.contains(&canary), "{canary} was not shown at all");
    }
}

#[tokio::test]
async fn a_mint_whose_names_for_things_are_hostile_gets_no_further() {
    let mut scene = Scene::of_a_hostile_mint().await;
    fund(&scene.agent, 100).await;
    let invoice = scene.lightning.payee("shop").invoice(5, "a").unwrap().to_string();
    scene.proxy.rewrite(|path, mut body| {
        if path.contains("/quote/") && body.get("quote").is_some() {
            body["quote"] = json!(hostile("zqquote"));
            body["unit"] = json!(hostile("zqunit"));
        }
        if path == "/v1/keysets" && body.get("keysets").is_some() {
            let stranger = json!({"id": "00aabbccddeeff00", "unit": hostile("zqunit"), "active": true, "input_fee_ppk": 0});
            if let Some(keysets) = body["keysets"].as_array_mut() {
                keysets.push(stranger);
            }
        }
        body
    });
    scene.agent.wallet().await.refresh_mints().await;
    for (tool, arguments) in [
        ("deposit", json!({"amount_sats": 9})),
        ("estimate", json!({"to": invoice})),
        ("pay", json!({"to": invoice})),
    ] {
        scene.call(tool, arguments).await;
    }
    for (tool, arguments) in reads() {
        scene.call(tool, arguments).await;
    }
    scene.proxy.stop_rewriting();
    let balance = scene.call("get_balance", json!({})).await;
    assert!(
        balance["spendable_sats"].as_u64().unwrap() + balance["pending_sats"].as_u64().unwrap()
            >= 95,
        "{balance}"
    );
}

#[tokio::test]
async fn an_invoice_that_a_mint_wrote_strangely_is_shown_as_it_was_read() {
    let mut scene = Scene::of_a_hostile_mint().await;
    scene.proxy.rewrite(|path, mut body| {
        if path == "/v1/mint/quote/bolt11"
            && let Some(request) = body["request"].as_str()
        {
            body["request"] =
                json!(format!("\u{2028}\u{85} LIGHTNING:{}\r\n\u{b}", request.to_uppercase()));
        }
        body
    });
    let deposit = scene.call("deposit", json!({"amount_sats": 9})).await;
    assert!(deposit["bolt11"].as_str().is_none_or(|text| text.starts_with("lnbc")), "{deposit}");
    assert!(deposit["bolt11"].is_string() || deposit["error"].is_string(), "{deposit}");
}
