//! A small honest mint: it signs, checks its signatures, and knows every invoice that it is asked
//! to pay.
//!
//! Deposits are paid as soon as their state is queried. Its keys are the same in every run.

use std::collections::{BTreeMap, HashMap, HashSet};

use cdk_common::Amount;
use cdk_common::bitcoin::hashes::{Hash, sha256};
use cdk_common::bitcoin::secp256k1::{Secp256k1, SecretKey as NodeKey};
use cdk_common::dhke::{hash_to_curve, sign_message, verify_message};
use cdk_common::nuts::{BlindSignature, BlindedMessage, Id, Keys, Proof, PublicKey, SecretKey};
use lightning_invoice::{Currency, InvoiceBuilder, PaymentSecret};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::purse::now;

const SIZES: u32 = 16;
const FEE_PPK: u64 = 100;
const RESERVE: u64 = 2;
const INVOICES_LAST: u64 = 3_600;

/// An error code of the NUTs' list.
pub(super) type Refusal = u16;

struct MintQuote {
    invoice: String,
    amount: u64,
    issued: bool,
}

struct MeltQuote {
    invoice: String,
    amount: u64,
    preimage: String,
    paid: Option<Vec<BlindSignature>>,
}

/// A small honest mint.
pub(super) struct SmallMint {
    keys: BTreeMap<u64, SecretKey>,
    id: Id,
    deposits: HashMap<String, MintQuote>,
    melts: HashMap<String, MeltQuote>,
    signed: HashMap<PublicKey, BlindSignature>,
    spent: HashSet<PublicKey>,
    /// Amount and preimage of each payee's invoice that it made.
    invoices: HashMap<String, (u64, [u8; 32])>,
}

impl SmallMint {
    pub(super) fn new() -> Self {
        let keys: BTreeMap<u64, SecretKey> =
            (0..SIZES).map(|size| (1 << size, key(size + 1))).collect();
        let public = Keys::new(
            keys.iter().map(|(amount, key)| (Amount::from(*amount), key.public_key())).collect(),
        );
        let id = Id::v1_from_keys(&public);
        let (deposits, melts) = (HashMap::new(), HashMap::new());
        Self {
            keys,
            id,
            deposits,
            melts,
            signed: HashMap::new(),
            spent: HashSet::new(),
            invoices: HashMap::new(),
        }
    }

    /// Makes an invoice of a payee that this mint can pay.
    pub(super) fn invoice(&mut self, sats: u64) -> String {
        let preimage =
            sha256::Hash::hash(&(self.invoices.len() as u64).to_be_bytes()).to_byte_array();
        let built = InvoiceBuilder::new(Currency::Bitcoin)
            .description("a thing".to_owned())
            .payment_hash(sha256::Hash::hash(&preimage))
            .payment_secret(PaymentSecret([9; 32]))
            .duration_since_epoch(std::time::Duration::from_secs(now()))
            .expiry_time(std::time::Duration::from_secs(INVOICES_LAST))
            .min_final_cltv_expiry_delta(144)
            .amount_milli_satoshis(sats * 1_000);
        let node = NodeKey::from_slice(&[5; 32]).unwrap();
        let invoice = built
            .build_signed(|hash| Secp256k1::signing_only().sign_ecdsa_recoverable(hash, &node))
            .unwrap()
            .to_string();
        self.invoices.insert(invoice.clone(), (sats, preimage));
        invoice
    }

    /// Returns `true` if this mint has signed the proof.
    pub(super) fn has_signed(&self, proof: &Proof) -> bool {
        let key = self.keys.get(&proof.amount.to_u64());
        proof.keyset_id == self.id
            && key.is_some_and(|key| verify_message(key, proof.c, proof.secret.as_bytes()).is_ok())
    }

    /// Returns `true` if the proof was spent here.
    pub(super) fn has_spent(&self, proof: &Proof) -> bool {
        proof.y().is_ok_and(|y| self.spent.contains(&y))
    }

