//! What the worker measures, under the names that it has in Prometheus.

use std::time::Duration;

use domain::ids::Position;
use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};

use crate::checkpoint::READ_MODELS;

/// Says what each of them is.
pub(crate) fn describe() {
    describe_counter!("bursar_projection_events_total", "Events that were applied to the read models.");
    describe_histogram!("bursar_projection_batch_seconds", "How long PostgreSQL took for a batch of events.");
    describe_gauge!("bursar_projection_position", "The last position of the log that was applied to the read models.");
    describe_gauge!("bursar_projection_lag_events", "How many events the read models are behind the log.");
    describe_counter!("bursar_projection_retries_total", "What failed and was tried again.");
    describe_gauge!(
        "bursar_projection_parked_streams",
        "Streams of which nothing is applied until somebody has looked, because an event of them could not be applied."
    );
    describe_gauge!(
        "bursar_projection_stopped",
        "1 where the worker applies nothing any more until somebody has looked."
    );
}

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

/// How many streams are parked.
pub(crate) fn parked(streams: u64) {
    gauge!("bursar_projection_parked_streams", "projection" => READ_MODELS).set(streams as f64);
}

/// Whether the worker has stopped for good.
pub(crate) fn stopped(stopped: bool) {
    gauge!("bursar_projection_stopped", "projection" => READ_MODELS).set(if stopped { 1.0 } else { 0.0 });
}
