//! `check-backup`: is every byte of a backup as it was copied?

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use domain::ids::Position;
use event_store::backup::check::check_backup;
use event_store::disk::Disk;
use event_store::disk::file::RealDisk;
use serde::Serialize;

use crate::Format;
use crate::backup::Held;
use crate::failure::Failure;
use crate::output;
use crate::progress;

#[derive(Debug, Serialize)]
struct Report {
    sound: bool,
    #[serde(flatten)]
    held: Held,
    /// The last position that an interrupted backup has copied besides.
    #[serde(skip_serializing_if = "Option::is_none")]
    not_entered_through: Option<Position>,
}

/// What is wrong with a backup.
#[derive(Debug, Serialize)]
struct Fault {
    sound: bool,
    reason: String,
}

/// Checks a backup; what is wrong is told on standard output too where the answer is JSON.
pub(crate) fn answer(folder: &Path, format: Format) -> Result<(), Failure> {
    let bar = progress::segments("checking");
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let checked = check_backup(&disk, folder, |progress| {
        bar.set_length(progress.segments as u64);
        bar.set_position(u64::from(progress.segment));
    });
    bar.finish_and_clear();
    let checked = checked.map_err(Failure::from);
    let mut out = output::stdout();
    match (&checked, format) {
        (Ok(checked), _) => {
            let held = Held::from(&checked.contents);
            let report = Report { sound: true, held, not_entered_through: checked.beyond };
            match format {
                Format::Json => output::json_line(&mut out, &report)?,
                Format::Table => output::pairs(&mut out, report.rows())?,
            }
        }
        (Err(failure @ Failure::BackupDamaged(_)), Format::Json) => {
            output::json_line(&mut out, &Fault { sound: false, reason: failure.to_string() })?;
        }
        (Err(_), _) => {}
    }
    out.flush()?;
    checked.map(|_| ())
}

impl Report {
    fn rows(&self) -> Vec<(String, String)> {
        let mut rows = self.held.rows();
        if let Some(beyond) = self.not_entered_through {
            let told = format!("up to position {beyond}: of a backup that is being made or was interrupted");
            rows.push(("copied besides".to_owned(), told));
        }
        rows.push(("result".to_owned(), "every byte of the backup is as it was copied".to_owned()));
        rows
    }
}
