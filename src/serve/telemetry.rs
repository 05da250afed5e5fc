//! Structured logs to standard error.

use tracing_subscriber::EnvFilter;

use crate::config::telemetry::{LogFormat, Telemetry};

/// Begins to write log lines. Called once, before anything is worth a line.
pub(super) fn start(telemetry: &Telemetry) {
    let lines = tracing_subscriber::fmt().with_env_filter(EnvFilter::new(&telemetry.filter));
    let lines = lines.with_writer(std::io::stderr);
    match telemetry.format {
        LogFormat::Json => lines.json().flatten_event(true).init(),
        LogFormat::Text => lines.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).init(),
    }
}
