//! Read models that are filled through a real Kafka: row by row they are those of the log itself, whoever fills them and
//! whatever is killed meanwhile.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::broker::{Broker, brokers, new_topic};
use crate::import::import;
use crate::postgres::{Database, ask, database, rows};
use crate::random::{Random, times};
use crate::server::{PATIENCE, Server, within};
use crate::topic::Topic;
use crate::traffic::{Pieces, Traffic};

const KILLS: usize = 3;
const MOMENT_MAX: Duration = Duration::from_millis(1500);
const PARTITIONS: u32 = 4;

/// A log, its topic, and the read models that a server fills straight from the log.
struct Scene {
    brokers: String,
    topic: String,
    expected: Database,
    _folder: TempDir,
    log: PathBuf,
}

impl Scene {
    fn on(brokers: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        Self { brokers: brokers.to_owned(), topic: new_topic(), expected: database(), _folder: folder, log }
    }

    fn flags(&self) -> Vec<String> {
        let flags = ["--kafka-brokers", &self.brokers, "--kafka-topic", &self.topic, "--kafka-group", &self.topic];
        let partitions = ["--kafka-partitions".to_owned(), PARTITIONS.to_string()];
        flags.map(str::to_owned).into_iter().chain(partitions).collect()
    }

    fn serve(&self, database: &Database, more: &[&str]) -> Server {
        serve(&self.log, database, &self.flags(), more)
    }

    /// The server whose read models are those to compare with.
    fn start(&self) -> Server {
        self.serve(&self.expected, &[])
    }

    fn worker(&self, database: &Database) -> Server {
        let flags = self.flags();
        Server::start_worker(&database.url, &flags.iter().map(String::as_str).collect::<Vec<_>>())
    }

    fn topic(&self) -> Topic<'_> {
        Topic { brokers: &self.brokers, name: &self.topic, partitions: PARTITIONS }
    }

    /// Waits until everything is in the topic, and in the read models of another database; gives the last position.
    async fn followed(&self, server: &Server, database: &Database) -> u64 {
        let through = server.caught_up().await;
        let places = "SELECT position FROM bursar.projection_checkpoints WHERE name = 'read_models'";
        let exist = "SELECT to_regclass('bursar.projection_checkpoints') IS NOT NULL";
        let is_there = async || {
            ask::<bool>(&database.url, exist).await == [true]
                && ask::<i64>(&database.url, places).await == vec![through.cast_signed(); PARTITIONS as usize]
        };
        assert!(within(PATIENCE, is_there).await, "not at {through}");
        through
    }

    /// Checks that another database has the same rows.
    async fn same(&self, database: &Database) {
        let (expected, found) = (everything(&self.expected).await, everything(database).await);
        assert!(!expected.is_empty());
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(&expected) {
            assert_eq!(found, expected);
        }
    }
}

fn serve(log: &Path, database: &Database, flags: &[String], more: &[&str]) -> Server {
    let flags: Vec<_> = flags.iter().map(String::as_str).chain(more.iter().copied()).collect();
    Server::start_with(log, &database.url, &flags)
}

