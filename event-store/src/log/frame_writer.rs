//! Writes one transaction into the gathering group, in place: no copy, no allocation beyond the group's buffer.

use domain::ids::{Position, StreamId, Version};

use super::appender::{AppendRefused, Appender};
use super::frame::{FRAME_HEADER_BYTES, FramePlace, padded};
use crate::transaction::{EntryHeader, TextTooLong, begin_entry, end_entry, put_event};

/// A transaction being written. [`FrameWriter::commit`] makes it part of the log's future; dropping it instead leaves
/// no trace.
///
/// Entries come one after another: [`begin_entry`](Self::begin_entry), any number of [`event`](Self::event)s,
/// [`end_entry`](Self::end_entry).
#[derive(Debug)]
pub struct FrameWriter<'a, A> {
    appender: &'a mut Appender<A>,
    at: usize,
    event_count: u32,
    open_entry: Option<OpenEntry>,
    fault: Option<TextTooLong>,
    committed: bool,
}

#[derive(Debug)]
struct OpenEntry {
    at: usize,
    first_event: u32,
}

impl<'a, A> FrameWriter<'a, A> {
    pub(super) fn new(appender: &'a mut Appender<A>) -> Self {
        let at = appender.group.bytes.len();
        appender.group.bytes.extend_from_slice(&[0; FRAME_HEADER_BYTES]);
        Self { appender, at, event_count: 0, open_entry: None, fault: None, committed: false }
    }

    /// Begins what one command leaves behind.
    ///
    /// # Panics
    /// When the entry before was not ended.
    pub fn begin_entry(&mut self, header: EntryHeader<'_>) {
        assert!(self.open_entry.is_none(), "an entry must be ended before the next begins");
        let at = self.appender.group.bytes.len();
        self.open_entry = Some(OpenEntry { at, first_event: self.event_count });
        let written = begin_entry(&mut self.appender.group.bytes, &header);
        self.note(written);
    }

    /// Adds an event to the entry; `write` appends its JSON to the buffer and leaves alone what is there. Answers the
    /// position that the event gets if the frame is committed.
    ///
    /// # Panics
    /// Outside an entry.
    pub fn event(
        &mut self,
        stream: &StreamId,
        version: Version,
        event_type: &str,
        schema_version: u16,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Position {
        assert!(self.open_entry.is_some(), "an event needs an entry that has begun");
        let position = Position(self.appender.next_position().0 + u64::from(self.event_count));
        self.event_count += 1;
        let written = put_event(&mut self.appender.group.bytes, stream, version, event_type, schema_version, write);
        self.note(written);
        position
    }

    /// Ends the entry; `write` appends the result's JSON to the buffer, or nothing.
    ///
    /// # Panics
    /// Outside an entry.
    pub fn end_entry(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let entry = self.open_entry.take().expect("an entry must have begun to be ended");
        let events = self.event_count - entry.first_event;
        if self.fault.is_none() {
            let written = end_entry(&mut self.appender.group.bytes, entry.at, events, write);
            self.note(written);
        }
    }

    /// Bytes written so far, for who wants to stay below a limit.
    #[must_use]
    pub fn frame_bytes(&self) -> usize {
        self.appender.group.bytes.len() - self.at
    }

    /// Makes the transaction part of the log's future: its place, positions and room are certain from here on, and it
    /// becomes durable with its group.
    ///
    /// # Errors
    /// [`AppendRefused`]: nothing has changed, as if the frame had been dropped.
    ///
    /// # Panics
    /// When an entry has not been ended or there is none.
    pub fn commit(mut self) -> Result<FramePlace, AppendRefused> {
        assert!(self.open_entry.is_none(), "an entry must be ended before its frame is committed");
        if let Some(fault) = self.fault {
            return Err(fault.into());
        }
        let body_bytes = self.frame_bytes() - FRAME_HEADER_BYTES;
        assert!(body_bytes > 0, "a transaction needs an entry");
        self.appender.group.bytes.resize(self.at + FRAME_HEADER_BYTES + padded(body_bytes), 0);
        let place = self.appender.place(self.at, body_bytes, self.event_count)?;
        self.committed = true;
        Ok(place)
    }

    fn note(&mut self, written: Result<(), TextTooLong>) {
        if let Err(fault) = written {
            self.fault.get_or_insert(fault);
        }
    }
}

impl<A> Drop for FrameWriter<'_, A> {
    fn drop(&mut self) {
        if !self.committed {
            self.appender.group.bytes.truncate(self.at);
        }
    }
}
