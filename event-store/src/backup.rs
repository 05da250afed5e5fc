//! Backups: copies a log into another folder while a server may be writing it, up to a place that is proven durable,
//! and only what the folder does not have yet. `backup/restore.rs` makes a log of a backup again, `backup/check.rs`
//! looks a backup over. Never changes the log.
//!
//! Whoever copies is not the writer and cannot ask what is durable. But a write begins only when everything before it
//! is durable, and a segment only when the one before it is. So everything before the start of the last write is
//! proven, and that is where the copy ends. A clean stop writes a mark after everything else, so of a log that was
//! stopped nothing is left out. Who knows from the server itself what it has acknowledged may say so.

pub mod check;
mod copy;
pub(crate) mod manifest;
pub mod restore;
mod source;
mod target;
pub mod unsound;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use domain::ids::Position;

use self::source::Source;
use self::target::Target;
use self::unsound::UnsoundBackup;
use crate::disk::Disk;
use crate::disk::file::RealDisk;
use crate::log::LogId;
use crate::log::folder::FolderRefused;
use crate::log::scan::Link;
use crate::log::survey::{Damage, SurveyError};

/// How a backup is made.
#[derive(Debug, Clone)]
pub struct BackupOptions {
    /// Where the files are.
    pub disk: Arc<dyn Disk>,
    /// The time in microseconds since 1970-01-01 UTC.
    pub clock: fn() -> i64,
    /// A position that the log's server has acknowledged: the write that it is in is durable although nothing in the
    /// log proves it yet.
    pub acknowledged: Option<Position>,
}

impl Default for BackupOptions {
    fn default() -> Self {
        Self { disk: Arc::new(RealDisk), clock: crate::log::now_us, acknowledged: None }
    }
}

/// How far copying, checking or restoring has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// The segment that is done.
    pub segment: u32,
    /// How many there are.
    pub segments: usize,
}

/// What a backup has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    /// The log's id.
    pub log_id: LogId,
    /// When the backup was made, in microseconds since 1970-01-01 UTC.
    pub made_at_us: i64,
    /// Segments.
    pub segments: usize,
    /// Transactions.
    pub transactions: u64,
    /// The last position.
    pub last_position: Position,
    /// When the last command was recorded, in microseconds since 1970-01-01 UTC.
    pub last_recorded_at_us: Option<i64>,
}

/// What a run of [`backup`] did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackedUp {
    /// What the backup has now.
    pub contents: Contents,
    /// The last position that it had before.
    pub before: Position,
    /// Segments that were written.
    pub copied_segments: usize,
    /// Bytes that were written.
    pub copied_bytes: u64,
    /// The last position that stands in the log. What is after the last of the backup is not proven durable yet.
    pub written: Position,
}

/// Why no backup was made. What the backup's folder had before is as it was.
#[derive(Debug, thiserror::Error)]
pub enum BackupRefused {
    /// The log is damaged.
    #[error(transparent)]
    Damaged(#[from] Box<Damage>),
    /// The log's folder, or a segment of it, is not what a log has.
    #[error(transparent)]
    Log(FolderRefused),
    /// The log does not have what its server has acknowledged.
    #[error(
        "position {acknowledged} is said to be acknowledged, but the log in {log} ends at position {written}. Check \
         that it is the folder of that server"
    )]
    NotAcknowledged {
        /// The log's folder.
        log: PathBuf,
        /// What was said.
        acknowledged: Position,
        /// The last position in the log.
        written: Position,
    },
    /// The folder for the backup has something else.
    #[error("{folder} is not empty and holds no backup. Give an empty folder, a new one, or that of an earlier backup")]
    NotEmpty {
        /// The folder.
        folder: PathBuf,
    },
    /// Another backup is being made there.
    #[error("{folder} is in use by {owner}. Wait until that is done")]
    Locked {
        /// The folder.
        folder: PathBuf,
        /// Who holds the lock.
        owner: String,
    },
    /// The folder has a backup of another log.
    #[error("{folder} is a backup of log {found}, this is log {expected}. Give each log a folder of its own")]
    OtherLog {
        /// The folder.
        folder: PathBuf,
        /// The log that it is of.
        found: LogId,
        /// The log to be copied.
        expected: LogId,
    },
    /// The log is not the one that was copied before, or one of the two went another way since.
    #[error(
        "the log has gone another way than its backup in {folder}: {reason}. It was restored or put back from an \
         older copy since. Keep that backup, and make a new one in another folder"
    )]
    Diverged {
        /// The backup's folder.
        folder: PathBuf,
        /// Where they part.
        reason: String,
    },
    /// The earlier backup in the folder cannot be used.
    #[error(transparent)]
    Unsound(#[from] UnsoundBackup),
    /// What was written reads back as something else.
    #[error(
        "{path} was copied and reads back wrong at byte {offset}: {reason}. Look after the disk of the backup; the \
         earlier backup is as it was"
    )]
    CopyDiffers {
        /// The copy.
        path: PathBuf,
        /// Where in the file, in bytes.
        offset: u64,
        /// What is wrong.
        reason: String,
    },
    /// The disk refused.
    #[error(
        "{doing} {path}: {source}. Make room or look after the disk and try again; the earlier backup is as it was"
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

