//! Makes a log of a backup again, whole or up to a position or a time. Nothing is appended here but the mark that every
//! clean stop leaves.
//!
//! The segment in which the restored log ends gets a new stamp, and its frames with it. The original may have gone on
//! in that segment, and the restored log will: with one stamp, frames of the two could pass for each other. With two,
//! whatever either of them appends, in this segment or a later one, is refused in the other, and in its backups.

mod segments;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use domain::ids::Position;

use self::segments::Work;
use super::Progress;
use super::check::manifest_of;
use super::target::take_lock;
use super::unsound::UnsoundBackup;
use crate::disk::file::RealDisk;
use crate::disk::{Disk, LockRefused, sync_folders};
use crate::log::LogId;
use crate::log::folder::{Folder, write_description, write_whole};
use crate::log::segment::segments_folder;

/// Stands in a folder until the restore into it is done.
pub(crate) const RESTORING: &str = "RESTORING";

/// How much of a backup is restored. A transaction is restored whole or not at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// All of it.
    End,
    /// The transactions up to this position.
    Position(Position),
    /// The transactions up to the first that was recorded after this time, in microseconds since 1970-01-01 UTC.
    Time(i64),
}

/// How a log is restored.
#[derive(Debug, Clone)]
pub struct RestoreOptions {
    /// Where the files are.
    pub disk: Arc<dyn Disk>,
    /// The time in microseconds since 1970-01-01 UTC.
    pub clock: fn() -> i64,
    /// Random numbers, for the stamp of the last segment.
    pub random: fn() -> u64,
}

impl Default for RestoreOptions {
    fn default() -> Self {
        Self { disk: Arc::new(RealDisk), clock: crate::log::now_us, random: crate::log::random }
    }
}

/// A log that was restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// The log's id.
    pub log_id: LogId,
    /// Segments.
    pub segments: u32,
    /// Transactions.
    pub transactions: u64,
    /// The last position.
    pub last_position: Position,
    /// When the last command was recorded, in microseconds since 1970-01-01 UTC.
    pub last_recorded_at_us: Option<i64>,
    /// The last position of the backup.
    pub backup_position: Position,
    /// The first and the last position of the transaction that the cut would have gone through; it was left out.
    pub not_split: Option<(Position, Position)>,
}

/// Why a log was not restored.
#[derive(Debug, thiserror::Error)]
pub enum RestoreRefused {
    /// The backup cannot be used.
    #[error(transparent)]
    Unsound(#[from] UnsoundBackup),
    /// The backup ends before the position.
    #[error("the backup ends at position {last}, before position {asked}. Give a position that it has")]
    Beyond {
        /// What was asked for.
        asked: Position,
        /// The last position of the backup.
        last: Position,
    },
    /// The folder has something.
    #[error("{folder} is not empty. Give an empty folder or a new one")]
    NotEmpty {
        /// The folder.
        folder: PathBuf,
    },
    /// Another process restores into the folder.
    #[error("{folder} is in use by {owner}. Wait until that is done, or give another folder")]
    Locked {
        /// The folder.
        folder: PathBuf,
        /// Who holds the lock.
        owner: String,
    },
    /// What was written reads back as something else.
    #[error(
        "{path} was restored and reads back wrong at byte {offset}: {reason}. Look after the disk and restore again"
    )]
    CopyDiffers {
        /// The file.
        path: PathBuf,
        /// Where in the file, in bytes.
        offset: u64,
        /// What is wrong.
        reason: String,
    },
    /// The disk refused.
    #[error(
        "{doing} {path}: {source}. Make room or look after the disk and restore into the same folder again: that \
         begins anew"
    )]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To which file.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
}

/// Makes a log in the folder `into`, new or empty, of the backup in `backup`. A server can start on it when this has
/// succeeded, and not before. `progress` is called after every segment.
///
/// # Errors
/// [`RestoreRefused`]: the backup is damaged, the folder is not empty, or a disk refused.
pub fn restore(
    backup: &Path,
    into: &Path,
    until: Until,
    options: &RestoreOptions,
    mut progress: impl FnMut(Progress),
) -> Result<Restored, RestoreRefused> {
    let disk = options.disk.as_ref();
    let manifest = manifest_of(disk, backup)?;
    let last = manifest.last_position();
    if let Until::Position(asked) = until
        && asked > last
    {
        return Err(RestoreRefused::Beyond { asked, last });
    }
    refuse_contents(disk, into)?;
    disk.create_folder(into).map_err(|source| io_error("making the folder", into, source))?;
    let _lock = take_lock(disk, into, (options.clock)()).map_err(|refused| match refused {
        LockRefused::Held { owner } => RestoreRefused::Locked { folder: into.to_owned(), owner },
        LockRefused::Io(source) => io_error("locking", &into.join("LOCK"), source),
    })?;
    begin(disk, into)?;
    let folder = Folder { disk: Arc::clone(&options.disk), path: backup.to_owned(), log_id: manifest.log_id };
    let work = Work { options, from: folder, into, until };
    let restored = work.restore_segments(&manifest, &mut progress)?;
    finish(disk, into, manifest.log_id)?;
    Ok(restored)
}

/// Refuses a folder with anything in it, unless an unfinished restore has left it.
fn refuse_contents(disk: &dyn Disk, into: &Path) -> Result<(), RestoreRefused> {
    let names = disk.names(into).map_err(|source| io_error("listing", into, source))?;
    let marked = names.iter().any(|name| name == RESTORING);
    let unfinished = format!("{RESTORING}.new");
    if !marked && names.iter().any(|name| name != "LOCK" && *name != unfinished) {
        return Err(RestoreRefused::NotEmpty { folder: into.to_owned() });
    }
    Ok(())
}

/// Marks the folder as one that is being restored into, and removes what an earlier try has left there.
fn begin(disk: &dyn Disk, into: &Path) -> Result<(), RestoreRefused> {
    let text = "A log is being restored into this folder. If the restore was interrupted, restore into it again: that \
                begins anew.\n";
    let segments = segments_folder(into);
    let begun = write_whole(disk, into, RESTORING, text)
        .and_then(|()| sync_folders(disk, into))
        .and_then(|()| disk.create_folder(&segments));
    begun.map_err(|source| io_error("beginning in", into, source))?;
    let listed = |folder: &Path| disk.names(folder).map_err(|source| io_error("listing", folder, source));
    let mut left: Vec<PathBuf> = listed(&segments)?.iter().map(|name| segments.join(name)).collect();
    let of_log = listed(into)?.into_iter().filter(|name| name.starts_with("log.json"));
    left.extend(of_log.map(|name| into.join(name)));
    for path in left {
        disk.remove(&path).map_err(|source| io_error("removing", &path, source))?;
    }
    let synced = disk.sync_folder(&segments).and_then(|()| disk.sync_folder(into));
    synced.map_err(|source| io_error("syncing", into, source))
}

/// Says which log it is, and only then that it is whole.
fn finish(disk: &dyn Disk, into: &Path, log_id: LogId) -> Result<(), RestoreRefused> {
    let segments = segments_folder(into);
    disk.sync_folder(&segments).map_err(|source| io_error("syncing", &segments, source))?;
    let described = write_description(disk, into, log_id);
    described.map_err(|source| io_error("writing", &into.join("log.json"), source))?;
    let marker = into.join(RESTORING);
    let finished = disk.remove(&marker).and_then(|()| disk.sync_folder(into));
    finished.map_err(|source| io_error("removing", &marker, source))
}

fn io_error(doing: &'static str, path: &Path, source: io::Error) -> RestoreRefused {
    RestoreRefused::Io { doing, path: path.to_owned(), source }
}
