//! Opening a log for writing: takes the lock, makes a log where there is none, surveys what is there (but for sealed
//! segments that were checked before) and mends what a crash may leave behind. Anything else is refused and left untouched.

mod mending;

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use domain::ids::Position;

use self::mending::Mending;
use super::folder::{Folder, FolderRefused, list_segments, open_segment, read_description, write_description};
use super::layout::Layout;
use super::preparer::Blueprint;
use super::scan::{Link, Scan, Tail, judge_tail};
use super::segment::{
    SEGMENT_BYTES_MAX, SEGMENT_BYTES_MIN, SEGMENT_HEADER_BYTES, Segment, SegmentNotMade, is_unfinished, segment_path,
    segments_folder,
};
use super::survey::{Damage, SurveyError, Visitor, survey_unless};
use super::window::Window;
use super::{LogId, Options};
use crate::backup::manifest::MANIFEST;
use crate::backup::restore::RESTORING;
use crate::disk::{Access, Disk, Lock, LockRefused, sync_folders};
use crate::index::{SealedSegment, vouch};

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
    /// The folder is a backup.
    #[error("{folder} is a backup, which nothing is appended to. Restore it into another folder, and start on that")]
    Backup {
        /// The folder.
        folder: PathBuf,
    },
    /// A restore into the folder was not finished.
    #[error("{folder} was not restored to the end. Restore into it again: that begins anew")]
    HalfRestored {
        /// The folder.
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
    /// The segments that are sealed, in order.
    pub(crate) sealed: Vec<SealedSegment>,
    /// What the segment that is written takes over from them.
    pub(crate) before: Link,
    pub(crate) lock: Lock,
}

pub(crate) fn recover(path: &Path, options: &Options) -> Result<Recovered, OpenError> {
    let bytes = options.segment_bytes;
    if !(SEGMENT_BYTES_MIN..=SEGMENT_BYTES_MAX).contains(&bytes) || !bytes.is_multiple_of(4096) {
        return Err(OpenError::SegmentBytes { segment_bytes: bytes });
    }
    let disk = options.disk.as_ref();
    refuse_copies(disk, path)?;
    let segments = segments_folder(path);
    disk.create_folder(&segments).map_err(|source| io_error("making the folder", &segments, source))?;
    let lock = take_lock(disk, path, options)?;
    sweep(disk, &segments)?;
    let folder = identify(path, options)?;
    let mut indexes = HashMap::new();
    let found = survey_unless(&folder, &mut Nobody, |segment, before| {
        let index = vouch(&folder, segment, before)?;
        indexes.insert(segment.header.number, index);
        Some(Scan::vouched(segment.header, &index))
    })?;
    let sealed = found.segments.iter().filter(|scan| scan.sealed).map(|scan| {
        let number = scan.header.number;
        SealedSegment { number, before: scan.before(), file: indexes.get(&number).copied() }
    });
    let sealed = sealed.collect();
    Mending { options, blueprint: blueprint(&folder, options), folder, sealed }.mend(found, lock)
}

/// A backup that is written into would no longer be one; half of a restored log looks like a whole one.
fn refuse_copies(disk: &dyn Disk, path: &Path) -> Result<(), OpenError> {
    let names = disk.names(path).map_err(|source| io_error("listing", path, source))?;
    let has = |name: &str| names.iter().any(|found| found == name);
    match (has(MANIFEST), has(RESTORING)) {
        (true, _) => Err(OpenError::Backup { folder: path.to_owned() }),
        (_, true) => Err(OpenError::HalfRestored { folder: path.to_owned() }),
        _ => Ok(()),
    }
}

/// Looks at nothing.
struct Nobody;

impl Visitor for Nobody {
    fn transaction(&mut self, _: &super::frame::Frame<'_>) -> Result<(), super::frame::FrameFault> {
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

fn make(blueprint: &Blueprint, number: u32) -> Result<Segment, OpenError> {
    blueprint.make(number, &AtomicBool::new(false)).map_err(|error| {
        let source = match error {
            SegmentNotMade::Io(source) => source,
            SegmentNotMade::Stopped => io::Error::other(error.to_string()),
        };
        io_error("making", &segment_path(&blueprint.folder, number), source)
    })
}
