//! What is read back: entries and events as views over the log's bytes, without copying. Decoding is total: any
//! bytes give a view or [`Malformed`]. How the bytes are made stands in `transaction.rs`.

use std::sync::Arc;

use domain::ids::{Position, Version};

use super::{ENTRY_HEAD_BYTES, EVENT_HEAD_BYTES, EntryHeader, FLAG_EFFECTIVE_AT, Outcome};

/// Why bytes are not the body of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub(crate) &'static str);

/// What one command left behind: who, when, which key, the result, and its events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry<'a> {
    bytes: &'a [u8],
    first_position: Position,
}

impl<'a> Entry<'a> {
    /// Reads the entry at the start of `bytes` and answers it with the bytes after it.
    pub(crate) fn decode(bytes: &'a [u8], first_position: Position) -> Result<(Self, &'a [u8]), Malformed> {
        if bytes.len() < ENTRY_HEAD_BYTES {
            return Err(Malformed("an entry's head is cut short"));
        }
        let entry_bytes = u32_at(bytes, 0) as usize;
        if entry_bytes < ENTRY_HEAD_BYTES || entry_bytes > bytes.len() {
            return Err(Malformed("an entry is longer than its frame or shorter than its head"));
        }
        let (own, rest) = bytes.split_at(entry_bytes);
        let entry = Self { bytes: own, first_position };
        entry.check()?;
        Ok((entry, rest))
    }

    /// A view over bytes that [`Entry::decode`] has accepted before.
    pub(crate) const fn checked(bytes: &'a [u8], first_position: Position) -> Self {
        Self { bytes, first_position }
    }

    fn check(&self) -> Result<(), Malformed> {
        let texts = (0..5).map(|index| self.text_bytes(index)).sum::<usize>();
        let result = u32_at(self.bytes, 40) as usize;
        if ENTRY_HEAD_BYTES + texts + result > self.bytes.len() {
            return Err(Malformed("an entry's texts and result are longer than the entry"));
        }
        if Outcome::from_byte(self.bytes[54]).is_none() {
            return Err(Malformed("an entry has an unknown outcome"));
        }
        if self.bytes[55] & !FLAG_EFFECTIVE_AT != 0 {
            return Err(Malformed("an entry has unknown flags"));
        }
        let mut at = ENTRY_HEAD_BYTES;
        for index in 0..5 {
            let end = at + self.text_bytes(index);
            text(&self.bytes[at..end])?;
            at = end;
        }
        let mut events = &self.bytes[at..self.bytes.len() - result];
        let mut count = 0_u32;
        while !events.is_empty() {
            let (event, rest) = decode_event(events)?;
            text(event.stream)?;
            text(event.event_type)?;
            events = rest;
            count += 1;
        }
        if count != self.event_count() {
            return Err(Malformed("an entry has another number of events than it says"));
        }
        Ok(())
    }

    /// When the command was accepted, in microseconds since 1970-01-01 UTC.
    #[must_use]
    pub fn recorded_at_us(&self) -> i64 {
        u64_at(self.bytes, 8).cast_signed()
    }

    /// When the command counts from, where that differs, in microseconds since 1970-01-01 UTC.
    #[must_use]
    pub fn effective_at_us(&self) -> Option<i64> {
        (self.bytes[55] & FLAG_EFFECTIVE_AT != 0).then(|| u64_at(self.bytes, 16).cast_signed())
    }

    /// The digest over the whole command.
    #[must_use]
    pub fn fingerprint(&self) -> u128 {
        u128::from(u64_at(self.bytes, 32)) << 64 | u128::from(u64_at(self.bytes, 24))
    }

