//! The configuration: read once, here, into typed structs per concern. Where a setting comes from is decided in
//! `config/resolve.rs` (flag, then environment, then file, then default); what settings there are, in `config/table.rs`.

#[cfg(test)]
mod fuzzing;
pub(crate) mod health;
pub(crate) mod http;
pub(crate) mod kafka;
pub(crate) mod read_side;
pub(crate) mod resolve;
pub(crate) mod table;
pub(crate) mod telemetry;
pub(crate) mod write_side;

use self::health::Health;
use self::http::Http;
use self::kafka::Stream;
use self::read_side::ReadSide;
use self::resolve::{Resolved, SettingError};
use self::telemetry::Telemetry;
use self::write_side::WriteSide;

/// Everything that the server is told.
#[derive(Debug, Clone)]
pub(crate) struct Configuration {
    /// The log and the engine.
    pub write_side: WriteSide,
    /// The read models.
    pub read_side: ReadSide,
    /// Where events are sent to and read from, where that is not this process alone.
    pub stream: Stream,
    /// The HTTP surface.
    pub http: Http,
    /// When the server counts as ready.
    pub health: Health,
    /// What it says of itself.
    pub telemetry: Telemetry,
}

impl Configuration {
    /// Reads every setting into its type.
    ///
    /// # Errors
    /// [`SettingError`]: the first setting that is missing or cannot be, with where it came from.
    pub(crate) fn read(settings: &Resolved) -> Result<Self, SettingError> {
        Ok(Self {
            write_side: WriteSide::read(settings)?,
            read_side: ReadSide::read(settings)?,
            stream: Stream::read(settings)?,
            http: Http::read(settings)?,
            health: Health::read(settings)?,
            telemetry: Telemetry::read(settings)?,
        })
    }
}
