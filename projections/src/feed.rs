//! Where events come from: one trait, so that a projection cannot tell one way from another. Here is the way straight
//! from the embedded log.

use std::error::Error;

use domain::event::RecordedEvent;
use domain::ids::Position;
use event_store::feed::Subscription;
use event_store::log::Log;
use event_store::transaction::decode::NotUnderstood;
use tokio::sync::watch;

/// How much is read at once. A batch may be larger where the feed does not split what one command left behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchLimits {
    /// How many events.
    pub events_max: usize,
    /// How many bytes, as the feed counts them.
    pub bytes_max: usize,
}

/// Events that follow one another.
#[derive(Debug, Default)]
pub struct Batch {
    /// The events, in order.
    pub events: Vec<RecordedEvent>,
    /// The event after them, where this program cannot read it.
    pub undecodable: Option<Undecodable>,
}

/// An event that this program cannot read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the event at position {position}, of type {event_type:?}, cannot be read: {reason}")]
pub struct Undecodable {
    /// Its place in the log.
    pub position: Position,
    /// Its type.
    pub event_type: String,
    /// Why not.
    pub reason: String,
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
    /// The events cannot be reached now; asking again may help.
    #[error("the events cannot be read: {0}")]
    Unavailable(Box<dyn Error + Send + Sync>),
}

/// Everything that happened, in the order of the log.
pub trait Feed: Send + 'static {
    /// Names the log whose events these are, for ever.
    fn log_id(&self) -> String;

    /// The last position that the log holds durably, as it grows.
    fn head(&self) -> watch::Receiver<Position>;

    /// The events that follow `after`, at least one or [`Batch::undecodable`]; waits while there is none. Dropping the
    /// future loses nothing.
    ///
    /// # Errors
    /// [`FeedError`].
    fn next_batch(
        &mut self,
        after: Position,
        limits: BatchLimits,
    ) -> impl Future<Output = Result<Batch, FeedError>> + Send;
}

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
}

impl Feed for LogFeed {
    fn log_id(&self) -> String {
        self.log.id().to_string()
    }

    fn head(&self) -> watch::Receiver<Position> {
        self.log.durable_watch()
    }

    async fn next_batch(&mut self, after: Position, limits: BatchLimits) -> Result<Batch, FeedError> {
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
    let mut decoded = Batch { events: Vec::with_capacity(batch.len()), undecodable: None };
    for entry in batch.entries() {
        let metadata = entry.metadata();
        for record in entry.events().filter(|record| record.position > after) {
            match record.decode(&metadata) {
                Ok(event) => decoded.events.push(event),
                Err(error) => {
                    let (position, event_type) = (record.position, record.event_type.to_owned());
                    decoded.undecodable = Some(Undecodable { position, event_type, reason: reason(error) });
                    return decoded;
                }
            }
        }
    }
    decoded
}

/// What is wrong, without the position, which is told beside it.
fn reason(error: NotUnderstood) -> String {
    match error {
        NotUnderstood::Event { source, .. } => source.to_string(),
        NotUnderstood::Stream { source, .. } => source.to_string(),
    }
}
