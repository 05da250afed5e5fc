//! From a record's headers and value to an event in its envelope. Events of one command stand near each other, and share
//! what was recorded once for all of them.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use domain::event::{Event, Metadata, RecordedEvent};
use domain::ids::{Position, StreamId, Version};
use rdkafka::message::{BorrowedMessage, Message};

use super::{Content, Unreadable};
use crate::cloud_event::{
    Attribute, COMMAND, CORRELATION_ID, EFFECTIVE_TIME, IDEMPOTENCY_KEY, PRINCIPAL, REQUEST_ID, SCHEMA_VERSION,
    STREAM_VERSION, TIME, TYPE,
};
use crate::kafka::record::{Foreign, RecordHeaders};

/// Decodes records one after another.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    shared: Option<Arc<Metadata>>,
}

impl Decoder {
    /// What a record is. An event that this program cannot read is one all the same.
    pub(super) fn content(
        &mut self,
        message: &BorrowedMessage<'_>,
        headers: &RecordHeaders<'_>,
        position: Position,
    ) -> Result<Content, Foreign> {
        let (Some(key), Some(data)) = (message.key(), message.payload()) else { return Ok(Content::Watermark) };
        let event_type = headers.required(TYPE)?;
        let schema_version: u16 = headers.number(SCHEMA_VERSION)?;
        let version = Version(headers.number(STREAM_VERSION)?);
        let metadata = self.metadata(headers)?;
        let stream = std::str::from_utf8(key).map_err(|_| Foreign::NotText("key"))?;
        let mut json = serde_json::Deserializer::from_slice(data);
        let read = stream.parse::<StreamId>().map_err(|error| error.to_string()).and_then(|stream| {
            let event = Event::decode(event_type, schema_version, &mut json).map_err(|error| error.to_string())?;
            Ok((stream, event))
        });
        Ok(match read {
            Ok((stream, event)) => Content::Event(RecordedEvent { position, stream, version, metadata, event }),
            Err(reason) => Content::Unreadable(Box::new(Unreadable {
                stream: stream.to_owned(),
                version,
                event_type: event_type.to_owned(),
                schema_version,
                metadata,
                data: data.to_vec(),
                reason,
            })),
        })
    }

    /// What the event shares with those of the same command.
    fn metadata(&mut self, headers: &RecordHeaders<'_>) -> Result<Arc<Metadata>, Foreign> {
        let recorded_at = time(TIME, headers.required(TIME)?)?;
        let effective_at = headers.attribute(EFFECTIVE_TIME)?.map(|text| time(EFFECTIVE_TIME, text)).transpose()?;
        let principal = headers.required(PRINCIPAL)?;
        let command = headers.required(COMMAND)?;
        let idempotency_key = headers.required(IDEMPOTENCY_KEY)?;
        let request_id = headers.required(REQUEST_ID)?;
        let correlation_id = headers.attribute(CORRELATION_ID)?.unwrap_or_default();
        if let Some(shared) = &self.shared {
            let same = shared.recorded_at == recorded_at
                && shared.effective_at == effective_at
                && *shared.idempotency_key == *idempotency_key
                && *shared.request_id == *request_id
                && *shared.principal == *principal
                && *shared.command == *command
                && *shared.correlation_id == *correlation_id;
            if same {
                return Ok(Arc::clone(shared));
            }
        }
        let made = Arc::new(Metadata {
            recorded_at,
            effective_at,
            principal: principal.into(),
            command: command.into(),
            idempotency_key: idempotency_key.into(),
            request_id: request_id.into(),
            correlation_id: correlation_id.into(),
        });
        self.shared = Some(Arc::clone(&made));
        Ok(made)
    }
}

fn time(attribute: Attribute, text: &str) -> Result<DateTime<Utc>, Foreign> {
    let impossible = |_| Foreign::Impossible { name: attribute.header, value: text.to_owned() };
    DateTime::parse_from_rfc3339(text).map(|time| time.to_utc()).map_err(impossible)
}
