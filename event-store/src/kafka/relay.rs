//! The relay: a thread that follows the log and sends every event into the topic, once more after every crash where it
//! cannot know better, never out of order and never with a gap. Brokers may be away for as long as they like: the log
//! takes commands all the same, and the relay goes on where it was.

mod pump;

use std::io;
use std::sync::Arc;
use std::thread::Builder;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use domain::ids::Position;
use tokio::runtime::Runtime;
use tokio::sync::watch;

use self::pump::Pump;
use super::client::{InvalidOptions, KafkaOptions};
use super::delivery::Ending;
use super::status::{RelayState, RelayStatus, Shared};
use super::topic::{Topic, TopicError};
use crate::cloud_event::EventSource;
use crate::log::Log;

/// The first wait after a failure; it doubles with every failure in a row.
const RETRY_WAIT_MIN: Duration = Duration::from_millis(100);
/// How long a stop waits for the thread, which may be waiting for brokers that are away.
const STOP_MAX: Duration = Duration::from_secs(5);

/// How the relay works.
#[derive(Debug, Clone)]
pub struct RelayOptions {
    /// Where it sends.
    pub kafka: KafkaOptions,
    /// A quiet partition says within two of these how far the relay has come.
    pub watermark_interval: Duration,
    /// The longest wait before something that failed is tried again.
    pub retry_wait_max: Duration,
    /// After so long without an acknowledgement of what was sent, the producer is thrown away and made anew.
    pub stall_max: Duration,
}

impl RelayOptions {
    /// The usual intervals.
    #[must_use]
    pub const fn new(kafka: KafkaOptions) -> Self {
        Self {
            kafka,
            watermark_interval: Duration::from_millis(20),
            retry_wait_max: Duration::from_secs(5),
            stall_max: Duration::from_secs(30),
        }
    }
}

/// Why the relay was not started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The options cannot be.
    #[error(transparent)]
    Options(#[from] InvalidOptions),
    /// The system refused a thread.
    #[error("the system gives no thread to send the log to Kafka: {0}")]
    Thread(#[from] io::Error),
}

/// A running relay; dropping it stops it.
#[derive(Debug)]
pub struct Relay {
    monitor: RelayMonitor,
    stop: watch::Sender<bool>,
    /// Disconnected when the thread has ended.
    running: Receiver<()>,
}

/// Tells how the relay is.
#[derive(Debug, Clone)]
pub struct RelayMonitor {
    shared: Arc<Shared>,
    durable: watch::Receiver<Position>,
}

impl RelayMonitor {
    /// How the relay is and how far it has come.
    #[must_use]
    pub fn status(&self) -> RelayStatus {
        self.shared.status()
    }

    /// How many events of the log are not acknowledged in the topic yet.
    #[must_use]
    pub fn lag_events(&self) -> u64 {
        self.durable.borrow().0.saturating_sub(self.shared.status().position.0)
    }
}

impl Relay {
    /// Starts sending a log. Kafka need not be there yet.
    ///
    /// # Errors
    /// [`StartError`]: the options cannot be, or there is no thread.
    pub fn start(log: Log, options: RelayOptions) -> Result<Self, StartError> {
        options.kafka.check()?;
        let (stop, stopping) = watch::channel(false);
        let shared = Arc::new(Shared::new());
        let monitor = RelayMonitor { shared: Arc::clone(&shared), durable: log.durable_watch() };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let follower = Follower { source: EventSource::of(log.id()), log, options, shared, stopping, was_there: false };
        let (ended, running) = bounded(0);
        Builder::new().name("kafka-relay".to_owned()).spawn(move || {
            let _ended: Sender<()> = ended;
            follower.run(&runtime);
        })?;
        Ok(Self { monitor, stop, running })
    }

    /// Tells how the relay is.
    #[must_use]
    pub fn monitor(&self) -> RelayMonitor {
        self.monitor.clone()
    }

    /// Stops: what was handed over is given a few seconds to be acknowledged; the rest is sent after the next start.
    /// Takes 5 seconds at most.
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        // It has ended by itself when nobody listens.
        let _ = self.stop.send(true);
        // Nothing is ever sent: it is waited for that the other end is gone.
        if self.running.recv_timeout(STOP_MAX) == Err(RecvTimeoutError::Timeout) {
            tracing::warn!(
                "the relay still waits for Kafka and is left behind; what it has not sent is sent next time"
            );
        }
    }
}

/// What the thread has.
struct Follower {
    log: Log,
    source: EventSource,
    options: RelayOptions,
    shared: Arc<Shared>,
    stopping: watch::Receiver<bool>,
    /// Whether the topic was there: then it is not made again, because somebody has deleted it.
    was_there: bool,
}

impl Follower {
    fn run(mut self, runtime: &Runtime) {
        let topic = self.options.kafka.topic.clone();
        let mut wait = RETRY_WAIT_MIN;
        loop {
            let before = self.shared.status().position;
            let reason = match self.attempt(runtime) {
                Ending::Told => return,
                Ending::Again(reason) => reason,
                Ending::Stop(reason) => {
                    tracing::error!(topic, reason, "the relay to Kafka has stopped; commands go on");
                    self.shared.state(RelayState::Stopped { reason });
                    return;
                }
            };
            self.shared.retries_total.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            if self.shared.status().position > before {
                wait = RETRY_WAIT_MIN;
            }
            if self.shared.state(RelayState::Waiting { reason: reason.clone() }) {
                tracing::warn!(topic, reason, "the relay to Kafka waits and tries again; commands go on");
            }
            let stopped = self.stopping.wait_for(|stop| *stop);
            if runtime.block_on(async { tokio::time::timeout(wait, stopped).await.is_ok() }) {
                return;
            }
            wait = (wait * 2).min(self.options.retry_wait_max);
        }
    }

    /// Finds the place and sends from there until something ends it.
    fn attempt(&mut self, runtime: &Runtime) -> Ending {
        let kafka = self.options.kafka.clone();
        let found = (|| {
            let topic = Topic::new(&kafka)?;
            match topic.check() {
                Err(TopicError::Missing { .. }) if !self.was_there => {
                    runtime.block_on(topic.create())?;
                    topic.check()?;
                }
                other => other?,
            }
            topic.ends(&self.source)
        })();
        let ends = match found {
            Ok(ends) => ends,
            Err(error) if error.is_passing() => return Ending::Again(error.to_string()),
            Err(TopicError::Missing { topic }) => {
                return Ending::Stop(format!(
                    "topic {topic} was deleted. A restart makes it again and fills it from the log"
                ));
            }
            Err(error) => return Ending::Stop(error.to_string()),
        };
        self.was_there = true;
        let (durable, ahead) = (self.log.durable(), ends.iter().map(|end| end.last).max().unwrap_or_default());
        if ahead > durable {
            return Ending::Stop(format!(
                "topic {} has seen position {ahead} but the log ends at {durable}: the log was put back from an older \
                 copy. Name another topic, or delete this one",
                kafka.topic
            ));
        }
        for (partition, end) in ends.iter().enumerate().filter(|(_, end)| end.emptied) {
            let (topic, offset) = (&kafka.topic, end.next_offset);
            tracing::warn!(topic, partition, offset, "a partition was emptied: all its events are sent again");
        }
        let pump = Pump::start(&self.log, &self.source, &self.options, &self.shared, &self.stopping, &ends);
        match pump {
            Ok(pump) => {
                let Err(ending) = pump.run(runtime);
                ending
            }
            Err(ending) => ending,
        }
    }
}
