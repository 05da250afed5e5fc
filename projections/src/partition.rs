//! Partitions of a feed: where a reader is in each of them, and the one rule by which it goes on.

use std::collections::BTreeMap;
use std::fmt;

use domain::ids::Position;
use event_store::kafka::arrival::{Arrival, arrival};

/// The number of a partition, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct PartitionId(pub u32);

impl PartitionId {
    /// The only partition of a feed that has but one.
    pub const ONLY: Self = Self(0);
}

impl fmt::Display for PartitionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Where a reader is in a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Place {
    /// Everything of the partition up to this position was taken up.
    pub last: Position,
    /// Where the feed goes on, in its own terms, such as an offset of Kafka; none where it has to find out.
    pub offset: Option<i64>,
}

impl Place {
    /// After a position; the feed finds out where that is.
    #[must_use]
    pub const fn after(last: Position) -> Self {
        Self { last, offset: None }
    }
}

/// Where a reader is in each partition that it follows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Places(BTreeMap<PartitionId, Place>);

impl Places {
    /// After a position, in the only partition of a feed.
    #[must_use]
    pub fn after(last: Position) -> Self {
        Self(BTreeMap::from([(PartitionId::ONLY, Place::after(last))]))
    }

    /// Where the reader is in a partition; none where it does not follow it.
    #[must_use]
    pub fn get(&self, partition: PartitionId) -> Option<Place> {
        self.0.get(&partition).copied()
    }

    /// Puts the reader somewhere in a partition.
    pub fn set(&mut self, partition: PartitionId, place: Place) {
        self.0.insert(partition, place);
    }

    /// Every partition that is followed, in order.
    pub fn iter(&self) -> impl Iterator<Item = (PartitionId, Place)> {
        self.0.iter().map(|(partition, place)| (*partition, *place))
    }

    /// The position up to which everything was taken up in all partitions that are followed.
    #[must_use]
    pub fn position(&self) -> Position {
        self.0.values().map(|place| place.last).min().unwrap_or_default()
    }
}

impl FromIterator<(PartitionId, Place)> for Places {
    fn from_iter<T: IntoIterator<Item = (PartitionId, Place)>>(places: T) -> Self {
        Self(places.into_iter().collect())
    }
}

/// What becomes of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// It is the next one.
    Apply,
    /// It was seen before.
    Skip,
}

/// Records of a partition are missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "position {found} came after position {last} in partition {partition}, and says that {previous} came before it; \
     what lies between is missing from the feed. Nothing of it was applied. Compare the log with the feed; a rebuild \
     from position 0 fills the read models anew"
)]
pub struct Gap {
    /// The partition.
    pub partition: PartitionId,
    /// The last position that was taken up.
    pub last: Position,
    /// The position that the record says came before it.
    pub previous: Position,
    /// The position of the record.
    pub found: Position,
}

/// The rule: a record whose position is not beyond `last` was seen before; one whose predecessor is beyond `last`
/// leaves a gap; every other is the next one, and `last` becomes its position.
///
/// # Errors
/// [`Gap`].
pub fn step(partition: PartitionId, last: Position, previous: Position, found: Position) -> Result<Step, Gap> {
    match arrival(last, previous, found) {
        Arrival::Seen => Ok(Step::Skip),
        Arrival::Gap => Err(Gap { partition, last, previous, found }),
        Arrival::Next => Ok(Step::Apply),
    }
}
