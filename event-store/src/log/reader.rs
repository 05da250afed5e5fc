//! Reading the log: walking its transactions and fetching one by its place. Works without the lock, while a writer is
//! at work, and never changes anything.

use std::collections::HashMap;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use domain::ids::Position;

use super::folder::{Folder, FolderRefused, OpenSegment};
use super::frame::{FRAME_ALIGNMENT, FRAME_HEADER_BYTES, Frame, FrameFault, FrameHeader, FrameKind, check_crc};
use super::scan::{Tail, judge_tail};
use super::segment::{SEGMENT_HEADER_BYTES, segment_path};
use super::survey::{Damage, SurveyError, damage_at};
use super::window::Window;
use crate::disk::file::RealDisk;
use crate::disk::{Access, Disk, read_full_at};
use crate::transaction::record::{EventRecord, StoredEvent};

/// Segments kept open for single reads.
const OPEN_SEGMENTS_MAX: usize = 64;
/// What is read at once when one transaction is fetched; most are shorter.
const FETCH_BYTES: usize = 4096;
/// Frames of a stream that stand not further apart are read at once, with what is between them.
const NEAR_BYTES: u64 = 16 << 10;
/// Frames of a stream are read at once up to so many bytes.
const EXTENT_BYTES_MAX: u64 = 1 << 20;

/// Why the log could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Bytes are damaged.
    #[error(transparent)]
    Damaged(#[from] Box<Damage>),
    /// The folder, or a segment, is not what a log has.
    #[error(transparent)]
    Folder(#[from] FolderRefused),
}

impl From<SurveyError> for ReadError {
    fn from(error: SurveyError) -> Self {
        match error {
            SurveyError::Damaged(damage) => Self::Damaged(damage),
            SurveyError::Folder(refused) => Self::Folder(refused),
        }
    }
}

/// Where a walk begins: a frame boundary and the position that the frame there has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Start {
    pub(crate) segment: u32,
    pub(crate) offset: u64,
    pub(crate) next_position: Position,
}

impl Start {
    pub(crate) const LOG: Self = Self { segment: 1, offset: SEGMENT_HEADER_BYTES, next_position: Position(1) };
}

/// Reads a log.
#[derive(Debug)]
pub struct LogReader {
    folder: Folder,
    /// Under a mutex because many threads fetch single transactions and share the open files; held for a look-up.
    open: Mutex<HashMap<u32, OpenSegment>>,
}

impl LogReader {
    /// Opens the log in `folder` for reading only.
    ///
    /// # Errors
    /// [`ReadError::Folder`] when it is not the folder of a log.
    pub fn open(folder: &Path) -> Result<Self, ReadError> {
        Self::open_on(Arc::new(RealDisk), folder)
    }

    /// [`LogReader::open`] on another disk than the system's.
    ///
    /// # Errors
    /// [`ReadError::Folder`] when it is not the folder of a log.
    pub fn open_on(disk: Arc<dyn Disk>, folder: &Path) -> Result<Self, ReadError> {
        Ok(Self::new(Folder::open(disk, folder)?))
    }

    pub(crate) fn new(folder: Folder) -> Self {
        Self { folder, open: Mutex::new(HashMap::new()) }
    }

    pub(crate) const fn folder(&self) -> &Folder {
        &self.folder
    }

    /// The log's id.
    #[must_use]
    pub const fn id(&self) -> super::LogId {
        self.folder.log_id
    }

    /// The transactions after `position`, in order, up to the end of the log. What a running writer has not synced
    /// yet may be among them. A transaction that begins at or before `position` and ends after it comes whole.
    ///
    /// # Errors
    /// [`ReadError`] when the place cannot be found.
    pub fn frames_after(&self, position: Position) -> Result<Frames, ReadError> {
        Ok(self.frames_from(self.segment_before(position)?, position, None))
    }

    /// A walk from `start` over the transactions after `after`; `through` ends it, else the end of the log.
    pub(crate) fn frames_from(&self, start: Start, after: Position, through: Option<Position>) -> Frames {
        Frames {
            folder: self.folder.clone(),
            after,
            through,
            segment: start.segment,
            offset: start.offset,
            next_position: start.next_position,
            window: None,
            located: None,
        }
    }

    /// The start of the last segment that begins at or before `position`.
    pub(crate) fn segment_before(&self, position: Position) -> Result<Start, ReadError> {
        let numbers = self.folder.segment_numbers()?;
        let (mut low, mut high) = (0, numbers.len());
        let mut found = Start::LOG;
        while low < high {
            let middle = low + (high - low) / 2;
            match self.first_position(numbers[middle])? {
                Some(next_position) if next_position <= position => {
                    found = Start { segment: numbers[middle], offset: SEGMENT_HEADER_BYTES, next_position };
                    low = middle + 1;
                }
                // A segment without an opening has not begun; if it should have, the walk from an earlier one finds
                // out.
                _ => high = middle,
            }
        }
        Ok(found)
    }

