//! The error codes, and for each whether money moved, whether to retry, and the next step.
//!
//! The table is part of the contract with agents: a code is never renamed and never changes its
//! meaning. It contains no code that no call can return.

use super::error::{MoneyMoved, Retry};

macro_rules! codes {
    ($($name:ident = $word:literal, $money:ident, $retry:ident, $when:literal, $next:literal;)*) => {
        /// An error code.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Code {
            $(#[doc = $when] $name,)*
        }

        impl Code {
            /// Every code, in the order of the documentation.
            #[cfg(feature = "testing")]
            pub const ALL: &'static [Code] = &[$(Code::$name,)*];

            /// The code as text.
            pub fn as_str(self) -> &'static str {
                match self { $(Code::$name => $word,)* }
            }

            /// Returns whether money moved when a call fails with this code.
            pub fn money_moved(self) -> MoneyMoved {
                match self { $(Code::$name => MoneyMoved::$money,)* }
            }

            /// Returns whether the same call may be made again.
            pub fn retry(self) -> Retry {
                match self { $(Code::$name => Retry::$retry,)* }
            }

            /// The situation in which a call fails with this code.
            #[cfg(feature = "testing")]
            pub fn when(self) -> &'static str {
                match self { $(Code::$name => $when,)* }
            }

            /// The usual next step.
            pub fn next_step(self) -> &'static str {
                match self { $(Code::$name => $next,)* }
            }

            /// Finds the code with this text.
            #[cfg(feature = "testing")]
            pub fn from_word(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|code| code.as_str() == word)
            }
        }
    };
}

