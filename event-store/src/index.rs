//! The stream index: which frames hold the events of a stream, and where in the log a position is near. One file for
//! each sealed segment, in memory only for the one that is written; made from the log, never on the way of an append: a
//! thread follows the durable log, and a read that comes earlier catches up itself.

mod blocks;
pub(crate) mod digest;
pub(crate) mod file;
pub(crate) mod follow;
mod keeper;
pub(crate) mod part;
mod rebuild;
mod streams;
pub(crate) mod tally;
mod vouch;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crossbeam_channel::Sender;
use domain::ids::Position;
use tokio::sync::watch;

pub(crate) use self::blocks::IndexFault;
use self::digest::StreamDigest;
use self::file::{IndexHeader, index_path};
use self::follow::{Follow, Stop};
pub(crate) use self::keeper::Keeper;
use self::part::{Part, Seen};
pub(crate) use self::vouch::vouch;
use crate::disk::{Access, DiskFile};
use crate::log::reader::{LogReader, ReadError, Start};
use crate::log::scan::Link;
use crate::log::segment::SEGMENT_HEADER_BYTES;
use crate::log::status::Status;
use crate::log::survey::Damage;

/// Index files kept open.
const OPEN_FILES_MAX: usize = 256;
/// Sealed segments whose index is kept in memory while its file cannot be written; older ones are read again when they
/// are needed.
const UNWRITTEN_MAX: usize = 2;

/// A segment that is sealed, as it was found when the log was opened.
#[derive(Debug, Clone)]
pub(crate) struct SealedSegment {
    pub(crate) number: u32,
    /// What it took over from the segment before.
    pub(crate) before: Link,
    /// Its index file, where that is whole.
    pub(crate) file: Option<IndexHeader>,
}

/// Where the index of a sealed segment is.
#[derive(Debug, Clone)]
enum Kept {
    /// In its file.
    File(IndexHeader),
    /// In memory; the file is not written yet.
    Part(Arc<Part>),
    /// Nowhere: the file is missing or damaged. It is made again from the segment.
    Missing,
    /// It cannot be made, because the segment is damaged.
    Impossible(Arc<Damage>),
}

/// A sealed segment.
#[derive(Debug, Clone)]
struct Sealed {
    number: u32,
    before: Link,
    kept: Kept,
}

#[derive(Debug)]
struct State {
    /// All sealed segments, from number 1.
    sealed: Vec<Sealed>,
    /// The segment that is written.
    open: Part,
    /// Everything up to here is indexed.
    through: Position,
}

#[derive(Debug)]
struct Walk {
    follow: Follow,
    /// What was seen and is not in the state yet.
    seen: Seen,
}

/// How far the index is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IndexStatus {
    /// Everything up to here is indexed.
    pub through: Position,
    /// Segments that are sealed.
    pub sealed: usize,
    /// How many of them have no index file yet. Reading their streams takes longer until they have.
    pub without_file: usize,
}

/// The index.
#[derive(Debug)]
pub(crate) struct StreamIndex {
    reader: Arc<LogReader>,
    digest: StreamDigest,
    durable: watch::Receiver<Position>,
    status: Arc<Status>,
    /// Read by many, written by whoever catches up; held for moments, never while a file is read.
    state: RwLock<State>,
    /// How far the log was read. Under a mutex because the thread and readers in a hurry take turns catching up.
    walk: Mutex<Walk>,
    /// Under a mutex because many threads read index files and share them open; held for a look-up.
    files: Mutex<HashMap<u32, Arc<dyn DiskFile>>>,
    /// Taken by who reads a segment again to make its index, so that this is done once.
    rebuilding: Mutex<()>,
    /// Wakes the thread that writes index files.
    bell: Sender<()>,
    /// Set when the log is closed.
    stop: AtomicBool,
}

impl StreamIndex {
    /// An index over the sealed segments and the one that is written, whose number, stamp and link are given.
    pub(crate) fn new(
        reader: Arc<LogReader>,
        durable: watch::Receiver<Position>,
        status: Arc<Status>,
        bell: Sender<()>,
        sealed: Vec<SealedSegment>,
        open: (u32, u64, Link),
    ) -> Self {
        let (number, stamp, before) = open;
        let digest = StreamDigest::of_log(reader.id());
        let follow = Follow::new(Arc::clone(&reader), digest, number, stamp, before.next_position);
        let state = State {
            sealed: sealed.into_iter().map(Sealed::found).collect(),
            open: Part::new(number, stamp, before),
            through: Position(before.next_position.0 - 1),
        };
        Self {
            reader,
            digest,
            durable,
            status,
            state: RwLock::new(state),
            walk: Mutex::new(Walk { follow, seen: Seen::default() }),
            files: Mutex::default(),
            rebuilding: Mutex::default(),
            bell,
            stop: AtomicBool::new(false),
        }
    }

    pub(crate) fn status(&self) -> IndexStatus {
        let state = self.state();
        let without_file = state.sealed.iter().filter(|sealed| !matches!(sealed.kept, Kept::File(_))).count();
        IndexStatus { through: state.through, sealed: state.sealed.len(), without_file }
    }

    /// What a sealed segment took over from the one before, and what its index file begins with, where it has one.
    pub(crate) fn sealed(&self, number: u32) -> Option<SealedSegment> {
        let sealed = self.kept(number)?;
        let file = match sealed.kept {
            Kept::File(header) => Some(header),
            _ => None,
        };
        Some(SealedSegment { number, before: sealed.before, file })
    }

