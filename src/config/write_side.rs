//! Settings of the log and the engine.

use std::num::{NonZeroU64, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

use event_store::log::scrub::ScrubOptions;

use super::resolve::{Resolved, SettingError};

/// Settings of the log and the engine.
#[derive(Debug, Clone)]
pub(crate) struct WriteSide {
    /// The folder of the log.
    pub data: PathBuf,
    /// Length of new segments in bytes.
    pub segment_bytes: u64,
    /// How sealed segments are read again; `None` when they are not.
    pub scrub: Option<ScrubOptions>,
    /// Commands that may wait for their answer at once.
    pub commands_in_flight_max: usize,
    /// States of each kind of aggregate that are kept in memory.
    pub states_in_memory_max: usize,
    /// After so many events all changed state is saved.
    pub snapshot_events: u64,
}

impl WriteSide {
    pub(super) fn read(settings: &Resolved) -> Result<Self, SettingError> {
        Ok(Self {
            data: settings.get("data")?,
            segment_bytes: settings.get("segment_bytes")?,
            scrub: read_scrub(settings)?,
            commands_in_flight_max: settings.get::<NonZeroUsize>("commands_in_flight_max")?.get(),
            states_in_memory_max: settings.get("states_in_memory_max")?,
            snapshot_events: settings.get::<NonZeroU64>("snapshot_events")?.get(),
        })
    }
}

fn read_scrub(settings: &Resolved) -> Result<Option<ScrubOptions>, SettingError> {
    let bytes_per_second = settings.get("scrub_bytes_per_second")?;
    let interval = Duration::from_secs(settings.get::<u32>("scrub_interval_s")?.into());
    Ok((bytes_per_second > 0).then_some(ScrubOptions { bytes_per_second, interval }))
}
