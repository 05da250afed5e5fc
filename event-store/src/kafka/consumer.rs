//! Reading partitions of the topic: a thread that polls, decodes and applies the rule of `arrival.rs`, so that whoever
//! takes from it gets the records of each partition in order, each once. Where it begins is given from outside; nothing
//! is committed to Kafka.

mod decode;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::Builder;
use std::time::Duration;

use domain::event::{Metadata, RecordedEvent};
use domain::ids::{Position, Version};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tokio::sync::mpsc::{Receiver, Sender, channel};

use self::decode::Decoder;
use super::arrival::{Arrival, arrival};
use super::client::{Heard, KafkaOptions};
use super::record::{Foreign, RecordHeaders};

/// Batches that are read ahead.
const BATCHES_AHEAD: usize = 4;
/// How much is given at once at most.
const BATCH_RECORDS_MAX: usize = 5_000;
const BATCH_BYTES_MAX: usize = 4 << 20;
/// How long it waits for a record before it looks whether it is still wanted.
const POLL: Duration = Duration::from_millis(100);
/// How long going to the beginning of a partition may take.
const SEEK_MAX: Duration = Duration::from_secs(10);

/// Where reading a partition begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResumeAt {
    /// The partition.
    pub partition: u32,
    /// Everything at or before this position is known already.
    pub last: Position,
    /// The offset of the next record, where that is known; a wrong one is noticed by the positions. Without one it is
    /// read from its beginning, and what is known is skipped.
    pub offset: Option<i64>,
}

/// A record as it was read: the next one of its partition.
#[derive(Debug, Clone)]
pub struct Received {
    /// The partition.
    pub partition: u32,
    /// The offset after it.
    pub next_offset: i64,
    /// The position of the record before it in the partition.
    pub previous: Position,
    /// Its own position.
    pub position: Position,
    /// What it is.
    pub content: Content,
}

/// What a record is.
#[derive(Debug, Clone)]
pub enum Content {
    /// An event.
    Event(RecordedEvent),
    /// An event that this program cannot read.
    Unreadable(Box<Unreadable>),
    /// No event: everything up to the position that belongs into this partition stands before it.
    Watermark,
}

/// An event that this program cannot read.
#[derive(Debug, Clone)]
pub struct Unreadable {
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

/// Why there are no records.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConsumeError {
    /// A record is missing.
    #[error(
        "partition {partition} of topic {topic} has a gap at offset {offset}: the record there follows position \
         {previous}, and the last one read was {last}. Records were deleted, or brokers lost them. Delete the topic and \
         restart the server that sends, and rebuild the reader from position 0"
    )]
    Gap {
        /// The topic.
        topic: String,
        /// The partition.
        partition: u32,
        /// The offset of the record after the gap.
        offset: i64,
        /// The position that it follows.
        previous: Position,
        /// The last position that was read.
        last: Position,
    },
    /// A record is not Bursar's.
    #[error("record {offset} in partition {partition} of topic {topic} is not Bursar's: {reason}")]
    Foreign {
        /// The topic.
        topic: String,
        /// The partition.
        partition: u32,
        /// The record's offset.
        offset: i64,
        /// Why not.
        reason: Foreign,
    },
    /// A record comes from another log.
    #[error("record {offset} in partition {partition} of topic {topic} is of {found}, and this reads {wanted}")]
    OtherLog {
        /// The topic.
        topic: String,
        /// The partition.
        partition: u32,
        /// The record's offset.
        offset: i64,
        /// The log that it comes from.
        found: String,
        /// The log that is read.
        wanted: String,
    },
    /// Brokers cannot be reached, or do not answer; reading goes on by itself.
    #[error("reading topic {topic} at {brokers}: {reason}")]
    Unavailable {
        /// The topic.
        topic: String,
        /// The brokers that were asked.
        brokers: String,
        /// What is in the way.
        reason: String,
    },
    /// The consumer could not be made, or has ended after an error that it told.
    #[error("the consumer of the topic has ended: {0}")]
    Ended(String),
}

