//! The index of one segment in memory: the segment that is being written, or one whose file is not made yet. Filled by
//! who walks the segment; `file.rs` makes the file of it.

use domain::ids::Position;

use super::file::{IndexHeader, SIGNPOST_ROW_BYTES, STREAM_ROW_BYTES, StreamRow};
use crate::log::LogId;
use crate::log::scan::Link;

/// A place for the index of positions is noted every so many bytes of the segment.
pub(super) const SIGNPOST_BYTES: u64 = 64 << 10;
/// Events are spread over so many buckets by their digest, so that a look-up walks a small part and no sorting is
/// needed until the segment is full.
const BUCKETS: usize = 256;

/// An event of a stream and the frame that holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EventPlace {
    pub(crate) digest: u128,
    pub(crate) version: u64,
    /// Offset of the frame in the segment, in units of 8 bytes.
    pub(crate) place: u32,
}

/// A frame boundary and the position that the frame there has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Signpost {
    pub(crate) position: Position,
    pub(crate) offset: u64,
}

/// What a walk over a segment has seen and not yet handed over.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) events: Vec<EventPlace>,
    signposts: Vec<Signpost>,
    transactions: u64,
    last_signpost: Option<u64>,
}

impl Seen {
    /// Notes a transaction; its events follow.
    pub(crate) fn transaction(&mut self, offset: u64, first_position: Position) {
        self.transactions += 1;
        if self.last_signpost.is_none_or(|last| offset - last >= SIGNPOST_BYTES) {
            self.last_signpost = Some(offset);
            self.signposts.push(Signpost { position: first_position, offset });
        }
    }

    /// Forgets where the last signpost was, for the next segment.
    pub(crate) const fn next_segment(&mut self) {
        self.last_signpost = None;
    }
}

/// How a segment ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seal {
    pub(crate) footer_offset: u32,
    pub(crate) frame_count: u32,
    pub(crate) after: Link,
}

/// A stream whose versions do not follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct VersionGap {
    pub(crate) offset: u64,
    pub(crate) expected: u64,
    pub(crate) found: u64,
}

/// The index of one segment.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) segment: u32,
    pub(crate) stamp: u64,
    pub(crate) before: Link,
    buckets: Vec<Vec<EventPlace>>,
    signposts: Vec<Signpost>,
    transactions: u64,
    pub(crate) seal: Option<Seal>,
}

/// What a segment has of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Held {
    /// The first version of the stream in the segment.
    pub(crate) first_version: u64,
    /// How many versions follow each other there, this one included.
    pub(crate) count: u64,
    /// The frames of the versions that were asked for, in units of 8 bytes.
    pub(crate) places: Vec<u32>,
    /// The version of the first of them.
    pub(crate) places_from: u64,
}

/// Which versions of a stream are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// From a version on, at most so many.
    From(u64, usize),
    /// From a version down, at most so many.
    DownFrom(u64, usize),
}

impl Wanted {
    /// The wanted ones out of `count` versions from `first` on: the first of them and how many.
    pub(crate) fn of(self, first: u64, count: u64) -> (u64, u64) {
        let end = first.saturating_add(count);
        match self {
            Self::From(from, limit) => {
                let from = from.clamp(first, end);
                (from, (end - from).min(limit as u64))
            }
            Self::DownFrom(from, limit) => {
                let end = from.saturating_add(1).clamp(first, end);
                let wanted = (end - first).min(limit as u64);
                (end - wanted, wanted)
            }
        }
    }
}

impl Part {
    pub(crate) fn new(segment: u32, stamp: u64, before: Link) -> Self {
        let buckets = vec![Vec::new(); BUCKETS];
        Self { segment, stamp, before, buckets, signposts: Vec::new(), transactions: 0, seal: None }
    }

    /// Takes over what was seen.
    pub(crate) fn take(&mut self, seen: &mut Seen) {
        for event in seen.events.drain(..) {
            self.buckets[bucket(event.digest)].push(event);
        }
        self.signposts.append(&mut seen.signposts);
        self.transactions += std::mem::take(&mut seen.transactions);
    }

    /// The last signpost at or before a position.
    pub(crate) fn signpost_before(&self, position: Position) -> Option<Signpost> {
        let beyond = self.signposts.partition_point(|signpost| signpost.position <= position);
        beyond.checked_sub(1).map(|last| self.signposts[last])
    }

