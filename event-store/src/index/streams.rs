//! Reading streams through the index: which segments have a stream, which frames of them, and those frames in the order
//! in which they stand, each once.

use domain::ids::Version;

use super::part::{Held, VersionGap, Wanted};
use super::{Kept, StreamIndex};
use crate::log::Direction;
use crate::log::reader::{ReadError, StreamRead};
use crate::transaction::record::StoredEvent;

/// How often a segment is asked again after its index file was found damaged.
const TRIES_MAX: u32 = 3;

impl StreamIndex {
    /// Up to `limit` events of a stream, from version `from` on or down.
    pub(crate) fn read_stream(
        &self,
        stream: &str,
        from: Version,
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<StoredEvent>, ReadError> {
        self.catch_up()?;
        let digest = self.digest.of(stream.as_bytes());
        let open = self.state().open.segment;
        let mut events = Vec::new();
        match direction {
            Direction::Forward => {
                let mut next_version = 0;
                for segment in 1..=open {
                    let wanted = Wanted::From(from.0, limit - events.len());
                    if let Some((held, found)) = self.of_segment(segment, stream, digest, wanted)? {
                        self.goes_on(segment, stream, &held, next_version, held.first_version)?;
                        next_version = held.first_version.saturating_add(held.count);
                        events.extend(found);
                    }
                    if events.len() >= limit {
                        break;
                    }
                }
            }
            Direction::Backward => {
                let mut first_version = None;
                for segment in (1..=open).rev() {
                    let wanted = Wanted::DownFrom(from.0, limit - events.len());
                    if let Some((held, found)) = self.of_segment(segment, stream, digest, wanted)? {
                        let end = held.first_version.saturating_add(held.count);
                        self.goes_on(segment, stream, &held, end, first_version.unwrap_or(end))?;
                        first_version = Some(held.first_version);
                        events.extend(found.into_iter().rev());
                    }
                    if events.len() >= limit || first_version == Some(0) {
                        break;
                    }
                }
            }
        }
        Ok(events)
    }

    /// What a segment has of a stream, and the wanted events of it in their order.
    fn of_segment(
        &self,
        segment: u32,
        stream: &str,
        digest: u128,
        wanted: Wanted,
    ) -> Result<Option<(Held, Vec<StoredEvent>)>, ReadError> {
        for _ in 0..TRIES_MAX {
            let Some(held) = self.held(segment, stream, digest, wanted)? else { return Ok(None) };
            let versions = held.places_from..held.places_from + held.places.len() as u64;
            match self.reader.read_events(segment, stream, versions, &held.places)? {
                StreamRead::Events(events) => return Ok(Some((held, events))),
                // The frames are whole and have other events: the index was wrong.
                StreamRead::OtherEvents => {
                    self.discard(segment, &super::IndexFault::Damaged("it names frames that have other events"));
                }
            }
        }
        let offset = self.kept(segment).map_or(0, |_| crate::log::segment::SEGMENT_HEADER_BYTES);
        let reason = format!("events of stream {stream} are not where its index says");
        Err(Box::new(self.damage(segment, offset, reason)).into())
    }

    fn held(&self, segment: u32, stream: &str, digest: u128, wanted: Wanted) -> Result<Option<Held>, ReadError> {
        let gap = |gap| ReadError::from(Box::new(self.version_gap(segment, Some(stream), &gap)));
        {
            let state = self.state();
            if state.open.segment == segment {
                let held = state.open.held(digest, wanted);
                drop(state);
                return held.map_err(gap);
            }
        }
        loop {
            let Some(sealed) = self.kept(segment) else { return Ok(None) };
            if let Kept::File(header) = &sealed.kept {
                match self.file(segment).and_then(|file| header.held(file.as_ref(), digest, wanted)) {
                    Ok(held) => return Ok(held),
                    Err(fault) => self.discard(segment, &fault),
                }
            }
            // In a file again by now: made by somebody else meanwhile.
            if let Some(part) = self.part_of(segment)? {
                return part.held(digest, wanted).map_err(gap);
            }
        }
    }

    /// Versions go on from segment to segment without a gap.
    fn goes_on(&self, segment: u32, stream: &str, held: &Held, expected: u64, found: u64) -> Result<(), ReadError> {
        if expected == found {
            return Ok(());
        }
        let offset = held.places.first().map_or(0, |place| u64::from(*place) * 8);
        let gap = VersionGap { offset, expected, found };
        Err(Box::new(self.version_gap(segment, Some(stream), &gap)).into())
    }
}