    /// Answers a request.
    pub(super) fn answer(&mut self, path: &str, body: &Value) -> Result<Value, Refusal> {
        let path = path.trim_start_matches('/').trim_start_matches("v1/");
        match path.split('/').collect::<Vec<_>>().as_slice() {
            ["info"] => Ok(json!({
                "name": "Small Mint", "version": "small/1",
                "nuts": {
                    "4": {"methods": [{"method": "bolt11", "unit": "sat", "min_amount": 1, "max_amount": 60_000}], "disabled": false},
                    "5": {"methods": [{"method": "bolt11", "unit": "sat", "min_amount": 1, "max_amount": 60_000}], "disabled": false},
                    "7": {"supported": true}, "8": {"supported": true}, "9": {"supported": true}, "11": {"supported": true},
                    "12": {"supported": true}, "20": {"supported": true},
                },
            })),
            ["keysets"] => Ok(
                json!({"keysets": [{"id": self.id, "unit": "sat", "active": true, "input_fee_ppk": FEE_PPK}]}),
            ),
            ["keys"] | ["keys", _] => {
                let keys: serde_json::Map<_, _> = self
                    .keys
                    .iter()
                    .map(|(amount, key)| (amount.to_string(), json!(key.public_key())))
                    .collect();
                Ok(
                    json!({"keysets": [{"id": self.id, "unit": "sat", "active": true, "input_fee_ppk": FEE_PPK, "keys": keys}]}),
                )
            }
            ["mint", "quote", "bolt11"] => self.open_deposit(body),
            ["mint", "quote", "bolt11", id] => {
                Ok(self.show_deposit(id, self.deposits.get(*id).ok_or(20_000_u16)?))
            }
            ["mint", "bolt11"] => self.issue(body),
            ["melt", "quote", "bolt11"] => self.open_melt(body),
            ["melt", "quote", "bolt11", id] => {
                Ok(self.show_melt(id, self.melts.get(*id).ok_or(20_000_u16)?))
            }
            ["melt", "bolt11"] => self.melt(body),
            ["swap"] => self.swap(body),
            ["checkstate"] => {
                let ys: Vec<PublicKey> = read(body, "Ys")?;
                let state =
                    |y: &PublicKey| if self.spent.contains(y) { "SPENT" } else { "UNSPENT" };
                Ok(
                    json!({"states": ys.iter().map(|y| json!({"Y": y, "state": state(y)})).collect::<Vec<_>>()}),
                )
            }
            ["restore"] => {
                let outputs: Vec<BlindedMessage> = read(body, "outputs")?;
                let known: Vec<_> = outputs
                    .into_iter()
                    .filter_map(|one| {
                        self.signed.get(&one.blinded_secret).map(|signature| (one, signature))
                    })
                    .collect();
                let (outputs, signatures): (Vec<_>, Vec<_>) = known.into_iter().unzip();
                Ok(json!({"outputs": outputs, "signatures": signatures}))
            }
            _ => Err(0),
        }
    }

    fn open_deposit(&mut self, body: &Value) -> Result<Value, Refusal> {
        let amount = body["amount"]
            .as_u64()
            .filter(|amount| (1..60_000).contains(amount))
            .ok_or(11_006_u16)?;
        let id = format!("deposit-{}", self.deposits.len());
        let invoice = self.invoice(amount);
        self.deposits.insert(id.clone(), MintQuote { invoice, amount, issued: false });
        let mut shown = self.show_deposit(&id, &self.deposits[&id]);
        shown["state"] = json!("UNPAID");
        shown["pubkey"] = body["pubkey"].clone();
        Ok(shown)
    }

    fn show_deposit(&self, id: &str, quote: &MintQuote) -> Value {
        let state = if quote.issued { "ISSUED" } else { "PAID" };
        json!({"quote": id, "request": quote.invoice, "amount": quote.amount, "unit": "sat", "state": state, "expiry": now() + INVOICES_LAST})
    }

    fn issue(&mut self, body: &Value) -> Result<Value, Refusal> {
        let outputs: Vec<BlindedMessage> = read(body, "outputs")?;
        let id = body["quote"].as_str().unwrap_or_default();
        let quote = self.deposits.get(id).ok_or(20_000_u16)?;
        if quote.issued {
            return Err(20_002);
        }
        if sum(outputs.iter().map(|output| output.amount)) != quote.amount {
            return Err(11_005);
        }
        let signatures = self.sign(&outputs)?;
        self.deposits.get_mut(id).unwrap().issued = true;
        Ok(json!({"signatures": signatures}))
    }

    fn open_melt(&mut self, body: &Value) -> Result<Value, Refusal> {
        let invoice = body["request"].as_str().unwrap_or_default().to_owned();
        let (amount, preimage) = *self.invoices.get(&invoice).ok_or(20_004_u16)?;
        let id = format!("melt-{}", self.melts.len());
        let preimage = cdk_common::util::hex::encode(preimage);
        self.melts.insert(id.clone(), MeltQuote { invoice, amount, preimage, paid: None });
        Ok(self.show_melt(&id, &self.melts[&id]))
    }

