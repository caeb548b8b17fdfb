use super::*;

fn told(status: u16, body: &str) -> Result<serde_json::Value, MintError> {
    answered(status, body, None, None)
}

fn answered(
    status: u16,
    body: &str,
    after: Option<u64>,
    location: Option<&str>,
) -> Result<serde_json::Value, MintError> {
    let (body, location) = (body.as_bytes().to_vec(), location.map(str::to_owned));
    classify(Ok(HttpResponse { status, body, retry_after_seconds: after, location }))
}

#[test]
fn a_listed_code_with_a_client_status_is_a_definite_no() {
    let no = told(400, r#"{"code":20004,"detail":"no route"}"#);
    assert_eq!(no, Err(MintError::Refused { code: 20_004, reason: "no route".into() }));
}

#[test]
fn what_may_be_under_way_decides_nothing() {
    for (status, code) in [
        (400, 11_001),
        (400, 11_002),
        (400, 20_002),
        (400, 20_005),
        (400, 20_006),
        (500, 20_004),
        (408, 20_004),
        (425, 20_004),
        (400, 999),
    ] {
        let body = format!(r#"{{"code":{code},"detail":"x"}}"#);
        assert!(told(status, &body).is_err_and(|error| !error.is_definite()), "{status} {code}");
    }
    assert!(told(400, "<html>").is_err_and(|error| !error.is_definite()));
    assert!(told(200, "garbage").is_err_and(|error| !error.is_definite()));
}

#[test]
fn too_many_requests_decides_nothing() {
    assert_eq!(told(429, ""), Err(MintError::Busy { status: 429, retry_after_seconds: 30 }));
    assert!(told(429, r#"{"code":20004,"detail":"x"}"#).is_err_and(|error| !error.is_definite()));
}

#[test]
fn what_the_mint_asks_us_to_wait_is_kept() {
    assert_eq!(
        answered(429, "", Some(7), None),
        Err(MintError::Busy { status: 429, retry_after_seconds: 7 })
    );
    assert_eq!(
        answered(503, "", Some(90), None),
        Err(MintError::Busy { status: 503, retry_after_seconds: 90 })
    );
    assert_eq!(told(503, "<html>"), Err(MintError::Failed { status: 503, reason: None }));
}

#[test]
fn a_redirect_names_its_place_and_decides_nothing() {
    for status in [301, 302, 307, 308] {
        let moved = answered(status, "", None, Some("https://new.example/v1/info"));
        assert_eq!(
            moved,
            Err(MintError::Redirected {
                status,
                location: Some("https://new.example/v1/info".into())
            })
        );
        assert!(moved.is_err_and(|error| !error.is_definite() && error.was_answered()));
    }
}

#[test]
fn a_refusal_without_a_code_keeps_its_words() {
    for (body, reason) in [
        (r#"{"detail":"no such quote"}"#, Some("no such quote")),
        (
            r#"{"detail":[{"loc":["body"],"msg":"field required","type":"missing"},{"msg":"and this"}]}"#,
            Some("field required; and this"),
        ),
        (r#"{"detail":{"a":1}}"#, Some(r#"{"a":1}"#)),
        (r#"{"error":"old words","code":0}"#, Some("old words")),
        (r#"{"detail":null}"#, None),
        ("[]", None),
        ("<html>", None),
    ] {
        let no = told(422, body);
        assert_eq!(
            no,
            Err(MintError::Unexplained { status: 422, reason: reason.map(str::to_owned) }),
            "{body}"
        );
    }
    assert_eq!(
        told(400, r#"{"code":"20004"}"#),
        Err(MintError::Refused { code: 20_004, reason: String::new() })
    );
}
