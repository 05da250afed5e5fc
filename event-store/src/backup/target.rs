//! The folder of a backup while it is written: every segment whole under its name or not at all, and `backup.json`
//! last, so that an interrupted backup leaves the earlier one.

use std::io;
use std::path::{Path, PathBuf};

use super::copy::{NotTheCopy, Rest, copy_frames, read_back};
use super::manifest::{MANIFEST, Manifest, SegmentCopy, read_manifest, read_small};
use super::source::footer_chain;
use super::unsound::UnsoundBackup;
use super::{BackupOptions, BackupRefused, Contents};
use crate::disk::{Access, Disk, Lock, LockRefused, sync_folders};
use crate::log::LogId;
use crate::log::folder::{OpenSegment, description, open_segment, write_description, write_whole};
use crate::log::scan::Link;
use crate::log::segment::{is_unfinished, segment_path, segments_folder};

const LOG_JSON_BYTES_MAX: u64 = 4096;

/// The folder of a backup.
pub(super) struct Target<'a> {
    options: &'a BackupOptions,
    path: PathBuf,
    pub(super) manifest: Manifest,
    /// Whether the folder had no backup.
    new: bool,
    _lock: Lock,
}

impl<'a> Target<'a> {
    /// Opens the folder; makes it where there is none. Nothing else is changed yet.
    pub(super) fn open(options: &'a BackupOptions, path: &Path, log_id: LogId) -> Result<Self, BackupRefused> {
        let disk = options.disk.as_ref();
        let names = disk.names(path).map_err(|source| io_error("listing", path, source))?;
        let unfinished = format!("{MANIFEST}.new");
        let is_backup = names.iter().any(|name| name == MANIFEST);
        if !is_backup && names.iter().any(|name| name != "LOCK" && *name != unfinished) {
            return Err(BackupRefused::NotEmpty { folder: path.to_owned() });
        }
        disk.create_folder(path).map_err(|source| io_error("making the folder", path, source))?;
        let lock = take_lock(disk, path, (options.clock)()).map_err(|refused| match refused {
            LockRefused::Held { owner } => BackupRefused::Locked { folder: path.to_owned(), owner },
            LockRefused::Io(source) => io_error("locking", &path.join("LOCK"), source),
        })?;
        let found = read_manifest(disk, path)?;
        let new = found.is_none();
        let manifest = found.unwrap_or(Manifest { log_id, made_at_us: (options.clock)(), segments: Vec::new() });
        if manifest.log_id != log_id {
            let (found, expected) = (manifest.log_id, log_id);
            return Err(BackupRefused::OtherLog { folder: path.to_owned(), found, expected });
        }
        Ok(Self { options, path: path.to_owned(), manifest, new, _lock: lock })
    }

    /// Makes what a backup has besides its segments, and removes what an interrupted one has left.
    pub(super) fn prepare(&mut self) -> Result<(), BackupRefused> {
        let disk = self.disk();
        if self.new {
            // Before anything else: from here on the folder is a backup, if an empty one, and no log to be written.
            self.write_manifest(&[])?;
            sync_folders(disk, &self.path).map_err(|source| io_error("syncing", &self.path, source))?;
        }
        let path = self.path.join("log.json");
        let expected = description(self.manifest.log_id).map_err(|error| io_error("writing", &path, error))?;
        match read_small(disk, &path, LOG_JSON_BYTES_MAX) {
            Ok(found) if found == expected.as_bytes() => {}
            Ok(_) => {
                let reason = "it is not what was written".to_owned();
                return Err(UnsoundBackup::Damaged { path, offset: None, reason }.into());
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                write_description(disk, &self.path, self.manifest.log_id)
                    .map_err(|source| io_error("writing", &path, source))?;
            }
            Err(source) => return Err(io_error("reading", &path, source)),
        }
        let segments = segments_folder(&self.path);
        let made = disk.create_folder(&segments).and_then(|()| disk.sync_folder(&self.path));
        made.map_err(|source| io_error("making the folder", &segments, source))?;
        let names = disk.names(&segments).map_err(|source| io_error("listing", &segments, source))?;
        for name in names.iter().filter(|name| is_unfinished(name)) {
            let path = segments.join(name);
            disk.remove(&path).map_err(|source| io_error("removing", &path, source))?;
        }
        Ok(())
    }

