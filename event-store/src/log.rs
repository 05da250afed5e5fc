//! The embedded log: opening it, and the handle that everybody reads and subscribes through. The format, the writer
//! and recovery have a file each below; the bytes are drawn in `docs/log-format.md`.

pub mod appender;
pub mod folder;
pub mod frame;
pub mod frame_writer;
mod group;
mod handover;
mod layout;
mod preparer;
pub mod reader;
pub mod recovery;
pub(crate) mod scan;
pub mod scrub;
pub mod segment;
pub mod status;
pub mod survey;
mod sync;
pub mod verify;
pub(crate) mod window;
pub mod writer;

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crossbeam_channel::{Sender, bounded};
use domain::ids::{Position, StreamId, Version};
use tokio::sync::watch;

use self::appender::Appender;
use self::folder::Folder;
use self::frame::FrameAddress;
use self::group::Group;
use self::handover::handover;
use self::layout::{Layout, frame_bytes_max};
use self::preparer::{Blueprint, Preparer};
use self::reader::{FrameBytes, Frames, LogReader, ReadError};
use self::recovery::{OpenError, RecoveryReport, recover};
use self::scrub::{ScrubOptions, ScrubStatus, Scrubber};
use self::segment::Segment;
use self::status::{Room, Status};
use self::writer::{Committed, LogFailed, Writer};
use crate::disk::file::RealDisk;
use crate::disk::{Disk, Lock};
use crate::feed::Subscription;
use crate::index::follow::DurableEnd;
use crate::index::{IndexStatus, Keeper, StreamIndex};
use crate::transaction::record::StoredEvent;

/// Names a log for ever: 16 random bytes, made with the log, repeated in every segment.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct LogId(pub [u8; 16]);

impl LogId {
    /// Reads 32 hexadecimal digits.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        let digits = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        digits.then(|| u128::from_str_radix(text, 16).ok()).flatten().map(|id| Self(id.to_be_bytes()))
    }
}

impl fmt::Display for LogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl fmt::Debug for LogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// How a log is kept.
#[derive(Debug, Clone)]
pub struct Options {
    /// Length of new segments in bytes: a multiple of 4096.
    pub segment_bytes: u64,
    /// A group that has reached this many bytes is flushed before the next frame begins.
    pub group_bytes_max: usize,
    /// How long a commit waits for a next segment that is being made.
    pub segment_wait_max: Duration,
    /// How long after a full disk the next segment is tried again; up to ten times as long when it stays full.
    pub disk_full_retry: Duration,
    /// Where the files are.
    pub disk: Arc<dyn Disk>,
    /// The time in microseconds since 1970-01-01 UTC, for the headers of segments.
    pub clock: fn() -> i64,
    /// Random numbers, for the log's id and the stamps of segments.
    pub random: fn() -> u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            segment_bytes: 256 << 20,
            group_bytes_max: 8 << 20,
            segment_wait_max: Duration::from_secs(10),
            disk_full_retry: Duration::from_secs(1),
            disk: Arc::new(RealDisk),
            clock: now_us,
            random,
        }
    }
}

pub(crate) fn now_us() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

pub(crate) fn random() -> u64 {
    // The standard library keys each of these from the system's randomness; nothing here has to be secret.
    RandomState::new().hash_one(now_us())
}

/// A log that was opened for writing.
#[derive(Debug)]
pub struct Opened {
    /// For reading and subscribing.
    pub log: Log,
    /// For appending, once started.
    pub appender: IdleAppender,
    /// What was found and what was done.
    pub recovery: RecoveryReport,
}

/// The handle that everybody reads through; cloning it is cheap. Readers never see beyond the durable position.
#[derive(Debug, Clone)]
pub struct Log {
    reader: Arc<LogReader>,
    index: Arc<StreamIndex>,
    durable: watch::Receiver<Position>,
    status: Arc<Status>,
    scrub: Arc<scrub::Found>,
    clock: fn() -> i64,
}

