//! Settings of the HTTP surface.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::time::Duration;

use super::resolve::{Resolved, SettingError};

/// Settings of the HTTP surface.
#[derive(Debug, Clone)]
pub(crate) struct Http {
    /// Where to answer.
    pub listen: SocketAddr,
    /// Whether other machines may reach it although nobody signs in.
    pub allow_unauthenticated: bool,
    /// Connections at once.
    pub connections_max: usize,
    /// How long a client may take to send the head of a request.
    pub header_read_timeout: Duration,
    /// How long the body of a command may take to arrive, and how long a batch, or the reading of an answer, may pause.
    pub body_read_timeout: Duration,
    /// How long a request may take until its answer begins.
    pub request_timeout: Duration,
    /// The largest body of one command, in bytes.
    pub body_bytes_max: usize,
    /// The largest body of a batch, in bytes.
    pub batch_bytes_max: usize,
    /// How long a stop waits for requests on their way.
    pub stop_timeout: Duration,
}

impl Http {
    pub(super) fn read(settings: &Resolved) -> Result<Self, SettingError> {
        Ok(Self {
            listen: settings.get("listen")?,
            allow_unauthenticated: settings.get("allow_unauthenticated")?,
            connections_max: settings.get::<NonZeroUsize>("connections_max")?.get(),
            header_read_timeout: settings.milliseconds("header_read_timeout_ms")?,
            body_read_timeout: settings.milliseconds("body_read_timeout_ms")?,
            request_timeout: settings.milliseconds("request_timeout_ms")?,
            body_bytes_max: settings.get::<NonZeroUsize>("body_bytes_max")?.get(),
            batch_bytes_max: settings.get::<NonZeroUsize>("batch_bytes_max")?.get(),
            stop_timeout: settings.milliseconds("stop_timeout_ms")?,
        })
    }
}
