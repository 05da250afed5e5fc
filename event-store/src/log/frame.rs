//! Frames: the unit that is written whole or not at all. Their header, checksums and the three small bodies of the
//! log's own frames are encoded and decoded here; no file is touched. Drawn in `docs/log-format.md`.

mod bounds;

use domain::ids::Position;

pub(crate) use self::bounds::{FOOTER_BYTES, Footer, OPENING_BYTES, Opening};
use crate::transaction::record::{Entries, Entry, EventRecord, Malformed, check_body};

/// Bytes of a frame's header.
pub(crate) const FRAME_HEADER_BYTES: usize = 48;
/// The longest frame in bytes, its header included.
pub const FRAME_BYTES_MAX: usize = 64 << 20;
/// Frames start at multiples of this.
pub(crate) const FRAME_ALIGNMENT: usize = 8;

/// The first bytes of every frame.
pub(crate) const FRAME_MAGIC: [u8; 4] = *b"BFRM";
const HEADER_VERSION: u8 = 1;

/// What a frame is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum FrameKind {
    /// The first of a segment: names the segment before it.
    Opening = 1,
    /// A transaction: entries and their events.
    Transaction = 2,
    /// The last of a segment: seals it.
    Footer = 3,
    /// Says that everything before it was durable when it was written.
    Mark = 4,
}

/// A frame's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FrameHeader {
    pub(crate) kind: FrameKind,
    pub(crate) body_bytes: u32,
    pub(crate) event_count: u32,
    pub(crate) first_position: Position,
    /// The random stamp of the segment; frames of any other segment do not pass.
    pub(crate) stamp: u64,
    /// Where in the segment the write began that this frame is part of: everything before it was durable by then.
    pub(crate) run_start: u32,
    /// 0 for the segment's first frame, then one more for each.
    pub(crate) frame_number: u32,
    /// Checksum of the body, padding included.
    pub(crate) body_crc: u32,
}

