//! What the relay sends into which partition, and where it goes on after a restart: pure, without IO.
//!
//! A lane is what the relay knows of a partition. The partition's last record alone says where the lane goes on, so the
//! relay keeps nothing of its own: whatever was lost with a crash is sent again from the log, and what was sent twice has
//! the position that it had.

use domain::ids::Position;

use super::partitioner::partition_of;

/// Where a record goes, and what stands before it there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The partition, from 0.
    pub partition: u32,
    /// The position of the record before it in the partition; [`Position::START`] for the first one.
    pub previous: Position,
    /// The record's own position: an event's, or for a watermark the one through which everything was sent.
    pub position: Position,
}

/// What was handed over for every partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lanes {
    lanes: Vec<Lane>,
    through: Position,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Lane {
    /// The position of the last record.
    last: Position,
    /// Whether anything was sent since the last round of watermarks.
    moved: bool,
}

impl Lanes {
    /// Goes on where the last record of each partition stands; [`Position::START`] for an empty one.
    #[must_use]
    pub fn resumed(last: &[Position]) -> Self {
        let lanes = last.iter().map(|last| Lane { last: *last, moved: false }).collect();
        Self { lanes, through: last.iter().copied().min().unwrap_or(Position::START) }
    }

    /// The last position of the log that was dealt with: events are taken from the one after it.
    #[must_use]
    pub const fn through(&self) -> Position {
        self.through
    }

    /// The position of the last record of a partition.
    #[must_use]
    pub fn last(&self, partition: u32) -> Position {
        self.lanes[partition as usize].last
    }

    /// How many partitions there are.
    #[must_use]
    pub const fn partitions(&self) -> u32 {
        self.lanes.len() as u32
    }

    /// Where the event at `position`, of `stream`, goes; none where its partition has it. Events are taken in the order
    /// of the log, without gap; those at or before [`Lanes::through`] are none of the relay's business any more.
    pub fn take(&mut self, position: Position, stream: &str) -> Option<Place> {
        if position <= self.through {
            return None;
        }
        debug_assert_eq!(position, self.through.next(), "the log has no gap");
        self.through = position;
        let partition = partition_of(stream.as_bytes(), self.partitions());
        let lane = &mut self.lanes[partition as usize];
        if position <= lane.last {
            return None;
        }
        let previous = std::mem::replace(&mut lane.last, position);
        lane.moved = true;
        Some(Place { partition, previous, position })
    }

    /// A round of watermarks: one for every partition that is behind and in which nothing moved since the last round.
    /// So a busy partition gets none, and a quiet one says within two rounds how far it has come.
    pub fn watermarks(&mut self) -> impl Iterator<Item = Place> {
        let through = self.through;
        self.lanes.iter_mut().enumerate().filter_map(move |(partition, lane)| {
            if std::mem::take(&mut lane.moved) || lane.last >= through {
                return None;
            }
            let previous = std::mem::replace(&mut lane.last, through);
            Some(Place { partition: partition as u32, previous, position: through })
        })
    }

