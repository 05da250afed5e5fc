//! The appender: the sequencer's side of the writer. It knows the layout, so the place and the positions of a frame
//! are known, and its room is certain, as soon as it is committed. It never touches a file.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Select, Sender, TryRecvError};
use domain::ids::Position;

use super::frame::{
    FOOTER_BYTES, FRAME_BYTES_MAX, FRAME_HEADER_BYTES, Footer, FrameHeader, FrameKind, FramePlace, OPENING_BYTES,
    Opening, padded,
};
use super::frame_writer::FrameWriter;
use super::group::{Group, Run};
use super::preparer::{NotReady, Preparer};
use super::segment::{SEGMENT_HEADER_BYTES, Segment};
use super::status::Status;
use super::writer::LogFailed;
use crate::disk::Lock;
use crate::transaction::TextTooLong;

/// Tokens gathered beyond this are flushed, so that barriers without frames stay bounded too.
const GROUP_TOKENS_MAX: usize = 1 << 16;

/// Why a frame was not taken. Nothing has changed: the position is free again, what was committed before stands.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AppendRefused {
    /// The prepared room is used up and the disk has no more.
    #[error(
        "the disk is full ({reason}): the log has room for {room_bytes} bytes and needs {frame_bytes}. Make room on \
         the disk of the log; appends resume by themselves"
    )]
    DiskFull {
        /// The system's words.
        reason: String,
        /// What is left, in bytes.
        room_bytes: u64,
        /// What was needed, in bytes.
        frame_bytes: u64,
    },
    /// The next segment could not be made for another reason, or not in time.
    #[error("the next segment of the log is not ready: {reason}. It is tried again by itself; send the command again")]
    NotReady {
        /// Why.
        reason: String,
    },
    /// The transaction is longer than a frame may be.
    #[error("the transaction has {frame_bytes} bytes; the log takes at most {frame_bytes_max}: send smaller batches")]
    FrameTooLarge {
        /// Its length in bytes.
        frame_bytes: usize,
        /// The longest that is taken, in bytes.
        frame_bytes_max: usize,
    },
    /// A text does not fit its length field.
    #[error(transparent)]
    TextTooLong(#[from] TextTooLong),
    /// The log has failed.
    #[error(transparent)]
    Failed(#[from] LogFailed),
}

/// Where the next frame goes.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    pub(crate) segment: Segment,
    /// Offset of the next frame, everything queued included.
    pub(crate) offset: u64,
    /// Number of the next frame in the segment.
    pub(crate) frame_number: u32,
    /// Whether the segment has its opening frame.
    pub(crate) begun: bool,
    /// The first position of the segment, once it has begun.
    pub(crate) first_position: Position,
    /// The stamp of the segment before; 0 in the first.
    pub(crate) previous_stamp: u64,
    /// Whether the last frame is a mark.
    pub(crate) marked: bool,
    /// The position of the next event.
    pub(crate) next_position: Position,
}

impl Layout {
    /// Bytes that frames can still take in this segment, its opening and its footer set aside.
    pub(crate) fn room_bytes(&self) -> u64 {
        let opening = if self.begun { 0 } else { OPENING_BYTES as u64 };
        self.segment.bytes.saturating_sub(self.offset + opening + FOOTER_BYTES as u64)
    }
}

/// Appends transactions; owned by the one thread that decides. `A` is what is handed back once a transaction is
/// durable. Dropping it closes the log as [`Appender::close`] does, without telling the outcome.
#[derive(Debug)]
pub struct Appender<A> {
    pub(super) group: Group<A>,
    pub(super) layout: Layout,
    pub(super) frame_bytes_max: usize,
    pub(super) group_bytes_max: usize,
    pub(super) preparer: Preparer,
    pub(super) status: Arc<Status>,
    /// Empty groups come back here when the writer can take the next one.
    pub(super) spares: Receiver<Group<A>>,
    /// `None` once closed.
    pub(super) groups: Option<Sender<Group<A>>>,
    pub(super) writer: Option<JoinHandle<()>>,
    /// Held until the writer has ended.
    pub(super) lock: Option<Lock>,
}

/// What [`Appender::receive`] came back with.
#[derive(Debug, PartialEq, Eq)]
pub enum Received<C> {
    /// A command.
    Command(C),
    /// The deadline passed.
    TimedOut,
    /// No sender of commands is left.
    Disconnected,
}

impl<A> Appender<A> {
    /// The position that the next event gets.
    #[must_use]
    pub const fn next_position(&self) -> Position {
        self.layout.next_position
    }

