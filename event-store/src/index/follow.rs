//! Walks the frames that this process has just written, to index them while the log grows. It runs beside the engine,
//! so it looks at heads only and computes no checksum: the bytes were made and made durable by the same process. What
//! was there before the process began was checked when the log was opened.

use std::sync::Arc;

use domain::ids::Position;

use super::digest::StreamDigest;
use super::part::{EventPlace, Seal, Seen};
use crate::disk::{Access, DiskFile, read_full_at};
use crate::log::folder::FolderRefused;
use crate::log::frame::{FOOTER_BYTES, FRAME_HEADER_BYTES, FRAME_MAGIC, FrameKind, chain_on, padded};
use crate::log::reader::{LogReader, ReadError};
use crate::log::scan::Link;
use crate::log::segment::SEGMENT_HEADER_BYTES;
use crate::transaction::record::each_event;

/// Bytes that are read at once.
const PIECE_BYTES: usize = 512 << 10;
/// Events that are gathered before they are handed over.
const EVENTS_AT_ONCE: usize = 4096;

const CUT_SHORT: &str = "a frame is cut short";

/// A place in the log up to which everything is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DurableEnd {
    pub(crate) segment: u32,
    pub(crate) offset: u64,
}

/// Where a walk stopped.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// Much was gathered; there is more.
    Full,
    /// The segment is at its end.
    Sealed(Seal),
    /// Everything durable was seen.
    End,
}

/// The walk.
#[derive(Debug)]
pub(super) struct Follow {
    reader: Arc<LogReader>,
    digest: StreamDigest,
    segment: u32,
    stamp: u64,
    file: Option<Arc<dyn DiskFile>>,
    offset: u64,
    pub(super) next_position: Position,
    frame_count: u32,
    /// How the segment ends, once its footer was met.
    sealed: Option<Seal>,
    buffer: Vec<u8>,
}

/// A frame as far as the walk looks at it.
struct Head {
    kind: u8,
    frame_bytes: usize,
    body_bytes: usize,
    event_count: u32,
}

impl Follow {
    /// A walk from the beginning of a segment whose first position is `next_position`.
    pub(super) fn new(
        reader: Arc<LogReader>,
        digest: StreamDigest,
        segment: u32,
        stamp: u64,
        next_position: Position,
    ) -> Self {
        let offset = SEGMENT_HEADER_BYTES;
        let (file, frame_count, sealed, buffer) = (None, 0, None, Vec::new());
        Self { reader, digest, segment, stamp, file, offset, next_position, frame_count, sealed, buffer }
    }

    /// Goes on to `end`, gathering in `seen`; stops early when much was gathered or the segment ends.
    pub(super) fn on_to(&mut self, end: DurableEnd, seen: &mut Seen) -> Result<Stop, ReadError> {
        loop {
            if let Some(seal) = self.sealed {
                return Ok(Stop::Sealed(seal));
            }
            let open_end = match end.segment.checked_sub(self.segment) {
                Some(0) => end.offset,
                Some(_) => u64::MAX,
                None => return Ok(Stop::End),
            };
            if self.offset >= open_end {
                return Ok(Stop::End);
            }
            if seen.events.len() >= EVENTS_AT_ONCE {
                return Ok(Stop::Full);
            }
            self.piece(open_end, seen)?;
        }
    }

    /// Goes on into the next segment and answers its stamp.
    pub(super) fn next_segment(&mut self) -> Result<u64, ReadError> {
        let next = self.reader.folder().segment_of(self.segment + 1, Access::Read)?;
        self.segment += 1;
        self.stamp = next.header.stamp;
        self.file = Some(next.file);
        self.offset = SEGMENT_HEADER_BYTES;
        self.frame_count = 0;
        self.sealed = None;
        Ok(self.stamp)
    }

    /// Reads a piece of the segment and walks the frames in it.
    fn piece(&mut self, end: u64, seen: &mut Seen) -> Result<(), ReadError> {
        let mut buffer = std::mem::take(&mut self.buffer);
        let walked = self.fill(&mut buffer, end).map(|filled| self.walk(&buffer[..filled], seen));
        self.buffer = buffer;
        walked?.map_err(|reason| self.reader.damage_at(self.segment, self.offset, self.next_position, reason))
    }

