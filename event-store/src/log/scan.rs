//! Walks the frames of one segment and checks everything that can be checked: checksums, stamps, numbers, positions,
//! the chain. Judges what stands after the last good frame. Reads only.

use std::io;

use domain::ids::Position;

use super::frame::{
    FOOTER_BYTES, FRAME_ALIGNMENT, FRAME_HEADER_BYTES, FRAME_MAGIC, Footer, Frame, FrameFault, FrameHeader, FrameKind,
    Opening, chain_on, check_crc, seal,
};
use super::segment::{SEGMENT_HEADER_BYTES, SegmentHeader};
use super::window::Window;
use crate::index::file::IndexHeader;

const PIECE_BYTES: usize = 1 << 20;
static ZEROS: [u8; PIECE_BYTES] = [0; PIECE_BYTES];

/// What a segment takes over from the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) stamp: u64,
    pub(crate) chain: u32,
    pub(crate) next_position: Position,
}

impl Link {
    /// Before the first segment.
    pub(crate) const FIRST: Self = Self { stamp: 0, chain: 0, next_position: Position(1) };
}

/// A walk through a segment; it can be taken up again where it stopped.
#[derive(Debug, Clone)]
pub(crate) struct Scan {
    pub(crate) header: SegmentHeader,
    before: Link,
    /// Offset after the last good frame.
    pub(crate) offset: u64,
    /// Frames so far.
    pub(crate) frame_count: u32,
    pub(crate) next_position: Position,
    pub(crate) chain: u32,
    /// Where the last write began.
    pub(crate) run_start: u64,
    /// Whether the last frame is a mark.
    pub(crate) marked: bool,
    /// Whether the footer was reached.
    pub(crate) sealed: bool,
    /// Transactions so far.
    pub(crate) transactions: u64,
}

impl Scan {
    pub(crate) const fn new(header: SegmentHeader, before: Link) -> Self {
        Self {
            header,
            before,
            offset: SEGMENT_HEADER_BYTES,
            frame_count: 0,
            next_position: before.next_position,
            chain: 0,
            run_start: SEGMENT_HEADER_BYTES,
            marked: false,
            sealed: false,
            transactions: 0,
        }
    }

    /// The frame that says that all before it is durable; none where the last frame says so already, or where there is
    /// no room for it and a footer.
    pub(crate) fn mark(&self) -> Option<[u8; FRAME_HEADER_BYTES]> {
        let bytes = (FRAME_HEADER_BYTES + FOOTER_BYTES) as u64;
        if self.marked || self.offset + bytes > self.header.segment_bytes {
            return None;
        }
        let header = FrameHeader {
            kind: FrameKind::Mark,
            body_bytes: 0,
            event_count: 0,
            first_position: self.next_position,
            stamp: self.header.stamp,
            run_start: self.offset as u32,
            frame_number: self.frame_count,
            body_crc: 0,
        };
        let mut frame = [0; FRAME_HEADER_BYTES];
        header.put(&mut frame);
        seal(&mut frame);
        Some(frame)
    }

    /// A walk that stands at a place inside a segment, to tell what is wrong there.
    pub(crate) const fn at(header: SegmentHeader, offset: u64, next_position: Position) -> Self {
        let mut scan = Self::new(header, Link { next_position, ..Link::FIRST });
        scan.offset = offset;
        scan
    }

    /// The first position of the segment.
    pub(crate) const fn first_position(&self) -> Position {
        self.before.next_position
    }

    /// Whether the segment has its opening frame.
    pub(crate) const fn begun(&self) -> bool {
        self.frame_count > 0
    }

    /// What it took over from the segment before.
    pub(crate) const fn before(&self) -> Link {
        self.before
    }

    /// Where the footer stands, in a segment that is sealed.
    pub(crate) const fn footer_offset(&self) -> u32 {
        (self.offset - FOOTER_BYTES as u64) as u32
    }

