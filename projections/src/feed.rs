//! Where events come from: one trait, so that a projection cannot tell one way from another. The way straight from the
//! embedded log is in feed/log.rs, that from the folder of a log in feed/folder.rs, the one through Kafka in
//! feed/kafka.rs.

mod folder;
mod kafka;
mod log;

use std::collections::BTreeSet;
use std::error::Error;
use std::future::ready;
use std::sync::Arc;

use domain::event::{Metadata, RecordedEvent};
use domain::ids::{Position, Version};
use tokio::sync::watch;

pub use self::folder::FolderFeed;
pub use self::kafka::KafkaFeed;
pub use self::log::LogFeed;
use crate::partition::{PartitionId, Places};

/// How much is read at once. A batch may be larger where the feed does not split what one command left behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchLimits {
    /// How many events.
    pub events_max: usize,
    /// How many bytes, as the feed counts them.
    pub bytes_max: usize,
}

/// Records of one or several partitions; those of each partition are in its order.
#[derive(Debug, Default)]
pub struct Batch {
    /// The records.
    pub records: Vec<Record>,
}

/// Something in a partition, and its place there.
#[derive(Debug, Clone)]
pub struct Record {
    /// The partition.
    pub partition: PartitionId,
    /// The position that went to this partition before; 0 where it is the first.
    pub previous: Position,
    /// Its place in the log; for a watermark, the position up to which everything that belongs here was sent.
    pub position: Position,
    /// Where the feed goes on after it, in its own terms.
    pub offset: Option<i64>,
    /// What it is.
    pub content: Content,
}

/// What a record is.
#[derive(Debug, Clone)]
pub enum Content {
    /// An event.
    Event(RecordedEvent),
    /// An event that this program cannot read.
    Undecodable(Box<Undecodable>),
    /// No event: everything up to the position that belongs into this partition has been sent.
    Watermark,
}

impl Record {
    /// An event of a feed with one partition, in which every position follows the one before.
    #[must_use]
    pub fn of_log(event: RecordedEvent) -> Self {
        let position = event.position;
        Self::in_log(position, Content::Event(event))
    }

    fn in_log(position: Position, content: Content) -> Self {
        let previous = Position(position.0.saturating_sub(1));
        Self { partition: PartitionId::ONLY, previous, position, offset: None, content }
    }
}

/// An event that this program cannot read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the event at position {position}, of type {event_type:?}, cannot be read: {reason}")]
pub struct Undecodable {
    /// Its place in the log.
    pub position: Position,
    /// The stream it belongs to, as it was written.
    pub stream: String,
    /// Its number within the stream.
    pub version: Version,
    /// Its type.
    pub event_type: String,
    /// The version of its form.
    pub schema_version: u16,
    /// What it shares with the other events of its command.
    pub metadata: Arc<Metadata>,
    /// What was written.
    pub data: Vec<u8>,
    /// Why it cannot be read.
    pub reason: String,
}

/// What a worker is to follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// Names the log whose events these are, for ever.
    pub log_id: String,
    /// Names the feed together with the way in which it spreads events over partitions: `log`, or such as
    /// `kafka:bursar.events`. Places in one feed mean nothing in another.
    pub source: String,
    /// How many partitions the feed has.
    pub partitions: u32,
    /// Those that this worker follows.
    pub followed: BTreeSet<PartitionId>,
}

/// Why there is no batch.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// The read models have seen more than the log has.
    #[error(
        "the read models are at position {after} but the log ends at {head}: they were filled from another log, or \
         the log was put back from an older copy. Empty them and fill them again from position 0"
    )]
    Ahead {
        /// Where the read models are.
        after: Position,
        /// Where the log ends.
        head: Position,
    },
    /// The log was closed; everything before was delivered.
    #[error("the log was closed")]
    Closed,
    /// The partitions were handed out anew; [`Feed::assignment`] tells which are to be followed now.
    #[error("the partitions were handed out anew")]
    Reassigned,
    /// The events cannot be reached now; asking again may help.
    #[error("the events cannot be read: {0}")]
    Unavailable(Box<dyn Error + Send + Sync>),
    /// Asking again does not help: somebody has to look. The text says what happened and what to do.
    #[error("{0}")]
    Unusable(String),
}

/// Everything that happened, in the order of the log within each partition. A stream is in one partition.
pub trait Feed: Send + 'static {
    /// The last position that the log holds durably, as it grows, as far as is known here.
    fn head(&self) -> watch::Receiver<Position>;

    /// What is to be followed; waits while there is nothing. Dropping the future loses nothing.
    ///
    /// # Errors
    /// [`FeedError`].
    fn assignment(&mut self) -> impl Future<Output = Result<Assignment, FeedError>> + Send;

    /// The records that follow `after`, at least one; waits while there is none. `after` has every partition of the
    /// assignment; a feed that stands elsewhere goes there first. Dropping the future loses nothing.
    ///
    /// # Errors
    /// [`FeedError`].
    fn next_batch(
        &mut self,
        after: &Places,
        limits: BatchLimits,
    ) -> impl Future<Output = Result<Batch, FeedError>> + Send;

    /// Another worker has taken a partition over that is followed here. Whether the feed hands partitions out by
    /// itself, so that [`Feed::assignment`] tells what is left; otherwise the worker stops, for two of them would take
    /// the partition from each other for ever. May wait until it knows.
    fn taken_over(&mut self) -> impl Future<Output = bool> + Send {
        ready(false)
    }
}
