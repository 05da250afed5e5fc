//! Requests that cannot be taken, and the exact problem that each is answered with. The engine is never asked.

use axum::http::Method;
use serde_json::json;

use super::*;

/// An engine that must not be asked.
fn nobody() -> Router {
    app(Scripted::new(|submission| panic!("asked: {submission:?}")), Options::default())
}

/// What is wrong with a body: the param, the code and the sentence of each fault.
async fn faults(path: &str, body: &str) -> Vec<(String, String, String)> {
    let response = send(&nobody(), ask("POST", path, "k").body(Body::from(body.to_owned())).unwrap()).await;
    let problem = response.json();
    assert_eq!((response.status, &problem["code"]), (400, &json!("invalid_request")), "{path} {body}: {problem}");
    assert_eq!(response.header("content-type"), Some("application/problem+json"));
    assert_eq!(problem["type"], "/problems/invalid_request");
    assert_eq!(problem["param"], problem["errors"][0]["param"]);
    assert!(problem["request_id"].is_string() && problem["retryable"] == false, "{problem}");
    let text = |fault: &Value, name: &str| fault[name].as_str().unwrap().to_owned();
    let errors = problem["errors"].as_array().unwrap();
    errors.iter().map(|e| (text(e, "param"), text(e, "code"), text(e, "detail"))).collect()
}

const ID: &str = "an id: text of 1 to 64 characters out of A-Z a-z 0-9 _ . : -";
const MINOR: &str = "a whole number of minor units (12.50 USD is 1250) between -9007199254740991 and 9007199254740991";
const MONEY: &str = "an amount of money such as {\"amount\":1250,\"currency\":\"USD\"} (minor units: 12.50 USD)";
const CURRENCY: &str = "an ISO 4217 currency code such as \"USD\"";