    /// Whether every partition says that it has come to [`Lanes::through`]: then there is nothing to send.
    #[must_use]
    pub fn all_said(&self) -> bool {
        self.lanes.iter().all(|lane| lane.last >= self.through)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::kafka::arrival::{Arrival, arrival};

    const PARTITIONS: u32 = 3;

    /// What a partition has: places in the order in which they arrived, and whether each is an event.
    type Records = Vec<(Place, bool)>;

    /// What happens between two crashes of the relay.
    #[derive(Debug, Clone)]
    struct Life {
        /// How many events are appended to the log meanwhile.
        events: u64,
        /// After how many events a round of watermarks comes.
        round: u64,
        /// How many of the records that each partition was sent do arrive.
        arrived: [usize; PARTITIONS as usize],
        /// How many of them arrive only after the next life has looked at the partition's end.
        late: [usize; PARTITIONS as usize],
    }

    fn life() -> impl Strategy<Value = Life> {
        let counts = || prop::array::uniform3(0..20_usize);
        (0..40_u64, 1..10_u64, counts(), counts()).prop_map(|(events, round, arrived, late)| Life {
            events,
            round,
            arrived,
            late,
        })
    }

    /// A stream for each position; few streams, so that partitions are quiet for long.
    fn stream(position: u64, streams: u64) -> String {
        format!("account-{}", position.wrapping_mul(0x9e37_79b9) % streams)
    }

    /// Sends everything through `head` as the relay would.
    fn send(lanes: &mut Lanes, head: u64, streams: u64, round: u64) -> Vec<Records> {
        let mut sent = vec![Records::new(); PARTITIONS as usize];
        for position in lanes.through().0 + 1..=head {
            if let Some(place) = lanes.take(Position(position), &stream(position, streams)) {
                sent[place.partition as usize].push((place, true));
            }
            if position.is_multiple_of(round) {
                for place in lanes.watermarks() {
                    sent[place.partition as usize].push((place, false));
                }
            }
        }
        sent
    }

    /// Where the lanes go on: the last record's position of each partition.
    fn resumed(topic: &[Records]) -> Lanes {
        let last = topic.iter().map(|records| records.last().map_or(Position::START, |(place, _)| place.position));
        Lanes::resumed(&last.collect::<Vec<_>>())
    }

    proptest! {
        /// The relay dies at any moment, some of what it sent does not arrive, some of it arrives late, after its
        /// successor has begun: a reader who follows the rule sees every event once, in order, and never a gap.
        #[test]
        fn whatever_is_lost_or_late_every_event_is_read_once(
            lives in prop::collection::vec(life(), 1..6),
            streams in 1..6_u64,
        ) {
            let mut topic = vec![Records::new(); PARTITIONS as usize];
            let mut head = 0;
            for life in &lives {
                head += life.events;
                let mut lanes = resumed(&topic);
                let sent = send(&mut lanes, head, streams, life.round);
                let mut late = Vec::new();
                for (partition, mut sent) in sent.into_iter().enumerate() {
                    sent.truncate(life.arrived[partition]);
                    let in_time = sent.len().saturating_sub(life.late[partition]);
                    late.push(sent.split_off(in_time));
                    topic[partition].extend(sent);
                }
                // The next life looks at the end now, and may send before what is late arrives.
                let mut next = resumed(&topic);
                let early = send(&mut next, head, streams, life.round);
                for (partition, (late, mut early)) in late.into_iter().zip(early).enumerate() {
                    early.truncate(life.late[partition] / 2);
                    topic[partition].extend(early);
                    topic[partition].extend(late);
                }
            }
            let mut lanes = resumed(&topic);
            for (partition, sent) in send(&mut lanes, head, streams, 1).into_iter().enumerate() {
                topic[partition].extend(sent);
            }
            prop_assert_eq!(lanes.through(), Position(head));
            for _ in 0..2 {
                for place in lanes.watermarks() {
                    topic[place.partition as usize].push((place, false));
                }
            }
            prop_assert!(lanes.all_said());
            let mut read = Vec::new();
            for records in &topic {
                let mut last = Position::START;
                for (place, is_event) in records {
                    match arrival(last, place.previous, place.position) {
                        Arrival::Next => {
                            last = place.position;
                            if *is_event {
                                read.push(place.position.0);
                            }
                        }
                        Arrival::Seen => {}
                        Arrival::Gap => prop_assert!(false, "a gap before {place:?}, after {last}"),
                    }
                }
                prop_assert_eq!(last, Position(head));
            }
            read.sort_unstable();
            prop_assert_eq!(read, (1..=head).collect::<Vec<_>>());
        }

        /// Whatever record is taken out of a partition, its reader notices, unless it said nothing new.
        #[test]
        fn a_record_that_is_missing_is_noticed(events in 5..60_u64, streams in 1..6_u64, round in 1..8_u64, removed in 0..60_usize) {
            let mut lanes = Lanes::resumed(&[Position::START; PARTITIONS as usize]);
            let topic = send(&mut lanes, events, streams, round);
            for records in topic.iter().filter(|records| records.len() > 1) {
                // The last one cannot be missed yet.
                let removed = removed % (records.len() - 1);
                let mut last = Position::START;
                let mut gap_at = None;
                for (index, (place, _)) in records.iter().enumerate().filter(|(index, _)| *index != removed) {
                    match arrival(last, place.previous, place.position) {
                        Arrival::Next => last = place.position,
                        Arrival::Seen => {}
                        Arrival::Gap => {
                            gap_at = Some(index);
                            break;
                        }
                    }
                }
                prop_assert_eq!(gap_at, Some(removed + 1));
            }
        }
    }

    #[test]
    fn a_busy_partition_gets_no_watermark_and_a_quiet_one_gets_one_that_says_all() {
        let mut lanes = Lanes::resumed(&[Position(7), Position(9), Position(7)]);
        assert_eq!(lanes.through(), Position(7));
        let quiet: Vec<_> = lanes.watermarks().collect();
        assert_eq!(quiet, []);
        assert!(lanes.all_said());
        // Positions 8 and 9 may be in partition 1 already; 10 is new wherever it goes.
        for position in 8..=10 {
            lanes.take(Position(position), "account-a");
        }
        let partition = partition_of(b"account-a", 3);
        let first: Vec<_> = lanes.watermarks().map(|place| (place.partition, place.position)).collect();
        let others: Vec<_> = (0..3).filter(|other| *other != partition).map(|other| (other, Position(10))).collect();
        assert_eq!(first, others);
        assert!(lanes.all_said());
        assert_eq!(lanes.watermarks().count(), 0);
    }
}
