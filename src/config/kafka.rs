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

/// Where the stream is; none where there is no Kafka.
pub(super) fn read(settings: &Resolved) -> Result<Option<KafkaOptions>, SettingError> {
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
