//! Verification: reads the whole log and checks everything that recovery checks, and the versions of every stream.
//! Works while a writer is at work; memory grows with the number of streams only.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use domain::ids::Position;

use super::LogId;
use super::folder::{Folder, FolderRefused};
use super::frame::{Frame, FrameFault};
use super::scan::Scan;
use super::survey::{Damage, SurveyError, Visitor, survey};
use crate::disk::Disk;
use crate::disk::file::RealDisk;

/// A log that is whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// The log's id.
    pub log_id: LogId,
    /// Segments that have begun.
    pub segments: u64,
    /// Transactions.
    pub transactions: u64,
    /// What commands left behind.
    pub entries: u64,
    /// Events.
    pub events: u64,
    /// Streams.
    pub streams: u64,
    /// The last position.
    pub last_position: Position,
    /// The rest of a write that a crash cut through: segment, offset and bytes. The next start for writing cuts it;
    /// while a writer is at work it may be a write on its way.
    pub torn: Option<(u32, u64, u64)>,
}

/// Why a log was not verified.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// Bytes are damaged.
    #[error(transparent)]
    Damaged(#[from] Box<Damage>),
    /// The folder, or a segment, is not what a log has.
    #[error(transparent)]
    Folder(#[from] FolderRefused),
}

/// How far verification has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// The segment that is done.
    pub segment: u32,
    /// How many there are.
    pub segments: usize,
    /// Bytes checked so far.
    pub bytes: u64,
    /// Events checked so far.
    pub events: u64,
}

/// Checks the log in `folder`; `progress` is called after every segment.
///
/// # Errors
/// [`VerifyError`]: where the first damage is, or why the folder is not a log.
pub fn verify(folder: &Path, progress: impl FnMut(Progress)) -> Result<Verified, VerifyError> {
    verify_on(Arc::new(RealDisk), folder, progress)
}

/// [`verify`] on another disk than the system's.
///
/// # Errors
/// [`VerifyError`]: where the first damage is, or why the folder is not a log.
pub fn verify_on(disk: Arc<dyn Disk>, folder: &Path, progress: impl FnMut(Progress)) -> Result<Verified, VerifyError> {
    let folder = Folder::open(disk, folder)?;
    let mut streams = Streams { versions: HashMap::default(), entries: 0, events: 0, bytes: 0, progress };
    let found = survey(&folder, &mut streams).map_err(|error| match error {
        SurveyError::Damaged(damage) => VerifyError::Damaged(damage),
        SurveyError::Folder(refused) => VerifyError::Folder(refused),
    })?;
    Ok(Verified {
        log_id: folder.log_id,
        segments: found.segments.iter().filter(|scan| scan.begun()).count() as u64,
        transactions: found.segments.iter().map(|scan| scan.transactions).sum(),
        entries: streams.entries,
        events: streams.events,
        streams: streams.versions.len() as u64,
        last_position: Position(found.segments.last().map_or(1, |scan: &Scan| scan.next_position.0) - 1),
        torn: found.torn.map(|torn| (torn.segment, torn.offset, torn.end - torn.offset)),
    })
}

struct Streams<P> {
    /// The version that the next event of each stream must have.
    versions: HashMap<Box<str>, u64, foldhash::fast::RandomState>,
    entries: u64,
    events: u64,
    bytes: u64,
    progress: P,
}

impl<P: FnMut(Progress)> Visitor for Streams<P> {
    fn transaction(&mut self, frame: &Frame<'_>) -> Result<(), FrameFault> {
        for entry in frame.entries() {
            self.entries += 1;
            for event in entry.events() {
                self.events += 1;
                let expected = match self.versions.get_mut(event.stream) {
                    Some(next) => next,
                    None => self.versions.entry(event.stream.into()).or_insert(0),
                };
                if event.version.0 != *expected {
                    return Err(FrameFault::Sequence("an event has another version than its stream goes on with"));
                }
                *expected += 1;
            }
        }
        Ok(())
    }

    fn segment_done(&mut self, number: u32, of: usize, bytes: u64) {
        self.bytes += bytes;
        (self.progress)(Progress { segment: number, segments: of, bytes: self.bytes, events: self.events });
    }
}
