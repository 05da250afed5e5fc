//! Folding and writing: rows are what the rules say, however the events are split into batches.

use domain::event::RecordedEvent;
use domain::ids::Position;
use projections::checkpoint::{self, Claim, READ_MODELS};
use projections::database::Database;
use projections::feed::Record;
use projections::model::Changes;
use projections::partition::{Gap, PartitionId, Places};
use projections::write::{WriteError, write};
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use sqlx::PgConnection;

use crate::ask::*;
use crate::support::feed::assignment;
use crate::support::history::History;
use crate::support::postgres::{dump, new_database, row, rows};
use crate::support::{random, shop};

pub(crate) async fn connect(database: &Database) -> (PgConnection, Claim) {
    let mut connection = database.connect_for_writing().await.unwrap();
    database.prepare(&mut connection).await.unwrap();
    let claim = checkpoint::claim(&mut connection, READ_MODELS, &assignment("log"), "a test").await.unwrap();
    (connection, claim)
}

fn fold(events: &[RecordedEvent]) -> Changes {
    let mut changes = Changes::after(&Places::after(Position(events[0].position.0 - 1)));
    events.iter().for_each(|event| changes.take(&Record::of_log(event.clone())).unwrap());
    changes
}

/// Applies events in batches of these sizes, over and over.
pub(crate) async fn apply(database: &Database, events: &[RecordedEvent], sizes: &[usize]) {
    let (mut connection, claim) = connect(database).await;
    let mut rest = events;
    for size in sizes.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (batch, after) = rest.split_at((*size).min(rest.len()));
        write(&mut connection, &claim, &fold(batch)).await.unwrap();
        rest = after;
    }
}

pub(crate) async fn applied(history: &History, sizes: &[usize]) -> Database {
    applied_of(&history.events, sizes).await
}

pub(crate) async fn applied_of(events: &[RecordedEvent], sizes: &[usize]) -> Database {
    let database = new_database().await;
    apply(&database, events, sizes).await;
    database
}

#[tokio::test]
async fn however_events_are_split_into_batches_the_rows_are_the_same() {
    let history = shop::two_days();
    let whole = dump(&applied(&history, &[usize::MAX]).await).await;
    for sizes in [&[1][..], &[2], &[3, 1, 7], &[50]] {
        let split = dump(&applied(&history, sizes).await).await;
        for (one, other) in whole.iter().zip(&split) {
            assert_eq!(one, other, "in batches of {sizes:?}");
        }
        assert_eq!(whole.len(), split.len());
    }
    for table in [
        "accounts",
        "holds",
        "journal",
        "transfers",
        "trial_balance",
        "products",
        "orders",
        "order_lines",
        "shipments",
        "shipment_lines",
        "returns",
        "return_lines",
        "payments",
        "payment_operations",
        "rejections",
        "sales",
        "recorded_minutes",
    ] {
        assert!(whole.iter().any(|row| row.starts_with(&format!("{table} "))), "{table} is empty");
    }
}