    /// Reads from the place of the walk on: a piece, or more when a frame is longer than that.
    fn fill(&mut self, buffer: &mut Vec<u8>, end: u64) -> Result<usize, ReadError> {
        let file = match &self.file {
            Some(file) => Arc::clone(file),
            None => {
                let file = self.reader.folder().segment_of(self.segment, Access::Read)?.file;
                Arc::clone(self.file.insert(file))
            }
        };
        let read = |buffer: &mut Vec<u8>, bytes: usize| {
            let wanted = usize::try_from(end - self.offset).unwrap_or(bytes).min(bytes);
            if buffer.len() < wanted || buffer.len() > 4 * PIECE_BYTES.max(wanted) {
                *buffer = vec![0; wanted];
            }
            read_full_at(file.as_ref(), &mut buffer[..wanted], self.offset).map_err(|source| {
                let path = crate::log::segment::segment_path(&self.reader.folder().path, self.segment);
                FolderRefused::Io { doing: "reading", path, source }
            })
        };
        let filled = read(buffer, PIECE_BYTES)?;
        match self.head(&buffer[..filled]) {
            Ok(head) if head.frame_bytes > filled => Ok(read(buffer, head.frame_bytes)?),
            _ => Ok(filled),
        }
    }

    /// Walks the frames in `bytes`; the last may go on beyond them.
    fn walk(&mut self, bytes: &[u8], seen: &mut Seen) -> Result<(), &'static str> {
        let mut rest = bytes;
        while self.sealed.is_none() && !rest.is_empty() {
            let begun = rest.len() < bytes.len();
            if begun && rest.len() < FRAME_HEADER_BYTES {
                return Ok(());
            }
            let head = self.head(rest)?;
            let Some((frame, after)) = rest.split_at_checked(head.frame_bytes) else {
                return if begun { Ok(()) } else { Err(CUT_SHORT) };
            };
            rest = after;
            if head.kind == FrameKind::Transaction as u8 {
                let body = &frame[FRAME_HEADER_BYTES..FRAME_HEADER_BYTES + head.body_bytes];
                self.transaction(&head, body, seen)?;
            } else if head.kind == FrameKind::Footer as u8 {
                self.sealed = Some(self.seal(frame)?);
            }
            self.offset += head.frame_bytes as u64;
            self.next_position.0 += u64::from(head.event_count);
            self.frame_count += 1;
        }
        Ok(())
    }

    fn head(&self, bytes: &[u8]) -> Result<Head, &'static str> {
        let Some(bytes) = bytes.first_chunk::<FRAME_HEADER_BYTES>() else { return Err(CUT_SHORT) };
        if bytes[..4] != FRAME_MAGIC || u64_at(bytes, 24) != self.stamp || u64_at(bytes, 16) != self.next_position.0 {
            return Err("the frame that was written here is not what is read");
        }
        let body_bytes = u32_at(bytes, 8) as usize;
        let frame_bytes = FRAME_HEADER_BYTES + padded(body_bytes);
        Ok(Head { kind: bytes[5], frame_bytes, body_bytes, event_count: u32_at(bytes, 12) })
    }

    fn transaction(&self, head: &Head, body: &[u8], seen: &mut Seen) -> Result<(), &'static str> {
        let place = (self.offset / 8) as u32;
        let before = seen.events.len();
        let whole = each_event(body, |stream, version| {
            seen.events.push(EventPlace { digest: self.digest.of(stream), version, place });
        });
        if !whole || (seen.events.len() - before) as u64 != u64::from(head.event_count) {
            seen.events.truncate(before);
            return Err("its entries or events are not what its head says");
        }
        seen.transaction(self.offset, self.next_position);
        Ok(())
    }

    fn seal(&self, frame: &[u8]) -> Result<Seal, &'static str> {
        if frame.len() != FOOTER_BYTES {
            return Err("the footer is not what it should be");
        }
        let chain = u32_at(frame, crate::log::frame::Footer::CHAIN_AT);
        let chain = chain_on(chain, &frame[..FRAME_HEADER_BYTES]);
        let after = Link { stamp: self.stamp, chain, next_position: self.next_position };
        Ok(Seal { footer_offset: self.offset as u32, frame_count: self.frame_count, after })
    }
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}
