//! Opening a log for writing: takes the lock, makes a log where there is none, surveys what is there and mends what a
//! crash may leave behind. Anything else is refused and left untouched.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use domain::ids::Position;

use super::appender::Layout;
use super::folder::{Folder, FolderRefused, list_segments, open_segment, read_description, write_description};
use super::frame::{FOOTER_BYTES, FRAME_HEADER_BYTES, FrameHeader, FrameKind, chain_on, seal};
use super::preparer::Blueprint;
use super::scan::{Link, Scan, Tail, judge_tail};
use super::segment::{
    SEGMENT_BYTES_MAX, SEGMENT_BYTES_MIN, SEGMENT_HEADER_BYTES, Segment, SegmentHeader, SegmentNotMade, is_unfinished,
    segment_path, segments_folder,
};
use super::survey::{Damage, Survey, SurveyError, TornRange, Visitor, survey};
use super::window::Window;
use super::{LogId, Options};
use crate::disk::{Access, Disk, Lock, LockRefused, write_all_at};

const PIECE_BYTES: usize = 1 << 20;

/// Why a log was not opened for writing.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process writes it.
    #[error("{folder} is in use by {owner}. Stop that process, or give this one another folder")]
    Locked {
        /// The log's folder.
        folder: PathBuf,
        /// Who holds the lock.
        owner: String,
    },
    /// The options cannot be.
    #[error(
        "segments of {segment_bytes} bytes cannot be: use a multiple of 4096 between {SEGMENT_BYTES_MIN} and \
         {SEGMENT_BYTES_MAX}"
    )]
    SegmentBytes {
        /// What was asked for.
        segment_bytes: u64,
    },
    /// The folder, or a segment, is not what a log has.
    #[error(transparent)]
    Folder(#[from] FolderRefused),
    /// There are segments but nothing says which log they are of.
    #[error("{folder} has segments but no log.json. Put log.json back from a copy of the folder")]
    NoDescription {
        /// The log's folder.
        folder: PathBuf,
    },
    /// Bytes are damaged that were acknowledged.
    #[error(transparent)]
    Damaged(Box<Damage>),
    /// The disk refused.
    #[error("{doing} {path}: {source}. Look after the disk and start again; nothing that was acknowledged is lost")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// The system refused a thread.
    #[error("starting a thread for the log: {source}")]
    Thread {
        /// The system's words.
        source: io::Error,
    },
}

impl From<SurveyError> for OpenError {
    fn from(error: SurveyError) -> Self {
        match error {
            SurveyError::Damaged(damage) => Self::Damaged(damage),
            SurveyError::Folder(refused) => Self::Folder(refused),
        }
    }
}

/// What was found when the log was opened, and what was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecoveryReport {
    /// The log's id.
    pub log_id: LogId,
    /// Segments that have begun.
    pub segments: usize,
    /// Transactions in the log.
    pub transactions: u64,
    /// The last position in the log.
    pub last_position: Position,
    /// The write that a crash had cut through, where there was one. None of it was acknowledged.
    pub torn: Option<TornTail>,
}

/// What was cut off the end of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TornTail {
    /// The segment.
    pub segment: u32,
    /// Where in the segment the cut was made, in bytes.
    pub offset: u64,
    /// How many bytes were cut.
    pub bytes: u64,
    /// Where the cut bytes are kept.
    pub kept_in: PathBuf,
}

/// A log ready to be appended to.
pub(crate) struct Recovered {
    pub(crate) folder: Folder,
    pub(crate) layout: Layout,
    pub(crate) chain: u32,
    pub(crate) ready: Option<Segment>,
    pub(crate) report: RecoveryReport,
    pub(crate) lock: Lock,
}

pub(crate) fn recover(path: &Path, options: &Options) -> Result<Recovered, OpenError> {
    let bytes = options.segment_bytes;
    if !(SEGMENT_BYTES_MIN..=SEGMENT_BYTES_MAX).contains(&bytes) || !bytes.is_multiple_of(4096) {
        return Err(OpenError::SegmentBytes { segment_bytes: bytes });
    }
    let disk = options.disk.as_ref();
    let segments = segments_folder(path);
    disk.create_folder(&segments).map_err(|source| io_error("making the folder", &segments, source))?;
    let lock = take_lock(disk, path, options)?;
    sweep(disk, &segments)?;
    let folder = identify(path, options)?;
    let mut counts = Counts(0);
    let found = survey(&folder, &mut counts)?;
    Mending { options, blueprint: blueprint(&folder, options), folder }.mend(found, lock)
}

struct Counts(u64);

impl Visitor for Counts {
    fn transaction(&mut self, _: &super::frame::Frame<'_>) -> Result<(), super::frame::FrameFault> {
        self.0 += 1;
        Ok(())
    }
}

fn io_error(doing: &'static str, path: &Path, source: io::Error) -> OpenError {
    OpenError::Io { doing, path: path.to_owned(), source }
}

fn blueprint(folder: &Folder, options: &Options) -> Blueprint {
    Blueprint { options: options.clone(), folder: folder.path.clone(), log_id: folder.log_id }
}

