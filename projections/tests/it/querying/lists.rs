//! Lists and statements: pages without gap or double, filters, and earlier moments.

use serde_json::{Value, json};

use super::{api_over, each, only, yen};
use crate::ask::*;
use crate::support::history::History;
use crate::support::shop;

#[tokio::test]
async fn pages_of_any_size_hold_every_row_once_in_order() {
    let mut history = shop::two_days();
    for number in 0..12 {
        history.ask(open(&format!("many-{number:02}")));
        history.ask(create(&format!("goods-{number:02}"), 5, 0));
        history.ask(start(&format!("cart-{number:02}")));
        history.ask(hold("payer", &format!("many-{number:02}"), 1));
        history.ask(pay(&format!("paid-{number:02}"), 1, domain::payment::CaptureMode::Manual));
    }
    let api = api_over(&history).await;
    for (path, key, rows) in [
        ("/v1/accounts", "account_id", 17),
        ("/v1/accounts?owner_id=owner&status=open", "account_id", 15),
        ("/v1/accounts/payer/statement", "position", 12),
        ("/v1/accounts/payer/holds", "hold_id", 28),
        ("/v1/products", "product_id", 16),
        ("/v1/orders", "order_id", 17),
        ("/v1/payments", "payment_id", 16),
        ("/v1/rejections", "position", 4),
        ("/v1/analytics/sales?by=product", "key", 3),
    ] {
        let whole = each(&api.all(path, 1_000).await, key);
        assert_eq!(whole.len(), rows, "{path}: {whole:?}");
        for limit in [1, 2, 3, rows - 1, rows, rows + 1] {
            assert_eq!(each(&api.all(path, limit).await, key), whole, "{path} by {limit}");
        }
    }
}

#[tokio::test]
async fn accounts_are_found_by_owner_and_status() {
    let api = api_over(&shop::two_days()).await;
    assert_eq!(each(&api.all("/v1/accounts?status=closed", 10).await, "account_id"), ["gone"]);
    assert_eq!(each(&api.all("/v1/accounts?owner_id=owner", 10).await, "account_id").len(), 5);
    assert_eq!(api.all("/v1/accounts?owner_id=somebody", 10).await, Vec::<Value>::new());
}

#[tokio::test]
async fn orders_are_found_by_customer_state_and_day() {
    let api = api_over(&shop::two_days()).await;
    let found = async |query: &str| each(&api.all(&format!("/v1/orders?{query}"), 2).await, "order_id");
    assert_eq!(found("customer_id=ann").await, ["o-1", "o-3"]);
    assert_eq!(found("customer_id=ann&state=cancelled").await, ["o-3"]);
    assert_eq!(found("state=draft").await, ["o-4"]);
    assert_eq!(found("from=2010-12-01&to=2010-12-01").await, ["o-1", "o-3"]);
    assert_eq!(found("from=2010-12-02&to=2011-01-03").await, ["o-2"]);
    assert_eq!(found("to=2010-12-01T08:26:00Z").await, Vec::<Value>::new());
    assert_eq!(found("from=2010-12-01T08:26:00Z&to=2010-12-01T08:26:00.000001Z").await, ["o-1", "o-3"]);
    assert_eq!(found("from=2026-01-01").await, ["o-4", "o-5"]);
}

#[tokio::test]
async fn a_discontinued_product_can_be_left_out() {
    let api = api_over(&shop::two_days()).await;
    assert_eq!(each(&api.all("/v1/products?discontinued=true", 9).await, "product_id"), ["vase"]);
    assert_eq!(each(&api.all("/v1/products?discontinued=false", 9).await, "product_id"), ["bulb", "lamp", "rug"]);
}

#[tokio::test]
async fn payments_are_found_by_order() {
    let api = api_over(&shop::two_days()).await;
    assert_eq!(each(&api.all("/v1/payments?order_id=o-3", 9).await, "payment_id"), ["p-3"]);
    assert_eq!(each(&api.all("/v1/payments", 3).await, "payment_id"), ["p-1", "p-2", "p-3", "p-4"]);
}

/// Three deposits: recorded on the day of the tests, one of them of an earlier day, one of another.
fn deposits() -> History {
    let mut history = History::default();
    history.ask(open("a")).ask(deposit("a", 1));
    history.ask_at("2025-12-24T10:00:00Z", deposit("a", 20)).ask(deposit("a", 300));
    history.ask_at("2025-12-31T23:59:59Z", withdraw("a", 4));
    history
}