    /// The first position of a segment that has begun.
    fn first_position(&self, number: u32) -> Result<Option<Position>, ReadError> {
        let segment = self.folder.segment_of(number, Access::Read)?;
        let mut bytes = [0; FRAME_HEADER_BYTES];
        let read = read_full_at(segment.file.as_ref(), &mut bytes, SEGMENT_HEADER_BYTES)
            .map_err(|source| unreadable(&self.folder, number, source))?;
        let opening = FrameHeader::decode(&bytes[..read], segment.header.stamp);
        Ok(opening.ok().map(|opening| opening.first_position))
    }

    /// Fetches the transaction at a place that a [`Frame::place`] or an append gave.
    ///
    /// # Errors
    /// [`ReadError::Damaged`] when no whole transaction stands there.
    pub fn read_frame(&self, segment: u32, offset: u64) -> Result<FrameBytes, ReadError> {
        let OpenSegment { header, file } = self.segment(segment)?;
        let mut bytes = vec![0; FETCH_BYTES];
        let io = |source| unreadable(&self.folder, segment, source);
        let read = read_full_at(file.as_ref(), &mut bytes, offset).map_err(io)?;
        let damaged = |fault| self.damaged(segment, offset, Position::START, fault);
        let frame = FrameHeader::decode(&bytes[..read], header.stamp).map_err(damaged)?;
        if frame.frame_bytes() > read {
            bytes.resize(frame.frame_bytes(), 0);
            let more = read_full_at(file.as_ref(), &mut bytes[read..], offset + read as u64).map_err(io)?;
            bytes.truncate(read + more);
        } else {
            bytes.truncate(frame.frame_bytes());
        }
        check_crc(&frame, &bytes).and_then(|()| Frame::check(&frame, &bytes)).map_err(damaged)?;
        Ok(FrameBytes { header: frame, bytes, segment, offset })
    }

    /// Reads the frames at `places` (offsets in units of 8 bytes, in order) and answers the events of `stream` with
    /// these `versions` out of them, in order. Frames that stand near each other are read at once, each frame once.
    pub(crate) fn read_events(
        &self,
        segment: u32,
        stream: &str,
        versions: Range<u64>,
        places: &[u32],
    ) -> Result<StreamRead, ReadError> {
        let mut events = Vec::with_capacity(places.len());
        if places.is_empty() {
            return Ok(StreamRead::Events(events));
        }
        let OpenSegment { header, file } = self.segment(segment)?;
        let offset = |place: u32| u64::from(place) * FRAME_ALIGNMENT as u64;
        let mut bytes = Vec::new();
        let mut rest = places;
        while let Some(first) = rest.first() {
            let start = offset(*first);
            let near = |one: &u32, next: &u32| {
                offset(*next).saturating_sub(offset(*one)) <= NEAR_BYTES
                    && offset(*next).saturating_sub(start) <= EXTENT_BYTES_MAX
            };
            let together = 1 + rest.windows(2).take_while(|pair| near(&pair[0], &pair[1])).count();
            let (extent, after) = rest.split_at(together);
            rest = after;
            bytes.resize((offset(extent[together - 1]).saturating_sub(start)) as usize + FETCH_BYTES, 0);
            let read = read_full_at(file.as_ref(), &mut bytes, start)
                .map_err(|source| unreadable(&self.folder, segment, source))?;
            for same in extent.chunk_by(|one, next| one == next) {
                let at = offset(same[0]);
                let held = bytes[..read].get(at.saturating_sub(start) as usize..).unwrap_or_default();
                match FrameHeader::decode(held, header.stamp) {
                    Ok(frame) if frame.frame_bytes() <= held.len() => {
                        check_crc(&frame, held)
                            .and_then(|()| Frame::check(&frame, held))
                            .map_err(|fault| self.damaged(segment, at, Position::START, fault))?;
                        events.extend(of_stream(&Frame::checked(frame, held, segment, at), stream, &versions));
                    }
                    // Longer than was read, or damaged: the single read tells.
                    _ => events.extend(of_stream(&self.read_frame(segment, at)?.frame(), stream, &versions)),
                }
            }
        }
        let as_asked = events.len() as u64 == versions.end - versions.start
            && events.iter().zip(versions).all(|(event, version)| event.record().version.0 == version);
        Ok(if as_asked { StreamRead::Events(events) } else { StreamRead::OtherEvents })
    }

