//! The worker: reads the feed, folds batches, writes them; while one batch is written the next is read. PostgreSQL may
//! go away at any moment: the worker waits and goes on from the checkpoint, which alone says what was applied.

mod backoff;
mod fold;
mod follow;
pub mod status;
mod writing;

use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use self::backoff::Backoff;
use self::follow::{Ending, Follower};
use self::status::{Monitor, Reporter, State, StopReason};
use crate::database::Database;
use crate::feed::{BatchLimits, Feed};
use crate::{checkpoint, metrics};

/// How long a worker that is asked to stop may take for what it is writing.
const STOP_WAIT_MAX: Duration = Duration::from_secs(10);

/// How the worker works.
#[derive(Debug, Clone, Copy)]
pub struct WorkerOptions {
    /// How much is applied in one transaction.
    pub batch: BatchLimits,
    /// A transaction that takes longer counts as failed.
    pub write_timeout: Duration,
    /// The longest wait before something that failed is tried again.
    pub retry_wait_max: Duration,
}

impl Default for WorkerOptions {
    fn default() -> Self {
        Self {
            // Larger ones meet hot accounts more often, and change each once; there are some only when far behind.
            batch: BatchLimits { events_max: 20_000, bytes_max: 16 << 20 },
            write_timeout: Duration::from_secs(60),
            retry_wait_max: Duration::from_secs(5),
        }
    }
}

/// A running worker.
#[derive(Debug)]
pub struct Worker {
    monitor: Monitor,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Worker {
    /// Starts applying the events of `feed` to the read models in `database`, on the runtime that this is called on.
    /// PostgreSQL need not be there yet.
    #[must_use]
    pub fn start(database: Database, feed: impl Feed, options: WorkerOptions) -> Self {
        metrics::describe();
        let (stop, stopping) = watch::channel(false);
        let (reporter, monitor) = Reporter::new(feed.head());
        let task = tokio::spawn(work(database, feed, options, reporter, stopping));
        Self { monitor, stop, task }
    }

    /// Where the worker is, for health, metrics and queries.
    #[must_use]
    pub fn monitor(&self) -> Monitor {
        self.monitor.clone()
    }

    /// Stops: finishes what is being written, within 10 seconds, and reads no more.
    pub async fn stop(mut self) {
        // The worker has ended by itself when nobody listens.
        let _ = self.stop.send(true);
        if tokio::time::timeout(STOP_WAIT_MAX, &mut self.task).await.is_err() {
            // Safe at any moment: rows and checkpoint are one transaction.
            self.task.abort();
        }
    }
}

async fn work<F: Feed>(
    database: Database,
    feed: F,
    options: WorkerOptions,
    reporter: Reporter,
    mut stopping: watch::Receiver<bool>,
) {
    let mut follower = Follower { feed, options, reporter, stopping: stopping.clone() };
    let mut backoff = Backoff::new(options.retry_wait_max);
    metrics::stopped(false);
    loop {
        let failure = match attempt(&database, &mut follower, &mut backoff).await {
            Ok(Ending::Closed) => return,
            Ok(Ending::Reassigned) => continue,
            Ok(Ending::Stopped(StopReason::TakenOver(taken_over))) if follower.feed.taken_over().await => {
                tracing::info!(%taken_over, "the projection goes on with what is left to it");
                continue;
            }
            Ok(Ending::Stopped(reason)) => {
                tracing::error!(%reason, "the projection has stopped; the read models stay where they are");
                metrics::stopped(true);
                follower.reporter.state(State::Stopped(reason));
                return;
            }
            Err(failure) => failure,
        };
        metrics::retried("postgres");
        let wait = backoff.next();
        tracing::warn!(error = %failure, wait_ms = wait.as_millis() as u64, "the projection waits and tries again");
        follower.reporter.state(State::Waiting { error: failure });
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            _ = stopping.wait_for(|stop| *stop) => return,
        }
    }
}

/// Connects, claims what is to be followed, and follows it from there until something fails.
async fn attempt<F: Feed>(
    database: &Database,
    follower: &mut Follower<F>,
    backoff: &mut Backoff,
) -> Result<Ending, String> {
    let assignment = match follower.assignment().await? {
        Ok(assignment) => assignment,
        Err(ending) => return Ok(ending),
    };
    let connected = database.connect_for_writing().await;
    let mut connection = connected.map_err(|error| format!("connecting to PostgreSQL: {error}"))?;
    database.prepare(&mut connection).await.map_err(|error| error.to_string())?;
    let claimed = checkpoint::claim(&mut connection, checkpoint::READ_MODELS, &assignment, &owner()).await;
    let claim = match claimed.map_err(StopReason::try_from) {
        Ok(claim) => claim,
        Err(Ok(reason)) => return Ok(Ending::Stopped(reason)),
        Err(Err(error)) => return Err(error.to_string()),
    };
    follower.reporter.claimed(claim.places().position(), claim.is_whole());
    follower.reporter.state(State::Running);
    let ending = follower.follow(&mut connection, &claim, backoff).await;
    if ending.is_ok() {
        // Told to PostgreSQL as a courtesy; it would notice by itself.
        let _ = sqlx::Connection::close(connection).await;
    }
    ending
}

/// Names this process to people, in checkpoints.
fn owner() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname");
    let host = host.as_deref().map_or("this host", str::trim);
    format!("process {} on {host}", std::process::id())
}
