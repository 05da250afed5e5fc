//! GraphQL: the same answers as REST, in as many statements as it takes and no more, within its limits.

use std::sync::atomic::Ordering;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request};
use domain::payment::CaptureMode;
use http_body_util::BodyExt;
use projections::database::{Database, QueryPool, SchemaName};
use projections::graphql::{Limits, router};
use projections::query::QueryState;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::applying::{applied, apply};
use crate::ask::*;
use crate::support::api::Api;
use crate::support::counted::counted;
use crate::support::history::History;
use crate::support::postgres::new_database_url;
use crate::support::shop;

struct Graphql(Router);

impl Graphql {
    fn over(database: &Database) -> Self {
        Self::within(database, Limits::default())
    }

    fn within(database: &Database, limits: Limits) -> Self {
        let pool = database.query_pool(&QueryPool { connections_max: 2, ..QueryPool::default() });
        Self(router(QueryState::new(pool, None), limits).into())
    }

    async fn send(&self, parameters: &str, body: String) -> (u16, HeaderMap, Value) {
        let request = Request::builder().method("POST").uri(format!("/graphql{parameters}"));
        let response = self.0.clone().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        (status, headers, serde_json::from_slice(&bytes).unwrap())
    }

    async fn ask(&self, query: &str) -> (u16, Value) {
        let (status, _, answer) = self.send("", json!({"query": query}).to_string()).await;
        (status, answer)
    }

    /// The data of an answer without errors.
    async fn data(&self, query: &str) -> Value {
        let (status, answer) = self.ask(query).await;
        assert_eq!((status, answer.get("errors")), (200, None), "{query}: {answer}");
        answer["data"].clone()
    }
}

/// What REST says, as far as GraphQL was asked for it.
fn same(graphql: &Value, rest: &Value, at: &str) {
    match graphql {
        Value::Object(fields) => {
            for (name, value) in fields {
                same(value, rest.get(name).unwrap_or(&Value::Null), &format!("{at}.{name}"));
            }
        }
        Value::Array(items) => {
            assert_eq!(Some(items.len()), rest.as_array().map(Vec::len), "{at}");
            items
                .iter()
                .zip(rest.as_array().unwrap())
                .enumerate()
                .for_each(|(n, (g, r))| same(g, r, &format!("{at}[{n}]")));
        }
        value => assert_eq!(value, rest, "{at}"),
    }
}

const MONEY: &str = "{ amount currency }";

fn account() -> String {
    format!("account_id owner_id status balance {MONEY} held {MONEY} available {MONEY} version opened_at updated_at")
}

fn payment() -> String {
    format!(
        "payment_id order_id payer_account_id payee_account_id status amount {MONEY} capture authorized {MONEY} \
         captured {MONEY} voided {MONEY} refunded {MONEY} version requested_at updated_at"
    )
}

fn order() -> String {
    format!(
        "order_id customer_id state payment_status fulfilment currency total {MONEY} captured {MONEY} refunded {MONEY} \
         outstanding {MONEY} ordered_at placed_at cancelled_at version updated_at"
    )
}

fn order_parts() -> String {
    format!(
        "subtotal {MONEY} discount {MONEY} tax {MONEY} shipping {MONEY} shipping_method cancel_reason started_at \
         lines {{ product_id name quantity unit_price {MONEY} discount {MONEY} tax_rate_bps tax {MONEY} total {MONEY} \
         shipped delivered wanted_back returned }} \
         shipments {{ shipment_id status carrier tracking shipped_at delivered_at lines {{ product_id quantity }} }} \
         returns {{ return_id status reason rejection_reason value {MONEY} requested_at closed_at \
         lines {{ product_id quantity value {MONEY} }} }} payments {{ {} }}",
        payment()
    )
}

