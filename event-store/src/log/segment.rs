//! Segment files: their names, their header, and how one is made: zeros all through, durable before it has its name.
//! What is appended to them is the business of `appender.rs` and `writer.rs`.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::LogId;
use crate::disk::{Disk, DiskFile, write_all_at};

/// Bytes of a segment's header: a page of its own, so that appending never writes into it again.
pub(crate) const SEGMENT_HEADER_BYTES: u64 = 4096;
/// The shortest segment in bytes.
pub const SEGMENT_BYTES_MIN: u64 = 16 << 10;
/// The longest segment in bytes.
pub const SEGMENT_BYTES_MAX: u64 = 2 << 30;
/// The version of the log's format that this program writes, and the newest it reads.
pub const FORMAT_VERSION: u32 = 1;

const MAGIC: [u8; 8] = *b"BURSARLG";
const HEADER_FIELDS_BYTES: usize = 64;
const ZEROS_BYTES: usize = 1 << 20;

/// A segment's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    pub(crate) number: u32,
    pub(crate) log_id: LogId,
    pub(crate) stamp: u64,
    pub(crate) segment_bytes: u64,
    pub(crate) created_at_us: i64,
}

/// Why bytes are not a segment's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SegmentHeaderFault {
    #[error("the file does not begin with a segment's header")]
    Magic,
    #[error("the checksum of the segment's header differs")]
    Crc,
    #[error("the format has version {0}; this program reads versions up to {FORMAT_VERSION}")]
    NewerFormat(u32),
}

impl SegmentHeader {
    pub(crate) fn encode(&self) -> [u8; HEADER_FIELDS_BYTES] {
        let mut bytes = [0; HEADER_FIELDS_BYTES];
        bytes[0..8].copy_from_slice(&MAGIC);
        bytes[8..12].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.number.to_le_bytes());
        bytes[16..32].copy_from_slice(&self.log_id.0);
        bytes[32..40].copy_from_slice(&self.stamp.to_le_bytes());
        bytes[40..48].copy_from_slice(&self.segment_bytes.to_le_bytes());
        bytes[48..56].copy_from_slice(&self.created_at_us.to_le_bytes());
        let crc = crc32c::crc32c(&bytes[..60]);
        bytes[60..64].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, SegmentHeaderFault> {
        let Some(bytes) = bytes.first_chunk::<HEADER_FIELDS_BYTES>() else { return Err(SegmentHeaderFault::Magic) };
        let field = |at: usize| bytes[at..].first_chunk::<8>().map_or(0, |field| u64::from_le_bytes(*field));
        let half = |at: usize| bytes[at..].first_chunk::<4>().map_or(0, |field| u32::from_le_bytes(*field));
        if bytes[..8] != MAGIC {
            return Err(SegmentHeaderFault::Magic);
        }
        // The checksum stands at the same place in every version, so a damaged version is not taken for a newer one.
        if crc32c::crc32c(&bytes[..60]) != half(60) {
            return Err(SegmentHeaderFault::Crc);
        }
        if half(8) > FORMAT_VERSION {
            return Err(SegmentHeaderFault::NewerFormat(half(8)));
        }
        let mut log_id = [0; 16];
        log_id.copy_from_slice(&bytes[16..32]);
        Ok(Self {
            number: half(12),
            log_id: LogId(log_id),
            stamp: field(32),
            segment_bytes: field(40),
            created_at_us: field(48).cast_signed(),
        })
    }
}

/// A segment that can be appended to.
#[derive(Debug, Clone)]
pub(crate) struct Segment {
    pub(crate) number: u32,
    pub(crate) stamp: u64,
    pub(crate) bytes: u64,
    pub(crate) file: Arc<dyn DiskFile>,
}

/// The folder of the segments within a log's folder.
pub(crate) fn segments_folder(log: &Path) -> PathBuf {
    log.join("segments")
}

/// The path of a segment.
pub(crate) fn segment_path(log: &Path, number: u32) -> PathBuf {
    segments_folder(log).join(format!("{number:010}.seg"))
}

/// The number in a segment's file name; `None` for any other file.
pub(crate) fn segment_number(name: &str) -> Option<u32> {
    let digits = name.strip_suffix(".seg")?;
    (digits.len() == 10).then(|| digits.parse().ok()).flatten()
}

/// Whether a file is a segment that was being made.
pub(crate) fn is_unfinished(name: &str) -> bool {
    name.ends_with(".seg.new")
}

/// Why a segment was not made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SegmentNotMade {
    /// The log is being closed.
    #[error("the log is being closed")]
    Stopped,
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Makes a segment ready for appends: zeros all through, synced, and only then under its name.
pub(crate) fn make_segment(
    disk: &dyn Disk,
    log: &Path,
    header: &SegmentHeader,
    stop: &AtomicBool,
) -> Result<Segment, SegmentNotMade> {
    let path = segment_path(log, header.number);
    let unfinished = path.with_extension("seg.new");
    let made = fill(disk, &unfinished, header, stop).and_then(|()| {
        disk.rename(&unfinished, &path)?;
        disk.sync_folder(&segments_folder(log))?;
        Ok(disk.open(&path, crate::disk::Access::ReadWrite)?)
    });
    match made {
        Ok(file) => Ok(Segment { number: header.number, stamp: header.stamp, bytes: header.segment_bytes, file }),
        Err(error) => {
            // Gives the room back where the disk is full; what cannot be removed is removed at the next start.
            let _ = disk.remove(&unfinished);
            Err(error)
        }
    }
}

fn fill(disk: &dyn Disk, path: &Path, header: &SegmentHeader, stop: &AtomicBool) -> Result<(), SegmentNotMade> {
    let file = disk.create(path)?;
    let mut chunk = vec![0; ZEROS_BYTES.min(usize::try_from(header.segment_bytes).unwrap_or(ZEROS_BYTES))];
    chunk[..HEADER_FIELDS_BYTES].copy_from_slice(&header.encode());
    let mut offset = 0;
    while offset < header.segment_bytes {
        if stop.load(Ordering::Relaxed) {
            return Err(SegmentNotMade::Stopped);
        }
        let left = usize::try_from(header.segment_bytes - offset).unwrap_or(chunk.len()).min(chunk.len());
        write_all_at(file.as_ref(), &chunk[..left], offset)?;
        // A little at a time: beside one long sync of the whole segment, every sync of an append would wait.
        file.sync()?;
        if offset == 0 {
            chunk[..HEADER_FIELDS_BYTES].fill(0);
        }
        offset += left as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    const HEADER: SegmentHeader = SegmentHeader {
        number: 7,
        log_id: LogId([9; 16]),
        stamp: 5,
        segment_bytes: SEGMENT_BYTES_MIN,
        created_at_us: -4,
    };

    #[test]
    fn every_flipped_bit_of_a_header_is_found() {
        let bytes = HEADER.encode();
        assert_eq!(SegmentHeader::decode(&bytes), Ok(HEADER));
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes;
            flipped[bit / 8] ^= 1 << (bit % 8);
            let fault = SegmentHeader::decode(&flipped).unwrap_err();
            assert!(!matches!(fault, SegmentHeaderFault::NewerFormat(_)), "bit {bit}");
        }
    }

    #[test]
    fn only_segments_have_a_segments_name() {
        assert_eq!(segment_number("0000000012.seg"), Some(12));
        for name in ["12.seg", "0000000012.seg.new", "000000001x.seg", "9999999999.seg", "LOCK"] {
            assert_eq!(segment_number(name), None, "{name}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_header_or_a_fault(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = SegmentHeader::decode(&bytes);
        }
    }
}
