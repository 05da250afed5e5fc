//! `backup.json`: what a backup has, segment by segment, so that it can be checked without the log that it is of.
//! Drawn in `docs/log-format.md`. Reads and writes this one file.

#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;

use std::path::Path;

use domain::ids::Position;
use serde::{Deserialize, Serialize};

use super::unsound::UnsoundBackup;
use crate::disk::{Access, Disk, read_full_at};
use crate::log::LogId;
use crate::log::scan::Link;

/// The file's name.
pub(crate) const MANIFEST: &str = "backup.json";
/// The version of backups that this program makes, and the newest it reads.
pub(crate) const BACKUP_VERSION: u32 = 1;

/// Longer is no manifest of a log that fits a disk.
const MANIFEST_BYTES_MAX: u64 = 256 << 20;
/// What stands around the digits of the checksum, which are the last member.
const BEFORE_CHECKSUM: &str = "\"crc32c\":\"";
const AFTER_CHECKSUM: &str = "\"}\n";
const CHECKSUM_DIGITS: usize = 8;

/// What a backup has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Manifest {
    pub(crate) log_id: LogId,
    pub(crate) made_at_us: i64,
    pub(crate) segments: Vec<SegmentCopy>,
}

/// The copy of one segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SegmentCopy {
    pub(crate) number: u32,
    pub(crate) stamp: u64,
    /// Length of the file.
    pub(crate) segment_bytes: u64,
    /// Offset after the last frame that was copied.
    pub(crate) bytes: u64,
    /// Whether that frame is the footer.
    pub(crate) sealed: bool,
    /// The last position in the log up to here.
    pub(crate) last_position: Position,
    /// When the last command up to here was recorded, in microseconds since 1970-01-01 UTC.
    pub(crate) last_recorded_at_us: Option<i64>,
    /// Transactions in the segment.
    pub(crate) transactions: u64,
    /// The chain after the last frame.
    pub(crate) chain: u32,
    /// Checksum of the first `bytes` bytes of the file.
    pub(crate) crc: u32,
}