/// Why bytes are not a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FrameFault {
    /// Nothing but zeros.
    #[error("nothing was written here")]
    Blank,
    /// The segment ends inside the frame.
    #[error("the segment ends inside the frame")]
    CutShort,
    /// The first bytes are not a frame's.
    #[error("no frame starts here")]
    Magic,
    /// The header's checksum differs.
    #[error("the checksum of the frame's header differs")]
    HeaderCrc,
    /// The body's checksum differs.
    #[error("the checksum of the frame's body differs")]
    BodyCrc,
    /// The frame is of another segment.
    #[error("the frame is stamped for another segment")]
    Stamp,
    /// The header is whole but its version is not known.
    #[error("the frame's header has version {0}, which a newer program wrote")]
    Version(u8),
    /// The header is whole but says what cannot be.
    #[error("the frame's header says what cannot be: {0}")]
    Header(&'static str),
    /// The frame is whole but does not follow the one before it.
    #[error("the frame does not follow the one before it: {0}")]
    Sequence(&'static str),
    /// The body is whole but is not what it should be.
    #[error("the frame's body is not what it should be: {0}")]
    Body(&'static str),
}

impl FrameFault {
    /// Whether a write that a crash cut through can leave this behind.
    pub(crate) const fn may_be_torn(self) -> bool {
        matches!(self, Self::Blank | Self::CutShort | Self::Magic | Self::HeaderCrc | Self::BodyCrc)
    }
}

impl From<Malformed> for FrameFault {
    fn from(malformed: Malformed) -> Self {
        Self::Body(malformed.0)
    }
}

impl FrameHeader {
    /// Writes the header into `bytes`, both checksums left for [`seal`].
    pub(crate) fn put(&self, bytes: &mut [u8]) {
        bytes[0..4].copy_from_slice(&FRAME_MAGIC);
        bytes[4] = HEADER_VERSION;
        bytes[5] = self.kind as u8;
        bytes[8..12].copy_from_slice(&self.body_bytes.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.event_count.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.first_position.0.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.stamp.to_le_bytes());
        bytes[32..36].copy_from_slice(&self.run_start.to_le_bytes());
        bytes[36..40].copy_from_slice(&self.frame_number.to_le_bytes());
    }

    /// Reads the header at the start of `bytes`; the body is not looked at.
    pub(crate) fn decode(bytes: &[u8], stamp: u64) -> Result<Self, FrameFault> {
        let Some(bytes) = bytes.first_chunk::<FRAME_HEADER_BYTES>() else { return Err(FrameFault::CutShort) };
        if bytes[..4] != FRAME_MAGIC {
            let blank = bytes.iter().all(|byte| *byte == 0);
            return Err(if blank { FrameFault::Blank } else { FrameFault::Magic });
        }
        if crc32c::crc32c(&bytes[..44]) != u32_at(bytes, 44) {
            return Err(FrameFault::HeaderCrc);
        }
        let header = Self {
            kind: match bytes[5] {
                1 => FrameKind::Opening,
                2 => FrameKind::Transaction,
                3 => FrameKind::Footer,
                4 => FrameKind::Mark,
                _ if bytes[4] == HEADER_VERSION => return Err(FrameFault::Header("its kind is unknown")),
                _ => return Err(FrameFault::Version(bytes[4])),
            },
            body_bytes: u32_at(bytes, 8),
            event_count: u32_at(bytes, 12),
            first_position: Position(u64_at(bytes, 16)),
            stamp: u64_at(bytes, 24),
            run_start: u32_at(bytes, 32),
            frame_number: u32_at(bytes, 36),
            body_crc: u32_at(bytes, 40),
        };
        if header.stamp != stamp {
            return Err(FrameFault::Stamp);
        }
        if bytes[4] != HEADER_VERSION {
            return Err(FrameFault::Version(bytes[4]));
        }
        if header.body_bytes as usize > FRAME_BYTES_MAX - FRAME_HEADER_BYTES {
            return Err(FrameFault::Header("its body is longer than a frame may be"));
        }
        if header.first_position.0 == 0 || header.first_position.0.checked_add(u64::from(header.event_count)).is_none()
        {
            return Err(FrameFault::Header("its positions are impossible"));
        }
        Ok(header)
    }

    /// Bytes of the whole frame: header, body and padding.
    pub(crate) const fn frame_bytes(&self) -> usize {
        FRAME_HEADER_BYTES + padded(self.body_bytes as usize)
    }

    /// The position of the first event after this frame.
    pub(crate) const fn next_position(&self) -> Position {
        Position(self.first_position.0 + self.event_count as u64)
    }
}

/// Completes a frame whose header and body stand in `frame`: both checksums. Answers the header's bytes.
pub(crate) fn seal(frame: &mut [u8]) -> &[u8] {
    let body_crc = crc32c::crc32c(&frame[FRAME_HEADER_BYTES..]);
    frame[40..44].copy_from_slice(&body_crc.to_le_bytes());
    let header_crc = crc32c::crc32c(&frame[..44]);
    frame[44..48].copy_from_slice(&header_crc.to_le_bytes());
    &frame[..FRAME_HEADER_BYTES]
}

/// The body's checksum of a frame whose header is `header`, against what the header says.
pub(crate) fn check_crc(header: &FrameHeader, frame: &[u8]) -> Result<(), FrameFault> {
    if frame.len() < header.frame_bytes() {
        return Err(FrameFault::CutShort);
    }
    if crc32c::crc32c(&frame[FRAME_HEADER_BYTES..header.frame_bytes()]) != header.body_crc {
        return Err(FrameFault::BodyCrc);
    }
    Ok(())
}

/// `bytes` rounded up to where the next frame may start.
pub(crate) const fn padded(bytes: usize) -> usize {
    bytes.next_multiple_of(FRAME_ALIGNMENT)
}

/// A transaction as it stands in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    header: FrameHeader,
    body: &'a [u8],
    segment: u32,
    offset: u64,
}

impl<'a> Frame<'a> {
    /// Checks the body of a transaction frame (checksum apart) and makes it readable.
    pub(crate) fn check(header: &FrameHeader, frame: &[u8]) -> Result<(), FrameFault> {
        if header.kind != FrameKind::Transaction {
            return Err(FrameFault::Body("it is not a transaction"));
        }
        let body = frame.get(FRAME_HEADER_BYTES..FRAME_HEADER_BYTES + header.body_bytes as usize);
        let body = body.ok_or(FrameFault::CutShort)?;
        Ok(check_body(body, header.event_count, header.first_position)?)
    }

    /// A view over a frame that [`Frame::check`] has accepted.
    pub(crate) fn checked(header: FrameHeader, frame: &'a [u8], segment: u32, offset: u64) -> Self {
        let body = &frame[FRAME_HEADER_BYTES..FRAME_HEADER_BYTES + header.body_bytes as usize];
        Self { header, body, segment, offset }
    }

    /// The position of the first event; where there is none, the position that the next event of the log gets.
    #[must_use]
    pub const fn first_position(&self) -> Position {
        self.header.first_position
    }

    /// The position of the last event; where there is none, the one before [`Frame::first_position`].
    #[must_use]
    pub const fn last_position(&self) -> Position {
        Position(self.header.next_position().0 - 1)
    }

    /// How many events the transaction has.
    #[must_use]
    pub const fn event_count(&self) -> u32 {
        self.header.event_count
    }

    /// Where the frame stands.
    #[must_use]
    pub const fn place(&self) -> FramePlace {
        FramePlace {
            first_position: self.first_position(),
            last_position: self.last_position(),
            segment: self.segment,
            offset: self.offset,
        }
    }

    /// The entries, in order.
    #[must_use]
    pub const fn entries(&self) -> Entries<'a> {
        Entries::new(self.body, self.header.first_position)
    }

    /// The events of all entries, in order.
    pub fn events(&self) -> impl Iterator<Item = EventRecord<'a>> + use<'a> {
        self.entries().flat_map(|entry: Entry<'a>| entry.events())
    }
}

/// Where a frame stands in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FramePlace {
    /// The position of its first event; where there is none, the position that the next event gets.
    pub first_position: Position,
    /// The position of its last event; where there is none, the one before `first_position`.
    pub last_position: Position,
    /// The number of its segment.
    pub segment: u32,
    /// Its offset within the segment file, in bytes.
    pub offset: u64,
}

