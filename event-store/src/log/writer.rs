//! The writer thread: takes a group, writes and syncs it, publishes the durable position, hands the tokens back.
//! No timer: while it syncs, the next group gathers. After a failed write or sync it never writes again.

use std::io;
use std::sync::{Arc, OnceLock};

use crossbeam_channel::Sender;
use domain::ids::Position;
use tokio::sync::watch;

use super::frame::{FRAME_HEADER_BYTES, Footer, FrameKind, Opening, chain_on, padded, seal};
use super::group::Group;
use super::handover::Incoming;
use super::status::Status;
use crate::disk::write_all_at;
use crate::index::follow::DurableEnd;

/// The log failed to write or sync and takes nothing any more.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the log failed: {reason}; whether the commands on their way were kept is not known. End the process, look after \
     the disk, and start again: the start finds out what was kept"
)]
pub struct LogFailed {
    /// What was being done, where, and the system's words.
    pub reason: Arc<str>,
}

/// What became of a group, with the tokens that were acknowledged in it, in order.
#[derive(Debug)]
pub enum Committed<A> {
    /// Everything that was committed before these tokens is durable.
    Durable {
        /// The last durable position.
        through: Position,
        /// The tokens.
        tokens: Vec<A>,
    },
    /// The write or the sync failed, for this group or an earlier one: what was committed may be kept or not.
    Failed {
        /// Why.
        error: LogFailed,
        /// The tokens.
        tokens: Vec<A>,
    },
}

/// Set once, by the writer; read by the appender and the handles.
#[derive(Debug, Default)]
pub(crate) struct Failure(OnceLock<LogFailed>);

impl Failure {
    pub(crate) fn get(&self) -> Option<&LogFailed> {
        self.0.get()
    }

    /// Records the first failure and answers it.
    pub(crate) fn set(&self, reason: &str) -> LogFailed {
        self.0.get_or_init(|| LogFailed { reason: reason.into() }).clone()
    }
}

/// What the writer thread owns.
#[derive(Debug)]
pub(crate) struct Writer<A> {
    pub(crate) groups: Incoming<Group<A>>,
    pub(crate) durable: watch::Sender<Position>,
    pub(crate) failure: Arc<Failure>,
    /// Told up to where everything is durable.
    pub(crate) status: Arc<Status>,
    /// Rung after every group, to wake the index.
    pub(crate) bell: Sender<()>,
    /// The chain of the segment that was written last.
    pub(crate) chain: u32,
}

impl<A> Writer<A> {
    /// Works until the appender is gone.
    pub(crate) fn work(mut self, mut on_committed: impl FnMut(Committed<A>)) {
        while let Some(mut group) = self.groups.next() {
            if self.failure.get().is_none()
                && let Err(reason) = self.write(&mut group)
            {
                tracing::error!(%reason, "the log failed");
                self.failure.set(&reason);
            }
            let tokens = std::mem::take(&mut group.tokens);
            if let Some(error) = self.failure.get() {
                on_committed(Committed::Failed { error: error.clone(), tokens });
            } else {
                let through = Position(group.next_position.0 - 1);
                // Published before the tokens, so that who is answered can read what was answered.
                self.durable.send_if_modified(|durable| std::mem::replace(durable, through) != through);
                // A full bell is already ringing.
                let _ = self.bell.try_send(());
                if !tokens.is_empty() {
                    on_committed(Committed::Durable { through, tokens });
                }
            }
            group.clear();
            self.groups.give_back(group);
        }
    }

    /// One write per run and one sync per segment. A segment is durable before anything of the next one is written:
    /// recovery relies on it.
    fn write(&mut self, group: &mut Group<A>) -> Result<(), String> {
        let Group { bytes, runs, .. } = group;
        for (index, run) in runs.iter().enumerate() {
            let end = runs.get(index + 1).map_or(bytes.len(), |next| next.at);
            let piece = &mut bytes[run.at..end];
            self.chain = seal_frames(piece, self.chain);
            let failed = |doing: &str, error: &io::Error| {
                format!(
                    "{doing} segment {} at byte {} ({} bytes): {error}",
                    run.segment.number,
                    run.offset,
                    end - run.at
                )
            };
            write_all_at(run.segment.file.as_ref(), piece, run.offset).map_err(|error| failed("writing", &error))?;
            run.segment.file.sync().map_err(|error| failed("syncing", &error))?;
        }
        if let Some(last) = runs.last() {
            let offset = last.offset + (bytes.len() - last.at) as u64;
            self.status.publish_durable_end(DurableEnd { segment: last.segment.number, offset });
        }
        Ok(())
    }
}

/// Completes the frames that follow each other in `piece`: checksums and the chain. Answers the chain after them.
pub(crate) fn seal_frames(mut piece: &mut [u8], mut chain: u32) -> u32 {
    while !piece.is_empty() {
        let body_bytes = u32::from_le_bytes([piece[8], piece[9], piece[10], piece[11]]) as usize;
        let (frame, rest) = piece.split_at_mut(FRAME_HEADER_BYTES + padded(body_bytes));
        let kind = frame[5];
        if kind == FrameKind::Opening as u8 {
            frame[Opening::CHAIN_AT..Opening::CHAIN_AT + 4].copy_from_slice(&chain.to_le_bytes());
            chain = 0;
        } else if kind == FrameKind::Footer as u8 {
            frame[Footer::CHAIN_AT..Footer::CHAIN_AT + 4].copy_from_slice(&chain.to_le_bytes());
        }
        chain = chain_on(chain, seal(frame));
        piece = rest;
    }
    chain
}
