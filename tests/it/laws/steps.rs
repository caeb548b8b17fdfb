//! How a run does what its plan says.

use std::time::Duration;

use futures::future::join_all;
use nutpurse::testing::api::{Code, MoneyMoved};
use nutpurse::testing::config::edit::Edit;
use nutpurse::testing::policy::SomeLimits;
use serde_json::{Value, json};
use testbed::harness::NOBODY;
use testbed::{Behaviour, Rule};

use super::plan::{Group, Step};
use super::scene::{Given, Scene};
use crate::world::{Child, Failure, owned};

/// No call may take longer: 45 s are promised, the rest is a busy machine's.
const LONGEST: Duration = Duration::from_secs(55);

/// A call that a step makes.
struct Call {
    tool: &'static str,
    arguments: Value,
    /// The payment hash, where it pays one.
    hash: Option<String>,
}

impl Call {
    fn of(tool: &'static str, arguments: Value) -> Option<Self> {
        Some(Self { tool, arguments, hash: None })
    }
}

impl Scene {
    pub(super) async fn perform(&mut self, group: &Group) {
        for fault in &group.faults {
            let (mint, (method, path)) = (fault.mint, fault.route);
            self.log.note(format!("  fault at {mint}: {method} {path} {:?}", fault.at));
            self.mints[mint].1.fail(Rule::new(method, path, fault.at));
        }
        if let [step] = group.steps.as_slice()
            && self.alone(step).await
        {
            return;
        }
        let this = &*self;
        let calls = group.steps.iter().map(|step| async move {
            if let Some(call) = this.call_of(step).await {
                this.make(call).await;
            }
        });
        join_all(calls).await;
        self.note_failures().await;
        let balance = self.agent.ok("get_balance", json!({})).await;
        self.log.note(format!(
            "  holds {} + {} + {}",
            balance["spendable_sats"], balance["pending_sats"], balance["unclaimed_sats"]
        ));
    }

    /// What is no call of the wallet's, or its end. `false`: it is a call.
    async fn alone(&mut self, step: &Step) -> bool {
        if !matches!(step, Step::Kill { .. }) {
            self.log.note(format!("{step:?}"));
        }
        match step {
            Step::Pause(paused) => {
                Edit::paused(&owned(&self.home), *paused).unwrap().commit(true).unwrap()
            }
            Step::LowerLimit => {
                let per_day_sats = Some(self.per_day / 2);
                let change = SomeLimits { per_day_sats, ..SomeLimits::default() };
                Edit::limits(&owned(&self.home), &change).unwrap().commit(false).unwrap();
            }
            Step::Rotate { mint, fee_ppk } => {
                self.mints[*mint].0.rotate_keyset(*fee_ppk).await.unwrap()
            }
            Step::Jump(seconds) => self.jump(*seconds).await,
            Step::Reopen => {
                self.close().await;
                self.open().await;
            }
            Step::Kill { work, nth, at } => {
                self.log.note(format!("kill at exchange {nth}, {at:?}, in:"));
                if let Some(call) = self.call_of(work).await {
                    self.kill(call, *nth, *at).await;
                }
            }
            Step::Deliver => self.deliver().await,
            Step::Arrive(arrive) => self.end_payments(*arrive),
            _ => return false,
        }
        true
    }

    pub(super) async fn deliver(&self) {
        // A payee that held a payment would hold the mint's answer to what is delivered now.
        let way = if self.arrive { Behaviour::Settle } else { Behaviour::Fail };
        self.made().held.iter().for_each(|hash| self.lightning.set_behaviour_of(hash, way));
        for (_, proxy) in &self.mints {
            if let Ok(told) = proxy.deliver().await
                && !told.is_empty()
            {
                self.log.note(format!("  delivered late: {told:?}").chars().take(300).collect());
            }
        }
    }

    pub(super) fn end_payments(&self, arrive: bool) {
        for hash in self.lightning.pending() {
            if arrive { self.lightning.settle(hash) } else { self.lightning.fail(hash) }
        }
    }

