//! Reading events for one client, a bounded piece at a time. Pieces are read and written out on blocking threads of the
//! runtime that was given, one piece at a time for all clients together, so that readers never take more than one core
//! from commands however many they are.

use std::sync::Arc;

use domain::ids::{Position, StreamId, Version};
use event_store::cloud_event::{Envelope, EventSource};
use event_store::feed::{Batch, Subscription};
use event_store::log::reader::ReadError;
use event_store::log::{Direction, Log};
use event_store::transaction::record::EventRecord;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use crate::problems::Unread;
use crate::selection::Selection;

/// How many events are looked at in one piece, and how many bytes of the log, as far as one command left no more.
const PIECE_EVENTS: usize = 2_048;
const PIECE_BYTES: usize = 256 << 10;
/// How many events of one stream are fetched in one piece; each may stand in another place of the disk.
const PIECE_FETCHED: usize = 256;

/// What all readers share.
#[derive(Debug, Clone)]
pub(super) struct Desk {
    pub(super) log: Log,
    source: Arc<EventSource>,
    /// Where pieces are read; never the runtime that answers requests.
    runtime: Handle,
    turn: Arc<Semaphore>,
}

impl Desk {
    pub(super) fn new(log: Log, runtime: Handle) -> Self {
        let source = Arc::new(EventSource::of(log.id()));
        Self { log, source, runtime, turn: Arc::new(Semaphore::new(1)) }
    }

    pub(super) const fn runtime(&self) -> &Handle {
        &self.runtime
    }
}

/// How events are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// One per line.
    Lines,
    /// As server-sent events, each with its position as its id.
    Sent,
}

/// Events that were read, as text.
#[derive(Debug, Default)]
pub(super) struct Piece {
    pub(super) text: Vec<u8>,
    pub(super) events: usize,
}

/// One client's way through the log.
pub(super) struct Reading {
    desk: Desk,
    selection: Arc<Selection>,
    form: Form,
    /// Everything up to here was looked at.
    pub(super) after: Position,
    way: Way,
}

enum Way {
    /// Through the whole log.
    Whole(Box<Subscription>),
    /// From event to event of one stream; the version of the next one, once it was looked for.
    Stream(StreamId, Option<Version>),
}

impl Reading {
    /// Begins after a position, which the log must have.
    pub(super) fn new(desk: Desk, selection: Selection, form: Form, after: Position) -> Self {
        let way = match &selection.stream {
            Some(stream) => Way::Stream(stream.clone(), None),
            None => Way::Whole(Box::new(desk.log.subscribe(after))),
        };
        Self { desk, selection: Arc::new(selection), form, after, way }
    }

    /// The last position that there is to read by now.
    pub(super) fn last(&self) -> Position {
        self.selection.last(self.desk.log.durable())
    }

    /// Whether everything that was asked for was looked at.
    pub(super) fn is_over(&self) -> bool {
        self.selection.to.is_some_and(|to| self.after >= to)
    }

    /// The next piece, up to the end as it is now; nothing where there is nothing new. No more than so many events.
    pub(super) async fn piece(&mut self, events_max: usize) -> Result<Piece, Unread> {
        let last = self.last();
        if self.after >= last {
            return Ok(Piece::default());
        }
        // It is never closed; and a piece ends by itself.
        let turn = Arc::clone(&self.desk.turn).acquire_owned().await.map_err(|_| Unread::Closing)?;
        let writing = Writing { source: Arc::clone(&self.desk.source), form: self.form, events_max, last };
        let (selection, after) = (Arc::clone(&self.selection), self.after);
        let (piece, through) = match &mut self.way {
            Way::Whole(subscription) => {
                let batch = subscription.next_batch(PIECE_EVENTS, PIECE_BYTES).await?;
                let written = self.desk.runtime.spawn_blocking(move || writing.batch(&batch, &selection));
                written.await.map_err(|_| Unread::Closing)?
            }
            Way::Stream(stream, next) => {
                let (log, stream, begin) = (self.desk.log.clone(), stream.clone(), *next);
                let fetched = self.desk.runtime.spawn_blocking(move || {
                    let begin = begin.map_or_else(|| version_after(&log, &stream, after), Ok)?;
                    writing.stream(&log, &stream, begin, &selection)
                });
                let (piece, through, reached) = fetched.await.map_err(|_| Unread::Closing)??;
                *next = Some(reached);
                (piece, through)
            }
        };
        drop(turn);
        self.after = through;
        Ok(piece)
    }
}

/// How a piece is written.
struct Writing {
    source: Arc<EventSource>,
    form: Form,
    events_max: usize,
    /// Nothing after this is wanted.
    last: Position,
}

impl Writing {
    /// Writes what is wanted of a batch; gives up to where it came.
    fn batch(&self, batch: &Batch, selection: &Selection) -> (Piece, Position) {
        let (mut piece, mut through) = (Piece::default(), Position(batch.first().0 - 1));
        for entry in batch.entries() {
            let envelope = Envelope::of(entry, &self.source);
            for event in entry.events().filter(|event| event.position >= batch.first()) {
                if event.position > self.last || piece.events == self.events_max {
                    return (piece, through);
                }
                if selection.wants(&event) {
                    self.write(&envelope, &event, &mut piece);
                }
                through = event.position;
            }
        }
        (piece, through)
    }

    /// Writes what is wanted of a stream from a version on; gives up to where it came, and the next version.
    fn stream(
        &self,
        log: &Log,
        stream: &StreamId,
        begin: Version,
        selection: &Selection,
    ) -> Result<(Piece, Position, Version), ReadError> {
        let fetched = log.read_stream(stream, begin, Direction::Forward, PIECE_FETCHED)?;
        let (mut piece, mut next, all) = (Piece::default(), begin, fetched.len() < PIECE_FETCHED);
        let mut through = Position::START;
        for event in &fetched {
            let event = event.record();
            let full = piece.events == self.events_max || piece.text.len() >= PIECE_BYTES;
            if event.position > self.last {
                break;
            }
            if full {
                return Ok((piece, through, next));
            }
            if selection.wants(&event) {
                self.write(&Envelope::of(event.entry, &self.source), &event, &mut piece);
            }
            (through, next) = (event.position, Version(event.version.0 + 1));
        }
        let beyond = fetched.last().is_some_and(|event| event.record().position > self.last);
        Ok((piece, if all || beyond { self.last } else { through }, next))
    }

    fn write(&self, envelope: &Envelope<'_>, event: &EventRecord<'_>, piece: &mut Piece) {
        if self.form == Form::Sent {
            piece.text.extend_from_slice(format!("id: {}\ndata: ", event.position).as_bytes());
        }
        envelope.write_json(event, &mut piece.text);
        piece.text.extend_from_slice(if self.form == Form::Sent { b"\n\n" } else { b"\n" });
        piece.events += 1;
    }
}

/// The version of the first event of a stream after a position: versions and positions grow together.
fn version_after(log: &Log, stream: &StreamId, after: Position) -> Result<Version, ReadError> {
    let newest = log.read_stream(stream, Version(u64::MAX), Direction::Backward, 1)?;
    let (mut low, mut high) = (0, newest.first().map_or(0, |event| event.record().version.0 + 1));
    while low < high {
        let middle = low + (high - low) / 2;
        let found = log.read_stream(stream, Version(middle), Direction::Forward, 1)?;
        match found.first() {
            Some(event) if event.record().position <= after => low = middle + 1,
            _ => high = middle,
        }
    }
    Ok(Version(low))
}
