//! Several partitions: the rule of gaps, rows that do not depend on which stream comes first, checkpoints that only the
//! last who claimed them can move, and going on from another feed.

use std::borrow::Cow;

use domain::event::RecordedEvent;
use domain::ids::Position;
use projections::checkpoint::{Claim, ClaimError, READ_MODELS, claim};
use projections::database::Database;
use projections::feed::Record;
use projections::model::Changes;
use projections::partition::{PartitionId, Place, Places, Step, step};
use projections::write::{WriteError, write};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::json;
use sqlx::PgConnection;
use sqlx::migrate::Migrator;

use crate::ask::*;
use crate::support::api::Api;
use crate::support::history::History;
use crate::support::partitioned::{assignment, interleave, partition_of, split};
use crate::support::postgres::{dump, new_database, row, rows};
use crate::support::{random, shop};

proptest! {
    #![proptest_config(Config { failure_persistence: None, ..Config::default() })]

    /// Whatever is delivered, what is applied is the partition's records from where the reader began, each once, in
    /// order, up to where something is missing.
    #[test]
    fn of_any_delivery_a_gapless_beginning_is_applied_each_record_once(
        gaps in proptest::collection::vec(1..5_u64, 1..30),
        delivered in proptest::collection::vec(0..30_usize, 0..120),
        begun in 0..20_u64,
    ) {
        let partition = PartitionId(3);
        let positions: Vec<u64> = gaps.iter().scan(0, |at, gap| { *at += gap; Some(*at) }).collect();
        let previous = |index: usize| index.checked_sub(1).map_or(0, |before| positions[before]);
        let (mut last, mut applied) = (Position(begun), Vec::new());
        for index in delivered.into_iter().map(|pick| pick % positions.len()) {
            let (before, found) = (Position(previous(index)), Position(positions[index]));
            match step(partition, last, before, found) {
                Ok(Step::Skip) => prop_assert!(found <= last),
                Ok(Step::Apply) => {
                    applied.push(found.0);
                    last = found;
                }
                Err(gap) => {
                    prop_assert_eq!((gap.last, gap.previous, gap.found), (last, before, found));
                    // Something between was neither applied nor before the beginning.
                    prop_assert!(positions.iter().any(|at| *at > last.0 && *at < found.0));
                    break;
                }
            }
        }
        let wanted: Vec<u64> = positions.iter().copied().filter(|at| *at > begun).take(applied.len()).collect();
        prop_assert_eq!(applied, wanted);
    }
}

async fn claimed(
    database: &Database,
    partitions: u32,
    followed: impl IntoIterator<Item = u32>,
) -> (PgConnection, Claim) {
    let mut connection = database.connect_for_writing().await.unwrap();
    database.prepare(&mut connection).await.unwrap();
    let claimed = claim(&mut connection, READ_MODELS, &assignment("log", partitions, followed), "a test").await;
    (connection, claimed.unwrap())
}

fn fold(places: &Places, records: &[Record]) -> Changes {
    let mut changes = Changes::after(places);
    records.iter().for_each(|record| changes.take(record).unwrap());
    changes
}

/// Applies records in batches of these sizes, over and over.
async fn apply(connection: &mut PgConnection, claim: &Claim, records: &[Record], sizes: &[usize]) -> Places {
    let (mut places, mut rest) = (claim.places().clone(), records);
    for size in sizes.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (batch, after) = rest.split_at((*size).min(rest.len()));
        let changes = fold(&places, batch);
        write(connection, claim, &changes).await.unwrap();
        (places, rest) = (changes.through(), after);
    }
    places
}

/// The rows of these events when they come in the order of the log.
async fn in_order(history: &History) -> Vec<String> {
    dump(&crate::applying::applied(history, &[usize::MAX]).await).await
}

#[test]
fn any_order_that_keeps_that_of_each_stream_gives_the_same_rows() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let mut runner = TestRunner::new(Config { cases: 12, failure_persistence: None, ..Config::default() });
    let picks = proptest::collection::vec((0..12_usize, proptest::bool::weighted(0.1)), 1..50);
    let cases = (random::histories(), 2..13_u32, picks, proptest::collection::vec(1..60_usize, 1..6));
    let outcome = runner.run(&cases, |(commands, partitions, picks, sizes)| {
        let history = random::play(commands);
        let records = interleave(&split(&history.events, partitions), &picks);
        runtime.block_on(async {
            let database = new_database().await;
            let (mut connection, claim) = claimed(&database, partitions, 0..partitions).await;
            let places = apply(&mut connection, &claim, &records, &sizes).await;
            prop_assert_eq!(places.position().0, history.events.len() as u64);
            let (found, expected) = (dump(&database).await, in_order(&history).await);
            for (found, expected) in found.iter().zip(&expected) {
                prop_assert_eq!(found, expected);
            }
            prop_assert_eq!(found.len(), expected.len());
            Ok(())
        })
    });
    outcome.unwrap();
}