    /// The damage at a place where a whole frame must stand, because it was durable.
    pub(crate) fn damage_at(&self, segment: u32, offset: u64, next_position: Position, reason: &str) -> ReadError {
        match self.read_frame(segment, offset) {
            Err(error) => error,
            Ok(_) => Box::new(Damage {
                segment,
                path: segment_path(&self.folder.path, segment),
                offset,
                first_position: next_position,
                last_position: None,
                reason: reason.to_owned(),
            })
            .into(),
        }
    }

    fn damaged(&self, segment: u32, offset: u64, next_position: Position, fault: FrameFault) -> ReadError {
        let told =
            self.segment(segment).and_then(|open| Ok(damage_at(&self.folder, &open, offset, next_position, fault)?));
        told.map_or_else(|error| error, ReadError::from)
    }

    fn segment(&self, number: u32) -> Result<OpenSegment, ReadError> {
        // Poisoned or not, the map holds open files only.
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(segment) = open.get(&number) {
            return Ok(segment.clone());
        }
        let segment = self.folder.segment_of(number, Access::Read)?;
        if open.len() >= OPEN_SEGMENTS_MAX {
            open.clear();
        }
        open.insert(number, segment.clone());
        Ok(segment)
    }
}

/// What was read for a stream.
#[derive(Debug)]
pub(crate) enum StreamRead {
    /// The events.
    Events(Vec<StoredEvent>),
    /// The frames are whole but have not exactly the events that were asked for.
    OtherEvents,
}

/// The events of a stream with one of `versions` in a frame.
fn of_stream<'a>(frame: &Frame<'a>, stream: &'a str, versions: &Range<u64>) -> impl Iterator<Item = StoredEvent> {
    let versions = versions.clone();
    let wanted = move |record: &EventRecord<'_>| record.stream == stream && versions.contains(&record.version.0);
    frame.entries().flat_map(move |entry| {
        let any = entry.events().any(|event| wanted(&event));
        let wanted = wanted.clone();
        any.then(|| StoredEvent::of_entry(entry).filter(move |event| wanted(&event.record()))).into_iter().flatten()
    })
}

/// A transaction that owns its bytes.
#[derive(Debug, Clone)]
pub struct FrameBytes {
    header: FrameHeader,
    bytes: Vec<u8>,
    segment: u32,
    offset: u64,
}

impl FrameBytes {
    /// The transaction.
    #[must_use]
    pub fn frame(&self) -> Frame<'_> {
        Frame::checked(self.header, &self.bytes, self.segment, self.offset)
    }

    /// A checksum of the whole transaction with its place, positions and segment: the one in its header.
    #[must_use]
    pub fn checksum(&self) -> u32 {
        crc32c::crc32c(&self.bytes[..FRAME_HEADER_BYTES - 4])
    }
}

/// A walk over transactions, in order.
#[derive(Debug)]
pub struct Frames {
    folder: Folder,
    after: Position,
    through: Option<Position>,
    segment: u32,
    offset: u64,
    next_position: Position,
    window: Option<(u64, Window)>,
    located: Option<FrameHeader>,
}

