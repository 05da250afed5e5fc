//! Which partitions are whose: workers in a consumer group are handed partitions by Kafka, and get others when one comes
//! or goes. Only the handing out is used; nothing is read or committed here. A group can be wrong for a moment, so who
//! writes is decided elsewhere.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::Builder;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};
use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext, Rebalance};
use rdkafka::error::KafkaError;
use rdkafka::topic_partition_list::TopicPartitionList;
use tokio::sync::watch;

use super::client::{InvalidOptions, KafkaOptions, tell};

/// How long it waits for news before it looks whether it is still wanted.
const POLL: Duration = Duration::from_millis(100);
/// How long leaving the group may take. Who does not manage to is missed a little later.
const LEAVE_MAX: Duration = Duration::from_secs(2);

/// A place in a group; dropping it leaves the group.
#[derive(Debug)]
pub struct Membership {
    assigned: watch::Receiver<BTreeSet<u32>>,
    unwanted: Arc<AtomicBool>,
    /// Disconnected when the thread has ended.
    running: Receiver<()>,
}

impl Membership {
    /// Joins the group `group` for the topic. Kafka need not be there yet.
    ///
    /// # Errors
    /// [`InvalidOptions::Refused`] where librdkafka or the system refuses.
    pub fn join(options: &KafkaOptions, group: &str) -> Result<Self, InvalidOptions> {
        let refused = |error: KafkaError| InvalidOptions::Refused(error.to_string());
        let (tell, assigned) = watch::channel(BTreeSet::new());
        let mut config = options.consumer_config();
        config.set("group.id", group).set("partition.assignment.strategy", "cooperative-sticky");
        // A worker that has died is replaced after so long.
        config.set("session.timeout.ms", "6000").set("heartbeat.interval.ms", "1000");
        config.set("auto.offset.reset", "latest");
        let consumer: BaseConsumer<Handed> = config.create_with_context(Handed(tell)).map_err(refused)?;
        consumer.subscribe(&[&options.topic]).map_err(refused)?;
        let unwanted = Arc::new(AtomicBool::new(false));
        let asked = Arc::clone(&unwanted);
        let (ended, running) = bounded(0);
        let thread = Builder::new().name("kafka-group".to_owned()).spawn(move || {
            let _ended: Sender<()> = ended;
            while !asked.load(Ordering::Relaxed) {
                // What was fetched before it was paused, and errors, which librdkafka gets over by itself.
                if let Some(Err(error)) = consumer.poll(POLL) {
                    tracing::debug!(%error, "the group of workers");
                }
            }
            drop(consumer);
        });
        thread.map_err(|error| InvalidOptions::Refused(error.to_string()))?;
        Ok(Self { assigned, unwanted, running })
    }

    /// The partitions that are handed to this member, as they change.
    #[must_use]
    pub fn assigned(&self) -> watch::Receiver<BTreeSet<u32>> {
        self.assigned.clone()
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        self.unwanted.store(true, Ordering::Relaxed);
        // Nothing is ever sent: it is waited for that the other end is gone.
        let _ = self.running.recv_timeout(LEAVE_MAX);
    }
}

/// Hears what is handed out.
struct Handed(watch::Sender<BTreeSet<u32>>);

impl ClientContext for Handed {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        tell(level, facility, line);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, reason, "the group of workers");
    }
}

impl ConsumerContext for Handed {
    fn pre_rebalance(&self, _: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        if let Rebalance::Revoke(gone) = rebalance {
            let gone = numbers(gone);
            self.0.send_if_modified(|assigned| {
                let before = assigned.len();
                assigned.retain(|partition| !gone.contains(partition));
                assigned.len() != before
            });
        }
    }

    fn post_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        match rebalance {
            Rebalance::Assign(come) => {
                // They are read elsewhere, from other offsets.
                if let Err(error) = consumer.pause(come) {
                    tracing::debug!(%error, "pausing partitions that are read elsewhere");
                }
                let come = numbers(come);
                if !come.is_empty() {
                    self.0.send_modify(|assigned| assigned.extend(come));
                }
            }
            Rebalance::Revoke(_) => {}
            Rebalance::Error(error) => tracing::warn!(%error, "partitions could not be handed out"),
        }
    }
}

fn numbers(list: &TopicPartitionList) -> BTreeSet<u32> {
    list.elements().iter().map(|element| element.partition().cast_unsigned()).collect()
}
