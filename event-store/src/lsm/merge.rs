//! Several neighbouring runs of a table become one: of equal keys the newest wins. Done in steps, so that a checkpoint
//! never waits long; bounded memory, whatever the length of the runs.

use std::path::Path;

use super::cursor::Cursor;
use super::draft::{Draft, RunName};
use super::fault::DiskFault;
use super::indexing::Indexing;
use super::run::{Run, RunFile, run_path};
use crate::disk::Disk;

/// Bytes of records that one step takes in; a few milliseconds.
const STEP_BYTES: u64 = 4 << 20;

/// A merge under way.
#[derive(Debug)]
pub(super) struct Merge {
    pub(super) table: usize,
    /// The runs that are merged, oldest first.
    pub(super) inputs: Vec<u64>,
    pub(super) input_bytes: u64,
    output: u64,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// Cursors on the inputs that have something left, newest first, each on a record.
    Merging {
        cursors: Vec<Cursor>,
        draft: Draft,
    },
    Indexing(Box<Indexing>),
    /// Taken out by a step that failed.
    Failed,
}

/// What a step came to.
#[derive(Debug)]
pub(super) enum Step {
    More,
    Done(RunFile),
}

impl Merge {
    /// Begins a merge of `inputs`, oldest first.
    pub(super) fn begin(disk: &dyn Disk, folder: &Path, name: RunName, inputs: &[Run]) -> Result<Self, DiskFault> {
        let draft = Draft::create(disk, folder, name)?;
        let mut cursors = Vec::with_capacity(inputs.len());
        for input in inputs.iter().rev() {
            let mut cursor = input.file.cursor();
            if cursor.advance()? {
                cursors.push(cursor);
            }
        }
        Ok(Self {
            table: name.table as usize,
            inputs: inputs.iter().map(|run| run.file.footer().id).collect(),
            input_bytes: inputs.iter().map(|run| run.file.footer().run_bytes()).sum(),
            output: name.id,
            stage: Stage::Merging { cursors, draft },
        })
    }

    /// Does a bounded piece of the work. After an error the merge is to be abandoned.
    pub(super) fn step(&mut self) -> Result<Step, DiskFault> {
        match std::mem::replace(&mut self.stage, Stage::Failed) {
            Stage::Merging { mut cursors, mut draft } => {
                merge_some(&mut cursors, &mut draft)?;
                self.stage = if cursors.is_empty() {
                    Stage::Indexing(Box::new(draft.finish()?))
                } else {
                    draft.sync_now_and_then()?;
                    Stage::Merging { cursors, draft }
                };
            }
            Stage::Indexing(mut indexing) => {
                if indexing.step(STEP_BYTES)? {
                    return Ok(Step::Done(indexing.finish()?));
                }
                self.stage = Stage::Indexing(indexing);
            }
            Stage::Failed => {}
        }
        Ok(Step::More)
    }

    /// Gives up and removes what was written.
    pub(super) fn abandon(self, disk: &dyn Disk, folder: &Path) {
        // What cannot be removed now is swept away at the next start.
        let _ = disk.remove(&run_path(folder, self.output));
    }
}

/// Moves records from the cursors to the draft until enough was done or all cursors are at their ends, and gone.
fn merge_some(cursors: &mut Vec<Cursor>, draft: &mut Draft) -> Result<(), DiskFault> {
    let until = draft.bytes() + STEP_BYTES;
    while draft.bytes() < until {
        // The first of equal keys is the newest.
        let Some((newest, _)) = cursors.iter().enumerate().min_by_key(|(_, cursor)| cursor.key()) else {
            return Ok(());
        };
        let key = cursors[newest].key();
        draft.push(key, cursors[newest].value())?;
        // From the back, so that removing one does not move those still to come.
        for number in (newest..cursors.len()).rev() {
            if cursors[number].key() == key && !cursors[number].advance()? {
                cursors.remove(number);
            }
        }
    }
    Ok(())
}
