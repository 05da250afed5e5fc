//! Copies the frames of one segment into a file of its own and reads the copy back, every frame checked. Knows neither
//! which segments are to be copied nor how far.

use std::io;
use std::path::Path;

use super::manifest::SegmentCopy;
use crate::disk::{Access, Disk, DiskFile, write_all_at};
use crate::log::folder::{FolderRefused, OpenSegment, open_segment};
use crate::log::frame::{FRAME_HEADER_BYTES, Frame, FrameFault, FrameHeader, check_crc, seal};
use crate::log::scan::{Link, Scan};
use crate::log::segment::{SEGMENT_HEADER_BYTES, SegmentHeader};
use crate::log::window::Window;

const PIECE_BYTES: usize = 1 << 20;

/// What stands after the frames, to the segment's length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rest {
    /// A hole, which reads as zeros and takes no room: a backup is not appended to.
    Hole,
    /// Zeros that were written: appending must never wait for blocks.
    Zeros,
}

/// Makes the file at `path` a segment with `header` and the frames of `from` up to offset `end`, durably. Where the
/// header has another stamp the frames get it too. Answers the checksum of the first `end` bytes.
pub(super) fn copy_frames(
    disk: &dyn Disk,
    from: &OpenSegment,
    end: u64,
    path: &Path,
    header: &SegmentHeader,
    rest: Rest,
) -> io::Result<u32> {
    let file = disk.create(path)?;
    let mut pen = Pen { file: file.as_ref(), buffer: header.encode().to_vec(), offset: 0, crc: 0 };
    pen.buffer.resize(SEGMENT_HEADER_BYTES as usize, 0);
    let mut window = Window::new(from.file.clone());
    let mut at = SEGMENT_HEADER_BYTES;
    while at < end {
        at += pen.take_frame(&mut window, at, from.header.stamp, header.stamp)?;
    }
    pen.flush()?;
    let crc = pen.crc;
    match rest {
        Rest::Hole if end < header.segment_bytes => write_all_at(file.as_ref(), &[0], header.segment_bytes - 1)?,
        Rest::Hole => {}
        Rest::Zeros => {
            while pen.offset < header.segment_bytes {
                let bytes = (header.segment_bytes - pen.offset).min(PIECE_BYTES as u64);
                pen.buffer.resize(bytes as usize, 0);
                pen.flush()?;
            }
        }
    }
    file.sync()?;
    Ok(crc)
}

/// Writes one piece after another.
struct Pen<'a> {
    file: &'a dyn DiskFile,
    buffer: Vec<u8>,
    offset: u64,
    crc: u32,
}

impl Pen<'_> {
    /// Adds the frame at `at`, stamped anew where the stamps differ; answers its length.
    fn take_frame(&mut self, window: &mut Window, at: u64, stamp: u64, new_stamp: u64) -> io::Result<u64> {
        let changed = |fault: FrameFault| io::Error::new(io::ErrorKind::InvalidData, format!("byte {at}: {fault}"));
        let found = FrameHeader::decode(window.at(at, FRAME_HEADER_BYTES)?, stamp).map_err(changed)?;
        let frame = window.at(at, found.frame_bytes())?;
        check_crc(&found, frame).map_err(changed)?;
        let start = self.buffer.len();
        self.buffer.extend_from_slice(frame);
        if stamp != new_stamp {
            let copy = &mut self.buffer[start..];
            FrameHeader { stamp: new_stamp, ..found }.put(copy);
            seal(copy);
        }
        if self.buffer.len() >= PIECE_BYTES {
            self.flush()?;
        }
        Ok(found.frame_bytes() as u64)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.crc = crc32c::crc32c_append(self.crc, &self.buffer);
        write_all_at(self.file, &self.buffer, self.offset)?;
        self.offset += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }
}

/// Why a file does not hold what a copy must.
#[derive(Debug)]
pub(super) enum NotTheCopy {
    /// At an offset, for a reason.
    Fault(u64, String),
    Folder(FolderRefused),
    Io(io::Error),
}

impl From<io::Error> for NotTheCopy {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Reads a copy back: its header is `header`, and up to offset `end` it has good frames that go on from `before`.
/// `earlier_us` is when the last command before the segment was recorded.
pub(super) fn read_back(
    disk: &dyn Disk,
    path: &Path,
    header: &SegmentHeader,
    before: Link,
    end: u64,
    crc: u32,
    earlier_us: Option<i64>,
) -> Result<SegmentCopy, NotTheCopy> {
    let segment = open_segment(disk, path, Access::Read).map_err(NotTheCopy::Folder)?;
    let segment = segment.ok_or_else(|| NotTheCopy::Fault(0, "the file is not there".to_owned()))?;
    if segment.header != *header {
        return Err(NotTheCopy::Fault(0, "its header is of another segment".to_owned()));
    }
    let mut window = Window::new(segment.file.clone());
    let mut walk = Scan::new(*header, before);
    let mut last_recorded_at_us = earlier_us;
    let fault = walk.walk_to(&mut window, end, |frame| {
        last_recorded_at_us = last_recorded(frame).or(last_recorded_at_us);
        Ok(())
    })?;
    if walk.offset != end {
        let reason = fault.map_or_else(|| "no frame ends where the copy does".to_owned(), |fault| fault.to_string());
        return Err(NotTheCopy::Fault(walk.offset, reason));
    }
    if digest(segment.file.as_ref(), end)? != crc {
        return Err(NotTheCopy::Fault(0, "the checksum of the copied bytes differs".to_owned()));
    }
    Ok(SegmentCopy {
        number: header.number,
        stamp: header.stamp,
        segment_bytes: header.segment_bytes,
        bytes: end,
        sealed: walk.sealed,
        last_position: domain::ids::Position(walk.next_position.0 - 1),
        last_recorded_at_us,
        transactions: walk.transactions,
        chain: walk.chain,
        crc,
    })
}

/// When the last command of a transaction was recorded.
pub(super) fn last_recorded(frame: &Frame<'_>) -> Option<i64> {
    frame.entries().map(|entry| entry.recorded_at_us()).last()
}

/// The checksum of the first `end` bytes of a file.
pub(super) fn digest(file: &dyn DiskFile, end: u64) -> io::Result<u32> {
    let mut piece = vec![0; PIECE_BYTES];
    let (mut at, mut crc) = (0, 0);
    while at < end {
        let wanted = (end - at).min(PIECE_BYTES as u64) as usize;
        let read = crate::disk::read_full_at(file, &mut piece[..wanted], at)?;
        crc = crc32c::crc32c_append(crc, &piece[..read]);
        if read < wanted {
            break;
        }
        at += read as u64;
    }
    Ok(crc)
}