#[tokio::test]
async fn answers_are_those_of_rest() {
    let database = applied(&shop::two_days(), &[usize::MAX]).await;
    let (graphql, rest) = (Graphql::over(&database), Api::new(&database, None));
    let page = |items: &str| format!("{{ items {{ {items} }} next_cursor position }}");
    let booked = format!("debits {MONEY} credits {MONEY} balance {MONEY}");
    let figures = format!("{{ orders quantity goods {MONEY} tax {MONEY} shipping {MONEY} }}");
    let posting = format!(
        "position event_type amount {MONEY} balance_after {MONEY} counterpart ledger_account transfer_id payment_id \
         hold_id reference recorded_at effective_at"
    );
    let hold = format!(
        "account_id hold_id status amount {MONEY} remaining {MONEY} captured {MONEY} released {MONEY} payment_id \
         placed_at updated_at"
    );
    let transfer = format!(
        "transfer_id from to amount {MONEY} status reference sent_at sent_position received_position reversed_at \
         reversed_position reversal_reason"
    );
    let product = format!(
        "product_id name unit_price {MONEY} tax_rate_bps on_hand reserved available discontinued version created_at \
         updated_at"
    );
    let cases = [
        ("/v1/accounts", format!("accounts {}", page(&account()))),
        ("/v1/accounts?status=open&limit=2", format!("accounts(status: \"open\", limit: 2) {}", page(&account()))),
        ("/v1/accounts/other", format!("account(id: \"other\") {{ {} }}", account())),
        ("/v1/accounts/other/holds?status=open", format!("holds(id: \"other\", status: \"open\") {}", page(&hold))),
        (
            "/v1/accounts/other/statement?at=30&limit=3",
            format!(
                "statement(id: \"other\", at: \"30\", limit: 3) {{ account_id items {{ {posting} }} next_cursor position }}"
            ),
        ),
        ("/v1/transfers/t-1", format!("transfer(id: \"t-1\") {{ {transfer} }}")),
        ("/v1/products", format!("products {}", page(&product))),
        ("/v1/products?discontinued=true", format!("products(discontinued: true) {}", page(&product))),
        ("/v1/orders", format!("orders {}", page(&order()))),
        ("/v1/orders/o-1", format!("order(id: \"o-1\") {{ {} {} }}", order(), order_parts())),
        ("/v1/payments", format!("payments {}", page(&payment()))),
        (
            "/v1/payments/p-2",
            format!(
                "payment(id: \"p-2\") {{ {} operations {{ kind operation_id cause amount {MONEY} at position }} }}",
                payment()
            ),
        ),
        (
            "/v1/ledger/trial-balance",
            format!(
                "trial_balance {{ currencies {{ currency {booked} classes {{ class {booked} \
                 ledger_accounts {{ ledger_account {booked} }} }} }} position }}"
            ),
        ),
        (
            "/v1/rejections",
            format!(
                "rejections {}",
                page(
                    "position code command stream detail figures principal idempotency_key request_id correlation_id recorded_at"
                )
            ),
        ),
        (
            "/v1/analytics/sales?by=product",
            format!(
                "sales(by: \"product\") {}",
                page(&format!("key currency sold {figures} cancelled {figures} returned {figures} net {figures}"))
            ),
        ),
    ];
    for (path, query) in &cases {
        let data = graphql.data(&format!("{{ answer: {query} }}")).await;
        assert!(data["answer"].is_object(), "{query}: {data}");
        same(&data["answer"], &rest.get(path).await, path);
    }
    // All of them in one request are one moment.
    let all: Vec<_> = cases.iter().enumerate().map(|(n, (_, query))| format!("a{n}: {query}")).collect();
    let body = json!({"query": format!("{{ {} }}", all.join(" "))}).to_string();
    let (status, headers, answer) =
        Graphql::within(&database, Limits { depth_max: 20, complexity_max: 1_000_000 }).send("", body).await;
    assert_eq!((status, answer.get("errors")), (200, None));
    let position = rest.get("/v1/accounts").await["position"].clone();
    assert_eq!(
        (
            &answer["extensions"]["position"],
            &headers["bursar-position"].to_str().unwrap().parse::<u64>().unwrap().into()
        ),
        (&position, &position)
    );
}

