//! The topic before anything is sent or read: made where it is missing, refused where it is another than was meant, and
//! the last record of each partition, which says where the relay goes on.

use std::time::{Duration, Instant};

use domain::ids::Position;
use rdkafka::Message;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka::types::RDKafkaRespErr;

use super::client::{Heard, KafkaOptions, MESSAGE_BYTES_MAX};
use super::record::{Foreign, RecordHeaders};
use crate::cloud_event::EventSource;

/// How long one question to a broker may take.
const ANSWER_MAX: Duration = Duration::from_secs(5);
/// How often a topic that was just made is looked for.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Why the topic cannot be used now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TopicError {
    /// The brokers cannot be reached, or cannot answer; asking again may help.
    #[error("{doing}: {reason}")]
    Unavailable {
        /// What was being done.
        doing: String,
        /// Why not.
        reason: String,
    },
    /// It has another number of partitions than it should have.
    #[error(
        "topic {topic} has {found} partitions and should have {wanted}: which partition a stream is in depends on it. \
         Set kafka_partitions to {found}, or name another topic"
    )]
    OtherPartitions {
        /// The topic.
        topic: String,
        /// How many it has.
        found: u32,
        /// How many it should have.
        wanted: u32,
    },
    /// It is not there.
    #[error("topic {topic} is not there")]
    Missing {
        /// The topic.
        topic: String,
    },
    /// Somebody else writes into it.
    #[error("record {offset} in partition {partition} of topic {topic} is not Bursar's: {reason}. Name another topic")]
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
    /// It holds the events of another log.
    #[error("topic {topic} holds the events of {found}, and this log is {wanted}. Name another topic, or delete it")]
    OtherLog {
        /// The topic.
        topic: String,
        /// The log whose events it holds.
        found: String,
        /// The log whose events it should hold.
        wanted: String,
    },
}

impl TopicError {
    /// Whether asking again may help.
    #[must_use]
    pub const fn is_passing(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }
}

/// The end of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartitionEnd {
    /// The position of its last record; [`Position::START`] where there is none.
    pub last: Position,
    /// The offset that the next record gets.
    pub next_offset: i64,
    /// Whether it had records that are all gone, so that nothing says how far it had come.
    pub emptied: bool,
}

/// What the topic has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Survey {
    /// The end of every partition, by its number.
    pub ends: Vec<PartitionEnd>,
    /// The log that the records come from, as they name it; none where there is no record.
    pub source: Option<String>,
}

/// Looks at a topic that is there already. Asks brokers, and waits for their answers.
///
/// # Errors
/// [`TopicError`].
pub fn survey(options: &KafkaOptions) -> Result<Survey, TopicError> {
    let topic = Topic::new(options)?;
    topic.check()?;
    topic.survey()
}

/// A look at the topic through a connection of its own.
pub(crate) struct Topic<'a> {
    options: &'a KafkaOptions,
    consumer: BaseConsumer<Heard>,
}

impl<'a> Topic<'a> {
    /// Connects to nobody yet.
    pub(crate) fn new(options: &'a KafkaOptions) -> Result<Self, TopicError> {
        let consumer = options.consumer_config().create_with_context(Heard::default());
        let consumer = consumer.map_err(|error| unavailable("preparing a connection to Kafka", &error))?;
        Ok(Self { options, consumer })
    }

    /// Checks that the topic is there with as many partitions as it should have.
    pub(crate) fn check(&self) -> Result<(), TopicError> {
        let (topic, wanted) = (self.options.topic.clone(), self.options.partitions);
        match self.partitions()? {
            None => Err(TopicError::Missing { topic }),
            Some(found) if found == wanted => Ok(()),
            Some(found) => Err(TopicError::OtherPartitions { topic, found, wanted }),
        }
    }

    /// How many partitions the topic has; none where it is not there.
    fn partitions(&self) -> Result<Option<u32>, TopicError> {
        let metadata = self.consumer.fetch_metadata(Some(&self.options.topic), ANSWER_MAX);
        let metadata = metadata.map_err(|error| self.asking("asking for its partitions", &error))?;
        let topic = metadata.topics().iter().find(|found| found.name() == self.options.topic);
        match topic.map(|topic| (topic.error(), topic.partitions().len() as u32)) {
            None
            | Some((Some(RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART), _))
            | Some((Some(RDKafkaRespErr::RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC), _)) => Ok(None),
            Some((Some(error), _)) => {
                let code = RDKafkaErrorCode::from(error);
                Err(self.asking("asking for its partitions", &KafkaError::MetadataFetch(code)))
            }
            Some((None, 0)) => Ok(None),
            Some((None, partitions)) => Ok(Some(partitions)),
        }
    }

