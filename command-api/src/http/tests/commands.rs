//! Commands on the real engine: answers, refusals, keys, versions, dry runs; and what is told when it cannot answer.

use serde_json::json;

use super::*;

fn usd(amount: i64) -> Value {
    json!({"amount": amount, "currency": "USD"})
}

async fn done(server: &Server, path: &str, key: &str, body: Value) -> Value {
    let response = server.post(path, key, &body).await;
    assert!(matches!(response.status, 200 | 201), "{path}: {}", String::from_utf8_lossy(&response.bytes));
    response.json()
}

async fn with_money(server: &Server, account: &str, amount: i64) {
    let key = |what: &str| format!("{account}/{what}");
    let open = json!({"account_id": account, "owner_id": "o", "currency": "USD"});
    done(server, "/v1/accounts", &key("open"), open).await;
    if amount > 0 {
        let path = format!("/v1/accounts/{account}/deposits");
        done(server, &path, &key("fund"), json!({"amount": usd(amount)})).await;
    }
}

#[tokio::test]
async fn an_accepted_command_is_answered_with_its_events_and_where_they_stand() {
    let server = Server::start();
    let body = json!({"account_id": "alice", "owner_id": "o1", "currency": "USD"});
    let response = server.post("/v1/accounts", "k1", &body).await;
    assert_eq!(response.status, 201);
    assert_eq!(
        response.json(),
        json!({
            "result": {
                "account_id": "alice", "owner_id": "o1", "status": "open",
                "balance": usd(0), "held": usd(0), "available": usd(0)
            },
            "events": [{"type": "account_opened", "stream": "account-alice", "version": 0, "position": 1}],
            "position": 1,
            "replayed": false
        })
    );
    let headers = ["content-type", "etag", "bursar-position"].map(|name| response.header(name));
    assert_eq!(headers, [Some("application/json"), Some("\"0\""), Some("1")]);
    assert!(response.header("x-request-id").is_some());
    server.stop();
}

#[tokio::test]
async fn a_repeated_key_is_answered_again_and_a_reused_one_is_refused() {
    let server = Server::start();
    let body = json!({"owner_id": "o1", "currency": "USD"});
    let first = server.post("/v1/accounts", "k1", &body).await;
    let id = first.json()["result"]["account_id"].as_str().unwrap().to_owned();
    assert!(id.starts_with("acct_"), "{id}");

    // The same command written differently, and still without the id that was made for it.
    let written = "{ \"currency\" : \"USD\", \"account_id\": null,\n\"owner_id\":\"o1\" }";
    let again = send(&server.app, ask("POST", "/v1/accounts", "k1").body(Body::from(written)).unwrap()).await;
    let (mut expected, told) = (first.json(), again.json());
    expected["replayed"] = json!(true);
    assert_eq!((again.status, told), (201, expected));

    let other = server.post("/v1/accounts", "k1", &json!({"owner_id": "o2", "currency": "USD"})).await;
    let problem = other.json();
    assert_eq!(
        (other.status, &problem["code"], &problem["param"]),
        (409, &json!("idempotency_key_reused"), &json!("Idempotency-Key"))
    );
    server.stop();
}

#[tokio::test]
async fn a_refusal_is_a_problem_with_its_figures_and_stays_with_its_key() {
    let server = Server::start();
    with_money(&server, "alice", 500).await;
    let body = json!({"amount": usd(1250)});
    let refused = server.post("/v1/accounts/alice/withdrawals", "k9", &body).await;
    let mut problem = refused.json();
    assert_eq!(refused.status, 422);
    assert_eq!(refused.header("content-type"), Some("application/problem+json"));
    assert_eq!(refused.header("bursar-position"), Some("3"));
    let request_id = problem["request_id"].take();
    assert_eq!(request_id, refused.header("x-request-id").unwrap());
    assert_eq!(
        problem,
        json!({
            "type": "/problems/insufficient_funds", "title": "Insufficient funds", "status": 422,
            "code": "insufficient_funds", "retryable": false, "request_id": null,
            "detail": "account alice has 5.00 USD available, 12.50 USD was asked",
            "figures": {"account_id": "alice", "available": usd(500), "requested": usd(1250)},
            "position": 3, "replayed": false
        })
    );

    done(&server, "/v1/accounts/alice/deposits", "k10", json!({"amount": usd(1000)})).await;
    let again = server.post("/v1/accounts/alice/withdrawals", "k9", &body).await.json();
    assert_eq!(
        [&again["code"], &again["replayed"], &again["position"]],
        [&json!("insufficient_funds"), &json!(true), &json!(3)]
    );
    server.stop();
}

