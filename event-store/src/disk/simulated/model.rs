//! What a disk remembers and what it may forget: files with sectors that are durable or not, folder entries that are
//! durable or not, and what a power cut leaves of them.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

/// What is written whole or not at all.
const SECTOR_BYTES: usize = 512;

/// Which unsynced changes a power cut leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Survival {
    /// None: every sector and entry is as it was last synced.
    Nothing,
    /// All, as if everything had been synced.
    Everything,
    /// For each sector one of the contents it had since it was synced, and any of the folder entries; the number is
    /// the seed.
    Some(u64),
}

/// A file's contents, as they are read and as they are durable.
#[derive(Debug, Clone, Default)]
struct Contents {
    current: Vec<u8>,
    durable: Vec<u8>,
    /// What each sector was since it was last synced, oldest first.
    unsynced: BTreeMap<usize, Vec<Vec<u8>>>,
}

/// What stands under a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Node {
    Folder,
    File(usize),
}

/// A change to folder entries, kept until the folder is synced.
#[derive(Debug, Clone)]
struct Change {
    folder: PathBuf,
    set: Vec<(PathBuf, Option<Node>)>,
}

/// All files and folders.
#[derive(Debug, Clone, Default)]
pub(super) struct Model {
    contents: Vec<Contents>,
    current: BTreeMap<PathBuf, Node>,
    durable: BTreeMap<PathBuf, Node>,
    changes: Vec<Change>,
}

impl Model {
    pub(super) fn create_folder(&mut self, path: &Path) {
        for above in path.ancestors().collect::<Vec<_>>().into_iter().rev().filter(|above| above.parent().is_some()) {
            if !self.current.contains_key(above) {
                self.change(above, vec![(above.to_owned(), Some(Node::Folder))]);
            }
        }
    }

