//! Opening a store's folder: what is whole is taken, anything else is removed and the store starts empty. What a crash
//! left half made is swept away.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use super::catalogue::{Catalogue, manifest_path, unfinished_manifest_path};
use super::fault::DiskFault;
use super::manifest::Manifest;
use super::run::{Run, RunFile};
use super::{OpenError, Options};
use crate::disk::{Access, Disk, read_full_at, sync_folders};

/// What was found in a folder.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) catalogue: Catalogue,
    /// The note, where there was a manifest.
    pub(super) note: Option<Vec<u8>>,
    /// Why what was there was removed.
    pub(super) discarded: Option<String>,
}

/// Why a store cannot be taken as it is.
#[derive(Debug)]
enum Untaken {
    /// It is to be made anew.
    Discard(String),
    Disk(DiskFault),
}

impl From<DiskFault> for Untaken {
    fn from(fault: DiskFault) -> Self {
        // A file that is gone or cannot be read is made anew. One that cannot even be opened says nothing about the
        // store: there may be too many open files.
        let gone = fault.source.kind() == io::ErrorKind::NotFound;
        if gone || fault.doing == "reading" { Self::Discard(fault.to_string()) } else { Self::Disk(fault) }
    }
}

pub(super) fn open(
    folder: &Path,
    schema: &'static [&'static str],
    value_format: u32,
    options: &Options,
) -> Result<Found, OpenError> {
    let disk = options.disk.as_ref();
    disk.create_folder(folder).map_err(DiskFault::when("making", folder))?;
    let mut catalogue = Catalogue {
        disk: Arc::clone(&options.disk),
        folder: folder.to_owned(),
        schema,
        value_format,
        digest_key: u128::from((options.random)()) << 64 | u128::from((options.random)()),
        generation: 0,
        next_run: 1,
        note: Vec::new(),
        tables: vec![Vec::new(); schema.len()],
        doubtful: Vec::new(),
        loaded_bytes: Arc::new(AtomicU64::new(0)),
        loaded_bytes_max: options.filter_bytes_max,
        random: options.random,
    };
    match take(&mut catalogue) {
        Ok(Some(note)) => {
            // The manifest may have been renamed by a process that died before it synced the folder: before anything that
            // only the state before it needs is swept away, it must be there to stay.
            disk.sync_folder(folder).map_err(DiskFault::when("syncing", folder))?;
            sweep(&catalogue)?;
            Ok(Found { catalogue, note: Some(note), discarded: None })
        }
        Ok(None) => {
            // What is published later must not be lost with a folder that nobody knows of.
            sync_folders(disk, folder).map_err(DiskFault::when("syncing", folder))?;
            let swept = sweep(&catalogue)?;
            let discarded = (swept > 0).then(|| format!("{} has no manifest", folder.display()));
            Ok(Found { catalogue, note: None, discarded })
        }
        Err(Untaken::Discard(reason)) => {
            discard(disk, folder).map_err(DiskFault::when("removing the manifest of", folder))?;
            sweep(&catalogue)?;
            Ok(Found { catalogue, note: None, discarded: Some(reason) })
        }
        Err(Untaken::Disk(fault)) => Err(fault.into()),
    }
}

/// Reads the manifest and opens what it lists; the note, or `None` when there is no manifest. Changes the catalogue only
/// when all is well.
fn take(catalogue: &mut Catalogue) -> Result<Option<Vec<u8>>, Untaken> {
    let (disk, folder) = (catalogue.disk.as_ref(), &catalogue.folder);
    let path = manifest_path(folder);
    let file = match disk.open(&path, Access::Read) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(DiskFault::when("opening", &path)(error).into()),
    };
    let mut bytes = vec![0; file.length().map_err(DiskFault::when("measuring", &path))? as usize];
    let read = read_full_at(file.as_ref(), &mut bytes, 0).map_err(DiskFault::when("reading", &path))?;
    let manifest = Manifest::decode(&bytes[..read]);
    let manifest = manifest.map_err(|reason| DiskFault::damage(&path, reason))?;
    if manifest.value_format != catalogue.value_format || manifest.tables != catalogue.schema {
        let was = format!("tables {:?} in format {}", manifest.tables, manifest.value_format);
        let is = format!("tables {:?} in format {}", catalogue.schema, catalogue.value_format);
        return Err(Untaken::Discard(format!("{} has {was}, this program writes {is}", path.display())));
    }
    let mut tables = vec![Vec::new(); catalogue.schema.len()];
    for listed in &manifest.runs {
        let file = RunFile::open(disk, folder, listed.id)?;
        let footer = file.footer();
        let same = (footer.id, footer.stamp, footer.table, footer.run_bytes());
        if same != (listed.id, listed.stamp, listed.table, listed.bytes) || footer.table as usize >= tables.len() {
            let reason = "it is not the run that the manifest lists".to_owned();
            return Err(DiskFault::damage(file.path(), reason).into());
        }
        tables[footer.table as usize].push(Run { file: Arc::new(file), index: None });
    }
    catalogue.settle_indexes(&mut tables)?;
    catalogue.tables = tables;
    (catalogue.digest_key, catalogue.generation) = (manifest.digest_key, manifest.generation);
    catalogue.next_run = manifest.next_run;
    catalogue.note.clone_from(&manifest.note);
    Ok(Some(manifest.note))
}

/// Removes the files of the store that the catalogue does not list, and answers how many.
fn sweep(catalogue: &Catalogue) -> Result<usize, OpenError> {
    let (disk, folder) = (catalogue.disk.as_ref(), &catalogue.folder);
    let names = disk.names(folder).map_err(DiskFault::when("listing", folder))?;
    let listed: Vec<_> = catalogue.tables.iter().flatten().map(|run| run.file.path()).collect();
    let of_store = |path: &Path| path.extension().is_some_and(|extension| extension == "run");
    let unlisted = names.iter().map(|name| folder.join(name)).filter(|path| {
        *path == unfinished_manifest_path(folder) || of_store(path) && !listed.contains(&path.as_path())
    });
    let mut swept = 0;
    for path in unlisted {
        disk.remove(&path).map_err(DiskFault::when("removing", &path))?;
        swept += 1;
    }
    Ok(swept)
}

/// Removes the manifest of the store in `folder`, durably: the next [`super::Store::open`] finds an empty store and sweeps
/// the rest away. Nothing happens where there is none.
///
/// # Errors
/// Whatever the disk answers.
pub fn discard(disk: &dyn Disk, folder: &Path) -> io::Result<()> {
    match disk.remove(&manifest_path(folder)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(()) => disk.sync_folder(folder),
    }
}
