//! What the engine counts. The handles are taken once, so that counting costs an atomic addition.

use metrics::Counter;

/// Counters of what became of commands.
#[derive(Clone)]
pub(super) struct Counters {
    pub(super) accepted: Counter,
    pub(super) refused: Counter,
    pub(super) replayed: Counter,
    pub(super) not_taken: Counter,
}

impl std::fmt::Debug for Counters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Counters")
    }
}

impl Counters {
    pub(super) fn new() -> Self {
        metrics::describe_counter!("bursar_commands_total", "Commands by what became of them.");
        metrics::describe_gauge!(
            "bursar_checkpoint_position",
            "Up to where keys and transfers are saved beside the log."
        );
        metrics::describe_gauge!("bursar_checkpoint_disk_bytes", "Bytes of the saved state on disk.");
        metrics::describe_gauge!("bursar_checkpoint_filter_bytes", "Bytes of the saved state's filters in memory.");
        metrics::describe_gauge!("bursar_states_in_memory", "States of aggregates in memory at the last checkpoint.");
        metrics::describe_counter!("bursar_checkpoints_failed_total", "Checkpoints that could not be written.");
        Self {
            accepted: metrics::counter!("bursar_commands_total", "outcome" => "accepted"),
            refused: metrics::counter!("bursar_commands_total", "outcome" => "refused"),
            replayed: metrics::counter!("bursar_commands_total", "outcome" => "replayed"),
            not_taken: metrics::counter!("bursar_commands_total", "outcome" => "not_taken"),
        }
    }
}
