//! The events of a Kafka topic: the partitions that this worker is handed, from the offsets that stand beside the rows.

use std::collections::BTreeSet;
use std::time::Duration;

use domain::ids::Position;
use event_store::kafka::KafkaOptions;
use event_store::kafka::consumer::{self, ConsumeError, Consumer, Received, ResumeAt};
use event_store::kafka::membership::Membership;
use event_store::kafka::topic::{Survey, TopicError, survey};
use tokio::sync::watch;

use super::{Assignment, Batch, BatchLimits, Content, Feed, FeedError, Record, Undecodable};
use crate::partition::{PartitionId, Place, Places};

/// How the records of a topic name their log.
const SOURCE_PREFIX: &str = "urn:bursar:log:";
/// How long a worker whose partition was taken over waits for the group to say so.
const HANDOVER_MAX: Duration = Duration::from_secs(10);

/// The events of a topic.
#[derive(Debug)]
pub struct KafkaFeed {
    kafka: KafkaOptions,
    /// Who hands partitions out; where there is nobody, all are this worker's.
    group: Option<Membership>,
    handed: watch::Receiver<BTreeSet<u32>>,
    /// What was told last to be followed.
    followed: BTreeSet<u32>,
    /// How the records name their log.
    source: String,
    reading: Option<(Consumer, Places)>,
    /// The highest position that was seen in the topic.
    seen: watch::Sender<Position>,
    /// The end of the log, where this process has it.
    log_head: Option<watch::Receiver<Position>>,
}

impl KafkaFeed {
    /// Follows a topic together with the other members of a group, among whom Kafka spreads the partitions.
    #[must_use]
    pub fn shared(kafka: KafkaOptions, group: Membership) -> Self {
        let handed = group.assigned();
        Self::new(kafka, Some(group), handed)
    }

    /// Follows all partitions of a topic.
    #[must_use]
    pub fn whole(kafka: KafkaOptions) -> Self {
        let (_, handed) = watch::channel((0..kafka.partitions).collect());
        Self::new(kafka, None, handed)
    }

    fn new(kafka: KafkaOptions, group: Option<Membership>, handed: watch::Receiver<BTreeSet<u32>>) -> Self {
        let (seen, _) = watch::channel(Position::START);
        let (source, followed) = (String::new(), BTreeSet::new());
        Self { kafka, group, handed, followed, source, reading: None, seen, log_head: None }
    }

    /// Where the log ends, which is more than the topic can tell.
    #[must_use]
    pub fn with_head(self, log_head: watch::Receiver<Position>) -> Self {
        Self { log_head: Some(log_head), ..self }
    }

    /// Waits until partitions are handed out that are not the ones that are followed.
    async fn handed_anew(handed: &mut watch::Receiver<BTreeSet<u32>>, followed: &BTreeSet<u32>) {
        if handed.wait_for(|handed| handed != followed).await.is_err() {
            // Nobody hands out any more, so it stays as it is.
            std::future::pending().await
        }
    }

    /// Goes where `after` is, unless it is there.
    fn stand(&mut self, after: &Places) -> Result<&mut (Consumer, Places), ConsumeError> {
        let reading = match self.reading.take() {
            Some((consumer, places)) if places == *after => (consumer, places),
            _ => {
                let at = |(partition, place): (PartitionId, Place)| ResumeAt {
                    partition: partition.0,
                    last: place.last,
                    offset: place.offset,
                };
                let resume: Vec<_> = after.iter().map(at).collect();
                (Consumer::start(&self.kafka, &self.source, &resume)?, after.clone())
            }
        };
        Ok(self.reading.insert(reading))
    }
}

impl Feed for KafkaFeed {
    fn head(&self) -> watch::Receiver<Position> {
        self.log_head.clone().unwrap_or_else(|| self.seen.subscribe())
    }