/// Where a frame stands, in eight bytes, for those who keep millions of them: the segment above, an eighth of the
/// offset (frames start at multiples of 8) below.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameAddress(u64);

impl FrameAddress {
    /// The address in the form in which it can be kept.
    #[must_use]
    pub const fn to_bits(self) -> u64 {
        self.0
    }

    /// An address that was kept.
    #[must_use]
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// The number of the segment.
    #[must_use]
    pub const fn segment(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// The offset within the segment file, in bytes.
    #[must_use]
    pub const fn offset(self) -> u64 {
        (self.0 & 0xffff_ffff) << 3
    }
}

impl FramePlace {
    /// The place without its positions.
    #[must_use]
    pub const fn address(&self) -> FrameAddress {
        FrameAddress((self.segment as u64) << 32 | self.offset >> 3)
    }
}

/// The chain one frame further: a running checksum over the headers of a segment's frames. As a header has its
/// body's checksum in it and an opening has the chain of the segment before, it covers the log up to here. A header's
/// own checksum is left out: a CRC over bytes and their CRC is the same for all bytes.
pub(crate) fn chain_on(chain: u32, header: &[u8]) -> u32 {
    crc32c::crc32c_append(chain, &header[..FRAME_HEADER_BYTES - 4])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}

#[cfg(test)]
mod tests;
