//! What relays are told over a wallet's whole life, byte for byte: nothing of it says in clear what
//! anybody could spend, link or read.

use std::collections::BTreeSet;
use std::str::FromStr;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bip39::Mnemonic;
use cdk_common::nuts::Token;
use nutpurse::testing::store::Store;
use serde_json::{Value, json};
use testbed::harness::secrets;
use testbed::{LnurlServer, Relay};

use super::by_hand::me;
use super::{KEY, device, sync};
use crate::world::{Agent, Home, Settings, fund, mint};

const COMMENT: &str = "three kilos of saffron for the canary";
const MEMO: &str = "a memo that nobody shall read";

/// What must not be said, each in every form in which it might be.
#[derive(Default)]
struct Canaries(BTreeSet<Vec<u8>>);

impl Canaries {
    fn text(&mut self, text: &str) {
        assert!(text.len() >= 8, "{text} is no canary");
        self.0.insert(text.as_bytes().to_vec());
        // Inside of a JSON text that is inside of a JSON text.
        self.0.insert(json!(text).to_string().trim_matches('"').as_bytes().to_vec());
        for engine in [&STANDARD, &URL_SAFE_NO_PAD] {
            // What stands at other places of a longer text begins one or two bytes later.
            for skip in 0..3 {
                let coded = engine.encode(text.as_bytes().get(skip..).unwrap());
                let coded = coded.as_bytes().get(..coded.len() - 4).unwrap();
                // What is shorter may stand in what is sealed by chance.
                self.0.extend((coded.len() >= 8).then(|| coded.to_vec()));
            }
        }
    }

    fn bytes(&mut self, bytes: &[u8]) {
        let hex = hex::encode(bytes);
        self.text(&hex);
        self.0.insert(hex.to_uppercase().into_bytes());
        self.0.insert(bytes.to_vec());
        self.0.insert(STANDARD.encode(bytes).trim_end_matches('=').as_bytes().to_vec());
        self.0.insert(URL_SAFE_NO_PAD.encode(bytes).into_bytes());
    }

    /// A text of hex, as that and as its bytes.
    fn hex(&mut self, hex: &str) {
        self.text(hex);
        hex::decode(hex).iter().for_each(|bytes| self.bytes(bytes));
    }

    /// The words of a home, and the coins in its store.
    async fn home(&mut self, home: &Arc<Home>) {
        let words = home.mnemonic().unwrap();
        secrets::runs(&words).iter().for_each(|three| self.text(three));
        self.bytes(
            Mnemonic::parse_normalized(&words).unwrap().to_seed_normalized("").get(..32).unwrap(),
        );
        let store = Store::open(home.path().join("wallet.redb"), || 1_800_000_000).await.unwrap();
        for coin in store.proofs_in(None).await.unwrap() {
            self.coin(&coin.proof.secret.to_string(), &coin.proof.c.to_hex());
            self.hex(&coin.y.to_hex());
        }
    }

    fn coin(&mut self, secret: &str, c: &str) {
        self.hex(secret);
        self.hex(c);
    }

    /// None of them is in what was said.
    fn silent(&self, said: &[u8]) {
        for canary in &self.0 {
            let found = said.windows(canary.len()).position(|window| window == canary);
            assert!(found.is_none(), "relays heard {}", String::from_utf8_lossy(canary));
        }
    }
}

/// Words that nobody says who seals what they are about.
const WORDS: [&str; 8] =
    ["\"amount\"", "\"secret\"", "\"proofs\"", "\"C\"", "privkey", "cashuA", "cashuB", "direction"];

/// The public tags of a kind, by their names, as far as the format wants them.
fn may_say(kind: u64) -> &'static [&'static str] {
    match kind {
        5 => &["e", "k"],
        10_019 => &["relay", "mint", "pubkey"],
        30_078 => &["d"],
        _ => &[],
    }
}

