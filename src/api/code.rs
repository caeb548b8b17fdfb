//! The codes of failures: stable words, and what each says of money, of trying again, and of the
//! next step.
//!
//! The table is part of the contract with agents: a code is never renamed and never changes its
//! meaning.

use super::error::{MoneyMoved, Retry};

macro_rules! codes {
    ($($(#[$note:meta])* $name:ident = $word:literal, $money:ident, $retry:ident, $when:literal, $next:literal;)*) => {
        /// A failure's code.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Code {
            $(#[doc = $when] $(#[$note])* $name,)*
        }

        impl Code {
            /// Every code, in the order of the documentation.
            #[cfg(feature = "testing")]
            pub const ALL: &'static [Code] = &[$(Code::$name,)*];

            /// The word on the wire.
            pub fn as_str(self) -> &'static str {
                match self { $(Code::$name => $word,)* }
            }

            /// Whether money has moved when a call fails so.
            pub fn money_moved(self) -> MoneyMoved {
                match self { $(Code::$name => MoneyMoved::$money,)* }
            }

            /// Whether the same call may be made again.
            pub fn retry(self) -> Retry {
                match self { $(Code::$name => Retry::$retry,)* }
            }

            /// When it is given.
            #[cfg(feature = "testing")]
            pub fn when(self) -> &'static str {
                match self { $(Code::$name => $when,)* }
            }

            /// The usual next step.
            pub fn next_step(self) -> &'static str {
                match self { $(Code::$name => $next,)* }
            }

            /// The code of this word.
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
    InvoiceExpired = "invoice_expired", No, AfterChange, "The invoice has run out.",
        "Ask the payee for a new invoice.";
    WrongNetwork = "wrong_network", No, AfterChange, "The invoice is of another network than this wallet's money.",
        "Ask the payee for an invoice of the main network.";
    AmountMissing = "amount_missing", No, AfterChange, "The invoice names no amount and none was given.",
        "Call again with amount_sats.";
    AmountMismatch = "amount_mismatch", No, AfterChange, "The amount given is not the invoice's.",
        "Leave amount_sats out, or ask the payee for another invoice.";
    AmountOutOfRange = "amount_out_of_range", No, AfterChange, "The amount is below or above what can be handled; `details` min, max.",
        "Choose an amount within details.min_sats and details.max_sats.";
    PayeeUnsupported = "payee_unsupported", No, AfterChange, "The payee is recognised, but not payable here; `details.kind`.",
        "Ask the payee for a Lightning invoice (BOLT11).";
    RecipientUnknown = "recipient_unknown", No, AfterChange, "The payee does not resolve.",
        "Check the payee's address with the user.";
    RecipientRefuses = "recipient_refuses", No, Never, "The payee's server says no.",
        "Tell the user that the payee refuses this payment.";
    TokenInvalid = "token_invalid", No, Never, "The token cannot be read or is not valid at its mint.",
        "Ask the sender for a new token.";
    TokenLocked = "token_locked", No, Never, "The token is locked to somebody else's key.",
        "Ask the sender for a token that is not locked.";
    TokenSpent = "token_spent", No, Never, "The token is spent already; `details.left_sats` if only part of it is.",
        "Ask the sender for a new token.";
    MintNotTrusted = "mint_not_trusted", No, AfterChange, "A person must trust that mint first; a token from it is still good.",
        "Tell the user which mint it is; only they can decide to trust it. Keep the token.";
    #[cfg_attr(not(feature = "testing"), expect(dead_code, reason = "no verb gives it yet"))]
    PayeeNotAllowed = "payee_not_allowed", No, AfterChange, "A person must allow that payee first.",
        "Tell the user; only they can allow this payee.";
    AddressRefused = "address_refused", No, AfterChange, "A private or forbidden network address.",
        "Tell the user that the address is not allowed; only they can allow it.";
    NoMint = "no_mint", No, AfterChange, "No listed mint can do it.",
        "Tell the user that no usable mint is listed; only they can add one.";
    NostrOff = "nostr_off", No, AfterChange, "Nostr is not set up.",
        "Tell the user that Nostr is off; only they can set relays.";
    InsufficientFunds = "insufficient_funds", No, AfterChange, "The wallet holds too little where it is needed.",
        "Make a deposit of the missing amount, then call again.";
    OverBalanceLimit = "over_balance_limit", No, AfterChange, "It would pass the owner's cap at that mint; a token is still good.",
        "Tell the user the cap at this mint; only they can raise it. Keep the token.";
    FeeTooHigh = "fee_too_high", No, AfterChange, "The fee could pass the ceiling.",
        "Tell the user what the fee could be; only they can raise the ceiling.";
    #[cfg_attr(not(feature = "testing"), expect(dead_code, reason = "no verb gives it yet"))]
    PriceOverMax = "price_over_max", No, AfterChange, "The price is above max_sats.",
        "Tell the user the price; call again with a larger max_sats only if they agree.";
    OverPaymentLimit = "over_payment_limit", No, AfterChange, "The amount is above the limit for one payment.",
        "Tell the user the limit for one payment; only they can change it. Do not split it.";
    OverBudget = "over_budget", No, AfterChange, "It would pass the limit for a rolling day.",
        "Tell the user the limit for a day; only they can change it. Do not split it.";
    SpendingPaused = "spending_paused", No, AfterChange, "The owner has paused spending.",
        "Tell the user that spending is paused; only they can resume it.";
    SettingsInvalid = "settings_invalid", No, AfterChange, "A settings file cannot be read; `details` file, line, key.",
        "Tell the user which settings file needs mending; spending stays off until then.";
    WalletLocked = "wallet_locked", No, AfterChange, "The keyring that holds the wallet's keys does not answer.",
        "Tell the user to unlock their keyring, then call again.";
    WalletBusy = "wallet_busy", No, SameRequest, "Another process holds this wallet.",
        "Tell the user that another copy of this wallet is running; use that one, or close it and call again.";
    #[cfg_attr(not(feature = "testing"), expect(dead_code, reason = "no verb gives it yet"))]
    ApprovalRequired = "approval_required", No, AfterChange, "A person must approve it; `details` approval_id, expires_at.",
        "Ask the user to approve it, then call again with approval_id.";
    #[cfg_attr(not(feature = "testing"), expect(dead_code, reason = "no verb gives it yet"))]
    ApprovalDenied = "approval_denied", No, Never, "A person said no.",
        "Do not try again; tell the user it was denied.";
    #[cfg_attr(not(feature = "testing"), expect(dead_code, reason = "no verb gives it yet"))]
    ApprovalExpired = "approval_expired", No, AfterChange, "The approval ran out.",
        "Call again without approval_id to ask anew.";
    PossibleDuplicate = "possible_duplicate", No, AfterChange, "An equal payment was made, or may have been made, a short while ago.",
        "Look at the earlier payment with get_payment before anything else.";
    KeyConflict = "key_conflict", No, AfterChange, "The idempotency key was used for another request.",
        "Use the key only for the request it was made for; a different request needs a new key.";
    TextRefused = "text_refused", No, AfterChange, "Outgoing text holds a token, a key, a mnemonic or a credential, or is too long.",
        "Take it out of the text and call again.";
    TooManyRequests = "too_many_requests", No, SameRequest, "Ours or the mint's rate limit; `retry_after_seconds`.",
        "Wait retry_after_seconds, then make the same call again.";
    MintUnreachable = "mint_unreachable", No, SameRequest, "The mint could not be reached; nothing had been sent.",
        "Make the same call again later, or tell the user that the mint does not answer.";
    RelayUnreachable = "relay_unreachable", No, SameRequest, "No relay could be reached; nothing had been sent.",
        "Make the same call again later.";
    ServerUnreachable = "server_unreachable", No, SameRequest, "The server could not be reached; nothing had been sent.",
        "Make the same call again later.";
    MintRefused = "mint_refused", No, AfterChange, "The mint gave a definite no; `details.untrusted_reason`.",
        "Tell the user that the mint refused; the same call may be made again once the cause has gone.";
    RouteNotFound = "route_not_found", No, SameRequest, "The mint found no way to the payee; nothing moved.",
        "The same call may be made again later; nothing was paid.";
    #[cfg_attr(not(feature = "testing"), expect(dead_code, reason = "no verb gives it yet"))]
    PaidNotDelivered = "paid_not_delivered", Yes, SameRequest, "Paid, and the server did not deliver; the credential is kept.",
        "Make the same call again: it costs nothing more.";
    WalletDamaged = "wallet_damaged", Unknown, Never, "The wallet's file is damaged, gone, or of another wallet.",
        "Stop spending and tell the user that the wallet's file is damaged; nothing was deleted, and only they can restore it.";
    StorageFailed = "storage_failed", Unknown, Never, "The wallet's file could not be written.",
        "Stop spending and tell the user; then look at the payment with get_payment.";
    OutcomeUnknown = "outcome_unknown", Unknown, Never, "Sent, the answer was lost, and this process cannot tell.",
        "Call get_payment; never pay again for the same purpose.";
    Internal = "internal", Unknown, Never, "A mistake of ours.",
        "Stop spending and tell the user; look at the payment with get_payment before anything else.";
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
