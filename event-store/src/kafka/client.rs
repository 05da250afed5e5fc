//! How Kafka is reached: the settings that every client of it gets, checked before anything is started, and what
//! librdkafka says of itself.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use rdkafka::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::KafkaError;

/// Settings of librdkafka that nobody else may set: what Bursar promises rests on them.
const OURS: &[&str] = &[
    "acks",
    "allow.auto.create.topics",
    "auto.offset.reset",
    "bootstrap.servers",
    "delivery.timeout.ms",
    "enable.auto.commit",
    "enable.auto.offset.store",
    "enable.gapless.guarantee",
    "enable.idempotence",
    "enable.partition.eof",
    "group.id",
    "max.in.flight",
    "max.in.flight.requests.per.connection",
    "message.timeout.ms",
    "metadata.broker.list",
    "partitioner",
    "request.required.acks",
    "retries",
    "message.send.max.retries",
    "transactional.id",
];

/// Where the stream is and how it is reached.
#[derive(Clone, PartialEq, Eq)]
pub struct KafkaOptions {
    /// The brokers that are asked first: `HOST:PORT`, with commas between.
    pub brokers: String,
    /// The topic.
    pub topic: String,
    /// How many partitions the topic has; it is made with so many, and refused where it has others.
    pub partitions: u32,
    /// On how many brokers each partition is kept, where the topic is made.
    pub replication: u16,
    /// Settings of librdkafka, such as those for TLS and SASL, passed on as they are. They may be secret.
    pub client: Vec<(String, String)>,
}

impl fmt::Debug for KafkaOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { brokers, topic, partitions, replication, client } = self;
        let client: Vec<_> = client.iter().map(|(name, _)| name).collect();
        write!(f, "KafkaOptions {{ {brokers} {topic} {partitions} {replication} {client:?} }}")
    }
}

/// Why Kafka cannot be reached like this, whatever the brokers do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidOptions {
    /// A setting is Bursar's own affair.
    #[error("{0} is set by Bursar itself, because what it promises rests on it; leave it out")]
    Ours(String),
    /// The topic cannot have this name.
    #[error("a topic cannot be called {0:?}: 1 to 249 letters, digits, dots, underscores and hyphens")]
    Topic(String),
    /// There must be partitions, and copies of them.
    #[error("a topic has 1 to 10000 partitions and at least 1 replica, not {partitions} and {replication}")]
    Shape {
        /// How many partitions were asked for.
        partitions: u32,
        /// How many replicas were asked for.
        replication: u16,
    },
    /// librdkafka does not take a setting.
    #[error("{0}")]
    Refused(String),
}

impl KafkaOptions {
    /// Checks everything that can be checked without a broker.
    ///
    /// # Errors
    /// [`InvalidOptions`].
    pub fn check(&self) -> Result<(), InvalidOptions> {
        if let Some((name, _)) = self.client.iter().find(|(name, _)| OURS.contains(&name.as_str())) {
            return Err(InvalidOptions::Ours(name.clone()));
        }
        let is_named = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        let length_fits = (1..=249).contains(&self.topic.len()) && ![".", ".."].contains(&self.topic.as_str());
        if !length_fits || !self.topic.bytes().all(is_named) {
            return Err(InvalidOptions::Topic(self.topic.clone()));
        }
        let Self { partitions, replication, .. } = *self;
        if !(1..=10_000).contains(&partitions) || replication == 0 {
            return Err(InvalidOptions::Shape { partitions, replication });
        }
        let refused = |error: &KafkaError| match error {
            // The value may be a password that was put into the wrong place.
            KafkaError::ClientConfig(_, reason, name, value) if !value.is_empty() => {
                format!("{name}: {}", reason.replace(value.as_str(), "(hidden)"))
            }
            other => other.to_string(),
        };
        // Made and thrown away: only so does librdkafka look at settings that must fit each other. It connects to nobody
        // before it is asked for something.
        let made =
            self.producer_config().create_with_context::<_, rdkafka::producer::BaseProducer<_>>(Heard::default());
        made.map(drop).map_err(|error| InvalidOptions::Refused(refused(&error)))
    }

    /// Asks and orders, sends and reads nothing.
    pub(crate) fn admin_config(&self) -> ClientConfig {
        self.config()
    }

