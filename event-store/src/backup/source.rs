//! The log that is copied, seen from outside: which frames it has, and how far they are proven durable. Reads only, by
//! the rules of docs/log-format.md, "Reading beside a writer".

use std::io;
use std::path::Path;
use std::sync::Arc;

use domain::ids::Position;

use super::BackupRefused;
use super::manifest::SegmentCopy;
use crate::disk::{Access, Disk, read_full_at};
use crate::log::LogId;
use crate::log::folder::{Folder, FolderRefused, OpenSegment};
use crate::log::frame::{
    FOOTER_BYTES, FRAME_HEADER_BYTES, Footer, Frame, FrameFault, FrameHeader, chain_on, check_crc,
};
use crate::log::scan::{Link, Scan};
use crate::log::segment::{SEGMENT_HEADER_BYTES, segment_path};
use crate::log::survey::{Visitor, survey_segment};
use crate::log::window::Window;

/// A log that is copied.
pub(super) struct Source {
    folder: Folder,
}

/// A segment of the log as it was found.
pub(super) struct Found {
    pub(super) segment: OpenSegment,
    path: std::path::PathBuf,
    before: Link,
    scan: Scan,
    /// Whether the next segment has begun.
    followed: bool,
}

struct Unheeded;

impl Visitor for Unheeded {
    fn transaction(&mut self, _: &Frame<'_>) -> Result<(), FrameFault> {
        Ok(())
    }
}

impl Source {
    pub(super) fn open(disk: &Arc<dyn Disk>, log: &Path) -> Result<Self, BackupRefused> {
        Ok(Self { folder: Folder::open(Arc::clone(disk), log).map_err(BackupRefused::Log)? })
    }

    pub(super) const fn log_id(&self) -> LogId {
        self.folder.log_id
    }

    pub(super) fn segment_numbers(&self) -> Result<Vec<u32>, BackupRefused> {
        self.folder.segment_numbers().map_err(BackupRefused::Log)
    }

    /// Walks a segment, every frame checked; `None` when it has not begun.
    pub(super) fn look(&self, number: u32, before: Link) -> Result<Option<Found>, BackupRefused> {
        let segment = self.folder.segment_of(number, Access::Read).map_err(BackupRefused::Log)?;
        let mut scan = Scan::new(segment.header, before);
        survey_segment(&self.folder, &segment, &mut scan, &mut Unheeded)?;
        let followed = scan.sealed && self.has_begun(number + 1)?;
        let path = segment_path(&self.folder.path, number);
        Ok(scan.begun().then_some(Found { segment, path, before, scan, followed }))
    }

    fn has_begun(&self, number: u32) -> Result<bool, BackupRefused> {
        let Some(segment) = self.folder.segment(number, Access::Read).map_err(BackupRefused::Log)? else {
            return Ok(false);
        };
        let mut bytes = [0; FRAME_HEADER_BYTES];
        let read = read_full_at(segment.file.as_ref(), &mut bytes, SEGMENT_HEADER_BYTES)
            .map_err(|source| unreadable(segment_path(&self.folder.path, number), source))?;
        Ok(FrameHeader::decode(&bytes[..read], segment.header.stamp).is_ok())
    }

    /// Checks that the log has what an earlier backup copied of it.
    pub(super) fn has(&self, backup: &Path, copies: &[SegmentCopy]) -> Result<(), BackupRefused> {
        let mut before = Link::FIRST;
        for copy in copies {
            let diverged = |reason: String| BackupRefused::Diverged { folder: backup.to_owned(), reason };
            let number = copy.number;
            let segment = self.folder.segment(number, Access::Read).map_err(BackupRefused::Log)?;
            let missing = || format!("the backup has segment {number}, the log does not");
            let segment = segment.ok_or_else(|| diverged(missing()))?;
            if (segment.header.stamp, segment.header.segment_bytes) != (copy.stamp, copy.segment_bytes) {
                return Err(diverged(format!("segment {number} is not the one that was copied")));
            }
            let same = match copy.sealed {
                true => footer_chain(&segment, copy.bytes),
                false => open_chain(&segment, copy.bytes, before),
            };
            let same = same.map_err(|source| unreadable(segment_path(&self.folder.path, number), source))?;
            if same != Some(copy.chain) {
                // Damage has a better name than this.
                let mut scan = Scan::new(segment.header, before);
                survey_segment(&self.folder, &segment, &mut scan, &mut Unheeded)?;
                let last = copy.last_position;
                return Err(diverged(format!("segment {number} has other frames up to position {last}, or none")));
            }
            before = copy.link();
        }
        Ok(())
    }
}

/// The chain of a sealed segment, out of its footer.
pub(super) fn footer_chain(segment: &OpenSegment, end: u64) -> io::Result<Option<u32>> {
    let mut bytes = [0; FOOTER_BYTES];
    let Some(at) = end.checked_sub(FOOTER_BYTES as u64) else { return Ok(None) };
    let read = read_full_at(segment.file.as_ref(), &mut bytes, at)?;
    let footer = FrameHeader::decode(&bytes[..read], segment.header.stamp).and_then(|header| {
        check_crc(&header, &bytes)?;
        Footer::decode(&header, &bytes)
    });
    Ok(footer.ok().map(|footer| chain_on(footer.chain, &bytes)))
}

/// The chain of a segment up to the frame that ends at `end`.
fn open_chain(segment: &OpenSegment, end: u64, before: Link) -> io::Result<Option<u32>> {
    let mut scan = Scan::new(segment.header, before);
    scan.walk_to(&mut Window::new(segment.file.clone()), end, |_| Ok(()))?;
    Ok((scan.offset == end).then_some(scan.chain))
}

fn unreadable(path: std::path::PathBuf, source: io::Error) -> BackupRefused {
    BackupRefused::Log(FolderRefused::Io { doing: "reading", path, source })
}

impl Found {
    /// The last position that was found.
    pub(super) const fn written(&self) -> Position {
        Position(self.scan.next_position.0 - 1)
    }

    /// Offset up to which everything is durable: all of it when the next segment has begun, else up to the start of
    /// the last write. `floor` was durable when the log was copied before. A position that was acknowledged proves the
    /// whole write that it is in.
    pub(super) fn proven(&self, floor: u64, acknowledged: Option<Position>) -> Result<u64, BackupRefused> {
        if self.followed {
            return Ok(self.scan.offset);
        }
        if let Some(acknowledged) = acknowledged.filter(|acknowledged| *acknowledged <= self.written()) {
            let mut before_write = Scan::new(self.segment.header, self.before);
            before_write
                .walk_to(&mut Window::new(self.segment.file.clone()), self.scan.run_start, |_| Ok(()))
                .map_err(|source| unreadable(self.path.clone(), source))?;
            if acknowledged >= before_write.next_position {
                return Ok(self.scan.offset);
            }
        }
        Ok(self.scan.run_start.max(floor))
    }

    /// Whether any frame ends at or before an offset.
    pub(super) const fn has_frames_before(&self, end: u64) -> bool {
        end > SEGMENT_HEADER_BYTES
    }

    /// Whether the footer ends at an offset.
    pub(super) const fn ends_at(&self, end: u64) -> bool {
        self.scan.sealed && self.scan.offset == end
    }
}
