//! `replay-tool`: what compliance staff ask the log, backups of it, and care for the read models that are made of it.
//! Never changes a log that exists; works while the server runs. A subcommand per file.

mod as_of;
mod backup;
mod check_backup;
mod failure;
mod history;
mod moment;
mod output;
mod parked;
mod progress;
mod read_models;
mod rebuild;
mod recorded;
mod restore;
mod verify;

use std::path::PathBuf;
use std::process::ExitCode;

use chrono::{DateTime, Utc};
use clap::{Parser, Subcommand, ValueEnum};
use domain::ids::{Position, StreamId};

use crate::failure::Failure;
use crate::moment::Moment;

/// Looks into a log of Bursar: whether it is whole, what happened, what was true at a moment. Copies it into a backup,
/// and makes a log of a backup again; cares for the read models. Never changes the log, and may be used while the server
/// runs.
///
/// Exit codes: 0 all is well; 1 the log or the backup is damaged or does not verify, a stream stays parked, or the rows
/// of a rebuild differ; 2 wrong usage; 3 something cannot be read or written; 4 refused, and nothing was changed: a folder is not empty or in use, a
/// backup is of another log, or a stream is not parked at that event.
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
    #[arg(long, visible_alias = "log", value_name = "DIR", env = "BURSAR_DATA")]
    data: PathBuf,
    #[command(flatten)]
    answer: Answer,
}

/// How to answer.
#[derive(Debug, clap::Args)]
struct Answer {
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
    /// Copies the log into a folder, or what is new into the folder of an earlier backup. The server may run.
    Backup {
        /// The folder for the backup: new, empty, or that of an earlier backup of this log.
        #[arg(long, value_name = "DIR")]
        to: PathBuf,
        /// A position that the server has acknowledged, such as log.position of GET /health/ready: the backup has all up
        /// to there, also where nothing in the log proves yet that it is durable.
        #[arg(long, value_name = "POSITION")]
        acknowledged: Option<u64>,
        #[command(flatten)]
        source: Source,
    },
    /// Makes a log of a backup, whole or up to a position or a time, in a folder that a server can start on.
    Restore {
        /// The folder of the backup.
        #[arg(long, value_name = "DIR")]
        from: PathBuf,
        /// The folder for the log: new or empty.
        #[arg(long, value_name = "DIR")]
        into: PathBuf,
        /// Everything up to and with this position.
        #[arg(long, value_name = "POSITION", conflicts_with = "time")]
        position: Option<u64>,
        /// Everything that was recorded until this time, such as 2026-01-31T12:00:00Z.
        #[arg(long, value_name = "TIME", value_parser = restore::moment)]
        time: Option<DateTime<Utc>>,
        #[command(flatten)]
        answer: Answer,
    },
    /// Is every byte of a backup as it was copied? Needs nothing but the backup.
    CheckBackup {
        /// The folder of the backup.
        #[arg(value_name = "DIR")]
        backup: PathBuf,
        #[command(flatten)]
        answer: Answer,
    },
    /// The streams of which an event could not be applied to the read models: lists them, tries them again, leaves an
    /// event out.
    Parked {
        #[command(subcommand)]
        what: parked::Parked,
    },
    /// Fills the read models anew beside the live ones, compares both row by row, and puts the new ones in place. The
    /// server goes on all the while. What is interrupted goes on where it was.
    Rebuild(rebuild::Arguments),
}

fn main() -> ExitCode {
    let answered = match Arguments::parse().question {
        Question::Verify { source } => verify::answer(&source.data, source.answer.format),
        Question::History { stream, no_rejections, source } => {
            history::answer(&source.data, source.answer.format, &stream, !no_rejections)
        }
        Question::AsOf { stream, at, source } => as_of::answer(&source.data, source.answer.format, &stream, at),
        Question::Backup { to, acknowledged, source } => {
            backup::answer(&source.data, &to, acknowledged.map(Position), source.answer.format)
        }
        Question::Restore { from, into, position, time, answer } => {
            restore::answer(&from, &into, restore::until(position, time), answer.format)
        }
        Question::CheckBackup { backup, answer } => check_backup::answer(&backup, answer.format),
        Question::Parked { what } => parked::answer(&what),
        Question::Rebuild(arguments) => rebuild::answer(&arguments),
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