    /// What makes the digests of streams.
    pub(crate) const fn digest(&self) -> &StreamDigest {
        &self.digest
    }

    /// A place at or before the first frame after `position`.
    pub(crate) fn start_before(&self, position: Position) -> Start {
        let state = self.state();
        let begun = state.sealed.partition_point(|sealed| sealed.before.next_position <= position);
        if state.open.before.next_position <= position {
            let at = |offset, next_position| Start { segment: state.open.segment, offset, next_position };
            return match state.open.signpost_before(position) {
                Some(signpost) => at(signpost.offset, signpost.position),
                None => at(SEGMENT_HEADER_BYTES, state.open.before.next_position),
            };
        }
        let Some(sealed) = begun.checked_sub(1).map(|last| state.sealed[last].clone()) else { return Start::LOG };
        drop(state);
        let signpost = match &sealed.kept {
            Kept::Part(part) => part.signpost_before(position),
            Kept::File(header) => {
                let found = self.file(sealed.number).and_then(|file| header.signpost_before(file.as_ref(), position));
                // Without its signposts the segment is walked from its beginning.
                found.unwrap_or_else(|fault| {
                    self.discard(sealed.number, &fault);
                    None
                })
            }
            Kept::Missing | Kept::Impossible(_) => None,
        };
        let (offset, next_position) = signpost
            .map_or((SEGMENT_HEADER_BYTES, sealed.before.next_position), |found| (found.offset, found.position));
        Start { segment: sealed.number, offset, next_position }
    }

    /// Indexes what is durable by now.
    pub(crate) fn catch_up(&self) -> Result<(), ReadError> {
        let durable = *self.durable.borrow();
        if self.state().through >= durable {
            return Ok(());
        }
        self.walk_on()
    }

    /// Walks to the durable end.
    fn walk_on(&self) -> Result<(), ReadError> {
        let mut walk = self.walk();
        let Walk { follow, seen } = &mut *walk;
        let end = self.status.durable_end();
        loop {
            let stop = follow.on_to(end, seen);
            let mut state = self.state_mut();
            state.open.take(seen);
            state.through = Position(follow.next_position.0 - 1);
            match stop? {
                Stop::Full => {}
                Stop::End => return Ok(()),
                Stop::Sealed(seal) => {
                    // The state stays behind until the next segment can be opened: then the footer is met again.
                    drop(state);
                    let stamp = follow.next_segment()?;
                    seen.next_segment();
                    self.state_mut().seal(seal, stamp);
                    // A full bell is already ringing.
                    let _ = self.bell.try_send(());
                }
            }
        }
    }

    /// The index file of a segment, open.
    pub(crate) fn file(&self, segment: u32) -> Result<Arc<dyn DiskFile>, IndexFault> {
        // Poisoned or not, the map holds open files only.
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = files.get(&segment) {
            return Ok(Arc::clone(file));
        }
        let folder = self.reader.folder();
        let file = folder.disk.open(&index_path(&folder.path, segment), Access::Read)?;
        if files.len() >= OPEN_FILES_MAX {
            files.clear();
        }
        files.insert(segment, Arc::clone(&file));
        Ok(file)
    }

    /// Believes an index file no more; it is made again.
    pub(crate) fn discard(&self, segment: u32, fault: &IndexFault) {
        tracing::warn!(segment, %fault, "an index file is not what was written; it is made again");
        self.put(segment, Kept::Missing);
        let _ = self.bell.try_send(());
    }

    fn kept(&self, segment: u32) -> Option<Sealed> {
        self.state().sealed.get(segment.checked_sub(1)? as usize).cloned()
    }

    fn put(&self, segment: u32, kept: Kept) {
        self.files.lock().unwrap_or_else(PoisonError::into_inner).remove(&segment);
        let mut state = self.state_mut();
        state.sealed[segment as usize - 1].kept = kept;
        state.bound();
    }

    fn stopping(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    // Poisoning is passed over: every change of the state leaves a whole state, and what a walk has seen it hands over
    // once.
    fn state(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn state_mut(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn walk(&self) -> MutexGuard<'_, Walk> {
        self.walk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Puts the open segment among the sealed ones and begins the next, whose stamp is given.
    fn seal(&mut self, seal: part::Seal, next_stamp: u64) {
        let next = Part::new(self.open.segment + 1, next_stamp, seal.after);
        let mut part = std::mem::replace(&mut self.open, next);
        part.seal = Some(seal);
        let (number, before) = (part.segment, part.before);
        self.sealed.push(Sealed { number, before, kept: Kept::Part(Arc::new(part)) });
        self.bound();
    }

    /// Lets go of the oldest indexes in memory while there are too many of them.
    fn bound(&mut self) {
        let in_memory = |sealed: &&mut Sealed| matches!(sealed.kept, Kept::Part(_));
        let many = self.sealed.iter_mut().filter(in_memory).count();
        for sealed in self.sealed.iter_mut().filter(in_memory).take(many.saturating_sub(UNWRITTEN_MAX)) {
            sealed.kept = Kept::Missing;
        }
    }
}

impl Sealed {
    fn found(found: SealedSegment) -> Self {
        let kept = found.file.map_or(Kept::Missing, Kept::File);
        Self { number: found.number, before: found.before, kept }
    }
}