    async fn assignment(&mut self) -> Result<Assignment, FeedError> {
        self.reading = None;
        let handed = self.handed.wait_for(|handed| !handed.is_empty()).await;
        let handed = handed.map_err(|_| FeedError::Closed)?.clone();
        let kafka = self.kafka.clone();
        let looked = tokio::task::spawn_blocking(move || survey(&kafka)).await.map_err(|_| FeedError::Closed)?;
        let Survey { ends, source } = looked.map_err(unusable)?;
        let Some(source) = source else {
            let empty = format!("topic {} has no record yet: nothing was sent", self.kafka.topic);
            return Err(FeedError::Unavailable(empty.into()));
        };
        let log_id = source.strip_prefix(SOURCE_PREFIX).unwrap_or(&source).to_owned();
        self.source = source;
        if let Some(head) = ends.iter().map(|end| end.last).max() {
            self.seen.send_if_modified(|known| std::mem::replace(known, head.max(*known)) < head);
        }
        self.followed = handed;
        Ok(Assignment {
            log_id,
            source: format!("kafka:{}", self.kafka.topic),
            partitions: self.kafka.partitions,
            followed: self.followed.iter().copied().map(PartitionId).collect(),
        })
    }

    async fn next_batch(&mut self, after: &Places, limits: BatchLimits) -> Result<Batch, FeedError> {
        self.stand(after).map_err(unreadable)?;
        let Self { reading, handed, followed, seen, .. } = self;
        let Some((consumer, places)) = reading else { return Err(FeedError::Closed) };
        let received = tokio::select! {
            biased;
            () = Self::handed_anew(handed, followed) => return Err(FeedError::Reassigned),
            received = consumer.next() => received,
        };
        let mut received = match received {
            Ok(received) => received,
            Err(error) => {
                if !matches!(error, ConsumeError::Unavailable { .. }) {
                    self.reading = None;
                }
                return Err(unreadable(error));
            }
        };
        let mut batch = Batch::default();
        let mut stopped = false;
        while !received.is_empty() {
            for record in received.drain(..) {
                let place = Place { last: record.position, offset: Some(record.next_offset) };
                places.set(PartitionId(record.partition), place);
                batch.records.push(record_of(record));
            }
            if batch.records.len() >= limits.events_max || stopped {
                break;
            }
            match consumer.ready() {
                Some(Ok(more)) => received = more,
                // What was read comes first; the consumer is asked again from there, and comes upon the same.
                Some(Err(_)) => stopped = true,
                None => break,
            }
        }
        if stopped {
            self.reading = None;
        }
        if let Some(last) = batch.records.iter().map(|record| record.position).max() {
            seen.send_if_modified(|known| std::mem::replace(known, last.max(*known)) < last);
        }
        Ok(batch)
    }

    async fn taken_over(&mut self) -> bool {
        if self.group.is_none() {
            return false;
        }
        // Who took it over was handed it, and this one is told within a moment; or it was late and is told in turn.
        let anew = Self::handed_anew(&mut self.handed, &self.followed);
        let _ = tokio::time::timeout(HANDOVER_MAX, anew).await;
        true
    }
}

fn record_of(received: Received) -> Record {
    let Received { partition, next_offset, previous, position, content } = received;
    let content = match content {
        consumer::Content::Event(event) => Content::Event(event),
        consumer::Content::Watermark => Content::Watermark,
        consumer::Content::Unreadable(unreadable) => Content::Undecodable(Box::new(Undecodable {
            position,
            stream: unreadable.stream,
            version: unreadable.version,
            event_type: unreadable.event_type,
            schema_version: unreadable.schema_version,
            metadata: unreadable.metadata,
            data: unreadable.data,
            reason: unreadable.reason,
        })),
    };
    Record { partition: PartitionId(partition), previous, position, offset: Some(next_offset), content }
}

fn unusable(error: TopicError) -> FeedError {
    match error {
        // A topic that is not there may come.
        error @ (TopicError::Unavailable { .. } | TopicError::Missing { .. }) => FeedError::Unavailable(error.into()),
        error => FeedError::Unusable(error.to_string()),
    }
}

fn unreadable(error: ConsumeError) -> FeedError {
    match error {
        error @ (ConsumeError::Unavailable { .. } | ConsumeError::Ended(_)) => FeedError::Unavailable(error.into()),
        error => FeedError::Unusable(error.to_string()),
    }
}
