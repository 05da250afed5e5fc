//! Heads of requests that cannot be taken: paths, ids, methods, headers.

use serde_json::json;

use super::{expect, told};
use crate::scene::{Scene, gbp};
use crate::wire::{Ask, Wire};

const DEPOSIT: &str = r#"{"amount":{"amount":5,"currency":"GBP"}}"#;
const CHARACTERS: &str = "use 1 to 64 characters out of A-Z a-z 0-9 _ . : -";

#[tokio::test]
async fn an_id_in_a_path_has_no_odd_characters() {
    let scene = Scene::new().await;
    let wrong = |why: &str| told(400, "invalid_request", "path.account_id", &format!("path.account_id: {why}"));
    let has = |character: &str| wrong(&format!("account id contains {character}; {CHARACTERS}"));
    let unknown = |id: &str| told(404, "account_not_found", "", &format!("there is no account {id}; open it first"));
    let too_long = |bytes| {
        wrong(&format!("account id has {bytes} bytes; at most 64 characters out of A-Z a-z 0-9 _ . : - are allowed"))
    };
    let (longest, longer) = ("x".repeat(64), "x".repeat(65));
    let longest_of_all = "x".repeat(60_000);
    let cases = vec![
        ("a%2Fb", has("'/'")),
        ("..%2f..%2fetc%2fpasswd", has("'/'")),
        ("%00", has("'\\0'")),
        ("a%00b", has("'\\0'")),
        ("a%0d%0aX-Evil:%20yes", has("'\\r'")),
        ("%C3%BC", has("'ü'")),
        ("ü", has("'ü'")),
        ("%F0%9F%98%80", has("'😀'")),
        ("a%20b", has("' '")),
        ("a+b", has("'+'")),
        ("a;b", has("';'")),
        ("%", has("'%'")),
        ("%zz", has("'%'")),
        ("%27%20OR%201=1--", has("'\\''")),
        ("%E2%80%AE", has("'\\u{202e}'")),
        ("", wrong(&format!("account id must not be empty; {CHARACTERS}"))),
        (&longer, too_long(65)),
        (&longest_of_all, too_long(60_000)),
        ("%FF", told(400, "invalid_request", "path", "an id in the path is not UTF-8 after decoding")),
        // Names like any other: nothing walks up a path.
        ("..", unknown("..")),
        (".", unknown(".")),
        ("%2e%2e", unknown("..")),
        (&longest, unknown(&longest)),
    ];
    let cases =
        cases.into_iter().map(|(id, told)| (Ask::command(&format!("/v1/accounts/{id}/deposits"), DEPOSIT), told));
    expect(&scene, cases.collect()).await;
    scene.sound().await;
}

#[tokio::test]
async fn an_unknown_path_is_told_with_those_that_look_like_it() {
    let scene = Scene::new().await;
    let nowhere = |asked: &str, near: &str| {
        let near = if near.is_empty() { String::new() } else { format!(" did you mean {near}?") };
        told(404, "route_not_found", "", &format!("there is no {asked};{near} GET /openapi.json lists every route"))
    };
    let cases = vec![
        (Ask::new("POST", "/v1/account"), nowhere("POST /v1/account", "GET /v1/accounts or POST /v1/accounts")),
        (
            Ask::new("POST", "/v1/accounts/a/deposit"),
            nowhere("POST /v1/accounts/a/deposit", "POST /v1/accounts/{id}/deposits"),
        ),
        (
            Ask::new("POST", "/v1/accounts/a/deposits/"),
            nowhere("POST /v1/accounts/a/deposits/", "POST /v1/accounts/{id}/deposits"),
        ),
        (Ask::new("GET", "/../../etc/passwd"), nowhere("GET /../../etc/passwd", "")),
        (Ask::new("GET", "/%2e%2e/%2e%2e/etc/passwd"), nowhere("GET /%2e%2e/%2e%2e/etc/passwd", "")),
        (Ask::new("GET", "/favicon.ico"), nowhere("GET /favicon.ico", "")),
        (Ask::new("OPTIONS", "*"), nowhere("OPTIONS *", "")),
        (
            Ask::new("GET", "/problems/no_such_code"),
            told(404, "route_not_found", "", "there is no problem code \"no_such_code\"; GET /problems lists them all"),
        ),
    ];
    expect(&scene, cases).await;
    scene.sound().await;
}

