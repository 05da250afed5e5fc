//! The form of a record: an event with its CloudEvents attributes as headers, or a watermark. Written and read here;
//! `docs/kafka.md` describes it for others.

use std::num::ParseIntError;
use std::str::FromStr;

use domain::ids::Position;
use rdkafka::message::{BorrowedHeaders, Header, Headers, OwnedHeaders};

use super::lanes::Place;
use crate::cloud_event::{ATTRIBUTES, Attribute, Envelope, EventSource, SOURCE};
use crate::transaction::record::EventRecord;

/// The header with the record's position in the log, in decimal.
pub const LOG_POSITION: &str = "log-position";
/// The header with the position of the record before it in its partition, in decimal; 0 in the first one.
pub const PREVIOUS_POSITION: &str = "previous-position";

/// The headers of an event.
pub(crate) fn event_headers(envelope: &Envelope<'_>, event: &EventRecord<'_>, place: Place) -> OwnedHeaders {
    let mut headers = Some(positions(OwnedHeaders::new_with_capacity(ATTRIBUTES.len() + 2), place));
    envelope.attributes(event, |attribute, value| {
        headers = headers.take().map(|headers| with(headers, attribute.header, value));
    });
    headers.unwrap_or_default()
}

/// The headers of a watermark, which has neither key nor value: no event before or at its position, that belongs into
/// its partition, comes after it.
pub(crate) fn watermark_headers(source: &EventSource, place: Place) -> OwnedHeaders {
    with(positions(OwnedHeaders::new_with_capacity(3), place), SOURCE.header, source.as_str())
}

fn positions(headers: OwnedHeaders, place: Place) -> OwnedHeaders {
    let headers = with(headers, LOG_POSITION, &place.position.to_string());
    with(headers, PREVIOUS_POSITION, &place.previous.to_string())
}

fn with(headers: OwnedHeaders, key: &str, value: &str) -> OwnedHeaders {
    headers.insert(Header { key, value: Some(value) })
}

/// Why a record cannot have come from the relay.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Foreign {
    /// A header is not there.
    #[error("it has no header {0}")]
    NoHeader(&'static str),
    /// A header is not UTF-8.
    #[error("its header {0} is not UTF-8")]
    NotText(&'static str),
    /// A header that must be a number is none.
    #[error("its header {name} is not a number: {source}")]
    NotANumber {
        /// The header.
        name: &'static str,
        /// Why not.
        source: ParseIntError,
    },
    /// A header has an impossible value.
    #[error("its header {name} cannot be {value:?}")]
    Impossible {
        /// The header.
        name: &'static str,
        /// What it is.
        value: String,
    },
}

/// What stands in the headers of a record that every record has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp<'a> {
    /// Its place in the log.
    pub position: Position,
    /// The position of the record before it in its partition.
    pub previous: Position,
    /// The log that it comes from.
    pub source: &'a str,
}

/// The headers of a record, read once.
#[derive(Debug, Clone, Copy, Default)]
pub struct RecordHeaders<'a> {
    position: Option<&'a [u8]>,
    previous: Option<&'a [u8]>,
    attributes: [Option<&'a [u8]>; ATTRIBUTES.len()],
}

impl<'a> RecordHeaders<'a> {
    /// The headers of a message that Bursar knows; of two with one name the first counts.
    #[must_use]
    pub fn new(headers: Option<&'a BorrowedHeaders>) -> Self {
        let mut read = Self::default();
        // They come in the order in which they are written, so the next one is nearly always the one after the last.
        let mut expected = 0;
        for header in headers.into_iter().flat_map(Headers::iter) {
            let slot = match header.key {
                LOG_POSITION => &mut read.position,
                PREVIOUS_POSITION => &mut read.previous,
                name => {
                    let (before, from) = ATTRIBUTES.split_at(expected);
                    let is_named = |attribute: &Attribute| attribute.header == name;
                    let later = from.iter().position(is_named).map(|index| expected + index);
                    let Some(index) = later.or_else(|| before.iter().position(is_named)) else { continue };
                    expected = index + 1;
                    &mut read.attributes[index]
                }
            };
            *slot = slot.or(header.value);
        }
        read
    }

    /// The value of an attribute, where it is there.
    ///
    /// # Errors
    /// [`Foreign::NotText`].
    pub fn attribute(&self, attribute: Attribute) -> Result<Option<&'a str>, Foreign> {
        let index = ATTRIBUTES.iter().position(|known| *known == attribute);
        text(attribute.header, index.and_then(|index| self.attributes[index]))
    }

    /// The value of an attribute that must be there.
    ///
    /// # Errors
    /// [`Foreign`] where it is not.
    pub fn required(&self, attribute: Attribute) -> Result<&'a str, Foreign> {
        self.attribute(attribute)?.ok_or(Foreign::NoHeader(attribute.header))
    }

    /// An attribute that must be there and be a number.
    ///
    /// # Errors
    /// [`Foreign`] where it is not.
    pub fn number<N: FromStr<Err = ParseIntError>>(&self, attribute: Attribute) -> Result<N, Foreign> {
        number(attribute.header, self.required(attribute)?)
    }

    /// What every record of the relay has.
    ///
    /// # Errors
    /// [`Foreign`] where it is not one.
    pub fn stamp(&self) -> Result<Stamp<'a>, Foreign> {
        let position = |name, value| -> Result<_, Foreign> {
            Ok(Position(number(name, text(name, value)?.ok_or(Foreign::NoHeader(name))?)?))
        };
        let (position, previous) =
            (position(LOG_POSITION, self.position)?, position(PREVIOUS_POSITION, self.previous)?);
        let source = self.required(SOURCE)?;
        if previous >= position {
            return Err(Foreign::Impossible { name: PREVIOUS_POSITION, value: previous.to_string() });
        }
        Ok(Stamp { position, previous, source })
    }
}

