//! The engine on a disk in memory: where its log is and how it is kept there.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use command_api::engine::{self, Running};
use event_store::disk::Disk;
use event_store::log::recovery::OpenError;
use event_store::log::{Log, Options};

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
    Ok(engine::start(opened.log, opened.appender, &engine::Options::default()).unwrap())
}
