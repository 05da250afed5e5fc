//! The stream through a real Kafka: whatever happens to the broker, the topic or the server, every event of the log is
//! in the topic, and who reads it by the rule has each once and in order. Commands go on all the while.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::broker::{Broker, brokers, new_topic};
use crate::import::import;
use crate::postgres::{Database, database};
use crate::random::{Random, times};
use crate::server::{PATIENCE, Server, within};
use crate::topic::{Topic, events_of};
use crate::traffic::{Pieces, Traffic};

/// How often something is killed.
const KILLS: usize = 3;
/// The longest that it is left alone before.
const MOMENT_MAX: Duration = Duration::from_millis(1500);
const PARTITIONS: u32 = 3;

/// A log and a database for servers that send to a topic.
struct Scene {
    brokers: String,
    topic: String,
    database: Database,
    _folder: TempDir,
    log: PathBuf,
}

impl Scene {
    fn on(brokers: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        Self { brokers: brokers.to_owned(), topic: new_topic(), database: database(), _folder: folder, log }
    }

    fn start(&self) -> Server {
        let partitions = PARTITIONS.to_string();
        let flags = ["--kafka-brokers", &self.brokers, "--kafka-topic", &self.topic, "--kafka-partitions", &partitions];
        Server::start_with(&self.log, &self.database.url, &flags)
    }

    fn topic(&self) -> Topic<'_> {
        Topic { brokers: &self.brokers, name: &self.topic, partitions: PARTITIONS }
    }

    /// Checks that the topic has exactly what the log has; the server has ended.
    fn same(&self) {
        let expected = events_of(&self.log);
        let through = *expected.last_key_value().unwrap().0;
        let read = self.topic().read(through);
        assert_eq!(read.events.len(), expected.len());
        for (found, expected) in read.events.iter().zip(&expected) {
            assert_eq!(found, expected);
        }
    }
}

/// What the server says of its relay.
async fn relay_of(server: &Server) -> Value {
    server.client().get("/health/ready").await.1["kafka"].clone()
}

/// Waits until the relay is in a state, and tells why.
async fn state(server: &Server, state: &str) -> String {
    let is_so = async || relay_of(server).await["state"] == state;
    assert!(within(PATIENCE, is_so).await, "{}", relay_of(server).await);
    relay_of(server).await["reason"].as_str().unwrap_or_default().to_owned()
}

/// Waits until everything is in the topic.
async fn sent(server: &Server) {
    let is_sent = async || {
        let relay = relay_of(server).await;
        relay["state"] == "running" && relay["lag_events"] == 0
    };
    assert!(within(PATIENCE, is_sent).await, "{}", relay_of(server).await);
}

async fn traffic(server: &Server, random: &mut Random) -> Traffic {
    Traffic::start(server.client(), 2, Pieces::Mixed, random).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_topic_has_every_event_of_the_log_and_quiet_partitions_say_so() {
    let scene = Scene::on(brokers());
    let server = scene.start();
    import(&server).await;
    sent(&server).await;
    let metrics = server.client().request(reqwest::Method::GET, "/metrics").send().await.unwrap().text().await.unwrap();
    assert!(metrics.contains("bursar_relay_retries_total"), "{metrics}");
    assert_eq!(server.terminate().code(), Some(0));
    scene.same();
    // A start without anything new sends nothing but what it says of quiet partitions, and that only once.
    let through = *events_of(&scene.log).last_key_value().unwrap().0;
    let before = scene.topic().read(through);
    let server = scene.start();
    sent(&server).await;
    assert_eq!(server.terminate().code(), Some(0));
    let after = scene.topic().read(through);
    assert_eq!((after.events.len(), after.seen), (before.events.len(), 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_killed_under_load_costs_nothing() {
    let mut random = Random::seeded();
    let broker = Broker::start();
    let scene = Scene::on(&broker.address);
    let server = scene.start();
    sent(&server).await;
    let mut traffic = traffic(&server, &mut random).await;
    for _ in 0..times("BURSAR_TEST_KAFKA_KILLS", KILLS) {
        random.moment(MOMENT_MAX).await;
        broker.kill();
        // Commands do not wait for it.
        traffic.goes_on(300).await;
        assert!(!state(&server, "waiting").await.is_empty());
        tokio::task::block_in_place(|| broker.start_again());
        traffic.goes_on(100).await;
    }
    traffic.stop().await;
    sent(&server).await;
    assert_eq!(server.terminate().code(), Some(0));
    scene.same();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_while_it_sends_sends_the_rest_after_its_next_start() {
    let mut random = Random::seeded();
    let scene = Scene::on(brokers());
    let mut server = scene.start();
    let mut traffic = traffic(&server, &mut random).await;
    for _ in 0..times("BURSAR_TEST_KAFKA_KILLS", KILLS) {
        traffic.goes_on(300).await;
        random.moment(MOMENT_MAX).await;
        server.kill();
        server = scene.start();
        traffic.goes_to(server.client());
    }
    traffic.goes_on(100).await;
    traffic.stop().await;
    sent(&server).await;
    assert_eq!(server.terminate().code(), Some(0));
    scene.same();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_with_other_partitions_is_refused_while_commands_go_on() {
    let scene = Scene::on(brokers());
    Topic { partitions: PARTITIONS + 2, ..scene.topic() }.create().await;
    let server = scene.start();
    let reason = state(&server, "stopped").await;
    let expected = format!("topic {} has 5 partitions and should have 3:", scene.topic);
    assert!(reason.starts_with(&expected), "{reason}");
    let mut traffic = traffic(&server, &mut Random::seeded()).await;
    traffic.goes_on(50).await;
    traffic.stop().await;
    assert_eq!(server.terminate().code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_is_deleted_stops_the_relay_and_the_next_start_fills_it_again() {
    let scene = Scene::on(brokers());
    let server = scene.start();
    let mut traffic = traffic(&server, &mut Random::seeded()).await;
    traffic.goes_on(100).await;
    scene.topic().delete().await;
    traffic.goes_on(100).await;
    let reason = state(&server, "stopped").await;
    assert!(reason.contains(&format!("topic {} was deleted", scene.topic)), "{reason}");
    traffic.goes_on(50).await;
    traffic.stop().await;
    assert_eq!(server.terminate().code(), Some(0));
    let server = scene.start();
    sent(&server).await;
    assert_eq!(server.terminate().code(), Some(0));
    scene.same();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_not_there_at_the_start_is_waited_for() {
    let broker = Broker::start();
    broker.kill();
    let scene = Scene::on(&broker.address);
    let server = scene.start();
    let mut traffic = traffic(&server, &mut Random::seeded()).await;
    traffic.goes_on(50).await;
    traffic.stop().await;
    state(&server, "waiting").await;
    // A stop does not wait for it.
    assert_eq!(server.terminate().code(), Some(0));
    let server = scene.start();
    state(&server, "waiting").await;
    tokio::task::block_in_place(|| broker.start_again());
    sent(&server).await;
    assert_eq!(server.terminate().code(), Some(0));
    scene.same();
}