#[tokio::test]
async fn pages_go_on_where_rest_goes_on() {
    let database = applied(&shop::two_days(), &[usize::MAX]).await;
    let (graphql, rest) = (Graphql::over(&database), Api::new(&database, None));
    let whole = rest.all("/v1/accounts", 100).await;
    let (mut cursor, mut ids) = (String::new(), Vec::new());
    loop {
        let given = if cursor.is_empty() { String::new() } else { format!(", cursor: \"{cursor}\"") };
        let data =
            graphql.data(&format!("{{ accounts(limit: 2{given}) {{ items {{ account_id }} next_cursor }} }}")).await;
        ids.extend(data["accounts"]["items"].as_array().unwrap().iter().map(|item| item["account_id"].clone()));
        let Some(next) = data["accounts"]["next_cursor"].as_str() else { break };
        let of_rest = rest.get(&format!("/v1/accounts?limit=2&cursor={next}")).await["items"].clone();
        assert!(!of_rest.as_array().unwrap().is_empty());
        next.clone_into(&mut cursor);
    }
    assert_eq!(ids, whole.iter().map(|item| item["account_id"].clone()).collect::<Vec<_>>());
    // What a thing brings along is the beginning of a list that goes on.
    let data = graphql.data("{ account(id: \"other\") { holds(limit: 1) { items { hold_id } next_cursor } statement(limit: 2) { items { position } next_cursor } } }").await;
    let cursor = data["account"]["holds"]["next_cursor"].as_str().unwrap();
    let rest_of_it =
        graphql.data(&format!("{{ holds(id: \"other\", cursor: \"{cursor}\") {{ items {{ hold_id }} }} }}")).await;
    let mut holds = data["account"]["holds"]["items"].as_array().unwrap().clone();
    holds.extend(rest_of_it["holds"]["items"].as_array().unwrap().iter().cloned());
    same(&json!(holds), &rest.get("/v1/accounts/other/holds").await["items"], "holds");
    let cursor = data["account"]["statement"]["next_cursor"].as_str().unwrap();
    let page = graphql
        .data(&format!("{{ statement(id: \"other\", limit: 2, cursor: \"{cursor}\") {{ items {{ position }} }} }}"))
        .await;
    same(
        &page["statement"]["items"],
        &rest.get(&format!("/v1/accounts/other/statement?limit=2&cursor={cursor}")).await["items"],
        "statement",
    );
}

/// Accounts with holds, and orders with payments: so many of each.
fn crowd(size: usize) -> History {
    let mut history = History::default();
    history.ask(create("p", 100, 0)).ask(receive("p", 1_000)).ask(open("shop"));
    for n in 0..size {
        let (account, order) = (format!("a-{n}"), format!("o-{n}"));
        history.ask(open(&account)).ask(deposit(&account, 1_000)).ask(hold(&account, "h", 10));
        history.ask(start(&order)).ask(add(&order, "p", 1)).ask(place(&order));
        let payment = format!("p-{n}");
        history.ask(pay_from(&payment, Some(&order), &account, "shop", yen(100), CaptureMode::Automatic));
    }
    history
}

