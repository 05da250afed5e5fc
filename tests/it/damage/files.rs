//! The files of a log, read by the drawing in `docs/log-format.md` alone.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The header of a segment takes a page.
pub(super) const PAGE: usize = 4096;
const FRAME_HEADER: usize = 48;

/// A frame.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame {
    pub(super) offset: usize,
    pub(super) end: usize,
    pub(super) first_position: u64,
    /// Where the write begins that it was part of.
    pub(super) run_start: usize,
}

pub(super) fn frames(segment: &[u8]) -> Vec<Frame> {
    let mut frames = Vec::new();
    let mut offset = PAGE;
    while segment.get(offset..offset + 4) == Some(b"BFRM") {
        let number = |at: usize| u32::from_le_bytes(segment[offset + at..][..4].try_into().unwrap()) as usize;
        let end = offset + FRAME_HEADER + number(8).next_multiple_of(8);
        let first_position = u64::from_le_bytes(segment[offset + 16..][..8].try_into().unwrap());
        frames.push(Frame { offset, end, first_position, run_start: number(32) });
        offset = end;
    }
    frames
}

pub(super) fn segment_path(data: &Path, number: usize) -> PathBuf {
    data.join(format!("segments/{number:010}.seg"))
}

/// Every segment that has begun.
pub(super) fn begun(data: &Path) -> Vec<Vec<u8>> {
    let segments = (1..).map(|number| std::fs::read(segment_path(data, number)));
    segments.map_while(Result::ok).take_while(|segment| !frames(segment).is_empty()).collect()
}

/// Every file of a log but the lock, which says who looked last.
pub(super) fn files(data: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![data.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.file_name().unwrap() != "LOCK" {
                files.insert(path.clone(), std::fs::read(path).unwrap());
            }
        }
    }
    files
}

pub(super) fn copy(from: &Path, to: &Path) {
    for (path, bytes) in files(from) {
        let path = to.join(path.strip_prefix(from).unwrap());
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
}
