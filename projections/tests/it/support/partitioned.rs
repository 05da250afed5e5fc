//! The same events as a feed of several partitions has them, in any order that keeps the order within each partition.

use std::collections::BTreeSet;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

use domain::event::RecordedEvent;
use domain::ids::Position;
use projections::feed::{Assignment, Content, Record};
use projections::partition::PartitionId;

/// The partition that a stream is in.
pub(crate) fn partition_of(event: &RecordedEvent, partitions: u32) -> PartitionId {
    let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(event.stream.to_string());
    PartitionId((hash % u64::from(partitions)) as u32)
}

/// The records of each partition, with their offsets; each partition ends in a watermark at the end of the events.
pub(crate) fn split(events: &[RecordedEvent], partitions: u32) -> Vec<Vec<Record>> {
    let mut split = vec![Vec::<Record>::new(); partitions as usize];
    let put = |records: &mut Vec<Record>, number: usize, position, content| {
        let previous = records.last().map_or(Position::START, |record| record.position);
        let offset = Some(records.len() as i64 + 1);
        records.push(Record { partition: PartitionId(number as u32), previous, position, offset, content });
    };
    for event in events {
        let number = partition_of(event, partitions).0 as usize;
        put(&mut split[number], number, event.position, Content::Event(event.clone()));
    }
    let end = events.last().map_or(Position::START, |event| event.position);
    for (number, records) in split.iter_mut().enumerate() {
        if records.last().is_none_or(|record| record.position < end) {
            put(records, number, end, Content::Watermark);
        }
    }
    split
}

/// Deals the records of all partitions out by picks: each is the partition that comes next, and whether its last
/// record is delivered once more before.
pub(crate) fn interleave(split: &[Vec<Record>], picks: &[(usize, bool)]) -> Vec<Record> {
    let mut rest: Vec<&[Record]> = split.iter().map(Vec::as_slice).collect();
    let mut dealt: Vec<Record> = Vec::new();
    for (pick, again) in picks.iter().cycle() {
        let open: Vec<_> = (0..rest.len()).filter(|number| !rest[*number].is_empty()).collect();
        if open.is_empty() {
            return dealt;
        }
        let number = open[pick % open.len()];
        let seen = dealt.iter().rev().find(|record| record.partition.0 as usize == number).cloned();
        dealt.extend(seen.filter(|_| *again));
        dealt.push(rest[number][0].clone());
        rest[number] = &rest[number][1..];
    }
    dealt
}

/// Some or all partitions of a topic.
pub(crate) fn assignment(log_id: &str, partitions: u32, followed: impl IntoIterator<Item = u32>) -> Assignment {
    Assignment {
        log_id: log_id.to_owned(),
        source: "kafka:events".to_owned(),
        partitions,
        followed: followed.into_iter().map(PartitionId).collect::<BTreeSet<_>>(),
    }
}
