//! What of the engine's memory is kept in the derived store, and under which numbers. All of it can be made again from
//! the log.

use std::io;
use std::path::PathBuf;

use event_store::lsm::{Damaged, Table};

/// The tables, in the order of their numbers.
pub(super) const NAMES: &[&str] = &["commands", "transfers", "states"];
/// Idempotency keys → where the result stands.
pub(super) const COMMANDS: Table = Table(0);
/// Names of transfers → where they were sent and reversed.
pub(super) const TRANSFERS: Table = Table(1);
/// Names of aggregates → their states.
pub(super) const STATES: Table = Table(2);

/// The form of the values. It must be raised whenever a state or claim is written differently (the golden file in
/// `command-api/tests/golden/` finds out), and whenever an event comes to mean something else for a state: a store of
/// another form is thrown away and made again from the log.
pub(super) const FORMAT: u32 = 1;

/// Says that a value of a table is not what was put there.
pub(super) fn bad_value(table: Table, reason: impl Into<String>) -> Damaged {
    Damaged { path: PathBuf::from(NAMES[table.0]), source: io::Error::new(io::ErrorKind::InvalidData, reason.into()) }
}
