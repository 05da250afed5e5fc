//! A log's folder: which segments it has, opening one, and `log.json`. Never changes a segment.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::LogId;
use super::segment::{
    FORMAT_VERSION, SEGMENT_HEADER_BYTES, SegmentHeader, SegmentHeaderFault, segment_number, segment_path,
    segments_folder,
};
use crate::disk::{Access, Disk, DiskFile, read_full_at, write_all_at};

/// Why a folder, or one of its segments, is not what a log has. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum FolderRefused {
    /// There is no `log.json`.
    #[error("{folder} holds no log: {folder}/log.json does not exist. Give the folder of a log")]
    NotALog {
        /// The folder.
        folder: PathBuf,
    },
    /// `log.json` cannot be understood.
    #[error("{path} is not a log's description: {reason}. Put it back from a copy of the folder")]
    Description {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A newer program wrote the log.
    #[error(
        "{path} has format version {version}; this program reads versions up to {FORMAT_VERSION}. Use the program \
         that wrote it, or a newer one"
    )]
    NewerFormat {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: u32,
    },
    /// A segment in the middle, or the first, is not there.
    #[error("segment {number} is missing: {path} does not exist but {beyond}. Put the file back from a copy")]
    MissingSegment {
        /// Its number.
        number: u32,
        /// Where it should be.
        path: PathBuf,
        /// What says that it existed.
        beyond: String,
    },
    /// A segment belongs to another log.
    #[error("{path} belongs to log {found}, this is log {expected}. Put the right file back from a copy")]
    ForeignSegment {
        /// The file.
        path: PathBuf,
        /// The log it belongs to.
        found: LogId,
        /// The log of the folder.
        expected: LogId,
    },
    /// A segment's number is not that of its name.
    #[error("{path} says that it is segment {found}. It was renamed or replaced: put the right file back from a copy")]
    WrongNumber {
        /// The file.
        path: PathBuf,
        /// The number in its header.
        found: u32,
    },
    /// A segment's header is damaged, or the file has another length than it says.
    #[error("{path} is damaged at byte 0: {reason}. Put the file back from a copy")]
    SegmentHeader {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
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

/// A log's folder, its identity known.
#[derive(Debug, Clone)]
pub(crate) struct Folder {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) path: PathBuf,
    pub(crate) log_id: LogId,
}

/// A segment open for reading.
#[derive(Debug, Clone)]
pub(crate) struct OpenSegment {
    pub(crate) header: SegmentHeader,
    pub(crate) file: Arc<dyn DiskFile>,
}

impl Folder {
    /// Opens the folder of a log that exists.
    pub(crate) fn open(disk: Arc<dyn Disk>, path: &Path) -> Result<Self, FolderRefused> {
        match read_description(disk.as_ref(), path)? {
            Some(log_id) => Ok(Self { disk, path: path.to_owned(), log_id }),
            None => Err(FolderRefused::NotALog { folder: path.to_owned() }),
        }
    }

    /// The numbers of the segments, in order; an error when one is missing.
    pub(crate) fn segment_numbers(&self) -> Result<Vec<u32>, FolderRefused> {
        let numbers = list_segments(self.disk.as_ref(), &self.path)?;
        let missing = match numbers.iter().zip(1..).find(|(number, expected)| **number != *expected) {
            Some((number, expected)) => Some((expected, format!("segment {number} does"))),
            None if numbers.is_empty() => Some((1, "log.json does".to_owned())),
            None => None,
        };
        match missing {
            Some((number, beyond)) => {
                Err(FolderRefused::MissingSegment { number, path: segment_path(&self.path, number), beyond })
            }
            None => Ok(numbers),
        }
    }

    /// Opens a segment and checks its header; `None` when there is no such file.
    pub(crate) fn segment(&self, number: u32, access: Access) -> Result<Option<OpenSegment>, FolderRefused> {
        let path = segment_path(&self.path, number);
        let Some(segment) = open_segment(self.disk.as_ref(), &path, access)? else { return Ok(None) };
        let header = &segment.header;
        if header.log_id != self.log_id {
            return Err(FolderRefused::ForeignSegment { path, found: header.log_id, expected: self.log_id });
        }
        if header.number != number {
            return Err(FolderRefused::WrongNumber { path, found: header.number });
        }
        Ok(Some(segment))
    }

