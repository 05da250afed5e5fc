//! `rebuild`: fills the read models anew beside the live ones, compares them, and puts the new ones in place.

use std::io::Write;
use std::path::{Path, PathBuf};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use projections::rebuild::{RebuildError, RebuildOptions, Rebuilt, Stage, rebuild};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::failure::Failure;
use crate::output;
use crate::read_models::{ReadModels, run};
use crate::{Answer, Format};

/// What is to be rebuilt, and how.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The folder of the log.
    #[arg(long, visible_alias = "log", value_name = "DIR", env = "BURSAR_DATA")]
    data: PathBuf,
    #[command(flatten)]
    read_models: ReadModels,
    /// Begin at position 0, also where an earlier rebuild was interrupted.
    #[arg(long)]
    fresh: bool,
    /// Only fill and compare; the new build is kept beside the live one.
    #[arg(long, conflicts_with = "accept_differences")]
    no_switch: bool,
    /// Put the new build in place although rows differ from the live ones.
    #[arg(long)]
    accept_differences: bool,
    /// Keep the schema of the build that was live, under the name SCHEMA_before.
    #[arg(long)]
    keep_old: bool,
    #[command(flatten)]
    answer: Answer,
}

#[derive(Debug, Serialize)]
struct Report<'a> {
    build: i64,
    position: u64,
    compared_at: u64,
    rows: i64,
    differing: i64,
    switched: bool,
    not_compared: &'a [String],
    differences: Vec<Differing<'a>>,
}

#[derive(Debug, Serialize)]
struct Differing<'a> {
    table: &'a str,
    live: Option<&'a RawValue>,
    next: Option<&'a RawValue>,
}

/// Does it and tells what came of it.
pub(crate) fn answer(arguments: &Arguments) -> Result<(), Failure> {
    let database = arguments.read_models.database()?;
    let options = RebuildOptions {
        log: arguments.data.clone(),
        fresh: arguments.fresh,
        accept_differences: arguments.accept_differences,
        switch: !arguments.no_switch,
        keep_old: arguments.keep_old,
    };
    let bar = bar();
    let rebuilt = run(async {
        let rebuilt = rebuild(&database, &options, |stage| show(&bar, stage)).await;
        rebuilt.map_err(|error| refused(&arguments.data, error))
    });
    bar.finish_and_clear();
    let rebuilt = rebuilt?;
    let mut out = output::stdout();
    match arguments.answer.format {
        Format::Json => output::json_line(&mut out, &Report::of(&rebuilt))?,
        Format::Table => tell(&mut out, &rebuilt)?,
    }
    out.flush()?;
    match rebuilt.switched || rebuilt.compared.is_equal() {
        true => Ok(()),
        false => Err(Failure::Differs { rows: rebuilt.compared.differing }),
    }
}

/// Nothing is drawn unless standard error is a terminal.
fn bar() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template("{msg} {bar:40} {human_pos}/{human_len} {per_sec} ({eta} left)");
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

fn show(bar: &ProgressBar, stage: Stage) {
    match stage {
        Stage::Filling { position, of } => {
            bar.set_message("filling, events");
            bar.set_length(of.0);
            bar.set_position(position.0);
        }
        Stage::Comparing { table } => bar.set_message(format!("comparing {table}; filled")),
        Stage::Switching => bar.set_message("switching; filled"),
    }
}

fn refused(data: &Path, error: RebuildError) -> Failure {
    match error {
        RebuildError::Log(error) => error.into(),
        error @ (RebuildError::UnderWay { .. }
        | RebuildError::NoReadModels { .. }
        | RebuildError::NotCurrent { .. }
        | RebuildError::OtherLog { .. }
        | RebuildError::Name { .. }) => Failure::Refused(format!("{error} (log: {})", data.display())),
        error => Failure::Unusable(error.to_string()),
    }
}

impl<'a> Report<'a> {
    fn of(rebuilt: &'a Rebuilt) -> Self {
        let json = |row: &'a Option<String>| row.as_deref().and_then(|row| serde_json::from_str(row).ok());
        let compared = &rebuilt.compared;
        let differing = compared.differences.iter();
        Self {
            build: rebuilt.build,
            position: rebuilt.position.0,
            compared_at: compared.position.0,
            rows: compared.rows.values().sum(),
            differing: compared.differing,
            switched: rebuilt.switched,
            not_compared: &compared.changed,
            differences: differing
                .map(|row| Differing { table: &row.table, live: json(&row.live), next: json(&row.next) })
                .collect(),
        }
    }
}

fn tell(out: &mut impl Write, rebuilt: &Rebuilt) -> Result<(), Failure> {
    let compared = &rebuilt.compared;
    let rows: i64 = compared.rows.values().sum();
    let (tables, at) = (compared.rows.len(), compared.position);
    let mut told = vec![
        ("build".to_owned(), format!("{}, at position {}", rebuilt.build, rebuilt.position)),
        (
            "compared".to_owned(),
            format!("{rows} rows of {tables} tables, at position {at}: {} differ", compared.differing),
        ),
    ];
    if !compared.changed.is_empty() {
        told.push(("not compared".to_owned(), format!("{} (defined anew)", compared.changed.join(", "))));
    }
    let result = if rebuilt.switched { "the new build is live" } else { "the live build is as it was" };
    told.push(("result".to_owned(), result.to_owned()));
    output::pairs(&mut *out, told)?;
    for row in &compared.differences {
        let side = |row: &Option<String>| row.as_deref().map_or_else(|| "no row".to_owned(), output::harmless);
        writeln!(out, "{}\n  live: {}\n  new:  {}", row.table, side(&row.live), side(&row.next))?;
    }
    Ok(())
}
