//! From recorded bytes to the domain's events and their envelope: the one place where stored JSON is understood.

use std::sync::Arc;

use chrono::DateTime;
use domain::event::{DecodeError, Event, Metadata, RecordedEvent};
use domain::ids::{InvalidStreamId, Position};

use super::record::{Entry, EventRecord};

/// Why a recorded event could not be understood.
#[derive(Debug, thiserror::Error)]
pub enum NotUnderstood {
    /// Its type, schema version or body is not known.
    #[error("the event at position {position} is not understood: {source}")]
    Event {
        /// Where it stands.
        position: Position,
        /// Why.
        source: DecodeError<serde_json::Error>,
    },
    /// Its stream is not one.
    #[error("the event at position {position} is in no known kind of stream: {source}")]
    Stream {
        /// Where it stands.
        position: Position,
        /// Why.
        source: InvalidStreamId,
    },
}

impl EventRecord<'_> {
    /// What happened.
    ///
    /// # Errors
    /// [`NotUnderstood`] when a newer program wrote it, or it is not an event at all.
    pub fn decode_event(&self) -> Result<Event, NotUnderstood> {
        if let Some(event) = Event::from_json(self.event_type, self.schema_version, self.data) {
            return Ok(event);
        }
        let mut json = serde_json::Deserializer::from_slice(self.data);
        Event::decode(self.event_type, self.schema_version, &mut json)
            .map_err(|source| NotUnderstood::Event { position: self.position, source })
    }

    /// The event in its envelope. `metadata` is its entry's [`Entry::metadata`], made once for all its events.
    ///
    /// # Errors
    /// [`NotUnderstood`] when a newer program wrote it, or it is not an event at all.
    pub fn decode(&self, metadata: &Arc<Metadata>) -> Result<RecordedEvent, NotUnderstood> {
        let position = self.position;
        let stream = self.stream.parse().map_err(|source| NotUnderstood::Stream { position, source })?;
        let event = self.decode_event()?;
        Ok(RecordedEvent { position, stream, version: self.version, metadata: Arc::clone(metadata), event })
    }
}

impl Entry<'_> {
    /// What all events of the entry have in common.
    #[must_use]
    pub fn metadata(&self) -> Arc<Metadata> {
        Arc::new(Metadata {
            recorded_at: DateTime::from_timestamp_micros(self.recorded_at_us()).unwrap_or_default(),
            effective_at: self.effective_at_us().and_then(DateTime::from_timestamp_micros),
            principal: self.principal().into(),
            command: self.command().into(),
            idempotency_key: self.idempotency_key().into(),
            request_id: self.request_id().into(),
            correlation_id: self.correlation_id().into(),
        })
    }
}