#[tokio::test]
async fn a_list_of_many_takes_as_many_statements_as_a_list_of_few() {
    let query = "{ orders { items { order_id lines { product { name } } payments { payer { account_id holds(limit: 3) \
                 { items { hold_id } } statement(limit: 2) { items { position transfer { status } payment { status } } } } \
                 payee { balance { amount } } operations { kind } } } } \
                 accounts { items { account_id holds { items { hold_id payment { order { state } } } } } } }";
    let mut counts = Vec::new();
    for size in [1, 3, 40] {
        let (url, statements) = counted(&new_database_url().await).await;
        let database = Database::new(&url, SchemaName::default()).unwrap();
        apply(&database, &crowd(size).events, &[usize::MAX]).await;
        let graphql = Graphql::within(&database, Limits { depth_max: 20, complexity_max: 10_000_000 });
        graphql.data("{ trial_balance { position } }").await;
        let before = statements.load(Ordering::SeqCst);
        let data = graphql.data(query).await;
        let orders = data["orders"]["items"].as_array().unwrap();
        assert_eq!(orders.len(), size);
        assert!(
            orders
                .iter()
                .all(|order| order["payments"][0]["payer"]["statement"]["items"].as_array().unwrap().len() == 2)
        );
        counts.push(statements.load(Ordering::SeqCst) - before);
    }
    assert!(counts[0] > 5 && counts.iter().all(|count| *count == counts[0]), "{counts:?}");
    println!("{} statements for 1, 3 and 40 orders", counts[0]);
}

#[tokio::test]
async fn a_query_that_goes_too_deep_or_may_give_too_much_is_refused_before_anything_is_read() {
    let database = applied(&shop::two_days(), &[usize::MAX]).await;
    let graphql = Graphql::within(&database, Limits { depth_max: 4, complexity_max: 500 });
    let refused = async |query: &str| {
        let (status, answer) = graphql.ask(query).await;
        assert_eq!(
            (status, &answer["data"], answer["extensions"].get("position")),
            (400, &Value::Null, None),
            "{answer}"
        );
        answer["errors"][0].clone()
    };
    let error = refused("{ accounts { items { holds { items { hold_id } } } } }").await;
    assert_eq!(error["extensions"]["code"], "query_too_deep");
    assert_eq!(error["extensions"]["figures"], json!({"depth": 5, "depth_max": 4}));
    // Through a fragment, too.
    let error =
        refused("{ accounts { ...f } } fragment f on AccountPage { items { holds { items { hold_id } } } }").await;
    assert_eq!(error["extensions"]["code"], "query_too_deep");

    let error = refused("{ accounts(limit: 300) { items { account_id } } }").await;
    assert_eq!(error["extensions"]["code"], "query_too_complex");
    assert_eq!(error["extensions"]["figures"], json!({"complexity": 601, "complexity_max": 500}));
    let many: Vec<_> = (0..400).map(|n| format!("a{n}: trial_balance {{ position }}")).collect();
    assert_eq!(refused(&format!("{{ {} }}", many.join(" "))).await["extensions"]["code"], "query_too_complex");
    for variables in [json!({"n": 300}), json!({})] {
        let query = "query($n: Int = 300) { accounts(limit: $n) { items { account_id } } }";
        let (status, _, answer) = graphql.send("", json!({"query": query, "variables": variables}).to_string()).await;
        assert_eq!((status, &answer["errors"][0]["extensions"]["code"]), (400, &json!("query_too_complex")));
    }
    let error = refused("{ ...f } fragment f on Query { ...g } fragment g on Query { ...f }").await;
    assert_eq!(error["extensions"]["code"], "invalid_query");
    graphql.data("{ accounts(limit: 200) { items { account_id } } }").await;
    graphql.data("{ __schema { queryType { name } } }").await;
}