    /// What every client gets.
    fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        // Brokers come back within seconds; the default waits up to 10 s between attempts.
        config.set("reconnect.backoff.max.ms", "500").set("client.id", "bursar");
        for (name, value) in &self.client {
            config.set(name, value);
        }
        config.set("bootstrap.servers", &self.brokers);
        config.set_log_level(RDKafkaLogLevel::Info);
        config
    }

    /// Sends in order, nothing lost and nothing doubled, for as long as it takes.
    pub(crate) fn producer_config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("linger.ms", "5").set("compression.type", "lz4").set("batch.num.messages", "10000");
        config.set("queue.buffering.max.messages", "200000").set("queue.buffering.max.kbytes", "131072");
        config.set("message.max.bytes", MESSAGE_BYTES_MAX);
        // A topic that is gone is told after so long.
        config.set("topic.metadata.propagation.max.ms", "5000").set("topic.metadata.refresh.fast.interval.ms", "100");
        for (name, value) in self.config().config_map() {
            config.set(name, value);
        }
        config.set("enable.idempotence", "true").set("acks", "all");
        // Giving one message up and going on with the next would be a gap.
        config.set("message.timeout.ms", "0").set("enable.gapless.guarantee", "true");
        config.set_log_level(RDKafkaLogLevel::Info);
        config
    }

    /// Reads the partitions that it is told to read, from where it is told, and commits nothing to Kafka.
    pub(crate) fn consumer_config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        // The default lets a consumer that has read ahead stand still for a second.
        config.set("fetch.queue.backoff.ms", "10").set("fetch.wait.max.ms", "100");
        config.set("queued.max.messages.kbytes", "32768").set("fetch.message.max.bytes", "2097152");
        for (name, value) in self.config().config_map() {
            config.set(name, value);
        }
        // Nothing is committed under it; librdkafka wants a name.
        config.set("group.id", "bursar-unused").set("enable.auto.commit", "false");
        // An offset that is not there any more is no harm: positions tell what was seen and what is missing.
        config.set("enable.auto.offset.store", "false").set("auto.offset.reset", "earliest");
        config.set("allow.auto.create.topics", "false").set("enable.partition.eof", "true");
        config.set_log_level(RDKafkaLogLevel::Info);
        config
    }
}

/// The longest event that is sent, in bytes; the topic is made for as much.
pub(crate) const MESSAGE_BYTES_MAX: &str = "8388608";

/// What librdkafka said last of trouble with brokers, for whoever is asked why nothing moves.
#[derive(Debug, Default)]
pub(crate) struct Heard(Mutex<Option<String>>);

impl Heard {
    /// What it said since it was asked last.
    pub(crate) fn last(&self) -> Option<String> {
        // Poisoned or not, it is a text.
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Forgets it, because something went well.
    pub(crate) fn forget(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    pub(crate) fn hear(&self, error: &KafkaError, reason: &str) {
        let told = if reason.is_empty() { error.to_string() } else { reason.to_owned() };
        tracing::debug!(%error, reason, "Kafka");
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(told);
    }
}

/// librdkafka repeats itself while brokers are away; what matters of it is told in the relay's own words.
pub(crate) fn tell(level: RDKafkaLogLevel, facility: &str, line: &str) {
    match level {
        RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
            tracing::warn!(target: "librdkafka", facility, "{line}");
        }
        _ => tracing::debug!(target: "librdkafka", facility, "{line}"),
    }
}

impl ClientContext for Heard {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        tell(level, facility, line);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.hear(&error, reason);
    }
}

impl ConsumerContext for Heard {}

impl rdkafka::producer::ProducerContext for Heard {
    type DeliveryOpaque = ();

    fn delivery(&self, _: &rdkafka::producer::DeliveryResult<'_>, (): ()) {}
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn options(client: &[(&str, &str)]) -> KafkaOptions {
        KafkaOptions {
            brokers: "127.0.0.1:9".to_owned(),
            topic: "bursar.events".to_owned(),
            partitions: 12,
            replication: 1,
            client: client.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        }
    }

    #[test]
    fn settings_that_cannot_be_are_refused_before_anything_starts() {
        assert_eq!(options(&[("compression.type", "zstd"), ("linger.ms", "0")]).check(), Ok(()));
        let refused = |client: &[(&str, &str)]| options(client).check().unwrap_err().to_string();
        assert!(refused(&[("acks", "1")]).starts_with("acks is set by Bursar itself"));
        assert!(refused(&[("compression.type", "rar")]).starts_with("compression.type: "));
        assert!(refused(&[("no.such.thing", "1")]).starts_with("no.such.thing: "));
        assert!(KafkaOptions { topic: "a b".to_owned(), ..options(&[]) }.check().is_err());
        assert!(KafkaOptions { partitions: 0, ..options(&[]) }.check().is_err());
    }

    #[test]
    fn secrets_are_not_shown() {
        let shown = format!("{:?}", options(&[("sasl.password", "s3cret")]));
        assert!(shown.contains("sasl.password") && !shown.contains("s3cret"), "{shown}");
        let told = options(&[("security.protocol", "s3cret")]).check().unwrap_err().to_string();
        assert!(!told.contains("s3cret"), "{told}");
    }
}
