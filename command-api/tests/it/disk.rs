//! The engine on a disk in memory: where its log is and how it is kept there.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use command_api::engine::{self, Engine, Limits, Running};
use event_store::disk::Disk;
use event_store::log::{Log, Options};
use futures::future::FutureExt;
use tokio::runtime::Runtime;

/// The folder of the log.
pub(crate) const FOLDER: &str = "/data/log";
/// The length of a segment: the shortest there is, so that a short workload fills several.
pub(crate) const SEGMENT_BYTES: u64 = 16 << 10;
/// State is saved all the time, and hardly any of it stays in memory.
pub(crate) const MANY_CHECKPOINTS: Limits =
    Limits { names: 6, events_between_snapshots: 9, changed_states: 5, states_in_memory: 1 };
/// How long a test waits for something that must happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Short segments on `disk`, and no waiting where it is full.
pub(crate) fn small_segments(disk: &(impl Disk + Clone)) -> Options {
    let disk = Arc::new(disk.clone());
    Options { segment_bytes: SEGMENT_BYTES, disk_full_retry: Duration::from_millis(1), disk, ..Options::default() }
}

/// Opens the log on `disk` and starts an engine over it that saves its state when it is stopped.
pub(crate) fn start(disk: &(impl Disk + Clone)) -> Result<Running, String> {
    start_with(disk, &Limits::default())
}

/// Opens the log on `disk` and starts an engine over it.
pub(crate) fn start_with(disk: &(impl Disk + Clone), checkpoints: &Limits) -> Result<Running, String> {
    let opened = Log::open(Path::new(FOLDER), small_segments(disk)).map_err(|error| error.to_string())?;
    // A short queue: the room of a long one takes longer to make than everything else here.
    let options = engine::Options {
        commands_in_flight_max: 1_024,
        checkpoints: checkpoints.clone(),
        ..engine::Options::default()
    };
    engine::start(opened.log, opened.appender, &options).map_err(|error| error.to_string())
}

/// Waits until the next segment stands ready or cannot be made, so that what changes the disk next is known.
pub(crate) fn settled(engine: &Engine) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let room = engine.log().room();
        // An engine that cannot go on closes its log, which makes no segments any more.
        let failed = engine.log().failure().is_some() || engine.failed().now_or_never().is_some();
        // The rest of a segment is always less than a segment.
        if room.bytes >= SEGMENT_BYTES || room.disk_full.is_some() || room.stalled.is_some() || failed {
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
