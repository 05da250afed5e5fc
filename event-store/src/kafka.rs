//! The stream through Kafka: the relay that sends the log into a topic, and the consumer that reads it back. What goes
//! where and what may follow what is decided without IO (`lanes.rs`, `arrival.rs`); rdkafka is touched in `client.rs`,
//! `topic.rs`, `relay.rs` and `consumer.rs`. `docs/kafka.md` tells what the topic looks like to others.

pub mod arrival;
mod client;
pub mod consumer;
mod delivery;
pub mod lanes;
pub mod membership;
pub mod partitioner;
pub mod record;
pub mod relay;
pub mod status;
pub mod topic;

pub use self::client::{InvalidOptions, KafkaOptions};
