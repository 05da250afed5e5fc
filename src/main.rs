//! `bursar`: the one program that puts the parts together. Rules, storage and queries live in the crates; here are the
//! command line, the configuration and the order in which things start and stop.

mod config;
mod import;
mod serve;

use std::num::NonZeroUsize;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::anyhow;
use clap::{ArgMatches, Args, Command, FromArgMatches};
use comfy_table::{Table, presets};
use tokio::runtime::Runtime;

use crate::config::Configuration;
use crate::config::resolve::Resolved;
use crate::config::table::arguments;
use crate::import::DataSet;

/// How long the runtime may take to end what still runs on its threads.
const RUNTIME_STOP_MAX: Duration = Duration::from_secs(2);

/// Wrong usage, as the command line has it too.
const USAGE: u8 = 2;

/// Imports a data set into a running server, over HTTP.
#[derive(Debug, Args)]
struct Import {
    #[command(subcommand)]
    data_set: DataSet,
}

fn command() -> Command {
    let settings = "Settings come from flags, else from BURSAR_* variables, else from the configuration file, else from \
                    their defaults. `bursar config` shows what holds and where it comes from.";
    let serve = Command::new("serve").about("Takes commands and answers queries over HTTP until it is told to stop");
    let serve = serve.after_help(format!(
        "{settings}\n\nSIGINT and SIGTERM stop it: requests on their way are finished, the log is closed. Exit codes: 0 \
         stopped as told; 1 it could not start, or the log failed; 2 wrong usage or settings."
    ));
    let worker =
        Command::new("worker").about("Fills read models from Kafka until it is told to stop; several share the work");
    let worker = worker.after_help(format!(
        "{settings}\n\nOf the settings it uses those of the database, of Kafka, of health and of what it says of itself. \
         SIGINT and SIGTERM stop it. Exit codes: 0 stopped as told; 1 it could not start; 2 wrong usage or settings."
    ));
    let config = Command::new("config").about("Shows every setting, its value and where that comes from");
    Command::new("bursar")
        .about("An event-sourced transaction engine for accounts, orders and payments")
        .version(env!("CARGO_PKG_VERSION"))
        .max_term_width(120)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(serve.args(arguments()))
        .subcommand(worker.args(arguments()))
        .subcommand(config.args(arguments()).after_help(settings))
        .subcommand(Import::augment_args(Command::new("import")))
}

fn main() -> ExitCode {
    let matches = command().get_matches();
    let done = match matches.subcommand() {
        Some(("serve", flags)) => serve(flags),
        Some(("worker", flags)) => work(flags),
        Some(("config", flags)) => show(flags),
        Some(("import", flags)) => import(flags),
        _ => Ok(ExitCode::from(USAGE)),
    };
    done.unwrap_or_else(|error| {
        eprintln!("bursar: {error}");
        ExitCode::FAILURE
    })
}

fn resolve(flags: &ArgMatches) -> anyhow::Result<Resolved> {
    Ok(Resolved::resolve(flags, |name| std::env::var(name).ok(), Path::new(""))?)
}

/// The configuration, or none where it cannot be, which was told.
fn configuration(flags: &ArgMatches) -> Option<Configuration> {
    let read = resolve(flags).and_then(|settings| Ok(Configuration::read(&settings)?));
    read.inspect_err(|error| eprintln!("bursar: {error}")).ok()
}

fn work(flags: &ArgMatches) -> anyhow::Result<ExitCode> {
    let Some(configuration) = configuration(flags) else { return Ok(ExitCode::from(USAGE)) };
    let runtime = runtime_of("views", std::thread::available_parallelism().map_or(1, NonZeroUsize::get))?;
    let worked = runtime.block_on(serve::work::work(configuration));
    runtime.shutdown_timeout(RUNTIME_STOP_MAX);
    Ok(worked.map(|()| ExitCode::SUCCESS)?)
}

fn serve(flags: &ArgMatches) -> anyhow::Result<ExitCode> {
    let Some(configuration) = configuration(flags) else { return Ok(ExitCode::from(USAGE)) };
    // One core is left to the sequencer and the writer of the log, which all commands wait for. The read models are
    // filled on a thread of their own, so that no request waits while a batch of events is folded.
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let runtime = runtime_of("http", cores.saturating_sub(1).max(1))?;
    let views = runtime_of("views", 1)?;
    let served = runtime.block_on(serve::serve(configuration, views.handle()));
    views.shutdown_timeout(RUNTIME_STOP_MAX);
    runtime.shutdown_timeout(RUNTIME_STOP_MAX);
    Ok(served.map(|()| ExitCode::SUCCESS)?)
}

fn runtime_of(name: &str, threads: usize) -> anyhow::Result<Runtime> {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.thread_name(name).worker_threads(threads).enable_all().build();
    runtime.map_err(|error| anyhow!("the runtime could not start: {error}"))
}

fn show(flags: &ArgMatches) -> anyhow::Result<ExitCode> {
    let settings = match resolve(flags) {
        Ok(settings) => settings,
        Err(error) => {
            eprintln!("bursar: {error}");
            return Ok(ExitCode::from(USAGE));
        }
    };
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_header(["SETTING", "VALUE", "FROM"]);
    for (name, value, source) in settings.shown() {
        table.add_row([name.to_owned(), value, source.to_string()]);
    }
    println!("{table}");
    Ok(ExitCode::SUCCESS)
}

fn import(flags: &ArgMatches) -> anyhow::Result<ExitCode> {
    let Import { data_set } = Import::from_arg_matches(flags)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| anyhow!("the runtime could not start: {error}"))?;
    Ok(runtime.block_on(data_set.import())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_holds_together() {
        command().debug_assert();
    }
}
