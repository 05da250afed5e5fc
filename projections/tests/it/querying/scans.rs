//! No documented query reads a large table from end to end.

use serde_json::json;
use sqlx::Executor;

use crate::support::api::Api;
use crate::support::history::History;
use crate::support::postgres::rows;

/// Enough rows that reading all of them never looks cheap.
const FILL: &str = "
INSERT INTO accounts SELECT 'a' || n, 'o' || n % 5000, 'JPY', CASE WHEN n % 1000 = 0 THEN 'closed' ELSE 'open' END, 1, 0, 1, n, n, now(), now(), now() FROM generate_series(1, 20000) n;
INSERT INTO holds SELECT 'a' || n % 100, 'h' || n, 'JPY', 5, 5, 0, CASE WHEN n % 100 = 0 THEN 1 ELSE 0 END, NULL, now(), now() FROM generate_series(1, 20000) n;
INSERT INTO journal SELECT n, 1, n, now() - (40000 - n) * interval '1 minute', NULL, 1, 'a' || n % 200, 'JPY', 'external:cash', 'external:cash', 'funds_deposited', NULL, NULL, NULL, NULL FROM generate_series(1, 40000) n;
INSERT INTO recorded_minutes SELECT date_trunc('minute', now() - (40000 - n) * interval '1 minute'), n FROM generate_series(1, 40000) n;
INSERT INTO transfers SELECT 't' || n, 'a1', 'a2', 1, 'JPY', NULL, now(), n, n + 1 FROM generate_series(1, 20000) n;
INSERT INTO products SELECT 'p' || n, 'name', 1, 'JPY', 0, 1, 0, false, 1, n, now(), now() FROM generate_series(1, 20000) n;
INSERT INTO orders (order_id, customer_id, currency, status, ordered_at, started_at, version, position, updated_at)
SELECT 'o' || n, 'c' || n % 2000, 'JPY', CASE WHEN n % 1000 = 0 THEN 'draft' ELSE 'completed' END, now() - n * interval '1 hour', now(), 1, n, now() FROM generate_series(1, 20000) n;
INSERT INTO order_lines SELECT 'o' || n % 10000, 'p' || n, n, 'name', 1, 1, 0, 0, 0, 1, 1, 1, 0, 0 FROM generate_series(1, 20000) n;
INSERT INTO shipments SELECT 'o' || n, 's', NULL, NULL, n, now(), NULL FROM generate_series(1, 20000) n;
INSERT INTO shipment_lines SELECT 'o' || n, 's', 'p', 1 FROM generate_series(1, 20000) n;
INSERT INTO returns SELECT 'o' || n, 'r', 'requested', 'because', NULL, NULL, n, now(), NULL FROM generate_series(1, 20000) n;
INSERT INTO return_lines SELECT 'o' || n, 'r', 'p', 1, NULL FROM generate_series(1, 20000) n;
INSERT INTO payments SELECT 'y' || n, 'o' || n, 'a1', 'a2', 1, 'JPY', 'manual', 1, 0, 0, 0, 1, n, now(), now() FROM generate_series(1, 20000) n;
INSERT INTO payment_operations SELECT 'y' || n, n, 'authorization', NULL, NULL, 1, now() FROM generate_series(1, 20000) n;
INSERT INTO rejections SELECT n, CASE WHEN n % 1000 = 0 THEN 'account_closed' ELSE 'insufficient_funds' END, 'withdraw', 's', 'd', '{}', 'p' || n % 1000, '', '', '', now() FROM generate_series(1, 20000) n;
INSERT INTO sales SELECT cut, date '2010-01-01' + n % 1000, CASE WHEN cut = 'all' THEN '' ELSE 'k' || n / 1000 END, 'JPY', 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 FROM generate_series(0, 9999) n, (VALUES ('product'), ('customer'), ('all')) c(cut) WHERE cut <> 'all' OR n < 1000;
INSERT INTO parked_streams SELECT 'account-p' || n, n, 'funds_deposited', 'refused', 'because', now() FROM generate_series(1, 20000) n;
INSERT INTO parked_events SELECT 'account-p' || n % 20000 + 1, n, n, 'funds_deposited', 1, '{}', '' FROM generate_series(1, 40000) n;
UPDATE projection_checkpoints SET position = 40000;
ANALYZE;
";

#[tokio::test]
async fn no_documented_query_reads_a_large_table_from_end_to_end() {
    let database = crate::applying::applied(&History::default(), &[1]).await;
    database.connect_for_writing().await.unwrap().execute(FILL).await.unwrap();
    let scanned = "SELECT relname, seq_scan FROM pg_stat_user_tables WHERE relname NOT IN \
                   ('projection_checkpoints', 'trial_balance', '_sqlx_migrations') ORDER BY relname";
    let mut watching = database.connect_for_writing().await.unwrap();
    watching.execute("SELECT pg_stat_reset()").await.unwrap();

    let api = Api::new(&database, None);
    let cursor = api.get("/v1/orders?limit=5").await["next_cursor"].as_str().unwrap().to_owned();
    for path in [
        "/v1/accounts/a7",
        "/v1/accounts/a7?at=100",
        "/v1/accounts/a7?at=2011-01-01T00:00:00Z&wait_ms=0",
        "/v1/accounts",
        "/v1/accounts?owner_id=o17",
        "/v1/accounts?status=closed",
        "/v1/accounts/a7/statement",
        "/v1/accounts/a7/statement?from=2020-01-01&to=2090-01-01",
        "/v1/accounts/a7/holds",
        "/v1/accounts/a7/holds?status=open",
        "/v1/transfers/t9",
        "/v1/products",
        "/v1/products/p9",
        "/v1/orders",
        &format!("/v1/orders?limit=5&cursor={cursor}"),
        "/v1/orders?customer_id=c9",
        "/v1/orders?state=draft",
        "/v1/orders?from=2026-01-01&to=2026-01-02",
        "/v1/orders?customer_id=c9&state=completed&from=2020-01-01",
        "/v1/orders/o9",
        "/v1/payments/y9",
        "/v1/payments?order_id=o9",
        "/v1/projections/read_models/parked",
        "/v1/rejections",
        "/v1/rejections?code=account_closed",
        "/v1/rejections?principal=p9",
        "/v1/analytics/sales?by=day&from=2010-02-01&to=2010-02-28",
        "/v1/analytics/sales?by=product&from=2010-02-01&to=2010-02-28",
    ] {
        let answered = api.ask(path).await;
        assert!([200, 404].contains(&answered.status), "{path}: {}", answered.body);
    }
    // The sessions hand their counts in when they end.
    api.pool.close().await;
    let counted = async {
        while rows(&database, "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() HAVING COUNT(*) > 2")
            .await
            != [] as [serde_json::Value; 0]
        {}
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), counted).await.unwrap();
    for table in rows(&database, scanned).await {
        assert_eq!(table["seq_scan"], json!(0), "{table}");
    }
    let used = rows(&database, "SELECT SUM(idx_scan) > 25 AS used FROM pg_stat_user_tables").await;
    assert_eq!(used, [json!({"used": true})], "nothing was counted");
}
