//! Following the feed on one connection: read and fold the next batch while the one before it is written.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use sqlx::PgConnection;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use super::WorkerOptions;
use super::backoff::Backoff;
use super::status::{Reporter, State, StopReason};
use crate::checkpoint::{Claim, still_as_left};
use crate::feed::{Assignment, Batch, Content, Feed, FeedError, Record, Undecodable};
use crate::metrics;
use crate::model::Changes;
use crate::partition::{Gap, Places, Step};
use crate::write::{WriteError, write};

/// How often a worker that has nothing to do looks at the checkpoint.
const LOOK_AFTER: Duration = Duration::from_secs(1);
/// How long PostgreSQL may take to show the checkpoint.
const LOOK_TIMEOUT: Duration = Duration::from_secs(10);

/// Why following ended, other than by a failure that can heal.
pub(super) enum Ending {
    /// The log was closed, or the worker was asked to stop.
    Closed,
    /// Other partitions are to be followed now.
    Reassigned,
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
    records: Arc<Vec<Record>>,
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
    /// What is to be followed, or why nothing is any more. Fails where that can heal.
    pub(super) async fn assignment(&mut self) -> Result<Result<Assignment, Ending>, String> {
        let assigned = tokio::select! {
            assigned = self.feed.assignment() => assigned,
            _ = self.stopping.wait_for(|stop| *stop) => return Ok(Err(Ending::Closed)),
        };
        match assigned {
            Ok(assignment) => Ok(Ok(assignment)),
            Err(error) => ending(error).map(Err),
        }
    }

    /// Applies everything after the places of the claim, and what comes. Fails with what PostgreSQL said, where that
    /// can heal.
    pub(super) async fn follow(
        &mut self,
        connection: &mut PgConnection,
        claim: &Claim,
        backoff: &mut Backoff,
    ) -> Result<Ending, String> {
        let Self { feed, options, reporter, stopping } = self;
        let mut source = Source { feed, options, reporter, stopping };
        let mut writer = Writer { connection, claim, options, reporter };
        let mut next = match writer.until_read(pin!(source.next(claim.places())), claim.places()).await? {
            Ok(next) => next,
            Err(reason) => return Ok(Ending::Stopped(reason)),
        };
        loop {
            let folded = match next {
                Next::Batch(folded) => folded,
                Next::End(ending) => return Ok(ending),
            };
            let through = folded.changes.through();
            if let Some(undecodable) = folded.undecodable.clone() {
                let stopped = writer.apply(&folded, backoff).await?;
                return Ok(Ending::Stopped(stopped.unwrap_or(StopReason::Undecodable(undecodable))));
            }
            let mut reading = pin!(source.next(&through));
            let mut read = None;
            let stopped = {
                let mut writing = pin!(writer.apply(&folded, backoff));
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
                None => match writer.until_read(reading, &through).await? {
                    Ok(next) => next,
                    Err(reason) => return Ok(Ending::Stopped(reason)),
                },
            };
        }
    }
}

