//! Settings of the log and the engine.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use super::resolve::{Resolved, SettingError};

/// Settings of the log and the engine.
#[derive(Debug, Clone)]
pub(crate) struct WriteSide {
    /// The folder of the log.
    pub data: PathBuf,
    /// Length of new segments in bytes.
    pub segment_bytes: u64,
    /// Commands that may wait for their answer at once.
    pub commands_in_flight_max: usize,
}

impl WriteSide {
    pub(super) fn read(settings: &Resolved) -> Result<Self, SettingError> {
        Ok(Self {
            data: settings.get("data")?,
            segment_bytes: settings.get("segment_bytes")?,
            commands_in_flight_max: settings.get::<NonZeroUsize>("commands_in_flight_max")?.get(),
        })
    }
}
