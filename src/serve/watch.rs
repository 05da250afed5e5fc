//! Watching the log while it works: what can still be appended, told once when it changes for the worse or the better;
//! and how far the relay to Kafka has come.

use std::time::Duration;

use event_store::kafka::relay::RelayMonitor;
use event_store::kafka::status::RelayState;
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

/// Gauges the relay to Kafka.
pub(super) fn relay(monitor: RelayMonitor) -> JoinHandle<()> {
    metrics::describe_gauge!("bursar_relay_position", "Every event up to this position is in the topic.");
    metrics::describe_gauge!("bursar_relay_lag_events", "Events that are not acknowledged in the topic yet.");
    metrics::describe_counter!("bursar_relay_events_total", "Events that were acknowledged in the topic.");
    metrics::describe_counter!("bursar_relay_watermarks_total", "Watermarks that were acknowledged in the topic.");
    metrics::describe_counter!("bursar_relay_retries_total", "How often the relay began anew after a failure.");
    metrics::describe_gauge!("bursar_relay_state", "1 for the state that the relay is in, 0 for the others.");
    let states = ["starting", "running", "waiting", "stopped"];
    let states = states.map(|state| (state, metrics::gauge!("bursar_relay_state", "state" => state)));
    let (position, lag) = (metrics::gauge!("bursar_relay_position"), metrics::gauge!("bursar_relay_lag_events"));
    let events = metrics::counter!("bursar_relay_events_total");
    let watermarks = metrics::counter!("bursar_relay_watermarks_total");
    let retries = metrics::counter!("bursar_relay_retries_total");
    tokio::spawn(async move {
        let mut interval = tokio::time::interval(INTERVAL);
        loop {
            interval.tick().await;
            let status = monitor.status();
            position.set(status.position.0 as f64);
            lag.set(monitor.lag_events() as f64);
            events.absolute(status.events_total);
            watermarks.absolute(status.watermarks_total);
            retries.absolute(status.retries_total);
            for (state, gauge) in &states {
                gauge.set(if *state == name(&status.state) { 1.0 } else { 0.0 });
            }
        }
    })
}

/// What a state is called outside.
pub(super) const fn name(state: &RelayState) -> &'static str {
    match state {
        RelayState::Starting => "starting",
        RelayState::Running => "running",
        RelayState::Waiting { .. } => "waiting",
        RelayState::Stopped { .. } => "stopped",
    }
}