impl Log {
    /// Opens the log in `folder` for writing, making it where there is none, and recovers what a crash left behind.
    ///
    /// # Errors
    /// [`OpenError`]: in use, damaged, incomplete, of a newer format, or the disk refused.
    pub fn open(folder: &Path, options: Options) -> Result<Opened, OpenError> {
        let recovered = recover(folder, &options)?;
        let through = Position(recovered.layout.next_position.0 - 1);
        let (durable, durable_seen) = watch::channel(through);
        let (bell, rung) = bounded(1);
        let status = Arc::new(Status::default());
        status.publish_room(recovered.layout.room_bytes());
        let Segment { number, stamp, .. } = recovered.layout.segment;
        status.publish_durable_end(DurableEnd { segment: number, offset: recovered.layout.offset });
        let reader = Arc::new(LogReader::new(recovered.folder.clone()));
        let index = Arc::new(StreamIndex::new(
            Arc::clone(&reader),
            durable_seen.clone(),
            Arc::clone(&status),
            bell.clone(),
            recovered.sealed,
            (number, stamp, recovered.before),
        ));
        let keeper = Keeper::start(Arc::clone(&index), rung).map_err(|source| OpenError::Thread { source })?;
        let log = Self {
            index,
            reader,
            durable: durable_seen,
            status: Arc::clone(&status),
            scrub: Arc::default(),
            clock: options.clock,
        };
        let appender = IdleAppender {
            blueprint: Blueprint {
                options: options.clone(),
                folder: recovered.folder.path.clone(),
                log_id: recovered.folder.log_id,
            },
            layout: recovered.layout,
            chain: recovered.chain,
            ready: recovered.ready,
            durable,
            bell,
            status,
            held: Held { _keeper: keeper, _lock: recovered.lock },
        };
        Ok(Opened { log, appender, recovery: recovered.report })
    }

    /// The log's id.
    #[must_use]
    pub fn id(&self) -> LogId {
        self.folder().log_id
    }

    /// The last durable position.
    #[must_use]
    pub fn durable(&self) -> Position {
        *self.durable.borrow()
    }

    /// The last durable position, to be waited on. It ends when the log is closed.
    #[must_use]
    pub fn durable_watch(&self) -> watch::Receiver<Position> {
        self.durable.clone()
    }

    /// Why the log takes nothing any more, where it has failed.
    #[must_use]
    pub fn failure(&self) -> Option<LogFailed> {
        self.status.failure.get().cloned()
    }

    /// How far the index of the streams is; its files are made in the background.
    #[must_use]
    pub fn index_status(&self) -> IndexStatus {
        self.index.status()
    }

    /// Starts a thread that reads sealed segments again, to find damage that nobody happens to read. One is enough;
    /// drop it before the log is closed.
    ///
    /// # Errors
    /// The system refused a thread.
    pub fn scrub(&self, options: ScrubOptions) -> io::Result<Scrubber> {
        Scrubber::start(self.clone(), options)
    }

    /// How far the scrubber is and what it has found.
    #[must_use]
    pub fn scrub_status(&self) -> ScrubStatus {
        self.scrub.status()
    }

    /// How much can still be appended.
    #[must_use]
    pub fn room(&self) -> Room {
        self.status.room()
    }

    /// The durable transactions after `position`, in order, as of now. A transaction that begins at or before
    /// `position` and ends after it comes whole; one without events comes when its place is after `position`.
    ///
    /// # Errors
    /// [`ReadError`] when the place cannot be found.
    pub fn frames_after(&self, position: Position) -> Result<Frames, ReadError> {
        let through = self.durable();
        Ok(self.reader.frames_from(self.index.start_before(position), position, Some(through)))
    }

    /// The transaction at a place that an append or a walk has given, once it is durable.
    ///
    /// # Errors
    /// [`ReadError`] when no whole transaction stands there or the file cannot be read.
    pub fn read_frame(&self, address: FrameAddress) -> Result<FrameBytes, ReadError> {
        self.reader.read_frame(address.segment(), address.offset())
    }

