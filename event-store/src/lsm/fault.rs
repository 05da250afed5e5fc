//! What the disk answered, with what was being done to which file. No decision about it lives here.

use std::io;
use std::path::{Path, PathBuf};

/// Something that could not be done to a file. Damage that was read counts as `InvalidData`.
#[derive(Debug, thiserror::Error)]
#[error("{doing} {path}: {source}")]
pub(super) struct DiskFault {
    pub(super) doing: &'static str,
    pub(super) path: PathBuf,
    pub(super) source: io::Error,
}

impl DiskFault {
    /// For `map_err`.
    pub(super) fn when(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self { doing, path, source }
    }

    pub(super) fn damage(path: &Path, reason: String) -> Self {
        Self { doing: "reading", path: path.to_owned(), source: io::Error::new(io::ErrorKind::InvalidData, reason) }
    }
}
