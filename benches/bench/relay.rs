//! How fast a log is sent to Kafka and read back, beside Kafka's own ProducerPerformance with records of the same bytes
//! on the same broker.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use domain::ids::Position;
use event_store::cloud_event::{Envelope, EventSource};
use event_store::kafka::KafkaOptions;
use event_store::kafka::consumer::{Consumer, ResumeAt};
use event_store::kafka::relay::{Relay, RelayOptions};
use event_store::log::Log;

use super::engine;
use super::table::{Row, Table, spread};

const ACCOUNTS: usize = 10_000;
const TRANSFERS: usize = 500_000;
const PARTITIONS: u32 = 12;
const RUNS: usize = 3;
/// How many records ProducerPerformance takes turns with.
const SAMPLES: usize = 10_000;

pub(crate) fn measure(table: &mut Table) -> anyhow::Result<()> {
    let folder = tempfile::tempdir_in("target")?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let running = engine::open(&folder.path().join("log"));
    runtime.block_on(engine::fill(&running.engine, ACCOUNTS, TRANSFERS));
    let log = running.engine.log().clone();
    let end = log.durable();
    let samples = folder.path().join("samples");
    let bytes = write_samples(&log, &samples)?;
    let (mut sent, mut read, mut theirs) = (Vec::new(), Vec::new(), Vec::new());
    for run in 0..RUNS {
        let broker = Broker::start(&folder.path().join(format!("kafka-{run}")))?;
        let kafka = KafkaOptions {
            brokers: broker.address.clone(),
            topic: "relay".to_owned(),
            partitions: PARTITIONS,
            replication: 1,
            client: Vec::new(),
        };
        sent.push(send(&log, kafka.clone())?);
        read.push(runtime.block_on(consume(&log, &kafka))?);
        theirs.push(producer_performance(&kafka, &samples, end.0)?);
    }
    running.stop()?;
    let ((rate, sent), (_, read), (their_rate, theirs)) = (spread(sent), spread(read), spread(theirs));
    table.add(Row {
        what: "log sent to Kafka, events".into(),
        figure: sent,
        bar: format!("≥ ProducerPerformance: × {:.2}", rate / their_rate),
        beside: format!("{bytes} bytes a record, headers included; lz4, acks=all, idempotent"),
        how: format!("{RUNS} × {end} events, {PARTITIONS} partitions, one broker, from the first acknowledgement"),
    });
    table.add(Row {
        what: "the same bytes by Kafka's ProducerPerformance".into(),
        figure: theirs,
        bar: String::new(),
        beside: "same broker, same run, as values without headers".into(),
        how: "compression.type=lz4 acks=all enable.idempotence=true linger.ms=5".into(),
    });
    table.add(Row {
        what: "the topic read back and decoded, events".into(),
        figure: read,
        bar: String::new(),
        beside: "one consumer of all partitions, one thread".into(),
        how: "headers, JSON and the rule of gaps and duplicates".into(),
    });
    Ok(())
}

/// Writes records as they are in the topic, headers and all, one on each line; gives their mean length.
fn write_samples(log: &Log, file: &Path) -> anyhow::Result<usize> {
    let source = EventSource::of(log.id());
    let mut lines = String::new();
    let mut frames = log.frames_after(Position(log.durable().0 / 2))?;
    let mut count = 0;
    while let Some(frame) = frames.next_frame()?
        && count < SAMPLES
    {
        for entry in frame.entries() {
            let envelope = Envelope::of(entry, &source);
            for event in entry.events() {
                write!(lines, "{}log-position{}previous-position{}", event.stream, event.position, event.position)?;
                envelope.attributes(&event, |attribute, value| {
                    lines.push_str(attribute.header);
                    lines.push_str(value);
                });
                lines.push_str(&String::from_utf8_lossy(event.data));
                lines.push('\n');
                count += 1;
            }
        }
    }
    std::fs::write(file, &lines)?;
    Ok(lines.len() / count - 1)
}

