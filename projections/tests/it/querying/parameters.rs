//! Parameters: every mistake is named, all at once, and the document says which parameters there are.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use utoipa::openapi::RefOr;
use utoipa::openapi::path::ParameterIn;

use super::api_over;
use crate::support::history::History;
use crate::support::shop;

#[tokio::test]
async fn all_mistakes_of_a_query_are_told_at_once() {
    let api = api_over(&History::default()).await;
    let (status, problem) = api
        .problem("/v1/orders?customer_id=a%20b&state=lost&from=yesterday&limit=0&cursor=zz&min_position=-1&wait_ms=30001&colour=red&to=2010-12-01&to=2010-12-02")
        .await;
    assert_eq!((status, &problem["code"], &problem["param"]), (400, &json!("invalid_request"), &json!("customer_id")));
    let told: Vec<_> = problem["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| [e["param"].as_str().unwrap(), e["code"].as_str().unwrap()])
        .collect();
    assert_eq!(
        told,
        [
            ["customer_id", "invalid_value"],
            ["state", "invalid_value"],
            ["from", "invalid_value"],
            ["to", "duplicate_field"],
            ["limit", "invalid_value"],
            ["cursor", "invalid_value"],
            ["min_position", "invalid_value"],
            ["wait_ms", "invalid_value"],
            ["colour", "unknown_field"],
        ]
    );
    assert_eq!(problem["detail"], "9 parameters are wrong; errors lists them");
}

#[tokio::test]
async fn a_single_mistake_says_what_to_do() {
    let api = api_over(&History::default()).await;
    for (path, param, detail) in [
        (
            "/v1/accounts/a%20b",
            "id",
            "id is \"a b\": account id contains ' '; use 1 to 64 characters out of A-Z a-z 0-9 _ . : -",
        ),
        (
            "/v1/accounts/a%00b/statement",
            "id",
            "id is \"a\\0b\": account id contains '\\0'; use 1 to 64 characters out of A-Z a-z 0-9 _ . : -",
        ),
        ("/v1/accounts?status=shut", "status", "status is \"shut\": use open, frozen_debits, frozen, closed"),
        ("/v1/products?limit=1001", "limit", "limit is \"1001\": use 1 to 1000"),
        ("/v1/analytics/sales", "by", "by is required: day, month, product, customer"),
        (
            "/v1/analytics/sales?by=day&from=2010-12-01T00:00:00Z",
            "from",
            "from is \"2010-12-01T00:00:00Z\": use a day such as 2026-01-31",
        ),
        (
            "/v1/accounts/a?at=noon",
            "at",
            "at is \"noon\": use a position of the log such as 4711, or an RFC 3339 time such as 2026-01-31T08:00:00Z",
        ),
        (
            "/v1/rejections?principal=%00",
            "principal",
            "principal is \"\\0\": use 1 to 256 characters without control characters",
        ),
        ("/v1/transfers/t?limit=5", "limit", "there is no parameter \"limit\" here; there are min_position, wait_ms"),
    ] {
        let (status, problem) = api.problem(path).await;
        assert_eq!((status, &problem["param"], &problem["detail"]), (400, &json!(param), &json!(detail)), "{path}");
    }
}

#[tokio::test]
async fn a_cursor_is_of_no_use_for_another_query() {
    let api = api_over(&shop::two_days()).await;
    let cursor = api.get("/v1/accounts?status=open&limit=1").await["next_cursor"].as_str().unwrap().to_owned();
    api.get(&format!("/v1/accounts?limit=3&cursor={cursor}&status=open&min_position=1")).await;
    for path in ["/v1/accounts?", "/v1/accounts?status=closed&", "/v1/products?"] {
        let (status, problem) = api.problem(&format!("{path}cursor={cursor}")).await;
        assert_eq!((status, &problem["param"]), (400, &json!("cursor")), "{path}");
    }
}

#[tokio::test]
async fn the_document_names_every_parameter_that_is_taken_and_no_other() {
    let api = api_over(&History::default()).await;
    let mut routes = 0;
    for (path, item) in &api.document.paths.paths {
        let (method, operation) = match (&item.get, &item.post) {
            (Some(operation), None) => ("GET", operation),
            (None, Some(operation)) => ("POST", operation),
            _ => panic!("{path} is asked with GET or with POST"),
        };
        let documented: BTreeSet<_> = operation
            .parameters
            .iter()
            .flatten()
            .filter_map(|p| match p {
                RefOr::T(p) if p.parameter_in == ParameterIn::Query => Some(p.name.clone()),
                _ => None,
            })
            .collect();
        let asked = format!("{}?bogus=1", path.replace("{id}", "x").replace("{stream}", "s"));
        let answered = api.send(method, &asked).await;
        let problem = answered.body;
        assert_eq!((answered.status, &problem["code"]), (400, &json!("invalid_request")), "{path}");
        let errors = problem["errors"].as_array().unwrap();
        let unknown = errors.iter().find(|error| error["code"] == "unknown_field").unwrap();
        let (_, taken) = unknown["detail"].as_str().unwrap().split_once("there are ").unwrap();
        let taken: BTreeSet<_> = taken.split(", ").filter(|name| *name != "none").map(str::to_owned).collect();
        assert_eq!(taken, documented, "{path}");
        assert!(operation.responses.responses.contains_key("503"), "{path}");
        assert!(operation.summary.is_some() && operation.tags.is_some(), "{path}");
        routes += 1;
    }
    assert_eq!(routes, 18);
    let document: Value = serde_json::from_str(&api.document.to_json().unwrap()).unwrap();
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        assert!(
            schema["description"].as_str().is_some_and(|text| !text.is_empty()),
            "{name} says nothing about itself"
        );
    }
}
