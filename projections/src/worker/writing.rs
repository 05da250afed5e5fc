//! The writing half of a worker: writes batches, finds the event that is the reason where one does not go in, and looks
//! from time to time whether everything is as it was left.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use sqlx::PgConnection;
use tokio::time::{Instant, timeout};

use super::WorkerOptions;
use super::fold::{Folded, NotFolded, fold};
use super::status::{Reporter, StopReason};
use crate::checkpoint::{Claim, still_as_left};
use crate::feed::{Content, Record};
use crate::metrics;
use crate::model::Changes;
use crate::parked::{ParkedStreams, Why};
use crate::partition::Places;
use crate::write::{WriteError, write};

/// How often a worker looks at its checkpoints and at what is parked.
pub(super) const LOOK_AFTER: Duration = Duration::from_secs(1);
/// How long PostgreSQL may take to show them.
const LOOK_TIMEOUT: Duration = Duration::from_secs(10);

/// Why a batch was not written.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// It will fail again.
    #[error("{0}")]
    Final(StopReason),
    /// It can heal.
    #[error("{0}")]
    Passing(String),
}

impl From<WriteError> for Failure {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::TakenOver(taken_over) => Self::Final(taken_over.into()),
            error => Self::Passing(error.to_string()),
        }
    }
}

pub(super) struct Writer<'a> {
    connection: &'a mut PgConnection,
    claim: &'a Claim,
    options: WorkerOptions,
    reporter: &'a Reporter,
    /// Where the checkpoints are.
    pub(super) places: Places,
    /// The streams that are parked.
    pub(super) parked: Arc<ParkedStreams>,
    looked_at: Instant,
}

impl<'a> Writer<'a> {
    /// Begins where the claim was made.
    pub(super) async fn begin(
        connection: &'a mut PgConnection,
        claim: &'a Claim,
        options: WorkerOptions,
        reporter: &'a Reporter,
    ) -> Result<Self, Failure> {
        let (places, parked, looked_at) = (claim.places().clone(), Arc::default(), Instant::now());
        let mut writer = Self { connection, claim, options, reporter, places, parked, looked_at };
        writer.read_parked().await?;
        Ok(writer)
    }

    /// Writes a batch. Afterwards `places` and `parked` are those behind it.
    pub(super) async fn apply(&mut self, folded: &Folded) -> Result<(), Failure> {
        match self.write_once(&folded.changes).await {
            Ok(()) => {
                self.set_parked(&folded.parked_after);
                self.look_if_due().await
            }
            Err(Failed::Events(_)) => self.divide(&folded.records).await,
            Err(Failed::NotParked) => {
                self.read_parked().await?;
                self.divide(&folded.records).await
            }
            Err(Failed::Other(failure)) => Err(failure),
        }
    }

    /// Applies records that did not go in together, in halves and halves of these, down to the events that are the
    /// reason: each of them parks its stream.
    pub(super) async fn divide(&mut self, records: &Arc<Vec<Record>>) -> Result<(), Failure> {
        let all: Range<usize> = 0..records.len();
        let mut rest = Vec::from([all]);
        while let Some(range) = rest.pop() {
            let failed = match fold(records, range.clone(), &self.places, &self.parked).await {
                Ok(folded) => match self.write_once(&folded.changes).await {
                    Ok(()) => {
                        self.set_parked(&folded.parked_after);
                        continue;
                    }
                    Err(Failed::NotParked) => {
                        self.read_parked().await?;
                        rest.push(range);
                        continue;
                    }
                    Err(Failed::Events(error)) => (Why::Refused, error),
                    Err(Failed::Other(failure)) => return Err(failure),
                },
                Err(NotFolded::Gap(gap)) => return Err(Failure::Final(gap.into())),
                Err(NotFolded::Fault(error)) => (Why::Fault, error),
            };
            if range.len() > 1 {
                let middle = range.start + range.len() / 2;
                rest.extend([middle..range.end, range.start..middle]);
            } else if let Some(record) = records.get(range.start) {
                self.park(record, failed.0, &failed.1).await?;
            }
        }
        Ok(())
    }

