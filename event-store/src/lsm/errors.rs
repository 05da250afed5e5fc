//! What can go wrong with a store, an enum per operation, as its owner is told. Nothing is done about it here.

use std::io;
use std::path::PathBuf;

use super::fault::DiskFault;

/// Why a store cannot be opened: the disk refuses. Damage is no reason; a damaged store starts empty.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A file or folder cannot be made, opened, removed or synced.
    #[error("{doing} {path}: {source}. Look after the disk and start again; the folder may be deleted at any time")]
    Disk {
        /// What was being done.
        doing: &'static str,
        /// To which file.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// The thread that writes could not be started.
    #[error("starting the thread that writes checkpoints: {0}. Look after the limits of the system and start again")]
    Thread(#[source] io::Error),
}

impl From<DiskFault> for OpenError {
    fn from(fault: DiskFault) -> Self {
        let DiskFault { doing, path, source } = fault;
        Self::Disk { doing, path, source }
    }
}

/// What was looked up cannot be read as it was written.
#[derive(Debug, thiserror::Error)]
#[error(
    "{path} cannot be read as it was written: {source}. Discard the store and start again: everything in it is made again \
     from the log"
)]
pub struct Damaged {
    /// The file.
    pub path: PathBuf,
    /// What is wrong, or the system's words.
    pub source: io::Error,
}

/// Why a checkpoint was not published. The one before is still there and still what lookups find.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointFailed {
    /// The disk refused; what was written is removed.
    #[error("{doing} {path}: {source}. The checkpoint before holds; make room or look after the disk, and try again")]
    Disk {
        /// What was being done.
        doing: &'static str,
        /// To which file.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// The thread that writes has ended, by a panic.
    #[error("the thread that writes checkpoints has ended. The checkpoint before holds; start again")]
    Ended,
}

/// A checkpoint cannot be begun now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointRefused {
    /// What became of the last one was not asked for yet.
    #[error("a checkpoint is under way. Wait until it is published, then begin the next one")]
    UnderWay,
    /// The thread that writes has ended, by a panic.
    #[error("the thread that writes checkpoints has ended. Start again")]
    Ended,
}

impl From<DiskFault> for Damaged {
    fn from(DiskFault { path, source, .. }: DiskFault) -> Self {
        Self { path, source }
    }
}

impl From<DiskFault> for CheckpointFailed {
    fn from(DiskFault { doing, path, source }: DiskFault) -> Self {
        Self::Disk { doing, path, source }
    }
}
