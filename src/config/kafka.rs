//! Settings of the stream through Kafka.

use std::num::{NonZeroU16, NonZeroU32};
use std::str::FromStr;

use event_store::kafka::{InvalidOptions, KafkaOptions};

use super::resolve::{Resolved, SettingError, pairs};

/// Where no brokers are named.
const OFF: &str = "off";
const NONE: &str = "none";

/// Settings of librdkafka.
struct ClientOptions(Vec<(String, String)>);

impl FromStr for ClientOptions {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == NONE {
            return Ok(Self(Vec::new()));
        }
        let split = |(number, pair): (usize, &str)| {
            // The pair itself may be a password.
            let (name, value) = pair.split_once('=').ok_or_else(|| format!("pair {} has no \"=\"", number + 1))?;
            Ok((name.trim().to_owned(), value.trim().to_owned()))
        };
        pairs(text).enumerate().map(split).collect::<Result<_, _>>().map(Self)
    }
}

/// Where read models are filled from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ViewFeed {
    /// The log of this process.
    Log,
    /// The topic, together with the other members of the group.
    Kafka,
    /// Others fill them.
    None,
}

impl FromStr for ViewFeed {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "log" => Ok(Self::Log),
            "kafka" => Ok(Self::Kafka),
            "none" => Ok(Self::None),
            _ => Err("write log, kafka or none"),
        }
    }
}

/// The stream through Kafka.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stream {
    /// Where it is; none where there is no Kafka.
    pub kafka: Option<KafkaOptions>,
    /// The group that shares the partitions.
    pub group: String,
    /// Where `serve` fills the read models from.
    pub view_feed: ViewFeed,
}

impl Stream {
    pub(super) fn read(settings: &Resolved) -> Result<Self, SettingError> {
        let (kafka, group, view_feed) = (options(settings)?, settings.get("kafka_group")?, settings.get("view_feed")?);
        if kafka.is_none() && view_feed == ViewFeed::Kafka {
            return Err(settings.refused("view_feed", "kafka_brokers is off".to_owned()));
        }
        Ok(Self { kafka, group, view_feed })
    }
}

/// Where the stream is; none where there is no Kafka.
fn options(settings: &Resolved) -> Result<Option<KafkaOptions>, SettingError> {
    let brokers: String = settings.get("kafka_brokers")?;
    let ClientOptions(client) = settings.get("kafka_options")?;
    let options = KafkaOptions {
        topic: settings.get("kafka_topic")?,
        partitions: settings.get::<NonZeroU32>("kafka_partitions")?.get(),
        replication: settings.get::<NonZeroU16>("kafka_replication")?.get(),
        client,
        brokers,
    };
    if options.brokers == OFF {
        return Ok(None);
    }
    match options.check() {
        Ok(()) => Ok(Some(options)),
        Err(refused) => {
            let name = match refused {
                InvalidOptions::Topic(_) => "kafka_topic",
                InvalidOptions::Shape { .. } => "kafka_partitions",
                InvalidOptions::Ours(_) | InvalidOptions::Refused(_) => "kafka_options",
            };
            Err(settings.refused(name, refused.to_string()))
        }
    }
}
