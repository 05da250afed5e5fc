//! How far a pass of the scrubber is, kept in `index/scrub.json`, so that a restart goes on with it. Derived: without
//! it, a pass begins anew.

use std::io;

use serde::{Deserialize, Serialize};

use crate::disk::{Access, read_full_at, write_all_at};
use crate::index::file::index_folder;
use crate::log::folder::Folder;

/// How far a pass is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Progress {
    /// When the pass began, in microseconds since 1970-01-01 UTC.
    pub(super) began_at_us: i64,
    /// Segments up to this number are done.
    pub(super) segments_done: u32,
    /// Whether the pass has come to its end; segments that are sealed later are read as they come.
    pub(super) ended: bool,
    /// When the last pass ended, in microseconds since 1970-01-01 UTC.
    pub(super) last_pass_at_us: Option<i64>,
    /// Segments that were found damaged.
    pub(super) damaged: Vec<u32>,
}

impl Progress {
    pub(super) fn new(began_at_us: i64) -> Self {
        Self { began_at_us, segments_done: 0, ended: false, last_pass_at_us: None, damaged: Vec::new() }
    }

    /// What an earlier process left.
    pub(super) fn read(folder: &Folder) -> Option<Self> {
        let file = folder.disk.open(&index_folder(&folder.path).join("scrub.json"), Access::Read).ok()?;
        let mut bytes = [0; 4096];
        let read = read_full_at(file.as_ref(), &mut bytes, 0).ok()?;
        serde_json::from_slice(&bytes[..read]).ok()
    }

    /// Not synced: what a crash takes back is done again.
    pub(super) fn write(&self, folder: &Folder) -> io::Result<()> {
        let path = index_folder(&folder.path).join("scrub.json");
        let unfinished = path.with_extension("json.new");
        folder.disk.create_folder(&index_folder(&folder.path))?;
        let file = folder.disk.create(&unfinished)?;
        write_all_at(file.as_ref(), &serde_json::to_vec(self)?, 0)?;
        folder.disk.rename(&unfinished, &path)
    }
}