async fn everything(database: &Database) -> Vec<(String, Value)> {
    rows(&database.url, "bursar", &[]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sample_through_kafka_gives_the_same_rows_as_the_log() {
    let mut random = Random::seeded();
    let scene = Scene::on(brokers());
    let server = scene.start();
    import(&server).await;
    let mut traffic = Traffic::start(server.client(), 2, Pieces::Mixed, &mut random).await;
    traffic.goes_on(1_000).await;
    traffic.stop().await;
    let through = server.caught_up().await;
    scene.topic().read(through);
    assert_eq!(server.terminate().code(), Some(0));
    // The same server fills others from the topic, and answers queries from them.
    let other = database();
    let server = scene.serve(&other, &["--view-feed", "kafka"]);
    scene.followed(&server, &other).await;
    scene.same(&other).await;
    let account = format!("/v1/accounts/acct-merchant?min_position={through}");
    assert_eq!(server.client().get(&account).await.0, 200);
    assert_eq!(server.terminate().code(), Some(0));
    // So does a worker of its own, and goes on where the log's own worker has stopped.
    let beside = database();
    let worker = scene.worker(&beside);
    let server = scene.start();
    scene.followed(&server, &beside).await;
    scene.same(&beside).await;
    worker.ready().await;
    assert_eq!(worker.terminate().code(), Some(0));
    assert_eq!(server.terminate().code(), Some(0));
    let server = scene.serve(&scene.expected, &["--view-feed", "none"]);
    let worker = scene.worker(&scene.expected);
    scene.followed_from_the_log(&server, through).await;
    scene.same(&beside).await;
    let (status, ready) = server.client().get("/health/ready").await;
    assert_eq!((status, ready.get("views")), (200, None));
    assert_eq!(server.client().get(&account).await.0, 200);
    assert_eq!(worker.terminate().code(), Some(0));
    assert_eq!(server.terminate().code(), Some(0));
}

impl Scene {
    /// Waits until the checkpoints of the log are those of the topic's partitions.
    async fn followed_from_the_log(&self, server: &Server, through: u64) {
        let places = "SELECT position FROM bursar.projection_checkpoints WHERE name = 'read_models'";
        let carried = vec![through.cast_signed(); PARTITIONS as usize];
        let is_there = async || ask::<i64>(&self.expected.url, places).await == carried;
        assert!(within(PATIENCE, is_there).await, "{}", server.output());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_that_are_killed_and_replaced_lose_and_double_nothing() {
    let mut random = Random::seeded();
    let scene = Scene::on(brokers());
    let other = database();
    let server = scene.start();
    let mut traffic = Traffic::start(server.client(), 2, Pieces::Mixed, &mut random).await;
    traffic.goes_on(100).await;
    let mut workers = vec![scene.worker(&other), scene.worker(&other)];
    for kill in 0..times("BURSAR_TEST_KAFKA_KILLS", KILLS) {
        traffic.goes_on(200).await;
        random.moment(MOMENT_MAX).await;
        if kill % 2 == 0 {
            workers.remove(0).kill();
        } else {
            assert_eq!(workers.remove(0).terminate().code(), Some(0));
        }
        workers.push(scene.worker(&other));
    }
    traffic.goes_on(100).await;
    traffic.stop().await;
    scene.followed(&server, &other).await;
    scene.same(&other).await;
    let owners = "SELECT DISTINCT owner FROM bursar.projection_checkpoints WHERE name = 'read_models'";
    let shared = async || ask::<String>(&other.url, owners).await.len() == 2;
    assert!(within(PATIENCE, shared).await, "both must have partitions: {:?}", ask::<String>(&other.url, owners).await);
    for worker in workers {
        worker.ready().await;
        assert_eq!(worker.terminate().code(), Some(0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_killed_under_workers_costs_nothing() {
    let mut random = Random::seeded();
    let broker = Broker::start();
    let scene = Scene::on(&broker.address);
    let other = database();
    let server = scene.start();
    let mut traffic = Traffic::start(server.client(), 2, Pieces::Mixed, &mut random).await;
    let worker = scene.worker(&other);
    for _ in 0..times("BURSAR_TEST_KAFKA_KILLS", 2) {
        traffic.goes_on(200).await;
        random.moment(MOMENT_MAX).await;
        broker.kill();
        traffic.goes_on(100).await;
        tokio::task::block_in_place(|| broker.start_again());
    }
    traffic.goes_on(100).await;
    traffic.stop().await;
    scene.followed(&server, &other).await;
    scene.same(&other).await;
    assert_eq!(worker.terminate().code(), Some(0));
    assert_eq!(server.terminate().code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_stops_at_a_gap_and_says_where_it_is() {
    let scene = Scene::on(brokers());
    let other = database();
    let server = scene.start();
    let mut traffic = Traffic::start(server.client(), 2, Pieces::Mixed, &mut Random::seeded()).await;
    traffic.goes_on(200).await;
    traffic.stop().await;
    scene.topic().read(server.caught_up().await);
    scene.topic().cut(2, 3).await;
    let worker = scene.worker(&other);
    let stopped = async || {
        let reason = worker.client().get("/health/ready").await.1["views"]["reason"].as_str().unwrap_or("").to_owned();
        reason.contains(&format!("partition 2 of topic {} has a gap at offset 3", scene.topic))
    };
    assert!(within(PATIENCE, stopped).await, "{:?}", worker.client().get("/health/ready").await);
    assert_eq!(worker.terminate().code(), Some(0));
}