fn take_lock(disk: &dyn Disk, path: &Path, options: &Options) -> Result<Lock, OpenError> {
    let file = path.join("LOCK");
    let started = chrono::DateTime::from_timestamp_micros((options.clock)()).unwrap_or_default();
    let owner = format!("process {} since {}\n", std::process::id(), started.format("%Y-%m-%dT%H:%M:%SZ"));
    disk.lock(&file, &owner).map_err(|refused| match refused {
        LockRefused::Held { owner } => OpenError::Locked { folder: path.to_owned(), owner },
        LockRefused::Io(source) => io_error("locking", &file, source),
    })
}

/// Removes segments that were being made when the process before ended.
fn sweep(disk: &dyn Disk, segments: &Path) -> Result<(), OpenError> {
    let names = disk.names(segments).map_err(|source| io_error("listing", segments, source))?;
    for name in names.iter().filter(|name| is_unfinished(name)) {
        let path = segments.join(name);
        disk.remove(&path).map_err(|source| io_error("removing", &path, source))?;
    }
    Ok(())
}

/// Tells which log this is; makes a new one in an empty folder. The first segment comes before `log.json`, so a log
/// whose segments are gone is never taken for a new one.
fn identify(path: &Path, options: &Options) -> Result<Folder, OpenError> {
    let disk = Arc::clone(&options.disk);
    if let Some(log_id) = read_description(disk.as_ref(), path)? {
        return Ok(Folder { disk, path: path.to_owned(), log_id });
    }
    let log_id = match list_segments(disk.as_ref(), path)?.as_slice() {
        [] => {
            let mut id = [0; 16];
            id[..8].copy_from_slice(&(options.random)().to_le_bytes());
            id[8..].copy_from_slice(&(options.random)().to_le_bytes());
            let folder = Folder { disk: Arc::clone(&disk), path: path.to_owned(), log_id: LogId(id) };
            make(&blueprint(&folder, options), 1)?;
            folder.log_id
        }
        // The process ended between the first segment and log.json: the segment must still be empty.
        [1] => {
            let first = segment_path(path, 1);
            let segment = open_segment(disk.as_ref(), &first, Access::Read)?;
            let segment = segment.ok_or_else(|| OpenError::NoDescription { folder: path.to_owned() })?;
            let tail = judge_tail(&mut Window::new(segment.file), &segment.header, SEGMENT_HEADER_BYTES)
                .map_err(|source| io_error("reading", &first, source))?;
            if tail != Tail::Clean {
                return Err(OpenError::NoDescription { folder: path.to_owned() });
            }
            segment.header.log_id
        }
        _ => return Err(OpenError::NoDescription { folder: path.to_owned() }),
    };
    let written = sync_folders(disk.as_ref(), path).and_then(|()| write_description(disk.as_ref(), path, log_id));
    written.map_err(|source| io_error("writing", &path.join("log.json"), source))?;
    Ok(Folder { disk, path: path.to_owned(), log_id })
}

/// Makes the folder of a new log durable with all folders above it, which may be as new.
fn sync_folders(disk: &dyn Disk, path: &Path) -> io::Result<()> {
    for folder in path.ancestors() {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        match disk.sync_folder(folder) {
            // A folder that cannot be read is somebody else's and was there before.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied && folder != path => {}
            synced => synced?,
        }
    }
    Ok(())
}

fn make(blueprint: &Blueprint, number: u32) -> Result<Segment, OpenError> {
    blueprint.make(number, &AtomicBool::new(false)).map_err(|error| {
        let source = match error {
            SegmentNotMade::Io(source) => source,
            SegmentNotMade::Stopped => io::Error::other(error.to_string()),
        };
        io_error("making", &segment_path(&blueprint.folder, number), source)
    })
}

struct Mending<'a> {
    options: &'a Options,
    folder: Folder,
    blueprint: Blueprint,
}

impl Mending<'_> {
    fn mend(self, found: Survey, lock: Lock) -> Result<Recovered, OpenError> {
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
        Ok(Recovered { folder: self.folder, layout, chain, ready: unused.pop_front(), report, lock })
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
        let zeros = vec![0; (torn.end - torn.offset) as usize];
        let blanked = write_all_at(segment.file.as_ref(), &zeros, torn.offset).and_then(|()| segment.file.sync());
        blanked.map_err(|source| self.io("cutting the torn tail of", torn.segment, source))
    }

    /// Says in the log that everything before is durable, unless its last frame says so already.
    fn mark(&self, segment: &Segment, scan: &mut Scan) -> Result<(), OpenError> {
        let bytes = (FRAME_HEADER_BYTES + FOOTER_BYTES) as u64;
        if scan.marked || scan.offset + bytes > segment.bytes {
            return Ok(());
        }
        let header = FrameHeader {
            kind: FrameKind::Mark,
            body_bytes: 0,
            event_count: 0,
            first_position: scan.next_position,
            stamp: segment.stamp,
            run_start: scan.offset as u32,
            frame_number: scan.frame_count,
            body_crc: 0,
        };
        let mut frame = [0; FRAME_HEADER_BYTES];
        header.put(&mut frame);
        seal(&mut frame);
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
