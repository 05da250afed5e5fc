//! Rebuilding all state from the log at start: every event evolves its aggregate again, every entry brings its key back.

use chrono::{DateTime, Utc};
use domain::ids::{Position, Version};
use event_store::log::Log;
use event_store::log::reader::ReadError;
use event_store::transaction::decode::NotUnderstood;

use super::idempotency::{Keys, Used};
use super::states::Books;

/// What was rebuilt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rebuilt {
    /// How many events were applied.
    pub events: u64,
    /// How many keys are known.
    pub keys: u64,
    /// The time of the last command.
    pub last_recorded_at: DateTime<Utc>,
}

/// Why the states could not be rebuilt.
#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    /// The log could not be read.
    #[error("the state could not be rebuilt, because the log could not be read: {0}")]
    Read(#[from] ReadError),
    /// An event could not be understood.
    #[error("the state could not be rebuilt: {0}")]
    Decode(#[from] NotUnderstood),
    /// An event has another version than the count of its stream gives.
    #[error(
        "the state could not be rebuilt: the event at position {position} has version {recorded} in stream {stream}, but {counted} comes next there"
    )]
    VersionGap {
        /// Where it stands.
        position: Position,
        /// Its stream.
        stream: String,
        /// The version it has.
        recorded: Version,
        /// The version it should have.
        counted: Version,
    },
}

pub(super) fn rebuild(log: &Log) -> Result<(Rebuilt, Books, Keys), RebuildError> {
    let (mut books, mut keys) = (Books::default(), Keys::new());
    let mut rebuilt = Rebuilt { events: 0, keys: 0, last_recorded_at: DateTime::UNIX_EPOCH };
    let mut frames = log.frames_after(Position::START)?;
    while let Some(frame) = frames.next_frame()? {
        for (entry_index, entry) in (0_u32..).zip(frame.entries()) {
            let used = Used::new(entry.fingerprint(), entry.outcome(), frame.place(), entry_index);
            keys.insert(entry.principal(), entry.idempotency_key(), used);
            rebuilt.keys += 1;
            for record in entry.events() {
                let position = record.position;
                let event = record.decode_event()?;
                let counted = books.evolve(&event);
                if counted != record.version {
                    let (stream, recorded) = (record.stream.to_owned(), record.version);
                    return Err(RebuildError::VersionGap { position, stream, recorded, counted });
                }
                rebuilt.events += 1;
            }
            let recorded_at = DateTime::from_timestamp_micros(entry.recorded_at_us()).unwrap_or_default();
            rebuilt.last_recorded_at = rebuilt.last_recorded_at.max(recorded_at);
        }
    }
    Ok((rebuilt, books, keys))
}
