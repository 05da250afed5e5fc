//! Rebuilding beside the live read models: a next build is filled in a schema of its own from position 0, compared with
//! the live one row by row at one position, and put in its place by renaming in one transaction. Queries and the live
//! worker go on all the while; killed at any moment, it goes on where it was.

mod comparison;
mod switch;

use std::path::PathBuf;
use std::time::Duration;

use domain::ids::Position;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

pub use self::comparison::{Compared, Difference};
use self::switch::Live;
use crate::checkpoint::READ_MODELS;
use crate::database::{Database, PrepareError};
use crate::feed::{FeedError, FolderFeed};
use crate::worker::status::{Monitor, State};
use crate::worker::{Worker, WorkerOptions};

/// How often it is looked how far the live read models are.
const LOOK_AFTER: Duration = Duration::from_millis(100);
/// How long it is waited for a moment at which the builds can be compared, or switched.
const MOMENT_WAIT_MAX: Duration = Duration::from_secs(60);
/// How long the live worker may be held while the next build reaches the same position.
const HOLD_MAX: Duration = Duration::from_secs(10);

/// What is to be done.
#[derive(Debug, Clone)]
pub struct RebuildOptions {
    /// The folder of the log.
    pub log: PathBuf,
    /// Begin at position 0 although an earlier rebuild has filled some.
    pub fresh: bool,
    /// Put the next build in place although rows differ.
    pub accept_differences: bool,
    /// Put the next build in place; otherwise it is only filled and compared, and kept.
    pub switch: bool,
    /// Keep the schema of the build that was live.
    pub keep_old: bool,
}

/// Where a rebuild is, for whoever watches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stage {
    /// Events are applied.
    Filling {
        /// The last position that was applied.
        position: Position,
        /// The position of the live read models.
        of: Position,
    },
    /// A table is compared.
    Comparing {
        /// The table.
        table: String,
    },
    /// The next build is put in place.
    Switching,
}

/// What a rebuild came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rebuilt {
    /// The number of the build.
    pub build: i64,
    /// Where it is.
    pub position: Position,
    /// How the rows compare.
    pub compared: Compared,
    /// Whether it is live now.
    pub switched: bool,
}

/// Why a rebuild ended; the live read models are as they were. What was filled is kept, and used by the next one.
#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    /// There is nothing to be rebuilt.
    #[error("there are no read models in schema {schema}; bursar serve makes and fills them")]
    NoReadModels {
        /// The schema.
        schema: String,
    },
    /// The tables are of an older version, or are being made.
    #[error(
        "the read models in schema {schema} are of an older version, or are being made at this moment; start the bursar \
         serve of this version, and try again"
    )]
    NotCurrent {
        /// The schema.
        schema: String,
    },
    /// Another rebuild is under way.
    #[error("another rebuild of schema {schema} is under way; wait until it has ended")]
    UnderWay {
        /// The schema.
        schema: String,
    },
    /// The name of the schema is too long to make another one of it.
    #[error("the schema's name is too long: {schema} leaves no room for the name of the next build")]
    Name {
        /// The schema.
        schema: String,
    },
    /// The log is not the one that the read models were filled from.
    #[error("the read models were filled from log {filled_from}, this is log {log_id}")]
    OtherLog {
        /// The log they were filled from.
        filled_from: String,
        /// The log at hand.
        log_id: String,
    },
    /// The log cannot be read.
    #[error("the log cannot be read: {0}")]
    Log(#[from] event_store::log::reader::ReadError),
    /// The next build cannot be filled.
    #[error("the next build cannot be filled: {0}")]
    Filling(String),
    /// There was no moment at which the builds could be compared or switched.
    #[error("{0}; the next build is kept, run it again")]
    NoMoment(String),
    /// The tables of the next build cannot be made.
    #[error(transparent)]
    Prepare(#[from] PrepareError),
    /// PostgreSQL refused, or could not be reached.
    #[error("{doing}: {source}")]
    Database {
        /// What was being done.
        doing: &'static str,
        /// What PostgreSQL or the connection said.
        source: sqlx::Error,
    },
}

impl RebuildError {
    fn doing(doing: &'static str) -> impl FnOnce(sqlx::Error) -> Self {
        move |source| Self::Database { doing, source }
    }
}

impl From<FeedError> for RebuildError {
    fn from(error: FeedError) -> Self {
        Self::Filling(error.to_string())
    }
}

/// Rebuilds the read models of `live` from a log. `watching` is told where it is.
///
/// # Errors
/// [`RebuildError`].
pub async fn rebuild(
    live: &Database,
    options: &RebuildOptions,
    mut watching: impl FnMut(Stage),
) -> Result<Rebuilt, RebuildError> {
    let schema = live.schema().to_string();
    let no_room = |_| RebuildError::Name { schema: schema.clone() };
    let next = live.in_schema(format!("{schema}_next").parse().map_err(no_room)?);
    let before = format!("{schema}_before").parse().map_err(no_room)?;
    let mut connection = live.connect_for_writing().await.map_err(RebuildError::doing("connecting"))?;
    alone(&mut connection, &schema).await?;
    let found = Live::read(&mut connection, live.schema()).await?;
    let found = found.ok_or_else(|| RebuildError::NoReadModels { schema: schema.clone() })?;
    // Left over where an earlier one was killed after the switch.
    drop_schema(&mut connection, &before, !options.keep_old).await?;
    drop_schema(&mut connection, next.schema(), options.fresh).await?;

    let (head, durable) = watch::channel(found.lowest());
    let feed = FolderFeed::open(&options.log, durable.clone())?;
    if feed.log_id() != found.log_id {
        return Err(RebuildError::OtherLog { filled_from: found.log_id, log_id: feed.log_id() });
    }
    let mut next_connection = next.connect_for_writing().await.map_err(RebuildError::doing("connecting"))?;
    next.prepare(&mut next_connection).await?;
    let mut filling = Filling { next: &next, log: &options.log, head, worker: None };
    filling.start(feed);
    let outcome = go_on(&mut connection, live, &mut filling, options, &mut watching).await;
    filling.stop().await;
    let rebuilt = outcome?;
    if rebuilt.switched {
        drop_schema(&mut connection, &before, !options.keep_old).await?;
    }
    // The lock goes with the connection.
    let _ = connection.close().await;
    Ok(rebuilt)
}

async fn go_on(
    connection: &mut PgConnection,
    live: &Database,
    filling: &mut Filling<'_>,
    options: &RebuildOptions,
    watching: &mut impl FnMut(Stage),
) -> Result<Rebuilt, RebuildError> {
    filling.fill(connection, live, watching).await?;
    let compared = comparison::compare(connection, live, filling, watching).await?;
    let mut rebuilt = Rebuilt {
        build: Live::read(connection, live.schema()).await?.map_or(1, |live| live.build) + 1,
        position: compared.position,
        compared,
        switched: false,
    };
    if options.switch && (rebuilt.compared.is_equal() || options.accept_differences) {
        watching(Stage::Switching);
        rebuilt.position = switch::switch(connection, live, filling, rebuilt.build).await?;
        rebuilt.switched = true;
    }
    Ok(rebuilt)
}

/// The next build, and the worker that fills it.
struct Filling<'a> {
    next: &'a Database,
    log: &'a std::path::Path,
    head: watch::Sender<Position>,
    worker: Option<Worker>,
}

