//! Snapshots: all rows of an answer, and the position that they reflect, are read at one moment.

use std::time::Duration;

use axum::http::StatusCode;
use domain::ids::Position;
use http_problem::Problem;
use sqlx::{PgConnection, PgPool, Postgres, Transaction};
use tokio::time::{Instant, sleep_until};
use utoipa::IntoParams;

use super::answer::{Unanswered, failed};
use super::tag::{Moment, Tag};
use crate::checkpoint::READ_MODELS;
use crate::worker::status::Monitor;

/// How often the checkpoint is looked at by those who wait for a position that another process applies.
const LOOK_AGAIN: Duration = Duration::from_millis(25);

/// What queries need: connections, and the worker where it runs in this process.
#[derive(Debug, Clone)]
pub struct QueryState {
    pool: PgPool,
    monitor: Option<Monitor>,
}

/// What every query can be asked, as the OpenAPI document says it.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "it stands for its description in the OpenAPI document")]
pub(crate) struct Recency {
    /// Answer no earlier than the read models have this position, such as that of a command's answer.
    #[param(example = 4711)]
    min_position: Option<u64>,
    /// How long to wait for `min_position`, in milliseconds.
    #[param(default = 2000, maximum = 30000)]
    wait_ms: Option<u64>,
}

/// How recent an answer must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Freshness {
    pub(crate) min_position: Position,
    pub(crate) wait_max: Duration,
    /// The moment whose answer the client has.
    pub(crate) seen: Option<Tag>,
}

impl Freshness {
    /// At least as recent as a position too.
    pub(crate) fn and_at(self, position: Position) -> Self {
        Self { min_position: self.min_position.max(position), ..self }
    }
}

/// The read models at one moment.
pub(crate) struct Snapshot {
    transaction: Transaction<'static, Postgres>,
    pub(crate) moment: Moment,
}

impl Snapshot {
    /// The connection to read from.
    pub(crate) fn rows(&mut self) -> &mut PgConnection {
        &mut self.transaction
    }

    /// Gives the connection back. Without it that happens a little later.
    pub(crate) async fn close(self) {
        // What was read is read; a connection that fails now is noticed by whoever has it next.
        let _ = self.transaction.rollback().await;
    }
}

impl QueryState {
    /// Queries through `pool`, of [`crate::database::Database::query_pool`]. `monitor` is of the worker, where it runs
    /// in this process: those who wait for a position are told by it as soon as it is there.
    #[must_use]
    pub const fn new(pool: PgPool, monitor: Option<Monitor>) -> Self {
        Self { pool, monitor }
    }

    pub(crate) const fn pool(&self) -> &PgPool {
        &self.pool
    }

    pub(crate) const fn monitor(&self) -> Option<&Monitor> {
        self.monitor.as_ref()
    }

    /// The read models as soon as they are recent enough, unless the client has the answer already.
    pub(crate) async fn snapshot(&self, freshness: Freshness) -> Result<Snapshot, Unanswered> {
        let Freshness { min_position: wanted, wait_max, seen } = freshness;
        let deadline = Instant::now() + wait_max;
        loop {
            let snapshot = self.begin().await.map_err(failed)?;
            let Moment { position: reached, tag, .. } = snapshot.moment;
            if reached >= wanted {
                let Some(tag) = tag.filter(|tag| seen == Some(*tag)) else { return Ok(snapshot) };
                snapshot.close().await;
                return Err(Unanswered::Unchanged(reached, tag));
            }
            snapshot.close().await;
            if Instant::now() >= deadline {
                return Err(behind(wanted, reached).into());
            }
            self.wait(wanted, deadline).await;
        }
    }

    async fn begin(&self) -> Result<Snapshot, sqlx::Error> {
        let mut transaction = self.pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
        let moment = Moment::of(&mut transaction, READ_MODELS).await?;
        Ok(Snapshot { transaction, moment })
    }

    /// Until the position is there, as far as is known here, or it is time to look again.
    async fn wait(&self, wanted: Position, deadline: Instant) {
        let look_again = deadline.min(Instant::now() + LOOK_AGAIN);
        // What a worker of some partitions has reached says nothing about the others.
        if let Some(monitor) = &self.monitor
            && monitor.clone().wait_until_deadline(look_again, |at| at.whole && at.position >= wanted).await
        {
            // It was told just after the snapshot, or the read models were emptied or switched since.
            return tokio::task::yield_now().await;
        }
        // A worker that has ended tells nothing, but another process may apply.
        sleep_until(look_again).await;
    }
}

pub(crate) fn behind(wanted: Position, reached: Position) -> Problem {
    let detail = format!(
        "the read models have reached position {reached}, {wanted} was wanted; ask again, with a longer wait_ms if need be"
    );
    let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, "view_behind", detail).retry_after(1);
    problem.param("min_position").figure("wanted", wanted.0).figure("reached", reached.0)
}
