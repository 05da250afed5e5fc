//! Subscriptions: everything after a position, first from the disk, then as it becomes durable; no gap and no
//! duplicate. Files are read off the async threads, once per batch.

use std::sync::Arc;

use domain::ids::Position;
use tokio::sync::watch;

use crate::log::Log;
use crate::log::reader::{Frames, ReadError};
use crate::transaction::record::{Entry, EventRecord};

/// Why a subscription ended.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// The reader has seen more than the log has.
    #[error(
        "the reader has seen position {after} but the log ends at {durable}: it followed another log, or this one was \
         put back from an older copy. Rebuild the reader from position 0"
    )]
    Ahead {
        /// What the reader has seen.
        after: Position,
        /// Where the log ends.
        durable: Position,
    },
    /// The log was closed; everything before was delivered.
    #[error("the log was closed")]
    Closed,
    /// The log could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The runtime is shutting down.
    #[error("the runtime is shutting down")]
    Runtime,
}

/// Follows the log.
#[derive(Debug)]
pub struct Subscription {
    log: Log,
    durable: watch::Receiver<Position>,
    after: Position,
    frames: Option<Frames>,
}

impl Subscription {
    pub(crate) fn new(log: Log, after: Position) -> Self {
        Self { durable: log.durable_watch(), log, after, frames: None }
    }

    /// The position of the last event that was delivered.
    #[must_use]
    pub const fn position(&self) -> Position {
        self.after
    }

    /// The next events, at least one; waits while there is none. A batch ends after `max_events` events or
    /// `max_bytes` bytes, but never inside what one command left behind: a single larger entry comes whole. Safe to
    /// drop while waiting; nothing is lost.
    ///
    /// # Errors
    /// [`FeedError`]; after [`FeedError::Read`] it can be called again.
    pub async fn next_batch(&mut self, max_events: usize, max_bytes: usize) -> Result<Batch, FeedError> {
        let durable = *self.durable.borrow_and_update();
        if self.after > durable {
            return Err(FeedError::Ahead { after: self.after, durable });
        }
        let after = self.after;
        let through = match self.durable.wait_for(|durable| *durable > after).await {
            Ok(durable) => *durable,
            Err(_) => return Err(FeedError::Closed),
        };
        let (log, frames) = (self.log.clone(), self.frames.take());
        let read = tokio::task::spawn_blocking(move || {
            let mut frames = match frames {
                Some(frames) => frames,
                None => log.frames_after(after)?,
            };
            frames.extend(through);
            let batch = Batch::read(&mut frames, after, max_events, max_bytes)?;
            Ok::<_, ReadError>((frames, batch))
        });
        let (frames, batch) = read.await.map_err(|_| FeedError::Runtime)??;
        self.frames = Some(frames);
        self.after = batch.last();
        Ok(batch)
    }
}

/// Events in the order of the log, without gap. Cloning shares the bytes.
#[derive(Debug, Clone)]
pub struct Batch(Arc<Contents>);

#[derive(Debug)]
struct Contents {
    /// Entries, one after another.
    bytes: Vec<u8>,
    /// Where each entry begins in `bytes`, and its first position.
    entries: Vec<(usize, Position)>,
    after: Position,
    last: Position,
}

impl Batch {
    fn read(frames: &mut Frames, after: Position, max_events: usize, max_bytes: usize) -> Result<Self, ReadError> {
        let mut contents = Contents { bytes: Vec::new(), entries: Vec::new(), after, last: after };
        while let Some(frame) = frames.locate()? {
            let seen = contents.last;
            for entry in frame.entries().filter(|entry| entry.last_position() > seen) {
                let events = entry.last_position().0 - after.0;
                let full = events > max_events as u64 || contents.bytes.len() + entry.bytes().len() > max_bytes;
                if full && !contents.entries.is_empty() {
                    return Ok(Self(Arc::new(contents)));
                }
                contents.entries.push((contents.bytes.len(), entry.first_position()));
                contents.bytes.extend_from_slice(entry.bytes());
                contents.last = entry.last_position();
            }
            frames.pass();
        }
        Ok(Self(Arc::new(contents)))
    }

    /// The entries, in order. When the subscription began inside the first one, it has events that were seen before.
    pub fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        let ends = self.0.entries.iter().skip(1).map(|(at, _)| *at).chain([self.0.bytes.len()]);
        self.0.entries.iter().zip(ends).map(|((at, first), end)| Entry::checked(&self.0.bytes[*at..end], *first))
    }

    /// The events, in order, each with its entry.
    pub fn events(&self) -> impl Iterator<Item = EventRecord<'_>> {
        let after = self.0.after;
        self.entries().flat_map(|entry| entry.events()).filter(move |event| event.position > after)
    }

    /// The position of the first event.
    #[must_use]
    pub fn first(&self) -> Position {
        self.0.after.next()
    }

    /// The position of the last event.
    #[must_use]
    pub fn last(&self) -> Position {
        self.0.last
    }

    /// How many events there are.
    #[must_use]
    pub fn len(&self) -> usize {
        (self.0.last.0 - self.0.after.0) as usize
    }

    /// Whether there is no event; never so in a batch of a subscription.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.entries.is_empty()
    }
}