    /// What the segment has of a stream.
    pub(crate) fn held(&self, digest: u128, wanted: Wanted) -> Result<Option<Held>, VersionGap> {
        let mut own = self.buckets[bucket(digest)].iter().filter(|event| event.digest == digest);
        let Some(first) = own.next() else { return Ok(None) };
        let mut all = vec![first.place];
        for event in own {
            follows(event, first.version, all.len() as u64)?;
            all.push(event.place);
        }
        let (places_from, count) = wanted.of(first.version, all.len() as u64);
        let from = (places_from - first.version) as usize;
        Ok(Some(Held {
            first_version: first.version,
            count: all.len() as u64,
            places: all[from..from + count as usize].to_vec(),
            places_from,
        }))
    }

    /// The file of a segment that is sealed.
    pub(crate) fn encode(&self, log_id: LogId, seal: Seal) -> Result<(IndexHeader, Vec<u8>), VersionGap> {
        let events = self.buckets.iter().map(Vec::len).sum::<usize>();
        let (mut streams, mut places) = (Vec::new(), Vec::with_capacity(events * 4));
        let (mut keys, mut sorted) = (Vec::new(), Vec::new());
        for bucket in &self.buckets {
            sort(bucket, &mut keys, &mut sorted);
            for stream in sorted.chunk_by(|one, next| one.digest == next.digest) {
                let first = &stream[0];
                StreamRow {
                    digest: first.digest,
                    first_version: first.version,
                    start: (places.len() / 4) as u32,
                    count: stream.len() as u32,
                }
                .put(&mut streams);
                for (index, event) in (0_u64..).zip(stream) {
                    follows(event, first.version, index)?;
                    places.extend_from_slice(&event.place.to_le_bytes());
                }
            }
        }
        let mut signposts = Vec::with_capacity(self.signposts.len() * SIGNPOST_ROW_BYTES);
        for signpost in &self.signposts {
            signposts.extend_from_slice(&signpost.position.0.to_le_bytes());
            signposts.extend_from_slice(&signpost.offset.to_le_bytes());
        }
        let header = IndexHeader {
            segment: self.segment,
            log_id,
            stamp: self.stamp,
            before: self.before,
            after: seal.after,
            footer_offset: seal.footer_offset,
            frame_count: seal.frame_count,
            transactions: self.transactions,
            streams: (streams.len() / STREAM_ROW_BYTES) as u32,
            signposts: self.signposts.len() as u32,
        };
        let image = header.image(&streams, &places, &signposts);
        Ok((header, image))
    }
}

/// Fills `sorted` with the events of a bucket, by digest and then as they came, which is by version. Half of the digest
/// and a number are quicker to sort than events.
fn sort(bucket: &[EventPlace], keys: &mut Vec<(u64, u32)>, sorted: &mut Vec<EventPlace>) {
    keys.clear();
    keys.extend(bucket.iter().zip(0..).map(|(event, number)| ((event.digest >> 64) as u64, number)));
    keys.sort_unstable();
    sorted.clear();
    sorted.extend(keys.iter().map(|(_, number)| bucket[*number as usize]));
    // Two streams with the same half are as good as impossible, and would be mixed.
    if !sorted.is_sorted_by_key(|event| event.digest) {
        sorted.sort_by_key(|event| event.digest);
    }
}

const fn bucket(digest: u128) -> usize {
    (digest >> 120) as usize
}

fn follows(event: &EventPlace, first_version: u64, index: u64) -> Result<(), VersionGap> {
    let expected = first_version.wrapping_add(index);
    if event.version == expected {
        return Ok(());
    }
    Err(VersionGap { offset: u64::from(event.place) * 8, expected, found: event.version })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_sorted_by_stream_and_then_as_they_came_even_if_half_of_two_digests_is_the_same() {
        let event = |digest, version| EventPlace { digest, version, place: 8 };
        let half = 7 << 64;
        let bucket = [event(half | 2, 5), event(half | 1, 0), event(3, 1), event(half | 2, 6), event(half | 1, 1)];
        let mut sorted = Vec::new();
        sort(&bucket, &mut Vec::new(), &mut sorted);
        let expected = [event(3, 1), event(half | 1, 0), event(half | 1, 1), event(half | 2, 5), event(half | 2, 6)];
        assert_eq!(sorted, expected);
    }

    #[test]
    fn what_is_wanted_of_a_stream_lies_within_what_there_is() {
        let cases = [
            (Wanted::From(0, 9), (10, 5)),
            (Wanted::From(12, 2), (12, 2)),
            (Wanted::From(15, 2), (15, 0)),
            (Wanted::From(u64::MAX, 2), (15, 0)),
            (Wanted::DownFrom(u64::MAX, 2), (13, 2)),
            (Wanted::DownFrom(12, usize::MAX), (10, 3)),
            (Wanted::DownFrom(9, 2), (10, 0)),
        ];
        for (wanted, expected) in cases {
            assert_eq!(wanted.of(10, 5), expected, "{wanted:?}");
        }
    }
}