#[tokio::test]
async fn a_method_that_a_path_does_not_take_is_answered_with_those_it_takes() {
    let scene = Scene::new().await;
    let mut wire = Wire::to(&scene.server).await;
    for (method, path, allowed) in [
        ("GET", "/v1/commands", "POST"),
        ("PUT", "/v1/accounts", "GET,HEAD,POST"),
        ("DELETE", "/v1/accounts/a", "GET,HEAD"),
        ("get", "/v1/accounts", "GET,HEAD,POST"),
        ("TRACE", "/v1/accounts/a/deposits", "POST"),
        ("OPTIONS", "/v1/orders/o/items/p", "DELETE,PATCH"),
        ("BREW", "/health/live", "GET,HEAD"),
        ("POST", "/openapi.json", "GET,HEAD"),
        ("POST", "/metrics", "GET,HEAD"),
        ("POST", "/problems/invalid_request", "GET,HEAD"),
    ] {
        let answer = wire.ask(&Ask::new(method, path)).await;
        let problem = scene.problem(&answer).await;
        assert_eq!(problem["code"], "method_not_allowed", "{method} {path}");
        let detail = format!("{path} cannot be asked with {method}; the header Allow names the methods that it takes");
        assert_eq!(problem["detail"], detail);
        let mut allow: Vec<_> = answer.header("allow").unwrap().split(',').collect();
        allow.sort_unstable();
        assert_eq!(allow.join(","), allowed, "{method} {path}");
    }
    scene.sound().await;
}

