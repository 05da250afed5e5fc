//! Where frames go: decided when they are committed, before anything is written, so that an engine can change its state
//! knowing that there is room. Seals a segment and begins the next in the gathering group; touches no file.

use std::time::Duration;

use domain::ids::Position;

use super::appender::{AppendRefused, Appender};
use super::frame::{
    FOOTER_BYTES, FRAME_BYTES_MAX, FRAME_HEADER_BYTES, Footer, FrameHeader, FrameKind, FramePlace, OPENING_BYTES,
    Opening, padded,
};
use super::group::Run;
use super::preparer::NotReady;
use super::segment::{SEGMENT_HEADER_BYTES, Segment};

/// Where the next frame goes.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    pub(crate) segment: Segment,
    /// Offset of the next frame, everything queued included.
    pub(crate) offset: u64,
    /// Number of the next frame in the segment.
    pub(crate) frame_number: u32,
    /// Whether the segment has its opening frame.
    pub(crate) begun: bool,
    /// The first position of the segment, once it has begun.
    pub(crate) first_position: Position,
    /// The stamp of the segment before; 0 in the first.
    pub(crate) previous_stamp: u64,
    /// Whether the last frame is a mark.
    pub(crate) marked: bool,
    /// The position of the next event.
    pub(crate) next_position: Position,
}

impl Layout {
    /// Bytes that frames can still take in this segment, its opening and its footer set aside.
    pub(crate) fn room_bytes(&self) -> u64 {
        let opening = if self.begun { 0 } else { OPENING_BYTES as u64 };
        self.segment.bytes.saturating_sub(self.offset + opening + FOOTER_BYTES as u64)
    }
}

impl<A> Appender<A> {
    /// Decides where the frame that starts at `at` in the group goes, and completes its header but for the checksums.
    pub(super) fn place(
        &mut self,
        at: usize,
        body_bytes: usize,
        event_count: u32,
    ) -> Result<FramePlace, AppendRefused> {
        if let Some(failed) = self.status.failure.get() {
            return Err(failed.clone().into());
        }
        let frame_bytes = FRAME_HEADER_BYTES + padded(body_bytes);
        if frame_bytes > self.frame_bytes_max {
            return Err(AppendRefused::FrameTooLarge { frame_bytes, frame_bytes_max: self.frame_bytes_max });
        }
        let mut at = at;
        if frame_bytes as u64 > self.layout.room_bytes() {
            let next = self.preparer.take().map_err(|reason| self.refusal(reason, frame_bytes))?;
            at += self.put_footer(at);
            let previous = std::mem::replace(&mut self.layout.segment, next);
            self.layout.previous_stamp = previous.stamp;
            self.layout.offset = SEGMENT_HEADER_BYTES;
            self.layout.frame_number = 0;
            self.layout.begun = false;
        }
        if !self.layout.begun {
            at += self.put_opening(at);
        }
        let place = FramePlace {
            first_position: self.layout.next_position,
            last_position: Position(self.layout.next_position.0 + u64::from(event_count) - 1),
            segment: self.layout.segment.number,
            offset: self.layout.offset,
        };
        self.put_header(FrameKind::Transaction, at, FRAME_HEADER_BYTES + body_bytes, event_count);
        self.layout.marked = false;
        Ok(place)
    }

    fn refusal(&self, reason: NotReady, frame_bytes: usize) -> AppendRefused {
        match reason {
            NotReady::DiskFull(reason) => AppendRefused::DiskFull {
                reason,
                room_bytes: self.layout.room_bytes(),
                frame_bytes: frame_bytes as u64,
            },
            NotReady::Stalled(reason) => AppendRefused::NotReady { reason },
            NotReady::TimedOut(waited) => AppendRefused::NotReady { reason: waited_text(waited) },
        }
    }

    fn put_opening(&mut self, at: usize) -> usize {
        self.layout.first_position = self.layout.next_position;
        let opening = Opening { previous_stamp: self.layout.previous_stamp, previous_chain: 0 };
        self.insert(at, FrameKind::Opening, &opening.encode());
        self.layout.begun = true;
        OPENING_BYTES
    }

    fn put_footer(&mut self, at: usize) -> usize {
        let layout = &self.layout;
        let footer = Footer {
            last_position: Position(layout.next_position.0 - 1),
            event_count: layout.next_position.0 - layout.first_position.0,
            frame_count: layout.frame_number,
            used_bytes: (layout.offset + FOOTER_BYTES as u64) as u32,
            chain: 0,
        };
        self.insert(at, FrameKind::Footer, &footer.encode());
        FOOTER_BYTES
    }

    fn insert(&mut self, at: usize, kind: FrameKind, body: &[u8]) {
        let frame_bytes = FRAME_HEADER_BYTES + body.len();
        self.group.bytes.splice(at..at, [0; FRAME_HEADER_BYTES].into_iter().chain(body.iter().copied()));
        self.put_header(kind, at, frame_bytes, 0);
    }

    /// Fills the header at `at` in the group and moves the layout past the frame.
    pub(super) fn put_header(&mut self, kind: FrameKind, at: usize, unpadded_bytes: usize, event_count: u32) {
        let layout = &mut self.layout;
        let run_goes_on = self.group.runs.last().is_some_and(|run| run.segment.number == layout.segment.number);
        if !run_goes_on {
            self.group.runs.push(Run { segment: layout.segment.clone(), offset: layout.offset, at });
        }
        let run_offset = self.group.runs.last().map_or(layout.offset, |run| run.offset);
        let body_bytes = unpadded_bytes - FRAME_HEADER_BYTES;
        let header = FrameHeader {
            kind,
            body_bytes: body_bytes as u32,
            event_count,
            first_position: layout.next_position,
            stamp: layout.segment.stamp,
            run_start: run_offset as u32,
            frame_number: layout.frame_number,
            body_crc: 0,
        };
        header.put(&mut self.group.bytes[at..at + FRAME_HEADER_BYTES]);
        layout.offset += (FRAME_HEADER_BYTES + padded(body_bytes)) as u64;
        layout.frame_number += 1;
        layout.next_position = header.next_position();
        self.group.next_position = layout.next_position;
    }
}

fn waited_text(waited: Duration) -> String {
    format!("it was not made within {} ms", waited.as_millis())
}

/// The longest frame that fits a segment of `segment_bytes`.
pub(crate) fn frame_bytes_max(segment_bytes: u64) -> usize {
    let room = segment_bytes - SEGMENT_HEADER_BYTES - (OPENING_BYTES + FOOTER_BYTES) as u64;
    FRAME_BYTES_MAX.min(usize::try_from(room).unwrap_or(FRAME_BYTES_MAX))
}
