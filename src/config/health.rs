//! When the server counts as ready.

use super::resolve::{Resolved, SettingError};

/// When the server counts as ready.
#[derive(Debug, Clone)]
pub(crate) struct Health {
    /// How many events the read models may be behind.
    pub view_lag_events_max: u64,
}

impl Health {
    pub(super) fn read(settings: &Resolved) -> Result<Self, SettingError> {
        Ok(Self { view_lag_events_max: settings.get("view_lag_events_max")? })
    }
}
