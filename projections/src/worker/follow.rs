//! Following the feed on one connection: read and fold the next batch while the one before it is written.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use domain::event::RecordedEvent;
use domain::ids::Position;
use sqlx::PgConnection;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use super::WorkerOptions;
use super::backoff::Backoff;
use super::status::{Reporter, State, StopReason};
use crate::checkpoint::{self, READ_MODELS};
use crate::feed::{Batch, Feed, FeedError, Undecodable};
use crate::metrics;
use crate::model::{Changes, Gap};
use crate::write::{WriteError, write};

/// How often a worker that has nothing to do looks at the checkpoint.
const LOOK_AFTER: Duration = Duration::from_secs(1);
/// How long PostgreSQL may take to show the checkpoint.
const LOOK_TIMEOUT: Duration = Duration::from_secs(10);

/// Why following ended, other than by a failure that can heal.
pub(super) enum Ending {
    /// The log was closed, or the worker was asked to stop.
    Closed,
    /// Nothing can be applied any more.
    Stopped(StopReason),
}

/// What comes next from the feed.
enum Next {
    Batch(Box<Folded>),
    End(Ending),
}

/// A batch ready to be written.
struct Folded {
    changes: Changes,
    events: Arc<Vec<RecordedEvent>>,
    undecodable: Option<Undecodable>,
}

/// Follows the feed.
pub(super) struct Follower<F> {
    pub(super) feed: F,
    pub(super) options: WorkerOptions,
    pub(super) reporter: Reporter,
    pub(super) stopping: watch::Receiver<bool>,
}

impl<F: Feed> Follower<F> {
    /// Applies everything after `position`, and what comes. Fails with what PostgreSQL said, where that can heal.
    pub(super) async fn follow(
        &mut self,
        connection: &mut PgConnection,
        position: Position,
        backoff: &mut Backoff,
    ) -> Result<Ending, String> {
        let Self { feed, options, reporter, stopping } = self;
        let mut source = Source { feed, options, reporter, stopping };
        let mut next = until_read(pin!(source.next(position)), connection, position).await?;
        loop {
            let folded = match next {
                Next::Batch(folded) => folded,
                Next::End(ending) => return Ok(ending),
            };
            let through = folded.changes.through();
            if let Some(undecodable) = folded.undecodable.clone() {
                let stopped = apply(connection, &folded, options, reporter, backoff).await?;
                return Ok(Ending::Stopped(stopped.unwrap_or(StopReason::Undecodable(undecodable))));
            }
            let mut reading = pin!(source.next(through));
            let mut read = None;
            let stopped = {
                let mut writing = pin!(apply(connection, &folded, options, reporter, backoff));
                loop {
                    tokio::select! {
                        stopped = &mut writing => break stopped?,
                        early = &mut reading, if read.is_none() => read = Some(early),
                    }
                }
            };
            if let Some(reason) = stopped {
                return Ok(Ending::Stopped(reason));
            }
            next = match read {
                Some(read) => read,
                None => until_read(reading, connection, through).await?,
            };
        }
    }
}

/// Waits for the next batch, and looks from time to time whether everything is still as it was left: PostgreSQL may
/// have gone, have lost its last transactions in a crash, or have been emptied, while nothing happens here.
async fn until_read(
    mut reading: Pin<&mut impl Future<Output = Next>>,
    connection: &mut PgConnection,
    position: Position,
) -> Result<Next, String> {
    loop {
        tokio::select! {
            next = &mut reading => return Ok(next),
            () = sleep(LOOK_AFTER) => {}
        }
        let found = match timeout(LOOK_TIMEOUT, checkpoint::position(connection, READ_MODELS)).await {
            Ok(found) => found.map_err(|error| format!("reading the checkpoint: {error}"))?,
            Err(_) => return Err(format!("PostgreSQL did not answer within {} s", LOOK_TIMEOUT.as_secs())),
        };
        if found != Some(position) {
            let found = found.map_or_else(|| "gone".to_owned(), |found| format!("at position {found}"));
            return Err(format!("the checkpoint was left at position {position} and is {found}"));
        }
    }
}

/// The reading half of a follower.
struct Source<'a, F> {
    feed: &'a mut F,
    options: &'a WorkerOptions,
    reporter: &'a Reporter,
    stopping: &'a mut watch::Receiver<bool>,
}