#[tokio::test]
async fn one_partition_after_the_other_gives_the_same_rows_and_a_transfer_is_shown_once_its_sending_is_known() {
    let history = shop::two_days();
    let expected = in_order(&history).await;
    let partition = |name: &str| {
        let event = history.events.iter().find(|event| event.stream == id(name)).unwrap();
        partition_of(event, 12).0 as usize
    };
    let (payer, other) = (partition("account-payer"), partition("account-other"));
    assert_ne!(payer, other, "the sample needs its accounts in different partitions");
    let database = new_database().await;
    let (mut connection, claim) = claimed(&database, 12, 0..12).await;
    let mut records = split(&history.events, 12);
    let api = Api::new(&database, None);
    // The account that receives comes first, that which sends last.
    let (receives, sends) = (std::mem::take(&mut records[other]), std::mem::take(&mut records[payer]));
    let changes = fold(claim.places(), &receives);
    write(&mut connection, &claim, &changes).await.unwrap();
    let (status, problem) = api.problem("/v1/transfers/t-1").await;
    assert_eq!((status, &problem["code"]), (404, &json!("transfer_not_found")));
    let mut places = changes.through();
    for records in records.iter().rev().chain([&sends]) {
        let changes = fold(&places, records);
        write(&mut connection, &claim, &changes).await.unwrap();
        places = changes.through();
    }
    assert_eq!(api.get("/v1/transfers/t-1").await["status"], "reversed");
    assert_eq!(dump(&database).await, expected);
}

#[tokio::test]
async fn answers_reflect_the_partition_that_is_furthest_behind() {
    let history = shop::two_days();
    let end = history.events.len() as u64;
    let database = new_database().await;
    let (mut connection, claim) = claimed(&database, 3, 0..3).await;
    let records = split(&history.events, 3);
    let api = Api::new(&database, None);
    let first = fold(claim.places(), &records[0]);
    write(&mut connection, &claim, &first).await.unwrap();
    assert_eq!(api.get("/v1/projections").await["position"], 0);
    let (status, problem) = api.problem("/v1/accounts?min_position=1&wait_ms=0").await;
    assert_eq!((status, &problem["figures"]), (503, &json!({"wanted": 1, "reached": 0})));
    let second = fold(&first.through(), &records[1]);
    write(&mut connection, &claim, &second).await.unwrap();
    let third = fold(&second.through(), &records[2][..5]);
    write(&mut connection, &claim, &third).await.unwrap();
    let behind = records[2][4].position.0;
    assert_eq!(api.get("/v1/accounts").await["position"], behind);
    let shown = api.get("/v1/projections").await["items"][0].clone();
    assert_eq!((&shown["position"], &shown["source"]), (&json!(behind), &json!("kafka:events")));
    let partitions: Vec<_> = shown["partitions"].as_array().unwrap().iter().map(|p| p["position"].clone()).collect();
    assert_eq!(partitions, [json!(end), json!(end), json!(behind)]);
    // A watermark moves the place of a partition too.
    let rest = fold(&third.through(), &records[2][5..]);
    write(&mut connection, &claim, &rest).await.unwrap();
    assert_eq!(api.get(&format!("/v1/accounts?min_position={end}&wait_ms=0")).await["position"], end);
}

#[tokio::test]
async fn a_partition_that_was_taken_over_cannot_be_written_by_its_old_owner_and_the_others_can() {
    let history = shop::two_days();
    let database = new_database().await;
    let records = split(&history.events, 3);
    let (mut connection, old) = claimed(&database, 3, 0..3).await;
    let places = apply(&mut connection, &old, &records[1][..4], &[2]).await;
    let (mut connection_of_new, new) = claimed(&database, 3, [1]).await;
    assert!(old.is_whole() && !new.is_whole());
    assert_eq!(new.places().get(PartitionId(1)), Some(Place { last: records[1][3].position, offset: Some(4) }));
    assert_eq!(new.places().get(PartitionId(0)), None);
    let before = dump(&database).await;
    for late in [&records[1][4..6], &[records[0][0].clone(), records[1][4].clone()]] {
        let refused = write(&mut connection, &old, &fold(&places, late)).await.unwrap_err();
        let WriteError::TakenOver(taken_over) = &refused else { panic!("{refused}") };
        assert_eq!((taken_over.partition, taken_over.owner.as_str()), (PartitionId(1), "a test"));
    }
    assert_eq!(dump(&database).await, before, "a stalled owner left a trace");
    // Both go on with what is theirs, and together they are whole.
    apply(&mut connection_of_new, &new, &records[1][4..], &[3]).await;
    let both = interleave(&[records[0].clone(), records[2].clone()], &[(0, false), (1, false), (1, true)]);
    let mut rest = places;
    for batch in both.chunks(5) {
        let changes = fold(&rest, batch);
        write(&mut connection, &old, &changes).await.unwrap();
        rest = changes.through();
    }
    assert_eq!(dump(&database).await, in_order(&history).await);
}