    /// Whether a segment is there as it was copied: of a sealed one the ends are looked at, of an open one all.
    pub(super) fn holds(&self, copy: &SegmentCopy, before: Link, earlier_us: Option<i64>) -> bool {
        let path = segment_path(&self.path, copy.number);
        let Ok(Some(segment)) = open_segment(self.disk(), &path, Access::Read) else { return false };
        let header = &segment.header;
        if (header.log_id, header.number, header.stamp, header.segment_bytes)
            != (self.manifest.log_id, copy.number, copy.stamp, copy.segment_bytes)
        {
            return false;
        }
        if copy.sealed {
            return matches!(footer_chain(&segment, copy.bytes), Ok(Some(chain)) if chain == copy.chain);
        }
        let found = read_back(self.disk(), &path, header, before, copy.bytes, copy.crc, earlier_us);
        found.is_ok_and(|found| found == *copy)
    }

    /// Copies a segment up to an offset and reads the copy back, before it gets its name.
    pub(super) fn copy(
        &self,
        from: &OpenSegment,
        end: u64,
        before: Link,
        earlier_us: Option<i64>,
    ) -> Result<SegmentCopy, BackupRefused> {
        let disk = self.disk();
        let path = segment_path(&self.path, from.header.number);
        let unfinished = path.with_extension("seg.new");
        let copied = copy_frames(disk, from, end, &unfinished, &from.header, Rest::Hole);
        let crc = copied.map_err(|source| {
            // Gives the room back; what cannot be removed is removed by the next backup.
            let _ = disk.remove(&unfinished);
            io_error("copying into", &path, source)
        })?;
        let copy = read_back(disk, &unfinished, &from.header, before, end, crc, earlier_us);
        let copy = copy.map_err(|fault| match fault {
            NotTheCopy::Fault(offset, reason) => {
                BackupRefused::CopyDiffers { path: unfinished.clone(), offset, reason }
            }
            NotTheCopy::Folder(refused) => UnsoundBackup::Folder(refused).into(),
            NotTheCopy::Io(source) => io_error("reading back", &unfinished, source),
        })?;
        let named = disk.rename(&unfinished, &path).and_then(|()| disk.sync_folder(&segments_folder(&self.path)));
        named.map_err(|source| io_error("naming", &path, source))?;
        Ok(copy)
    }

    /// Writes `backup.json`, whole and durable.
    pub(super) fn write_manifest(&mut self, segments: &[SegmentCopy]) -> Result<(), BackupRefused> {
        self.manifest.segments = segments.to_vec();
        self.manifest.made_at_us = (self.options.clock)();
        let text = self.manifest.encode().map_err(io::Error::from);
        let written = text.and_then(|text| write_whole(self.disk(), &self.path, MANIFEST, &text));
        written.map_err(|source| io_error("writing", &self.path.join(MANIFEST), source))
    }

    pub(super) fn contents(&self) -> Contents {
        Contents::of(&self.manifest)
    }

    fn disk(&self) -> &'a dyn Disk {
        self.options.disk.as_ref()
    }
}

impl Contents {
    pub(super) fn of(manifest: &Manifest) -> Self {
        Self {
            log_id: manifest.log_id,
            made_at_us: manifest.made_at_us,
            segments: manifest.segments.len(),
            transactions: manifest.transactions(),
            last_position: manifest.last_position(),
            last_recorded_at_us: manifest.last_recorded_at_us(),
        }
    }
}

/// Takes the lock of a folder and says in it who has it.
pub(super) fn take_lock(disk: &dyn Disk, folder: &Path, now_us: i64) -> Result<Lock, LockRefused> {
    let since = chrono::DateTime::from_timestamp_micros(now_us).unwrap_or_default();
    let owner = format!("process {} since {}\n", std::process::id(), since.format("%Y-%m-%dT%H:%M:%SZ"));
    disk.lock(&folder.join("LOCK"), &owner)
}

fn io_error(doing: &'static str, path: &Path, source: io::Error) -> BackupRefused {
    BackupRefused::Io { doing, path: path.to_owned(), source }
}
