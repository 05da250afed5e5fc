//! What is published: the runs of every table and the note, and how a new state takes the place of the old one at once.
//! Owned by the writer's thread; a lookup goes to a view (`view.rs`).

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::draft::RunName;
use super::fault::DiskFault;
use super::manifest::{ListedRun, Manifest};
use super::run::Run;
use crate::disk::{Disk, write_all_at};

/// The published state of a store.
#[derive(Debug)]
pub(super) struct Catalogue {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) folder: PathBuf,
    pub(super) schema: &'static [&'static str],
    pub(super) value_format: u32,
    pub(super) digest_key: u128,
    pub(super) generation: u64,
    pub(super) next_run: u64,
    pub(super) note: Vec<u8>,
    /// Of each table, oldest first.
    pub(super) tables: Vec<Vec<Run>>,
    /// Files of a state whose publication failed in a way that leaves open which state the disk has: they are kept until
    /// a later one is published.
    pub(super) doubtful: Vec<PathBuf>,
    pub(super) loaded_bytes: Arc<AtomicU64>,
    pub(super) loaded_bytes_max: u64,
    pub(super) random: fn() -> u64,
}

pub(super) fn manifest_path(folder: &Path) -> PathBuf {
    folder.join("manifest")
}

pub(super) fn unfinished_manifest_path(folder: &Path) -> PathBuf {
    folder.join("manifest.new")
}

impl Catalogue {
    /// Names a new run.
    pub(super) fn name_run(&mut self, table: usize) -> RunName {
        let id = self.next_run;
        self.next_run += 1;
        RunName { id, table: table as u32, stamp: (self.random)() }
    }

    /// Makes `tables` and `note` the state of the store, on disk and here. After an error the state is what it was, and
    /// files that only the new one has are gone. Files that only the old one had are removed when all is well.
    pub(super) fn publish(&mut self, mut tables: Vec<Vec<Run>>, note: Vec<u8>) -> Result<(), DiskFault> {
        let new = files_beyond(&tables, &self.tables);
        self.generation += 1;
        let published = self.settle_indexes(&mut tables).map_err(Unpublished::certain);
        let published = published.and_then(|()| self.write_manifest(&tables, &note));
        match published {
            Ok(()) => {
                let mut gone = files_beyond(&self.tables, &tables);
                gone.append(&mut self.doubtful);
                (self.tables, self.note) = (tables, note);
                self.remove(&gone);
                Ok(())
            }
            Err(Unpublished { fault, doubtful }) => {
                if doubtful {
                    self.doubtful.extend(new);
                } else {
                    self.remove(&new);
                }
                Err(fault)
            }
        }
    }

    /// Removes files that no state needs. What cannot be removed now is swept away at the next start.
    pub(super) fn remove(&self, paths: &[PathBuf]) {
        for path in paths {
            let _ = self.disk.remove(path);
        }
    }

    fn write_manifest(&self, tables: &[Vec<Run>], note: &[u8]) -> Result<(), Unpublished> {
        let listed = |run: &Run| {
            let footer = run.file.footer();
            ListedRun { id: footer.id, stamp: footer.stamp, bytes: footer.run_bytes(), table: footer.table }
        };
        let manifest = Manifest {
            value_format: self.value_format,
            digest_key: self.digest_key,
            generation: self.generation,
            next_run: self.next_run,
            tables: self.schema.iter().map(|table| (*table).to_owned()).collect(),
            note: note.to_vec(),
            runs: tables.iter().flatten().map(listed).collect(),
        };
        let (disk, folder) = (self.disk.as_ref(), &self.folder);
        let unfinished = unfinished_manifest_path(folder);
        let write = || -> io::Result<()> {
            let file = disk.create(&unfinished)?;
            write_all_at(file.as_ref(), &manifest.encode(), 0)?;
            file.sync()
        };
        // The runs' entries in the folder are durable before a manifest names them.
        disk.sync_folder(folder).map_err(DiskFault::when("syncing", folder)).map_err(Unpublished::certain)?;
        if let Err(source) = write() {
            let _ = disk.remove(&unfinished);
            return Err(Unpublished::certain(DiskFault::when("writing", &unfinished)(source)));
        }
        let path = manifest_path(folder);
        disk.rename(&unfinished, &path)
            .map_err(DiskFault::when("renaming to", &path))
            .map_err(Unpublished::doubtful)?;
        disk.sync_folder(folder).map_err(DiskFault::when("syncing", folder)).map_err(Unpublished::doubtful)
    }

    /// Loads and drops indexes so that those of the shortest runs are in memory, as far as the limit goes.
    ///
    /// What is dropped here is freed when the last view with it is, so all that is in memory at a time stays below the
    /// limit; what finds no room now is loaded when the next state is published.
    pub(super) fn settle_indexes(&self, tables: &mut [Vec<Run>]) -> Result<(), DiskFault> {
        let mut runs: Vec<&mut Run> = tables.iter_mut().flatten().collect();
        runs.sort_by_key(|run| run.file.index_bytes());
        let mut together = 0;
        let fitting = runs.iter().take_while(|run| {
            together += run.file.index_bytes();
            together <= self.loaded_bytes_max
        });
        let fitting = fitting.count();
        for run in &mut runs[fitting..] {
            run.index = None;
        }
        for run in runs.into_iter().take(fitting).filter(|run| run.index.is_none()) {
            let bytes = self.loaded_bytes.load(Ordering::Relaxed) + run.file.index_bytes();
            if bytes <= self.loaded_bytes_max {
                run.index = Some(Arc::new(run.file.load_index(&self.loaded_bytes)?));
            }
        }
        Ok(())
    }
}

/// Why a state was not published.
#[derive(Debug)]
struct Unpublished {
    fault: DiskFault,
    /// Whether the disk may have it nevertheless.
    doubtful: bool,
}

impl Unpublished {
    const fn certain(fault: DiskFault) -> Self {
        Self { fault, doubtful: false }
    }

    const fn doubtful(fault: DiskFault) -> Self {
        Self { fault, doubtful: true }
    }
}

/// The files of runs in `tables` that are not in `others`.
fn files_beyond(tables: &[Vec<Run>], others: &[Vec<Run>]) -> Vec<PathBuf> {
    let others: HashSet<u64> = others.iter().flatten().map(|run| run.file.footer().id).collect();
    let beyond = tables.iter().flatten().filter(|run| !others.contains(&run.file.footer().id));
    beyond.map(|run| run.file.path().to_owned()).collect()
}
