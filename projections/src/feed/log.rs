//! The way straight from the embedded log of this process: one partition.

use std::collections::BTreeSet;
use std::sync::Arc;

use domain::event::Metadata;
use domain::ids::Position;
use event_store::feed::Subscription;
use event_store::log::Log;
use event_store::transaction::decode::NotUnderstood;
use event_store::transaction::record::EventRecord;
use tokio::sync::watch;

use super::{Assignment, Batch, BatchLimits, Content, Feed, FeedError, Record, Undecodable};
use crate::partition::{PartitionId, Places};

/// The name of this feed in checkpoints.
pub(super) const SOURCE: &str = "log";

/// The events of the embedded log of this process.
#[derive(Debug)]
pub struct LogFeed {
    log: Log,
    subscription: Subscription,
}

impl LogFeed {
    /// Follows a log.
    #[must_use]
    pub fn new(log: Log) -> Self {
        let subscription = log.subscribe(Position::START);
        Self { log, subscription }
    }

    /// What is to be followed of a log: all of it.
    #[must_use]
    pub fn assignment_of(log: &Log) -> Assignment {
        Assignment {
            log_id: log.id().to_string(),
            source: SOURCE.to_owned(),
            partitions: 1,
            followed: BTreeSet::from([PartitionId::ONLY]),
        }
    }
}

impl Feed for LogFeed {
    fn head(&self) -> watch::Receiver<Position> {
        self.log.durable_watch()
    }

    async fn assignment(&mut self) -> Result<Assignment, FeedError> {
        Ok(Self::assignment_of(&self.log))
    }

    async fn next_batch(&mut self, after: &Places, limits: BatchLimits) -> Result<Batch, FeedError> {
        let after = after.position();
        if self.subscription.position() != after {
            self.subscription = self.log.subscribe(after);
        }
        let read = self.subscription.next_batch(limits.events_max, limits.bytes_max).await;
        let batch = read.map_err(|error| match error {
            event_store::feed::FeedError::Ahead { after, durable } => FeedError::Ahead { after, head: durable },
            event_store::feed::FeedError::Closed | event_store::feed::FeedError::Runtime => FeedError::Closed,
            error @ event_store::feed::FeedError::Read(_) => FeedError::Unavailable(error.into()),
        })?;
        // Reading thousands of JSON texts takes milliseconds: not on a thread that answers requests.
        match tokio::task::spawn_blocking(move || decode_all(&batch, after)).await {
            Ok(decoded) => Ok(decoded),
            Err(_) => Err(FeedError::Closed),
        }
    }
}

fn decode_all(batch: &event_store::feed::Batch, after: Position) -> Batch {
    let mut decoded = Batch { records: Vec::with_capacity(batch.len()) };
    for entry in batch.entries() {
        let metadata = entry.metadata();
        for record in entry.events().filter(|record| record.position > after) {
            decoded.records.push(Record::in_log(record.position, content(&record, &metadata)));
        }
    }
    decoded
}

/// What a record of the log holds.
pub(super) fn content(record: &EventRecord<'_>, metadata: &Arc<Metadata>) -> Content {
    match record.decode(metadata) {
        Ok(event) => Content::Event(event),
        Err(error) => Content::Undecodable(Box::new(Undecodable {
            position: record.position,
            stream: record.stream.to_owned(),
            version: record.version,
            event_type: record.event_type.to_owned(),
            schema_version: record.schema_version,
            metadata: Arc::clone(metadata),
            data: record.data.to_vec(),
            reason: reason(error),
        })),
    }
}

/// What is wrong, without the position, which is told beside it.
fn reason(error: NotUnderstood) -> String {
    match error {
        NotUnderstood::Event { source, .. } => source.to_string(),
        NotUnderstood::Stream { source, .. } => source.to_string(),
    }
}
