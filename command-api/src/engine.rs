//! The engine: takes commands up, decides them, appends what follows, answers once it is durable.
//! This file is its door; what stands behind it is one sequencer thread that owns all aggregate state.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use domain::command::Command;
use domain::ids::{Position, StreamId, Version};
use domain::rejection::Rejection;

/// A command with everything it came with.
#[derive(Debug, Clone)]
pub struct Request {
    /// Who asks. With the key it makes the scope in which a command is done once.
    pub principal: Arc<str>,
    /// The idempotency key.
    pub key: Arc<str>,
    /// What the request is called in logs and answers.
    pub request_id: Arc<str>,
    /// What the caller groups requests by; empty where it gave none.
    pub correlation_id: Arc<str>,
    /// The command's type, such as `send_transfer`.
    pub command_type: &'static str,
    /// What is asked.
    pub command: Command,
    /// A digest of all that was asked, before ids were generated: the same key with another digest is a mistake.
    pub fingerprint: u128,
    /// The version at which the stream must be.
    pub expected_version: Option<Version>,
    /// When it happened in business, where that differs from now.
    pub effective_at: Option<DateTime<Utc>>,
}

/// How the commands of one submission belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Each command stands for itself.
    Independent,
    /// All are accepted, or none.
    Atomic,
}

/// Commands that are handed in together, to be decided in order.
#[derive(Debug, Clone)]
pub struct Submission {
    /// The commands; at least one.
    pub requests: Vec<Request>,
    /// How they belong together.
    pub mode: Mode,
    /// Decide only: nothing is appended and no key is used up.
    pub dry_run: bool,
}

/// Where an accepted command's event stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventPlace {
    /// The event's type.
    pub event_type: Arc<str>,
    /// Its stream.
    pub stream: StreamId,
    /// Its number within the stream.
    pub version: Version,
    /// Its place in the log; none in a dry run.
    pub position: Option<Position>,
}

/// An accepted command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// Whether it brought something new into being.
    pub created: bool,
    /// The new state's summary, a JSON object.
    pub result: Arc<str>,
    /// The events, in order.
    pub events: Vec<EventPlace>,
    /// The version at which the command's own stream now is.
    pub version: Version,
    /// The last event's position; none in a dry run.
    pub position: Option<Position>,
    /// Whether this is the answer to an earlier request with the same key.
    pub replayed: bool,
}

/// What became of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It was accepted.
    Accepted(Accepted),
    /// It was refused.
    Refused {
        /// Why.
        rejection: Rejection,
        /// Where the refusal is recorded; none in a dry run.
        position: Option<Position>,
        /// Whether this is the answer to an earlier request with the same key.
        replayed: bool,
    },
    /// Its key was used before for a different command. Nothing is recorded.
    KeyReused,
    /// It was not decided, because another command of its atomic batch was refused. Its key is not used up.
    NotDecided {
        /// The index of the refused command in the batch.
        refused_index: usize,
    },
    /// Some of the keys of its atomic batch were used before and some were not, so it is not the same batch.
    BatchDiffers,
}

/// Why commands were not taken up, or why nobody knows what became of them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unavailable {
    /// The queue is full; nothing was taken up.
    #[error("the engine has {queued} commands waiting; try again in a second")]
    QueueFull {
        /// How many wait.
        queued: usize,
    },
    /// The disk is full; nothing was taken up.
    #[error(
        "the disk that holds the log is full: {detail}; commands are accepted again once there is room, reads go on"
    )]
    DiskFull {
        /// What the log says.
        detail: String,
    },
    /// More than one transaction can hold; nothing was taken up.
    #[error("the transaction is too large: {detail}; split the batch")]
    TooLarge {
        /// What the log says.
        detail: String,
    },
    /// The server is stopping; nothing was taken up.
    #[error("the server is stopping; try again in a few seconds")]
    Stopping,
    /// The log failed while the commands were being written: they may or may not be durable. Ask again with the same key.
    #[error(
        "the log failed while the command was being written: {reason}; whether it counts is unknown, ask again with the same key"
    )]
    Unknown {
        /// What the log says.
        reason: String,
    },
}
