//! A moment in the life of a log: a time or a position.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use domain::ids::Position;
use event_store::transaction::record::EventRecord;

use crate::recorded::time;

/// A moment in the life of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// Everything that was recorded until then.
    Time(DateTime<Utc>),
    /// Everything up to and with that event.
    Position(Position),
}

impl Moment {
    /// Whether an event was there by then.
    pub(crate) fn has(&self, record: &EventRecord<'_>) -> bool {
        match self {
            Self::Time(until) => time(record.entry.recorded_at_us()) <= *until,
            Self::Position(last) => record.position <= *last,
        }
    }
}

/// A text is neither a time nor a position.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is neither a time such as 2026-01-31T12:00:00Z nor a position such as 1234")]
pub(crate) struct NotAMoment(String);

impl FromStr for Moment {
    type Err = NotAMoment;

    fn from_str(text: &str) -> Result<Self, NotAMoment> {
        if let Ok(position) = text.parse() {
            return Ok(Self::Position(Position(position)));
        }
        let time = DateTime::parse_from_rfc3339(text).map_err(|_| NotAMoment(text.to_owned()))?;
        Ok(Self::Time(time.to_utc()))
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Time(time) => f.write_str(&time.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)),
            Self::Position(position) => write!(f, "position {position}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_a_position_or_a_time() {
        assert_eq!("17".parse(), Ok(Moment::Position(Position(17))));
        let noon = "2026-01-31T12:00:00Z".parse::<DateTime<Utc>>().map(Moment::Time).ok();
        assert_eq!("2026-01-31T13:00:00+01:00".parse().ok(), noon);
        assert_eq!("yesterday".parse::<Moment>(), Err(NotAMoment("yesterday".to_owned())));
    }
}