    /// Begins a transaction in the gathering group. Dropping the writer without committing abandons it. Blocks while
    /// the group is full and the writer busy.
    pub fn begin(&mut self) -> FrameWriter<'_, A> {
        if self.group.bytes.len() >= self.group_bytes_max {
            self.flush();
        }
        FrameWriter::new(self)
    }

    /// Hands `token` back once everything committed so far is durable (or failed); usable without a frame too.
    pub fn acknowledge(&mut self, token: A) {
        self.group.tokens.push(token);
        if self.group.tokens.len() >= GROUP_TOKENS_MAX {
            self.flush();
        }
    }

    /// Whether anything waits to be handed to the writer.
    #[must_use]
    pub fn pending(&self) -> bool {
        !self.group.is_empty()
    }

    /// Bytes of the frames that wait to be handed to the writer.
    #[must_use]
    pub const fn pending_bytes(&self) -> usize {
        self.group.bytes.len()
    }

    /// Hands what is pending to the writer if it can take it now; answers whether nothing is pending any more.
    pub fn try_flush(&mut self) -> bool {
        if !self.pending() {
            return true;
        }
        match self.spares.try_recv() {
            Ok(spare) => {
                self.hand_over(spare);
                true
            }
            Err(TryRecvError::Empty) => false,
            Err(TryRecvError::Disconnected) => {
                self.writer_is_gone();
                true
            }
        }
    }

    /// Hands what is pending to the writer; blocks until it can take it (not until it is durable).
    pub fn flush(&mut self) {
        if !self.pending() {
            return;
        }
        match self.spares.recv() {
            Ok(spare) => self.hand_over(spare),
            Err(_) => self.writer_is_gone(),
        }
    }

    /// Adds "the writer can take the group" to a selection and answers its index there. Use [`Select::ready`] or
    /// [`Select::ready_timeout`] and, when this index is ready, [`Appender::try_flush`]. Only of use while something
    /// is [pending](Appender::pending): an idle writer is always ready.
    pub fn watch_writer<'a>(&'a self, select: &mut Select<'a>) -> usize {
        select.recv(&self.spares)
    }

    /// Waits for the next command, handing what is pending to the writer as soon as that can take it.
    pub fn receive<C>(&mut self, commands: &Receiver<C>, deadline: Option<Instant>) -> Received<C> {
        loop {
            match commands.try_recv() {
                Ok(command) => return Received::Command(command),
                Err(TryRecvError::Disconnected) => return Received::Disconnected,
                Err(TryRecvError::Empty) => {}
            }
            if self.try_flush() {
                let received = match deadline {
                    Some(deadline) => commands.recv_deadline(deadline),
                    None => commands.recv().map_err(|_| RecvTimeoutError::Disconnected),
                };
                return match received {
                    Ok(command) => Received::Command(command),
                    Err(RecvTimeoutError::Timeout) => Received::TimedOut,
                    Err(RecvTimeoutError::Disconnected) => Received::Disconnected,
                };
            }
            let mut select = Select::new();
            select.recv(commands);
            self.watch_writer(&mut select);
            let ready = match deadline {
                Some(deadline) => select.ready_deadline(deadline).is_ok(),
                None => {
                    select.ready();
                    true
                }
            };
            if !ready {
                return Received::TimedOut;
            }
        }
    }

    /// Bytes that can be appended for certain: the rest of this segment and the one that stands ready.
    #[must_use]
    pub fn room_bytes(&self) -> u64 {
        self.layout.room_bytes() + self.preparer.watch().ready_bytes()
    }

    /// Writes and syncs what is pending, says in the log that all of it is durable, ends the threads and gives the
    /// lock back.
    ///
    /// # Errors
    /// [`LogFailed`] when the log has failed, now or before.
    pub fn close(mut self) -> Result<(), LogFailed> {
        self.shut();
        self.status.failure.get().map_or(Ok(()), |failed| Err(failed.clone()))
    }

    fn shut(&mut self) {
        if self.groups.is_none() {
            return;
        }
        self.flush();
        if self.status.failure.get().is_none() && self.layout.begun && !self.layout.marked {
            self.mark();
        }
        self.groups = None;
        if let Some(writer) = self.writer.take()
            && writer.join().is_err()
        {
            self.status.failure.set("the thread that writes the log panicked");
        }
        self.lock = None;
    }

    /// Writes a mark, in a group of its own, so that it is written when everything before it is durable.
    fn mark(&mut self) {
        if self.layout.room_bytes() < FRAME_HEADER_BYTES as u64 {
            return;
        }
        let at = self.group.bytes.len();
        self.group.bytes.extend_from_slice(&[0; FRAME_HEADER_BYTES]);
        self.put_header(FrameKind::Mark, at, FRAME_HEADER_BYTES, 0);
        self.layout.marked = true;
        self.flush();
    }

    fn hand_over(&mut self, mut spare: Group<A>) {
        spare.next_position = self.layout.next_position;
        let group = std::mem::replace(&mut self.group, spare);
        self.status.publish_room(self.layout.room_bytes());
        let sent = self.groups.as_ref().map(|groups| groups.send(group));
        if !matches!(sent, Some(Ok(()))) {
            self.writer_is_gone();
        }
    }

    fn writer_is_gone(&mut self) {
        self.status.failure.set("the thread that writes the log has ended");
        self.group.clear();
    }

    /// Decides where the frame that starts at `at` in the group goes, and completes its header but for the checksums.
    pub(super) fn place(
        &mut self,
        at: usize,
        body_bytes: usize,
        event_count: u32,
    ) -> Result<FramePlace, AppendRefused> {
        if let Some(failed) = self.status.failure.get() {
            return Err(failed.clone().into());
        }
        let frame_bytes = FRAME_HEADER_BYTES + padded(body_bytes);
        if frame_bytes > self.frame_bytes_max {
            return Err(AppendRefused::FrameTooLarge { frame_bytes, frame_bytes_max: self.frame_bytes_max });
        }
        let mut at = at;
        if frame_bytes as u64 > self.layout.room_bytes() {
            let next = self.preparer.take().map_err(|reason| self.refusal(reason, frame_bytes))?;
            at += self.put_footer(at);
            let previous = std::mem::replace(&mut self.layout.segment, next);
            self.layout.previous_stamp = previous.stamp;
            self.layout.offset = SEGMENT_HEADER_BYTES;
            self.layout.frame_number = 0;
            self.layout.begun = false;
        }
        if !self.layout.begun {
            at += self.put_opening(at);
        }
        let place = FramePlace {
            first_position: self.layout.next_position,
            last_position: Position(self.layout.next_position.0 + u64::from(event_count) - 1),
            segment: self.layout.segment.number,
            offset: self.layout.offset,
        };
        self.put_header(FrameKind::Transaction, at, FRAME_HEADER_BYTES + body_bytes, event_count);
        self.layout.marked = false;
        Ok(place)
    }

    fn refusal(&self, reason: NotReady, frame_bytes: usize) -> AppendRefused {
        match reason {
            NotReady::DiskFull(reason) => AppendRefused::DiskFull {
                reason,
                room_bytes: self.layout.room_bytes(),
                frame_bytes: frame_bytes as u64,
            },
            NotReady::Stalled(reason) => AppendRefused::NotReady { reason },
            NotReady::TimedOut(waited) => AppendRefused::NotReady { reason: waited_text(waited) },
        }
    }

    fn put_opening(&mut self, at: usize) -> usize {
        self.layout.first_position = self.layout.next_position;
        let opening = Opening { previous_stamp: self.layout.previous_stamp, previous_chain: 0 };
        self.insert(at, FrameKind::Opening, &opening.encode());
        self.layout.begun = true;
        OPENING_BYTES
    }

    fn put_footer(&mut self, at: usize) -> usize {
        let layout = &self.layout;
        let footer = Footer {
            last_position: Position(layout.next_position.0 - 1),
            event_count: layout.next_position.0 - layout.first_position.0,
            frame_count: layout.frame_number,
            used_bytes: (layout.offset + FOOTER_BYTES as u64) as u32,
            chain: 0,
        };
        self.insert(at, FrameKind::Footer, &footer.encode());
        FOOTER_BYTES
    }

    fn insert(&mut self, at: usize, kind: FrameKind, body: &[u8]) {
        let frame_bytes = FRAME_HEADER_BYTES + body.len();
        self.group.bytes.splice(at..at, [0; FRAME_HEADER_BYTES].into_iter().chain(body.iter().copied()));
        self.put_header(kind, at, frame_bytes, 0);
    }

    /// Fills the header at `at` in the group and moves the layout past the frame.
    fn put_header(&mut self, kind: FrameKind, at: usize, unpadded_bytes: usize, event_count: u32) {
        let layout = &mut self.layout;
        let run_goes_on = self.group.runs.last().is_some_and(|run| run.segment.number == layout.segment.number);
        if !run_goes_on {
            self.group.runs.push(Run { segment: layout.segment.clone(), offset: layout.offset, at });
        }
        let run_offset = self.group.runs.last().map_or(layout.offset, |run| run.offset);
        let body_bytes = unpadded_bytes - FRAME_HEADER_BYTES;
        let header = FrameHeader {
            kind,
            body_bytes: body_bytes as u32,
            event_count,
            first_position: layout.next_position,
            stamp: layout.segment.stamp,
            run_start: run_offset as u32,
            frame_number: layout.frame_number,
            body_crc: 0,
        };
        header.put(&mut self.group.bytes[at..at + FRAME_HEADER_BYTES]);
        layout.offset += (FRAME_HEADER_BYTES + padded(body_bytes)) as u64;
        layout.frame_number += 1;
        layout.next_position = header.next_position();
        self.group.next_position = layout.next_position;
    }
}

impl<A> Drop for Appender<A> {
    fn drop(&mut self) {
        self.shut();
    }
}

fn waited_text(waited: Duration) -> String {
    format!("it was not made within {} ms", waited.as_millis())
}

/// The longest frame that fits a segment of `segment_bytes`.
pub(crate) fn frame_bytes_max(segment_bytes: u64) -> usize {
    let room = segment_bytes - SEGMENT_HEADER_BYTES - (OPENING_BYTES + FOOTER_BYTES) as u64;
    FRAME_BYTES_MAX.min(usize::try_from(room).unwrap_or(FRAME_BYTES_MAX))
}
