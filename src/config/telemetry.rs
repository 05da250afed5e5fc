//! What the server says of itself.

use std::str::FromStr;

use tracing_subscriber::EnvFilter;

use super::resolve::{Resolved, SettingError};

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// For programs: one JSON object per line.
    Json,
}

impl FromStr for LogFormat {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err("use text or json"),
        }
    }
}

/// What the server says of itself.
#[derive(Debug, Clone)]
pub(crate) struct Telemetry {
    /// How log lines are written.
    pub format: LogFormat,
    /// Which log lines are written, in the language of `EnvFilter`.
    pub filter: String,
}

impl Telemetry {
    pub(super) fn read(settings: &Resolved) -> Result<Self, SettingError> {
        let format = settings.get("log_format")?;
        settings.get::<EnvFilter>("log_filter")?;
        Ok(Self { format, filter: settings.get("log_filter")? })
    }
}
