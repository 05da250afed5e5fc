//! What recovery does to a log that a crash has left: keeps and cuts the torn tail, makes the end durable, marks it,
//! and finds where to go on. Whether anything may be done was decided by the survey.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use domain::ids::Position;

use super::{OpenError, Recovered, RecoveryReport, TornTail, io_error, make};
use crate::disk::{Access, Lock, write_all_at};
use crate::index::SealedSegment;
use crate::log::Options;
use crate::log::folder::Folder;
use crate::log::frame::{FRAME_HEADER_BYTES, chain_on};
use crate::log::layout::Layout;
use crate::log::preparer::Blueprint;
use crate::log::scan::{Link, Scan};
use crate::log::segment::{SEGMENT_HEADER_BYTES, Segment, SegmentHeader, segment_path, segments_folder};
use crate::log::survey::{Survey, TornRange};
use crate::log::window::Window;

const PIECE_BYTES: usize = 1 << 20;

/// A log under repair.
pub(super) struct Mending<'a> {
    pub(super) options: &'a Options,
    pub(super) folder: Folder,
    pub(super) blueprint: Blueprint,
    pub(super) sealed: Vec<SealedSegment>,
}

impl Mending<'_> {
    /// Acts on what the survey found, so that the log can be appended to.
    pub(super) fn mend(self, found: Survey, lock: Lock) -> Result<Recovered, OpenError> {
        let torn = found.torn.map(|torn| self.keep_torn(torn)).transpose()?;
        let last_begun = found.segments.iter().rposition(Scan::begun);
        let mut before = Link::FIRST;
        let mut open = None;
        for scan in found.segments.iter().take(last_begun.map_or(0, |last| last + 1)) {
            if scan.sealed {
                before = scan.link();
            } else {
                open = Some(scan.clone());
            }
        }
        if let Some(last) = last_begun {
            self.write_last_run_again(&found.segments[last])?;
        }
        if let Some(torn) = found.torn {
            self.blank(torn)?;
        }
        let begun = last_begun.map_or(0, |last| last + 1);
        let mut unused = self.unused(&found.segments[begun..])?;
        let (layout, chain) = match open {
            Some(mut scan) => {
                let segment = self.segment(&scan)?;
                self.mark(&segment, &mut scan)?;
                (layout(&scan, segment, before.stamp), scan.chain)
            }
            None => {
                let made = match unused.pop_front() {
                    Some(segment) => segment,
                    None => make(&self.blueprint, last_begun.map_or(1, |last| found.segments[last].header.number + 1))?,
                };
                (empty_layout(made, before), before.chain)
            }
        };
        let report = RecoveryReport {
            log_id: self.folder.log_id,
            segments: begun,
            transactions: found.segments.iter().map(|scan| scan.transactions).sum(),
            last_position: Position(layout.next_position.0 - 1),
            torn,
        };
        let ready = unused.pop_front();
        Ok(Recovered { folder: self.folder, layout, chain, ready, report, sealed: self.sealed, before, lock })
    }

    /// Copies the bytes that are going to be cut to a file of their own, durably.
    fn keep_torn(&self, torn: TornRange) -> Result<TornTail, OpenError> {
        let folder = self.folder.path.join("torn");
        let disk = self.options.disk.as_ref();
        let taken = disk.names(&folder).map_err(|source| io_error("listing", &folder, source))?;
        // An earlier start may have kept the same place and then ended before it had cut it: both are kept.
        let stem = format!("{:010}-{}", torn.segment, torn.offset);
        let mut name = format!("{stem}.torn");
        for again in 1.. {
            if !taken.contains(&name) {
                break;
            }
            name = format!("{stem}.{again}.torn");
        }
        let path = folder.join(name);
        let segment = self.folder.segment_of(torn.segment, Access::Read)?;
        let mut window = Window::new(segment.file);
        let copied = disk.create_folder(&folder).and_then(|()| {
            let kept = disk.create(&path)?;
            let mut at = torn.offset;
            while at < torn.end {
                let piece = window.at(at, PIECE_BYTES.min((torn.end - at) as usize))?;
                write_all_at(kept.as_ref(), piece, at - torn.offset)?;
                at += piece.len() as u64;
            }
            kept.sync()?;
            disk.sync_folder(&folder)?;
            disk.sync_folder(&self.folder.path)
        });
        copied.map_err(|source| io_error("keeping the torn tail in", &path, source))?;
        Ok(TornTail { segment: torn.segment, offset: torn.offset, bytes: torn.end - torn.offset, kept_in: path })
    }

    /// Writes the last write of the log again, the same bytes, and syncs it: the process before may have ended on a
    /// failed sync, after which the system shows bytes that are not on the disk and syncs nothing.
    fn write_last_run_again(&self, scan: &Scan) -> Result<(), OpenError> {
        let segment = self.folder.segment_of(scan.header.number, Access::ReadWrite)?;
        let mut window = Window::new(Arc::clone(&segment.file));
        let mut at = scan.run_start;
        let written = loop {
            if at == scan.offset {
                break segment.file.sync();
            }
            let piece = match window.at(at, PIECE_BYTES.min((scan.offset - at) as usize)) {
                Ok(piece) => piece,
                Err(error) => break Err(error),
            };
            if let Err(error) = write_all_at(segment.file.as_ref(), piece, at) {
                break Err(error);
            }
            at += piece.len() as u64;
        };
        written.map_err(|source| self.io("writing the end of", scan.header.number, source))
    }

    /// Writes zeros over what was torn.
    fn blank(&self, torn: TornRange) -> Result<(), OpenError> {
        let segment = self.folder.segment_of(torn.segment, Access::ReadWrite)?;
        let zeros = vec![0; PIECE_BYTES.min((torn.end - torn.offset) as usize)];
        let mut at = torn.offset;
        let mut blanked = Ok(());
        while at < torn.end && blanked.is_ok() {
            let piece = &zeros[..zeros.len().min((torn.end - at) as usize)];
            blanked = write_all_at(segment.file.as_ref(), piece, at);
            at += piece.len() as u64;
        }
        blanked
            .and_then(|()| segment.file.sync())
            .map_err(|source| self.io("cutting the torn tail of", torn.segment, source))
    }

    /// Says in the log that everything before is durable, unless its last frame says so already.
    fn mark(&self, segment: &Segment, scan: &mut Scan) -> Result<(), OpenError> {
        let Some(frame) = scan.mark() else { return Ok(()) };
        let marked = write_all_at(segment.file.as_ref(), &frame, scan.offset).and_then(|()| segment.file.sync());
        marked.map_err(|source| self.io("marking the end of", segment.number, source))?;
        scan.chain = chain_on(scan.chain, &frame);
        scan.run_start = scan.offset;
        scan.offset += FRAME_HEADER_BYTES as u64;
        scan.frame_count += 1;
        scan.marked = true;
        Ok(())
    }

    /// The segments that stand ready. Those from the first of another length on are removed, the last first, so that
    /// no crash leaves a gap.
    fn unused(&self, scans: &[Scan]) -> Result<VecDeque<Segment>, OpenError> {
        let fitting = scans.iter().take_while(|scan| scan.header.segment_bytes == self.options.segment_bytes).count();
        let disk = self.options.disk.as_ref();
        let segments = segments_folder(&self.folder.path);
        for scan in scans[fitting..].iter().rev() {
            let path = segment_path(&self.folder.path, scan.header.number);
            let removed = disk.remove(&path).and_then(|()| disk.sync_folder(&segments));
            removed.map_err(|source| io_error("removing the unused", &path, source))?;
        }
        scans[..fitting].iter().map(|scan| self.segment(scan)).collect()
    }

    fn segment(&self, scan: &Scan) -> Result<Segment, OpenError> {
        let SegmentHeader { number, stamp, segment_bytes, .. } = scan.header;
        let file = self.folder.segment_of(number, Access::ReadWrite)?.file;
        Ok(Segment { number, stamp, bytes: segment_bytes, file })
    }

    fn io(&self, doing: &'static str, number: u32, source: io::Error) -> OpenError {
        io_error(doing, &segment_path(&self.folder.path, number), source)
    }
}

fn layout(scan: &Scan, segment: Segment, previous_stamp: u64) -> Layout {
    Layout {
        segment,
        offset: scan.offset,
        frame_number: scan.frame_count,
        begun: true,
        first_position: scan.first_position(),
        previous_stamp,
        marked: scan.marked,
        next_position: scan.next_position,
    }
}

fn empty_layout(segment: Segment, before: Link) -> Layout {
    Layout {
        segment,
        offset: SEGMENT_HEADER_BYTES,
        frame_number: 0,
        begun: false,
        first_position: before.next_position,
        previous_stamp: before.stamp,
        marked: false,
        next_position: before.next_position,
    }
}
