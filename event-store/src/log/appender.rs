//! The appender: the sequencer's side of the writer. It knows the layout, so the place and the positions of a frame
//! are known, and its room is certain, as soon as it is committed. It never touches a file.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Instant;

use crossbeam_channel::{Receiver, RecvTimeoutError, Select, TryRecvError};
use domain::ids::Position;

use super::Held;
use super::frame::{FRAME_HEADER_BYTES, FrameKind};
use super::frame_writer::FrameWriter;
use super::group::Group;
use super::handover::{Gone, Outgoing};
use super::layout::Layout;
use super::preparer::Preparer;
use super::status::Status;
use super::writer::LogFailed;
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
    pub(super) groups: Outgoing<Group<A>>,
    pub(super) writer: Option<JoinHandle<()>>,
    /// Held until the writer has ended.
    pub(super) held: Option<Held>,
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

    /// Hands `token` back once everything committed so far is durable (or failed); usable without a frame too. Tokens
    /// are dropped unanswered only if the writer's thread has panicked; then every append is refused.
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
        match self.groups.try_take() {
            Ok(Some(spare)) => {
                self.hand_over(spare);
                true
            }
            Ok(None) => false,
            Err(Gone) => {
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
        match self.groups.take() {
            Ok(spare) => self.hand_over(spare),
            Err(Gone) => self.writer_is_gone(),
        }
    }

    /// Waits until everything committed so far is durable, or the log has failed. For the rare reader that must see in
    /// the log what was only just decided.
    pub fn settle(&mut self) {
        self.flush();
        if self.groups.settle() == Err(Gone) {
            self.writer_is_gone();
        }
    }

    /// Adds "the writer can take the group" to a selection and answers its index there. Use [`Select::ready`] or
    /// [`Select::ready_timeout`] and, when this index is ready, [`Appender::try_flush`]. Only of use while something
    /// is [pending](Appender::pending): an idle writer is always ready.
    pub fn watch_writer<'a>(&'a self, select: &mut Select<'a>) -> usize {
        self.groups.watch(select)
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
        if self.groups.is_closed() {
            return;
        }
        self.flush();
        if self.status.failure.get().is_none() && self.layout.begun && !self.layout.marked {
            self.mark();
        }
        self.groups.close();
        if let Some(writer) = self.writer.take()
            && writer.join().is_err()
        {
            self.status.failure.set("the thread that writes the log panicked");
        }
        self.held = None;
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
        if self.groups.give(group) == Err(Gone) {
            self.writer_is_gone();
        }
    }

    fn writer_is_gone(&mut self) {
        self.status.failure.set("the thread that writes the log has ended");
        self.group.clear();
    }
}

impl<A> Drop for Appender<A> {
    fn drop(&mut self) {
        self.shut();
    }
}