#[tokio::test]
async fn everything_that_is_wrong_is_told_at_once() {
    let missing =
        |at: &str, expected: &str| (at.to_owned(), "missing_field", format!("{at} is missing; it must be {expected}"));
    let must_be = |at: &str, expected: &str, not: &str| {
        (at.to_owned(), "invalid_value", format!("{at} must be {expected}, not {not}"))
    };
    let wrong = |at: &str, why: &str| (at.to_owned(), "invalid_value", format!("{at}: {why}"));
    let unknown = |at: &str, hint: &str| (at.to_owned(), "unknown_field", format!("{at} is not a field here; {hint}"));
    let twice = |at: &str| (at.to_owned(), "duplicate_field", format!("{at} stands twice; keep one of them"));
    let characters = "use 1 to 64 characters out of A-Z a-z 0-9 _ . : -";
    let cases = [
        ("/v1/accounts", "", vec![missing("owner_id", ID), missing("currency", CURRENCY)]),
        ("/v1/accounts", " {} ", vec![missing("owner_id", ID), missing("currency", CURRENCY)]),
        (
            "/v1/accounts",
            r#"{"owner":"bob","owner_id":"bob smith","currency":"usd"}"#,
            vec![
                wrong("owner_id", &format!("owner id contains ' '; {characters}")),
                wrong(
                    "currency",
                    "\"usd\" is not an ISO 4217 currency; use a three-letter code in capitals such as USD, EUR or GBP",
                ),
                unknown("owner", "did you mean owner_id?"),
            ],
        ),
        (
            "/v1/accounts",
            r#"{"owner_id":7,"currency":null}"#,
            vec![must_be("owner_id", ID, "the number 7"), missing("currency", CURRENCY)],
        ),
        ("/v1/accounts", r#"{"owner_id":"a","currency":"USD","currency":"EUR"}"#, vec![twice("currency")]),
        ("/v1/accounts", r#"{"owner_id":"a","currency":"USD","key":"k","type":"open_account"}"#, {
            let there = "the fields here are account_id, owner_id, currency, expected_version, effective_at";
            vec![unknown("key", there), unknown("type", there)]
        }),
        (
            "/v1/accounts/a%2Fb/deposits",
            r#"{"amount":{"amount":12.5,"curency":"USD"}}"#,
            vec![
                wrong("path.account_id", &format!("account id contains '/'; {characters}")),
                must_be("amount.amount", MINOR, "the number 12.5"),
                missing("amount.currency", CURRENCY),
                unknown("amount.curency", "did you mean currency?"),
            ],
        ),
        ("/v1/accounts/a/deposits", r#"{"amount":1250}"#, vec![must_be("amount", MONEY, "the number 1250")]),
        ("/v1/accounts/a/deposits", r#"{"amount":[1250,"USD"]}"#, vec![must_be("amount", MONEY, "an array")]),
        (
            "/v1/accounts/a/deposits",
            r#"{"amount":{"amount":1,"currency":"USD","currency":"USD"}}"#,
            vec![twice("amount.currency")],
        ),
        (
            "/v1/accounts/a/deposits",
            r#"{"amount":{"amount":9007199254740992,"currency":"USD"},"reference":" "}"#,
            vec![
                must_be("amount.amount", MINOR, "the number 9007199254740992"),
                wrong("reference", "text must not be empty; leave the field out or write 1 to 256 characters"),
            ],
        ),
        (
            "/v1/accounts/a/deposits",
            r#"{"account_id":"b","amount":{"amount":1,"currency":"USD"}}"#,
            vec![(
                "account_id".to_owned(),
                "contradicts_path",
                "account_id is \"b\" in the body but \"a\" in the path; leave it out of the body".to_owned(),
            )],
        ),
        (
            "/v1/accounts/a/deposits",
            r#"{"amount":{"amount":1,"currency":"USD"},"effective_at":"yesterday","expected_version":-1}"#,
            vec![
                must_be(
                    "expected_version",
                    "a version: a whole number from 0 on, as an answer gives it in the header ETag and in its events",
                    "the number -1",
                ),
                must_be(
                    "effective_at",
                    "a time as in RFC 3339, such as \"2026-01-31T09:30:00Z\"",
                    "the text \"yesterday\"",
                ),
            ],
        ),
        (
            "/v1/accounts/a/deposits",
            r#"{"amount":{"amount":1,"currency":"USD"},"effective_at":"0000-01-01T00:00:00Z"}"#,
            vec![must_be(
                "effective_at",
                "a time as in RFC 3339, such as \"2026-01-31T09:30:00Z\"",
                "the text \"0000-01-01T00:00:00Z\"",
            )],
        ),
        (
            "/v1/accounts/a/freeze",
            r#"{"scope":"credits","reason":"x\ny"}"#,
            vec![
                must_be("scope", "\"debits\" (money may still come in) or \"all\"", "the text \"credits\""),
                wrong(
                    "reason",
                    "text contains the control character '\\n'; write it on one line without control characters",
                ),
            ],
        ),
        (
            "/v1/accounts/a/holds/h/capture",
            r#"{"to":"bob"}"#,
            vec![must_be(
                "to",
                "{\"account_id\":\"…\"} for another account, or \"external\" for out of Bursar",
                "the text \"bob\"",
            )],
        ),
        (
            "/v1/accounts/a/freeze",
            r#"{"scope":{"all":null},"reason":"x"}"#,
            vec![must_be("scope", "\"debits\" (money may still come in) or \"all\"", "an object")],
        ),
        (
            "/v1/accounts/a/holds/h/capture",
            r#"{"to":{"external":null}}"#,
            vec![missing("to.account_id", ID), unknown("to.external", "the fields here are account_id")],
        ),
        (
            "/v1/orders/o/returns",
            r#"{"lines":[{"product_id":"p"},{"quantity":"2","product":"x"},3],"reason":"x"}"#,
            vec![
                missing("lines[0].quantity", "a whole number of at most 16 digits"),
                missing("lines[1].product_id", ID),
                must_be("lines[1].quantity", "a whole number of at most 16 digits", "the text \"2\""),
                unknown("lines[1].product", "did you mean product_id?"),
                must_be("lines[2]", "a line such as {\"product_id\":\"85123A\",\"quantity\":2}", "the number 3"),
            ],
        ),
        (
            "/v1/payments",
            r#"{"payer":{"card_token":"x"},"payee_account_id":"b","amount":{"amount":5,"currency":"JPY"},"capture":"later"}"#,
            vec![
                missing("payer.account_id", ID),
                unknown("payer.card_token", "the fields here are account_id"),
                must_be("capture", "\"automatic\", \"on_shipment\" or \"manual\"", "the text \"later\""),
            ],
        ),
        (
            "/v1/transfers/t/reverse",
            r#"{"reason":"x","expected_version":3}"#,
            vec![unknown("expected_version", "the fields here are reason, effective_at")],
        ),
        (
            "/v1/products?dryrun=true&dry_run=yes&dry_run=true",
            r#"{"product_id":"p","name":"n","unit_price":{"amount":1,"currency":"USD"},"tax_rate_bps":8.25}"#,
            vec![
                (
                    "dryrun".to_owned(),
                    "unknown_field",
                    "dryrun is not a query parameter here; did you mean dry_run?".to_owned(),
                ),
                ("dry_run".to_owned(), "invalid_value", "dry_run must be true or false, not \"yes\"".to_owned()),
                ("dry_run".to_owned(), "duplicate_field", "the query parameter dry_run stands twice".to_owned()),
                must_be("tax_rate_bps", "a whole number of at most 16 digits", "the number 8.25"),
            ],
        ),
    ];
    for (path, body, expected) in cases {
        let found = faults(path, body).await;
        let found: Vec<(String, &str, String)> =
            found.iter().map(|(p, c, d)| (p.clone(), c.as_str(), d.clone())).collect();
        assert_eq!(found, expected, "{path} {body}");
    }
}

#[tokio::test]
async fn a_body_that_is_not_one_json_object_is_told_where() {
    let deep = "[".repeat(50_000);
    let nested = format!("{{\"owner_id\":{}", "{\"a\":".repeat(50_000));
    let cases: [(&[u8], &str); 9] = [
        (b"[]", "the body is an array; send one JSON object here, or several commands to /v1/commands"),
        (b"\"x\"", "the body is not an object; send one JSON object, such as {\"amount\":{…}}"),
        (b"{\"owner_id\":\"a\",}", "the body is not JSON: trailing comma at column 17; send one JSON object"),
        (
            b"{\"owner_id\":\"a\",\n \"currency\":\"USD\"} {}",
            "the body is not JSON: trailing characters at line 2, column 20; send one JSON object",
        ),
        (
            b"{\"owner_id\":\"a\"",
            "the body ends too early, at column 15: EOF while parsing an object; send one JSON object",
        ),
        (b"{\"owner_id\":\"\xff\"}", "the body is not UTF-8: byte 14 cannot stand there; send one JSON object"),
        (
            b"{\"owner_id\":\"\\ud800\"}",
            "the body is not JSON: unexpected end of hex escape at column 20; send one JSON object",
        ),
        (
            deep.as_bytes(),
            "the body nests more than 127 objects or arrays into each other at column 128; send one JSON object",
        ),
        (
            nested.as_bytes(),
            "the body nests more than 127 objects or arrays into each other at column 643; send one JSON object",
        ),
    ];
    for (body, detail) in cases {
        let response = send(&nobody(), ask("POST", "/v1/accounts", "k").body(Body::from(body.to_vec())).unwrap()).await;
        let problem = response.json();
        assert_eq!((response.status, &problem["code"]), (400, &json!("malformed_json")), "{problem}");
        assert_eq!(problem["detail"], detail);
    }
}

/// The status, code, param and detail of a request without a usable body.
async fn refused(request: axum::http::request::Builder) -> (u16, String, Option<String>, String) {
    let response = send(&nobody(), request.body(Body::from("{}")).unwrap()).await;
    let problem = response.json();
    let text = |name: &str| problem[name].as_str().map(str::to_owned);
    (response.status, text("code").unwrap(), text("param"), text("detail").unwrap())
}

#[tokio::test]
async fn what_is_wrong_with_headers_is_told() {
    let path = "/v1/accounts";
    let long = "k".repeat(256);
    let cases = [
        (
            ask("POST", path, ""),
            400,
            "idempotency_key_missing",
            "Idempotency-Key",
            "the header Idempotency-Key is missing; send a new one with every new command (a UUID, say), and the same one again when you repeat a command, so that it is done once",
        ),
        (
            ask("POST", path, "a b"),
            400,
            "idempotency_key_invalid",
            "Idempotency-Key",
            "the header Idempotency-Key has a space or a character that is not visible ASCII; use 1 to 255 visible ASCII characters, such as a UUID",
        ),
        (
            ask("POST", path, &long),
            400,
            "idempotency_key_invalid",
            "Idempotency-Key",
            "the header Idempotency-Key has 256 characters; use 1 to 255 visible ASCII characters, such as a UUID",
        ),
        (
            ask("POST", path, "a").header("Idempotency-Key", "b"),
            400,
            "idempotency_key_invalid",
            "Idempotency-Key",
            "the header Idempotency-Key stands more than once; send one key",
        ),
        (
            ask("POST", path, "k").header("Content-Type", "application/x-www-form-urlencoded"),
            415,
            "unsupported_media_type",
            "Content-Type",
            "the body has Content-Type \"application/x-www-form-urlencoded\"; send application/json (with curl: -H 'Content-Type: application/json')",
        ),
        (
            ask("POST", path, "k").header("Content-Encoding", "gzip"),
            415,
            "unsupported_media_type",
            "Content-Encoding",
            "the body has Content-Encoding \"gzip\"; send it as it is",
        ),
        (
            ask("POST", path, "k").header("Content-Length", "1048577"),
            413,
            "body_too_large",
            "",
            "the body is larger than 1048576 bytes; send less at once, or split the batch",
        ),
        (
            ask("POST", "/v1/accounts/%FF/close", "k"),
            400,
            "invalid_request",
            "path",
            "an id in the path is not UTF-8 after decoding",
        ),
        (
            ask("POST", "/v1/accounts/a/close", "k").header("If-Match", "3"),
            400,
            "invalid_request",
            "If-Match",
            "If-Match must be one version in double quotes, as an answer gives it in the header ETag: \"3\"",
        ),
        (
            ask("POST", "/v1/accounts/a/close", "k").header("If-Match", "*"),
            400,
            "invalid_request",
            "If-Match",
            "If-Match must be one version in double quotes, as an answer gives it in the header ETag: \"3\"",
        ),
        (
            ask("POST", "/v1/accounts/a/close", "k").header("X-Correlation-Id", "a b"),
            400,
            "invalid_request",
            "X-Correlation-Id",
            "X-Correlation-Id must be at most 128 visible ASCII characters",
        ),
        (
            ask("POST", "/v1/accounts/a/deposit", "k"),
            404,
            "route_not_found",
            "",
            "there is no POST /v1/accounts/a/deposit; did you mean POST /v1/accounts/{id}/deposits? GET /openapi.json lists every route",
        ),
        (
            ask("GET", "/v1/transfers/t/reverse", ""),
            405,
            "method_not_allowed",
            "",
            "/v1/transfers/t/reverse cannot be asked with GET; the header Allow names the methods that it takes",
        ),
        (
            ask("POST", "/v1/commands?mode=both", ""),
            400,
            "invalid_request",
            "mode",
            "mode must be atomic or independent, not \"both\"",
        ),
        (
            ask("POST", "/v1/commands", "").header("Content-Type", "text/csv"),
            415,
            "unsupported_media_type",
            "Content-Type",
            "the body has Content-Type \"text/csv\"; send application/x-ndjson or application/json or application/ndjson or application/jsonl (with curl: -H 'Content-Type: application/x-ndjson')",
        ),
    ];
    for (request, status, code, param, detail) in cases {
        let param = (!param.is_empty()).then(|| param.to_owned());
        assert_eq!(refused(request).await, (status, code.to_owned(), param, detail.to_owned()));
    }
}

#[tokio::test]
async fn a_body_that_grows_too_large_is_not_read_to_its_end() {
    let options = Options { body_bytes_max: 100, ..Options::default() };
    let app = app(Scripted::new(|submission| panic!("asked: {submission:?}")), options);
    let parts = std::iter::repeat_n(Ok::<_, std::convert::Infallible>(vec![b' '; 60]), 1_000_000);
    let body = Body::from_stream(futures::stream::iter(parts));
    let response = send(&app, ask("POST", "/v1/accounts", "k").body(body).unwrap()).await;
    assert_eq!((response.status, response.json()["figures"].clone()), (413, json!({"bytes_max": 100})));
}

#[tokio::test]
async fn a_body_that_breaks_off_does_nothing() {
    let parts = [Ok(b"{\"owner_id\"".to_vec()), Err(std::io::Error::other("gone"))];
    for path in ["/v1/accounts", "/v1/commands?mode=atomic"] {
        let body = Body::from_stream(futures::stream::iter(
            parts
                .as_slice()
                .iter()
                .map(|part| match part {
                    Ok(bytes) => Ok(bytes.clone()),
                    Err(error) => Err(std::io::Error::other(error.to_string())),
                })
                .collect::<Vec<_>>(),
        ));
        let response = send(&nobody(), ask("POST", path, "k").body(body).unwrap()).await;
        assert_eq!((response.status, response.json()["code"].clone()), (400, json!("body_incomplete")), "{path}");
    }
}

#[tokio::test]
async fn version_headers_and_bodies_must_agree() {
    let amount = json!({"amount": {"amount": 1, "currency": "USD"}, "expected_version": 4});
    let request = ask("POST", "/v1/accounts/a/deposits", "k").header("If-Match", "\"3\"");
    let problem = send(&nobody(), request.body(Body::from(amount.to_string())).unwrap()).await.json();
    assert_eq!(problem["errors"][0]["code"], "contradicts_body");
    assert_eq!(problem["detail"], "If-Match asks for version 3, expected_version for 4; send one of them");

    let request = ask("POST", "/v1/transfers/t/reverse", "k").header("If-Match", "\"3\"");
    let problem = send(&nobody(), request.body(Body::from("{\"reason\":\"x\"}")).unwrap()).await.json();
    assert_eq!(
        problem["detail"],
        "reverse_transfer concerns two accounts, so it cannot be asked at a version of one; leave If-Match out"
    );
}

#[tokio::test]
async fn a_method_that_a_path_does_not_take_is_answered_with_those_that_it_takes() {
    let request = ask(Method::PUT.as_str(), "/v1/orders/o/items/p", "k");
    let response = send(&nobody(), request.body(Body::empty()).unwrap()).await;
    let mut allowed: Vec<&str> = response.header("allow").unwrap().split(',').collect();
    allowed.sort_unstable();
    assert_eq!((response.status, allowed), (405, vec!["DELETE", "PATCH"]));
}
