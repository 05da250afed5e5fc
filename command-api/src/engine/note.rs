//! What is written with every checkpoint: how far it goes, and the little that is not kept per name. Versioned with the
//! tables' form.

use chrono::{DateTime, Utc};
use domain::currency::Currency;
use domain::ids::Position;
use event_store::log::Log;
use event_store::log::frame::FrameAddress;
use serde::{Deserialize, Serialize};

use super::states::Totals;

/// How far a checkpoint goes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Note {
    /// Keys and transfers up to this position are in the store.
    pub(super) names_through: Position,
    /// States that were changed up to this position are in the store; so the log is read again from here.
    pub(super) states_through: Position,
    /// No state in the store knows of an event after this position.
    pub(super) reach: Position,
    /// A frame of the log at or after all of these, and its checksum: tells this log from another of the same id, such
    /// as one that was put back from a copy.
    pub(super) witness: Option<Witness>,
    /// The time of the last command up to `states_through`, in microseconds since 1970-01-01 UTC.
    last_recorded_at_us: i64,
    external_cash: Vec<(Currency, i64)>,
    rejections: u64,
}

/// A frame that the checkpoint knows of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Witness {
    frame: u64,
    checksum: u32,
}

/// Up to where states were saved, and what belongs to that place.
#[derive(Debug, Clone)]
pub(super) struct Base {
    pub(super) through: Position,
    /// The time of the last command up to there.
    pub(super) recorded_at: DateTime<Utc>,
    pub(super) totals: Totals,
}

impl Note {
    pub(super) fn new(names_through: Position, base: &Base, reach: Position) -> Self {
        let mut external_cash: Vec<_> = base.totals.external_cash.iter().map(|(c, sum)| (*c, *sum)).collect();
        external_cash.sort_unstable();
        Self {
            names_through,
            states_through: base.through,
            reach,
            witness: None,
            last_recorded_at_us: base.recorded_at.timestamp_micros(),
            external_cash,
            rejections: base.totals.rejections,
        }
    }

    /// The place from which the log is to be read again, with what belongs to it.
    pub(super) fn base(&self) -> Base {
        let totals =
            Totals { external_cash: self.external_cash.iter().copied().collect(), rejections: self.rejections };
        let recorded_at = DateTime::from_timestamp_micros(self.last_recorded_at_us).unwrap_or_default();
        Base { through: self.states_through, recorded_at, totals }
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        postcard::to_stdvec(self).expect("a note of plain values can always be written")
    }

    /// Reads a note; says why when it is none.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, String> {
        postcard::from_bytes(bytes).map_err(|error| format!("its note does not read back: {error}"))
    }

    /// Whether the checkpoint was made of this log; says why when it was not.
    pub(super) fn belongs_to(&self, log: &Log) -> Result<(), String> {
        let Some(witness) = self.witness else { return Ok(()) };
        if self.reach.max(self.names_through) > log.durable() {
            return Err("it is ahead of the log".to_owned());
        }
        let frame = log.read_frame(FrameAddress::from_bits(witness.frame)).map_err(|error| error.to_string())?;
        if frame.checksum() != witness.checksum {
            return Err("it was made of another log with the same id".to_owned());
        }
        Ok(())
    }
}

impl Witness {
    /// Looks a durable frame up.
    pub(super) fn of(log: &Log, frame: FrameAddress) -> Result<Self, String> {
        let read = log.read_frame(frame).map_err(|error| error.to_string())?;
        Ok(Self { frame: frame.to_bits(), checksum: read.checksum() })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_note_reads_back_as_itself() {
        let totals = Totals {
            external_cash: [("USD", -5), ("JPY", 7)].map(|(code, sum)| (code.parse().unwrap(), sum)).into(),
            rejections: 3,
        };
        let now = DateTime::from_timestamp_micros(1_700_000_000_000_001).unwrap();
        let base = Base { through: Position(4), recorded_at: now, totals: totals.clone() };
        let note = Note::new(Position(9), &base, Position(11));
        assert_eq!(Note::decode(&note.encode()), Ok(note.clone()));
        assert_eq!((note.base().totals, note.base().recorded_at, note.reach), (totals, now, Position(11)));
        assert!(Note::decode(b"x").is_err());
    }
}