/// Reads some partitions; dropping it ends the reading.
#[derive(Debug)]
pub struct Consumer {
    batches: Receiver<Result<Vec<Received>, ConsumeError>>,
    unwanted: Arc<AtomicBool>,
}

impl Consumer {
    /// Begins to read the events of `source`, which is how the records name their log.
    ///
    /// # Errors
    /// [`ConsumeError::Ended`] where librdkafka or the system refused.
    pub fn start(options: &KafkaOptions, source: &str, resume: &[ResumeAt]) -> Result<Self, ConsumeError> {
        let failed = |error: KafkaError| ConsumeError::Ended(error.to_string());
        let consumer: BaseConsumer<Heard> =
            options.consumer_config().create_with_context(Heard::default()).map_err(failed)?;
        let mut assignment = TopicPartitionList::new();
        for at in resume {
            let offset = at.offset.map_or(Offset::Beginning, Offset::Offset);
            assignment.add_partition_offset(&options.topic, at.partition.cast_signed(), offset).map_err(failed)?;
        }
        consumer.assign(&assignment).map_err(failed)?;
        let (give, batches) = channel(BATCHES_AHEAD);
        let unwanted = Arc::new(AtomicBool::new(false));
        let track = |at: &ResumeAt| (at.partition, Track { last: at.last, unproven: at.offset.is_some() });
        let reading = Reading {
            consumer,
            topic: options.topic.clone(),
            brokers: options.brokers.clone(),
            source: source.to_owned(),
            tracks: resume.iter().map(track).collect(),
            decoder: Decoder::default(),
            in_trouble: false,
        };
        let asked = Arc::clone(&unwanted);
        let thread = Builder::new().name("kafka-consumer".to_owned()).spawn(move || reading.run(&give, &asked));
        thread.map_err(|error| ConsumeError::Ended(error.to_string()))?;
        Ok(Self { batches, unwanted })
    }

    /// The next records; none in a batch where brokers were away, are back, and nothing new is there. Dropping the
    /// future loses nothing.
    ///
    /// # Errors
    /// [`ConsumeError`]; after [`ConsumeError::Unavailable`] it can be asked again.
    pub async fn next(&mut self) -> Result<Vec<Received>, ConsumeError> {
        let ended = || Err(ConsumeError::Ended("nothing more comes".to_owned()));
        self.batches.recv().await.unwrap_or_else(ended)
    }

    /// More records, where some are ready.
    pub fn ready(&mut self) -> Option<Result<Vec<Received>, ConsumeError>> {
        self.batches.try_recv().ok()
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        // Its thread ends within a moment; nobody has to wait for it, because it holds nothing that others need.
        self.unwanted.store(true, Ordering::Relaxed);
    }
}

/// Where a partition is.
#[derive(Debug)]
struct Track {
    last: Position,
    /// It began at an offset that was given, and no record has shown yet that this was the right one.
    unproven: bool,
}

struct Reading {
    consumer: BaseConsumer<Heard>,
    topic: String,
    brokers: String,
    source: String,
    tracks: BTreeMap<u32, Track>,
    decoder: Decoder,
    in_trouble: bool,
}

impl Reading {
    fn run(mut self, give: &Sender<Result<Vec<Received>, ConsumeError>>, unwanted: &AtomicBool) {
        while !unwanted.load(Ordering::Relaxed) {
            let (batch, error) = self.gather();
            let recovered = batch.as_ref().is_some_and(Vec::is_empty);
            let batch = batch.filter(|batch| recovered || !batch.is_empty());
            // Nobody listens any more where giving fails.
            if batch.is_some_and(|batch| give.blocking_send(Ok(batch)).is_err()) {
                return;
            }
            if let Some(error) = error {
                let is_passing = matches!(error, ConsumeError::Unavailable { .. });
                if give.blocking_send(Err(error)).is_err() || !is_passing {
                    return;
                }
            }
        }
    }