#[tokio::test]
async fn what_the_log_has_filled_up_to_a_position_goes_on_from_there_in_every_partition_and_back() {
    let history = shop::two_days();
    let (events, end) = (&history.events, history.events.len());
    let database = crate::applying::applied_of(&events[..60], &[7]).await;
    let (mut connection, claim) = claimed(&database, 4, 0..4).await;
    for partition in 0..4 {
        assert_eq!(claim.places().get(PartitionId(partition)), Some(Place::after(Position(60))));
    }
    // The topic has everything from the beginning.
    let records = interleave(&split(events, 4), &[(3, false), (0, false), (1, true)]);
    let (first, rest) = records.split_at(records.len() / 2);
    let places = apply(&mut connection, &claim, first, &[11]).await;
    assert!(places.position() < Position(end as u64));
    // Between two positions the way back is barred, with a word about what to do.
    let back = claim_log(&database).await.unwrap_err();
    let ClaimError::OtherFeed { filled_from, source_now, .. } = &back else { panic!("{back}") };
    assert_eq!((filled_from.as_str(), source_now.as_str()), ("kafka:events in 4 partitions", "log in 1 partition"));
    for batch in rest.chunks(9) {
        let (_, claim) = claimed(&database, 4, 0..4).await;
        write(&mut connection, &claim, &fold(claim.places(), batch)).await.unwrap();
    }
    assert_eq!(dump(&database).await, in_order(&history).await);
    let back = claim_log(&database).await.unwrap();
    assert_eq!(back.places(), &Places::after(Position(end as u64)));
    assert!(back.is_whole());
}

async fn claim_log(database: &Database) -> Result<Claim, ClaimError> {
    let mut connection = database.connect_for_writing().await.unwrap();
    claim(&mut connection, READ_MODELS, &crate::support::feed::assignment("log"), "a test").await
}

#[tokio::test]
async fn read_models_of_the_version_before_partitions_are_carried_forward_with_every_row() {
    let history = shop::two_days();
    let (before, after): (&[RecordedEvent], &[RecordedEvent]) = history.events.split_at(70);
    // The rows of that version are those of this one; only the checkpoint and what may be null are of another form.
    let filled = crate::applying::applied_of(before, &[usize::MAX]).await;
    let old = new_database().await;
    let mut connection = old.connect_for_writing().await.unwrap();
    sqlx::raw_sql("CREATE SCHEMA bursar").execute(&mut connection).await.unwrap();
    let all = sqlx::migrate!();
    let first = all.migrations.iter().filter(|migration| migration.version <= 7).cloned().collect();
    let first = Migrator { migrations: Cow::Owned(first), ..Migrator::DEFAULT };
    first.run(&mut connection).await.unwrap();
    for line in dump(&filled).await {
        let (table, row) = line.split_once(' ').unwrap();
        let insert = format!("INSERT INTO {table} SELECT * FROM json_populate_record(NULL::{table}, $1::json)");
        sqlx::query(sqlx::AssertSqlSafe(insert)).bind(row).execute(&mut connection).await.unwrap();
    }
    sqlx::query("INSERT INTO projection_checkpoints VALUES ('read_models', 'log', 70, '2026-01-02T03:04:05Z', now())")
        .execute(&mut connection)
        .await
        .unwrap();

    old.prepare(&mut connection).await.unwrap();
    assert_eq!(dump(&old).await, dump(&filled).await);
    assert_eq!(
        row(
            &old,
            "SELECT name, partition, log_id, source, position, feed_offset, recorded_at FROM projection_checkpoints"
        )
        .await,
        json!({"name": "read_models", "partition": 0, "log_id": "log", "source": "log", "position": 70,
               "feed_offset": null, "recorded_at": "2026-01-02T03:04:05+00:00"})
    );
    let claim = claim_log(&old).await.unwrap();
    let records: Vec<_> = after.iter().cloned().map(Record::of_log).collect();
    apply(&mut connection, &claim, &records, &[10]).await;
    assert_eq!(dump(&old).await, in_order(&history).await);
    assert_eq!(
        rows(&old, "SELECT position, epoch FROM projection_checkpoints").await,
        [json!({"position": history.events.len(), "epoch": 1})]
    );
}