    /// Parks the stream of the event that is the reason.
    async fn park(&mut self, record: &Record, why: Why, error: &str) -> Result<(), Failure> {
        let Content::Event(event) = &record.content else { return Err(Failure::Passing(error.to_owned())) };
        let mut changes = Changes::after(&self.places);
        changes.set_aside(record, Some((why, error))).map_err(|gap| Failure::Final(gap.into()))?;
        tracing::error!(
            stream = %event.stream, position = event.position.0, %error,
            "an event cannot be applied: its stream is parked until somebody has looked"
        );
        match self.write_once(&changes).await {
            Ok(()) => {}
            Err(Failed::Events(error)) => return Err(Failure::Passing(error)),
            Err(Failed::NotParked) => return Err(WriteError::NotParked.into()),
            Err(Failed::Other(failure)) => return Err(failure),
        }
        let mut parked = Arc::clone(&self.parked);
        Arc::make_mut(&mut parked).park(event.stream.to_string());
        self.set_parked(&parked);
        Ok(())
    }

    /// Looks whether the checkpoints and what is parked are as they were left: PostgreSQL may have gone, have lost its
    /// last transactions in a crash, or have been emptied; streams may have been retried.
    pub(super) async fn look(&mut self) -> Result<(), Failure> {
        self.looked_at = Instant::now();
        let looking = async {
            still_as_left(self.connection, self.claim, &self.places).await?;
            let count = ParkedStreams::count(self.connection).await;
            let count = count.map_err(WriteError::doing("counting parked streams"))?;
            if count == self.parked.len() { Ok(()) } else { self.read_parked().await }
        };
        match timeout(LOOK_TIMEOUT, looking).await {
            Ok(looked) => looked,
            Err(_) => Err(Failure::Passing(format!("PostgreSQL did not answer within {} s", LOOK_TIMEOUT.as_secs()))),
        }
    }

    async fn look_if_due(&mut self) -> Result<(), Failure> {
        if self.looked_at.elapsed() < LOOK_AFTER { Ok(()) } else { self.look().await }
    }

    async fn read_parked(&mut self) -> Result<(), Failure> {
        let parked = ParkedStreams::read(self.connection).await;
        let parked = parked.map_err(WriteError::doing("reading parked streams"))?;
        self.set_parked(&Arc::new(parked));
        Ok(())
    }

    fn set_parked(&mut self, parked: &Arc<ParkedStreams>) {
        self.parked = Arc::clone(parked);
        self.reporter.parked(parked.len());
    }

    async fn write_once(&mut self, changes: &Changes) -> Result<(), Failed> {
        if changes.is_empty() {
            return Ok(());
        }
        let begun = Instant::now();
        match timeout(self.options.write_timeout, write(self.connection, self.claim, changes)).await {
            Ok(Ok(())) => {}
            Ok(Err(WriteError::NotParked)) => return Err(Failed::NotParked),
            Ok(Err(error)) if error.is_about_the_events() => return Err(Failed::Events(error.to_string())),
            Ok(Err(error)) => return Err(Failed::Other(error.into())),
            Err(_) => {
                let (events, seconds) = (changes.events(), self.options.write_timeout.as_secs());
                let text = format!("PostgreSQL did not finish a transaction of {events} events within {seconds} s");
                return Err(Failed::Other(Failure::Passing(text)));
            }
        }
        self.places = changes.through();
        let position = self.places.position();
        self.reporter.position(position);
        metrics::batch_written(position, self.reporter.head(), changes.events(), begun.elapsed());
        Ok(())
    }
}

/// Why one transaction failed.
enum Failed {
    /// The events are the reason.
    Events(String),
    /// A stream was retried or released since the events were folded.
    NotParked,
    Other(Failure),
}
