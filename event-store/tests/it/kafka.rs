//! The relay against librdkafka's mock cluster, which fails when it is told to: at whatever step, with whatever error,
//! every event is in the topic afterwards, and whoever reads it by the rule misses none. What only a real broker can
//! show is tested with one, in the tests of the whole.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use domain::ids::Position;
use event_store::kafka::KafkaOptions;
use event_store::kafka::arrival::{Arrival, arrival};
use event_store::kafka::consumer::{ConsumeError, Consumer, Content, ResumeAt};
use event_store::kafka::partitioner::partition_of;
use event_store::kafka::record::RecordHeaders;
use event_store::kafka::relay::{Relay, RelayOptions};
use event_store::kafka::status::RelayState;
use rdkafka::ClientConfig;
use rdkafka::Message;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

use crate::workload::{PATIENCE, Versions, Writing, append, small_segments};

const TOPIC: &str = "events";
const PARTITIONS: u32 = 3;

struct Scene {
    cluster: MockCluster<'static, DefaultProducerContext>,
    writing: Writing,
    versions: Versions,
    transactions: u64,
    _folder: tempfile::TempDir,
}

impl Scene {
    fn new() -> Self {
        let cluster = MockCluster::new(1).unwrap();
        cluster.create_topic(TOPIC, PARTITIONS.cast_signed(), 1).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let writing = Writing::open(folder.path(), small_segments()).unwrap();
        Self { cluster, writing, versions: Versions::default(), transactions: 0, _folder: folder }
    }

    fn options(&self, partitions: u32) -> RelayOptions {
        let kafka = KafkaOptions {
            brokers: self.cluster.bootstrap_servers(),
            topic: TOPIC.to_owned(),
            partitions,
            replication: 1,
            client: vec![("retry.backoff.ms".to_owned(), "10".to_owned())],
        };
        let short = Duration::from_millis(5);
        let stall_max = Duration::from_secs(2);
        RelayOptions { watermark_interval: short, retry_wait_max: short, stall_max, ..RelayOptions::new(kafka) }
    }

    fn relay(&self) -> Relay {
        Relay::start(self.writing.log.clone(), self.options(PARTITIONS)).unwrap()
    }

    /// Appends some transactions of two events each, and tells the last position.
    fn append(&mut self, transactions: u64) -> Position {
        for _ in 0..transactions {
            append(&mut self.writing.appender, &mut self.versions, self.transactions).unwrap();
            self.transactions += 1;
        }
        self.writing.settle(self.transactions)
    }

