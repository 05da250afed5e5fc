//! Where and when an event stands, in the form in which rows keep it.

use chrono::{DateTime, NaiveDate, Utc};
use domain::event::RecordedEvent;
use domain::ids::{Position, Version};

/// Where and when an event stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) position: Position,
    pub(crate) version: Version,
    pub(crate) recorded_at: DateTime<Utc>,
    pub(crate) effective_at: Option<DateTime<Utc>>,
}

impl Stamp {
    pub(crate) fn of(recorded: &RecordedEvent) -> Self {
        Self {
            position: recorded.position,
            version: recorded.version,
            recorded_at: storable(recorded.metadata.recorded_at),
            effective_at: recorded.metadata.effective_at.map(storable),
        }
    }

    /// The time that counts in business: the effective time where there is one, else the recorded one.
    pub(crate) fn business_time(&self) -> DateTime<Utc> {
        self.effective_at.unwrap_or(self.recorded_at)
    }

    /// The day of the business time, in UTC.
    pub(crate) fn business_day(&self) -> NaiveDate {
        self.business_time().date_naive()
    }
}

/// The nearest time within the years 1 to 9999: PostgreSQL and RFC 3339 know no others, events may.
pub(crate) fn storable(at: DateTime<Utc>) -> DateTime<Utc> {
    const YEAR_1_US: i64 = -62_135_596_800_000_000;
    const YEAR_10000_US: i64 = 253_402_300_800_000_000;
    let us = at.timestamp_micros().clamp(YEAR_1_US, YEAR_10000_US - 1);
    DateTime::from_timestamp_micros(us).unwrap_or(at)
}

/// The minute that a time lies in.
pub(crate) fn minute_of(at: DateTime<Utc>) -> DateTime<Utc> {
    DateTime::from_timestamp(at.timestamp().div_euclid(60) * 60, 0).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn times_beyond_what_is_stored_are_moved_to_the_nearest_that_is() {
        let stored = |at: DateTime<Utc>| storable(at).to_rfc3339_opts(chrono::SecondsFormat::Micros, true);
        assert_eq!(stored(DateTime::<Utc>::MIN_UTC), "0001-01-01T00:00:00.000000Z");
        assert_eq!(stored(DateTime::<Utc>::MAX_UTC), "9999-12-31T23:59:59.999999Z");
        assert_eq!(stored("2010-12-01T08:26:00.123456Z".parse().unwrap()), "2010-12-01T08:26:00.123456Z");
    }

    #[test]
    fn a_minute_begins_at_its_first_second_also_before_1970() {
        for (at, minute) in [
            ("2010-12-01T08:26:59.999999Z", "2010-12-01T08:26:00Z"),
            ("1969-12-31T23:59:30Z", "1969-12-31T23:59:00Z"),
            ("0001-01-01T00:00:30Z", "0001-01-01T00:00:00Z"),
            ("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:00Z"),
        ] {
            assert_eq!(minute_of(at.parse().unwrap()), minute.parse::<DateTime<Utc>>().unwrap(), "{at}");
        }
    }
}
