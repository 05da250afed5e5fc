//! The thread that writes: a checkpoint when one is asked for, merges in between. It owns the catalogue; lookups do not
//! wait for it.

use std::sync::Arc;

use crossbeam_channel::{Receiver, RecvError, Sender, TryRecvError};

use super::catalogue::Catalogue;
use super::draft::Draft;
use super::fault::DiskFault;
use super::merge::{Merge, Step};
use super::records::Records;
use super::run::{Run, RunFile, run_path};
use super::tiers::Tiers;
use super::view::{Compactions, View};

#[cfg(test)]
mod tests;

/// Makes the records of a checkpoint, on the writer's thread: of each table, in the order of the schema.
pub type Produce = Box<dyn FnOnce() -> Vec<Records> + Send>;

/// What the owner asks for.
pub(super) enum Request {
    Checkpoint {
        note: Vec<u8>,
        produce: Produce,
    },
    /// To be told when no merge is due any more.
    Rest,
}

/// What the owner is told.
#[derive(Debug)]
pub(super) enum Report {
    Checkpoint(Result<View, DiskFault>),
    Compaction(View),
    AtRest(View),
}

/// What the thread owns.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) catalogue: Catalogue,
    pub(super) tiers: Tiers,
    pub(super) merges: Vec<Merge>,
    pub(super) compactions: Compactions,
    /// Whether the owner waits for merges to be done.
    pub(super) rest_wanted: bool,
}

impl Writer {
    pub(super) const fn new(catalogue: Catalogue, tiers: Tiers) -> Self {
        let compactions = Compactions { done: 0, failed: None };
        Self { catalogue, tiers, merges: Vec::new(), compactions, rest_wanted: false }
    }

    /// Works until the owner is gone. Merges stop between two steps; what they wrote is removed.
    pub(super) fn work(mut self, requests: &Receiver<Request>, reports: &Sender<Report>) {
        self.begin_merges();
        loop {
            // The owner may be gone when a report is sent: then the next request is not to be had either.
            match self.next_request(requests) {
                Ok(Some(Request::Checkpoint { note, produce })) => {
                    let outcome = self.checkpoint(note, produce).map(|()| self.view());
                    let published = outcome.is_ok();
                    let _ = reports.send(Report::Checkpoint(outcome));
                    if published {
                        self.begin_merges();
                    }
                }
                Ok(Some(Request::Rest)) => self.rest_wanted = true,
                Ok(None) => {
                    if self.go_on_merging() {
                        let _ = reports.send(Report::Compaction(self.view()));
                    }
                }
                Err(_) => break,
            }
            if self.rest_wanted && self.merges.is_empty() {
                self.rest_wanted = false;
                let _ = reports.send(Report::AtRest(self.view()));
            }
        }
        for merge in self.merges {
            merge.abandon(self.catalogue.disk.as_ref(), &self.catalogue.folder);
        }
    }

    /// The next request; waits for it when there is nothing to merge.
    fn next_request(&self, requests: &Receiver<Request>) -> Result<Option<Request>, RecvError> {
        if self.merges.is_empty() {
            return requests.recv().map(Some);
        }
        match requests.try_recv() {
            Ok(request) => Ok(Some(request)),
            Err(TryRecvError::Empty) => Ok(None),
            Err(TryRecvError::Disconnected) => Err(RecvError),
        }
    }

    fn view(&self) -> View {
        View::of(&self.catalogue, self.compactions.clone())
    }

    fn checkpoint(&mut self, note: Vec<u8>, produce: Produce) -> Result<(), DiskFault> {
        let produced = produce();
        assert!(
            produced.len() <= self.catalogue.schema.len(),
            "a checkpoint has records of more tables than there are"
        );
        let mut tables = self.catalogue.tables.clone();
        let mut made = Vec::new();
        for (table, records) in produced.into_iter().enumerate().filter(|(_, records)| !records.is_empty()) {
            match self.write_run(table, records) {
                Ok(file) => {
                    made.push(file.path().to_owned());
                    tables[table].push(Run { file: Arc::new(file), index: None });
                }
                Err(fault) => {
                    self.catalogue.remove(&made);
                    return Err(fault);
                }
            }
        }
        self.catalogue.publish(tables, note)
    }

