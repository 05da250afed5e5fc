//! What the scrubber tells: for health checks and metrics.

use std::fmt;
use std::path::{Path, PathBuf};

use domain::ids::Position;

use crate::log::reader::ReadError;
use crate::log::segment::segment_path;

/// How far the scrubber is and what it has found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ScrubStatus {
    /// Whether it works.
    pub running: bool,
    /// Bytes of segments that were read again, since the process began.
    pub bytes_total: u64,
    /// How often a segment was found damaged, since the process began.
    pub damaged_total: u64,
    /// When the last pass over all sealed segments ended, in microseconds since 1970-01-01 UTC, where one has since
    /// the process began.
    pub last_pass_at_us: Option<i64>,
    /// The segments that are damaged, as they were read last; the first hundred.
    pub damaged: Vec<ScrubDamage>,
}

/// A damaged segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScrubDamage {
    /// Its number.
    pub segment: u32,
    /// Its file.
    pub path: PathBuf,
    /// Where the damage begins, in bytes.
    pub offset: u64,
    /// The first position that may be affected, where that is known.
    pub first_position: Option<Position>,
    /// The last position that may be affected, where that is known.
    pub last_position: Option<Position>,
    /// What is wrong.
    pub reason: String,
}

impl ScrubDamage {
    /// What to do about it.
    pub const CURE: &str = "Stop the server, put the file back from a copy of the log, and start again; until then \
         commands are still taken, and what is not damaged is read";

    pub(super) fn of(segment: u32, log: &Path, error: &ReadError) -> Self {
        match error {
            ReadError::Damaged(damage) => Self {
                segment,
                path: damage.path.clone(),
                offset: damage.offset,
                first_position: Some(damage.first_position),
                last_position: damage.last_position,
                reason: damage.reason.clone(),
            },
            ReadError::Folder(refused) => Self {
                segment,
                path: segment_path(log, segment),
                offset: 0,
                first_position: None,
                last_position: None,
                reason: refused.to_string(),
            },
        }
    }
}

impl fmt::Display for ScrubDamage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "segment {} ({}) is damaged at byte {}: {}.",
            self.segment,
            self.path.display(),
            self.offset,
            self.reason
        )?;
        if let Some(first) = self.first_position {
            write!(f, " Events from position {first}")?;
            if let Some(last) = self.last_position {
                write!(f, " to {last}")?;
            }
            f.write_str(" are affected.")?;
        }
        write!(f, " {}", Self::CURE)
    }
}