    /// The call of a step; makes what it needs of others. `None`: there is nothing to do it with.
    async fn call_of(&self, step: &Step) -> Option<Call> {
        let key = |key: &Option<u8>| key.map(|key| format!("key {key}"));
        match step {
            Step::Deposit { sats } => Call::of("deposit", json!({"amount_sats": sats})),
            Step::Pay { sats, way, key: with } => {
                let invoice = self.shop.invoice(*sats, "a thing").unwrap();
                if *way != Behaviour::Settle {
                    self.lightning.set_behaviour_of(invoice.payment_hash(), *way);
                }
                if *way == Behaviour::Pending {
                    self.made().held.insert(invoice.payment_hash().to_string());
                }
                self.pay_call(invoice, key(with))
            }
            Step::PayAgain { which, key: with } => {
                let invoice = pick(&self.made().invoices, *which)?;
                self.pay_call(invoice, key(with))
            }
            Step::PayFriend { sats } => {
                let deposit =
                    self.friend.call("deposit", json!({"amount_sats": sats})).await.ok()?;
                self.pay_call(deposit["bolt11"].as_str()?.parse().ok()?, None)
            }
            Step::Send { sats, locked, key: with } => Call::of(
                "send_token",
                json!({"amount_sats": sats, "lock_to": locked.then_some(NOBODY), "idempotency_key": key(with)}),
            ),
            Step::ReceiveOwn { which } => {
                let token = pick(&self.made().given, *which)?.token;
                Call::of("receive_token", json!({"token": token}))
            }
            Step::FriendTakes { which } => {
                let token = pick(&self.made().given, *which)?.token;
                let told = self.friend.call("receive_token", json!({"token": token})).await;
                self.log.note(format!("the friend takes a token: {}", said(&told)));
                None
            }
            Step::ReceiveFriends { sats } => {
                let sent =
                    self.friend.call("send_token", json!({"amount_sats": sats})).await.ok()?;
                let token = sent.get("token")?.clone();
                self.made().taken.push(token.clone());
                Call::of("receive_token", json!({"token": token}))
            }
            Step::ReceiveAgain { which } => {
                let token = pick(&self.made().taken, *which)?;
                Call::of("receive_token", json!({"token": token}))
            }
            Step::Reclaim { which } => {
                let id = pick(&self.made().given, *which)?.id;
                Call::of("reclaim_token", json!({"payment_id": id}))
            }
            Step::Look { which } => {
                let invoice = pick(&self.made().invoices, *which)?;
                Call::of("get_payment", json!({"payment_hash": invoice.payment_hash().to_string()}))
            }
            Step::Estimate { sats } => {
                let invoice = self.shop.invoice(*sats, "perhaps").unwrap();
                Call::of("estimate", json!({"to": invoice.to_string()}))
            }
            _ => None,
        }
    }

    fn pay_call(&self, invoice: testbed::Bolt11Invoice, key: Option<String>) -> Option<Call> {
        let hash = invoice.payment_hash().to_string();
        let arguments = json!({"to": invoice.to_string(), "idempotency_key": key});
        let mut made = self.made();
        if let Some(key) = key {
            made.keyed.entry(key).or_default().push(hash.clone());
        } else {
            made.keyless.insert(hash.clone());
        }
        made.invoices.push(invoice);
        Some(Call { tool: "pay", arguments, hash: Some(hash) })
    }