    fn write_run(&mut self, table: usize, mut records: Records) -> Result<RunFile, DiskFault> {
        let name = self.catalogue.name_run(table);
        let (disk, folder) = (self.catalogue.disk.as_ref(), &self.catalogue.folder);
        records.sort();
        let write = || {
            let mut draft = Draft::create(disk, folder, name)?;
            for (key, value) in records.newest() {
                draft.push(key, value)?;
            }
            drop(records);
            let mut indexing = draft.finish()?;
            indexing.step(u64::MAX)?;
            indexing.finish()
        };
        write().inspect_err(|_| self.catalogue.remove(&[run_path(folder, name.id)]))
    }

    /// Begins every merge that is due.
    fn begin_merges(&mut self) {
        for table in 0..self.catalogue.tables.len() {
            // Runs that are newer than all that are being merged: what is older waits until those are done.
            let merges = self.merges.iter().filter(|merge| merge.table == table);
            let taken: Vec<u64> = merges.flat_map(|merge| merge.inputs.iter().copied()).collect();
            let runs = &self.catalogue.tables[table];
            let newest_taken = runs.iter().rposition(|run| taken.contains(&run.file.footer().id));
            let free = &runs[newest_taken.map_or(0, |taken| taken + 1)..];
            let bytes: Vec<u64> = free.iter().map(|run| run.file.footer().run_bytes()).collect();
            let Some(due) = self.tiers.due(&bytes) else { continue };
            let inputs = free[due].to_vec();
            let name = self.catalogue.name_run(table);
            let (disk, folder) = (self.catalogue.disk.as_ref(), &self.catalogue.folder);
            match Merge::begin(disk, folder, name, &inputs) {
                Ok(merge) => self.merges.push(merge),
                Err(fault) => {
                    self.catalogue.remove(&[run_path(folder, name.id)]);
                    self.compaction_failed(&fault);
                }
            }
        }
    }

    /// Does a step of the shortest merge; true when it was the last one, well ended or not.
    fn go_on_merging(&mut self) -> bool {
        let shortest = self.merges.iter_mut().enumerate().min_by_key(|(_, merge)| merge.input_bytes);
        let Some((number, merge)) = shortest else { return false };
        let published = match merge.step() {
            Ok(Step::More) => return false,
            Ok(Step::Done(file)) => {
                let merge = self.merges.swap_remove(number);
                self.replace(&merge, file)
            }
            Err(fault) => {
                self.merges.swap_remove(number).abandon(self.catalogue.disk.as_ref(), &self.catalogue.folder);
                Err(fault)
            }
        };
        match published {
            Ok(()) => {
                self.compactions.done += 1;
                self.compactions.failed = None;
                self.begin_merges();
            }
            Err(fault) => self.compaction_failed(&fault),
        }
        true
    }

    /// Publishes a state with the merged run in the place of its inputs, which are neighbours.
    fn replace(&mut self, merge: &Merge, file: RunFile) -> Result<(), DiskFault> {
        let mut tables = self.catalogue.tables.clone();
        let runs = &mut tables[merge.table];
        let is_input = |run: &Run| merge.inputs.contains(&run.file.footer().id);
        let at = runs.iter().position(is_input).unwrap_or(runs.len());
        runs.retain(|run| !is_input(run));
        runs.insert(at, Run { file: Arc::new(file), index: None });
        let note = self.catalogue.note.clone();
        self.catalogue.publish(tables, note)
    }

    /// Nothing is lost by a failed merge, so nobody is disturbed; the next checkpoint begins it again.
    fn compaction_failed(&mut self, fault: &DiskFault) {
        tracing::warn!(%fault, "runs of derived data were not merged; tried again after the next checkpoint");
        self.compactions.failed = Some(fault.to_string().into());
    }
}
