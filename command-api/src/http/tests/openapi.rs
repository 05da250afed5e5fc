//! The document and the routes say the same, every example in the document works, and fingerprints never change.

use std::collections::BTreeSet;

use serde_json::json;

use super::*;
use crate::http::catalogue::CATALOGUE;

fn document() -> Value {
    let (_, document) = router(Scripted::accepting(), Options::default()).split_for_parts();
    serde_json::to_value(&document).unwrap()
}

/// Method, path and operation of everything in the document.
fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let paths = document["paths"].as_object().unwrap();
    let of_path = paths.iter().flat_map(|(path, item)| {
        let operations = item.as_object().unwrap().iter();
        operations.map(move |(method, operation)| (method.to_uppercase(), path.clone(), operation.clone()))
    });
    of_path.collect()
}

fn filled(path: &str) -> String {
    path.split('/').map(|s| if s.starts_with('{') { "x1" } else { s }).collect::<Vec<_>>().join("/")
}

#[test]
fn every_command_and_nothing_else_is_in_the_document() {
    let document = document();
    assert_eq!(document["openapi"], "3.1.0");
    let ids: Vec<String> =
        operations(&document).iter().map(|(_, _, o)| o["operationId"].as_str().unwrap().to_owned()).collect();
    let expected: BTreeSet<String> = CATALOGUE.iter().map(|c| c.name.to_owned()).chain(["batch".to_owned()]).collect();
    assert_eq!(ids.len(), expected.len());
    assert_eq!(ids.into_iter().collect::<BTreeSet<_>>(), expected);
}

#[tokio::test]
async fn every_documented_operation_takes_its_own_example() {
    let document = document();
    let app = app(Scripted::accepting(), Options::default());
    for (method, path, operation) in operations(&document) {
        for (media_type, content) in operation["requestBody"]["content"].as_object().unwrap() {
            let example = &content["example"];
            let body = example.as_str().map_or_else(|| example.to_string(), str::to_owned);
            let request = ask(&method, &filled(&path), "k").header("Content-Type", media_type);
            let response = send(&app, request.body(Body::from(body)).unwrap()).await;
            assert_eq!(response.status, 200, "{method} {path}: {}", String::from_utf8_lossy(&response.bytes));
            for line in response.lines() {
                assert_eq!(line.get("problem"), None, "{method} {path}: {line}");
            }
        }
    }
}

#[tokio::test]
async fn every_documented_operation_needs_what_it_says_it_needs() {
    let document = document();
    let app = app(Scripted::accepting(), Options::default());
    for (method, path, operation) in operations(&document) {
        let documented: BTreeSet<&str> =
            operation["responses"].as_object().unwrap().keys().map(String::as_str).collect();
        for status in ["200", "400", "404", "408", "409", "413", "415", "422", "500", "503"] {
            assert!(documented.contains(status), "{method} {path} does not document {status}");
        }
        if operation["operationId"] == "batch" {
            continue;
        }
        let keyless = send(&app, ask(&method, &filled(&path), "").body(Body::from("{}")).unwrap()).await;
        assert_eq!(keyless.json()["code"], "idempotency_key_missing", "{method} {path}");
        let reference = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].as_str().unwrap();
        let schema = &document["components"]["schemas"][reference.rsplit('/').next().unwrap()];
        let required: BTreeSet<&str> =
            schema["required"].as_array().into_iter().flatten().map(|name| name.as_str().unwrap()).collect();
        let bare = send(&app, ask(&method, &filled(&path), "k").body(Body::from("{}")).unwrap()).await;
        let told = if bare.status == 400 { bare.json() } else { json!({"errors": []}) };
        let missing: BTreeSet<&str> =
            told["errors"].as_array().unwrap().iter().map(|e| e["param"].as_str().unwrap()).collect();
        assert_eq!(missing, required, "{method} {path}");
        assert_eq!(operation["requestBody"]["required"].as_bool().unwrap_or(false), !required.is_empty());
    }
}

