//! `verify`: is every frame whole, is every position and version there, can every event be understood, and do the
//! books balance? `verify/books.rs` keeps the books.

mod books;

use std::path::Path;

use chrono::{DateTime, Utc};
use domain::ids::Position;
use event_store::log::reader::LogReader;
use event_store::log::survey::Damage;
use event_store::log::verify::{Verified, verify};
use serde::Serialize;

use self::books::{Books, Trial};
use crate::Format;
use crate::failure::Failure;
use crate::output;
use crate::progress::{self, Counter};
use crate::recorded::{decode, time};

/// What a whole log has.
#[derive(Debug, Serialize)]
struct Report {
    verified: bool,
    log_id: String,
    segments: u64,
    frames: u64,
    commands: u64,
    events: u64,
    streams: u64,
    last_position: Position,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_recorded_at: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unfinished_write: Option<UnfinishedWrite>,
    trial_balance: Vec<Trial>,
}

/// What a crash, or a write on its way, left after the last whole frame.
#[derive(Debug, Serialize)]
struct UnfinishedWrite {
    segment: u32,
    offset: u64,
    bytes: u64,
}

/// What is wrong with a log that is not whole.
#[derive(Debug, Serialize)]
struct Fault<'a> {
    verified: bool,
    #[serde(flatten)]
    place: Option<Place<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_position: Option<Position>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_position: Option<Position>,
    reason: String,
}

#[derive(Debug, Serialize)]
struct Place<'a> {
    segment: u32,
    path: &'a Path,
    offset: u64,
}

/// Answers on standard output; the first damage is told there too where the answer is JSON.
pub(crate) fn answer(folder: &Path, format: Format) -> Result<(), Failure> {
    let checked = check(folder);
    let mut out = output::stdout();
    match (&checked, format) {
        (Ok(report), Format::Json) => output::json_line(&mut out, report)?,
        (Ok(report), Format::Table) => output::pairs(&mut out, report.rows())?,
        (Err(failure), Format::Json) => {
            if let Some(fault) = fault(failure) {
                output::json_line(&mut out, &fault)?;
            }
        }
        (Err(_), Format::Table) => {}
    }
    std::io::Write::flush(&mut out)?;
    checked.map(|_| ())
}

fn check(folder: &Path) -> Result<Report, Failure> {
    let bar = progress::segments("checking");
    let verified = verify(folder, |progress| {
        bar.set_length(progress.segments as u64);
        bar.inc(1);
    });
    bar.finish_and_clear();
    let verified = verified?;
    let (books, last_recorded_at) = read_events(folder, verified.last_position)?;
    Ok(Report::new(&verified, last_recorded_at, books.trials()))
}

/// Understands every event up to a position and books it.
fn read_events(folder: &Path, last: Position) -> Result<(Books, Option<DateTime<Utc>>), Failure> {
    let mut books = Books::default();
    let mut last_us = None;
    let mut counter = Counter::start("reading events");
    let mut frames = LogReader::open(folder)?.frames_after(Position::START)?;
    while let Some(frame) = frames.next_frame()? {
        // A running server goes on writing: what came after the first pass is for the next verification.
        if frame.first_position() > last {
            break;
        }
        for entry in frame.entries() {
            let (position, us) = (entry.last_position(), entry.recorded_at_us());
            if last_us.is_some_and(|before| us < before) {
                let reason = format!("{} is earlier than the time of the command before it", time(us));
                return Err(Failure::Broken { position, reason });
            }
            last_us = Some(us);
            for record in entry.events() {
                books.book(&decode(&record)?);
                counter.step();
            }
            books.check().map_err(|reason| Failure::Broken { position, reason })?;
        }
    }
    Ok((books, last_us.map(time)))
}

fn fault(failure: &Failure) -> Option<Fault<'_>> {
    let reason = failure.to_string();
    match failure {
        Failure::Damaged(damage) => {
            let Damage { segment, path, offset, first_position, last_position, reason } = damage.as_ref();
            let place = Some(Place { segment: *segment, path, offset: *offset });
            let (first_position, last_position) = (Some(*first_position), *last_position);
            Some(Fault { verified: false, place, first_position, last_position, reason: reason.clone() })
        }
        Failure::Broken { position, reason } => {
            let at = Some(*position);
            Some(Fault { verified: false, place: None, first_position: at, last_position: at, reason: reason.clone() })
        }
        Failure::Incomplete(_) => {
            Some(Fault { verified: false, place: None, first_position: None, last_position: None, reason })
        }
        Failure::BackupDamaged(_)
        | Failure::Unreadable(_)
        | Failure::Unusable(_)
        | Failure::Refused(_)
        | Failure::Usage(_)
        | Failure::StillParked { .. }
        | Failure::Differs { .. }
        | Failure::Output(_)
        | Failure::ReaderGone => None,
    }
}

impl Report {
    fn new(verified: &Verified, last_recorded_at: Option<DateTime<Utc>>, trial_balance: Vec<Trial>) -> Self {
        let torn = verified.torn.map(|(segment, offset, bytes)| UnfinishedWrite { segment, offset, bytes });
        Self {
            verified: true,
            log_id: verified.log_id.to_string(),
            segments: verified.segments,
            frames: verified.transactions,
            commands: verified.entries,
            events: verified.events,
            streams: verified.streams,
            last_position: verified.last_position,
            last_recorded_at,
            unfinished_write: torn,
            trial_balance,
        }
    }

    fn rows(&self) -> Vec<(String, String)> {
        let row = |name: &str, value: String| (name.to_owned(), value);
        let mut rows = vec![
            row("log", self.log_id.clone()),
            row("segments", self.segments.to_string()),
            row("frames", self.frames.to_string()),
            row("commands", self.commands.to_string()),
            row("events", self.events.to_string()),
            row("streams", self.streams.to_string()),
            row("last position", self.last_position.to_string()),
            row("last recorded", self.last_recorded_at.map_or("nothing yet".to_owned(), |at| at.to_rfc3339())),
        ];
        if let Some(write) = &self.unfinished_write {
            let UnfinishedWrite { segment, offset, bytes } = write;
            let told = format!("{bytes} bytes in segment {segment} at byte {offset}: on its way, or cut by a crash");
            rows.push(row("unfinished write", told));
        }
        rows.extend(self.trial_balance.iter().map(|trial| (format!("books in {}", trial.currency), trial.to_string())));
        rows.push(row("result", "the log is whole and the books balance".to_owned()));
        rows
    }
}