impl Filling<'_> {
    fn start(&mut self, feed: FolderFeed) {
        self.worker = Some(Worker::start(self.next.clone(), feed, WorkerOptions::default()));
    }

    fn start_again(&mut self) -> Result<(), RebuildError> {
        self.start(FolderFeed::open(self.log, self.head.subscribe())?);
        Ok(())
    }

    async fn stop(&mut self) {
        if let Some(worker) = self.worker.take() {
            worker.stop().await;
        }
    }

    fn monitor(&self) -> Result<Monitor, RebuildError> {
        let worker = self.worker.as_ref().ok_or_else(|| RebuildError::Filling("its worker has ended".to_owned()))?;
        Ok(worker.monitor())
    }

    /// Lets the worker go as far as a position.
    fn allow(&self, position: Position) {
        self.head.send_if_modified(|head| {
            let further = position > *head;
            *head = position.max(*head);
            further
        });
    }

    /// Until it is as far as the live read models, which go on.
    async fn fill(
        &self,
        connection: &mut PgConnection,
        live: &Database,
        watching: &mut impl FnMut(Stage),
    ) -> Result<(), RebuildError> {
        let mut monitor = self.monitor()?;
        loop {
            let found = Live::read(connection, live.schema()).await?;
            let of = found.map_or(Position::START, |found| found.lowest());
            self.allow(of);
            let status = monitor.status();
            if let State::Stopped(reason) = status.state {
                return Err(RebuildError::Filling(reason.to_string()));
            }
            watching(Stage::Filling { position: status.position, of });
            if status.state == State::Running && status.position >= of {
                return Ok(());
            }
            monitor.wait_until(LOOK_AFTER, |status| status.position >= of && status.state == State::Running).await;
        }
    }

    /// Until it is exactly at a position at which the live read models are held.
    async fn reach(&self, position: Position) -> Result<bool, RebuildError> {
        self.allow(position);
        let reached = self.monitor()?.wait_until(HOLD_MAX, |status| status.position >= position).await;
        Ok(reached)
    }
}

/// Makes sure that this is the only rebuild of a schema, as long as the connection stands.
async fn alone(connection: &mut PgConnection, schema: &str) -> Result<(), RebuildError> {
    let alone: bool = sqlx::query_scalar("SELECT pg_try_advisory_lock(hashtextextended($1, 0))")
        .bind(format!("bursar rebuild of {schema} {READ_MODELS}"))
        .fetch_one(connection)
        .await
        .map_err(RebuildError::doing("looking whether another rebuild is under way"))?;
    if alone { Ok(()) } else { Err(RebuildError::UnderWay { schema: schema.to_owned() }) }
}

async fn drop_schema(
    connection: &mut PgConnection,
    schema: &crate::database::SchemaName,
    wanted: bool,
) -> Result<(), RebuildError> {
    if wanted {
        let drop = AssertSqlSafe(format!("DROP SCHEMA IF EXISTS {schema} CASCADE"));
        sqlx::query(drop).execute(connection).await.map_err(RebuildError::doing("dropping a schema"))?;
    }
    Ok(())
}

/// How long a moment is waited for.
struct Patience {
    until: Instant,
}

impl Patience {
    fn begin() -> Self {
        Self { until: Instant::now() + MOMENT_WAIT_MAX }
    }

    /// Waits before the next attempt, or ends the waiting with why there was no moment.
    async fn again(&self, why: String) -> Result<(), RebuildError> {
        if Instant::now() >= self.until {
            return Err(RebuildError::NoMoment(why));
        }
        sleep(LOOK_AFTER).await;
        Ok(())
    }
}
