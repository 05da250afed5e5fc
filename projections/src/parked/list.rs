//! Which streams are parked, and why.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::{FromRow, PgConnection};
use utoipa::ToSchema;

/// A stream of which nothing is applied until somebody has looked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, FromRow, ToSchema)]
pub struct ParkedStream {
    /// The stream.
    #[schema(example = "account-acct-ann")]
    pub stream: String,
    /// The position of the event that could not be applied.
    #[schema(example = 4711)]
    pub position: i64,
    /// Its type.
    #[schema(example = "funds_deposited")]
    pub event_type: String,
    /// `undecodable`: this program cannot read it; `refused`: PostgreSQL refused what it changes, or a row that it
    /// changes is not there; `fault`: finding out what it changes failed.
    #[schema(example = "refused")]
    pub why: String,
    /// What was said.
    pub error: String,
    /// How many events of the stream wait, this one included.
    #[schema(example = 3)]
    pub waiting: i64,
    /// When it was parked.
    pub parked_at: DateTime<Utc>,
    /// How often it was tried again.
    #[schema(example = 0)]
    pub attempts: i64,
    /// When it was last tried again.
    pub tried_at: Option<DateTime<Utc>>,
}

/// The parked streams after one of that name, in the order of their names, at most so many.
///
/// # Errors
/// What PostgreSQL said.
pub async fn list(
    connection: &mut PgConnection,
    after: Option<&str>,
    limit: i64,
) -> Result<Vec<ParkedStream>, sqlx::Error> {
    sqlx::query_as(
        "SELECT p.stream, p.position, p.event_type, p.why, p.error, p.parked_at, p.attempts, p.tried_at, \
         (SELECT COUNT(*) FROM parked_events e WHERE e.stream = p.stream) AS waiting FROM parked_streams p \
         WHERE $1::text IS NULL OR p.stream > $1 ORDER BY p.stream LIMIT $2",
    )
    .bind(after)
    .bind(limit)
    .fetch_all(connection)
    .await
}