#[tokio::test]
async fn a_statement_runs_along_with_the_balance_and_says_with_whom() {
    let api = api_over(&shop::two_days()).await;
    let statement = api.get("/v1/accounts/other/statement").await["items"].clone();
    let fields = [
        "event_type",
        "amount",
        "balance_after",
        "counterpart",
        "ledger_account",
        "transfer_id",
        "hold_id",
        "reference",
    ];
    let postings: Vec<_> = statement.as_array().unwrap().iter().map(|posting| only(posting, &fields)).collect();
    let row = |event_type,
               amount,
               after,
               counterpart,
               ledger,
               transfer: Option<&str>,
               hold: Option<&str>,
               reference: Option<&str>| {
        json!({"event_type": event_type, "amount": yen(amount), "balance_after": yen(after), "counterpart": counterpart,
               "ledger_account": ledger, "transfer_id": transfer, "hold_id": hold, "reference": reference})
    };
    assert_eq!(
        postings,
        [
            row("funds_deposited", 500, 500, "external:cash", "external:cash", None, None, None),
            row("funds_withdrawn", -120, 380, "external:cash", "external:cash", None, None, None),
            row("transfer_received", 1_000, 1_380, "payer", "clearing:transfers", Some("t-1"), None, None),
            row("transfer_sent", -80, 1_300, "payer", "clearing:transfers", Some("t-2"), None, None),
            row("transfer_reversed", -1_000, 300, "payer", "clearing:transfers", Some("t-1"), None, Some("because")),
            row("hold_captured", -30, 270, "external:cash", "external:cash", None, Some("h-1"), None),
            row("hold_captured", -20, 250, "shop", "clearing:payments", None, Some("h-2"), None),
            row("hold_captured", -4, 246, "external:cash", "external:cash", None, Some("h-3"), None),
        ]
    );
}

#[tokio::test]
async fn a_statement_selects_by_business_time_and_stays_in_the_order_of_recording() {
    let api = api_over(&deposits()).await;
    let amounts = async |query: &str| {
        let items = api.all(&format!("/v1/accounts/a/statement?{query}"), 2).await;
        items.iter().map(|posting| posting["amount"]["amount"].as_i64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(amounts("").await, [1, 20, 300, -4]);
    assert_eq!(amounts("from=2025-12-24&to=2025-12-31").await, [20, -4]);
    assert_eq!(amounts("to=2025-12-31T23:59:59Z").await, [20]);
    assert_eq!(amounts("from=2025-12-31").await, [1, 300, -4]);
    assert_eq!(amounts("from=2026-01-02T03:04:20Z").await, [300]);
    assert_eq!(amounts("from=2027-01-01").await, Vec::<i64>::new());
}

#[tokio::test]
async fn a_balance_and_a_statement_can_be_seen_as_they_were() {
    let api = api_over(&deposits()).await;
    // Opened at 03:04:05, then a command every 10 seconds.
    for (at, balance, last) in [
        ("1", 0, Value::Null),
        ("2", 1, json!(2)),
        ("4", 321, json!(4)),
        ("2026-01-02T03:04:05.000006Z", 0, Value::Null),
        ("2026-01-02T03:04:15.000005Z", 0, Value::Null),
        ("2026-01-02T03:04:15.000006Z", 1, json!(2)),
        ("2026-01-02T03:04:36Z", 321, json!(4)),
        ("2026-01-02T03:04:36+00:00", 321, json!(4)),
        ("2030-01-01T00:00:00Z", 317, json!(5)),
    ] {
        let then = api.get(&format!("/v1/accounts/a?at={at}")).await;
        assert_eq!(
            only(&then, &["account_id", "at", "balance", "last_posting", "position"]),
            json!({"account_id": "a", "at": at.replace('+', " "), "balance": yen(balance), "last_posting": last, "position": 5})
        );
        let statement = api.all(&format!("/v1/accounts/a/statement?at={at}"), 1).await;
        let after = statement.last().map_or(0, |posting| posting["balance_after"]["amount"].as_i64().unwrap());
        assert_eq!(after, balance, "{at}");
    }
    for before in ["0", "2026-01-02T03:04:05Z"] {
        for path in ["/v1/accounts/a", "/v1/accounts/a/statement"] {
            let (status, problem) = api.problem(&format!("{path}?at={before}")).await;
            assert_eq!((status, problem["code"].as_str()), (404, Some("account_not_found")));
        }
    }
}
