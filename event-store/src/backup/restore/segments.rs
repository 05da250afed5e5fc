//! What a restore writes: whole segments as they were, and the last one with a stamp of its own and a mark. Where the
//! restored log ends is found here.

use std::io;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use domain::ids::Position;

use super::{RestoreOptions, RestoreRefused, Restored, Until, io_error};
use crate::backup::Progress;
use crate::backup::check::check_copy;
use crate::backup::copy::{NotTheCopy, Rest, copy_frames, last_recorded, read_back};
use crate::backup::manifest::{Manifest, SegmentCopy};
use crate::backup::unsound::UnsoundBackup;
use crate::disk::{Access, write_all_at};
use crate::log::folder::{Folder, OpenSegment};
use crate::log::frame::{Frame, FrameFault};
use crate::log::scan::{Link, Scan};
use crate::log::segment::{SegmentHeader, make_segment, segment_path};
use crate::log::window::Window;

/// Where the restored log ends within a segment.
struct End {
    offset: u64,
    transactions: u64,
    last_position: Position,
    last_recorded_at_us: Option<i64>,
    not_split: Option<(Position, Position)>,
}

/// A restore at work.
pub(super) struct Work<'a> {
    pub(super) options: &'a RestoreOptions,
    pub(super) from: Folder,
    pub(super) into: &'a Path,
    pub(super) until: Until,
}

impl Work<'_> {
    /// Writes the segments, durably.
    pub(super) fn restore_segments(
        &self,
        manifest: &Manifest,
        progress: &mut impl FnMut(Progress),
    ) -> Result<Restored, RestoreRefused> {
        let mut restored = Restored {
            log_id: manifest.log_id,
            segments: 0,
            transactions: 0,
            last_position: Position::START,
            last_recorded_at_us: None,
            backup_position: manifest.last_position(),
            not_split: None,
        };
        let mut before = Link::FIRST;
        for copy in &manifest.segments {
            let earlier_us = restored.last_recorded_at_us;
            let segment = check_copy(&self.from, copy, before, earlier_us)?;
            let end = self.end_in(&segment, before, copy, earlier_us)?;
            let whole = copy.sealed && end.offset == copy.bytes;
            if whole {
                self.write(&segment, copy.bytes, segment.header, before, earlier_us)?;
                restored.segments += 1;
            } else if end.transactions > 0 {
                let header = self.new_header(&segment.header);
                let written = self.write(&segment, end.offset, header, before, earlier_us)?;
                self.mark(&header, before, &written)?;
                restored.segments += 1;
            }
            restored.transactions += end.transactions;
            restored.last_position = end.last_position;
            restored.last_recorded_at_us = end.last_recorded_at_us;
            restored.not_split = end.not_split;
            progress(Progress { segment: copy.number, segments: manifest.segments.len() });
            if !whole {
                self.make_first(&segment.header, restored.segments)?;
                break;
            }
            before = copy.link();
        }
        restored.segments = restored.segments.max(1);
        Ok(restored)
    }

    /// Finds where the restored log ends in a segment that was checked.
    fn end_in(
        &self,
        segment: &OpenSegment,
        before: Link,
        copy: &SegmentCopy,
        earlier_us: Option<i64>,
    ) -> Result<End, RestoreRefused> {
        let (mut last_recorded_at_us, mut not_split) = (earlier_us, None);
        let mut scan = Scan::new(segment.header, before);
        let mut window = Window::new(segment.file.clone());
        let walked = scan.walk_to(&mut window, copy.bytes, |frame| {
            if self.has(frame) {
                last_recorded_at_us = last_recorded(frame).or(last_recorded_at_us);
                return Ok(());
            }
            not_split = self.has_part(frame).then_some((frame.first_position(), frame.last_position()));
            // Any fault ends the walk in front of this frame.
            Err(FrameFault::Blank)
        });
        let path = segment_path(&self.from.path, copy.number);
        walked.map_err(|source| UnsoundBackup::Io { doing: "reading", path, source })?;
        Ok(End {
            offset: scan.offset,
            transactions: scan.transactions,
            last_position: Position(scan.next_position.0 - 1),
            last_recorded_at_us,
            not_split,
        })
    }

    fn has(&self, frame: &Frame<'_>) -> bool {
        match self.until {
            Until::End => true,
            Until::Position(last) => frame.last_position() <= last,
            Until::Time(last_us) => frame.entries().all(|entry| entry.recorded_at_us() <= last_us),
        }
    }

    fn has_part(&self, frame: &Frame<'_>) -> bool {
        match self.until {
            Until::End => true,
            Until::Position(last) => frame.first_position() <= last,
            Until::Time(last_us) => frame.entries().any(|entry| entry.recorded_at_us() <= last_us),
        }
    }

    fn new_header(&self, header: &SegmentHeader) -> SegmentHeader {
        SegmentHeader { stamp: (self.options.random)(), created_at_us: (self.options.clock)(), ..*header }
    }

    /// Writes a segment up to an offset and reads it back.
    fn write(
        &self,
        from: &OpenSegment,
        end: u64,
        header: SegmentHeader,
        before: Link,
        earlier_us: Option<i64>,
    ) -> Result<SegmentCopy, RestoreRefused> {
        let disk = self.options.disk.as_ref();
        let path = segment_path(self.into, header.number);
        let copied = copy_frames(disk, from, end, &path, &header, Rest::Zeros);
        let crc = copied.map_err(|source| io_error("writing", &path, source))?;
        read_back(disk, &path, &header, before, end, crc, earlier_us).map_err(|fault| match fault {
            NotTheCopy::Fault(offset, reason) => RestoreRefused::CopyDiffers { path, offset, reason },
            NotTheCopy::Folder(refused) => RestoreRefused::CopyDiffers { path, offset: 0, reason: refused.to_string() },
            NotTheCopy::Io(source) => io_error("reading back", &path, source),
        })
    }

    /// Says after the last frame that all before it is durable, as a clean stop does, where there is room to say so.
    fn mark(&self, header: &SegmentHeader, before: Link, written: &SegmentCopy) -> Result<(), RestoreRefused> {
        let path = segment_path(self.into, header.number);
        let failed = |source| io_error("marking the end of", &path, source);
        let file = self.options.disk.open(&path, Access::ReadWrite).map_err(failed)?;
        let mut scan = Scan::new(*header, before);
        scan.walk_to(&mut Window::new(file.clone()), written.bytes, |_| Ok(())).map_err(failed)?;
        let Some(frame) = scan.mark() else { return Ok(()) };
        write_all_at(file.as_ref(), &frame, scan.offset).and_then(|()| file.sync()).map_err(failed)
    }

    /// A log has a first segment, if an empty one.
    fn make_first(&self, header: &SegmentHeader, segments: u32) -> Result<(), RestoreRefused> {
        if segments > 0 {
            return Ok(());
        }
        let header = self.new_header(header);
        let made = make_segment(self.options.disk.as_ref(), self.into, &header, &AtomicBool::new(false));
        let path = segment_path(self.into, header.number);
        made.map(|_| ()).map_err(|error| io_error("making", &path, io::Error::other(error.to_string())))
    }
}
