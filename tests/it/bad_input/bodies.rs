//! Bodies that are not JSON, or not the JSON that was expected.

use serde_json::{Value, json};

use super::{expect, told};
use crate::scene::Scene;
use crate::wire::{Ask, Wire};

const MONEY: &str = "an amount of money such as {\"amount\":1250,\"currency\":\"USD\"} (minor units: 12.50 USD)";
const MINOR_UNITS: &str =
    "a whole number of minor units (12.50 USD is 1250) between -9007199254740991 and 9007199254740991";
const CURRENCY: &str = "an ISO 4217 currency code such as \"USD\"";
const TIME: &str = "a time as in RFC 3339, such as \"2026-01-31T09:30:00Z\"";

#[tokio::test]
async fn a_body_that_is_not_one_json_object_is_told_where_it_stops_being_one() {
    let scene = Scene::new().await;
    let not_json = |why: &str| format!("the body is not JSON: {why}; send one JSON object");
    let not_an_object = "the body is not an object; send one JSON object, such as {\"amount\":{…}}".to_owned();
    let nests = |column| {
        format!(
            "the body nests more than 127 objects or arrays into each other at column {column}; send one JSON object"
        )
    };
    let cases: Vec<(Vec<u8>, String)> = vec![
        (
            br#"{"owner_id":"a""#.into(),
            "the body ends too early, at column 15: EOF while parsing an object; send one JSON object".to_owned(),
        ),
        (br#"{"owner_id":"a","currency":"GBP",}"#.into(), not_json("trailing comma at column 34")),
        (br#"{"owner_id":"a","currency":"GBP"} {}"#.into(), not_json("trailing characters at column 35")),
        (b"{\"owner_id\":\"a\",\n\"currency\":GBP}".into(), not_json("expected value at line 2, column 12")),
        (b"{'owner_id':'a'}".into(), not_json("key must be a string at column 2")),
        (b"{\"owner_id\":NaN}".into(), not_json("expected value at column 13")),
        (b"owner_id=a&currency=GBP".into(), not_json("expected value at column 1")),
        (br#"{"owner_id":"\ud800"}"#.into(), not_json("unexpected end of hex escape at column 20")),
        (
            "{\"owner_id\":\"a\nb\"}".into(),
            not_json("control character (\\u0000-\\u001F) found while parsing a string at line 2, column 0"),
        ),
        (
            b"{\"owner_id\":\"\xff\"}".into(),
            "the body is not UTF-8: byte 14 cannot stand there; send one JSON object".to_owned(),
        ),
        (
            b"\xEF\xBB\xBF{}".into(),
            "the body begins with a byte order mark (EF BB BF); write it as UTF-8 without one; send one JSON object"
                .to_owned(),
        ),
        (
            b"[]".into(),
            "the body is an array; send one JSON object here, or several commands to /v1/commands".to_owned(),
        ),
        (b"17".into(), not_an_object.clone()),
        (b"null".into(), not_an_object.clone()),
        (b"\"x\"".into(), not_an_object),
        (vec![b'['; 100_000], nests(128)),
        (b"{\"a\":".repeat(100_000), nests(636)),
    ];
    let cases = cases
        .into_iter()
        .map(|(body, detail)| (Ask::command("/v1/accounts", body), told(400, "malformed_json", "", &detail)));
    expect(&scene, cases.collect()).await;
    scene.sound().await;
}

#[tokio::test]
async fn amounts_currencies_times_and_texts_that_cannot_be_are_told_with_their_field() {
    let scene = Scene::new().await;
    scene.account("a", 0).await;
    let not = |param: &str, expected: &str, given: &str| {
        told(400, "invalid_request", param, &format!("{param} must be {expected}, not {given}"))
    };
    let missing = |param: &str, expected: &str| {
        told(400, "invalid_request", param, &format!("{param} is missing; it must be {expected}"))
    };
    let wrong = |param: &str, why: &str| told(400, "invalid_request", param, &format!("{param}: {why}"));
    let of = |amount: &str| format!(r#"{{"amount":{{"amount":{amount},"currency":"GBP"}}}}"#);
    let with = |field: &str| format!(r#"{{"amount":{{"amount":5,"currency":"GBP"}},{field}}}"#);
    let not_json =
        |why: &str| told(400, "malformed_json", "", &format!("the body is not JSON: {why}; send one JSON object"));
    let unknown_currency = |code: &str| {
        let why = "is not an ISO 4217 currency; use a three-letter code in capitals such as USD, EUR or GBP";
        wrong("amount.currency", &format!("{code:?} {why}"))
    };
    let in_currency = |code: &str| format!(r#"{{"amount":{{"amount":5,"currency":{code}}}}}"#);
    let amount = "amount.amount";
    let cases = vec![
        (of("0"), told(422, "amount_not_positive", "", "the amount is 0.00 GBP; it must be more than zero")),
        (of("-1250"), told(422, "amount_not_positive", "", "the amount is -12.50 GBP; it must be more than zero")),
        (of("9007199254740992"), not(amount, MINOR_UNITS, "the number 9007199254740992")),
        (of("-9007199254740992"), not(amount, MINOR_UNITS, "the number -9007199254740992")),
        (of("18446744073709551616"), not(amount, MINOR_UNITS, "the number 1.8446744073709552e+19")),
        (of("12.50"), not(amount, MINOR_UNITS, "the number 12.5")),
        (of("1250.0"), not(amount, MINOR_UNITS, "the number 1250.0")),
        (of("1e3"), not(amount, MINOR_UNITS, "the number 1000.0")),
        (of("1e400"), not_json("number out of range at column 25")),
        (of("01"), not_json("invalid number at column 22")),
        (of("+1"), not_json("expected value at column 21")),
        (of("\"1250\""), not(amount, MINOR_UNITS, "the text \"1250\"")),
        (of("true"), not(amount, MINOR_UNITS, "true")),
        (of("[1250]"), not(amount, MINOR_UNITS, "an array")),
        (of("null"), missing(amount, MINOR_UNITS)),
        (r#"{"amount":1250}"#.to_owned(), not("amount", MONEY, "the number 1250")),
        (r#"{"amount":"12.50 GBP"}"#.to_owned(), not("amount", MONEY, "the text \"12.50 GBP\"")),
        (r#"{"amount":[1250,"GBP"]}"#.to_owned(), not("amount", MONEY, "an array")),
        (r#"{"amount":{"amount":5}}"#.to_owned(), missing("amount.currency", CURRENCY)),
        (in_currency("\"XBT\""), unknown_currency("XBT")),
        (in_currency("\"gbp\""), unknown_currency("gbp")),
        (in_currency("\"\""), unknown_currency("")),
        (in_currency("826"), not("amount.currency", CURRENCY, "the number 826")),
        (in_currency("\"EUR\""), told(422, "currency_mismatch", "", "the amount is in EUR, but GBP is needed here")),
        (with(r#""effective_at":"yesterday""#), not("effective_at", TIME, "the text \"yesterday\"")),
        (with(r#""effective_at":"2026-01-31""#), not("effective_at", TIME, "the text \"2026-01-31\"")),
        (
            with(r#""effective_at":"2026-02-30T00:00:00Z""#),
            not("effective_at", TIME, "the text \"2026-02-30T00:00:00Z\""),
        ),
        (
            with(r#""effective_at":"-0001-01-01T00:00:00Z""#),
            not("effective_at", TIME, "the text \"-0001-01-01T00:00:00Z\""),
        ),
        (with(r#""effective_at":1767225600"#), not("effective_at", TIME, "the number 1767225600")),
        (
            with(r#""reference":"""#),
            wrong("reference", "text must not be empty; leave the field out or write 1 to 256 characters"),
        ),
        (
            with(r#""reference":"a\u0000b""#),
            wrong(
                "reference",
                "text contains the control character '\\0'; write it on one line without control characters",
            ),
        ),
        (
            with(&format!(r#""reference":"{}""#, "ü".repeat(257))),
            wrong("reference", "text has 257 characters; at most 256 are allowed"),
        ),
        (with(r#""reference":7"#), not("reference", "text of 1 to 256 characters on one line", "the number 7")),
        (
            with(r#""amount":{"amount":5,"currency":"GBP"}"#),
            told(400, "invalid_request", "amount", "amount stands twice; keep one of them"),
        ),
        (
            r#"{"amount":{"amount":5,"amount":5,"currency":"GBP"}}"#.to_owned(),
            told(400, "invalid_request", amount, "amount.amount stands twice; keep one of them"),
        ),
        (
            with(r#""refrence":"x""#),
            told(400, "invalid_request", "refrence", "refrence is not a field here; did you mean reference?"),
        ),
        (
            with(r#""":"x""#),
            told(
                400,
                "invalid_request",
                "\"\"",
                "\"\" is not a field here; the fields here are amount, reference, expected_version, effective_at",
            ),
        ),
        (
            with(r#""account_id":"b""#),
            told(
                400,
                "invalid_request",
                "account_id",
                "account_id is \"b\" in the body but \"a\" in the path; leave it out of the body",
            ),
        ),
    ];
    let cases = cases.into_iter().map(|(body, told)| (Ask::command("/v1/accounts/a/deposits", body), told));
    expect(&scene, cases.collect()).await;

    let largest = Ask::command("/v1/accounts/a/deposits", of("9007199254740991"));
    scene.noted(Wire::to(&scene.server).await.ask(&largest).await.json());
    let overflow = "a sum would go beyond ±9007199254740991 minor units; use smaller amounts";
    let cases = [of("1"), of("9007199254740991")]
        .map(|body| (Ask::command("/v1/accounts/a/deposits", body), told(422, "amount_overflow", "", overflow)));
    expect(&scene, cases.into()).await;
    assert_eq!(scene.seen("/v1/accounts/a").await["balance"]["amount"], 9_007_199_254_740_991_i64);
    scene.sound().await;
}

#[tokio::test]
async fn a_business_time_in_the_future_is_refused_with_the_servers_time() {
    let scene = Scene::new().await;
    scene.account("a", 0).await;
    for time in ["2999-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2999-01-01T00:00:00+23:59"] {
        let body = json!({"amount": crate::scene::gbp(5), "effective_at": time});
        let problem = scene.refused("/v1/accounts/a/deposits", body).await;
        assert_eq!((&problem["status"], &problem["code"]), (&json!(422), &json!("effective_in_future")));
        let now = problem["figures"]["now"].as_str().unwrap();
        assert!(
            now < "2999" && problem["detail"].as_str().unwrap().ends_with("it must not lie in the future"),
            "{problem}"
        );
    }
    // The first moment that can be named.
    let body = json!({"amount": crate::scene::gbp(5), "effective_at": "0001-01-01T00:00:00Z"});
    scene.done("/v1/accounts/a/deposits", body).await;
    let statement = scene.seen("/v1/accounts/a/statement?to=0001-01-01").await;
    assert_eq!(statement["items"][0]["effective_at"], "0001-01-01T00:00:00Z");
    scene.sound().await;
}

#[tokio::test]
async fn everything_that_is_wrong_is_listed_at_once() {
    let scene = Scene::new().await;
    let mut wire = Wire::to(&scene.server).await;
    let body = r#"{"payment_id":"a/b","payer":{"card_token":"4111"},"amount":{"amount":"5","currency":"gbp","tip":1},
        "capture":"later","expected_version":-1,"effective_at":"soon","note":"x","amount":{"amount":1.5,"currency":"JPY"}}"#;
    let ask = Ask::command("/v1/payments?dryrun=1", body).header("If-Match", "3").header("X-Correlation-Id", "ü");
    let problem = scene.problem(&wire.ask(&ask).await).await;
    let errors = problem["errors"].as_array().unwrap();
    let listed: Vec<_> = errors.iter().map(|e| (e["param"].as_str().unwrap(), e["code"].as_str().unwrap())).collect();
    let expected = [
        ("X-Correlation-Id", "invalid_value"),
        ("dryrun", "unknown_field"),
        ("If-Match", "invalid_value"),
        ("amount", "duplicate_field"),
        ("payment_id", "invalid_value"),
        ("payer.account_id", "missing_field"),
        ("payer.card_token", "unknown_field"),
        ("payee_account_id", "missing_field"),
        ("amount.amount", "invalid_value"),
        ("capture", "invalid_value"),
        ("expected_version", "invalid_value"),
        ("effective_at", "invalid_value"),
        ("note", "unknown_field"),
    ];
    assert_eq!(listed, expected);
    let first_eight: Vec<_> = expected.iter().take(8).map(|(param, _)| *param).collect();
    assert_eq!(problem["detail"], format!("13 things are wrong: {}, …; errors says what", first_eight.join(", ")));

    // A body of nothing but mistakes is answered with the first hundred of them.
    let fields: Vec<String> = (0..5_000).map(|field| format!(r#""wrong_{field}":0"#)).collect();
    let ask = Ask::command("/v1/accounts", format!("{{{}}}", fields.join(",")));
    let problem = scene.problem(&wire.ask(&ask).await).await;
    assert_eq!(problem["errors"].as_array().unwrap().len(), 100);
    assert!(
        problem["detail"].as_str().unwrap().starts_with("5002 things are wrong: owner_id, currency, "),
        "{problem}"
    );
    scene.sound().await;
}

/// Every command, and a body without anything in it: what must be there is told, and nothing breaks.
#[tokio::test]
async fn every_command_tells_what_it_needs() {
    let scene = Scene::new().await;
    let document = scene.client.found("/openapi.json").await;
    let mut wire = Wire::to(&scene.server).await;
    let mut asked = 0;
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let parameters = operation["parameters"].as_array().into_iter().flatten();
            let is_command = parameters.into_iter().any(|parameter| parameter["name"] == "Idempotency-Key");
            if !is_command || path == "/v1/commands" {
                continue;
            }
            let path = path.replace("{id}", "nobody").replace(['{', '}'], "");
            for body in ["{}", "", "{\"unheard_of\":[[[]]]}", "[]", "\0", "{\"amount\":{}}"] {
                let ask = Ask::command(&path, body).method(method);
                let problem = scene.problem(&wire.ask(&ask).await).await;
                let status = problem["status"].as_u64().unwrap();
                assert!(matches!(status, 400 | 404), "{method} {path} {body}: {problem}");
                let required = required(&document, operation);
                if body == "{}" && !required.is_empty() {
                    let errors = problem["errors"].as_array().unwrap();
                    let told: Vec<_> = errors.iter().map(|error| error["param"].as_str().unwrap()).collect();
                    assert_eq!(told, required, "{method} {path}");
                }
            }
            asked += 1;
        }
    }
    assert!(asked > 30, "{asked}");
    scene.sound().await;
}

/// The fields that the body of a command must have, as the document says.
fn required(document: &Value, operation: &Value) -> Vec<String> {
    let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
    let schema = match schema["$ref"].as_str() {
        Some(reference) => document.pointer(reference.strip_prefix('#').unwrap()).unwrap(),
        None => schema,
    };
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    required.iter().map(|field| field.as_str().unwrap().to_owned()).collect()
}