    pub(super) fn names(&self, folder: &Path) -> Vec<String> {
        let within = self.current.keys().filter(|path| path.parent() == Some(folder));
        within.filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned())).collect()
    }

    pub(super) fn file(&self, path: &Path) -> io::Result<usize> {
        match self.current.get(path) {
            Some(Node::File(file)) => Ok(*file),
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }

    pub(super) fn create(&mut self, path: &Path) -> io::Result<usize> {
        if path.parent().is_some_and(|folder| folder.parent().is_some() && !self.current.contains_key(folder)) {
            return Err(io::ErrorKind::NotFound.into());
        }
        self.contents.push(Contents::default());
        let file = self.contents.len() - 1;
        self.change(path, vec![(path.to_owned(), Some(Node::File(file)))]);
        Ok(file)
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let file = Node::File(self.file(from)?);
        self.change(from, vec![(from.to_owned(), None), (to.to_owned(), Some(file))]);
        Ok(())
    }

    pub(super) fn remove(&mut self, path: &Path) -> io::Result<()> {
        self.file(path)?;
        self.change(path, vec![(path.to_owned(), None)]);
        Ok(())
    }

    fn change(&mut self, path: &Path, set: Vec<(PathBuf, Option<Node>)>) {
        apply(&mut self.current, &set);
        self.changes.push(Change { folder: path.parent().unwrap_or(path).to_owned(), set });
    }

    pub(super) fn sync_folder(&mut self, folder: &Path) {
        let changes = std::mem::take(&mut self.changes);
        for change in changes {
            if change.folder == folder {
                apply(&mut self.durable, &change.set);
            } else {
                self.changes.push(change);
            }
        }
    }

    pub(super) fn read(&self, file: usize, buffer: &mut [u8], offset: u64) -> usize {
        let current = &self.contents[file].current;
        let from = (offset as usize).min(current.len());
        let bytes = buffer.len().min(current.len() - from);
        buffer[..bytes].copy_from_slice(&current[from..from + bytes]);
        bytes
    }

    pub(super) fn write(&mut self, file: usize, bytes: &[u8], offset: u64) {
        let (offset, contents) = (offset as usize, &mut self.contents[file]);
        let end = offset + bytes.len();
        if contents.current.len() < end {
            contents.current.resize(end, 0);
        }
        contents.current[offset..end].copy_from_slice(bytes);
        for sector in offset / SECTOR_BYTES..end.div_ceil(SECTOR_BYTES) {
            let from = sector * SECTOR_BYTES;
            let now = contents.current[from..(from + SECTOR_BYTES).min(contents.current.len())].to_vec();
            contents.unsynced.entry(sector).or_default().push(now);
        }
    }

    pub(super) fn sync(&mut self, file: usize) {
        let contents = &mut self.contents[file];
        // Sectors that a failed sync has dropped are not written by a later one: they are not in `unsynced` any more.
        contents.durable.resize(contents.current.len(), 0);
        for (sector, versions) in std::mem::take(&mut contents.unsynced) {
            if let Some(last) = versions.last() {
                put_sector(&mut contents.durable, sector, last);
            }
        }
    }

    /// A sync that fails: what was unsynced can still be read but is never written by a later sync.
    pub(super) fn drop_unsynced(&mut self, file: usize) {
        self.contents[file].unsynced.clear();
    }

    pub(super) fn length(&self, file: usize) -> u64 {
        self.contents[file].current.len() as u64
    }

    /// Bytes that all files have together.
    pub(super) fn used_bytes(&self) -> u64 {
        let files: BTreeSet<usize> = self.current.values().filter_map(Node::file).collect();
        files.into_iter().map(|file| self.length(file)).sum()
    }

    /// Turns one bit over, durably.
    pub(super) fn flip_bit(&mut self, file: usize, bit: u64) {
        let (byte, mask) = ((bit / 8) as usize, 1 << (bit % 8));
        let contents = &mut self.contents[file];
        contents.current[byte] ^= mask;
        contents.durable[byte] ^= mask;
    }

    /// Keeps what is durable and what `survival` leaves of the rest.
    pub(super) fn lose_power(&mut self, survival: Survival) {
        let mut dice = Dice { survival };
        for change in std::mem::take(&mut self.changes) {
            if dice.choose(2) == 1 {
                apply(&mut self.durable, &change.set);
            }
        }
        // What is in a folder that was lost is lost with it.
        let kept = self.durable.clone();
        self.durable.retain(|path, _| {
            path.ancestors().skip(1).all(|above| above.parent().is_none() || kept.contains_key(above))
        });
        self.current.clone_from(&self.durable);
        for contents in &mut self.contents {
            if contents.current.len() != contents.durable.len() && dice.choose(2) == 1 {
                contents.durable.resize(contents.current.len(), 0);
            }
            for (sector, versions) in std::mem::take(&mut contents.unsynced) {
                let choice = dice.choose(versions.len() + 1);
                if choice > 0 {
                    put_sector(&mut contents.durable, sector, &versions[choice - 1]);
                }
            }
            contents.current.clone_from(&contents.durable);
        }
    }
}

impl Node {
    const fn file(&self) -> Option<usize> {
        match self {
            Self::File(file) => Some(*file),
            Self::Folder => None,
        }
    }
}

fn apply(entries: &mut BTreeMap<PathBuf, Node>, set: &[(PathBuf, Option<Node>)]) {
    for (path, node) in set {
        match node {
            Some(node) => entries.insert(path.clone(), *node),
            None => entries.remove(path),
        };
    }
}

/// Writes a sector as far as the file reaches.
fn put_sector(file: &mut [u8], sector: usize, bytes: &[u8]) {
    let from = sector * SECTOR_BYTES;
    if from < file.len() {
        let end = (from + bytes.len()).min(file.len());
        file[from..end].copy_from_slice(&bytes[..end - from]);
    }
}

/// Decides what survives.
struct Dice {
    survival: Survival,
}

impl Dice {
    /// One of `0..of`; 0 is the oldest.
    fn choose(&mut self, of: usize) -> usize {
        match &mut self.survival {
            Survival::Nothing => 0,
            Survival::Everything => of - 1,
            Survival::Some(seed) => {
                // SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014).
                *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
                let mixed = (*seed ^ *seed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
                let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
                ((mixed ^ mixed >> 31) % of as u64) as usize
            }
        }
    }
}