codes! {
    InvalidInput = "invalid_input", No, AfterChange, "A parameter cannot be read; `details.field` names it.",
        "Correct the field named in details and call again.";
    NotFound = "not_found", No, Never, "No payment or deposit of this agent has that id.",
        "Check the id; list_history shows the recent ones.";
    InvoiceExpired = "invoice_expired", No, AfterChange, "The invoice has expired.",
        "Ask the payee for a new invoice.";
    WrongNetwork = "wrong_network", No, AfterChange, "The invoice is for a different network than this wallet's money.",
        "Ask the payee for a mainnet invoice.";
    AmountMissing = "amount_missing", No, AfterChange, "The payee names no amount, and none was given.",
        "Call again with amount_sats.";
    AmountMismatch = "amount_mismatch", No, AfterChange, "The amount given does not match the invoice.",
        "Tell the user the invoice's amount; if it is wrong, ask the payee for a new invoice.";
    AmountOutOfRange = "amount_out_of_range", No, AfterChange,
        "The amount is outside the allowed range; `details` min_sats and max_sats, where known.",
        "Choose an amount within details.min_sats and details.max_sats.";
    PayeeUnsupported = "payee_unsupported", No, AfterChange, "The payee is recognised, but this wallet cannot pay it; `details.kind`.",
        "Ask the payee for a Lightning invoice (BOLT11).";
    RecipientUnknown = "recipient_unknown", No, AfterChange, "The payee could not be found.",
        "Check the payee's address with the user.";
    RecipientRefuses = "recipient_refuses", No, Never, "The payee or the payee's server refused the payment.",
        "Tell the user that the payee refuses this payment.";
    TokenInvalid = "token_invalid", No, Never, "The token cannot be read or is not valid at its mint.",
        "Ask the sender for a new token.";
    TokenLocked = "token_locked", No, Never, "The token is locked to someone else's key.",
        "Ask the sender for a token that is not locked.";
    TokenSpent = "token_spent", No, Never, "The token has already been spent; `details.left_sats` if some of it is left.",
        "Ask the sender for a new token.";
    MintNotTrusted = "mint_not_trusted", No, AfterChange, "The owner must trust that mint first; tokens from it stay valid.",
        "Tell the user which mint it is; only they can decide to trust it. Keep the token.";
    AddressRefused = "address_refused", No, AfterChange, "The network address is private or forbidden.",
        "Tell the user that the address is not allowed; only they can allow it.";
    NoMint = "no_mint", No, AfterChange, "No listed mint can do this.",
        "Tell the user that no usable mint is listed; only they can add one.";
    NostrOff = "nostr_off", No, AfterChange, "Nostr is not set up.",
        "Tell the user that Nostr is off; only they can set relays.";
    InsufficientFunds = "insufficient_funds", No, AfterChange, "The wallet holds too little where it is needed.",
        "Deposit the missing amount, then call again.";
    OverBalanceLimit = "over_balance_limit", No, AfterChange, "This would exceed the owner's cap at that mint; a token stays valid.",
        "Tell the user the cap at this mint; only they can raise it. Keep the token.";
    FeeTooHigh = "fee_too_high", No, AfterChange, "The fee could exceed the ceiling.",
        "Tell the user what the fee could be; only they can raise the ceiling.";
    OverPaymentLimit = "over_payment_limit", No, AfterChange, "The amount exceeds the per-payment limit.",
        "Tell the user the per-payment limit; only they can change it. Do not split it.";
    OverBudget = "over_budget", No, AfterChange, "This would exceed the 24-hour limit.",
        "Tell the user the 24-hour limit; only they can change it. Do not split it.";
    SpendingPaused = "spending_paused", No, AfterChange, "The owner has paused spending.",
        "Tell the user that spending is paused; only they can resume it.";
    SettingsInvalid = "settings_invalid", No, AfterChange, "A settings file cannot be read; `details` file, line, key.",
        "Tell the user which settings file needs fixing; spending stays off until then.";
    WalletLocked = "wallet_locked", No, AfterChange, "The keyring with the wallet's keys is locked or not responding.",
        "Tell the user to unlock their keyring, then call again.";
    WalletBusy = "wallet_busy", No, SameRequest, "Another process is using this wallet.",
        "Tell the user that another copy of this wallet is running; use that one, or close it and call again.";
    PossibleDuplicate = "possible_duplicate", No, AfterChange, "The same payment was, or may have been, made recently.",
        "Tell the user about the earlier payment; get_payment shows its state.";
    KeyConflict = "key_conflict", No, AfterChange, "The idempotency key was used for a different request.",
        "Use the key only for the request it was made for; a different request needs a new key.";
    TextRefused = "text_refused", No, AfterChange, "Outgoing text contains a token, a key, a mnemonic or a credential, or is too long.",
        "Remove the secret or shorten the text, then call again.";
    TooManyRequests = "too_many_requests", No, SameRequest, "Rate-limited by this wallet, the mint or the payee's server; `retry_after_seconds`.",
        "Wait retry_after_seconds, then make the same call again.";
    MintUnreachable = "mint_unreachable", No, SameRequest, "The mint could not be reached or did not answer; nothing moved.",
        "Make the same call again later, or tell the user that the mint does not answer.";
    RelayUnreachable = "relay_unreachable", No, SameRequest, "No relay could be reached; nothing moved.",
        "Make the same call again later.";
    ServerUnreachable = "server_unreachable", No, SameRequest, "The server could not be reached or is failing; nothing moved.",
        "Make the same call again later.";
    MintRefused = "mint_refused", No, AfterChange, "The mint rejected the request; `details.untrusted_reason`.",
        "Tell the user that the mint refused; nothing was paid. Make the same call again once the cause is fixed.";
    RouteNotFound = "route_not_found", No, SameRequest, "The mint found no route to the payee; nothing was paid.",
        "Make the same call again later; nothing was paid.";
    WalletDamaged = "wallet_damaged", Unknown, Never, "The wallet's file is damaged, missing, or from another wallet.",
        "Stop spending and tell the user that the wallet's file is damaged; nothing was deleted, and only they can restore it.";
    StorageFailed = "storage_failed", Unknown, Never, "The wallet's file could not be written.",
        "Stop spending and tell the user; then check the payment with get_payment.";
    OutcomeUnknown = "outcome_unknown", Unknown, Never, "The request was sent but the answer was lost, so the outcome is unknown.",
        "Call get_payment; do not pay again for the same thing.";
    Internal = "internal", Unknown, Never, "A bug in this wallet.",
        "Stop spending and tell the user; check the payment with get_payment before anything else.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_its_own_word() {
        for code in Code::ALL {
            assert_eq!(Code::from_word(code.as_str()), Some(*code));
            assert!(code.as_str().chars().all(|c| c.is_ascii_lowercase() || c == '_'));
            assert!(!code.next_step().contains("nutpurse "), "a next step holds no command line");
        }
    }
}
