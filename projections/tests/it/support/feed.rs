//! A feed of events in memory, which grows, fails and leaves out what a test wants.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};

use domain::event::RecordedEvent;
use domain::ids::Position;
use projections::feed::{Assignment, Batch, BatchLimits, Content, Feed, FeedError, Record, Undecodable};
use projections::partition::{PartitionId, Places};
use tokio::sync::watch;

/// The other end of a [`MemoryFeed`].
#[derive(Clone)]
pub(crate) struct Source {
    shared: Arc<Mutex<Shared>>,
    head: watch::Sender<Position>,
}

#[derive(Default)]
struct Shared {
    events: Vec<RecordedEvent>,
    failures: VecDeque<FeedError>,
    unreadable: BTreeSet<Position>,
}

impl Source {
    pub(crate) fn new(events: &[RecordedEvent]) -> Self {
        let source = Self { shared: Arc::default(), head: watch::Sender::new(Position::START) };
        source.append(events);
        source
    }

    pub(crate) fn append(&self, events: &[RecordedEvent]) {
        self.shared.lock().unwrap().events.extend_from_slice(events);
        if let Some(last) = events.last() {
            self.head.send_replace(last.position);
        }
    }

    /// Makes the next read fail.
    pub(crate) fn fail(&self, error: FeedError) {
        self.shared.lock().unwrap().failures.push_back(error);
    }

    /// Makes an event one that this program cannot read, as if a newer one had written it.
    pub(crate) fn hide(&self, position: Position) {
        self.shared.lock().unwrap().unreadable.insert(position);
    }

    pub(crate) fn feed(&self) -> MemoryFeed {
        let log_id = "00112233445566778899aabbccddeeff".into();
        MemoryFeed { source: self.clone(), head: self.head.subscribe(), log_id }
    }

    /// How many events there are.
    pub(crate) fn len(&self) -> usize {
        self.shared.lock().unwrap().events.len()
    }
}

pub(crate) struct MemoryFeed {
    source: Source,
    head: watch::Receiver<Position>,
    log_id: String,
}

impl MemoryFeed {
    pub(crate) fn of_log(self, log_id: &str) -> Self {
        Self { log_id: log_id.to_owned(), ..self }
    }
}

impl Feed for MemoryFeed {
    fn head(&self) -> watch::Receiver<Position> {
        self.head.clone()
    }

    async fn assignment(&mut self) -> Result<Assignment, FeedError> {
        Ok(assignment(&self.log_id))
    }

    async fn next_batch(&mut self, after: &Places, limits: BatchLimits) -> Result<Batch, FeedError> {
        let (after, head) = (after.position(), *self.head.borrow());
        if after > head {
            return Err(FeedError::Ahead { after, head });
        }
        self.head.wait_for(|head| *head > after).await.map_err(|_| FeedError::Closed)?;
        let mut shared = self.source.shared.lock().unwrap();
        if let Some(error) = shared.failures.pop_front() {
            return Err(error);
        }
        let following = shared.events.iter().filter(|event| event.position > after);
        let record = |event: &RecordedEvent| match shared.unreadable.contains(&event.position) {
            true => Record { content: unreadable(event), ..Record::of_log(event.clone()) },
            false => Record::of_log(event.clone()),
        };
        Ok(Batch { records: following.take(limits.events_max).map(record).collect() })
    }
}

fn unreadable(event: &RecordedEvent) -> Content {
    Content::Undecodable(Box::new(Undecodable {
        position: event.position,
        stream: event.stream.to_string(),
        version: event.version,
        event_type: event.event.event_type().to_owned(),
        schema_version: event.event.schema_version(),
        metadata: Arc::clone(&event.metadata),
        data: serde_json::to_vec(&event.event).unwrap(),
        reason: "it is of a newer version".into(),
    }))
}

/// A log that is followed as a whole.
pub(crate) fn assignment(log_id: &str) -> Assignment {
    let (log_id, source, followed) = (log_id.to_owned(), "log".to_owned(), BTreeSet::from([PartitionId::ONLY]));
    Assignment { log_id, source, partitions: 1, followed }
}
