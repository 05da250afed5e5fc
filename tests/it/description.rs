//! What the server says of itself: the OpenAPI document, the page to try it, the metrics.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::postgres::NOWHERE;
use crate::server::Server;

#[tokio::test]
async fn one_document_describes_commands_queries_and_operations() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&folder.path().join("log"), NOWHERE);
    let document = server.client().found("/openapi.json").await;
    assert_eq!(document["openapi"], "3.1.0");
    let paths = document["paths"].as_object().unwrap();
    for (path, method) in [
        ("/v1/accounts", "post"),
        ("/v1/accounts", "get"),
        ("/v1/commands", "post"),
        ("/v1/analytics/sales", "get"),
        ("/v1/events", "get"),
        ("/v1/events/stream", "get"),
        ("/health/ready", "get"),
    ] {
        assert!(paths[path][method].is_object(), "{method} {path}");
    }
    let operations = paths.values().flat_map(|item| item.as_object().unwrap().values());
    let ids: Vec<_> = operations.filter_map(|operation| operation["operationId"].as_str()).collect();
    let different: BTreeSet<_> = ids.iter().collect();
    assert_eq!(different.len(), ids.len(), "every operation has a name of its own: {ids:?}");

    let (status, page) = server.client().get("/docs/").await;
    assert_eq!(status, 200);
    assert!(page.as_str().unwrap().contains("swagger-ui"), "{page}");
}

#[tokio::test]
async fn what_has_happened_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&folder.path().join("log"), NOWHERE);
    let client = server.client();
    let body = serde_json::json!({"account_id": "a", "owner_id": "o", "currency": "GBP"});
    client.accepted("/v1/accounts", "k", &body).await;
    let Value::String(metrics) = client.found("/metrics").await else { panic!("metrics are text") };
    for line in [
        "bursar_commands_total{outcome=\"accepted\"} 1",
        "bursar_http_requests_total{method=\"POST\",route=\"/v1/accounts\",status=\"201\"} 1",
        "bursar_http_request_seconds_count{method=\"POST\",route=\"/v1/accounts\"} 1",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line} is not in\n{metrics}");
    }
}
