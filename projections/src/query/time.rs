//! Times as queries name them.

use std::str::FromStr;

use chrono::{DateTime, Days, NaiveDate, NaiveTime, Utc};

use crate::model::stamp::storable;

/// Where a range of time begins or ends: a time, or a day in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bound {
    Time(DateTime<Utc>),
    Day(NaiveDate),
}

/// A place in the history: a position of the log, or a time of recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum At {
    Position(u64),
    Time(DateTime<Utc>),
}

/// A day in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Day(pub(super) NaiveDate);

/// A time as RFC 3339 has it. The `+` of an offset may have been read as a space.
fn time(text: &str) -> Option<DateTime<Utc>> {
    let time = DateTime::parse_from_rfc3339(&text.replace(' ', "+")).ok()?.with_timezone(&Utc);
    (storable(time).timestamp_micros() == time.timestamp_micros()).then_some(time)
}

/// A day of the years 1 to 9999; chrono alone would read years of any length.
fn day(text: &str) -> Option<NaiveDate> {
    let fits = text.len() == 10 && text.starts_with(|first: char| first.is_ascii_digit()) && !text.starts_with("0000");
    if fits { text.parse().ok() } else { None }
}

impl FromStr for Bound {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let bound = time(text).map(Self::Time).or_else(|| day(text).map(Self::Day));
        bound.ok_or("use an RFC 3339 time such as 2026-01-31T08:00:00Z, or a day such as 2026-01-31")
    }
}

impl Bound {
    /// The first moment of a range that begins here.
    pub(super) fn begins(self) -> DateTime<Utc> {
        match self {
            Self::Time(time) => time,
            Self::Day(day) => day.and_time(NaiveTime::MIN).and_utc(),
        }
    }

    /// The first moment after a range that ends here: a day is part of the range, a moment is not.
    pub(super) fn ends(self) -> DateTime<Utc> {
        match self {
            Self::Time(time) => time,
            Self::Day(day) => {
                // Years end at 9999 here, and only much later in chrono.
                let next = day.checked_add_days(Days::new(1)).unwrap_or(day);
                next.and_time(NaiveTime::MIN).and_utc()
            }
        }
    }
}

impl FromStr for At {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let position = text.parse().ok().filter(|position| i64::try_from(*position).is_ok());
        let at = position.map(Self::Position).or_else(|| time(text).map(Self::Time));
        at.ok_or("use a position of the log such as 4711, or an RFC 3339 time such as 2026-01-31T08:00:00Z")
    }
}

impl FromStr for Day {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        day(text).map(Self).ok_or("use a day such as 2026-01-31")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_range_of_days_has_its_last_day_in_it_and_a_range_of_times_does_not_have_its_end() {
        let utc = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        for (text, begins, ends) in [
            ("2010-12-01", "2010-12-01T00:00:00Z", "2010-12-02T00:00:00Z"),
            ("9999-12-31", "9999-12-31T00:00:00Z", "+10000-01-01T00:00:00Z"),
            ("2010-12-01T08:26:00Z", "2010-12-01T08:26:00Z", "2010-12-01T08:26:00Z"),
            ("2010-12-01T08:26:00 02:00", "2010-12-01T06:26:00Z", "2010-12-01T06:26:00Z"),
        ] {
            let bound: Bound = text.parse().unwrap();
            assert_eq!((bound.begins(), bound.ends()), (utc(begins), utc(ends)), "{text}");
        }
    }

    #[test]
    fn what_is_neither_a_time_nor_a_day_is_refused() {
        for text in [
            "",
            "yesterday",
            "2010-13-01",
            "2010-12-1",
            "0000-01-01",
            "+2010-1-01",
            "2010-12-01T08:26:00",
            "1291190400",
        ] {
            assert!(text.parse::<Bound>().is_err(), "{text}");
        }
        assert_eq!("1291190400".parse(), Ok(At::Position(1_291_190_400)));
        assert!("9223372036854775808".parse::<At>().is_err());
        assert!("-1".parse::<At>().is_err());
    }
}