    /// Waits until the relay has had everything acknowledged.
    fn sent(&self, relay: &Relay) {
        let deadline = Instant::now() + PATIENCE;
        while relay.monitor().lag_events() > 0 {
            assert!(Instant::now() < deadline, "{:?}", relay.monitor().status());
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Reads the topic from its beginning until every partition says that it has come to `through`, by the rule, and
    /// checks that every event is there once, where it belongs, as it is in the log. Answers how many records were
    /// skipped because they had been seen.
    fn read(&self, through: Position) -> usize {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", self.cluster.bootstrap_servers())
            .set("group.id", "test")
            .set("enable.auto.commit", "false")
            .create()
            .unwrap();
        let mut assignment = TopicPartitionList::new();
        for partition in 0..PARTITIONS.cast_signed() {
            assignment.add_partition_offset(TOPIC, partition, Offset::Beginning).unwrap();
        }
        consumer.assign(&assignment).unwrap();
        let mut last = [Position::START; PARTITIONS as usize];
        let (mut read, mut seen) = (BTreeMap::new(), 0);
        let deadline = Instant::now() + PATIENCE;
        while last.iter().any(|last| *last < through) {
            assert!(Instant::now() < deadline, "the partitions have come to {last:?} of {through}");
            let Some(message) = consumer.poll(Duration::from_millis(100)) else { continue };
            let message = message.unwrap();
            let stamp = RecordHeaders::new(message.headers()).stamp().unwrap();
            assert_eq!(stamp.source, format!("urn:bursar:log:{}", self.writing.log.id()));
            let last = &mut last[message.partition() as usize];
            match arrival(*last, stamp.previous, stamp.position) {
                Arrival::Next => *last = stamp.position,
                Arrival::Seen => {
                    seen += 1;
                    continue;
                }
                Arrival::Gap => panic!("a gap after {last}: {stamp:?}"),
            }
            if let Some(key) = message.key() {
                assert_eq!(partition_of(key, PARTITIONS).cast_signed(), message.partition());
                read.insert(stamp.position, (key.to_vec(), message.payload().unwrap().to_vec()));
            } else {
                assert_eq!(message.payload(), None, "a watermark has neither key nor value");
            }
        }
        let mut expected = BTreeMap::new();
        let mut frames = self.writing.log.frames_after(Position::START).unwrap();
        while let Some(frame) = frames.next_frame().unwrap() {
            for event in frame.entries().flat_map(|entry| entry.events()) {
                expected.insert(event.position, (event.stream.as_bytes().to_vec(), event.data.to_vec()));
            }
        }
        assert_eq!(read, expected);
        seen
    }
}

#[test]
fn everything_is_sent_once_and_quiet_partitions_say_how_far_they_are() {
    let mut scene = Scene::new();
    scene.append(50);
    let relay = scene.relay();
    scene.sent(&relay);
    let through = scene.append(50);
    scene.sent(&relay);
    assert_eq!(relay.monitor().status().state, RelayState::Running);
    assert_eq!(scene.read(through), 0);
    let status = relay.monitor().status();
    assert_eq!((status.position, status.events_total, status.retries_total), (through, 200, 0));
    assert!(status.watermarks_total >= u64::from(PARTITIONS) - 1, "{status:?}");
}

#[test]
fn a_relay_goes_on_where_the_one_before_has_stopped() {
    let mut scene = Scene::new();
    let mut through = Position::START;
    for _ in 0..4 {
        let relay = scene.relay();
        through = scene.append(40);
        // In the middle of it, or after it.
        relay.stop();
    }
    let relay = scene.relay();
    scene.sent(&relay);
    scene.read(through);
}

#[test]
fn whatever_a_broker_answers_at_whatever_step_everything_arrives() {
    use RDKafkaApiKey as Api;
    use RDKafkaRespErr as Error;
    let moments = [Api::Metadata, Api::ListOffsets, Api::Fetch, Api::InitProducerId, Api::Produce];
    let errors = [
        Error::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
        Error::RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE,
        Error::RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
        Error::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
        Error::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND,
        Error::RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS,
        Error::RD_KAFKA_RESP_ERR__TRANSPORT,
        Error::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
        Error::RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER,
        Error::RD_KAFKA_RESP_ERR_UNKNOWN_PRODUCER_ID,
        Error::RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH,
        Error::RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR,
    ];
    // Most of the time is waiting, for which they need not wait for each other.
    std::thread::scope(|scope| {
        for error in errors {
            scope.spawn(move || moments.map(|moment| everything_arrives_after(moment, error)));
        }
    });
}

fn everything_arrives_after(moment: RDKafkaApiKey, error: RDKafkaRespErr) {
    let mut scene = Scene::new();
    scene.append(10);
    // Once for the beginning, and once while it sends.
    scene.cluster.request_errors(moment, &[error; 2]);
    let relay = scene.relay();
    scene.sent(&relay);
    scene.cluster.request_errors(moment, &[error]);
    let through = scene.append(10);
    scene.sent(&relay);
    scene.cluster.clear_request_errors(moment);
    scene.read(through);
    assert_eq!(relay.monitor().status().state, RelayState::Running, "{moment:?} {error:?}");
}

#[test]
fn a_broker_that_is_away_is_waited_for() {
    let mut scene = Scene::new();
    let relay = scene.relay();
    scene.append(20);
    scene.sent(&relay);
    for _ in 0..3 {
        scene.cluster.broker_down(1).unwrap();
        let through = scene.append(20);
        let deadline = Instant::now() + PATIENCE;
        while !matches!(relay.monitor().status().state, RelayState::Waiting { .. }) {
            assert!(Instant::now() < deadline, "{:?}", relay.monitor().status());
            std::thread::sleep(Duration::from_millis(2));
        }
        assert!(relay.monitor().lag_events() > 0);
        scene.cluster.broker_up(1).unwrap();
        scene.sent(&relay);
        scene.read(through);
    }
}

#[test]
fn a_topic_of_another_shape_is_refused_by_name_and_number() {
    let scene = Scene::new();
    let relay = Relay::start(scene.writing.log.clone(), scene.options(PARTITIONS + 1)).unwrap();
    let deadline = Instant::now() + PATIENCE;
    let reason = loop {
        match relay.monitor().status().state {
            RelayState::Stopped { reason } => break reason,
            state => assert!(Instant::now() < deadline, "{state:?}"),
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    assert_eq!(
        reason,
        "topic events has 3 partitions and should have 4: which partition a stream is in depends on it. Set \
         kafka_partitions to 3, or name another topic"
    );
}

#[test]
fn the_events_of_another_log_are_not_mixed_with_ours() {
    let mut scene = Scene::new();
    scene.append(5);
    let relay = scene.relay();
    scene.sent(&relay);
    drop(relay);
    let other = Scene::new();
    let relay = Relay::start(other.writing.log.clone(), scene.options(PARTITIONS)).unwrap();
    let deadline = Instant::now() + PATIENCE;
    while !matches!(relay.monitor().status().state, RelayState::Stopped { .. }) {
        assert!(Instant::now() < deadline, "{:?}", relay.monitor().status());
        std::thread::sleep(Duration::from_millis(2));
    }
    let RelayState::Stopped { reason } = relay.monitor().status().state else { unreachable!() };
    assert!(reason.starts_with("topic events holds the events of urn:bursar:log:"), "{reason}");
}

/// Reads until every partition has come to `through`; gives the positions of the events of each.
async fn consumed(consumer: &mut Consumer, through: Position) -> Result<Vec<Vec<u64>>, ConsumeError> {
    let mut events = vec![Vec::new(); PARTITIONS as usize];
    let mut last = [Position::START; PARTITIONS as usize];
    while last.iter().any(|last| *last < through) {
        let batch = tokio::time::timeout(PATIENCE, consumer.next()).await;
        for received in batch.unwrap_or_else(|_| panic!("nothing more comes after {last:?} of {through}"))? {
            last[received.partition as usize] = received.position;
            if !matches!(received.content, Content::Watermark) {
                events[received.partition as usize].push(received.position.0);
            }
        }
    }
    Ok(events)
}

fn resume(at: impl Fn(u32) -> (Position, Option<i64>)) -> Vec<ResumeAt> {
    let resume = |partition| ResumeAt { partition, last: at(partition).0, offset: at(partition).1 };
    (0..PARTITIONS).map(resume).collect()
}

#[tokio::test]
async fn a_consumer_goes_on_from_any_place_and_finds_a_wrong_offset_out() {
    let mut scene = Scene::new();
    scene.append(30);
    let relay = scene.relay();
    scene.sent(&relay);
    let through = scene.append(30);
    scene.sent(&relay);
    let (kafka, source) = (scene.options(PARTITIONS).kafka, format!("urn:bursar:log:{}", scene.writing.log.id()));
    let start = |resume: &[ResumeAt]| Consumer::start(&kafka, &source, resume).unwrap();
    let all = consumed(&mut start(&resume(|_| (Position::START, None))), through).await.unwrap();
    let mut positions: Vec<u64> = all.iter().flatten().copied().collect();
    positions.sort_unstable();
    assert_eq!(positions, (1..=through.0).collect::<Vec<_>>());
    // From the middle: without an offset, with one that is too low, that lies behind what was read, that is not there.
    let middle = Position(through.0 / 2);
    let rest = |events: &Vec<u64>| events.iter().copied().filter(|event| *event > middle.0).collect::<Vec<_>>();
    let rest: Vec<_> = all.iter().map(rest).collect();
    for offset in [None, Some(0), Some(1), Some(40), Some(1_000_000)] {
        let mut consumer = start(&resume(|_| (middle, offset)));
        assert_eq!(consumed(&mut consumer, through).await.unwrap(), rest, "{offset:?}");
    }
}

#[tokio::test]
async fn duplicates_are_skipped_and_a_gap_stops_the_consumer() {
    let mut scene = Scene::new();
    let through = scene.append(20);
    let relay = scene.relay();
    scene.sent(&relay);
    scene.read(through);
    drop(relay);
    let (kafka, source) = (scene.options(PARTITIONS).kafka, format!("urn:bursar:log:{}", scene.writing.log.id()));
    let producer: BaseProducer =
        ClientConfig::new().set("bootstrap.servers", scene.cluster.bootstrap_servers()).create().unwrap();
    let inject = |previous: u64, position: u64, source: &str| {
        let header = |headers: OwnedHeaders, key, value: &str| headers.insert(Header { key, value: Some(value) });
        let headers = header(OwnedHeaders::new(), "log-position", &position.to_string());
        let headers = header(headers, "previous-position", &previous.to_string());
        let record = BaseRecord::<(), ()>::to(TOPIC).partition(1).headers(header(headers, "ce_source", source));
        producer.send(record).map_err(|(error, _)| error).unwrap();
        producer.flush(PATIENCE).unwrap();
    };
    // What was there before, out of order, and something new after it.
    inject(0, through.0, &source);
    inject(0, 1, &source);
    inject(through.0, through.0 + 5, &source);
    inject(1, 3, &source);
    inject(through.0 + 5, through.0 + 6, &source);
    let mut consumer = Consumer::start(&kafka, &source, &resume(|_| (Position::START, None))).unwrap();
    let mut seen = Vec::new();
    while seen.last() != Some(&(through.0 + 6)) {
        let batch = tokio::time::timeout(PATIENCE, consumer.next()).await.unwrap().unwrap();
        seen.extend(batch.iter().filter(|one| one.partition == 1).map(|one| one.position.0));
    }
    assert!(seen.is_sorted_by(|one, other| one < other), "{seen:?}");
    // One is missing.
    inject(through.0 + 8, through.0 + 9, &source);
    let stopped = loop {
        match tokio::time::timeout(PATIENCE, consumer.next()).await.unwrap() {
            Ok(_) => {}
            Err(stopped) => break stopped,
        }
    };
    let ConsumeError::Gap { partition, previous, last, .. } = stopped else { panic!("{stopped}") };
    assert_eq!((partition, previous, last), (1, Position(through.0 + 8), Position(through.0 + 6)));
    // Another log's record, where nothing is missing.
    inject(through.0 + 6, through.0 + 10, "urn:bursar:log:other");
    let at = resume(|partition| (Position(through.0 + if partition == 1 { 9 } else { 0 }), None));
    let mut consumer = Consumer::start(&kafka, &source, &at).unwrap();
    let stopped = loop {
        match tokio::time::timeout(PATIENCE, consumer.next()).await.unwrap() {
            Ok(_) => {}
            Err(stopped) => break stopped,
        }
    };
    assert!(stopped.to_string().contains("is of urn:bursar:log:other, and this reads urn:bursar:log:"), "{stopped}");
}