    fn show_melt(&self, id: &str, quote: &MeltQuote) -> Value {
        let mut shown = json!({
            "quote": id, "amount": quote.amount, "fee_reserve": RESERVE, "unit": "sat", "request": quote.invoice,
            "state": "UNPAID", "expiry": now() + INVOICES_LAST,
        });
        if let Some(change) = &quote.paid {
            shown["state"] = json!("PAID");
            shown["payment_preimage"] = json!(quote.preimage);
            shown["change"] = json!(change);
        }
        shown
    }

    fn melt(&mut self, body: &Value) -> Result<Value, Refusal> {
        let id = body["quote"].as_str().unwrap_or_default().to_owned();
        let quote = self.melts.get(&id).ok_or(20_000_u16)?;
        if quote.paid.is_some() {
            return Err(20_006);
        }
        let amount = quote.amount;
        let inputs: Vec<Proof> = read(body, "inputs")?;
        let given = self.checked(&inputs)?;
        let left = given.checked_sub(amount).filter(|left| *left >= RESERVE).ok_or(11_005_u16)? - 1;
        let blank: Vec<BlindedMessage> =
            if body["outputs"].is_null() { Vec::new() } else { read(body, "outputs")? };
        let bits = (0..SIZES).map(|size| 1_u64 << size).filter(|size| left & size != 0);
        let change: Vec<BlindedMessage> = bits
            .zip(blank)
            .map(|(size, output)| BlindedMessage { amount: Amount::from(size), ..output })
            .collect();
        let change = self.sign(&change)?;
        self.spend(&inputs);
        self.melts.get_mut(&id).unwrap().paid = Some(change);
        Ok(self.show_melt(&id, &self.melts[&id]))
    }

    fn swap(&mut self, body: &Value) -> Result<Value, Refusal> {
        let (inputs, outputs): (Vec<Proof>, Vec<BlindedMessage>) =
            (read(body, "inputs")?, read(body, "outputs")?);
        if self.checked(&inputs)? != sum(outputs.iter().map(|output| output.amount)) {
            return Err(11_005);
        }
        let signatures = self.sign(&outputs)?;
        self.spend(&inputs);
        Ok(json!({"signatures": signatures}))
    }

    /// Checks inputs and returns their value less the fee, in sats.
    fn checked(&self, inputs: &[Proof]) -> Result<u64, Refusal> {
        if !inputs.iter().all(|input| self.has_signed(input)) {
            return Err(10_001);
        }
        let ys: HashSet<PublicKey> =
            inputs.iter().filter_map(|input| hash_to_curve(input.secret.as_bytes()).ok()).collect();
        if ys.len() != inputs.len() || ys.iter().any(|y| self.spent.contains(y)) {
            return Err(11_001);
        }
        let fee = (inputs.len() as u64 * FEE_PPK).div_ceil(1_000);
        sum(inputs.iter().map(|input| input.amount)).checked_sub(fee).ok_or(11_005)
    }

    fn spend(&mut self, inputs: &[Proof]) {
        self.spent.extend(inputs.iter().filter_map(|input| input.y().ok()));
    }

    fn sign(&mut self, outputs: &[BlindedMessage]) -> Result<Vec<BlindSignature>, Refusal> {
        if outputs.iter().any(|output| self.signed.contains_key(&output.blinded_secret)) {
            return Err(11_003);
        }
        let mut made = Vec::new();
        for output in outputs {
            let key = self
                .keys
                .get(&output.amount.to_u64())
                .filter(|_| output.keyset_id == self.id)
                .ok_or(12_001_u16)?;
            let c = sign_message(key, &output.blinded_secret).map_err(|_| 10_001_u16)?;
            let signature =
                BlindSignature::new(output.amount, c, self.id, &output.blinded_secret, key)
                    .map_err(|_| 10_001_u16)?;
            self.signed.insert(output.blinded_secret, signature.clone());
            made.push(signature);
        }
        Ok(made)
    }
}

fn key(number: u32) -> SecretKey {
    let mut bytes = [3_u8; 32];
    bytes[28..].copy_from_slice(&number.to_be_bytes());
    SecretKey::from_slice(&bytes).unwrap()
}

fn read<T: DeserializeOwned>(body: &Value, field: &str) -> Result<T, Refusal> {
    serde_json::from_value(body[field].clone()).map_err(|_| 10_001)
}

fn sum(amounts: impl Iterator<Item = Amount>) -> u64 {
    amounts.map(|amount| amount.to_u64()).fold(0, u64::saturating_add)
}

impl std::fmt::Debug for SmallMint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SmallMint")
    }
}
