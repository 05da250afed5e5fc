//! Settings of the read models.

use std::fmt;

use super::resolve::{Resolved, SettingError};

/// Settings of the read models.
#[derive(Clone)]
pub(crate) struct Database {
    /// Where PostgreSQL is, and the password to it.
    pub url: String,
}

impl Database {
    pub(super) fn read(settings: &Resolved) -> Result<Self, SettingError> {
        Ok(Self { url: settings.get("database_url")? })
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database").finish_non_exhaustive()
    }
}