#[tokio::test]
async fn relays_are_told_nothing_in_clear_over_a_wallets_whole_life() {
    let (lightning, mint) = mint().await;
    let relay = Relay::start().await.unwrap();
    let server = LnurlServer::start(&lightning).await.unwrap();
    let home = || {
        Home::new(&Settings::at([mint.url()]).relays([relay.url()]).allow([server.url()])).unwrap()
    };
    let (a, b) = (Agent::with_nsec(home(), KEY), device(&mint, &[relay.url()], KEY));
    let peer = Agent::new([mint.url()]);
    let mut canaries = Canaries::default();
    let deposit = a
        .ok("deposit", json!({"amount_sats": 700, "description": "a deposit of the canary"}))
        .await;
    a.deposit_within(&deposit["deposit_id"], 30).await;
    fund(&peer, 90).await;
    sync(&a).await;
    let address = server.address("somebody");
    let paid = a.ok("pay", json!({"to": address, "amount_sats": 33, "comment": COMMENT})).await;
    canaries.text(&address);
    let shop = lightning.payee("shop");
    let invoice = shop.invoice(44, "birdseed for the canary").unwrap();
    let bought = a.ok("pay", json!({"to": invoice.to_string()})).await;
    sync(&a).await;
    let kept = a.ok("send_token", json!({"amount_sats": 25, "memo": MEMO})).await;
    let claimed = a.ok("send_token", json!({"amount_sats": 17, "memo": MEMO})).await;
    peer.ok("receive_token", json!({"token": claimed["token"]})).await;
    let gift = peer
        .ok("send_token", json!({"amount_sats": 41, "memo": "from the peer of the canary"}))
        .await;
    a.ok("receive_token", json!({"token": gift["token"]})).await;
    sync(&a).await;
    a.ok("reclaim_token", json!({"payment_id": kept["payment_id"]})).await;
    sync(&a).await;
    sync(&b).await;
    let by_b = b.ok("pay", json!({"to": shop.invoice(9, "more of it").unwrap().to_string()})).await;
    for agent in [&b, &a, &b] {
        sync(agent).await;
    }
    for answer in [&paid, &bought, &by_b] {
        assert_eq!(answer["state"], "settled", "{answer}");
        canaries.hex(answer["payment_hash"].as_str().unwrap());
        canaries.hex(answer["preimage"].as_str().unwrap());
        canaries.text(answer["payment_id"].as_str().unwrap());
    }
    canaries.text(&invoice.to_string());
    canaries.text(deposit["deposit_id"].as_str().unwrap());
    canaries.text(deposit["bolt11"].as_str().unwrap());
    for token in [&kept, &claimed, &gift] {
        let text = token["token"].as_str().unwrap();
        canaries.text(text);
        Token::from_str(text)
            .unwrap()
            .token_secrets()
            .iter()
            .for_each(|secret| canaries.hex(&secret.to_string()));
    }
    for note in [
        COMMENT,
        MEMO,
        "a deposit of the canary",
        "birdseed for the canary",
        "from the peer of the canary",
        "somebody@",
    ] {
        canaries.text(note);
    }
    let auditor = mint.auditor();
    for (secret, c) in auditor.spent_coins().unwrap() {
        canaries.coin(&secret, &c);
    }
    auditor.melts().unwrap().iter().for_each(|melt| canaries.text(&melt.quote_id));
    auditor.deposits().unwrap().iter().for_each(|quote| canaries.text(quote));
    canaries.hex(KEY);
    canaries.text(me().nsec().reveal());
    for agent in [a, b, peer] {
        canaries.home(&agent.close().await).await;
    }
    let said = relay.heard();
    println!(
        "{} canaries in {} bytes of {} messages",
        canaries.0.len(),
        said.len(),
        relay.frames()
    );
    assert!(canaries.0.len() > 500 && said.len() > 20_000);
    canaries.silent(&said);
    let (mut kinds, mut names) = (BTreeSet::new(), 0);
    for line in said.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let message: Value = serde_json::from_slice(line).unwrap();
        if message[0] != "EVENT" {
            let text = message.to_string();
            // Nutzaps are asked for by the mints that the public list names.
            let may_name_mints = message[2]["kinds"] == json!([9321]);
            assert!(
                (may_name_mints || !text.contains(&mint.url()))
                    && (message[0] == "REQ" || message[0] == "CLOSE"),
                "{text}"
            );
            continue;
        }
        let event = &message[1];
        let kind = event["kind"].as_u64().unwrap();
        kinds.insert(kind);
        let text = event.to_string();
        assert!(
            WORDS
                .iter()
                .all(|word| !text.contains(word) && !text.contains(&word.replace('"', "\\\""))),
            "{text}"
        );
        assert_eq!(text.contains(&mint.url()), kind == 10_019, "{text}");
        for tag in event["tags"].as_array().unwrap() {
            names += 1;
            assert!(may_say(kind).contains(&tag[0].as_str().unwrap()), "{text}");
            assert!(kind != 5 || tag[0] == "e" || tag[1] == "7375", "{text}");
        }
        let sealed = event["content"].as_str().unwrap();
        let open = kind == 5 || kind == 10_019;
        let of_another_key = event["tags"][0][1] == "mint-list";
        assert!(
            if open { sealed.is_empty() } else { of_another_key || me().decrypt(sealed).is_some() },
            "{text}"
        );
    }
    assert_eq!(kinds.into_iter().collect::<Vec<_>>(), [5, 375, 7375, 7376, 10_019, 17_375, 30_078]);
    println!("{names} public tags");
}
