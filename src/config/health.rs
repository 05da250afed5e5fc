//! When the server counts as ready.

use std::time::Duration;

use super::resolve::{Resolved, SettingError};

/// When the server counts as ready.
#[derive(Debug, Clone)]
pub(crate) struct Health {
    /// How far the read models may be behind.
    pub view_lag_max: Duration,
}

impl Health {
    pub(super) fn read(settings: &Resolved) -> Result<Self, SettingError> {
        Ok(Self { view_lag_max: settings.milliseconds("view_lag_ms_max")? })
    }
}
