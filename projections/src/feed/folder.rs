//! The way from the folder of a log that another process may be writing: one partition, read only as far as somebody
//! says that the log is durable.

use std::path::Path;
use std::sync::Arc;

use domain::event::Metadata;
use domain::ids::Position;
use event_store::log::reader::{Frames, LogReader, ReadError};
use event_store::transaction::record::Entry;
use tokio::sync::watch;

use super::log::{SOURCE, content};
use super::{Assignment, Batch, BatchLimits, Feed, FeedError, Record};
use crate::partition::{PartitionId, Places};

/// The events of a log in a folder, up to a position that may grow.
#[derive(Debug)]
pub struct FolderFeed {
    reader: Arc<LogReader>,
    /// Everything up to here is durable.
    head: watch::Receiver<Position>,
    at: Position,
    frames: Option<Frames>,
}

impl FolderFeed {
    /// Reads the log in a folder as far as `head` says that it is durable.
    ///
    /// # Errors
    /// [`ReadError`] when it is not the folder of a log.
    pub fn open(folder: &Path, head: watch::Receiver<Position>) -> Result<Self, ReadError> {
        let reader = Arc::new(LogReader::open(folder)?);
        Ok(Self { reader, head, at: Position::START, frames: None })
    }

    /// Names the log.
    #[must_use]
    pub fn log_id(&self) -> String {
        self.reader.id().to_string()
    }
}

impl Feed for FolderFeed {
    fn head(&self) -> watch::Receiver<Position> {
        self.head.clone()
    }

    async fn assignment(&mut self) -> Result<Assignment, FeedError> {
        let (log_id, source, followed) = (self.log_id(), SOURCE.to_owned(), [PartitionId::ONLY].into());
        Ok(Assignment { log_id, source, partitions: 1, followed })
    }

    async fn next_batch(&mut self, after: &Places, limits: BatchLimits) -> Result<Batch, FeedError> {
        let after = after.position();
        if self.at != after {
            (self.at, self.frames) = (after, None);
        }
        let head = match self.head.wait_for(|head| *head > after).await {
            Ok(head) => *head,
            Err(_) => return Err(FeedError::Closed),
        };
        let (reader, frames) = (Arc::clone(&self.reader), self.frames.take());
        let read = tokio::task::spawn_blocking(move || {
            let mut frames = match frames {
                Some(frames) => frames,
                None => reader.frames_after(after)?,
            };
            let batch = read(&mut frames, after, head, limits)?;
            Ok::<_, ReadError>((frames, batch))
        });
        let (frames, batch) = match read.await {
            Ok(Ok(read)) => read,
            Ok(Err(error @ ReadError::Damaged(_))) => return Err(FeedError::Unusable(error.to_string())),
            Ok(Err(error)) => return Err(FeedError::Unavailable(error.into())),
            Err(_) => return Err(FeedError::Closed),
        };
        let Some(last) = batch.records.last() else {
            let text = format!("the log ends before position {head}, which it is said to have");
            return Err(FeedError::Unavailable(text.into()));
        };
        (self.at, self.frames) = (last.position, Some(frames));
        Ok(batch)
    }
}

/// Reads whole transactions, none that begins beyond `head`: what follows may not be durable.
fn read(frames: &mut Frames, after: Position, head: Position, limits: BatchLimits) -> Result<Batch, ReadError> {
    let (mut batch, mut last, mut bytes) = (Batch::default(), after, 0);
    while last < head && batch.records.len() < limits.events_max && bytes < limits.bytes_max {
        let Some(frame) = frames.next_frame()? else { break };
        let mut of_entry: Option<(Entry<'_>, Arc<Metadata>)> = None;
        for record in frame.events().filter(|record| record.position > after) {
            let metadata = match &of_entry {
                Some((entry, metadata)) if *entry == record.entry => Arc::clone(metadata),
                _ => {
                    let metadata = record.entry.metadata();
                    of_entry = Some((record.entry, Arc::clone(&metadata)));
                    metadata
                }
            };
            (last, bytes) = (record.position, bytes + record.data.len());
            batch.records.push(Record::in_log(record.position, content(&record, &metadata)));
        }
    }
    Ok(batch)
}
