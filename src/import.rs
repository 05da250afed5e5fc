//! Importing data sets: read a file, map it to commands, send them through the public HTTP interface like any other
//! client. Nothing here knows the engine or the log.

mod command;
mod online_retail;
mod report;
mod sender;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use domain::money::Money;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Deserialize;

use self::command::Command;
use self::online_retail::file::{FileError, Invoices, survey};
use self::online_retail::keys;
use self::online_retail::mapping::Mapping;
use self::report::Tally;
use self::sender::{SendError, Sender};

/// How many commands are sent at once.
const BATCH_COMMANDS: usize = 1_000;

/// What can be imported.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum DataSet {
    /// Sales of a web shop: the "Online Retail" data set (UCI), as CSV with ISO 8601 dates.
    ///
    /// Everything in it gets a name and a key that come out of the file alone: an import that broke off, or is
    /// repeated, goes on where it was and does nothing twice. Exit codes: 0 all is in; 1 the import broke off; 2 wrong
    /// usage; 3 it went to the end, but lines could not be mapped or commands were refused.
    OnlineRetail {
        /// The CSV file.
        file: PathBuf,
        /// Where the server answers.
        #[arg(long, default_value = "http://127.0.0.1:8080", value_parser = base_url)]
        url: String,
    },
}

/// Why an import broke off.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ImportError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Send(#[from] SendError),
    #[error("cannot write the summary: {0}")]
    Output(#[from] std::io::Error),
}

fn base_url(text: &str) -> Result<String, String> {
    let url = reqwest::Url::parse(text).map_err(|error| error.to_string())?;
    match url.scheme() {
        "http" | "https" => Ok(text.to_owned()),
        other => Err(format!("{other} is not a protocol of the server; use http://HOST:PORT")),
    }
}

impl DataSet {
    /// Imports it.
    ///
    /// # Errors
    /// [`ImportError`] where the file cannot be read or the server cannot be reached.
    pub(crate) async fn import(self) -> Result<ExitCode, ImportError> {
        let Self::OnlineRetail { file, url } = self;
        let complete = online_retail(&file, &Sender::new(&url)?).await?;
        Ok(if complete { ExitCode::SUCCESS } else { ExitCode::from(3) })
    }
}

/// Imports "Online Retail" and tells whether everything in it was taken up.
async fn online_retail(path: &Path, sender: &Sender) -> Result<bool, ImportError> {
    let survey = survey(path)?;
    let bar = progress(survey.lines);
    let mut mapping = Mapping::new(survey.catalogue);
    let mut invoices = Invoices::open(path)?;
    let mut tally = Tally::default();
    let mut waiting = Vec::new();
    while let Some(invoice) = invoices.next()? {
        tally.lines += invoice.lines;
        invoice.problems.into_iter().for_each(|problem| tally.problem(problem));
        mapping.invoice(&invoice.rows);
        waiting.append(&mut mapping.take_commands());
        if waiting.len() >= BATCH_COMMANDS {
            send(sender, &mut waiting, &mut tally).await?;
            bar.set_position(tally.lines);
        }
    }
    mapping.finish();
    mapping.take_problems().into_iter().for_each(|problem| tally.problem(problem));
    send(sender, &mut waiting, &mut tally).await?;
    bar.finish_and_clear();
    let merchant = merchant_holds(sender, tally.position).await;
    tally.write(&mut std::io::stdout().lock(), &mapping.totals(), &merchant)?;
    Ok(tally.is_complete())
}

async fn send(sender: &Sender, waiting: &mut Vec<Command>, tally: &mut Tally) -> Result<(), SendError> {
    for batch in waiting.chunks(BATCH_COMMANDS) {
        let answers = sender.send(batch).await?;
        batch.iter().zip(answers).for_each(|(command, answer)| tally.answer(command, answer));
    }
    waiting.clear();
    Ok(())
}

/// Reads back what the merchant's account holds once the read models have the import's last event.
async fn merchant_holds(sender: &Sender, position: u64) -> Result<Money, String> {
    #[derive(Deserialize)]
    struct Account {
        balance: Money,
    }
    let path = format!("/v1/accounts/{}?min_position={position}", keys::merchant());
    let account: Result<Account, _> = sender.get(&path).await;
    account.map(|account| account.balance).map_err(|error| format!("unknown: {error}"))
}

/// A bar on standard error; nothing is drawn where that is not a terminal.
fn progress(lines: u64) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(lines), ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template("importing {bar:40} {human_pos}/{human_len} lines ({eta} left)");
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