/// Holds the rows against the states that the rules of the domain made of the same events.
async fn check_against_the_rules(history: &History, database: &Database) {
    let found =
        rows(database, "SELECT account_id, balance, held, status, version FROM accounts ORDER BY account_id").await;
    let mut expected: Vec<Value> = history
        .world
        .accounts
        .iter()
        .filter_map(|(id, account)| {
            let (state, version) = (account.state.as_ref()?, account.version()?);
            Some(json!({
                "account_id": id, "balance": state.balance, "held": state.held, "status": state.status,
                "version": version
            }))
        })
        .collect();
    expected.sort_by_key(|row| row["account_id"].to_string());
    assert_eq!(found, expected);

    let found = rows(
        database,
        "SELECT product_id, unit_price, on_hand, reserved, discontinued, version FROM products ORDER BY product_id",
    )
    .await;
    let mut expected: Vec<Value> = history
        .world
        .products
        .iter()
        .filter_map(|(id, product)| {
            let (state, version) = (product.state.as_ref()?, product.version()?);
            Some(json!({
                "product_id": id, "unit_price": state.unit_price.amount, "on_hand": state.on_hand,
                "reserved": state.reserved, "discontinued": state.discontinued, "version": version
            }))
        })
        .collect();
    expected.sort_by_key(|row| row["product_id"].to_string());
    assert_eq!(found, expected);

    let found = rows(
        database,
        "SELECT o.order_id, status, total, credited, captured, refunded, version, COALESCE((SELECT json_agg(json_build_array(product_id, quantity, \
         shipped, delivered, wanted_back, returned) ORDER BY added_position) FROM order_lines l \
         WHERE l.order_id = o.order_id), '[]') AS lines FROM orders o ORDER BY order_id",
    )
    .await;
    let mut expected: Vec<Value> = history
        .world
        .orders
        .iter()
        .filter_map(|(id, order)| {
            let (state, version) = (order.state.as_ref()?, order.version()?);
            let lines: Vec<_> = state
                .lines
                .iter()
                .map(|l| json!([l.product_id, l.quantity, l.shipped, l.delivered, l.returning, l.returned]))
                .collect();
            let refunded: i64 = state.payments.iter().map(|p| p.refunded.minor_units()).sum();
            Some(json!({
                "order_id": id, "status": state.status, "total": state.total, "credited": state.credited,
                "captured": state.captured(), "refunded": refunded, "version": version, "lines": lines
            }))
        })
        .collect();
    expected.sort_by_key(|row| row["order_id"].to_string());
    assert_eq!(found, expected);

    let found =
        rows(database, "SELECT payment_id, authorized, captured, voided, refunded FROM payments ORDER BY payment_id")
            .await;
    let mut expected: Vec<Value> = history
        .world
        .payments
        .iter()
        .filter_map(|(id, payment)| {
            let state = payment.state.as_ref()?;
            Some(json!({
                "payment_id": id, "authorized": state.authorized, "captured": state.captured,
                "voided": state.voided, "refunded": state.refunded
            }))
        })
        .collect();
    expected.sort_by_key(|row| row["payment_id"].to_string());
    assert_eq!(found, expected);
}

/// Holds the books against themselves.
async fn check_the_books(database: &Database) {
    for (what, violations) in [
        (
            "the trial balance is not zero",
            "SELECT currency FROM trial_balance GROUP BY currency HAVING SUM(credits - debits) <> 0",
        ),
        (
            "clearing is not zero",
            "SELECT ledger_account FROM trial_balance WHERE ledger_account LIKE 'clearing:%' AND debits <> credits",
        ),
        (
            "an account differs from its journal",
            "SELECT a.account_id FROM accounts a LEFT JOIN journal j USING (account_id) GROUP BY a.account_id, a.balance HAVING a.balance <> COALESCE(SUM(j.amount), 0)",
        ),
        (
            "a running balance is wrong",
            "SELECT account_id, position FROM (SELECT account_id, position, balance_after, SUM(amount) OVER (PARTITION BY account_id ORDER BY position, leg) AS sum FROM journal) j WHERE sum <> balance_after",
        ),
        (
            "held differs from the holds",
            "SELECT a.account_id FROM accounts a LEFT JOIN holds h USING (account_id) GROUP BY a.account_id, a.held HAVING a.held <> COALESCE(SUM(h.remaining), 0)",
        ),
        (
            "the cuts of the sales differ",
            "SELECT day FROM (SELECT cut, day, currency, SUM(quantity) q, SUM(goods) g, SUM(tax) t, SUM(cancelled_quantity) cq, SUM(cancelled_goods) cg, SUM(cancelled_tax) ct, SUM(returned_quantity) rq, SUM(returned_goods) rg, SUM(returned_tax) rt FROM sales GROUP BY cut, day, currency) s GROUP BY day, currency HAVING COUNT(DISTINCT (q, g, t, cq, cg, ct, rq, rg, rt)) <> 1 OR COUNT(*) <> 3",
        ),
        (
            "the worth of what came back differs",
            "SELECT order_id FROM returns r WHERE value <> (SELECT SUM(value) FROM return_lines l WHERE l.order_id = r.order_id AND l.return_id = r.return_id)",
        ),
        (
            "more was taken back than was sold",
            "SELECT key FROM sales GROUP BY cut, key, currency HAVING SUM(quantity - cancelled_quantity - returned_quantity) < 0 OR SUM(goods + tax - cancelled_goods - cancelled_tax - returned_goods - returned_tax) < 0",
        ),
        (
            "sales differ from the orders",
            "SELECT 1 FROM (SELECT COALESCE(SUM(goods + tax + shipping), 0) s FROM sales WHERE cut = 'all') s, (SELECT COALESCE(SUM(total), 0) o FROM orders WHERE placed_at IS NOT NULL) o WHERE s <> o",
        ),
    ] {
        assert_eq!(rows(database, violations).await, Vec::<Value>::new(), "{what}");
    }
}

