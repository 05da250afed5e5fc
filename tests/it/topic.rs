//! A topic as somebody else reads it: by the headers that `docs/kafka.md` tells and by the rule that it gives, with
//! nothing of Bursar's own reading.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use domain::ids::Position;
use event_store::log::reader::LogReader;
use rdkafka::ClientConfig;
use rdkafka::Message;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Headers;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::server::PATIENCE;

/// A topic somewhere.
pub(crate) struct Topic<'a> {
    pub(crate) brokers: &'a str,
    pub(crate) name: &'a str,
    pub(crate) partitions: u32,
}

/// An event as it was read: everything that a record says of it, but for where it stands in Kafka.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) stream: String,
    pub(crate) data: Vec<u8>,
    pub(crate) event_type: String,
    pub(crate) stream_version: String,
}

/// What was read.
#[derive(Debug, Default)]
pub(crate) struct Read {
    /// Every event by its position.
    pub(crate) events: BTreeMap<u64, Event>,
    /// How many records had been seen before.
    pub(crate) seen: usize,
    /// How many records said only how far their partition is.
    pub(crate) watermarks: usize,
}

impl Topic<'_> {
    /// Reads from the beginning until every partition has come to `through`. A gap fails the test.
    pub(crate) fn read(&self, through: u64) -> Read {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.brokers).set("group.id", "test").set("enable.auto.commit", "false");
        config.set("fetch.queue.backoff.ms", "10");
        let consumer: BaseConsumer = config.create().unwrap();
        let mut assignment = TopicPartitionList::new();
        for partition in 0..self.partitions.cast_signed() {
            assignment.add_partition_offset(self.name, partition, Offset::Beginning).unwrap();
        }
        consumer.assign(&assignment).unwrap();
        let mut last = vec![0; self.partitions as usize];
        let mut read = Read::default();
        let deadline = Instant::now() + PATIENCE;
        while last.iter().any(|last| *last < through) {
            assert!(Instant::now() < deadline, "the partitions have come to {last:?} of {through}");
            let Some(Ok(message)) = consumer.poll(Duration::from_millis(100)) else { continue };
            let headers = message.headers().unwrap();
            let header = |name: &str| {
                let found = headers.iter().find(|header| header.key == name).unwrap();
                String::from_utf8(found.value.unwrap().to_vec()).unwrap()
            };
            let position: u64 = header("log-position").parse().unwrap();
            let previous: u64 = header("previous-position").parse().unwrap();
            let last = &mut last[message.partition() as usize];
            if position <= *last {
                read.seen += 1;
                continue;
            }
            let (partition, offset) = (message.partition(), message.offset());
            assert!(previous <= *last, "gap in partition {partition} at offset {offset}: {previous} after {last}");
            *last = position;
            let Some(key) = message.key() else {
                assert_eq!(message.payload(), None);
                read.watermarks += 1;
                continue;
            };
            assert_eq!(header("ce_id"), position.to_string());
            let event = Event {
                stream: String::from_utf8(key.to_vec()).unwrap(),
                data: message.payload().unwrap().to_vec(),
                event_type: header("ce_type"),
                stream_version: header("ce_streamversion"),
            };
            assert_eq!(header("ce_subject"), event.stream);
            assert!(read.events.insert(position, event).is_none());
        }
        read
    }

    /// Makes it, with as many partitions.
    pub(crate) async fn create(&self) {
        let topic = NewTopic::new(self.name, self.partitions.cast_signed(), TopicReplication::Fixed(1));
        let made = self.admin().create_topics([&topic], &AdminOptions::new()).await.unwrap();
        assert_eq!(made, [Ok(self.name.to_owned())]);
    }

    /// Deletes it.
    pub(crate) async fn delete(&self) {
        let deleted = self.admin().delete_topics(&[self.name], &AdminOptions::new()).await.unwrap();
        assert_eq!(deleted, [Ok(self.name.to_owned())]);
    }

    /// Deletes the records of a partition before an offset.
    pub(crate) async fn cut(&self, partition: u32, before: i64) {
        let mut offsets = TopicPartitionList::new();
        offsets.add_partition_offset(self.name, partition.cast_signed(), Offset::Offset(before)).unwrap();
        self.admin().delete_records(&offsets, &AdminOptions::new()).await.unwrap();
    }

    fn admin(&self) -> AdminClient<DefaultClientContext> {
        ClientConfig::new().set("bootstrap.servers", self.brokers).create().unwrap()
    }
}

/// Every event of a log by its position.
pub(crate) fn events_of(log: &Path) -> BTreeMap<u64, Event> {
    let reader = LogReader::open(log).unwrap();
    let mut frames = reader.frames_after(Position::START).unwrap();
    let mut events = BTreeMap::new();
    while let Some(frame) = frames.next_frame().unwrap() {
        for event in frame.entries().flat_map(|entry| entry.events()) {
            let read = Event {
                stream: event.stream.to_owned(),
                data: event.data.to_vec(),
                event_type: event.event_type.to_owned(),
                stream_version: event.version.to_string(),
            };
            events.insert(event.position.0, read);
        }
    }
    events
}
