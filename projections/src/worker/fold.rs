//! Folding batches off the async threads: what is parked waits, what cannot be read parks its stream.

use std::ops::Range;
use std::sync::Arc;

use crate::feed::{Content, Record};
use crate::model::Changes;
use crate::parked::stored::stream_of;
use crate::parked::{ParkedStreams, Why};
use crate::partition::{Gap, Places, Step};

/// Records, and what they change given which streams are parked.
pub(super) struct Folded {
    pub(super) records: Arc<Vec<Record>>,
    pub(super) changes: Changes,
    /// The streams that were parked before these records.
    pub(super) parked_before: Arc<ParkedStreams>,
    /// The streams that are parked after them.
    pub(super) parked_after: Arc<ParkedStreams>,
}

/// Why records were not folded.
pub(super) enum NotFolded {
    /// Some are missing.
    Gap(Gap),
    /// Finding out what they change failed.
    Fault(String),
}

/// Folds some of these records.
pub(super) async fn fold(
    records: &Arc<Vec<Record>>,
    range: Range<usize>,
    after: &Places,
    parked: &Arc<ParkedStreams>,
) -> Result<Folded, NotFolded> {
    let (to_fold, after, parked_before) = (Arc::clone(records), after.clone(), Arc::clone(parked));
    let folding = tokio::task::spawn_blocking(move || {
        let mut parked_after = Arc::clone(&parked_before);
        let records = to_fold.get(range).unwrap_or_default();
        let changes = fold_all(&after, records, &mut parked_after)?;
        Ok(Folded { records: to_fold, changes, parked_before, parked_after })
    });
    match folding.await {
        Ok(folded) => folded.map_err(NotFolded::Gap),
        Err(error) => Err(NotFolded::Fault(error.to_string())),
    }
}

fn fold_all(after: &Places, records: &[Record], parked: &mut Arc<ParkedStreams>) -> Result<Changes, Gap> {
    let mut changes = Changes::after(after);
    for record in records {
        match &record.content {
            Content::Event(event) if parked.has(|| event.stream.to_string()) => changes.set_aside(record, None)?,
            Content::Undecodable(event) if parked.has(|| stream_of(event)) => changes.set_aside(record, None)?,
            Content::Undecodable(event) => {
                if changes.step(record)? == Step::Apply {
                    Arc::make_mut(parked).park(stream_of(event));
                }
                changes.set_aside(record, Some((Why::Undecodable, &event.to_string())))?;
            }
            Content::Event(_) | Content::Watermark => changes.take(record)?,
        }
    }
    Ok(changes)
}