    /// Makes the topic, kept for ever, and waits until brokers know of it.
    pub(crate) async fn create(&self) -> Result<(), TopicError> {
        let admin: Result<AdminClient<Heard>, _> = self.options.admin_config().create_with_context(Heard::default());
        let admin = admin.map_err(|error| self.asking("making it", &error))?;
        let replication = TopicReplication::Fixed(i32::from(self.options.replication));
        // What is read from it is not only the newest, so nothing is deleted unless its owner says so.
        let topic = NewTopic::new(&self.options.topic, self.options.partitions.cast_signed(), replication)
            .set("cleanup.policy", "delete")
            .set("retention.ms", "-1")
            .set("retention.bytes", "-1")
            .set("max.message.bytes", MESSAGE_BYTES_MAX);
        let asked = AdminOptions::new().operation_timeout(Some(ANSWER_MAX)).request_timeout(Some(ANSWER_MAX));
        let made = admin.create_topics([&topic], &asked).await.map_err(|error| self.asking("making it", &error))?;
        for result in made {
            match result {
                Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
                Err((_, code)) => return Err(self.asking("making it", &KafkaError::AdminOp(code))),
            }
        }
        let deadline = Instant::now() + ANSWER_MAX;
        while self.partitions()?.is_none() && Instant::now() < deadline {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        tracing::info!(topic = self.options.topic, partitions = self.options.partitions, "made the topic");
        Ok(())
    }

    /// The end of every partition of a topic that has the events of this log and of no other.
    pub(crate) fn ends(&self, source: &EventSource) -> Result<Vec<PartitionEnd>, TopicError> {
        let Survey { ends, source: found } = self.survey()?;
        match found {
            Some(found) if found != source.as_str() => {
                let (topic, wanted) = (self.options.topic.clone(), source.as_str().to_owned());
                Err(TopicError::OtherLog { topic, found, wanted })
            }
            _ => Ok(ends),
        }
    }

    /// The end of every partition. A partition that was emptied has no last record.
    fn survey(&self) -> Result<Survey, TopicError> {
        let mut source: Option<String> = None;
        let mut ends = Vec::with_capacity(self.options.partitions as usize);
        let mut wanted = TopicPartitionList::new();
        let reading = |error: &KafkaError| self.asking("reading the last record of a partition", error);
        for partition in 0..self.options.partitions.cast_signed() {
            let bounds = self.consumer.fetch_watermarks(&self.options.topic, partition, ANSWER_MAX);
            let (low, high) = bounds.map_err(|error| self.asking("asking for the end of a partition", &error))?;
            ends.push(PartitionEnd { last: Position::START, next_offset: high, emptied: high > 0 && low >= high });
            if low < high {
                wanted
                    .add_partition_offset(&self.options.topic, partition, Offset::Offset(high - 1))
                    .map_err(|error| reading(&error))?;
            }
        }
        let mut missing = wanted.count();
        if missing == 0 {
            return Ok(Survey { ends, source });
        }
        self.consumer.assign(&wanted).map_err(|error| reading(&error))?;
        let deadline = Instant::now() + ANSWER_MAX;
        while missing > 0 {
            let left = deadline.saturating_duration_since(Instant::now());
            let message = match self.consumer.poll(left) {
                Some(Ok(message)) => message,
                Some(Err(KafkaError::PartitionEOF(_))) => continue,
                Some(Err(error)) if is_about_to_pass(&error) && !left.is_zero() => continue,
                Some(Err(error)) => return Err(reading(&error)),
                None if left.is_zero() => {
                    return Err(reading(&KafkaError::MessageConsumption(RDKafkaErrorCode::OperationTimedOut)));
                }
                None => continue,
            };
            let partition = message.partition().cast_unsigned();
            let end = &mut ends[partition as usize];
            if message.offset() != end.next_offset - 1 || end.last != Position::START {
                continue;
            }
            let (topic, offset) = (self.options.topic.clone(), message.offset());
            let stamp = RecordHeaders::new(message.headers()).stamp();
            let stamp =
                stamp.map_err(|reason| TopicError::Foreign { topic: topic.clone(), partition, offset, reason })?;
            let wanted = source.get_or_insert_with(|| stamp.source.to_owned());
            if stamp.source != wanted {
                let (found, wanted) = (stamp.source.to_owned(), wanted.clone());
                return Err(TopicError::OtherLog { topic, found, wanted });
            }
            end.last = stamp.position;
            missing -= 1;
        }
        Ok(Survey { ends, source })
    }

    fn asking(&self, doing: &str, error: &KafkaError) -> TopicError {
        let doing = format!("topic {} at {}: {doing}", self.options.topic, self.options.brokers);
        let reason = match self.consumer.context().last() {
            Some(heard) => format!("{error} ({heard})"),
            None => error.to_string(),
        };
        TopicError::Unavailable { doing, reason }
    }
}

/// Brokers that come and go say so while the last records are read; librdkafka goes on by itself.
fn is_about_to_pass(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::BrokerTransportFailure
                | RDKafkaErrorCode::AllBrokersDown
                | RDKafkaErrorCode::NotLeaderForPartition
                | RDKafkaErrorCode::LeaderNotAvailable
        )
    )
}

fn unavailable(doing: &str, error: &KafkaError) -> TopicError {
    TopicError::Unavailable { doing: doing.to_owned(), reason: error.to_string() }
}
