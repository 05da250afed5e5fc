//! Comparing two builds at one position, row by row: PostgreSQL merges both along their primary keys, in one snapshot of
//! both, so that neither memory here nor the live worker is in the way.

use std::collections::BTreeMap;

use domain::ids::Position;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use super::switch::Live;
use super::{Filling, Patience, RebuildError, Stage};
use crate::database::{Database, SchemaName};

/// How many differences of a table are told.
const TOLD_MAX: i64 = 5;
/// Tables that speak of a build, and not of events.
const NOT_COMPARED: [&str; 5] =
    ["_sqlx_migrations", "projection_checkpoints", "parked_streams", "parked_events", "left_out_events"];

/// How two builds compare.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Compared {
    /// The position at which they were compared.
    pub position: Position,
    /// How many rows the live build has, by table.
    pub rows: BTreeMap<String, i64>,
    /// Tables whose definition is another one in the next build: not compared.
    pub changed: Vec<String>,
    /// Rows that differ, a few of each table.
    pub differences: Vec<Difference>,
    /// How many rows differ in all.
    pub differing: i64,
}

/// A row that is not the same in both builds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The table.
    pub table: String,
    /// The row of the live build as JSON; none where it has no such row.
    pub live: Option<String>,
    /// The row of the next build as JSON; none where it has no such row.
    pub next: Option<String>,
}

impl Compared {
    /// Whether every row of every table that was compared is the same.
    #[must_use]
    pub const fn is_equal(&self) -> bool {
        self.differing == 0
    }
}

/// The columns of a table with their types, and those of its primary key.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Definition {
    columns: Vec<(String, String)>,
    key: Vec<String>,
}

pub(super) async fn compare(
    connection: &mut PgConnection,
    live: &Database,
    filling: &Filling<'_>,
    watching: &mut impl FnMut(Stage),
) -> Result<Compared, RebuildError> {
    let mut reading = live.connect_for_writing().await.map_err(RebuildError::doing("connecting"))?;
    // A worker would be cut off for less: comparing may take hours.
    let settings = "SET idle_in_transaction_session_timeout = 0; SET enable_hashjoin = off; SET enable_seqscan = on";
    sqlx::raw_sql(settings).execute(&mut reading).await.map_err(RebuildError::doing("preparing to compare"))?;
    let patience = Patience::begin();
    let position = loop {
        match snapshot(connection, &mut reading, live.schema(), filling).await? {
            Ok(position) => break position,
            Err(why) => patience.again(why).await?,
        }
    };
    let mut compared = Compared { position, ..Compared::default() };
    let (of_live, of_next) =
        (definitions(&mut reading, live.schema()).await?, definitions(&mut reading, filling.next.schema()).await?);
    for (table, definition) in &of_next {
        if of_live.get(table) != Some(definition) {
            compared.changed.push(table.clone());
            continue;
        }
        watching(Stage::Comparing { table: table.clone() });
        compare_table(&mut reading, live.schema(), filling.next.schema(), table, definition, &mut compared).await?;
    }
    compared.changed.extend(of_live.keys().filter(|table| !of_next.contains_key(*table)).cloned());
    let _ = reading.close().await;
    Ok(compared)
}

/// Begins a snapshot in which both builds are at one position: the live worker is held until it is taken.
async fn snapshot(
    connection: &mut PgConnection,
    reading: &mut PgConnection,
    live: &SchemaName,
    filling: &Filling<'_>,
) -> Result<Result<Position, String>, RebuildError> {
    let mut holding = connection.begin().await.map_err(RebuildError::doing("holding the live worker"))?;
    let held = Live::hold(&mut holding, live).await?;
    let Some(position) = held.as_ref().and_then(Live::only) else {
        let apart = "the partitions of the live read models are never at one position, so that there is nothing to \
                     compare with; try it when less is sent";
        return Ok(Err(apart.to_owned()));
    };
    if !filling.reach(position).await? {
        return Ok(Err("the next build did not reach the live one in time".to_owned()));
    }
    let begin = "ROLLBACK; BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
    sqlx::raw_sql(begin).execute(&mut *reading).await.map_err(RebuildError::doing("beginning a snapshot"))?;
    let next = Live::read(reading, filling.next.schema()).await?;
    holding.rollback().await.map_err(RebuildError::doing("letting the live worker go on"))?;
    match next.as_ref().and_then(Live::only) == Some(position) {
        true => Ok(Ok(position)),
        false => Ok(Err("the next build is beyond the live one, which was put back".to_owned())),
    }
}

async fn definitions(
    connection: &mut PgConnection,
    schema: &SchemaName,
) -> Result<BTreeMap<String, Definition>, RebuildError> {
    let rows: Vec<(String, String, String, bool)> = sqlx::query_as(
        "SELECT c.relname::text, a.attname::text, format_type(a.atttypid, a.atttypmod), \
         COALESCE(a.attnum = ANY(i.indkey), false) \
         FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
         LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary \
         WHERE c.relnamespace = $1::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition \
         AND c.relname <> ALL($2) ORDER BY c.relname, a.attname",
    )
    .bind(schema.as_str())
    .bind(&NOT_COMPARED[..])
    .fetch_all(connection)
    .await
    .map_err(RebuildError::doing("reading how tables are defined"))?;
    let mut tables: BTreeMap<String, Definition> = BTreeMap::new();
    for (table, column, of_type, in_key) in rows {
        let definition = tables.entry(table).or_default();
        definition.key.extend(in_key.then(|| column.clone()));
        definition.columns.push((column, of_type));
    }
    Ok(tables)
}

async fn compare_table(
    reading: &mut PgConnection,
    live: &SchemaName,
    next: &SchemaName,
    table: &str,
    definition: &Definition,
    compared: &mut Compared,
) -> Result<(), RebuildError> {
    let failed = RebuildError::doing;
    let column = |side: &str, (name, _): &(String, String)| format!("{side}.{name}");
    let all = |side| definition.columns.iter().map(|of| column(side, of)).collect::<Vec<_>>().join(", ");
    let key = definition.key.iter().map(|column| format!("l.{column} = n.{column}")).collect::<Vec<_>>().join(" AND ");
    let differing = format!(
        "FROM {live}.{table} l FULL JOIN {next}.{table} n ON {key} WHERE ROW({}) IS DISTINCT FROM ROW({})",
        all("l"),
        all("n")
    );
    let count = |what: String| AssertSqlSafe(format!("SELECT COUNT(*) {what}"));
    let rows: i64 = sqlx::query_scalar(count(format!("FROM {live}.{table}")))
        .fetch_one(&mut *reading)
        .await
        .map_err(failed("counting rows"))?;
    compared.rows.insert(table.to_owned(), rows);
    let found: i64 = sqlx::query_scalar(count(differing.clone()))
        .fetch_one(&mut *reading)
        .await
        .map_err(failed("comparing rows"))?;
    if found == 0 {
        return Ok(());
    }
    compared.differing += found;
    let tell = format!("SELECT row_to_json(l)::text, row_to_json(n)::text {differing} LIMIT {TOLD_MAX}");
    let told: Vec<(Option<String>, Option<String>)> =
        sqlx::query_as(AssertSqlSafe(tell)).fetch_all(reading).await.map_err(failed("reading rows that differ"))?;
    let table = |(live, next)| Difference { table: table.to_owned(), live, next };
    compared.differences.extend(told.into_iter().map(table));
    Ok(())
}