/// Events a second, from the first acknowledgement to the last.
fn send(log: &Log, kafka: KafkaOptions) -> anyhow::Result<f64> {
    let relay = Relay::start(log.clone(), RelayOptions::new(kafka))?;
    let monitor = relay.monitor();
    let mut first = None;
    loop {
        let sent = monitor.status().events_total;
        if sent > 0 && first.is_none() {
            first = Some((Instant::now(), sent));
        }
        if monitor.lag_events() == 0 {
            break;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    let (begun, before) = first.unwrap_or((Instant::now(), 0));
    let rate = (monitor.status().events_total - before) as f64 / begun.elapsed().as_secs_f64();
    relay.stop();
    Ok(rate)
}

async fn consume(log: &Log, kafka: &KafkaOptions) -> anyhow::Result<f64> {
    let resume = |partition| ResumeAt { partition, last: Position::START, offset: None };
    let resume: Vec<_> = (0..kafka.partitions).map(resume).collect();
    let mut consumer = Consumer::start(kafka, EventSource::of(log.id()).as_str(), &resume)?;
    let (mut first, mut records) = (None, 0);
    let mut last = vec![Position::START; kafka.partitions as usize];
    while last.iter().any(|last| *last < log.durable()) {
        let batch = consumer.next().await?;
        first.get_or_insert((Instant::now(), batch.len()));
        records += batch.len();
        for received in batch {
            last[received.partition as usize] = received.position;
        }
    }
    let (begun, before) = first.unwrap_or((Instant::now(), 0));
    Ok((records - before) as f64 / begun.elapsed().as_secs_f64())
}

fn producer_performance(kafka: &KafkaOptions, samples: &Path, records: u64) -> anyhow::Result<f64> {
    let tool = |class: &str, arguments: &[&str]| -> anyhow::Result<String> {
        let class = format!("org.apache.kafka.tools.{class}");
        let out = Command::new("scripts/kafka").arg("tool").arg(class).args(arguments).output()?;
        anyhow::ensure!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        Ok(String::from_utf8_lossy(&out.stdout).into_owned())
    };
    let partitions = kafka.partitions.to_string();
    let made = ["--bootstrap-server", &kafka.brokers, "--create", "--topic", "theirs", "--partitions", &partitions];
    tool("TopicCommand", &made)?;
    let (records, samples) = (records.to_string(), samples.display().to_string());
    let brokers = format!("bootstrap.servers={}", kafka.brokers);
    let told = tool(
        "ProducerPerformance",
        &[
            "--topic",
            "theirs",
            "--num-records",
            &records,
            "--payload-file",
            &samples,
            "--throughput",
            "-1",
            "--producer-props",
            &brokers,
            "acks=all",
            "compression.type=lz4",
            "enable.idempotence=true",
            "linger.ms=5",
        ],
    )?;
    let last = told.lines().rfind(|line| line.contains("records/sec")).unwrap_or_default();
    let rate = last.split("records sent, ").nth(1).and_then(|rest| rest.split(' ').next());
    rate.and_then(|rate| rate.parse().ok()).ok_or_else(|| anyhow::anyhow!("ProducerPerformance said: {told}"))
}

/// A broker of this run, removed at its end.
struct Broker {
    folder: std::path::PathBuf,
    address: String,
}

impl Broker {
    fn start(folder: &Path) -> anyhow::Result<Self> {
        let pid = std::process::id().to_string();
        let start = ["start", "--throwaway", "--until-exit", &pid];
        let out = Command::new("scripts/kafka").args(start).arg(folder).output()?;
        anyhow::ensure!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        Ok(Self { folder: folder.to_owned(), address: String::from_utf8_lossy(&out.stdout).trim().to_owned() })
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // It is removed with this process at the latest.
        let _ = Command::new("scripts/kafka").arg("remove").arg(&self.folder).output();
    }
}
