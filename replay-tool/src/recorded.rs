//! What is recorded, in the words of the domain: times, decoded events.

use chrono::{DateTime, Utc};
use domain::event::Event;
use event_store::transaction::record::EventRecord;

use crate::failure::Failure;

/// A time of the log, from microseconds since 1970-01-01 UTC.
pub(crate) fn time(us: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(us).unwrap_or(if us < 0 {
        DateTime::<Utc>::MIN_UTC
    } else {
        DateTime::<Utc>::MAX_UTC
    })
}

/// The event that a record holds.
///
/// # Errors
/// [`Failure::Broken`] when it cannot be understood, or belongs to another stream than the one it stands in.
pub(crate) fn decode(record: &EventRecord<'_>) -> Result<Event, Failure> {
    let broken = |reason: String| Failure::Broken { position: record.position, reason };
    let event = record.decode_event().map_err(|error| broken(error.to_string()))?;
    let stream = event.stream().to_string();
    if stream != record.stream {
        return Err(broken(format!("an event of stream {stream} stands in stream {}", record.stream)));
    }
    Ok(event)
}
