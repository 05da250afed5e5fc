//! `parked`: the streams of which an event could not be applied to the read models.

use std::io::Write;

use domain::ids::Position;
use projections::parked::list::{ParkedStream, list};
use projections::parked::{Outcome, ParkedError, release, retry};

use crate::failure::Failure;
use crate::output;
use crate::read_models::{ReadModels, run};
use crate::{Answer, Format};

/// How many are read at once.
const PAGE: i64 = 1_000;

/// What is to be done.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Parked {
    /// Which streams are parked, at which event, and why?
    List {
        #[command(flatten)]
        on: On,
    },
    /// Applies the events of a stream that wait, up to the first that cannot be applied.
    Retry {
        /// The stream, such as account-ID.
        stream: String,
        #[command(flatten)]
        on: On,
    },
    /// Leaves out the one event that a stream is parked at, and applies what waits behind it. The read models then lack
    /// what the event did.
    Release {
        /// The stream, such as account-ID.
        stream: String,
        /// The position of the event: that which `parked list` shows.
        #[arg(long, value_name = "POSITION")]
        event: u64,
        /// Why, for those who read it later.
        #[arg(long, value_name = "TEXT")]
        reason: String,
        #[command(flatten)]
        on: On,
    },
}

/// Where, and how to answer.
#[derive(Debug, clap::Args)]
pub(crate) struct On {
    #[command(flatten)]
    read_models: ReadModels,
    #[command(flatten)]
    answer: Answer,
}

/// Does it and tells what became of it.
pub(crate) fn answer(what: &Parked) -> Result<(), Failure> {
    let (Parked::List { on } | Parked::Retry { on, .. } | Parked::Release { on, .. }) = what;
    let (database, format) = (on.read_models.database()?, on.answer.format);
    run(async {
        let connected = database.connect_for_writing().await;
        let mut connection = connected.map_err(|error| unreachable_database(&error.to_string()))?;
        let mut out = output::stdout();
        match what {
            Parked::List { .. } => {
                let mut after = None;
                loop {
                    let page = list(&mut connection, after.as_deref(), PAGE).await;
                    let page = page.map_err(|error| Failure::Unusable(format!("reading what is parked: {error}")))?;
                    for parked in &page {
                        tell(&mut out, parked, format)?;
                    }
                    match page.last().filter(|_| page.len() as i64 == PAGE) {
                        Some(last) => after = Some(last.stream.clone()),
                        None => break,
                    }
                }
            }
            Parked::Retry { stream, .. } => become_of(&mut out, retry(&mut connection, stream).await, format)?,
            Parked::Release { stream, event, reason, .. } => {
                become_of(&mut out, release(&mut connection, stream, Position(*event), reason).await, format)?;
            }
        }
        out.flush()?;
        Ok(())
    })
}

fn unreachable_database(error: &str) -> Failure {
    Failure::Unusable(format!("connecting to PostgreSQL: {error}"))
}

fn tell(out: &mut impl Write, parked: &ParkedStream, format: Format) -> Result<(), Failure> {
    match format {
        Format::Json => output::json_line(out, parked)?,
        Format::Table => {
            let tried = match parked.tried_at {
                Some(at) => format!("{} times, last at {at}", parked.attempts),
                None => "never".to_owned(),
            };
            let rows = [
                ("stream", parked.stream.clone()),
                ("at position", format!("{}, {}", parked.position, parked.event_type)),
                ("because", format!("{}: {}", parked.why, parked.error)),
                ("waiting", format!("{} events, since {}", parked.waiting, parked.parked_at)),
                ("tried again", tried),
            ];
            output::pairs(out, rows.map(|(name, value)| (name.to_owned(), value)))?;
            writeln!(out)?;
        }
    }
    Ok(())
}

/// A stream that stays parked is an answer, and a failure for scripts.
fn become_of(out: &mut impl Write, tried: Result<Outcome, ParkedError>, format: Format) -> Result<(), Failure> {
    let outcome = tried.map_err(|error| match error {
        ParkedError::NotThere { .. } => Failure::Refused(error.to_string()),
        ParkedError::Database { .. } => Failure::Unusable(error.to_string()),
    })?;
    match format {
        Format::Json => output::json_line(out, &outcome)?,
        Format::Table => {
            let stream = output::harmless(&outcome.stream);
            let state = if outcome.parked { "still parked" } else { "not parked" };
            writeln!(out, "{stream}: {} events were applied; it is {state}", outcome.applied)?;
        }
    }
    out.flush()?;
    match (outcome.at, outcome.error) {
        (Some(at), error) => Err(Failure::StillParked { stream: outcome.stream, at, error: error.unwrap_or_default() }),
        (None, _) => Ok(()),
    }
}