#[tokio::test]
async fn keys_are_missing_malformed_or_used_for_something_else() {
    let scene = Scene::new().await;
    scene.account("a", 0).await;
    let deposit = |key: &[u8]| {
        Ask::command("/v1/accounts/a/deposits", DEPOSIT).without("Idempotency-Key").header("Idempotency-Key", key)
    };
    let invalid = |why: &str| {
        let detail = format!("the header Idempotency-Key {why}; use 1 to 255 visible ASCII characters, such as a UUID");
        told(400, "idempotency_key_invalid", "Idempotency-Key", &detail)
    };
    let not_visible = "has a space or a character that is not visible ASCII";
    let cases = vec![
        (
            Ask::command("/v1/accounts/a/deposits", DEPOSIT).without("Idempotency-Key"),
            told(
                400,
                "idempotency_key_missing",
                "Idempotency-Key",
                "the header Idempotency-Key is missing; send a new one with every new command (a UUID, say), and the \
                 same one again when you repeat a command, so that it is done once",
            ),
        ),
        (deposit(b""), invalid("is empty")),
        (deposit(b"   "), invalid("is empty")),
        (deposit(b"two words"), invalid(not_visible)),
        (deposit(b"tab\there"), invalid(not_visible)),
        (deposit("schlüssel".as_bytes()), invalid(not_visible)),
        (deposit(b"\xff\xfe"), invalid(not_visible)),
        (deposit(&[b'k'; 256]), invalid("has 256 characters")),
        (
            deposit(b"one").header("Idempotency-Key", "two"),
            told(
                400,
                "idempotency_key_invalid",
                "Idempotency-Key",
                "the header Idempotency-Key stands more than once; send one key",
            ),
        ),
    ];
    expect(&scene, cases).await;

    let mut wire = Wire::to(&scene.server).await;
    let longest = [b'k'; 255];
    assert_eq!(wire.ask(&deposit(&longest)).await.status, 200);
    let reused = told(
        409,
        "idempotency_key_reused",
        "Idempotency-Key",
        "this idempotency key was used before for a different command; use a new key for a new command, or send the \
         first command again, unchanged, to get its answer",
    );
    let other_amount = deposit(&longest).body(r#"{"amount":{"amount":6,"currency":"GBP"}}"#);
    let other_command = Ask::command("/v1/accounts/a/close", "{}").without("Idempotency-Key");
    let other_command = other_command.header("Idempotency-Key", longest);
    expect(&scene, vec![(other_amount, reused.clone()), (other_command, reused)]).await;
    let again = wire.ask(&deposit(&longest)).await.json();
    assert_eq!((&again["replayed"], &again["result"]["balance"]), (&json!(true), &gbp(5)));
    scene.sound().await;
}

#[tokio::test]
async fn headers_and_query_parameters_that_cannot_be_are_told() {
    let scene = Scene::new().await;
    scene.account("a", 0).await;
    let close = || Ask::command("/v1/accounts/a/close", "{}");
    let if_match = "If-Match must be one version in double quotes, as an answer gives it in the header ETag: \"3\"";
    let wrong_version =
        |value: &str| (close().header("If-Match", value), told(400, "invalid_request", "If-Match", if_match));
    let correlation = "X-Correlation-Id must be at most 128 visible ASCII characters";
    let with_type = |media_type: &str| close().without("Content-Type").header("Content-Type", media_type);
    let not_json = |media_type: &str, essence: &str| {
        let detail = format!(
            "the body has Content-Type {essence:?}; send application/json (with curl: -H 'Content-Type: application/json')"
        );
        (with_type(media_type), told(415, "unsupported_media_type", "Content-Type", &detail))
    };
    let encoded = |encoding: &str| {
        let detail = format!("the body has Content-Encoding {encoding:?}; send it as it is");
        (close().header("Content-Encoding", encoding), told(415, "unsupported_media_type", "Content-Encoding", &detail))
    };
    let query = |query: &str, param: &str, detail: &str| {
        (Ask::command(&format!("/v1/accounts/a/close?{query}"), "{}"), told(400, "invalid_request", param, detail))
    };
    let cases = vec![
        wrong_version("3"),
        wrong_version("*"),
        wrong_version("W/\"3\""),
        wrong_version("\"3\", \"4\""),
        wrong_version("\"-1\""),
        wrong_version("\"+1\""),
        wrong_version("\"\""),
        wrong_version("\"99999999999999999999\""),
        wrong_version("garbage"),
        (
            close().header("If-Match", "\"3\"").body(r#"{"expected_version":4}"#),
            told(
                400,
                "invalid_request",
                "If-Match",
                "If-Match asks for version 3, expected_version for 4; send one of them",
            ),
        ),
        (
            Ask::command("/v1/transfers/t/reverse", r#"{"reason":"x"}"#).header("If-Match", "\"3\""),
            told(
                400,
                "invalid_request",
                "If-Match",
                "reverse_transfer concerns two accounts, so it cannot be asked at a version of one; leave If-Match out",
            ),
        ),
        (close().header("X-Correlation-Id", "a b"), told(400, "invalid_request", "X-Correlation-Id", correlation)),
        (
            close().header("X-Correlation-Id", [b'x'; 129]),
            told(400, "invalid_request", "X-Correlation-Id", correlation),
        ),
        not_json("text/plain", "text/plain"),
        not_json("application/x-www-form-urlencoded", "application/x-www-form-urlencoded"),
        not_json("application/vnd.api+json", "application/vnd.api+json"),
        not_json("multipart/form-data; boundary=x", "multipart/form-data"),
        not_json("*/*", "*/*"),
        not_json("", ""),
        encoded("gzip"),
        encoded("br, gzip"),
        query("dry_run=1", "dry_run", "dry_run must be true or false, not \"1\""),
        query("dry_run=", "dry_run", "dry_run must be true or false, not \"\""),
        query("dry_run=true%00", "dry_run", "dry_run must be true or false, not \"true\\0\""),
        query("dryrun=true", "dryrun", "dryrun is not a query parameter here; did you mean dry_run?"),
        query("dry_run=true&dry_run=true", "dry_run", "the query parameter dry_run stands twice"),
        query("verbose", "verbose", "verbose is not a query parameter here; there is dry_run here"),
        query("=x", "\"\"", "\"\" is not a query parameter here; there is dry_run here"),
    ];
    expect(&scene, cases).await;

    let problem = scene.refused("/v1/accounts/a/close", json!({"expected_version": 7})).await;
    assert_eq!((&problem["status"], &problem["figures"]), (&json!(409), &json!({"expected": 7, "actual": 0})));
    let problem = scene.refused("/v1/accounts/b/close", json!({"expected_version": 7})).await;
    assert_eq!(problem["code"], "account_not_found");
    let mut wire = Wire::to(&scene.server).await;
    for media_type in ["application/json; charset=utf-8", "APPLICATION/JSON", "application/json ;x=y"] {
        let problem = scene.problem(&wire.ask(&with_type(media_type).body("[]")).await).await;
        assert_eq!(problem["code"], "malformed_json", "{media_type} is JSON");
    }
    assert_eq!(wire.ask(&close().without("Content-Type").header("If-Match", "\"0\"")).await.status, 200);
    scene.sound().await;
}