    /// A walk that is at the end of a sealed segment, as the segment's index file says.
    pub(crate) const fn vouched(header: SegmentHeader, index: &IndexHeader) -> Self {
        let offset = index.footer_offset as u64 + FOOTER_BYTES as u64;
        Self {
            header,
            before: index.before,
            offset,
            frame_count: index.frame_count + 1,
            next_position: index.after.next_position,
            chain: index.after.chain,
            run_start: offset,
            marked: false,
            sealed: true,
            transactions: index.transactions,
        }
    }

    /// What the next segment takes over.
    pub(crate) const fn link(&self) -> Link {
        Link { stamp: self.header.stamp, chain: self.chain, next_position: self.next_position }
    }

    /// Walks on until the footer or the first thing that is not a good frame; `visit` sees every transaction and may
    /// object. Answers why it stopped; `None` at the footer.
    pub(crate) fn walk(
        &mut self,
        window: &mut Window,
        visit: impl FnMut(&Frame<'_>) -> Result<(), FrameFault>,
    ) -> io::Result<Option<FrameFault>> {
        self.walk_to(window, u64::MAX, visit)
    }

    /// [`Scan::walk`] up to the first frame that starts at or after offset `end`.
    pub(crate) fn walk_to(
        &mut self,
        window: &mut Window,
        end: u64,
        mut visit: impl FnMut(&Frame<'_>) -> Result<(), FrameFault>,
    ) -> io::Result<Option<FrameFault>> {
        while !self.sealed && self.offset < end {
            if let Err(fault) = self.step(window, &mut visit)? {
                return Ok(Some(fault));
            }
        }
        Ok(None)
    }

    fn step(
        &mut self,
        window: &mut Window,
        visit: &mut impl FnMut(&Frame<'_>) -> Result<(), FrameFault>,
    ) -> io::Result<Result<(), FrameFault>> {
        let header = match FrameHeader::decode(window.at(self.offset, FRAME_HEADER_BYTES)?, self.header.stamp) {
            Ok(header) => header,
            Err(fault) => return Ok(Err(fault)),
        };
        if self.offset + header.frame_bytes() as u64 > self.header.segment_bytes {
            return Ok(Err(FrameFault::Header("it runs beyond the end of its segment")));
        }
        let frame = window.at(self.offset, header.frame_bytes())?;
        Ok(self.take(&header, frame, visit))
    }

    fn take(
        &mut self,
        header: &FrameHeader,
        frame: &[u8],
        visit: &mut impl FnMut(&Frame<'_>) -> Result<(), FrameFault>,
    ) -> Result<(), FrameFault> {
        check_crc(header, frame)?;
        self.check_sequence(header)?;
        match header.kind {
            FrameKind::Opening => {
                let opening = Opening::decode(header, frame)?;
                if (opening.previous_stamp, opening.previous_chain) != (self.before.stamp, self.before.chain) {
                    return Err(FrameFault::Sequence("it was opened after another segment than the one before it"));
                }
            }
            FrameKind::Transaction => {
                Frame::check(header, frame)?;
                visit(&Frame::checked(*header, frame, self.header.number, self.offset))?;
                self.transactions += 1;
            }
            FrameKind::Footer => {
                let expected = Footer {
                    last_position: Position(self.next_position.0 - 1),
                    event_count: self.next_position.0 - self.before.next_position.0,
                    frame_count: self.frame_count,
                    used_bytes: (self.offset + header.frame_bytes() as u64) as u32,
                    chain: self.chain,
                };
                if Footer::decode(header, frame)? != expected {
                    return Err(FrameFault::Sequence("the footer does not sum up its segment"));
                }
            }
            FrameKind::Mark => {
                if header.body_bytes != 0 {
                    return Err(FrameFault::Body("a mark has no body"));
                }
            }
        }
        self.sealed = header.kind == FrameKind::Footer;
        self.marked = header.kind == FrameKind::Mark;
        self.chain = chain_on(self.chain, &frame[..FRAME_HEADER_BYTES]);
        self.run_start = u64::from(header.run_start);
        self.frame_count += 1;
        self.next_position = header.next_position();
        self.offset += header.frame_bytes() as u64;
        Ok(())
    }

    fn check_sequence(&self, header: &FrameHeader) -> Result<(), FrameFault> {
        let run_start = u64::from(header.run_start);
        let fault = if (header.kind == FrameKind::Opening) != (self.frame_count == 0) {
            "an opening frame stands first in a segment and nowhere else"
        } else if header.frame_number != self.frame_count {
            "its number within the segment"
        } else if header.first_position != self.next_position {
            "its position"
        } else if header.kind != FrameKind::Transaction && header.event_count != 0 {
            "only transactions have events"
        } else if run_start != self.offset && (run_start != self.run_start || self.frame_count == 0) {
            "the start of its write"
        } else {
            return Ok(());
        };
        Err(FrameFault::Sequence(fault))
    }
}

/// What stands in a segment after its last good frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tail {
    /// Zeros to the end.
    Clean,
    /// The rest of one write that was never acknowledged, up to `end`.
    Torn {
        /// Offset after the last byte that is not zero, on a frame boundary.
        end: u64,
    },
    /// A frame that was written when what is damaged here was durable already.
    Acknowledged {
        /// Where that frame stands.
        offset: u64,
        /// Its first position.
        first_position: Position,
    },
}

/// Judges what stands from `offset` to the end of the segment, where no good frame starts at `offset`.
///
/// A frame says where the write began that it was part of, and a write begins only when everything before it is
/// durable. So a later frame whose write began after `offset` proves that `offset` was durable: damage. When no such
/// frame is found, everything from `offset` on can be of one write that a crash cut through.
pub(crate) fn judge_tail(window: &mut Window, header: &SegmentHeader, offset: u64) -> io::Result<Tail> {
    let mut end = offset;
    let mut at = offset;
    while at < header.segment_bytes {
        let piece = window.at(at, PIECE_BYTES + FRAME_HEADER_BYTES)?;
        if piece.is_empty() {
            break;
        }
        let own = &piece[..piece.len().min(PIECE_BYTES)];
        if own != &ZEROS[..own.len()] {
            for (index, found) in frame_headers(piece, own.len(), header.stamp) {
                if u64::from(found.run_start) > offset {
                    let offset = at + index as u64;
                    return Ok(Tail::Acknowledged { offset, first_position: found.first_position });
                }
            }
            let last = own.iter().rposition(|byte| *byte != 0).unwrap_or(0);
            end = (at + last as u64 + 1).next_multiple_of(FRAME_ALIGNMENT as u64);
        }
        at += own.len() as u64;
    }
    Ok(if end == offset { Tail::Clean } else { Tail::Torn { end } })
}

/// The first frame header after `offset`, to say how far damage reaches.
pub(crate) fn next_frame(window: &mut Window, header: &SegmentHeader, offset: u64) -> io::Result<Option<FrameHeader>> {
    let mut at = offset + FRAME_ALIGNMENT as u64;
    while at < header.segment_bytes {
        let piece = window.at(at, PIECE_BYTES + FRAME_HEADER_BYTES)?;
        if piece.is_empty() {
            break;
        }
        let own = piece.len().min(PIECE_BYTES);
        if let Some((_, found)) = frame_headers(piece, own, header.stamp).next() {
            return Ok(Some(found));
        }
        at += own as u64;
    }
    Ok(None)
}

fn frame_headers(piece: &[u8], own: usize, stamp: u64) -> impl Iterator<Item = (usize, FrameHeader)> {
    (0..own)
        .step_by(FRAME_ALIGNMENT)
        .filter(|index| piece[*index..].starts_with(&FRAME_MAGIC))
        .filter_map(move |index| FrameHeader::decode(&piece[index..], stamp).ok().map(|header| (index, header)))
}
