//! Questions that cannot be asked.

use serde_json::{Value, json};

use super::{Told, expect, said, told};
use crate::scene::{Scene, gbp};
use crate::wire::{Ask, Wire};

const TIME_OR_DAY: &str = "use an RFC 3339 time such as 2026-01-31T08:00:00Z, or a day such as 2026-01-31";
const AT: &str = "use a position of the log such as 4711, or an RFC 3339 time such as 2026-01-31T08:00:00Z";

fn wrong(param: &str, value: &str, how: &str) -> Told {
    told(400, "invalid_request", param, &format!("{param} is {value:?}: {how}"))
}

#[tokio::test]
async fn parameters_that_cannot_be_are_told_by_name() {
    let scene = Scene::new().await;
    scene.account("a", 100).await;
    let unknown = |name: &str, known: &str| {
        told(400, "invalid_request", name, &format!("there is no parameter {name:?} here; there are {known}"))
    };
    let cursor = "use next_cursor of the answer before, with the same path and parameters";
    let id = "use 1 to 64 characters out of A-Z a-z 0-9 _ . : -";
    let number = "invalid digit found in string";
    let cases = vec![
        ("/v1/accounts?limit=0", wrong("limit", "0", "use 1 to 1000")),
        ("/v1/accounts?limit=1001", wrong("limit", "1001", "use 1 to 1000")),
        ("/v1/accounts?limit=-1", wrong("limit", "-1", number)),
        ("/v1/accounts?limit=ten", wrong("limit", "ten", number)),
        ("/v1/accounts?limit=", wrong("limit", "", "cannot parse integer from empty string")),
        (
            "/v1/accounts?limit=99999999999999999999999",
            wrong("limit", "99999999999999999999999", "number too large to fit in target type"),
        ),
        (
            "/v1/accounts?limit=1&limit=2",
            told(400, "invalid_request", "limit", "limit stands more than once; name it once"),
        ),
        ("/v1/accounts?cursor=garbage", wrong("cursor", "garbage", cursor)),
        ("/v1/accounts?cursor=", wrong("cursor", "", cursor)),
        ("/v1/accounts?cursor=%00%FF", wrong("cursor", "\0\u{fffd}", cursor)),
        ("/v1/accounts?owners=x", unknown("owners", "owner_id, status, limit, cursor, min_position, wait_ms")),
        ("/v1/accounts?status=closing", wrong("status", "closing", "use open, frozen_debits, frozen, closed")),
        ("/v1/accounts?owner_id=a%00b", wrong("owner_id", "a\0b", &format!("owner id contains '\\0'; {id}"))),
        ("/v1/accounts?owner_id=a'--", wrong("owner_id", "a'--", &format!("owner id contains '\\''; {id}"))),
        ("/v1/accounts?min_position=-1", wrong("min_position", "-1", number)),
        (
            "/v1/accounts?min_position=9223372036854775808",
            wrong("min_position", "9223372036854775808", "no log has so many events"),
        ),
        ("/v1/accounts?wait_ms=30001", wrong("wait_ms", "30001", "use 0 to 30000 milliseconds")),
        ("/v1/accounts/a%2Fb", wrong("id", "a/b", &format!("account id contains '/'; {id}"))),
        ("/v1/accounts/%00", wrong("id", "\0", &format!("account id contains '\\0'; {id}"))),
        ("/v1/accounts/%C3%BC", wrong("id", "ü", &format!("account id contains 'ü'; {id}"))),
        ("/v1/accounts/a?at=tomorrow", wrong("at", "tomorrow", AT)),
        ("/v1/accounts/a?at=9223372036854775808", wrong("at", "9223372036854775808", AT)),
        ("/v1/accounts/a?at=-1", wrong("at", "-1", AT)),
        ("/v1/accounts/a/statement?from=notadate", wrong("from", "notadate", TIME_OR_DAY)),
        ("/v1/accounts/a/statement?to=2026-02-30", wrong("to", "2026-02-30", TIME_OR_DAY)),
        ("/v1/accounts/a/statement?from=%2B262142-01-01", wrong("from", "+262142-01-01", TIME_OR_DAY)),
        ("/v1/accounts/a/holds?status=half", wrong("status", "half", "use open, closed")),
        ("/v1/orders?state=lost", wrong("state", "lost", "use draft, placing, placed, completed, cancelled")),
        ("/v1/orders?from=0000-01-01", wrong("from", "0000-01-01", TIME_OR_DAY)),
        (
            "/v1/products?discontinued=maybe",
            wrong("discontinued", "maybe", "provided string was not `true` or `false`"),
        ),
        (
            "/v1/rejections?principal=%07",
            wrong("principal", "\u{7}", "use 1 to 256 characters without control characters"),
        ),
        ("/v1/analytics/sales", told(400, "invalid_request", "by", "by is required: day, month, product, customer")),
        ("/v1/analytics/sales?by=year", wrong("by", "year", "use day, month, product, customer")),
        (
            "/v1/analytics/sales?by=day&from=2026-01-01T00:00:00Z",
            wrong("from", "2026-01-01T00:00:00Z", "use a day such as 2026-01-31"),
        ),
        ("/v1/ledger/trial-balance?at=1", unknown("at", "min_position, wait_ms")),
    ];
    let cases = cases.into_iter().map(|(path, told)| (Ask::new("GET", path), told));
    expect(&scene, cases.collect()).await;

    let mut wire = Wire::to(&scene.server).await;
    let ask =
        Ask::new("GET", "/v1/orders?state=lost&from=x&to=y&limit=0&cursor=z&colour=red&min_position=x&customer_id=ü");
    let problem = scene.problem(&wire.ask(&ask).await).await;
    let told: Vec<_> = problem["errors"].as_array().unwrap().iter().map(|error| error["param"].clone()).collect();
    assert_eq!(told, ["customer_id", "state", "from", "to", "limit", "cursor", "min_position", "colour"]);
    assert_eq!(problem["detail"], "8 parameters are wrong; errors lists them");

    let codes = scene.problem(&wire.ask(&Ask::new("GET", "/v1/rejections?code=broke")).await).await;
    assert!(codes["detail"].as_str().unwrap().contains("insufficient_funds"), "{codes}");
    scene.sound().await;
}

