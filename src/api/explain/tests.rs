//! A failure says the same when it happens and when it is read from its record.

use super::*;
use crate::wallet::core::failure::{MintError, nut};

fn mint_errors() -> Vec<MintError> {
    let refused = |code| MintError::Refused { code, reason: "no".to_owned() };
    let reason = Some("why".to_owned());
    let mut errors = vec![
        MintError::NotSent("no connection".to_owned()),
        MintError::Unchecked,
        MintError::RateLimited { retry_after_seconds: 3 },
        MintError::Busy { status: 429, retry_after_seconds: 3 },
        MintError::Busy { status: 503, retry_after_seconds: 3 },
        MintError::AddressRefused("private".to_owned()),
        MintError::UnderWay { code: nut::TOKEN_PENDING },
        MintError::SpentElsewhere,
        MintError::Unexplained { status: 400, reason: reason.clone() },
        MintError::Failed { status: 500, reason },
        MintError::Redirected { status: 301, location: None },
        MintError::Lost("late".to_owned()),
        MintError::Unreadable("no JSON".to_owned()),
        MintError::Wrong("more than asked".to_owned()),
    ];
    errors.extend((10_000..21_000).map(refused));
    errors
}

#[test]
fn what_is_kept_of_a_mints_refusal_has_the_code_that_was_told() {
    for error in mint_errors() {
        let kept = Failure::from(error.clone()).to_store();
        let told = Error::from(Failure::from(error.clone()));
        assert_eq!(stored_code(kept.reason), told.code, "{error:?}");
        let shown = told.details.get("untrusted_reason").and_then(|reason| reason.as_str());
        assert_eq!(kept.untrusted_reason.as_deref(), shown, "{error:?}");
    }
}

#[test]
fn a_failure_says_of_money_what_its_code_says() {
    let failures = mint_errors().into_iter().map(Failure::from).chain([
        Failure::from(Cause::FeeEatsToken),
        Failure::from(Cause::Token(TokenRefusal::Spent(1))),
        Failure::from(Cause::CameBack),
        Failure::from(Cause::SpentElsewhere { token: true }),
        Failure::from(Cause::SwapUndecided),
        Failure::from(Cause::NeverSent { receive: true }),
        Failure::from(Cause::Internal(Mistake::NoSeed)),
        Failure::from(Cause::Store(StoreError::Stopping)),
        Failure::from(Cause::Store(StoreError::OverCap)),
        Failure::from(Cause::Store(StoreError::Range)),
        Failure::from(Cause::Damaged("a row")),
    ]);
    for failure in failures {
        let (said, kept) = (failure.to_string(), failure.to_store());
        let error = Error::from(failure);
        assert_eq!(error.money_moved, error.code.money_moved(), "{said}");
        assert_eq!(stored_code(kept.reason), error.code, "{said}");
        let again = Error::from(Failure::from(Cause::Failed(kept)));
        assert_eq!(
            (again.code, again.money_moved),
            (error.code, error.money_moved),
            "{said}, read from its record"
        );
    }
}
