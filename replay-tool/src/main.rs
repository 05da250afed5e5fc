//! `replay-tool`: what compliance staff ask the log. Read-only; works while the server runs. A subcommand per file.

mod as_of;
mod failure;
mod history;
mod moment;
mod output;
mod progress;
mod recorded;
mod verify;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};
use domain::ids::StreamId;

use crate::failure::Failure;
use crate::moment::Moment;

/// Looks into a log of Bursar: whether it is whole, what happened, what was true at a moment. Reads only, and may be
/// used while the server runs.
///
/// Exit codes: 0 all is well; 1 the log is damaged or does not verify; 2 wrong usage; 3 the log cannot be read.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 120)]
struct Arguments {
    #[command(subcommand)]
    question: Question,
}

/// What every question needs.
#[derive(Debug, clap::Args)]
struct Source {
    /// The folder of the log.
    #[arg(long, value_name = "DIR", env = "BURSAR_DATA")]
    data: PathBuf,
    /// How to answer.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

/// How an answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    Table,
    /// For programs: one JSON object; `history` writes one per line.
    Json,
}

#[derive(Debug, Subcommand)]
enum Question {
    /// Is every frame whole, is every position and version there, do the books balance? Names the first damage.
    Verify {
        #[command(flatten)]
        source: Source,
    },
    /// What happened to an account, product, order or payment, who asked for it, and what was refused?
    History {
        /// account-ID, product-ID, order-ID, payment-ID or rejections.
        stream: StreamId,
        /// Leave out the refusals of commands that were meant for the stream.
        #[arg(long)]
        no_rejections: bool,
        #[command(flatten)]
        source: Source,
    },
    /// What was true at a moment? Rebuilt from the events alone.
    AsOf {
        /// account-ID, product-ID, order-ID or payment-ID.
        #[arg(value_parser = as_of::aggregate)]
        stream: StreamId,
        /// A time such as 2026-01-31T12:00:00Z (what was recorded until then), or a position of the log.
        #[arg(long, value_name = "TIME|POSITION")]
        at: Moment,
        #[command(flatten)]
        source: Source,
    },
}

fn main() -> ExitCode {
    let answered = match Arguments::parse().question {
        Question::Verify { source } => verify::answer(&source.data, source.format),
        Question::History { stream, no_rejections, source } => {
            history::answer(&source.data, source.format, &stream, !no_rejections)
        }
        Question::AsOf { stream, at, source } => as_of::answer(&source.data, source.format, &stream, at),
    };
    match answered {
        // Whoever read the answer has had enough of it.
        Ok(()) | Err(Failure::ReaderGone) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("replay-tool: {failure}");
            failure.exit_code()
        }
    }
}
