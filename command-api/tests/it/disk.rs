//! The engine on a disk in memory: where its log is and how it is kept there.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use command_api::engine::{self, Running};
use event_store::disk::Disk;
use event_store::log::recovery::OpenError;
use event_store::log::{Log, Options};
use tokio::runtime::Runtime;

/// The folder of the log.
pub(crate) const FOLDER: &str = "/data/log";
/// The length of a segment: the shortest there is, so that a short workload fills several.
pub(crate) const SEGMENT_BYTES: u64 = 16 << 10;
/// How long a test waits for something that must happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Short segments on `disk`, and no waiting where it is full.
pub(crate) fn small_segments(disk: &(impl Disk + Clone)) -> Options {
    let disk = Arc::new(disk.clone());
    Options { segment_bytes: SEGMENT_BYTES, disk_full_retry: Duration::from_millis(1), disk, ..Options::default() }
}

/// Opens the log on `disk` and starts an engine over it.
pub(crate) fn start(disk: &(impl Disk + Clone)) -> Result<Running, OpenError> {
    let opened = Log::open(Path::new(FOLDER), small_segments(disk))?;
    // A short queue: the room of a long one takes longer to make than everything else here.
    let options = engine::Options { commands_in_flight_max: 1_024, ..engine::Options::default() };
    // Once the log is open its index files are made in the background: a power cut may come there, and end the start.
    engine::start(opened.log, opened.appender, &options).map_err(|error| OpenError::Io {
        doing: "starting an engine over",
        path: FOLDER.into(),
        source: std::io::Error::other(error),
    })
}

/// Waits until the next segment stands ready or cannot be made, so that what changes the disk next is known.
pub(crate) fn settled(log: &Log) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let room = log.room();
        // The rest of a segment is always less than a segment.
        if room.bytes >= SEGMENT_BYTES || room.disk_full.is_some() || room.stalled.is_some() || log.failure().is_some()
        {
            return;
        }
        assert!(Instant::now() < deadline, "the next segment must be made: {room:?}");
        std::thread::yield_now();
    }
}

/// A runtime on the test's own thread.
pub(crate) fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}