    /// What is there, and what stands in the way of more. An empty batch says that trouble is over.
    fn gather(&mut self) -> (Option<Vec<Received>>, Option<ConsumeError>) {
        let mut batch = Vec::new();
        let (mut bytes, mut wait) = (0, POLL);
        // The consumer is borrowed by its messages.
        let Self { consumer, tracks, decoder, .. } = self;
        let (topic, source) = (self.topic.as_str(), self.source.as_str());
        while batch.len() < BATCH_RECORDS_MAX && bytes < BATCH_BYTES_MAX {
            let message = match consumer.poll(wait) {
                None => break,
                Some(Ok(message)) => message,
                Some(Err(KafkaError::PartitionEOF(_))) => {
                    if std::mem::take(&mut self.in_trouble) {
                        return (Some(batch), None);
                    }
                    continue;
                }
                Some(Err(error @ KafkaError::MessageConsumptionFatal(_))) => {
                    return ((!batch.is_empty()).then_some(batch), Some(ConsumeError::Ended(error.to_string())));
                }
                Some(Err(error)) => {
                    let is_news = is_trouble(&error) && !std::mem::replace(&mut self.in_trouble, true);
                    let reason = consumer.context().last().unwrap_or_else(|| error.to_string());
                    let (topic, brokers) = (topic.to_owned(), self.brokers.clone());
                    let trouble = is_news.then_some(ConsumeError::Unavailable { topic, brokers, reason });
                    return ((!batch.is_empty()).then_some(batch), trouble);
                }
            };
            wait = Duration::ZERO;
            self.in_trouble = false;
            bytes += message.payload_len() + message.key_len();
            match take(&message, topic, source, tracks, decoder) {
                Ok(received) => batch.extend(received),
                Err(Refused::Astray) => {
                    let partition = message.partition();
                    drop(message);
                    tracing::warn!(
                        topic,
                        partition,
                        "the offset does not fit the position: reading from the beginning"
                    );
                    if let Err(error) = consumer.seek(topic, partition, Offset::Beginning, SEEK_MAX) {
                        return ((!batch.is_empty()).then_some(batch), Some(ConsumeError::Ended(error.to_string())));
                    }
                }
                Err(Refused::Error(error)) => return ((!batch.is_empty()).then_some(batch), Some(error)),
            }
        }
        ((!batch.is_empty()).then_some(batch), None)
    }
}

/// Errors that are worth telling; others are librdkafka's own affair.
fn is_trouble(error: &KafkaError) -> bool {
    !matches!(error.rdkafka_error_code(), Some(RDKafkaErrorCode::AutoOffsetReset))
}

/// Why a record is not taken.
enum Refused {
    /// The offset that was given is not the right one.
    Astray,
    Error(ConsumeError),
}

impl From<ConsumeError> for Refused {
    fn from(error: ConsumeError) -> Self {
        Self::Error(error)
    }
}

fn take(
    message: &BorrowedMessage<'_>,
    topic: &str,
    source: &str,
    tracks: &mut BTreeMap<u32, Track>,
    decoder: &mut Decoder,
) -> Result<Option<Received>, Refused> {
    let (partition, offset) = (message.partition().cast_unsigned(), message.offset());
    let Some(track) = tracks.get_mut(&partition) else { return Ok(None) };
    let foreign = |reason| ConsumeError::Foreign { topic: topic.to_owned(), partition, offset, reason };
    let headers = RecordHeaders::new(message.headers());
    let stamp = headers.stamp().map_err(foreign)?;
    if stamp.source != source {
        let (topic, found, wanted) = (topic.to_owned(), stamp.source.to_owned(), source.to_owned());
        return Err(ConsumeError::OtherLog { topic, partition, offset, found, wanted }.into());
    }
    let was_unproven = std::mem::take(&mut track.unproven);
    match arrival(track.last, stamp.previous, stamp.position) {
        Arrival::Seen => Ok(None),
        Arrival::Gap if was_unproven => Err(Refused::Astray),
        Arrival::Gap => {
            let (topic, previous, last) = (topic.to_owned(), stamp.previous, track.last);
            Err(ConsumeError::Gap { topic, partition, offset, previous, last }.into())
        }
        Arrival::Next => {
            let content = decoder.content(message, &headers, stamp.position).map_err(foreign)?;
            track.last = stamp.position;
            let (previous, position) = (stamp.previous, stamp.position);
            Ok(Some(Received { partition, next_offset: offset + 1, previous, position, content }))
        }
    }
}
