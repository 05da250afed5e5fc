//! What an event is called outside: its attributes after CloudEvents 1.0, the same over HTTP (structured JSON) and in
//! Kafka (binary headers). The one place of this mapping; how events are sent is the business of whoever sends them.

use std::io::Write;

use chrono::{DateTime, SecondsFormat};
use serde_json::to_writer;

use crate::log::LogId;
use crate::transaction::record::{Entry, EventRecord};

/// The media type of an event in structured mode.
pub const MEDIA_TYPE: &str = "application/cloudevents+json";

/// An attribute of an event: its name after CloudEvents, and the Kafka header that carries it in binary mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attribute {
    /// Its name in JSON, such as `subject`.
    pub name: &'static str,
    /// Its Kafka header, such as `ce_subject`; the content type has the name that the binding gives it.
    pub header: &'static str,
}

macro_rules! attributes {
    ($($(#[doc = $doc:literal])* $constant:ident = $name:literal in $header:literal;)*) => {
        $($(#[doc = $doc])* pub const $constant: Attribute = Attribute { name: $name, header: $header };)*
        /// Every attribute that an event can have, in the order in which they are written.
        pub const ATTRIBUTES: &[Attribute] = &[$($constant),*];
    };
}

attributes! {
    /// Always `1.0`.
    SPEC_VERSION = "specversion" in "ce_specversion";
    /// The position in decimal: together with the source it names the event for ever.
    ID = "id" in "ce_id";
    /// The log: `urn:bursar:log:` and its id.
    SOURCE = "source" in "ce_source";
    /// The event's type, such as `funds_deposited`.
    TYPE = "type" in "ce_type";
    /// The stream, such as `account-acct_alice`.
    SUBJECT = "subject" in "ce_subject";
    /// When it was recorded: RFC 3339, UTC, to the microsecond.
    TIME = "time" in "ce_time";
    /// Always `application/json`.
    DATA_CONTENT_TYPE = "datacontenttype" in "content-type";
    /// The schema of the data: `urn:bursar:schema:TYPE:VERSION`.
    DATA_SCHEMA = "dataschema" in "ce_dataschema";
    /// The version of the type's schema, in decimal.
    SCHEMA_VERSION = "schemaversion" in "ce_schemaversion";
    /// The event's number within its stream, in decimal.
    STREAM_VERSION = "streamversion" in "ce_streamversion";
    /// When it happened in business, where that differs from the time of recording.
    EFFECTIVE_TIME = "effectivetime" in "ce_effectivetime";
    /// Who sent the command that it comes from.
    PRINCIPAL = "principal" in "ce_principal";
    /// The type of that command, such as `send_transfer`.
    COMMAND = "command" in "ce_command";
    /// The key of that command.
    IDEMPOTENCY_KEY = "idempotencykey" in "ce_idempotencykey";
    /// The request that carried it.
    REQUEST_ID = "requestid" in "ce_requestid";
    /// What the sender groups requests by, where that was given.
    CORRELATION_ID = "correlationid" in "ce_correlationid";
}

/// The source of the events of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventSource(Box<str>);

impl EventSource {
    /// The source that a log is.
    #[must_use]
    pub fn of(log: LogId) -> Self {
        Self(format!("urn:bursar:log:{log}").into())
    }

    /// The source as a text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The name of the schema of an event's data.
#[must_use]
pub fn schema_id(event_type: &str, schema_version: u16) -> String {
    format!("urn:bursar:schema:{event_type}:{schema_version}")
}

/// What all events of one entry share, written out once for all of them.
#[derive(Debug)]
pub struct Envelope<'a> {
    entry: Entry<'a>,
    source: &'a EventSource,
    time: String,
    effective_time: Option<String>,
}

impl<'a> Envelope<'a> {
    /// The envelope of an entry's events.
    #[must_use]
    pub fn of(entry: Entry<'a>, source: &'a EventSource) -> Self {
        let time = rfc3339(entry.recorded_at_us());
        Self { entry, source, time, effective_time: entry.effective_at_us().map(rfc3339) }
    }

    /// Visits the attributes of an event of the entry, in the order of [`ATTRIBUTES`]; what the event does not have is
    /// left out.
    pub fn attributes(&self, event: &EventRecord<'_>, mut visit: impl FnMut(Attribute, &str)) {
        let correlation_id = self.entry.correlation_id();
        visit(SPEC_VERSION, "1.0");
        visit(ID, &event.position.to_string());
        visit(SOURCE, self.source.as_str());
        visit(TYPE, event.event_type);
        visit(SUBJECT, event.stream);
        visit(TIME, &self.time);
        visit(DATA_CONTENT_TYPE, "application/json");
        visit(DATA_SCHEMA, &schema_id(event.event_type, event.schema_version));
        visit(SCHEMA_VERSION, &event.schema_version.to_string());
        visit(STREAM_VERSION, &event.version.to_string());
        if let Some(effective_time) = &self.effective_time {
            visit(EFFECTIVE_TIME, effective_time);
        }
        visit(PRINCIPAL, self.entry.principal());
        visit(COMMAND, self.entry.command());
        visit(IDEMPOTENCY_KEY, self.entry.idempotency_key());
        visit(REQUEST_ID, self.entry.request_id());
        if !correlation_id.is_empty() {
            visit(CORRELATION_ID, correlation_id);
        }
    }

    /// Writes an event of the entry in structured mode: one JSON object on one line, without the end of the line. The
    /// data are the bytes of the log.
    pub fn write_json(&self, event: &EventRecord<'_>, line: &mut Vec<u8>) {
        self.attributes(event, |attribute, value| {
            line.push(if attribute == SPEC_VERSION { b'{' } else { b',' });
            // Names are plain letters; writing to memory does not fail.
            let _ = write!(line, "\"{}\":", attribute.name);
            let _ = to_writer(&mut *line, value);
        });
        line.extend_from_slice(b",\"data\":");
        line.extend_from_slice(event.data);
        line.push(b'}');
    }
}

fn rfc3339(time_us: i64) -> String {
    DateTime::from_timestamp_micros(time_us).unwrap_or_default().to_rfc3339_opts(SecondsFormat::Micros, true)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use domain::ids::{Position, StreamId, Version};
    use serde_json::{Value, json};

    use super::*;
    use crate::transaction::{EntryHeader, Outcome, begin_entry, end_entry, put_event};

    const HEADER: EntryHeader<'_> = EntryHeader {
        recorded_at_us: 1_290_000_000_000_001,
        effective_at_us: None,
        principal: "till-1",
        idempotency_key: "k \"7\"",
        fingerprint: 1,
        request_id: "r-1",
        correlation_id: "",
        command: "deposit",
        outcome: Outcome::Done,
    };

    fn entry_bytes(header: &EntryHeader<'_>) -> Vec<u8> {
        let mut bytes = Vec::new();
        let stream: StreamId = "account-a".parse().unwrap();
        begin_entry(&mut bytes, header).unwrap();
        put_event(&mut bytes, &stream, Version(3), "funds_deposited", 1, |data| data.extend(br#"{"x":1}"#)).unwrap();
        put_event(&mut bytes, &stream, Version(4), "account_closed", 2, |data| data.extend(b"{}")).unwrap();
        end_entry(&mut bytes, 0, 2, |_| {}).unwrap();
        bytes
    }

    fn source() -> EventSource {
        EventSource::of(LogId([0xab; 16]))
    }

    #[test]
    fn an_event_is_one_json_object_with_its_data_as_recorded() {
        let bytes = entry_bytes(&HEADER);
        let (entry, _) = Entry::decode(&bytes, Position(41)).unwrap();
        let (source, event) = (source(), entry.events().next().unwrap());
        let mut line = Vec::new();
        Envelope::of(entry, &source).write_json(&event, &mut line);
        assert!(!line.contains(&b'\n'));
        assert_eq!(
            serde_json::from_slice::<Value>(&line).unwrap(),
            json!({
                "specversion": "1.0", "id": "41", "source": "urn:bursar:log:abababababababababababababababab",
                "type": "funds_deposited", "subject": "account-a", "time": "2010-11-17T13:20:00.000001Z",
                "datacontenttype": "application/json", "dataschema": "urn:bursar:schema:funds_deposited:1",
                "schemaversion": "1", "streamversion": "3", "principal": "till-1", "command": "deposit",
                "idempotencykey": "k \"7\"", "requestid": "r-1", "data": {"x": 1}
            })
        );
    }

    #[test]
    fn every_attribute_is_visited_in_order_and_absent_ones_are_left_out() {
        let header = EntryHeader { effective_at_us: Some(1_289_000_000_000_000), correlation_id: "import-1", ..HEADER };
        let bytes = entry_bytes(&header);
        let (entry, _) = Entry::decode(&bytes, Position(41)).unwrap();
        let (source, event) = (source(), entry.events().nth(1).unwrap());
        let mut visited = Vec::new();
        Envelope::of(entry, &source).attributes(&event, |attribute, value| visited.push((attribute, value.to_owned())));
        assert_eq!(visited.iter().map(|(attribute, _)| *attribute).collect::<Vec<_>>(), ATTRIBUTES);
        let value = |wanted: Attribute| visited.iter().find(|(attribute, _)| *attribute == wanted).unwrap().1.as_str();
        assert_eq!([value(ID), value(STREAM_VERSION), value(SCHEMA_VERSION)], ["42", "4", "2"]);
        assert_eq!([value(EFFECTIVE_TIME), value(CORRELATION_ID)], ["2010-11-05T23:33:20.000000Z", "import-1"]);
    }

    #[test]
    fn names_are_those_that_the_standard_allows_and_headers_follow_its_kafka_binding() {
        for Attribute { name, header } in ATTRIBUTES {
            assert!(name.len() <= 20 && name.bytes().all(|byte| byte.is_ascii_lowercase()), "{name}");
            let bound = if *name == "datacontenttype" { "content-type".to_owned() } else { format!("ce_{name}") };
            assert_eq!(*header, bound);
        }
    }
}
