//! Why a question has no good answer, and the exit code that says so to a script.

use std::io;
use std::process::ExitCode;

use domain::ids::Position;
use event_store::backup::BackupRefused;
use event_store::backup::restore::RestoreRefused;
use event_store::backup::unsound::UnsoundBackup;
use event_store::log::folder::FolderRefused;
use event_store::log::reader::ReadError;
use event_store::log::survey::Damage;
use event_store::log::verify::VerifyError;

/// Why a question has no good answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// Bytes of the log are not what was written.
    #[error("{0}")]
    Damaged(Box<Damage>),
    /// A part of the log is missing, or is another log's.
    #[error("{0}")]
    Incomplete(FolderRefused),
    /// The bytes are whole, but what they say breaks a rule that always holds.
    #[error("the log does not verify at position {position}: {reason}")]
    Broken {
        /// Where.
        position: Position,
        /// Which rule, with the figures.
        reason: String,
    },
    /// The log cannot be read.
    #[error("{0}")]
    Unreadable(FolderRefused),
    /// Bytes of a backup are not what was copied.
    #[error("{0}")]
    BackupDamaged(UnsoundBackup),
    /// A backup cannot be read or written, or a log cannot be restored.
    #[error("{0}")]
    Unusable(String),
    /// What was said on the command line cannot be meant.
    #[error("{0}")]
    Usage(String),
    /// A stream of the read models cannot be applied.
    #[error("{stream} stays parked at position {at}: {error}")]
    StillParked {
        /// The stream.
        stream: String,
        /// The event.
        at: u64,
        /// What was said about it.
        error: String,
    },
    /// The rows of a rebuild are not those of the live read models.
    #[error(
        "{rows} rows differ from the live ones, which are as they were; with --accept-differences the new build is put \
         in place"
    )]
    Differs {
        /// How many.
        rows: i64,
    },
    /// Nothing was done, because it would have been wrong.
    #[error("{0}")]
    Refused(String),
    /// The answer cannot be written.
    #[error("cannot write the answer: {0}")]
    Output(io::Error),
    /// Whoever read the answer stopped reading, as `head` does.
    #[error("nobody reads the answer any more")]
    ReaderGone,
}

impl Failure {
    /// The code that the process ends with.
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Damaged(_) | Self::Incomplete(_) | Self::Broken { .. } | Self::BackupDamaged(_) => ExitCode::from(1),
            Self::StillParked { .. } | Self::Differs { .. } => ExitCode::from(1),
            Self::Usage(_) => ExitCode::from(2),
            Self::Unreadable(_) | Self::Unusable(_) | Self::Output(_) | Self::ReaderGone => ExitCode::from(3),
            Self::Refused(_) => ExitCode::from(4),
        }
    }
}

impl From<FolderRefused> for Failure {
    fn from(refused: FolderRefused) -> Self {
        match refused {
            FolderRefused::NotALog { .. } | FolderRefused::NewerFormat { .. } | FolderRefused::Io { .. } => {
                Self::Unreadable(refused)
            }
            _ => Self::Incomplete(refused),
        }
    }
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Damaged(damage) => Self::Damaged(damage),
            ReadError::Folder(refused) => refused.into(),
        }
    }
}

impl From<VerifyError> for Failure {
    fn from(error: VerifyError) -> Self {
        match error {
            VerifyError::Damaged(damage) => Self::Damaged(damage),
            VerifyError::Folder(refused) => refused.into(),
        }
    }
}

impl From<UnsoundBackup> for Failure {
    fn from(unsound: UnsoundBackup) -> Self {
        match unsound {
            UnsoundBackup::Manifest { .. } | UnsoundBackup::Damaged { .. } => Self::BackupDamaged(unsound),
            UnsoundBackup::Folder(FolderRefused::Io { .. } | FolderRefused::NewerFormat { .. }) => {
                Self::Unusable(unsound.to_string())
            }
            UnsoundBackup::Folder(_) => Self::BackupDamaged(unsound),
            _ => Self::Unusable(unsound.to_string()),
        }
    }
}

impl From<BackupRefused> for Failure {
    fn from(refused: BackupRefused) -> Self {
        match refused {
            BackupRefused::Damaged(damage) => Self::Damaged(damage),
            BackupRefused::Log(refused) => refused.into(),
            BackupRefused::Unsound(unsound) => unsound.into(),
            BackupRefused::CopyDiffers { .. } | BackupRefused::Io { .. } => Self::Unusable(refused.to_string()),
            _ => Self::Refused(refused.to_string()),
        }
    }
}

impl From<RestoreRefused> for Failure {
    fn from(refused: RestoreRefused) -> Self {
        match refused {
            RestoreRefused::Unsound(unsound) => unsound.into(),
            RestoreRefused::CopyDiffers { .. } | RestoreRefused::Io { .. } => Self::Unusable(refused.to_string()),
            _ => Self::Refused(refused.to_string()),
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe { Self::ReaderGone } else { Self::Output(error) }
    }
}
