//! Making the index of a sealed segment again from the segment, where its file is missing or damaged. Every frame is
//! checked on the way: an index file vouches for its segment at the next start.

use std::sync::{Arc, PoisonError};

use domain::ids::Position;

use super::part::{EventPlace, Part, Seal, Seen, VersionGap};
use super::{Kept, StreamIndex};
use crate::disk::Access;
use crate::log::folder::FolderRefused;
use crate::log::frame::FrameFault;
use crate::log::reader::ReadError;
use crate::log::scan::Scan;
use crate::log::segment::segment_path;
use crate::log::survey::{Damage, Visitor, survey_sealed};

/// Events that are gathered before they are handed over.
const EVENTS_AT_ONCE: usize = 4096;

impl StreamIndex {
    /// The index of a sealed segment in memory; made from the segment when it is neither there nor in a file. `None`
    /// when it is in a file.
    pub(super) fn part_of(&self, segment: u32) -> Result<Option<Arc<Part>>, ReadError> {
        // The lock guards no data.
        let _one_at_a_time = self.rebuilding.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(sealed) = self.kept(segment) else { return Err(self.not_sealed(segment).into()) };
        match sealed.kept {
            Kept::Part(part) => return Ok(Some(part)),
            Kept::Impossible(damage) => return Err(Box::new((*damage).clone()).into()),
            Kept::File(_) => return Ok(None),
            Kept::Missing => {}
        }
        let folder = self.reader.folder();
        let open = folder.segment_of(segment, Access::Read)?;
        let part = Part::new(segment, open.header.stamp, sealed.before);
        let mut filling = Filling { index: self, part, seen: Seen::default() };
        let scanned = survey_sealed(folder, &open, Scan::new(open.header, sealed.before), &mut filling);
        let scan = match scanned {
            Ok(scan) => scan,
            Err(error) => {
                let error = ReadError::from(error);
                if let ReadError::Damaged(damage) = &error
                    && !self.stopping()
                {
                    tracing::error!(%damage, "a segment cannot be indexed");
                    self.put(segment, Kept::Impossible(Arc::new((**damage).clone())));
                }
                return Err(error);
            }
        };
        filling.part.take(&mut filling.seen);
        let mut part = filling.part;
        part.seal =
            Some(Seal { footer_offset: scan.footer_offset(), frame_count: scan.frame_count - 1, after: scan.link() });
        let part = Arc::new(part);
        self.put(segment, Kept::Part(Arc::clone(&part)));
        // A full bell is already ringing.
        let _ = self.bell.try_send(());
        Ok(Some(part))
    }

    /// Damage: a stream does not go on where it should. `stream` is its name, where that is known.
    pub(super) fn version_gap(&self, segment: u32, stream: Option<&str>, gap: &VersionGap) -> Damage {
        let VersionGap { offset, expected, found } = *gap;
        let stream = stream.map_or_else(|| "a stream".to_owned(), |name| format!("stream {name}"));
        self.damage(segment, offset, format!("{stream} goes on with version {found} instead of {expected}"))
    }

    pub(super) fn damage(&self, segment: u32, offset: u64, reason: String) -> Damage {
        let frame = self.reader.read_frame(segment, offset).ok();
        let place = frame.as_ref().map(|frame| frame.frame().place());
        Damage {
            segment,
            path: segment_path(&self.reader.folder().path, segment),
            offset,
            first_position: place.map_or(Position::START, |place| place.first_position),
            last_position: place.map(|place| place.last_position),
            reason,
        }
    }

    fn not_sealed(&self, segment: u32) -> FolderRefused {
        let path = segment_path(&self.reader.folder().path, segment);
        FolderRefused::MissingSegment { number: segment, path, beyond: "its index was asked for".to_owned() }
    }
}

/// Fills a part from the frames of its segment.
struct Filling<'a> {
    index: &'a StreamIndex,
    part: Part,
    seen: Seen,
}

impl Visitor for Filling<'_> {
    fn transaction(&mut self, frame: &crate::log::frame::Frame<'_>) -> Result<(), FrameFault> {
        if self.index.stopping() {
            // Nobody sees this fault: the log is being closed.
            return Err(FrameFault::Sequence("the log is being closed"));
        }
        let place = frame.place();
        self.seen.transaction(place.offset, place.first_position);
        self.seen.events.extend(frame.events().map(|event| EventPlace {
            digest: self.index.digest.of(event.stream.as_bytes()),
            version: event.version.0,
            place: (place.offset / 8) as u32,
        }));
        if self.seen.events.len() >= EVENTS_AT_ONCE {
            self.part.take(&mut self.seen);
        }
        Ok(())
    }
}
