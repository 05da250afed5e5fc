//! Following the feed on one connection: read and fold the next batch while the one before it is written.

use std::pin::{Pin, pin};
use std::sync::Arc;

use sqlx::PgConnection;
use tokio::sync::watch;
use tokio::time::sleep;

use super::WorkerOptions;
use super::backoff::Backoff;
use super::fold::{Folded, NotFolded, fold};
use super::status::{Reporter, State, StopReason};
use super::writing::{Failure, LOOK_AFTER, Writer};
use crate::checkpoint::Claim;
use crate::feed::{Assignment, Feed, FeedError, Record};
use crate::metrics;
use crate::parked::ParkedStreams;
use crate::partition::Places;

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
    /// Finding out what it changes failed.
    Faulty(Arc<Vec<Record>>),
    End(Ending),
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
        match self.apply_all(connection, claim, backoff).await {
            Ok(ending) => Ok(ending),
            Err(Failure::Final(reason)) => Ok(Ending::Stopped(reason)),
            Err(Failure::Passing(failure)) => Err(failure),
        }
    }

    async fn apply_all(
        &mut self,
        connection: &mut PgConnection,
        claim: &Claim,
        backoff: &mut Backoff,
    ) -> Result<Ending, Failure> {
        let Self { feed, options, reporter, stopping } = self;
        let mut source = Source { feed, options, reporter, stopping };
        let mut writer = Writer::begin(connection, claim, *options, reporter).await?;
        let (places, parked) = (writer.places.clone(), Arc::clone(&writer.parked));
        let mut next = until_read(pin!(source.next(&places, &parked)), &mut writer).await?;
        loop {
            let folded = match next {
                // Somebody had streams retried, or an event of the batch before has parked one.
                Next::Batch(folded) if folded.parked_before != writer.parked => {
                    next = folded_again(folded.records, &writer).await;
                    continue;
                }
                Next::Batch(folded) => folded,
                Next::Faulty(records) => {
                    writer.divide(&records).await?;
                    let (places, parked) = (writer.places.clone(), Arc::clone(&writer.parked));
                    next = until_read(pin!(source.next(&places, &parked)), &mut writer).await?;
                    continue;
                }
                Next::End(ending) => return Ok(ending),
            };
            let through = folded.changes.through();
            let mut reading = pin!(source.next(&through, &folded.parked_after));
            let mut read = None;
            {
                let mut writing = pin!(writer.apply(&folded));
                loop {
                    tokio::select! {
                        written = &mut writing => break written?,
                        early = &mut reading, if read.is_none() => read = Some(early),
                    }
                }
            }
            backoff.reset();
            next = match read {
                Some(read) => read,
                None => until_read(reading, &mut writer).await?,
            };
        }
    }
}

/// Waits for the next batch, and looks from time to time whether everything is still as it was left.
async fn until_read(
    mut reading: Pin<&mut impl Future<Output = Next>>,
    writer: &mut Writer<'_>,
) -> Result<Next, Failure> {
    loop {
        tokio::select! {
            next = &mut reading => return Ok(next),
            () = sleep(LOOK_AFTER) => {}
        }
        writer.look().await?;
    }
}

async fn folded_again(records: Arc<Vec<Record>>, writer: &Writer<'_>) -> Next {
    folded(records, &writer.places, &writer.parked).await
}

async fn folded(records: Arc<Vec<Record>>, after: &Places, parked: &Arc<ParkedStreams>) -> Next {
    match fold(&records, 0..records.len(), after, parked).await {
        Ok(folded) => Next::Batch(Box::new(folded)),
        Err(NotFolded::Gap(gap)) => Next::End(Ending::Stopped(gap.into())),
        Err(NotFolded::Fault(error)) => {
            tracing::error!(%error, "a batch of events could not be folded");
            Next::Faulty(records)
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
    async fn next(&mut self, after: &Places, parked: &Arc<ParkedStreams>) -> Next {
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
                    return folded(Arc::new(batch.records), after, parked).await;
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