    /// Opens a segment that must be there.
    pub(crate) fn segment_of(&self, number: u32, access: Access) -> Result<OpenSegment, FolderRefused> {
        self.segment(number, access)?.ok_or_else(|| FolderRefused::MissingSegment {
            number,
            path: segment_path(&self.path, number),
            beyond: "the log goes on there".to_owned(),
        })
    }
}

pub(crate) fn list_segments(disk: &dyn Disk, log: &Path) -> Result<Vec<u32>, FolderRefused> {
    let folder = segments_folder(log);
    let names = disk.names(&folder).map_err(|source| FolderRefused::Io { doing: "listing", path: folder, source })?;
    let mut numbers: Vec<u32> = names.iter().filter_map(|name| segment_number(name)).collect();
    numbers.sort_unstable();
    Ok(numbers)
}

/// Opens a segment and decodes its header, whichever log it is of.
pub(crate) fn open_segment(disk: &dyn Disk, path: &Path, access: Access) -> Result<Option<OpenSegment>, FolderRefused> {
    let io = |doing: &'static str, source: io::Error| FolderRefused::Io { doing, path: path.to_owned(), source };
    let file = match disk.open(path, access) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io("opening", error)),
    };
    let mut bytes = [0; 64];
    let read = read_full_at(file.as_ref(), &mut bytes, 0).map_err(|error| io("reading", error))?;
    let header = SegmentHeader::decode(&bytes[..read]).map_err(|fault| match fault {
        SegmentHeaderFault::NewerFormat(version) => FolderRefused::NewerFormat { path: path.to_owned(), version },
        fault => FolderRefused::SegmentHeader { path: path.to_owned(), reason: fault.to_string() },
    })?;
    let length = file.length().map_err(|error| io("measuring", error))?;
    if length != header.segment_bytes || length < SEGMENT_HEADER_BYTES {
        let reason = format!("the file has {length} bytes, its header says {}", header.segment_bytes);
        return Err(FolderRefused::SegmentHeader { path: path.to_owned(), reason });
    }
    Ok(Some(OpenSegment { header, file }))
}

#[derive(Debug, Serialize, Deserialize)]
struct Description {
    format_version: u32,
    log_id: String,
}

/// The log's identity out of `log.json`; `None` when there is no such file.
pub(crate) fn read_description(disk: &dyn Disk, folder: &Path) -> Result<Option<LogId>, FolderRefused> {
    let path = folder.join("log.json");
    let io = |source: io::Error| FolderRefused::Io { doing: "reading", path: path.clone(), source };
    let file = match disk.open(&path, Access::Read) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io(error)),
    };
    let mut bytes = [0; 4096];
    let read = read_full_at(file.as_ref(), &mut bytes, 0).map_err(io)?;
    let refuse = |reason: String| FolderRefused::Description { path: path.clone(), reason };
    let description: Description = serde_json::from_slice(&bytes[..read]).map_err(|error| refuse(error.to_string()))?;
    if description.format_version > FORMAT_VERSION {
        return Err(FolderRefused::NewerFormat { path, version: description.format_version });
    }
    let log_id = LogId::from_hex(&description.log_id);
    Ok(Some(log_id.ok_or_else(|| refuse("log_id must have 32 hexadecimal digits".to_owned()))?))
}

/// Writes `log.json`, durably and whole.
pub(crate) fn write_description(disk: &dyn Disk, folder: &Path, log_id: LogId) -> io::Result<()> {
    write_whole(disk, folder, "log.json", &description(log_id)?)
}

/// What `log.json` says.
pub(crate) fn description(log_id: LogId) -> io::Result<String> {
    let description = Description { format_version: FORMAT_VERSION, log_id: log_id.to_string() };
    let mut text = serde_json::to_string(&description)?;
    text.push('\n');
    Ok(text)
}

/// Writes a small file so that it is there whole and durable, or as it was before.
pub(crate) fn write_whole(disk: &dyn Disk, folder: &Path, name: &str, text: &str) -> io::Result<()> {
    let unfinished = folder.join(format!("{name}.new"));
    let file = disk.create(&unfinished)?;
    write_all_at(file.as_ref(), text.as_bytes(), 0)?;
    file.sync()?;
    disk.rename(&unfinished, &folder.join(name))?;
    disk.sync_folder(folder)
}
