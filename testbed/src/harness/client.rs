//! A client of a wallet: it calls tools, whatever carries the call.

use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::{Answer, Holdings, Outcome, fail};
use crate::must;

/// The longest time in which a payment must end once nothing holds it up.
const PATIENCE: Duration = Duration::from_secs(120);

/// A client of a wallet.
#[async_trait]
pub trait Client: Sync {
    /// Calls a tool. `None`: the wallet ended before it answered.
    async fn call(&self, tool: &str, arguments: Value) -> Outcome<Option<Answer>>;

    /// Calls a tool that must answer.
    async fn told(&self, tool: &str, arguments: Value) -> Outcome<Answer> {
        let answer = self.call(tool, arguments).await?;
        Ok(answer.ok_or_else(|| format!("the wallet ended during {tool}"))?)
    }

    /// Calls a tool that must succeed.
    async fn ok(&self, tool: &str, arguments: Value) -> Outcome<Answer> {
        let shown = arguments.to_string();
        let answer = self.told(tool, arguments).await?;
        must!(!answer.is_error, "{tool} {shown}: {answer}");
        Ok(answer)
    }

    /// Calls a tool that must fail with one of these codes and move nothing.
    async fn refuses(&self, tool: &str, arguments: Value, codes: &[&str]) -> Outcome<Answer> {
        let shown: String = arguments.to_string().chars().take(200).collect();
        let told = self.told(tool, arguments).await?;
        must!(
            codes.contains(&told.code()),
            "{tool} {shown} was to be refused with {codes:?}, and answered {told}"
        );
        must!(told.text("money_moved") == "no", "{tool} {shown}: money moved: {told}");
        Ok(told)
    }

    /// Asks for a payment, a token or a receipt.
    async fn payment(&self, id: &str) -> Outcome<Answer> {
        self.ok("get_payment", json!({"payment_id": id})).await
    }

    /// Asks for a payment and waits up to so many seconds for its end.
    async fn payment_within(&self, id: &str, seconds: u64) -> Outcome<Answer> {
        self.ok("get_payment", json!({"payment_id": id, "wait_seconds": seconds})).await
    }

    /// Asks for a deposit and waits up to so many seconds until it is received.
    async fn deposit_within(&self, deposit: &Answer, seconds: u64) -> Outcome<Answer> {
        let id = deposit.text("deposit_id");
        self.ok("get_deposit", json!({"deposit_id": id, "wait_seconds": seconds})).await
    }

    /// Waits until a deposit is received.
    async fn receives(&self, deposit: &Answer) -> Outcome {
        let told = self.deposit_within(deposit, 45).await?;
        must!(told.text("state") == "received", "a deposit was not received: {told}");
        Ok(())
    }

    /// Asks for a payment by its id until it is final.
    async fn ended(&self, id: &str) -> Outcome<Answer> {
        self.ends(json!({"payment_id": id})).await
    }

    /// Asks for a payment by its payment hash until it is final.
    async fn ended_by_hash(&self, hash: &str) -> Outcome<Answer> {
        self.ends(json!({"payment_hash": hash})).await
    }

    /// Asks for the payment that the arguments name until it is final.
    async fn ends(&self, mut which: Value) -> Outcome<Answer> {
        if let Some(which) = which.as_object_mut() {
            which.insert("wait_seconds".to_owned(), json!(2));
        }
        let since = Instant::now();
        loop {
            let told = self.told("get_payment", which.clone()).await?;
            let is_token = told.text("kind") == "token_sent" && told.text("state") != "pending";
            if told.is("final") || is_token {
                return Ok(told);
            }
            must!(since.elapsed() < PATIENCE, "{which} does not end: {told}");
            sleep(Duration::from_millis(if told.is_error { 200 } else { 20 })).await;
        }
    }

    /// Puts sats in by a deposit that pays itself.
    async fn fund(&self, sats: u64) -> Outcome {
        let mut asked = self.told("deposit", json!({"amount_sats": sats})).await?;
        // The wallet limits its rate at each mint, and tells an agent to repeat the request. The
        // testbed's mint refuses while its own database is locked, which passes.
        for _ in 0..10 {
            let is_locked = asked.at("details/untrusted_reason") == "database is locked";
            if asked.text("retry") != "same_request" && !is_locked {
                break;
            }
            sleep(Duration::from_secs(asked.sats("retry_after_seconds").max(1))).await;
            asked = self.told("deposit", json!({"amount_sats": sats})).await?;
        }
        must!(!asked.is_error, "deposit: {asked}");
        self.receives(&asked).await
    }

    /// Asks for the balance, by state.
    async fn holds(&self) -> Outcome<Holdings> {
        Ok(Holdings::of(&self.ok("get_balance", json!({})).await?))
    }

    /// Has the wallet check whether its unclaimed tokens and nutzaps were claimed.
    async fn look_at_tokens(&self) -> Outcome {
        for kind in ["token_sent", "zap"] {
            let mut ask = json!({"kind": kind, "since": "all", "limit": 100});
            loop {
                let page = self.ok("list_history", ask.clone()).await?;
                for entry in page.list("entries") {
                    let is_open = entry.get("claimed") != Some(&json!(true));
                    let id = entry.get("payment_id").or_else(|| entry.get("id"));
                    if let Some(id) = id.and_then(Value::as_str).filter(|_| is_open) {
                        self.payment(id).await?;
                    }
                }
                match (page.at("next_cursor"), ask.as_object_mut()) {
                    (Value::Null, _) | (_, None) => break,
                    (next, Some(ask)) => ask.insert("cursor".to_owned(), next.clone()),
                };
            }
        }
        Ok(())
    }

    /// Hands all but ten of the spendable sats to a friend, whose mint must accept them.
    async fn all_is_good(&self, friend: &dyn Client) -> Outcome {
        let give = self.holds().await?.spendable.saturating_sub(10);
        if give == 0 {
            return Ok(());
        }
        let token =
            self.ok("send_token", json!({"amount_sats": give, "memo": "everything"})).await?;
        let taken = friend.ok("receive_token", json!({"token": token.text("token")})).await?;
        if taken.text("state") == "received" { Ok(()) } else { fail(format!("not taken: {taken}")) }
    }
}
