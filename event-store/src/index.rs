//! The stream index: which frames hold the events of a stream, and where in the log a position is near. Kept in
//! memory, made from the log, never on the way of an append: a thread follows the durable log, and a read that comes
//! earlier catches up itself.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crossbeam_channel::Receiver;
use domain::ids::{Position, Version};
use tokio::sync::watch;

use crate::log::Direction;
use crate::log::reader::{Frames, LogReader, ReadError, Start};
use crate::log::survey::Damage;
use crate::transaction::record::StoredEvent;

/// A place for the index of positions is noted every so many bytes of the log.
const SIGNPOST_BYTES: u64 = 64 << 10;
/// Frames that are indexed under one lock.
const FRAMES_AT_ONCE: usize = 256;

/// Where a frame stands, in eight bytes: the segment above, the offset (a multiple of 8) below.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct PackedPlace(u64);

impl PackedPlace {
    fn new(segment: u32, offset: u64) -> Self {
        Self(u64::from(segment) << 32 | offset >> 3)
    }

    const fn segment(self) -> u32 {
        (self.0 >> 32) as u32
    }

    const fn offset(self) -> u64 {
        (self.0 & 0xffff_ffff) << 3
    }
}

#[derive(Debug, Default)]
struct Index {
    /// Stream name → for each version, from 0, the frame that holds it.
    streams: HashMap<Box<str>, Vec<PackedPlace>, foldhash::fast::RandomState>,
    /// Frame boundaries with the position that the frame there has, in order.
    signposts: Vec<Start>,
    through: Position,
}

/// The index and the thread that keeps it up to date.
#[derive(Debug)]
pub(crate) struct IndexTail {
    reader: Arc<LogReader>,
    durable: watch::Receiver<Position>,
    /// Read by many, written by whoever catches up.
    index: RwLock<Index>,
    /// How far the log was read. Under a mutex because the thread and readers in a hurry take turns catching up.
    walk: Mutex<Frames>,
}

impl IndexTail {
    /// Starts the thread; it ends when `rung`'s other side is gone.
    pub(crate) fn start(
        reader: Arc<LogReader>,
        durable: watch::Receiver<Position>,
        rung: Receiver<()>,
    ) -> io::Result<Arc<Self>> {
        let walk = Mutex::new(reader.frames_from(Start::LOG, Position::START, Some(Position::START)));
        let tail = Arc::new(Self { reader, durable, index: RwLock::default(), walk });
        let following = Arc::downgrade(&tail);
        std::thread::Builder::new().name("log-index".into()).spawn(move || {
            loop {
                match following.upgrade().map(|tail| tail.catch_up()) {
                    Some(Ok(())) => {}
                    // Who reads gets the error too, and can tell somebody.
                    Some(Err(error)) => tracing::error!(%error, "the index of the log fell behind"),
                    None => return,
                }
                if rung.recv().is_err() {
                    return;
                }
            }
        })?;
        Ok(tail)
    }

    /// Whether everything up to `position` is indexed.
    pub(crate) fn reaches(&self, position: Position) -> bool {
        self.index().through >= position
    }

    /// A place at or before the first frame after `position`, where the index knows one.
    pub(crate) fn place_before(&self, position: Position) -> Option<Start> {
        let index = self.index();
        let beyond = index.signposts.partition_point(|signpost| signpost.next_position <= position);
        beyond.checked_sub(1).map(|last| index.signposts[last])
    }

    pub(crate) fn read_stream(
        &self,
        stream: &str,
        from: Version,
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<StoredEvent>, ReadError> {
        self.catch_up()?;
        let places = self.places(stream, from, direction, limit);
        let mut events = Vec::with_capacity(places.len());
        for same in places.chunk_by(|a, b| a.1 == b.1) {
            let (first, last) = (same[0].0.min(same[same.len() - 1].0), same[0].0.max(same[same.len() - 1].0));
            let bytes = self.reader.read_frame(same[0].1.segment(), same[0].1.offset())?;
            let at = events.len();
            for entry in bytes.frame().entries() {
                let wanted = |version: Version, name: &str| name == stream && (first..=last).contains(&version.0);
                if entry.events().any(|event| wanted(event.version, event.stream)) {
                    events.extend(StoredEvent::of_entry(entry).filter(|event| {
                        let record = event.record();
                        wanted(record.version, record.stream)
                    }));
                }
            }
            if direction == Direction::Backward {
                events[at..].reverse();
            }
        }
        Ok(events)
    }

    /// The wanted versions with the places of their frames, in the wanted order.
    fn places(&self, stream: &str, from: Version, direction: Direction, limit: usize) -> Vec<(u64, PackedPlace)> {
        let index = self.index();
        let Some(places) = index.streams.get(stream) else { return Vec::new() };
        let from = usize::try_from(from.0).unwrap_or(usize::MAX);
        let numbered = |(version, place): (usize, &PackedPlace)| (version as u64, *place);
        match direction {
            Direction::Forward => places.iter().enumerate().skip(from).take(limit).map(numbered).collect(),
            Direction::Backward => {
                let end = places.len().min(from.saturating_add(1));
                places[..end].iter().enumerate().rev().take(limit).map(numbered).collect()
            }
        }
    }

    /// Indexes what is durable by now.
    pub(crate) fn catch_up(&self) -> Result<(), ReadError> {
        let durable = *self.durable.borrow();
        if self.index().through >= durable {
            return Ok(());
        }
        let mut walk = self.walk();
        walk.extend(durable);
        while self.index_some(&mut walk)? {}
        Ok(())
    }

    /// Indexes a few frames under one lock; answers whether there may be more.
    fn index_some(&self, walk: &mut Frames) -> Result<bool, ReadError> {
        let mut index = self.index_mut();
        for _ in 0..FRAMES_AT_ONCE {
            let Some(frame) = walk.locate()? else { return Ok(false) };
            let place = frame.place();
            let packed = PackedPlace::new(place.segment, place.offset);
            let far = index
                .signposts
                .last()
                .is_none_or(|last| last.segment != place.segment || place.offset - last.offset >= SIGNPOST_BYTES);
            if far {
                index.signposts.push(Start {
                    segment: place.segment,
                    offset: place.offset,
                    next_position: place.first_position,
                });
            }
            for event in frame.events() {
                let places = match index.streams.get_mut(event.stream) {
                    Some(places) => places,
                    None => index.streams.entry(event.stream.into()).or_default(),
                };
                if event.version.0 != places.len() as u64 {
                    return Err(self.version_gap(event.stream, event.version, places.len(), &place).into());
                }
                places.push(packed);
            }
            index.through = place.last_position;
            // Passed only now: a frame that could not be indexed is met again.
            walk.pass();
        }
        Ok(true)
    }

    fn version_gap(
        &self,
        stream: &str,
        version: Version,
        expected: usize,
        place: &crate::log::frame::FramePlace,
    ) -> Box<Damage> {
        Box::new(Damage {
            segment: place.segment,
            path: crate::log::segment::segment_path(&self.reader.folder().path, place.segment),
            offset: place.offset,
            first_position: place.first_position,
            last_position: Some(place.last_position),
            reason: format!("stream {stream} goes on with version {version} instead of {expected}"),
        })
    }

    // Poisoning is passed over: after a panic in the middle of a frame the walk has not passed it, the versions do not
    // fit any more, and the next catch-up says so.
    fn index(&self) -> RwLockReadGuard<'_, Index> {
        self.index.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn index_mut(&self) -> RwLockWriteGuard<'_, Index> {
        self.index.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn walk(&self) -> MutexGuard<'_, Frames> {
        self.walk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
