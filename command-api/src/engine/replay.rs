//! The answer to a key that comes again: the result that stands in the log, as it was given the first time.

use std::str::FromStr;

use domain::event::Event;
use domain::ids::StreamId;
use event_store::log::Log;
use event_store::transaction::Outcome as Recorded;
use event_store::transaction::record::Entry;

use super::idempotency::EntryPlace;
use super::sequencer::{Decided, own_version};
use super::{Accepted, EventPlace, Outcome, Unavailable};

/// Fills in what was decided before. Reads the log off the async threads.
pub(super) async fn look_up(log: Log, decided: Vec<Decided>) -> Result<Vec<Outcome>, Unavailable> {
    let outcomes = tokio::task::spawn_blocking(move || {
        let mut recall = |decided| match decided {
            Decided::Now(outcome) => Ok(outcome),
            Decided::Before(place) => recall(&log, place),
        };
        decided.into_iter().map(&mut recall).collect::<Result<Vec<_>, String>>()
    });
    // The command counts, as it did before; only its answer could not be read.
    let unknown = |reason| Unavailable::Unknown { reason };
    outcomes.await.map_err(|e| unknown(e.to_string()))?.map_err(unknown)
}

fn recall(log: &Log, place: EntryPlace) -> Result<Outcome, String> {
    let frame = log.read_frame(place.frame).map_err(|e| e.to_string())?;
    let index = place.entry_index as usize;
    let entry = frame.frame().entries().nth(index).ok_or("the log has no such entry")?;
    outcome(&entry)
}

fn outcome(entry: &Entry<'_>) -> Result<Outcome, String> {
    if entry.outcome() == Recorded::Refused {
        let record = entry.events().next().ok_or("the refusal has no event")?;
        return match record.decode_event() {
            Ok(Event::Rejected(rejected)) => {
                let (rejection, position) = (rejected.rejection, Some(record.position));
                Ok(Outcome::Refused { rejection, position, replayed: true })
            }
            Ok(_) => Err("the refusal's event is not a refusal".to_owned()),
            Err(e) => Err(e.to_string()),
        };
    }
    let mut events = Vec::with_capacity(entry.event_count() as usize);
    for record in entry.events() {
        let known = Event::types().find(|(name, _)| *name == record.event_type);
        let (event_type, _) = known.ok_or_else(|| format!("event type {} is unknown", record.event_type))?;
        let stream = StreamId::from_str(record.stream).map_err(|e| e.to_string())?;
        events.push(EventPlace { event_type, stream, version: record.version, position: Some(record.position) });
    }
    Ok(Outcome::Accepted(Accepted {
        created: entry.outcome() == Recorded::Created,
        result: entry.result().to_vec(),
        version: own_version(&events),
        position: events.last().and_then(|e| e.position),
        events,
        replayed: true,
    }))
}