#[tokio::test]
async fn rows_are_what_the_rules_of_the_domain_say() {
    let history = shop::two_days();
    let database = applied(&history, &[17]).await;
    check_against_the_rules(&history, &database).await;
    check_the_books(&database).await;
}

#[test]
fn random_histories_give_the_same_rows_in_any_split_and_agree_with_the_rules() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let mut runner = TestRunner::new(Config { cases: 12, failure_persistence: None, ..Config::default() });
    let cases = (random::histories(), proptest::collection::vec(1..40_usize, 1..6));
    let outcome = runner.run(&cases, |(commands, sizes)| {
        let history = random::play(commands);
        runtime.block_on(async {
            let whole = applied(&history, &[usize::MAX]).await;
            let split = applied(&history, &sizes).await;
            proptest::prop_assert_eq!(dump(&whole).await, dump(&split).await, "in batches of {:?}", sizes);
            check_against_the_rules(&history, &split).await;
            check_the_books(&split).await;
            Ok(())
        })
    });
    outcome.unwrap();
}

#[tokio::test]
async fn sales_are_counted_on_the_days_on_which_they_happened() {
    let database = applied(&shop::two_days(), &[9]).await;
    let of = async |query| rows(&database, query).await;
    // o-1: 3 lamps at 333 and 10 %, 9 bulbs at 7 and 5 %; o-3: 2 rugs at 2001, 3 bulbs. Both on the first day.
    assert_eq!(
        of("SELECT day, orders, quantity, goods, tax, shipping FROM sales WHERE cut = 'all' AND orders > 0 ORDER BY day").await,
        [
            json!({"day": "2010-12-01", "orders": 2, "quantity": 17, "goods": 999 + 63 + 4002 + 21, "tax": 100 + 3 + 1, "shipping": 549}),
            json!({"day": "2011-01-03", "orders": 1, "quantity": 4, "goods": 6003 + 333, "tax": 33, "shipping": 0}),
        ]
    );
    // o-3 was called off on the second day; 1 lamp, 4 and 2 bulbs came back then.
    assert_eq!(
        of("SELECT cancelled_orders, cancelled_quantity, cancelled_goods, cancelled_tax, cancelled_shipping, \
            returned_quantity, returned_goods + returned_tax AS returned FROM sales WHERE cut = 'all' AND day = '2011-01-03'").await,
        [json!({"cancelled_orders": 1, "cancelled_quantity": 5, "cancelled_goods": 4023, "cancelled_tax": 1,
                "cancelled_shipping": 99, "returned_quantity": 7, "returned": 366 + 44})]
    );
    assert_eq!(
        of("SELECT key, orders, quantity, cancelled_quantity, returned_quantity FROM sales WHERE cut = 'product' AND day >= '2011-01-01' ORDER BY key").await,
        [
            json!({"key": "bulb", "orders": 0, "quantity": 0, "cancelled_quantity": 3, "returned_quantity": 6}),
            json!({"key": "lamp", "orders": 1, "quantity": 1, "cancelled_quantity": 0, "returned_quantity": 1}),
            json!({"key": "rug", "orders": 1, "quantity": 3, "cancelled_quantity": 2, "returned_quantity": 0}),
        ]
    );
    assert_eq!(
        of("SELECT key, SUM(orders) AS orders, SUM(goods) AS goods FROM sales WHERE cut = 'customer' GROUP BY key ORDER BY key").await,
        [json!({"key": "ann", "orders": 2, "goods": 5085}), json!({"key": "bob", "orders": 1, "goods": 6336})]
    );
}