#[tokio::test]
async fn a_version_can_be_asked_for_in_the_header_or_in_the_body() {
    let server = Server::start();
    with_money(&server, "alice", 500).await;
    let path = "/v1/accounts/alice/deposits";
    let stale =
        ask("POST", path, "s1").header("If-Match", "\"0\"").body(Body::from(json!({"amount": usd(1)}).to_string()));
    let stale = send(&server.app, stale.unwrap()).await;
    assert_eq!((stale.status, stale.json()["figures"].clone()), (409, json!({"expected": 0, "actual": 1})));
    let fresh =
        ask("POST", path, "s2").header("If-Match", "\"1\"").body(Body::from(json!({"amount": usd(1)}).to_string()));
    assert_eq!(send(&server.app, fresh.unwrap()).await.header("etag"), Some("\"2\""));
    let in_body = json!({"amount": usd(1), "expected_version": 1});
    assert_eq!(server.post(path, "s3", &in_body).await.json()["code"], "version_conflict");
    // In the header or in the body, it is the same request.
    let again = server.post(path, "s2", &in_body).await;
    assert_eq!((again.status, again.json()["replayed"].clone()), (200, json!(true)));
    server.stop();
}

#[tokio::test]
async fn a_dry_run_tells_the_answer_and_changes_nothing() {
    let server = Server::start();
    let body = json!({"account_id": "alice", "owner_id": "o", "currency": "USD"});
    let response = server.post("/v1/accounts?dry_run=true", "k1", &body).await;
    assert_eq!((response.status, response.header("bursar-position")), (200, None));
    let told = response.json();
    assert_eq!([&told["position"], &told["events"][0]["position"]], [&Value::Null, &Value::Null]);
    let refused = server.post("/v1/accounts/alice/close?dry_run=true", "k2", &json!({})).await;
    let problem = refused.json();
    assert_eq!(
        (refused.status, &problem["code"], &problem["position"]),
        (404, &json!("account_not_found"), &Value::Null)
    );
    assert!(problem.as_object().unwrap().contains_key("position"));
    assert_eq!(done(&server, "/v1/accounts", "k1", body).await["position"], 1);
    server.stop();
}

#[tokio::test]
async fn that_a_product_does_not_exist_depends_on_who_names_it() {
    let server = Server::start();
    done(&server, "/v1/orders", "k1", json!({"order_id": "o1", "customer_id": "c", "currency": "USD"})).await;
    let own = server.post("/v1/products/p9/stock-receipts", "k2", &json!({"quantity": 1})).await;
    let other = server.post("/v1/orders/o1/items", "k3", &json!({"product_id": "p9", "quantity": 1})).await;
    for (response, status) in [(own, 404), (other, 422)] {
        assert_eq!((response.status, response.json()["code"].clone()), (status, json!("unknown_product")));
    }
    server.stop();
}

#[tokio::test]
async fn an_order_goes_all_the_way_from_cart_to_refund() {
    let server = Server::start();
    with_money(&server, "alice", 10_000).await;
    with_money(&server, "shop", 0).await;
    let product = json!({"product_id": "mug", "name": "Mug", "unit_price": usd(500), "tax_rate_bps": 1000});
    let line = json!({"product_id": "mug", "quantity": 2});
    let payment = json!({
        "payment_id": "p1", "order_id": "o1", "payer": {"account_id": "alice"}, "payee_account_id": "shop",
        "amount": usd(1300), "capture": "on_shipment"
    });
    let steps = [
        ("POST", "/v1/products", product, 201),
        ("POST", "/v1/products/mug/stock-receipts", json!({"quantity": 5}), 200),
        ("POST", "/v1/orders", json!({"order_id": "o1", "customer_id": "c1", "currency": "USD"}), 201),
        ("POST", "/v1/orders/o1/items", json!({"product_id": "mug", "quantity": 1}), 200),
        ("PATCH", "/v1/orders/o1/items/mug", json!({"quantity": 2}), 200),
        ("POST", "/v1/orders/o1/shipping", json!({"method": "standard", "cost": usd(200)}), 200),
        ("POST", "/v1/orders/o1/place", json!({"expected_total": usd(1300)}), 200),
        ("POST", "/v1/payments", payment, 201),
        ("POST", "/v1/orders/o1/shipments", json!({"shipment_id": "s1", "carrier": "DHL"}), 201),
        ("POST", "/v1/orders/o1/shipments/s1/delivery", json!({}), 200),
        ("POST", "/v1/orders/o1/returns", json!({"return_id": "r1", "lines": [line], "reason": "broken"}), 201),
        ("POST", "/v1/orders/o1/returns/r1/receipt", json!({}), 200),
    ];
    for (step, (method, path, body, status)) in steps.into_iter().enumerate() {
        let request = ask(method, path, &format!("step-{step}")).body(Body::from(body.to_string())).unwrap();
        let response = send(&server.app, request).await;
        assert_eq!(response.status, status, "{method} {path}: {}", String::from_utf8_lossy(&response.bytes));
    }
    let removed = ask("DELETE", "/v1/orders/o1/items/mug", "step-x").body(Body::empty()).unwrap();
    let removed = send(&server.app, removed).await;
    assert_eq!((removed.status, removed.json()["code"].clone()), (409, json!("invalid_order_state")));

    // The goods and their tax are given back, the sending is not.
    let all = json!({"amount": usd(1_000_000)});
    let left = server.post("/v1/accounts/alice/withdrawals?dry_run=true", "probe", &all).await.json();
    assert_eq!(left["figures"]["available"], usd(10_000 - 200));
    let refused = server.post("/v1/payments/p1/refunds", "too-much", &json!({"amount": usd(201)})).await;
    let figures = refused.json()["figures"].clone();
    assert_eq!((refused.status, &figures["refundable"]), (422, &usd(200)));
    server.stop();
}