#[tokio::test]
async fn what_is_not_there_or_not_there_yet_is_told() {
    let scene = Scene::new().await;
    scene.account("a", 100).await;
    let mut wire = Wire::to(&scene.server).await;
    for (path, code, what) in [
        ("/v1/accounts/nobody", "account_not_found", "account nobody"),
        ("/v1/accounts/nobody/statement", "account_not_found", "account nobody"),
        ("/v1/accounts/nobody/holds", "account_not_found", "account nobody"),
        ("/v1/transfers/nothing", "transfer_not_found", "transfer nothing"),
        ("/v1/products/nothing", "unknown_product", "product nothing"),
        ("/v1/orders/nothing", "order_not_found", "order nothing"),
        ("/v1/payments/nothing", "payment_not_found", "payment nothing"),
    ] {
        let problem = scene.problem(&wire.ask(&Ask::new("GET", path)).await).await;
        let detail = format!(
            "there is no {what} in the read models; if it was made just now, ask with min_position of that answer"
        );
        assert_eq!(said(&problem), told(404, code, "id", &detail), "{path}");
    }
    for (path, empty) in [("/v1/payments?order_id=nothing", "items"), ("/v1/orders?customer_id=nobody", "items")] {
        assert_eq!(scene.seen(path).await[empty], json!([]));
    }

    let ahead = scene.position() + 1;
    let ask = Ask::new("GET", &format!("/v1/accounts/a?min_position={ahead}&wait_ms=20"));
    let problem = scene.problem(&wire.ask(&ask).await).await;
    assert_eq!((&problem["status"], &problem["code"]), (&json!(503), &json!("view_behind")));
    assert_eq!(problem["figures"], json!({"wanted": ahead, "reached": ahead - 1}));
    assert_eq!(problem["retryable"], true);
    scene.sound().await;
}