    /// What became of the command.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        Outcome::from_byte(self.bytes[54]).expect("the outcome was checked when the entry was decoded")
    }

    /// Who sent the command.
    #[must_use]
    pub fn principal(&self) -> &'a str {
        self.text(0)
    }

    /// The sender's key for the command.
    #[must_use]
    pub fn idempotency_key(&self) -> &'a str {
        self.text(1)
    }

    /// The request that carried the command.
    #[must_use]
    pub fn request_id(&self) -> &'a str {
        self.text(2)
    }

    /// The sender's own mark for what belongs together; may be empty.
    #[must_use]
    pub fn correlation_id(&self) -> &'a str {
        self.text(3)
    }

    /// The command's type.
    #[must_use]
    pub fn command(&self) -> &'a str {
        self.text(4)
    }

    /// All that is recorded once for the command, as it was given to the log.
    #[must_use]
    pub fn header(&self) -> EntryHeader<'a> {
        EntryHeader {
            recorded_at_us: self.recorded_at_us(),
            effective_at_us: self.effective_at_us(),
            principal: self.principal(),
            idempotency_key: self.idempotency_key(),
            fingerprint: self.fingerprint(),
            request_id: self.request_id(),
            correlation_id: self.correlation_id(),
            command: self.command(),
            outcome: self.outcome(),
        }
    }

    /// The result as JSON; may be empty.
    #[must_use]
    pub fn result(&self) -> &'a [u8] {
        &self.bytes[self.result_at()..]
    }

    /// How many events the command left behind.
    #[must_use]
    pub fn event_count(&self) -> u32 {
        u32_at(self.bytes, 4)
    }

    /// The position of the first event; where there is none, the position that the next event of the log gets.
    #[must_use]
    pub const fn first_position(&self) -> Position {
        self.first_position
    }

    /// The position of the last event; where there is none, the one before [`Entry::first_position`].
    #[must_use]
    pub fn last_position(&self) -> Position {
        Position(self.first_position.0 + u64::from(self.event_count()) - 1)
    }

    /// The events, in order.
    #[must_use]
    pub fn events(&self) -> Events<'a> {
        let from = self.events_at();
        Events { entry: *self, at: from, end: self.result_at(), position: self.first_position }
    }

    /// The whole entry as it stands in the log.
    pub(crate) const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    fn text_bytes(&self, index: usize) -> usize {
        usize::from(u16_at(self.bytes, 44 + 2 * index))
    }

    fn text(&self, index: usize) -> &'a str {
        let at = ENTRY_HEAD_BYTES + (0..index).map(|before| self.text_bytes(before)).sum::<usize>();
        checked_text(&self.bytes[at..at + self.text_bytes(index)])
    }

    fn events_at(&self) -> usize {
        ENTRY_HEAD_BYTES + (0..5).map(|index| self.text_bytes(index)).sum::<usize>()
    }

    fn result_at(&self) -> usize {
        self.bytes.len() - u32_at(self.bytes, 40) as usize
    }

    fn event_at(&self, at: usize, position: Position) -> (EventRecord<'a>, usize) {
        let (event, rest) = decode_event(&self.bytes[at..]).expect("events were checked when the entry was decoded");
        let record = EventRecord {
            position,
            stream: checked_text(event.stream),
            version: Version(event.version),
            event_type: checked_text(event.event_type),
            schema_version: event.schema_version,
            data: event.data,
            entry: *self,
        };
        (record, self.bytes.len() - rest.len())
    }
}

/// One event as it stands in the log, with the entry it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventRecord<'a> {
    /// Its place in the log.
    pub position: Position,
    /// The name of its stream.
    pub stream: &'a str,
    /// Its number within the stream.
    pub version: Version,
    /// Its type, such as `funds_deposited`.
    pub event_type: &'a str,
    /// The version of its type's schema.
    pub schema_version: u16,
    /// Its content as JSON.
    pub data: &'a [u8],
    /// Who and when: what was recorded once for the command.
    pub entry: Entry<'a>,
}

/// Walks the events of an entry.
#[derive(Debug, Clone)]
pub struct Events<'a> {
    entry: Entry<'a>,
    at: usize,
    end: usize,
    position: Position,
}

impl Events<'_> {
    /// The offset of the next event within the entry's bytes.
    pub(crate) const fn offset(&self) -> usize {
        self.at
    }
}

impl<'a> Iterator for Events<'a> {
    type Item = EventRecord<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.at == self.end {
            return None;
        }
        let (record, next_at) = self.entry.event_at(self.at, self.position);
        self.at = next_at;
        self.position = self.position.next();
        Some(record)
    }
}

/// Walks the entries of a frame whose body was checked.
#[derive(Debug, Clone)]
pub struct Entries<'a> {
    rest: &'a [u8],
    position: Position,
}

impl<'a> Entries<'a> {
    pub(crate) const fn new(body: &'a [u8], first_position: Position) -> Self {
        Self { rest: body, position: first_position }
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let (own, rest) = self.rest.split_at(u32_at(self.rest, 0) as usize);
        let entry = Entry::checked(own, self.position);
        self.rest = rest;
        self.position = Position(self.position.0 + u64::from(entry.event_count()));
        Some(entry)
    }
}