impl SegmentCopy {
    /// What the next segment takes over.
    pub(crate) const fn link(&self) -> Link {
        Link { stamp: self.stamp, chain: self.chain, next_position: Position(self.last_position.0 + 1) }
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    backup_version: u32,
    log_id: String,
    made_at_us: i64,
    last_position: u64,
    last_recorded_at_us: Option<i64>,
    segments: Vec<WrittenSegment>,
    crc32c: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenSegment {
    number: u32,
    stamp: String,
    segment_bytes: u64,
    bytes: u64,
    sealed: bool,
    last_position: u64,
    last_recorded_at_us: Option<i64>,
    transactions: u64,
    chain: String,
    crc32c: String,
}

#[derive(Debug, Deserialize)]
struct Version {
    backup_version: u32,
}

impl Manifest {
    pub(crate) fn last_position(&self) -> Position {
        self.segments.last().map_or(Position::START, |segment| segment.last_position)
    }

    pub(crate) fn last_recorded_at_us(&self) -> Option<i64> {
        self.segments.last().and_then(|segment| segment.last_recorded_at_us)
    }

    pub(crate) fn transactions(&self) -> u64 {
        self.segments.iter().map(|segment| segment.transactions).sum()
    }

    /// The file's text. The checksum is taken over all of it, with zeros for its own digits.
    pub(crate) fn encode(&self) -> Result<String, serde_json::Error> {
        let written = Written {
            backup_version: BACKUP_VERSION,
            log_id: self.log_id.to_string(),
            made_at_us: self.made_at_us,
            last_position: self.last_position().0,
            last_recorded_at_us: self.last_recorded_at_us(),
            segments: self.segments.iter().map(WrittenSegment::from).collect(),
            crc32c: "0".repeat(CHECKSUM_DIGITS),
        };
        let mut text = serde_json::to_string(&written)?;
        text.push('\n');
        let crc = crc32c::crc32c(text.as_bytes());
        text.truncate(text.len() - CHECKSUM_DIGITS - AFTER_CHECKSUM.len());
        Ok(text + &format!("{crc:08x}{AFTER_CHECKSUM}"))
    }

    /// Reads the file's bytes, or says what is wrong with them.
    pub(crate) fn decode(path: &Path, bytes: &[u8]) -> Result<Self, UnsoundBackup> {
        let refuse = |reason: &str| UnsoundBackup::Manifest { path: path.to_owned(), reason: reason.to_owned() };
        check_checksum(bytes).map_err(refuse)?;
        let version: Version = serde_json::from_slice(bytes).map_err(|error| refuse(&error.to_string()))?;
        if version.backup_version > BACKUP_VERSION {
            return Err(UnsoundBackup::Newer { path: path.to_owned(), version: version.backup_version });
        }
        let written: Written = serde_json::from_slice(bytes).map_err(|error| refuse(&error.to_string()))?;
        let log_id =
            LogId::from_hex(&written.log_id).ok_or_else(|| refuse("log_id must have 32 hexadecimal digits"))?;
        let segments: Option<Vec<SegmentCopy>> = written.segments.iter().map(WrittenSegment::read).collect();
        let segments = segments.ok_or_else(|| refuse("a stamp, chain or checksum is no hexadecimal number"))?;
        let manifest = Self { log_id, made_at_us: written.made_at_us, segments };
        let in_order = manifest.segments.iter().zip(1..).all(|(segment, number)| segment.number == number);
        let open = manifest.segments.iter().rev().skip(1).any(|segment| !segment.sealed);
        // What is worked out from these numbers must not run over.
        let transactions =
            manifest.segments.iter().try_fold(0_u64, |sum, segment| sum.checked_add(segment.transactions));
        if transactions.is_none() || manifest.segments.iter().any(|segment| segment.last_position.0 == u64::MAX) {
            return Err(refuse("its numbers are impossible"));
        }
        if !in_order || open || manifest.last_position().0 != written.last_position {
            return Err(refuse("its segments do not follow each other"));
        }
        Ok(manifest)
    }
}

impl From<&SegmentCopy> for WrittenSegment {
    fn from(copy: &SegmentCopy) -> Self {
        Self {
            number: copy.number,
            stamp: format!("{:016x}", copy.stamp),
            segment_bytes: copy.segment_bytes,
            bytes: copy.bytes,
            sealed: copy.sealed,
            last_position: copy.last_position.0,
            last_recorded_at_us: copy.last_recorded_at_us,
            transactions: copy.transactions,
            chain: format!("{:08x}", copy.chain),
            crc32c: format!("{:08x}", copy.crc),
        }
    }
}

impl WrittenSegment {
    fn read(&self) -> Option<SegmentCopy> {
        Some(SegmentCopy {
            number: self.number,
            stamp: u64::from_str_radix(&self.stamp, 16).ok()?,
            segment_bytes: self.segment_bytes,
            bytes: self.bytes,
            sealed: self.sealed,
            last_position: Position(self.last_position),
            last_recorded_at_us: self.last_recorded_at_us,
            transactions: self.transactions,
            chain: u32::from_str_radix(&self.chain, 16).ok()?,
            crc: u32::from_str_radix(&self.crc32c, 16).ok()?,
        })
    }
}

/// The checksum stands at the end in every version, so a damaged version number is not taken for a newer one.
fn check_checksum(bytes: &[u8]) -> Result<(), &'static str> {
    let cut_short = "it ends in the middle";
    let text = bytes.strip_suffix(AFTER_CHECKSUM.as_bytes()).ok_or(cut_short)?;
    let (text, digits) = text.split_at_checked(text.len().saturating_sub(CHECKSUM_DIGITS)).ok_or(cut_short)?;
    if !text.ends_with(BEFORE_CHECKSUM.as_bytes()) {
        return Err(cut_short);
    }
    let crc = [&[b'0'; CHECKSUM_DIGITS], AFTER_CHECKSUM.as_bytes()]
        .iter()
        .fold(crc32c::crc32c(text), |crc, bytes| crc32c::crc32c_append(crc, bytes));
    if format!("{crc:08x}").as_bytes() == digits { Ok(()) } else { Err("its checksum differs") }
}

/// The manifest of the backup in `folder`; `None` when there is no such file.
pub(crate) fn read_manifest(disk: &dyn Disk, folder: &Path) -> Result<Option<Manifest>, UnsoundBackup> {
    let path = folder.join(MANIFEST);
    match read_small(disk, &path, MANIFEST_BYTES_MAX) {
        Ok(bytes) => Manifest::decode(&path, &bytes).map(Some),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(UnsoundBackup::Io { doing: "reading", path, source }),
    }
}

/// All bytes of a file, up to a limit.
pub(crate) fn read_small(disk: &dyn Disk, path: &Path, bytes_max: u64) -> std::io::Result<Vec<u8>> {
    let file = disk.open(path, Access::Read)?;
    let mut bytes = vec![0; usize::try_from(file.length()?.min(bytes_max)).unwrap_or(usize::MAX)];
    let read = read_full_at(file.as_ref(), &mut bytes, 0)?;
    bytes.truncate(read);
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn manifest() -> Manifest {
        let sealed = SegmentCopy {
            number: 1,
            stamp: 0x1f,
            segment_bytes: 16384,
            bytes: 9000,
            sealed: true,
            last_position: Position(7),
            last_recorded_at_us: Some(-3),
            transactions: 4,
            chain: 0xabc,
            crc: 0xdef,
        };
        let open = SegmentCopy { number: 2, sealed: false, last_position: Position(9), ..sealed };
        Manifest { log_id: LogId([9; 16]), made_at_us: 1_700_000_000_000_000, segments: vec![sealed, open] }
    }

    #[test]
    fn a_manifest_is_written_as_it_is_drawn_and_read_back() {
        let text = manifest().encode().unwrap();
        let expected = concat!(
            r#"{"backup_version":1,"log_id":"09090909090909090909090909090909","made_at_us":1700000000000000,"#,
            r#""last_position":9,"last_recorded_at_us":-3,"segments":["#,
            r#"{"number":1,"stamp":"000000000000001f","segment_bytes":16384,"bytes":9000,"sealed":true,"#,
            r#""last_position":7,"last_recorded_at_us":-3,"transactions":4,"chain":"00000abc","crc32c":"00000def"},"#,
            r#"{"number":2,"stamp":"000000000000001f","segment_bytes":16384,"bytes":9000,"sealed":false,"#,
            r#""last_position":9,"last_recorded_at_us":-3,"transactions":4,"chain":"00000abc","crc32c":"00000def"}],"#,
            r#""crc32c":""#
        );
        assert_eq!(&text[..expected.len()], expected);
        assert_eq!(Manifest::decode(Path::new("backup.json"), text.as_bytes()).unwrap(), manifest());
    }

    #[test]
    fn every_flipped_bit_and_every_cut_of_a_manifest_is_found() {
        let text = manifest().encode().unwrap().into_bytes();
        for bit in 0..text.len() * 8 {
            let mut flipped = text.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let unsound = Manifest::decode(Path::new("backup.json"), &flipped).unwrap_err();
            assert!(matches!(unsound, UnsoundBackup::Manifest { .. }), "bit {bit}: {unsound}");
        }
        for end in 0..text.len() {
            assert!(Manifest::decode(Path::new("backup.json"), &text[..end]).is_err(), "cut at {end}");
        }
    }
}