/// A cursor as somebody would write it who knows how they are made.
fn forged(scope: &str, key: &Value) -> String {
    serde_json::to_vec(&json!([scope, key])).unwrap().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn a_forged_cursor_is_refused_or_gives_rows_but_never_breaks_the_query() {
    let scene = Scene::new().await;
    scene.account("a", 100).await;
    scene.product("p", 10, 0, 10).await;
    scene.cart("o", &[("p", 1)]).await;
    scene.done("/v1/orders/o/place", json!({})).await;
    scene.seen("/v1/orders/o").await;
    let mut wire = Wire::to(&scene.server).await;
    let (least, most) = (i64::MIN.to_string(), i64::MAX.to_string());
    let keys = [
        json!([]),
        json!([""]),
        json!(["a\u{0}b"]),
        json!(["a\u{0}b", "c"]),
        json!(["c", "\u{0}"]),
        json!([least, "o"]),
        json!([most, "o"]),
        // Times that chrono knows and PostgreSQL does not: the years -262142 and 262141.
        json!(["-8334601228800000000", "o"]),
        json!(["8210266876799999999", "o"]),
        json!([least, least]),
        json!([most, most]),
        json!(["1", "1"]),
        json!(["1", "1", "1"]),
        json!(["\u{10ffff}", "\u{10ffff}"]),
        json!(["x".repeat(10_000), "x"]),
    ];
    for path in [
        "/v1/accounts",
        "/v1/accounts/a/statement",
        "/v1/accounts/a/holds",
        "/v1/products",
        "/v1/orders",
        "/v1/payments",
        "/v1/rejections",
        "/v1/analytics/sales?by=day",
        "/v1/analytics/sales?by=product",
    ] {
        let (asked, separator) = if path.contains('?') { (path.to_owned(), '&') } else { (format!("{path}?"), '?') };
        for key in &keys {
            let cursor = forged(&asked, key);
            let answer = wire.ask(&Ask::new("GET", &format!("{path}{separator}cursor={cursor}"))).await;
            if answer.status == 200 {
                assert!(answer.json()["items"].is_array(), "{path} {key}");
            } else {
                let problem = scene.problem(&answer).await;
                assert_eq!(
                    (&problem["status"], &problem["param"]),
                    (&json!(400), &json!("cursor")),
                    "{path} {key}: {problem}"
                );
            }
        }
    }
    // A cursor of another query is of no use here.
    scene.account("b", 1).await;
    let page = scene.seen("/v1/accounts?limit=1").await;
    let cursor = page["next_cursor"].as_str().unwrap();
    assert_eq!(scene.seen(&format!("/v1/accounts?limit=1&cursor={cursor}")).await["items"][0]["account_id"], "b");
    let other = wire.ask(&Ask::new("GET", &format!("/v1/products?cursor={cursor}"))).await;
    assert_eq!(scene.problem(&other).await["param"], "cursor");
    scene.sound().await;
}

#[tokio::test]
async fn questions_at_the_edges_of_time_are_answered() {
    let scene = Scene::new().await;
    scene.account("a", 100).await;
    let opened = scene.position() - 1;
    assert_eq!(scene.seen(&format!("/v1/accounts/a?at={opened}")).await["balance"], gbp(0));
    for (path, items) in [
        ("/v1/accounts/a/statement?from=0001-01-01&to=9999-12-31", 1),
        ("/v1/accounts/a/statement?from=9999-12-31", 0),
        ("/v1/accounts/a/statement?to=0001-01-01T00:00:00Z", 0),
        ("/v1/accounts/a/statement?from=9999-12-31T23:59:59.999999Z&to=0001-01-01", 0),
        ("/v1/accounts/a/statement?at=9999-12-31T23:59:59Z", 1),
        ("/v1/orders?from=0001-01-01&to=9999-12-31", 0),
        ("/v1/analytics/sales?by=month&from=0001-01-01&to=9999-12-31", 0),
    ] {
        let answer = scene.seen(path).await;
        assert_eq!(answer["items"].as_array().map(Vec::len), Some(items), "{path} {answer}");
    }
    let mut wire = Wire::to(&scene.server).await;
    for path in ["/v1/accounts/a?at=0001-01-01T00:00:00Z", "/v1/accounts/a/statement?at=0"] {
        let problem = scene.problem(&wire.ask(&Ask::new("GET", path)).await).await;
        assert_eq!(problem["code"], "account_not_found", "{path}: it was not open then");
    }
    scene.sound().await;
}