    /// Up to `limit` events of a stream. Forward: from version `from` on; backward: from version `from` down. The
    /// newest version stands last in a forward read to the end; `Version(u64::MAX)` starts a backward read there.
    ///
    /// # Errors
    /// [`ReadError`] when the log cannot be read.
    pub fn read_stream(
        &self,
        stream: &StreamId,
        from: Version,
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<StoredEvent>, ReadError> {
        self.index.read_stream(&stream.to_string(), from, direction, limit)
    }

    /// Up to `limit` durable events from position `from` on, all streams, in order.
    ///
    /// # Errors
    /// [`ReadError`] when the log cannot be read.
    pub fn read_all(&self, from: Position, limit: usize) -> Result<Vec<StoredEvent>, ReadError> {
        let after = Position(from.0.saturating_sub(1));
        let mut frames = self.frames_after(after)?;
        let mut events = Vec::new();
        while events.len() < limit
            && let Some(frame) = frames.next_frame()?
        {
            let stored = frame.entries().filter(|entry| entry.last_position() > after).flat_map(StoredEvent::of_entry);
            let wanted = stored.filter(|event| event.record().position > after);
            events.extend(wanted.take(limit - events.len()));
        }
        Ok(events)
    }

    /// A subscription to everything after `position`: what is there, then what comes, without gap or duplicate.
    #[must_use]
    pub fn subscribe(&self, after: Position) -> Subscription {
        Subscription::new(self.clone(), after)
    }

    /// The folder that the log is in.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.folder().path
    }

    /// The disk that the log is on.
    #[must_use]
    pub fn disk(&self) -> &Arc<dyn Disk> {
        &self.folder().disk
    }

    pub(crate) fn folder(&self) -> &Folder {
        self.reader.folder()
    }
}

/// Which way a stream is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Oldest first.
    Forward,
    /// Newest first.
    Backward,
}

/// The right to append, before its threads run. Dropping it gives the lock back.
#[derive(Debug)]
pub struct IdleAppender {
    blueprint: Blueprint,
    layout: Layout,
    chain: u32,
    ready: Option<Segment>,
    durable: watch::Sender<Position>,
    bell: Sender<()>,
    status: Arc<Status>,
    held: Held,
}

/// What a log that is open for writing holds: given back in this order, so that nothing of this process writes into
/// the folder when another one may.
#[derive(Debug)]
pub(crate) struct Held {
    _keeper: Keeper,
    _lock: Lock,
}

impl IdleAppender {
    /// The position that the next event gets.
    #[must_use]
    pub const fn next_position(&self) -> Position {
        self.layout.next_position
    }

    /// Starts the writer and the preparer. `on_committed` runs on the writer's thread, once per group, in order; the
    /// next group is written when it returns. So it must be quick, and must never wait for the thread that appends,
    /// which may be waiting for the writer.
    ///
    /// # Errors
    /// The system refused a thread.
    pub fn start<A: Send + 'static>(
        self,
        on_committed: impl FnMut(Committed<A>) + Send + 'static,
    ) -> io::Result<Appender<A>> {
        let options = self.blueprint.options.clone();
        let preparer = Preparer::start(self.blueprint, self.ready, self.layout.segment.number + 1)?;
        self.status.watch_preparer(preparer.watch());
        let (outgoing, incoming) = handover(Group::new(self.layout.next_position));
        let writer = Writer {
            groups: incoming,
            durable: self.durable,
            failure: Arc::clone(&self.status.failure),
            status: Arc::clone(&self.status),
            bell: self.bell,
            chain: self.chain,
        };
        let thread = std::thread::Builder::new().name("log-writer".into()).spawn(move || writer.work(on_committed))?;
        Ok(Appender {
            group: Group::new(self.layout.next_position),
            frame_bytes_max: frame_bytes_max(options.segment_bytes),
            group_bytes_max: options.group_bytes_max,
            layout: self.layout,
            preparer,
            status: self.status,
            groups: outgoing,
            writer: Some(thread),
            held: Some(self.held),
        })
    }
}
