//! Looks a backup over without the log that it is of: every byte that was copied, every frame, and that nothing else
//! stands there. Reads only.

use std::path::Path;
use std::sync::Arc;

use domain::ids::Position;

use super::copy::{NotTheCopy, read_back};
use super::manifest::{MANIFEST, Manifest, SegmentCopy, read_manifest, read_small};
use super::unsound::UnsoundBackup;
use super::{Contents, Progress};
use crate::disk::{Access, Disk};
use crate::log::folder::{Folder, OpenSegment, description};
use crate::log::scan::{Link, Scan, Tail, judge_tail};
use crate::log::segment::segment_path;
use crate::log::window::Window;

/// A backup that is sound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// What it has.
    pub contents: Contents,
    /// The last position of what an interrupted backup has copied besides and not entered yet; the next backup takes
    /// it over, a restore leaves it out.
    pub beyond: Option<Position>,
}

/// Checks the backup in `folder`; `progress` is called after every segment.
///
/// # Errors
/// [`UnsoundBackup`]: what is damaged, and where.
pub fn check_backup(
    disk: &Arc<dyn Disk>,
    folder: &Path,
    mut progress: impl FnMut(Progress),
) -> Result<Checked, UnsoundBackup> {
    let manifest = manifest_of(disk.as_ref(), folder)?;
    let path = folder.join("log.json");
    let found = read_small(disk.as_ref(), &path, 4096).map_err(|source| UnsoundBackup::Io {
        doing: "reading",
        path: path.clone(),
        source,
    })?;
    if description(manifest.log_id).is_ok_and(|expected| expected.as_bytes() != found) {
        return Err(UnsoundBackup::Damaged { path, offset: None, reason: "it is not what was written".to_owned() });
    }
    let folder = Folder { disk: Arc::clone(disk), path: folder.to_owned(), log_id: manifest.log_id };
    let numbers = folder.segment_numbers()?;
    let (mut before, mut earlier_us) = (Link::FIRST, None);
    let mut beyond = None;
    for copy in &manifest.segments {
        check_copy(&folder, copy, before, earlier_us)?;
        let segment = folder.segment_of(copy.number, Access::Read)?;
        let scan = walk(&folder, &segment, before)?;
        if scan.offset > copy.bytes {
            beyond = Some(Position(scan.next_position.0 - 1));
        }
        progress(Progress { segment: copy.number, segments: numbers.len() });
        if copy.number == manifest.segments.len() as u32 {
            before = scan.link();
            check_beyond(&folder, &scan, &numbers, &mut before, &mut beyond)?;
        } else {
            (before, earlier_us) = (copy.link(), copy.last_recorded_at_us);
        }
    }
    Ok(Checked { contents: Contents::of(&manifest), beyond })
}

/// Checks segments that no manifest names.
fn check_beyond(
    folder: &Folder,
    last: &Scan,
    numbers: &[u32],
    before: &mut Link,
    beyond: &mut Option<Position>,
) -> Result<(), UnsoundBackup> {
    let mut sealed = last.sealed;
    for number in numbers.iter().filter(|number| **number > last.header.number) {
        let segment = folder.segment_of(*number, Access::Read)?;
        if !sealed {
            let reason = format!("segment {} before it is not sealed", number - 1);
            let path = segment_path(&folder.path, *number);
            return Err(UnsoundBackup::Damaged { path, offset: None, reason });
        }
        let scan = walk(folder, &segment, *before)?;
        sealed = scan.sealed;
        *before = scan.link();
        *beyond = Some(Position(scan.next_position.0 - 1));
    }
    Ok(())
}

/// The manifest of a backup that has something.
pub(super) fn manifest_of(disk: &dyn Disk, folder: &Path) -> Result<Manifest, UnsoundBackup> {
    let manifest = read_manifest(disk, folder)?;
    let manifest = manifest.ok_or_else(|| UnsoundBackup::NotABackup { folder: folder.to_owned() })?;
    if manifest.segments.is_empty() {
        return Err(UnsoundBackup::Empty { folder: folder.to_owned() });
    }
    Ok(manifest)
}

/// Checks that a segment holds what the manifest says was copied into it.
pub(super) fn check_copy(
    folder: &Folder,
    copy: &SegmentCopy,
    before: Link,
    earlier_us: Option<i64>,
) -> Result<OpenSegment, UnsoundBackup> {
    let segment = folder.segment_of(copy.number, Access::Read)?;
    let path = segment_path(&folder.path, copy.number);
    let found = read_back(folder.disk.as_ref(), &path, &segment.header, before, copy.bytes, copy.crc, earlier_us);
    match found {
        Ok(found) if found == *copy => Ok(segment),
        Ok(_) => Err(UnsoundBackup::Damaged { path, offset: None, reason: format!("it is not what {MANIFEST} says") }),
        Err(NotTheCopy::Fault(offset, reason)) => {
            Err(UnsoundBackup::Damaged { path, offset: (offset > 0).then_some(offset), reason })
        }
        Err(NotTheCopy::Folder(refused)) => Err(refused.into()),
        Err(NotTheCopy::Io(source)) => Err(UnsoundBackup::Io { doing: "reading", path, source }),
    }
}

/// Walks a whole segment: good frames, then zeros.
fn walk(folder: &Folder, segment: &OpenSegment, before: Link) -> Result<Scan, UnsoundBackup> {
    let path = segment_path(&folder.path, segment.header.number);
    let mut window = Window::new(segment.file.clone());
    let mut scan = Scan::new(segment.header, before);
    let walked = scan.walk(&mut window, |_| Ok(())).and_then(|fault| {
        let tail = judge_tail(&mut window, &segment.header, scan.offset)?;
        Ok((fault, tail))
    });
    match walked {
        Ok((_, Tail::Clean)) => Ok(scan),
        Ok((fault, _)) => {
            let reason = fault.map_or_else(|| "bytes follow the footer".to_owned(), |fault| fault.to_string());
            Err(UnsoundBackup::Damaged { path, offset: Some(scan.offset), reason })
        }
        Err(source) => Err(UnsoundBackup::Io { doing: "reading", path, source }),
    }
}
