//! The bodies of the two frames that bound a segment: its opening and its footer.

use domain::ids::Position;

use super::{FRAME_HEADER_BYTES, FrameFault, FrameHeader, FrameKind, u32_at, u64_at};

/// Bytes of a whole opening frame.
pub(crate) const OPENING_BYTES: usize = FRAME_HEADER_BYTES + 16;
/// Bytes of a whole footer frame.
pub(crate) const FOOTER_BYTES: usize = FRAME_HEADER_BYTES + 32;

/// The body of an opening frame: how the segment is tied to the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Opening {
    /// The stamp of the segment before, 0 in the first segment.
    pub(crate) previous_stamp: u64,
    /// The chain of the segment before, its footer included; 0 in the first segment.
    pub(crate) previous_chain: u32,
}

impl Opening {
    /// Offset within the frame where [`Opening::previous_chain`] stands.
    pub(crate) const CHAIN_AT: usize = FRAME_HEADER_BYTES + 8;

    pub(crate) fn encode(&self) -> [u8; OPENING_BYTES - FRAME_HEADER_BYTES] {
        let mut body = [0; OPENING_BYTES - FRAME_HEADER_BYTES];
        body[0..8].copy_from_slice(&self.previous_stamp.to_le_bytes());
        body[8..12].copy_from_slice(&self.previous_chain.to_le_bytes());
        body
    }

    pub(crate) fn decode(header: &FrameHeader, frame: &[u8]) -> Result<Self, FrameFault> {
        if header.kind != FrameKind::Opening || header.frame_bytes() != OPENING_BYTES || frame.len() < OPENING_BYTES {
            return Err(FrameFault::Body("a segment must begin with an opening frame"));
        }
        let body = &frame[FRAME_HEADER_BYTES..];
        Ok(Self { previous_stamp: u64_at(body, 0), previous_chain: u32_at(body, 8) })
    }
}

/// The body of a footer frame: what the sealed segment holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Footer {
    /// The last position in the segment or, where it has no event, before it.
    pub(crate) last_position: Position,
    /// Events in the segment.
    pub(crate) event_count: u64,
    /// Frames in the segment before the footer, the opening included.
    pub(crate) frame_count: u32,
    /// Offset of the first byte after the footer.
    pub(crate) used_bytes: u32,
    /// The chain over the headers of all frames before the footer.
    pub(crate) chain: u32,
}

impl Footer {
    /// Offset within the frame where [`Footer::chain`] stands.
    pub(crate) const CHAIN_AT: usize = FRAME_HEADER_BYTES + 24;

    pub(crate) fn encode(&self) -> [u8; FOOTER_BYTES - FRAME_HEADER_BYTES] {
        let mut body = [0; FOOTER_BYTES - FRAME_HEADER_BYTES];
        body[0..8].copy_from_slice(&self.last_position.0.to_le_bytes());
        body[8..16].copy_from_slice(&self.event_count.to_le_bytes());
        body[16..20].copy_from_slice(&self.frame_count.to_le_bytes());
        body[20..24].copy_from_slice(&self.used_bytes.to_le_bytes());
        body[24..28].copy_from_slice(&self.chain.to_le_bytes());
        body
    }

    pub(crate) fn decode(header: &FrameHeader, frame: &[u8]) -> Result<Self, FrameFault> {
        if header.kind != FrameKind::Footer || header.frame_bytes() != FOOTER_BYTES || frame.len() < FOOTER_BYTES {
            return Err(FrameFault::Body("it is not a footer"));
        }
        let body = &frame[FRAME_HEADER_BYTES..];
        Ok(Self {
            last_position: Position(u64_at(body, 0)),
            event_count: u64_at(body, 8),
            frame_count: u32_at(body, 16),
            used_bytes: u32_at(body, 20),
            chain: u32_at(body, 24),
        })
    }
}