impl From<SurveyError> for BackupRefused {
    fn from(error: SurveyError) -> Self {
        match error {
            SurveyError::Damaged(damage) => Self::Damaged(damage),
            SurveyError::Folder(refused) => Self::Log(refused),
        }
    }
}

/// Copies the log in `log` into the folder `to`: all of it into a new or empty folder, what is new into the folder of
/// an earlier backup. A server may be writing the log. `progress` is called after every segment.
///
/// # Errors
/// [`BackupRefused`]: the log is damaged, the folder is something else's, or a disk refused.
pub fn backup(
    log: &Path,
    to: &Path,
    options: &BackupOptions,
    mut progress: impl FnMut(Progress),
) -> Result<BackedUp, BackupRefused> {
    let source = Source::open(&options.disk, log)?;
    let mut target = Target::open(options, to, source.log_id())?;
    let former = target.manifest.segments.clone();
    source.has(to, &former)?;
    target.prepare()?;
    let numbers = source.segment_numbers()?;
    let mut done = BackedUp {
        contents: target.contents(),
        before: target.manifest.last_position(),
        copied_segments: 0,
        copied_bytes: 0,
        written: Position::START,
    };
    let mut copies = Vec::with_capacity(numbers.len());
    for (index, number) in numbers.iter().enumerate() {
        let before = copies.last().map_or(Link::FIRST, manifest::SegmentCopy::link);
        let earlier_us = copies.last().and_then(|copy: &manifest::SegmentCopy| copy.last_recorded_at_us);
        let known = former.get(index);
        if let Some(known) = known.filter(|known| known.sealed && target.holds(known, before, earlier_us)) {
            done.written = known.last_position;
            copies.push(*known);
        } else {
            let Some(found) = source.look(*number, before)? else { break };
            done.written = found.written();
            let end = found.proven(known.map_or(0, |known| known.bytes), options.acknowledged)?;
            if !found.has_frames_before(end) {
                break;
            }
            match known.filter(|known| known.bytes == end && target.holds(known, before, earlier_us)) {
                Some(known) => copies.push(*known),
                None => {
                    copies.push(target.copy(&found.segment, end, before, earlier_us)?);
                    done.copied_segments += 1;
                    done.copied_bytes += end;
                }
            }
            if !found.ends_at(end) {
                break;
            }
            // A backup that is interrupted further on has all up to here.
            if copies.len() >= former.len() {
                target.write_manifest(&copies)?;
            }
        }
        progress(Progress { segment: *number, segments: numbers.len() });
    }
    if let Some(acknowledged) = options.acknowledged.filter(|acknowledged| *acknowledged > done.written) {
        return Err(BackupRefused::NotAcknowledged { log: log.to_owned(), acknowledged, written: done.written });
    }
    target.write_manifest(&copies)?;
    done.contents = target.contents();
    Ok(done)
}
