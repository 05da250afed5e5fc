//! What the worker measures, under the names that it has in Prometheus.

use std::time::Duration;

use domain::ids::Position;
use metrics::{counter, gauge, histogram};

use crate::checkpoint::READ_MODELS;

/// A batch was written, which took so long.
pub(crate) fn batch_written(position: Position, head: Position, events: u64, took: Duration) {
    counter!("bursar_projection_events_total", "projection" => READ_MODELS).increment(events);
    histogram!("bursar_projection_batch_seconds", "projection" => READ_MODELS).record(took);
    at(position, head);
}

/// Where the read models are, and where the log is.
pub(crate) fn at(position: Position, head: Position) {
    gauge!("bursar_projection_position", "projection" => READ_MODELS).set(position.0 as f64);
    gauge!("bursar_projection_lag_events", "projection" => READ_MODELS).set(head.0.saturating_sub(position.0) as f64);
}

/// Something failed and will be tried again.
pub(crate) fn retried(what: &'static str) {
    counter!("bursar_projection_retries_total", "projection" => READ_MODELS, "what" => what).increment(1);
}

/// Whether the worker has stopped for good.
pub(crate) fn stopped(stopped: bool) {
    gauge!("bursar_projection_stopped", "projection" => READ_MODELS).set(if stopped { 1.0 } else { 0.0 });
}