#[test]
fn every_reference_in_the_document_leads_somewhere() {
    fn references<'a>(value: &'a Value, found: &mut BTreeSet<&'a str>) {
        match value {
            Value::Object(object) => {
                found.extend(object.get("$ref").and_then(Value::as_str));
                object.values().for_each(|value| references(value, found));
            }
            Value::Array(elements) => elements.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }
    let document = document();
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    assert!(found.len() > CATALOGUE.len());
    for reference in found {
        let name = reference.strip_prefix("#/components/schemas/").unwrap();
        assert!(document["components"]["schemas"].get(name).is_some(), "{reference}");
    }
}

#[tokio::test]
async fn a_created_status_is_documented_where_the_engine_gives_it() {
    let server = Server::start();
    let document = document();
    let of = |id: &str| {
        let found = operations(&document).into_iter().find(|(_, _, o)| o["operationId"] == id);
        found.unwrap().2["responses"].as_object().unwrap().contains_key("201")
    };
    let open = json!({"account_id": "a", "owner_id": "o", "currency": "USD"});
    assert_eq!((server.post("/v1/accounts", "1", &open).await.status, of("open_account")), (201, true));
    let deposit = json!({"amount": {"amount": 9, "currency": "USD"}});
    assert_eq!((server.post("/v1/accounts/a/deposits", "2", &deposit).await.status, of("deposit")), (200, false));
    assert_eq!((server.post("/v1/accounts/a/holds", "3", &deposit).await.status, of("place_hold")), (201, true));
    server.stop();
}

#[tokio::test]
async fn a_command_keeps_its_fingerprint_for_ever() {
    let golden: Vec<(Value, String)> = serde_json::from_str(include_str!("fingerprints.json")).unwrap();
    let engine = Scripted::accepting();
    let app = app(engine.clone(), Options::default());
    let lines: Vec<String> = golden.iter().map(|(line, _)| line.to_string()).collect();
    let response = send(&app, ask("POST", "/v1/commands", "").body(Body::from(lines.join("\n"))).unwrap()).await;
    assert_eq!(response.lines().iter().map(|line| &line["status"]).filter(|s| **s != 200).count(), 0);
    let asked: Vec<_> = engine.asked().into_iter().flat_map(|submission| submission.requests).collect();
    for ((line, fingerprint), asked) in golden.iter().zip(&asked) {
        let found = format!("{:032x}", asked.fingerprint);
        assert_eq!(&found, fingerprint, "fingerprints are in the logs of the past, so this must not change: {line}");
    }
    let covered: BTreeSet<&str> = asked.iter().map(|request| request.command_type).collect();
    assert_eq!(
        covered,
        CATALOGUE.iter().map(|command| command.name).collect(),
        "each command needs a line in the file"
    );
}

#[tokio::test]
async fn a_command_has_the_same_fingerprint_on_its_route_and_in_a_batch() {
    let engine = Scripted::accepting();
    let app = app(engine.clone(), Options::default());
    let body = r#"{"expected_version":3,"amount":{"currency":"USD","amount":1250}}"#;
    let request = ask("POST", "/v1/accounts/acct_1/deposits", "k").body(Body::from(body)).unwrap();
    assert_eq!(send(&app, request).await.status, 200);
    let line = r#"{"key":"k","amount":{"amount":1250,"currency":"USD"},"reference":null,"account_id":"acct_1","expected_version":3,"type":"deposit"}"#;
    let request = ask("POST", "/v1/commands", "").body(Body::from(line)).unwrap();
    assert_eq!(send(&app, request).await.status, 200);
    let asked = engine.asked();
    let [alone, in_batch] = [&asked[0].requests[0], &asked[1].requests[0]];
    assert_eq!(alone.fingerprint, in_batch.fingerprint);
    assert_eq!(alone.command, in_batch.command);
}