impl Frames {
    /// The next transaction; `None` at the end, where it can be asked again later.
    ///
    /// # Errors
    /// [`ReadError`] when the log is damaged or cannot be read.
    pub fn next_frame(&mut self) -> Result<Option<Frame<'_>>, ReadError> {
        self.pass();
        self.locate()
    }

    /// Moves the end of the walk.
    pub(crate) const fn extend(&mut self, through: Position) {
        self.through = Some(through);
    }

    /// Goes past the transaction that was found last.
    pub(crate) fn pass(&mut self) {
        if let Some(header) = self.located.take() {
            self.step_over(&header);
        }
    }

    /// The transaction at hand, the next one when there is none.
    pub(crate) fn locate(&mut self) -> Result<Option<Frame<'_>>, ReadError> {
        if self.located.is_none() {
            self.located = self.find()?;
        }
        let (Some(header), Some((_, window))) = (self.located, &self.window) else { return Ok(None) };
        Ok(Some(Frame::checked(header, window.held(self.offset, header.frame_bytes()), self.segment, self.offset)))
    }

    const fn step_over(&mut self, header: &FrameHeader) {
        self.offset += header.frame_bytes() as u64;
        self.next_position = header.next_position();
    }

    fn find(&mut self) -> Result<Option<FrameHeader>, ReadError> {
        loop {
            if self.through.is_some_and(|through| self.next_position > through) {
                return Ok(None);
            }
            if self.window.is_none() && !self.open_segment()? {
                return Ok(None);
            }
            let header = match self.look() {
                Ok(Ok(header)) => header,
                Ok(Err(_)) => match self.look_again()? {
                    Some(header) => header,
                    None => return Ok(None),
                },
                Err(source) => return Err(unreadable(&self.folder, self.segment, source).into()),
            };
            match header.kind {
                FrameKind::Transaction if !self.skips(&header) => return Ok(Some(header)),
                FrameKind::Footer => {
                    self.segment += 1;
                    self.offset = SEGMENT_HEADER_BYTES;
                    self.window = None;
                }
                _ => self.step_over(&header),
            }
        }
    }

    /// Whether the whole frame stands at or before the position that was asked for.
    fn skips(&self, header: &FrameHeader) -> bool {
        header.first_position <= self.after && header.next_position().0 <= self.after.0 + 1
    }

    fn open_segment(&mut self) -> Result<bool, ReadError> {
        let Some(segment) = self.folder.segment(self.segment, Access::Read)? else {
            // After the last footer the next segment may not be there yet; a durable position in it says it must be.
            return match self.through {
                None => Ok(false),
                Some(_) => Err(self
                    .folder
                    .segment_of(self.segment, Access::Read)
                    .err()
                    .map_or_else(|| self.damage(FrameFault::Blank.to_string()).into(), ReadError::from)),
            };
        };
        self.window = Some((segment.header.stamp, Window::new(segment.file)));
        Ok(true)
    }

    /// Reads the frame at hand and checks it.
    fn look(&mut self) -> io::Result<Result<FrameHeader, FrameFault>> {
        let (offset, after) = (self.offset, self.after);
        let expected = self.next_position;
        let Some((stamp, window)) = &mut self.window else { return Ok(Err(FrameFault::Blank)) };
        let header = match FrameHeader::decode(window.at(offset, FRAME_HEADER_BYTES)?, *stamp) {
            Ok(header) => header,
            Err(fault) => return Ok(Err(fault)),
        };
        if header.first_position != expected {
            return Ok(Err(FrameFault::Sequence("its position")));
        }
        if header.first_position <= after && header.next_position().0 <= after.0 + 1 {
            // Only passed by: its body is nobody's business here.
            return Ok(Ok(header));
        }
        let frame = window.at(offset, header.frame_bytes())?;
        let checked = check_crc(&header, frame).and_then(|()| match header.kind {
            FrameKind::Transaction => Frame::check(&header, frame),
            _ => Ok(()),
        });
        Ok(checked.map(|()| header))
    }

    /// The writer may have written since the window was filled: looks again, and only then believes the fault.
    fn look_again(&mut self) -> Result<Option<FrameHeader>, ReadError> {
        let fault = match self.look_afresh()? {
            Ok(header) => return Ok(Some(header)),
            Err(again) if again.may_be_torn() && self.through.is_none() => again,
            Err(again) => return Err(self.damaged(again)?),
        };
        let segment = self.folder.segment_of(self.segment, Access::Read)?;
        let tail = judge_tail(&mut Window::new(segment.file), &segment.header, self.offset);
        let tail = tail.map_err(|source| unreadable(&self.folder, self.segment, source))?;
        if !matches!(tail, Tail::Acknowledged { .. }) && !self.next_has_begun()? {
            return Ok(None);
        }
        // Something proves that this place was durable before: it must show now, or it is damaged.
        match self.look_afresh()? {
            Ok(header) => Ok(Some(header)),
            Err(_) => Err(self.damaged(fault)?),
        }
    }

    fn look_afresh(&mut self) -> Result<Result<FrameHeader, FrameFault>, ReadError> {
        if let Some((_, window)) = &mut self.window {
            window.forget();
        }
        Ok(self.look().map_err(|source| unreadable(&self.folder, self.segment, source))?)
    }

    fn next_has_begun(&self) -> Result<bool, ReadError> {
        let Some(next) = self.folder.segment(self.segment + 1, Access::Read)? else { return Ok(false) };
        let mut bytes = [0; FRAME_HEADER_BYTES];
        read_full_at(next.file.as_ref(), &mut bytes, SEGMENT_HEADER_BYTES)
            .map_err(|source| unreadable(&self.folder, self.segment + 1, source))?;
        Ok(bytes != [0; FRAME_HEADER_BYTES])
    }

    /// What is wrong at this place, which was durable.
    fn damaged(&self, fault: FrameFault) -> Result<ReadError, ReadError> {
        let segment = self.folder.segment_of(self.segment, Access::Read)?;
        Ok(damage_at(&self.folder, &segment, self.offset, self.next_position, fault)?.into())
    }

    fn damage(&self, reason: String) -> Box<Damage> {
        Box::new(Damage {
            segment: self.segment,
            path: segment_path(&self.folder.path, self.segment),
            offset: self.offset,
            first_position: self.next_position,
            last_position: None,
            reason,
        })
    }
}

fn unreadable(folder: &Folder, number: u32, source: io::Error) -> FolderRefused {
    FolderRefused::Io { doing: "reading", path: segment_path(&folder.path, number), source }
}