#[tokio::test]
async fn an_engine_that_cannot_answer_is_told_apart() {
    let cases = [
        (Unavailable::QueueFull { queued: 7 }, 503, "queue_full", true, Some("1"), json!({"queued": 7})),
        (Unavailable::DiskFull { detail: "0 bytes left".into() }, 503, "disk_full", true, Some("30"), Value::Null),
        (Unavailable::NotReady { detail: "EIO".into() }, 503, "storage_not_ready", true, Some("5"), Value::Null),
        (Unavailable::Stopping, 503, "stopping", true, Some("5"), Value::Null),
        (Unavailable::TooLarge { detail: "big".into() }, 413, "transaction_too_large", false, None, Value::Null),
        (Unavailable::Unknown { reason: "EIO".into() }, 500, "outcome_unknown", true, Some("5"), Value::Null),
    ];
    for (why, status, code, retryable, retry_after, figures) in cases {
        let not_taken = why.clone();
        let engines = [Scripted::failing(why), Scripted::new(move |_| Ok(vec![Outcome::NotTaken(not_taken.clone())]))];
        for engine in engines {
            let app = app(engine, Options::default());
            let request = ask("POST", "/v1/accounts/a/close", "k").body(Body::empty()).unwrap();
            let response = send(&app, request).await;
            let problem = response.json();
            assert_eq!(
                (response.status, &problem["code"], &problem["retryable"]),
                (status, &json!(code), &json!(retryable))
            );
            assert_eq!(response.header("retry-after"), retry_after, "{code}");
            assert_eq!(problem["figures"], figures, "{code}");
        }
    }
}

#[tokio::test]
async fn the_engine_is_told_everything_that_came_with_a_command() {
    let engine = Scripted::accepting();
    let request = ask("POST", "/v1/accounts/a%3Ab/deposits?dry_run=true", "key-1")
        .header("X-Request-Id", "req-1")
        .header("X-Correlation-Id", "corr-1")
        .header("If-Match", "\"7\"")
        .header("Content-Type", "application/json; charset=utf-8")
        .body(Body::from(r#"{"amount":{"amount":5,"currency":"JPY"},"effective_at":"2026-01-31T10:30:00+01:00"}"#));
    assert_eq!(send(&app(engine.clone(), Options::default()), request.unwrap()).await.status, 200);
    let asked = engine.asked();
    let [Submission { requests, mode: engine::Mode::Independent, dry_run: true }] = asked.as_slice() else {
        panic!("{asked:?}")
    };
    let [asked] = requests.as_slice() else { panic!("{requests:?}") };
    assert_eq!(
        [&*asked.principal, &*asked.key, &*asked.request_id, &*asked.correlation_id, asked.command_type],
        ["anonymous", "key-1", "req-1", "corr-1", "deposit"]
    );
    assert_eq!(asked.expected_version, Some(Version(7)));
    assert_eq!(asked.effective_at.unwrap().to_rfc3339(), "2026-01-31T09:30:00+00:00");
    assert_eq!(format!("{:?}", asked.command), "Account(\"a:b\", Deposit { amount: 5 JPY, reference: None })");
}
