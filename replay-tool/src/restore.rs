//! `restore`: makes a log of a backup again, whole or up to a moment.

use std::io::Write;
use std::path::Path;

use chrono::{DateTime, Utc};
use domain::ids::Position;
use event_store::backup::restore::{RestoreOptions, Restored, Until, restore};
use serde::Serialize;

use crate::Format;
use crate::failure::Failure;
use crate::output;
use crate::progress;
use crate::recorded::time;

#[derive(Debug, Serialize)]
struct Report {
    restored: bool,
    log_id: String,
    segments: u32,
    frames: u64,
    last_position: Position,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_recorded_at: Option<DateTime<Utc>>,
    backup_position: Position,
    /// The transaction that the cut would have gone through; it was left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    not_split: Option<Positions>,
}

#[derive(Debug, Serialize)]
struct Positions {
    first_position: Position,
    last_position: Position,
}

/// A time as it is given.
///
/// # Errors
/// A sentence that says what a time looks like.
pub(crate) fn moment(text: &str) -> Result<DateTime<Utc>, String> {
    let time = DateTime::parse_from_rfc3339(text).map_err(|_| "give a time such as 2026-01-31T12:00:00Z".to_owned())?;
    Ok(time.to_utc())
}

/// How much is restored.
pub(crate) fn until(position: Option<u64>, time: Option<DateTime<Utc>>) -> Until {
    match (position, time) {
        (Some(position), _) => Until::Position(Position(position)),
        (None, Some(time)) => Until::Time(time.timestamp_micros()),
        (None, None) => Until::End,
    }
}

/// Restores and tells what the log has.
pub(crate) fn answer(from: &Path, into: &Path, until: Until, format: Format) -> Result<(), Failure> {
    let bar = progress::segments("restoring");
    let restored = restore(from, into, until, &RestoreOptions::default(), |progress| {
        bar.set_length(progress.segments as u64);
        bar.set_position(u64::from(progress.segment));
    });
    bar.finish_and_clear();
    let report = Report::new(&restored?);
    let mut out = output::stdout();
    match format {
        Format::Json => output::json_line(&mut out, &report)?,
        Format::Table => output::pairs(&mut out, report.rows(into))?,
    }
    Ok(out.flush()?)
}

impl Report {
    fn new(restored: &Restored) -> Self {
        Self {
            restored: true,
            log_id: restored.log_id.to_string(),
            segments: restored.segments,
            frames: restored.transactions,
            last_position: restored.last_position,
            last_recorded_at: restored.last_recorded_at_us.map(time),
            backup_position: restored.backup_position,
            not_split: restored
                .not_split
                .map(|(first_position, last_position)| Positions { first_position, last_position }),
        }
    }

    fn rows(&self, into: &Path) -> Vec<(String, String)> {
        let row = |name: &str, value: String| (name.to_owned(), value);
        let mut rows = vec![
            row("log", self.log_id.clone()),
            row("segments", self.segments.to_string()),
            row("frames", self.frames.to_string()),
            row("last position", self.last_position.to_string()),
            row("last recorded", self.last_recorded_at.map_or("nothing".to_owned(), |at| at.to_rfc3339())),
        ];
        if self.backup_position > self.last_position {
            let from = self.last_position.0 + 1;
            rows.push(row("left out", format!("positions {from} to {} of the backup", self.backup_position)));
        }
        if let Some(Positions { first_position, last_position }) = &self.not_split {
            let told = format!("positions {first_position} to {last_position} are one transaction: all or nothing");
            rows.push(row("not split", told));
        }
        let into = into.display();
        rows.push(row("result", format!("a server can start on {into}; give it empty read models")));
        rows
    }
}