/// Why following ends when the feed has failed in this way; what can heal is told.
fn ending(error: FeedError) -> Result<Ending, String> {
    match error {
        FeedError::Closed => Ok(Ending::Closed),
        FeedError::Reassigned => Ok(Ending::Reassigned),
        FeedError::Ahead { .. } | FeedError::Unusable(_) => {
            Ok(Ending::Stopped(StopReason::Unusable(error.to_string())))
        }
        FeedError::Unavailable(_) => Err(error.to_string()),
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
    /// The records after these places, folded; waits for them.
    async fn next(&mut self, after: &Places) -> Next {
        let mut backoff = Backoff::new(self.options.retry_wait_max);
        let mut failed = false;
        loop {
            let read = tokio::select! {
                read = self.feed.next_batch(after, self.options.batch) => read,
                _ = self.stopping.wait_for(|stop| *stop) => return Next::End(Ending::Closed),
            };
            let error = match read.map_err(ending) {
                Ok(batch) => {
                    if failed {
                        self.reporter.state(State::Running);
                    }
                    return fold(batch, after).await;
                }
                Err(Ok(ending)) => return Next::End(ending),
                Err(Err(error)) => error,
            };
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

async fn fold(batch: Batch, after: &Places) -> Next {
    let records = Arc::new(batch.records);
    let (to_fold, from) = (Arc::clone(&records), after.clone());
    let folding = tokio::task::spawn_blocking(move || fold_all(&from, &to_fold));
    match folding.await {
        Ok(Ok((changes, undecodable))) => Next::Batch(Box::new(Folded { changes, records, undecodable })),
        Ok(Err(gap)) => Next::End(Ending::Stopped(gap.into())),
        Err(error) => {
            let after = after.position();
            Next::End(Ending::Stopped(StopReason::Fold { after, error: error.to_string() }))
        }
    }
}

/// Folds records up to the first that cannot be read.
fn fold_all(after: &Places, records: &[Record]) -> Result<(Changes, Option<Undecodable>), Gap> {
    let mut changes = Changes::after(after);
    for record in records {
        if let Content::Undecodable(undecodable) = &record.content
            && changes.step(record)? == Step::Apply
        {
            return Ok((changes, Some(undecodable.as_ref().clone())));
        }
        changes.take(record)?;
    }
    Ok((changes, None))
}

/// The writing half of a follower.
struct Writer<'a> {
    connection: &'a mut PgConnection,
    claim: &'a Claim,
    options: &'a WorkerOptions,
    reporter: &'a Reporter,
}

impl Writer<'_> {
    /// Waits for the next batch, and looks from time to time whether everything is still as it was left: PostgreSQL may
    /// have gone, have lost its last transactions in a crash, or have been emptied, while nothing happens here.
    async fn until_read(
        &mut self,
        mut reading: Pin<&mut impl Future<Output = Next>>,
        places: &Places,
    ) -> Result<Result<Next, StopReason>, String> {
        loop {
            tokio::select! {
                next = &mut reading => return Ok(Ok(next)),
                () = sleep(LOOK_AFTER) => {}
            }
            match timeout(LOOK_TIMEOUT, still_as_left(self.connection, self.claim, places)).await {
                Ok(Ok(())) => {}
                Ok(Err(WriteError::TakenOver(taken_over))) => return Ok(Err(taken_over.into())),
                Ok(Err(error)) => return Err(error.to_string()),
                Err(_) => return Err(format!("PostgreSQL did not answer within {} s", LOOK_TIMEOUT.as_secs())),
            }
        }
    }

    /// Writes a batch; gives why nothing more can be applied, where that is so.
    async fn apply(&mut self, folded: &Folded, backoff: &mut Backoff) -> Result<Option<StopReason>, String> {
        if folded.changes.is_empty() {
            return Ok(None);
        }
        match self.write_once(&folded.changes).await {
            Ok(()) => {
                backoff.reset();
                Ok(None)
            }
            Err(Failure::Write(WriteError::TakenOver(taken_over))) => Ok(Some(taken_over.into())),
            Err(Failure::Write(error)) if error.is_about_the_events() => self.find_the_culprit(folded).await,
            Err(failure) => Err(failure.to_string()),
        }
    }

    /// Applies a batch that did not go in one by one, up to the event that is the reason.
    async fn find_the_culprit(&mut self, folded: &Folded) -> Result<Option<StopReason>, String> {
        let mut places = folded.changes.from();
        for record in folded.records.iter() {
            let changes = match fold_all(&places, std::slice::from_ref(record)) {
                Ok((_, Some(undecodable))) => return Ok(Some(undecodable.into())),
                Ok((changes, None)) => changes,
                Err(gap) => return Ok(Some(gap.into())),
            };
            if changes.is_empty() {
                continue;
            }
            match self.write_once(&changes).await {
                Ok(()) => places = changes.through(),
                Err(Failure::Write(WriteError::TakenOver(taken_over))) => return Ok(Some(taken_over.into())),
                Err(Failure::Write(error)) if error.is_about_the_events() => {
                    let Content::Event(event) = &record.content else { return Err(error.to_string()) };
                    let (position, event_type) = (event.position, event.event.event_type());
                    return Ok(Some(StopReason::Unappliable { position, event_type, error: error.to_string() }));
                }
                Err(failure) => return Err(failure.to_string()),
            }
        }
        Ok(None)
    }

    async fn write_once(&mut self, changes: &Changes) -> Result<(), Failure> {
        let begun = Instant::now();
        match timeout(self.options.write_timeout, write(self.connection, self.claim, changes)).await {
            Ok(written) => written?,
            Err(_) => {
                let (events, seconds) = (changes.events(), self.options.write_timeout.as_secs());
                return Err(Failure::Timeout { events, seconds });
            }
        }
        let position = changes.through().position();
        self.reporter.position(position);
        metrics::batch_written(position, self.reporter.head(), changes.events(), begun.elapsed());
        Ok(())
    }
}

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("{0}")]
    Write(#[from] WriteError),
    #[error("PostgreSQL did not finish a transaction of {events} events within {seconds} s")]
    Timeout { events: u64, seconds: u64 },
}
