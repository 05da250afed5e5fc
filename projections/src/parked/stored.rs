//! The form in which an event waits: all that is needed to read it later, also by a newer program.

use std::sync::Arc;

use chrono::DateTime;
use domain::event::{Event, Metadata, RecordedEvent};
use domain::ids::{Position, Version};
use serde::{Deserialize, Serialize};

use crate::feed::Undecodable;

/// An event that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredEvent {
    pub(crate) stream: String,
    pub(crate) position: Position,
    pub(crate) version: Version,
    pub(crate) event_type: String,
    pub(crate) schema_version: u16,
    pub(crate) metadata: String,
    pub(crate) data: Vec<u8>,
}

/// What PostgreSQL keeps of the metadata, as JSON: times in microseconds since 1970, for they may leave its years.
#[derive(Debug, Serialize, Deserialize)]
struct StoredMetadata {
    recorded_at_us: i64,
    effective_at_us: Option<i64>,
    principal: Arc<str>,
    command: Arc<str>,
    idempotency_key: Arc<str>,
    request_id: Arc<str>,
    correlation_id: Arc<str>,
}

impl StoredEvent {
    pub(crate) fn of(event: &RecordedEvent) -> Self {
        Self {
            stream: event.stream.to_string(),
            position: event.position,
            version: event.version,
            event_type: event.event.event_type().to_owned(),
            schema_version: event.event.schema_version(),
            metadata: written(&event.metadata),
            data: serde_json::to_vec(&event.event).expect("an event is an object of strings and numbers"),
        }
    }

    pub(crate) fn of_undecodable(event: &Undecodable) -> Self {
        Self {
            stream: stream_of(event),
            position: event.position,
            version: event.version,
            event_type: event.event_type.clone(),
            schema_version: event.schema_version,
            metadata: written(&event.metadata),
            data: event.data.clone(),
        }
    }

    /// The event, or why this program cannot read it.
    pub(crate) fn read(&self) -> Result<RecordedEvent, String> {
        let stream = self.stream.parse().map_err(|error: domain::ids::InvalidStreamId| error.to_string())?;
        let metadata: StoredMetadata = serde_json::from_str(&self.metadata).map_err(|error| error.to_string())?;
        let mut json = serde_json::Deserializer::from_slice(&self.data);
        let event = Event::decode(&self.event_type, self.schema_version, &mut json);
        let event = event.map_err(|error| error.to_string())?;
        let metadata = Metadata {
            recorded_at: DateTime::from_timestamp_micros(metadata.recorded_at_us).unwrap_or_default(),
            effective_at: metadata.effective_at_us.and_then(DateTime::from_timestamp_micros),
            principal: metadata.principal,
            command: metadata.command,
            idempotency_key: metadata.idempotency_key,
            request_id: metadata.request_id,
            correlation_id: metadata.correlation_id,
        };
        let (position, version) = (self.position, self.version);
        Ok(RecordedEvent { position, stream, version, metadata: Arc::new(metadata), event })
    }
}

/// The name of the stream in PostgreSQL, whose texts hold no NUL.
pub(crate) fn stream_of(event: &Undecodable) -> String {
    event.stream.replace('\0', "\u{fffd}")
}

fn written(metadata: &Metadata) -> String {
    let stored = StoredMetadata {
        recorded_at_us: metadata.recorded_at.timestamp_micros(),
        effective_at_us: metadata.effective_at.map(|at| at.timestamp_micros()),
        principal: Arc::clone(&metadata.principal),
        command: Arc::clone(&metadata.command),
        idempotency_key: Arc::clone(&metadata.idempotency_key),
        request_id: Arc::clone(&metadata.request_id),
        correlation_id: Arc::clone(&metadata.correlation_id),
    };
    serde_json::to_string(&stored).expect("metadata is an object of strings and numbers")
}