fn text<'a>(name: &'static str, value: Option<&'a [u8]>) -> Result<Option<&'a str>, Foreign> {
    value.map(|value| std::str::from_utf8(value).map_err(|_| Foreign::NotText(name))).transpose()
}

fn number<N: FromStr<Err = ParseIntError>>(name: &'static str, text: &str) -> Result<N, Foreign> {
    text.parse().map_err(|source| Foreign::NotANumber { name, source })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use domain::ids::{StreamId, Version};

    use super::*;
    use crate::log::LogId;
    use crate::transaction::record::Entry;
    use crate::transaction::{EntryHeader, Outcome, begin_entry, end_entry, put_event};

    const PLACE: Place = Place { partition: 2, previous: Position(17), position: Position(41) };

    fn all(headers: &OwnedHeaders) -> Vec<(String, String)> {
        let text = |bytes: Option<&[u8]>| String::from_utf8(bytes.unwrap().to_vec()).unwrap();
        headers.iter().map(|header| (header.key.to_owned(), text(header.value))).collect()
    }

    #[test]
    fn an_event_has_its_positions_and_every_attribute_as_a_header() {
        let header = EntryHeader {
            recorded_at_us: 1_290_000_000_000_001,
            effective_at_us: None,
            principal: "till-1",
            idempotency_key: "k-7",
            fingerprint: 1,
            request_id: "r-1",
            correlation_id: "",
            command: "deposit",
            outcome: Outcome::Done,
        };
        let mut bytes = Vec::new();
        let stream: StreamId = "account-a".parse().unwrap();
        begin_entry(&mut bytes, &header).unwrap();
        put_event(&mut bytes, &stream, Version(3), "funds_deposited", 1, |data| data.extend(b"{}")).unwrap();
        end_entry(&mut bytes, 0, 1, |_| {}).unwrap();
        let (entry, _) = Entry::decode(&bytes, Position(41)).unwrap();
        let source = EventSource::of(LogId([0xab; 16]));
        let event = entry.events().next().unwrap();
        let headers = event_headers(&Envelope::of(entry, &source), &event, PLACE);
        let expected = [
            ("log-position", "41"),
            ("previous-position", "17"),
            ("ce_specversion", "1.0"),
            ("ce_id", "41"),
            ("ce_source", "urn:bursar:log:abababababababababababababababab"),
            ("ce_type", "funds_deposited"),
            ("ce_subject", "account-a"),
            ("ce_time", "2010-11-17T13:20:00.000001Z"),
            ("content-type", "application/json"),
            ("ce_dataschema", "urn:bursar:schema:funds_deposited:1"),
            ("ce_schemaversion", "1"),
            ("ce_streamversion", "3"),
            ("ce_principal", "till-1"),
            ("ce_command", "deposit"),
            ("ce_idempotencykey", "k-7"),
            ("ce_requestid", "r-1"),
        ];
        assert_eq!(all(&headers), expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        let stamp = RecordHeaders::new(Some(headers.as_borrowed())).stamp().unwrap();
        assert_eq!(stamp, Stamp { position: Position(41), previous: Position(17), source: source.as_str() });
    }

    #[test]
    fn a_watermark_is_no_cloud_event_but_says_where_it_stands() {
        let source = EventSource::of(LogId([0xab; 16]));
        let headers = watermark_headers(&source, PLACE);
        let names: Vec<_> = all(&headers).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["log-position", "previous-position", "ce_source"]);
        let stamp = RecordHeaders::new(Some(headers.as_borrowed())).stamp().unwrap();
        assert_eq!(stamp, Stamp { position: Position(41), previous: Position(17), source: source.as_str() });
    }

    #[test]
    fn what_the_relay_did_not_write_is_told_apart() {
        let headers = |pairs: &[(&str, &str)]| {
            pairs.iter().fold(OwnedHeaders::new(), |headers, (key, value)| with(headers, key, value))
        };
        let table = [
            (headers(&[]), "it has no header log-position"),
            (
                headers(&[("log-position", "x")]),
                "its header log-position is not a number: invalid digit found in string",
            ),
            (headers(&[("log-position", "4")]), "it has no header previous-position"),
            (headers(&[("log-position", "4"), ("previous-position", "3")]), "it has no header ce_source"),
            (
                headers(&[("log-position", "4"), ("previous-position", "4"), ("ce_source", "s")]),
                "its header previous-position cannot be \"4\"",
            ),
        ];
        for (headers, expected) in table {
            let told = RecordHeaders::new(Some(headers.as_borrowed())).stamp().unwrap_err();
            assert_eq!(told.to_string(), expected);
        }
        assert_eq!(RecordHeaders::new(None).stamp(), Err(Foreign::NoHeader(LOG_POSITION)));
    }
}