/// An event that owns its bytes; events of one entry share them.
#[derive(Debug, Clone)]
pub struct StoredEvent {
    entry: Arc<StoredEntry>,
    offset: usize,
    position: Position,
}

#[derive(Debug)]
struct StoredEntry {
    bytes: Box<[u8]>,
    first_position: Position,
}

impl StoredEvent {
    /// Copies an entry once and answers its events.
    pub(crate) fn of_entry(entry: Entry<'_>) -> impl Iterator<Item = Self> {
        let stored = Arc::new(StoredEntry { bytes: entry.bytes.into(), first_position: entry.first_position });
        let mut events = entry.events();
        std::iter::from_fn(move || {
            let offset = events.offset();
            let record = events.next()?;
            Some(Self { entry: Arc::clone(&stored), offset, position: record.position })
        })
    }

    /// The event as a view over the owned bytes.
    #[must_use]
    pub fn record(&self) -> EventRecord<'_> {
        Entry::checked(&self.entry.bytes, self.entry.first_position).event_at(self.offset, self.position).0
    }
}

/// Checks that `body` is a run of entries with `event_count` events, to its last byte.
pub(crate) fn check_body(body: &[u8], event_count: u32, first_position: Position) -> Result<(), Malformed> {
    let mut rest = body;
    let mut position = first_position;
    while !rest.is_empty() {
        let (entry, after) = Entry::decode(rest, position)?;
        let next = position.0.checked_add(u64::from(entry.event_count()));
        position = Position(next.ok_or(Malformed("positions run over"))?);
        rest = after;
    }
    if position.0 - first_position.0 != u64::from(event_count) {
        return Err(Malformed("the frame has another number of events than it says"));
    }
    Ok(())
}

/// Walks the heads of the events in a body that this process has made: no text is looked at. Answers false, having
/// visited a part, when the lengths in it do not fit each other.
pub(crate) fn each_event(body: &[u8], mut visit: impl FnMut(&[u8], u64)) -> bool {
    let mut rest = body;
    while !rest.is_empty() {
        let Some((entry, after)) = split_entry(rest) else { return false };
        rest = after;
        let texts: usize = (0..5).map(|index| usize::from(u16_at(entry, 44 + 2 * index))).sum();
        let from = ENTRY_HEAD_BYTES + texts;
        let to = entry.len().checked_sub(u32_at(entry, 40) as usize);
        let Some(mut events) = to.and_then(|to| entry.get(from..to)) else { return false };
        while !events.is_empty() {
            let Ok((event, after)) = decode_event(events) else { return false };
            visit(event.stream, event.version);
            events = after;
        }
    }
    true
}

fn split_entry(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let entry_bytes = u32_at(bytes.first_chunk::<ENTRY_HEAD_BYTES>()?, 0) as usize;
    (entry_bytes >= ENTRY_HEAD_BYTES).then(|| bytes.split_at_checked(entry_bytes)).flatten()
}

struct RawEvent<'a> {
    stream: &'a [u8],
    version: u64,
    event_type: &'a [u8],
    schema_version: u16,
    data: &'a [u8],
}

fn decode_event(bytes: &[u8]) -> Result<(RawEvent<'_>, &[u8]), Malformed> {
    if bytes.len() < EVENT_HEAD_BYTES {
        return Err(Malformed("an event's head is cut short"));
    }
    let stream_end = EVENT_HEAD_BYTES + usize::from(bytes[6]);
    let type_end = stream_end + usize::from(bytes[7]);
    let data_end = type_end + u32_at(bytes, 0) as usize;
    if data_end > bytes.len() {
        return Err(Malformed("an event is longer than its entry"));
    }
    let event = RawEvent {
        stream: &bytes[EVENT_HEAD_BYTES..stream_end],
        version: u64_at(bytes, 8),
        event_type: &bytes[stream_end..type_end],
        schema_version: u16_at(bytes, 4),
        data: &bytes[type_end..data_end],
    };
    Ok((event, &bytes[data_end..]))
}

fn text(bytes: &[u8]) -> Result<&str, Malformed> {
    std::str::from_utf8(bytes).map_err(|_| Malformed("a text is not UTF-8"))
}

fn checked_text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("texts were checked when the entry was decoded")
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}

#[cfg(test)]
mod tests;
