//! `GET /v1/projections`.

use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::FromRow;
use utoipa::ToSchema;

use super::answer::{Answer, Answered, Problems, failed};
use super::asked::Asked;
use super::snapshot::QueryState;
use crate::checkpoint::READ_MODELS;
use domain::ids::Position;

#[derive(FromRow)]
struct CheckpointRow {
    name: String,
    partition: i32,
    source: String,
    owner: String,
    parked_streams: i64,
    left_out_events: i64,
    build: i64,
    position: i64,
    recorded_at: Option<DateTime<Utc>>,
    updated_at: DateTime<Utc>,
}

/// How far a projection has come.
#[derive(Debug, Serialize, ToSchema)]
struct Projection {
    #[schema(example = "read_models")]
    name: String,
    /// The last position of the log that it has applied; of several partitions, that of the one furthest behind.
    #[schema(example = 4711)]
    position: u64,
    /// The last position that the log holds; null where the log is not in this process.
    #[schema(example = 4711)]
    head: Option<u64>,
    /// How many events it is behind; null where the log is not in this process.
    #[schema(example = 0)]
    lag_events: Option<u64>,
    /// `starting`; `running`; `waiting`: something failed and is tried again; `stopped`: nothing more is applied until
    /// somebody has looked; `elsewhere`: its worker is not in this process.
    #[schema(example = "running")]
    state: &'static str,
    /// What failed.
    error: Option<String>,
    /// When the event at `position` was recorded.
    recorded_at: Option<DateTime<Utc>>,
    /// When it last applied something; null where PostgreSQL cannot be reached.
    updated_at: Option<DateTime<Utc>>,
    /// Which build of the read models answers, as the header `Bursar-Build` says too: each rebuild is the next; null where
    /// PostgreSQL cannot be reached.
    #[schema(example = 1)]
    build: Option<i64>,
    /// How many streams are parked: of them nothing is applied until somebody has looked; null where PostgreSQL cannot be
    /// reached.
    #[schema(example = 0)]
    parked_streams: Option<i64>,
    /// How many events somebody has had left out; null where PostgreSQL cannot be reached.
    #[schema(example = 0)]
    left_out_events: Option<i64>,
    /// The feed that it follows: `log`, or the name of a topic.
    #[schema(example = "log")]
    source: Option<String>,
    /// The partitions of the feed.
    partitions: Vec<Partition>,
}

/// How far a projection has come in a partition of its feed.
#[derive(Debug, Serialize, ToSchema)]
struct Partition {
    #[schema(example = 0)]
    partition: i32,
    /// The last position of the partition that was applied.
    #[schema(example = 4711)]
    position: u64,
    /// The worker that follows it; empty where none has begun.
    #[schema(example = "process 4242 on host-1")]
    owner: String,
    /// When the event at `position` was recorded.
    recorded_at: Option<DateTime<Utc>>,
    /// When something was last applied.
    updated_at: DateTime<Utc>,
}

/// How far the read models have come.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Projections {
    items: Vec<Projection>,
    /// The position of the log that queries reflect now.
    #[schema(example = 4711)]
    position: u64,
}

/// Shows how far the read models have come
///
/// Answered without PostgreSQL too, where the worker runs in this process.
#[utoipa::path(
    get, path = "/v1/projections", operation_id = "list_projections", tag = "operations",
    responses((status = 200, body = Projections, description = "How far each projection has come."), Problems)
)]
pub(super) async fn list(State(state): State<QueryState>, asked: Asked) -> Answered<Projections> {
    asked.finish()?;
    let rows = match (state.checkpoints().await, state.monitor()) {
        (Ok(rows), _) => rows,
        (Err(_), Some(_)) => Vec::new(),
        (Err(error), None) => return Err(failed(error).into()),
    };
    let mut items: Vec<_> = rows.chunk_by(|one, next| one.name == next.name).map(Projection::of_rows).collect();
    if let Some(monitor) = state.monitor() {
        let status = monitor.status();
        let known = items.iter().position(|item| item.name == READ_MODELS);
        let at = known.unwrap_or_else(|| {
            items.push(Projection::unknown(READ_MODELS, status.position));
            items.len() - 1
        });
        let item = &mut items[at];
        item.head = Some(monitor.head().0);
        item.lag_events = Some(monitor.head().0.saturating_sub(item.position));
        (item.state, item.error) = (status.state.as_str(), status.state.error());
    }
    let position = items.iter().find(|item| item.name == READ_MODELS).map_or(0, |item| item.position);
    Ok(Answer::now(Position(position), Projections { items, position }))
}

impl Projection {
    fn of_rows(rows: &[CheckpointRow]) -> Self {
        let behind = rows.iter().min_by_key(|row| row.position);
        Self {
            recorded_at: behind.and_then(|row| row.recorded_at),
            updated_at: rows.iter().map(|row| row.updated_at).max(),
            build: behind.map(|row| row.build),
            parked_streams: behind.map(|row| row.parked_streams),
            left_out_events: behind.map(|row| row.left_out_events),
            source: behind.map(|row| row.source.clone()),
            partitions: rows.iter().map(Partition::of_row).collect(),
            ..Self::unknown(
                rows.first().map_or(READ_MODELS, |row| &row.name),
                Position(behind.map_or(0, |row| row.position.cast_unsigned())),
            )
        }
    }

    fn unknown(name: &str, Position(position): Position) -> Self {
        Self {
            name: name.to_owned(),
            position,
            head: None,
            lag_events: None,
            state: "elsewhere",
            error: None,
            recorded_at: None,
            updated_at: None,
            build: None,
            parked_streams: None,
            left_out_events: None,
            source: None,
            partitions: Vec::new(),
        }
    }
}

impl Partition {
    fn of_row(row: &CheckpointRow) -> Self {
        Self {
            partition: row.partition,
            position: row.position.cast_unsigned(),
            owner: row.owner.clone(),
            recorded_at: row.recorded_at,
            updated_at: row.updated_at,
        }
    }
}

impl QueryState {
    async fn checkpoints(&self) -> Result<Vec<CheckpointRow>, sqlx::Error> {
        sqlx::query_as(
            "SELECT name, partition, source, owner, build, position, recorded_at, updated_at, \
             (SELECT COUNT(*) FROM parked_streams) AS parked_streams, \
             (SELECT COUNT(*) FROM left_out_events) AS left_out_events \
             FROM projection_checkpoints ORDER BY name, partition",
        )
        .fetch_all(self.pool())
        .await
    }
}