impl<F: Feed> Source<'_, F> {
    /// The events after a position, folded; waits for them.
    async fn next(&mut self, after: Position) -> Next {
        let mut backoff = Backoff::new(self.options.retry_wait_max);
        let mut failed = false;
        loop {
            let read = tokio::select! {
                read = self.feed.next_batch(after, self.options.batch) => read,
                _ = self.stopping.wait_for(|stop| *stop) => return Next::End(Ending::Closed),
            };
            match read {
                Ok(batch) => {
                    if failed {
                        self.reporter.state(State::Running);
                    }
                    return fold(batch, after).await;
                }
                Err(FeedError::Closed) => return Next::End(Ending::Closed),
                Err(error @ FeedError::Ahead { .. }) => {
                    return Next::End(Ending::Stopped(StopReason::Ahead(error.to_string())));
                }
                Err(FeedError::Unavailable(source)) => {
                    let error = FeedError::Unavailable(source).to_string();
                    tracing::warn!(%error, "the projection cannot read events and tries again");
                    metrics::retried("feed");
                    failed = true;
                    self.reporter.state(State::Waiting { error });
                    tokio::select! {
                        () = sleep(backoff.next()) => {}
                        _ = self.stopping.wait_for(|stop| *stop) => return Next::End(Ending::Closed),
                    }
                }
            }
        }
    }
}

async fn fold(batch: Batch, after: Position) -> Next {
    let events = Arc::new(batch.events);
    let to_fold = Arc::clone(&events);
    let folding = tokio::task::spawn_blocking(move || fold_all(after, &to_fold));
    match folding.await {
        Ok(Ok(changes)) => Next::Batch(Box::new(Folded { changes, events, undecodable: batch.undecodable })),
        Ok(Err(gap)) => Next::End(Ending::Stopped(gap.into())),
        Err(error) => Next::End(Ending::Stopped(StopReason::Fold { after, error: error.to_string() })),
    }
}

fn fold_all(after: Position, events: &[RecordedEvent]) -> Result<Changes, Gap> {
    let mut changes = Changes::after(after);
    events.iter().try_for_each(|event| changes.take(event))?;
    Ok(changes)
}

/// Writes a batch; gives why nothing more can be applied, where that is so.
async fn apply(
    connection: &mut PgConnection,
    folded: &Folded,
    options: &WorkerOptions,
    reporter: &Reporter,
    backoff: &mut Backoff,
) -> Result<Option<StopReason>, String> {
    if folded.changes.events() == 0 {
        return Ok(None);
    }
    match write_once(connection, &folded.changes, options, reporter).await {
        Ok(()) => {
            backoff.reset();
            Ok(None)
        }
        Err(Failure::Write(error)) if error.is_about_the_events() => {
            find_the_culprit(connection, folded, options, reporter).await
        }
        Err(failure) => Err(failure.to_string()),
    }
}

/// Applies a batch that did not go in one by one, up to the event that is the reason.
async fn find_the_culprit(
    connection: &mut PgConnection,
    folded: &Folded,
    options: &WorkerOptions,
    reporter: &Reporter,
) -> Result<Option<StopReason>, String> {
    let mut position = folded.changes.from();
    for event in folded.events.iter().filter(|event| event.position > folded.changes.from()) {
        let changes = match fold_all(position, std::slice::from_ref(event)) {
            Ok(changes) => changes,
            Err(gap) => return Ok(Some(gap.into())),
        };
        match write_once(connection, &changes, options, reporter).await {
            Ok(()) => position = event.position,
            Err(Failure::Write(error)) if error.is_about_the_events() => {
                let (position, event_type) = (event.position, event.event.event_type());
                return Ok(Some(StopReason::Unappliable { position, event_type, error: error.to_string() }));
            }
            Err(failure) => return Err(failure.to_string()),
        }
    }
    Ok(None)
}

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("{0}")]
    Write(#[from] WriteError),
    #[error("PostgreSQL did not finish a transaction of {events} events within {seconds} s")]
    Timeout { events: u64, seconds: u64 },
}

async fn write_once(
    connection: &mut PgConnection,
    changes: &Changes,
    options: &WorkerOptions,
    reporter: &Reporter,
) -> Result<(), Failure> {
    let begun = Instant::now();
    match timeout(options.write_timeout, write(connection, READ_MODELS, changes)).await {
        Ok(written) => written?,
        Err(_) => {
            let (events, seconds) = (changes.events(), options.write_timeout.as_secs());
            return Err(Failure::Timeout { events, seconds });
        }
    }
    reporter.position(changes.through());
    metrics::batch_written(changes.through(), reporter.head(), changes.events(), begun.elapsed());
    Ok(())
}
