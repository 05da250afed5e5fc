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
    position: i64,
    recorded_at: Option<DateTime<Utc>>,
    updated_at: DateTime<Utc>,
}

/// How far a projection has come.
#[derive(Debug, Serialize, ToSchema)]
struct Projection {
    #[schema(example = "read_models")]
    name: String,
    /// The last position of the log that it has applied.
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
        (Err(error), None) => return Err(failed(error)),
    };
    let mut items: Vec<_> = rows.into_iter().map(Projection::of_row).collect();
    if let Some(monitor) = state.monitor() {
        let status = monitor.status();
        let known = items.iter().position(|item| item.name == READ_MODELS);
        let at = known.unwrap_or_else(|| {
            items.push(Projection::unknown(status.position));
            items.len() - 1
        });
        let item = &mut items[at];
        item.head = Some(monitor.head().0);
        item.lag_events = Some(monitor.head().0.saturating_sub(item.position));
        (item.state, item.error) = (status.state.as_str(), status.state.error());
    }
    let position = items.iter().find(|item| item.name == READ_MODELS).map_or(0, |item| item.position);
    Ok(Answer::at(Position(position), Projections { items, position }))
}

impl Projection {
    fn of_row(row: CheckpointRow) -> Self {
        Self {
            name: row.name,
            position: row.position.cast_unsigned(),
            head: None,
            lag_events: None,
            state: "elsewhere",
            error: None,
            recorded_at: row.recorded_at,
            updated_at: Some(row.updated_at),
        }
    }

    fn unknown(Position(position): Position) -> Self {
        Self {
            name: READ_MODELS.to_owned(),
            position,
            head: None,
            lag_events: None,
            state: "elsewhere",
            error: None,
            recorded_at: None,
            updated_at: None,
        }
    }
}

impl QueryState {
    async fn checkpoints(&self) -> Result<Vec<CheckpointRow>, sqlx::Error> {
        sqlx::query_as("SELECT name, position, recorded_at, updated_at FROM projection_checkpoints ORDER BY name")
            .fetch_all(self.pool())
            .await
    }
}
