//! Watching the log while it works: what can still be appended, told once when it changes for the worse or the better.

use std::time::Duration;

use event_store::log::Log;
use tokio::task::JoinHandle;

/// How often the log is looked at.
const INTERVAL: Duration = Duration::from_secs(1);

/// Tells when the disk is full, or the next segment cannot be made, and when that is over; and gauges the log.
pub(super) fn room(log: Log) -> JoinHandle<()> {
    metrics::describe_gauge!("bursar_log_position", "The last durable position of the log.");
    metrics::describe_gauge!("bursar_log_room_bytes", "Bytes that can be appended to the log for certain.");
    metrics::describe_counter!("bursar_log_scrub_bytes_total", "Bytes of the log that were read again to find damage.");
    metrics::describe_counter!("bursar_log_scrub_damaged_total", "How often a segment of the log was found damaged.");
    metrics::describe_gauge!(
        "bursar_log_scrub_last_pass_timestamp_seconds",
        "When the last pass over the whole log ended; 0 before the first."
    );
    let scrub_bytes = metrics::counter!("bursar_log_scrub_bytes_total");
    let scrub_damaged = metrics::counter!("bursar_log_scrub_damaged_total");
    let scrub_pass = metrics::gauge!("bursar_log_scrub_last_pass_timestamp_seconds");
    let position = metrics::gauge!("bursar_log_position");
    let room_bytes = metrics::gauge!("bursar_log_room_bytes");
    tokio::spawn(async move {
        let mut interval = tokio::time::interval(INTERVAL);
        let mut in_the_way = None;
        loop {
            interval.tick().await;
            let room = log.room();
            // Gauges are floating-point by their format; a position is exact in one up to 2^53.
            position.set(log.durable().0 as f64);
            room_bytes.set(room.bytes as f64);
            let scrub = log.scrub_status();
            scrub_bytes.absolute(scrub.bytes_total);
            scrub_damaged.absolute(scrub.damaged_total);
            scrub_pass.set((scrub.last_pass_at_us.unwrap_or(0) / 1_000_000) as f64);
            let now = room.disk_full.or(room.stalled);
            match (&in_the_way, &now) {
                (None, Some(reason)) => tracing::error!(%reason, "the log cannot grow; commands will be refused"),
                (Some(_), None) => tracing::info!("the log can grow again"),
                _ => {}
            }
            in_the_way = now;
        }
    })
}