#[tokio::test]
async fn errors_have_the_codes_of_rest() {
    let database = applied(&shop::two_days(), &[usize::MAX]).await;
    let (graphql, rest) = (Graphql::over(&database), Api::new(&database, None));
    for (query, path) in [
        ("{ accounts(status: \"closing\") { position } }", "/v1/accounts?status=closing"),
        ("{ accounts(limit: 1001) { position } }", "/v1/accounts?limit=1001"),
        ("{ accounts(cursor: \"zz\") { position } }", "/v1/accounts?cursor=zz"),
        ("{ holds(id: \"nobody\") { position } }", "/v1/accounts/nobody/holds"),
        ("{ statement(id: \"a b\") { position } }", "/v1/accounts/a%20b/statement"),
        (
            "{ statement(id: \"other\", at: \"100000\") { position } }",
            "/v1/accounts/other/statement?at=100000&wait_ms=1",
        ),
        ("{ sales(by: \"year\") { position } }", "/v1/analytics/sales?by=year"),
    ] {
        let (status, answer) = graphql.ask(query).await;
        let problem = rest.ask(path).await.body;
        let error = &answer["errors"][0];
        assert_eq!((status, &answer["data"]), (200, &Value::Null), "{query}: {answer}");
        assert_eq!(
            (&error["message"], error["path"].as_array().map(Vec::len)),
            (&problem["detail"], Some(1)),
            "{query}"
        );
        for member in ["type", "title", "status", "code", "param", "retryable", "figures", "errors"] {
            assert_eq!(error["extensions"].get(member), problem.get(member), "{query} {member}");
        }
    }
    // What is not there is null, beside what is.
    let data = graphql.data("{ account(id: \"nobody\") { status } order(id: \"o-1\") { order_id } }").await;
    assert_eq!(data, json!({"account": null, "order": {"order_id": "o-1"}}));
    for (body, status, code) in [
        ("{".to_owned(), 400, "malformed_json"),
        ("{\"quary\": \"\"}".to_owned(), 400, "malformed_json"),
        (json!({"query": "{"}).to_string(), 400, "invalid_query"),
        (json!({"query": "{ colour }"}).to_string(), 400, "invalid_query"),
        (json!({"query": "mutation { deposit }"}).to_string(), 400, "invalid_query"),
        (json!({"query": "{ account(id: \"\\u0000\") { status } }"}).to_string(), 200, "invalid_request"),
        (json!({"query": "x".repeat(40_000)}).to_string(), 413, "body_too_large"),
    ] {
        let shown: String = body.chars().take(60).collect();
        let (answered, _, answer) = graphql.send("", body).await;
        assert_eq!((answered, &answer["errors"][0]["extensions"]["code"]), (status, &json!(code)), "{shown}: {answer}");
        assert!(answer["errors"][0]["message"].as_str().unwrap().len() > 10, "{answer}");
    }
}

#[tokio::test]
async fn a_position_can_be_waited_for() {
    let database = applied(&shop::two_days(), &[usize::MAX]).await;
    let graphql = Graphql::over(&database);
    let reached = graphql.data("{ accounts { position } }").await["accounts"]["position"].as_u64().unwrap();
    let body = json!({"query": "{ accounts { position } }"}).to_string();
    let (status, _, _) = graphql.send(&format!("?min_position={reached}"), body.clone()).await;
    assert_eq!(status, 200);
    let (status, _, answer) = graphql.send(&format!("?min_position={}&wait_ms=10", reached + 1), body.clone()).await;
    assert_eq!((status, &answer["errors"][0]["extensions"]["code"]), (200, &json!("view_behind")));
    assert_eq!(answer["errors"][0]["extensions"]["retryable"], true);
    let (status, _, answer) = graphql.send("?min_position=soon", body).await;
    assert_eq!((status, &answer["errors"][0]["extensions"]["param"]), (400, &json!("min_position")));
}

#[tokio::test]
async fn the_schema_is_shown_as_it_stands_in_the_documentation() {
    let database = applied(&shop::two_days(), &[usize::MAX]).await;
    let graphql = Graphql::over(&database);
    let request = Request::builder().uri("/graphql").body(Body::empty()).unwrap();
    let response = graphql.0.clone().oneshot(request).await.unwrap();
    let shown = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(shown, include_str!("../../../docs/schema.graphql"));
    // Tools can ask for it too.
    let data = graphql.data("{ __type(name: \"Account\") { fields { name type { kind ofType { name } } } } }").await;
    let fields = data["__type"]["fields"].as_array().unwrap();
    assert!(
        fields.contains(&json!({"name": "balance", "type": {"kind": "NON_NULL", "ofType": {"name": "Money"}}})),
        "{data}"
    );
}