    async fn make(&self, call: Call) {
        let mut asked = self.agent.start(call.tool, call.arguments.clone());
        let told = tokio::select! {
            told = tokio::time::timeout(LONGEST, &mut asked) => told,
            () = self.on_its_way(call.hash.as_deref()) => {
                self.log.note(format!("{} {}: its payee holds it", call.tool, call.hash.unwrap_or_default()));
                return self.made().waiting.push(asked);
            }
        };
        let told = told
            .unwrap_or_else(|_| panic!("{} {} takes longer than 45 s", call.tool, call.arguments))
            .unwrap();
        let shown: String = call.arguments.to_string().chars().take(60).collect();
        let hash = call.hash.as_deref().unwrap_or_default();
        self.log.note(format!("{} {shown} {hash}: {}", call.tool, said(&told)));
        match told {
            Ok(told) => self.heard(call.tool, &told),
            Err(error) => {
                assert_ne!(error.code, Code::Internal, "{error}");
                assert_ne!(
                    error.money_moved,
                    MoneyMoved::Unknown,
                    "{} {}: {error}",
                    call.tool,
                    call.arguments
                );
                let other = matches!(error.code, Code::KeyConflict | Code::PossibleDuplicate);
                if let Some(hash) = call.hash.filter(|_| !other) {
                    self.made().refused.push(hash);
                }
            }
        }
    }

    /// Returns once a payment that its payee holds is on its way; of others, never.
    async fn on_its_way(&self, hash: Option<&str>) {
        match hash.filter(|hash| self.made().held.contains(*hash)) {
            Some(hash) => self.lightning.attempted(hash).await,
            None => std::future::pending().await,
        }
    }

    /// Notes what can be used later, and pays a deposit's invoice.
    fn heard(&self, tool: &str, told: &Value) {
        match tool {
            "deposit" => self
                .lightning
                .pay(&told["bolt11"].as_str().unwrap().parse().unwrap())
                .unwrap_or_default(),
            "send_token" if told["token"].is_string() => {
                self.made()
                    .given
                    .push(Given { id: told["payment_id"].clone(), token: told["token"].clone() });
            }
            _ => {}
        }
    }

    /// A payment that was answered to have failed, and that the wallet shows as failed: none of its
    /// quotes may ever be paid.
    async fn note_failures(&self) {
        let refused = std::mem::take(&mut self.made().refused);
        for hash in refused {
            let shown = self.agent.call("get_payment", json!({"payment_hash": hash})).await;
            let failed = match &shown {
                Ok(shown) => shown["state"] == "failed",
                Err(error) => error.code == Code::NotFound,
            };
            if failed {
                for melt in self.melts().into_iter().filter(|melt| melt.payment_hash == hash) {
                    self.made().failed.push((melt.quote_id, hash.clone()));
                }
            }
        }
    }

    /// Every payment that the mints made.
    pub(super) fn paid(&self) -> Vec<testbed::Melt> {
        self.mints.iter().flat_map(|(mint, _)| mint.auditor().paid().unwrap()).collect()
    }

    /// Every payment that the mints were asked for.
    pub(super) fn melts(&self) -> Vec<testbed::Melt> {
        self.mints.iter().flat_map(|(mint, _)| mint.auditor().melts().unwrap()).collect()
    }

    /// The real program takes the wallet over, is called, and dies.
    async fn kill(&mut self, call: Call, nth: usize, at: testbed::Moment) {
        self.close().await;
        let child = Child::alone(&self.home).await;
        for (_, proxy) in &self.mints {
            proxy.fail(Rule::new("", "/v1/", at).nth(nth).then(child.killer()));
        }
        let told = tokio::select! {
            told = child.call(call.tool, call.arguments.clone()) => told,
            () = self.on_its_way(call.hash.as_deref()) => None,
        };
        let hash = call.hash.unwrap_or_default();
        let told = told.map(|told| told.to_string().chars().take(160).collect::<String>());
        self.log.note(format!("  {} {hash}: {told:?}", call.tool));
        child.killer()();
        child.gone().await;
        self.open().await;
    }
}

fn pick<T: Clone>(all: &[T], which: usize) -> Option<T> {
    all.get(which.checked_rem(all.len())?).cloned()
}

fn said(told: &Result<Value, Failure>) -> String {
    match told {
        Ok(told) => format!("{} {} {}", told["state"], told["payment_id"], told["replayed"]),
        Err(error) => format!("{} {error}", error.code.as_str()),
    }
}
