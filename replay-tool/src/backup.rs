//! `backup`: copies a log into a folder, or what is new into the folder of an earlier backup.

use std::io::Write;
use std::path::Path;

use chrono::{DateTime, Utc};
use domain::ids::Position;
use event_store::backup::{BackedUp, BackupOptions, Contents, backup};
use serde::Serialize;

use crate::Format;
use crate::failure::Failure;
use crate::output;
use crate::progress;
use crate::recorded::time;

/// What a backup has.
#[derive(Debug, Serialize)]
pub(crate) struct Held {
    log_id: String,
    made_at: DateTime<Utc>,
    segments: usize,
    frames: u64,
    last_position: Position,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_recorded_at: Option<DateTime<Utc>>,
}

/// What was done.
#[derive(Debug, Serialize)]
struct Report {
    backed_up: bool,
    #[serde(flatten)]
    held: Held,
    new_events: u64,
    copied_segments: usize,
    copied_bytes: u64,
    /// The last position in the log, where the backup does not reach it.
    #[serde(skip_serializing_if = "Option::is_none")]
    not_proven_through: Option<Position>,
}

/// Copies the log and tells what was copied.
pub(crate) fn answer(log: &Path, to: &Path, acknowledged: Option<Position>, format: Format) -> Result<(), Failure> {
    let bar = progress::segments("copying");
    let options = BackupOptions { acknowledged, ..BackupOptions::default() };
    let done = backup(log, to, &options, |progress| {
        bar.set_length(progress.segments as u64);
        bar.set_position(u64::from(progress.segment));
    });
    bar.finish_and_clear();
    let report = Report::new(&done?);
    let mut out = output::stdout();
    match format {
        Format::Json => output::json_line(&mut out, &report)?,
        Format::Table => output::pairs(&mut out, report.rows())?,
    }
    Ok(out.flush()?)
}

impl From<&Contents> for Held {
    fn from(contents: &Contents) -> Self {
        Self {
            log_id: contents.log_id.to_string(),
            made_at: time(contents.made_at_us),
            segments: contents.segments,
            frames: contents.transactions,
            last_position: contents.last_position,
            last_recorded_at: contents.last_recorded_at_us.map(time),
        }
    }
}

impl Held {
    pub(crate) fn rows(&self) -> Vec<(String, String)> {
        let row = |name: &str, value: String| (name.to_owned(), value);
        vec![
            row("log", self.log_id.clone()),
            row("backup made", self.made_at.to_rfc3339()),
            row("segments", self.segments.to_string()),
            row("frames", self.frames.to_string()),
            row("last position", self.last_position.to_string()),
            row("last recorded", self.last_recorded_at.map_or("nothing yet".to_owned(), |at| at.to_rfc3339())),
        ]
    }
}

impl Report {
    fn new(done: &BackedUp) -> Self {
        let last = done.contents.last_position;
        Self {
            backed_up: true,
            held: Held::from(&done.contents),
            new_events: last.0.saturating_sub(done.before.0),
            copied_segments: done.copied_segments,
            copied_bytes: done.copied_bytes,
            not_proven_through: (done.written > last).then_some(done.written),
        }
    }

    fn rows(&self) -> Vec<(String, String)> {
        let mut rows = self.held.rows();
        let Self { new_events, copied_segments, copied_bytes, .. } = self;
        rows.push(("copied".to_owned(), format!("{copied_bytes} bytes in {copied_segments} segments")));
        rows.push(("new events".to_owned(), new_events.to_string()));
        if let Some(written) = self.not_proven_through {
            let from = self.held.last_position.0 + 1;
            let told = format!("positions {from} to {written}: the last write, which nothing proves durable yet");
            rows.push(("left for the next backup".to_owned(), told));
        }
        rows.push(("result".to_owned(), format!("the backup is whole up to position {}", self.held.last_position)));
        rows
    }
}
