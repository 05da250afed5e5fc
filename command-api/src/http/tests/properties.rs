//! Whatever is sent: no panic, no 5xx, and every answer that is not a success is a problem with a documented code.

use std::sync::LazyLock;

use http_problem::explanation;
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Map, json};

use super::*;
use crate::http::catalogue::CATALOGUE;
use crate::http::document::bodies::line_example;

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[ -~]{0,12}".prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        Just(json!({"amount": 5, "currency": "USD"})),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec(("[a-z_]{0,8}", inner), 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// The example of some command, with some of its fields replaced by something else, left out, or joined by others.
fn nearly_a_command() -> impl Strategy<Value = Value> {
    let change = (any::<prop::sample::Index>(), prop_oneof![Just(None), any_json().prop_map(Some)]);
    (0..CATALOGUE.len(), vec(change, 0..4), vec(("[a-z_]{1,9}", any_json()), 0..2)).prop_map(
        |(command, changes, more)| {
            let Value::Object(mut line) = line_example(&CATALOGUE[command]) else {
                unreachable!("a line is an object")
            };
            for (index, value) in changes {
                if line.is_empty() {
                    break;
                }
                let name = line.keys().nth(index.index(line.len())).unwrap().clone();
                match value {
                    Some(value) => line.insert(name, value),
                    None => line.remove(&name),
                };
            }
            line.extend(more);
            Value::Object(line)
        },
    )
}

fn any_body() -> impl Strategy<Value = Vec<u8>> {
    let text = prop_oneof![nearly_a_command(), any_json()].prop_map(|value| value.to_string().into_bytes());
    let lines = vec(text, 1..4).prop_map(|lines| lines.join(&b'\n'));
    let broken = (lines, vec((any::<prop::sample::Index>(), any::<u8>()), 0..3)).prop_map(|(mut bytes, changes)| {
        for (index, byte) in changes {
            let at = index.index(bytes.len());
            bytes[at] = byte;
        }
        bytes
    });
    prop_oneof![4 => broken, 1 => vec(any::<u8>(), 0..200)]
}

fn checked(status: u16, problem: &Value) {
    assert!(status < 500, "{problem}");
    let code = problem["code"].as_str().unwrap();
    let explained = explanation(code).unwrap_or_else(|| panic!("{code} is not documented"));
    assert!(explained.statuses.contains(&status), "{code} with {status}");
    assert!(!problem["detail"].as_str().unwrap().is_empty());
    if code == "invalid_request" {
        assert_ne!(problem["errors"], json!([]), "{problem}");
        assert!(!problem["errors"].is_null(), "{problem}");
    }
}

static APP: LazyLock<Router> =
    LazyLock::new(|| app(Scripted::accepting(), Options { batch_chunk_commands: 2, ..Options::default() }));

fn answers(path: &str, method: &str, query: &str, body: Vec<u8>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let request = ask(method, &format!("{path}{query}"), "k").body(Body::from(body)).unwrap();
        let response = send(&APP, request).await;
        if response.status != 200 {
            return checked(response.status, &response.json());
        }
        for line in response.lines() {
            if let Some(problem) = line.get("problem") {
                checked(line["status"].as_u64().unwrap().try_into().unwrap(), problem);
            }
        }
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn no_body_of_a_command_is_too_much(body in any_body(), route in 0..4_usize) {
        let (method, path) = [
            ("POST", "/v1/transfers"),
            ("PATCH", "/v1/orders/o/items/p"),
            ("POST", "/v1/orders/o/returns"),
            ("POST", "/v1/payments"),
        ][route];
        answers(path, method, "", body);
    }

    #[test]
    fn no_batch_is_too_much(body in any_body(), atomic in any::<bool>()) {
        answers("/v1/commands", "POST", if atomic { "?mode=atomic" } else { "" }, body);
    }

    #[test]
    fn no_path_is_too_much(id in "[!-~]{1,80}", query in "[!-~]{0,40}") {
        let encoded: String = id.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let query: String = query.chars().filter(|c| !matches!(c, '"' | '<' | '>' | '\\' | '^' | '`' | '{' | '|' | '}')).collect();
        answers(&format!("/v1/accounts/{encoded}/close"), "POST", &format!("?{query}"), Vec::new());
    }
}
