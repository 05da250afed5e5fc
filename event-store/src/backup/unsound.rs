//! What can be wrong with a backup, in words; found by whoever reads one.

use std::io;
use std::path::PathBuf;

use crate::backup::manifest::BACKUP_VERSION;
use crate::log::folder::FolderRefused;

/// Why a folder is not a backup that can be used. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum UnsoundBackup {
    /// There is no `backup.json`.
    #[error("{folder} holds no backup: {folder}/backup.json does not exist. Give the folder of a backup")]
    NotABackup {
        /// The folder.
        folder: PathBuf,
    },
    /// `backup.json` is damaged.
    #[error("{path} is damaged: {reason}. Use another copy of the backup, or make a new one in an empty folder")]
    Manifest {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A newer program made the backup.
    #[error(
        "{path} has backup version {version}; this program reads versions up to {BACKUP_VERSION}. Use the program \
         that made the backup, or a newer one"
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: u32,
    },
    /// The first backup into the folder was interrupted before it had anything.
    #[error("{folder} holds the beginning of a backup and nothing else yet. Run the backup again")]
    Empty {
        /// The folder.
        folder: PathBuf,
    },
    /// Bytes are not those that were copied.
    #[error(
        "{path} is damaged{}: {reason}. Use another copy of the backup, or make a new one in an empty folder",
        .offset.map(|offset| format!(" at byte {offset}")).unwrap_or_default()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where in the file, in bytes, where that is known.
        offset: Option<u64>,
        /// What is wrong.
        reason: String,
    },
    /// A segment is missing, of another log, or its header is damaged.
    #[error("in the backup: {0}")]
    Folder(#[from] FolderRefused),
    /// The disk refused.
    #[error("{doing} {path}: {source}. Look after the disk and try again")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To which file.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
}