#[test]
fn an_event_that_was_seen_is_skipped_and_one_that_is_missing_is_named() {
    let events = shop::two_days().events;
    let mut changes = Changes::after(&Places::after(Position(2)));
    for event in &events[..5] {
        changes.take(&Record::of_log(event.clone())).unwrap();
    }
    assert_eq!((changes.from(), changes.events()), (Places::after(Position(2)), 3));
    assert_eq!(changes.through(), Places::after(Position(5)));
    assert_eq!(changes, fold(&events[2..5]), "positions 1 and 2 left a trace");
    let before = changes.clone();
    let gap = Gap { partition: PartitionId::ONLY, last: Position(5), previous: Position(6), found: Position(7) };
    assert_eq!(changes.take(&Record::of_log(events[6].clone())), Err(gap));
    assert_eq!(changes, before, "a gap left a trace");
}

#[tokio::test]
async fn changes_that_do_not_begin_at_the_checkpoint_are_not_written() {
    let events = shop::two_days().events;
    let database = new_database().await;
    let (mut connection, claim) = connect(&database).await;
    write(&mut connection, &claim, &fold(&events[..10])).await.unwrap();
    let before = dump(&database).await;
    for again in [&events[..10], &events[5..15], &events[11..20]] {
        let refused = write(&mut connection, &claim, &fold(again)).await.unwrap_err();
        let expected = Position(again[0].position.0 - 1);
        assert!(matches!(refused, WriteError::Moved { expected: e, .. } if e == expected), "{refused}");
    }
    assert_eq!(dump(&database).await, before);
    write(&mut connection, &claim, &fold(&events[10..20])).await.unwrap();
}

#[tokio::test]
async fn nothing_is_written_when_a_row_that_an_event_changes_is_not_there() {
    let events = shop::two_days().events;
    let database = new_database().await;
    let (mut connection, claim) = connect(&database).await;
    write(&mut connection, &claim, &fold(&events[..10])).await.unwrap();
    sqlx::query("DELETE FROM accounts WHERE account_id = 'payer'").execute(&mut connection).await.unwrap();
    let before = dump(&database).await;
    let refused = write(&mut connection, &claim, &fold(&events[10..])).await.unwrap_err();
    assert!(matches!(refused, WriteError::RowMissing { table: "accounts", missing: 1 }), "{refused}");
    assert!(refused.is_about_the_events());
    assert_eq!(dump(&database).await, before);
    assert_eq!(row(&database, "SELECT position FROM projection_checkpoints").await, json!({"position": 10}));
}

#[tokio::test]
async fn sums_may_leave_the_range_of_64_bits_and_times_the_years_that_are_stored() {
    let mut history = History::default();
    let most = domain::money::AMOUNT_MAX;
    history.ask(open("a"));
    for _ in 0..1_100 {
        history.ask_at("-4000-01-01T00:00:00Z", deposit("a", most)).ask(withdraw("a", most));
    }
    let database = applied(&history, &[1_000]).await;
    let sum = (i128::from(most) * 1_100).to_string();
    assert_eq!(
        rows(&database, "SELECT ledger_account, debits::text, credits::text FROM trial_balance ORDER BY 1").await,
        [
            json!({"ledger_account": "accounts", "debits": sum, "credits": sum}),
            json!({"ledger_account": "external:cash", "debits": sum, "credits": sum}),
        ]
    );
    assert_eq!(
        row(&database, "SELECT MIN(effective_at)::text FROM journal").await,
        json!({"min": "0001-01-01 00:00:00+00"})
    );
}
