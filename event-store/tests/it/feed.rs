//! Subscriptions: catching up, following, resuming, ending.

use std::path::Path;

use domain::ids::Position;
use event_store::disk::simulated::SimulatedDisk;
use event_store::feed::{FeedError, Subscription};
use event_store::log::reader::LogReader;
use event_store::log::verify::verify;

use crate::workload::{FOLDER, PATIENCE, Versions, Writing, append, number_of, simulated, small_segments};

/// The positions of everything up to `last`, in batches of the given size.
async fn positions(subscription: &mut Subscription, last: u64, max_events: usize) -> Vec<u64> {
    let mut seen = Vec::new();
    while subscription.position() < Position(last) {
        let batch =
            tokio::time::timeout(PATIENCE, subscription.next_batch(max_events, 1 << 20)).await.unwrap().unwrap();
        let positions: Vec<_> = batch.events().map(|event| event.position.0).collect();
        assert_eq!((batch.first().0, batch.last().0), (positions[0], positions[positions.len() - 1]));
        assert_eq!(batch.len(), positions.len());
        seen.extend(positions);
    }
    seen
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn subscriptions_over_rotations_beside_a_live_writer_have_no_gap_and_no_duplicate() {
    let folder = tempfile::tempdir().unwrap();
    let mut writing = Writing::open(folder.path(), small_segments()).unwrap();
    let log = writing.log.clone();
    let readers: Vec<_> = [(0, 1), (0, 7), (1, 64), (333, 1000)]
        .into_iter()
        .map(|(after, max_events)| {
            let log = log.clone();
            tokio::spawn(async move {
                // Some begin in the middle, once it is there.
                log.durable_watch().wait_for(|durable| durable.0 >= after).await.unwrap();
                (after, positions(&mut log.subscribe(Position(after)), 4000, max_events).await)
            })
        })
        .collect();
    let written = tokio::task::spawn_blocking(move || {
        let mut versions = Versions::default();
        for number in 0..2000 {
            append(&mut writing.appender, &mut versions, number).unwrap();
            if number % 3 == 0 {
                writing.appender.try_flush();
            }
        }
        writing.settle(0);
        writing
    });
    for reader in readers {
        let (after, seen) = reader.await.unwrap();
        assert_eq!(seen, (after + 1..=4000).collect::<Vec<_>>());
    }
    written.await.unwrap().appender.close().unwrap();
}

#[tokio::test]
async fn a_batch_ends_between_entries_and_a_large_entry_comes_whole() {
    let disk = SimulatedDisk::new();
    let mut writing = Writing::open(Path::new(FOLDER), simulated(&disk)).unwrap();
    let mut versions = Versions::default();
    for number in 0..3 {
        append(&mut writing.appender, &mut versions, number).unwrap();
    }
    writing.settle(0);
    let mut subscription = writing.log.subscribe(Position::START);
    let mut seen = Vec::new();
    for max_events in [1, 2, 3] {
        let batch = subscription.next_batch(max_events, 1 << 20).await.unwrap();
        seen.push((batch.first().0, batch.last().0));
        let entry = batch.entries().next().unwrap();
        assert_eq!(batch.events().next().unwrap().entry, entry);
    }
    assert_eq!(seen, [(1, 2), (3, 4), (5, 6)]);
    let batch = writing.log.subscribe(Position(1)).next_batch(100, 1 << 20).await.unwrap();
    assert_eq!(batch.events().map(|event| event.position.0).collect::<Vec<_>>(), [2, 3, 4, 5, 6]);
}

#[tokio::test]
async fn a_subscription_ends_with_the_log_after_the_last_event() {
    let disk = SimulatedDisk::new();
    let mut writing = Writing::open(Path::new(FOLDER), simulated(&disk)).unwrap();
    append(&mut writing.appender, &mut Versions::default(), 0).unwrap();
    let mut subscription = writing.log.subscribe(Position::START);
    writing.appender.close().unwrap();
    assert_eq!(subscription.next_batch(10, 1000).await.unwrap().last(), Position(2));
    assert!(matches!(subscription.next_batch(10, 1000).await, Err(FeedError::Closed)));
}

#[tokio::test]
async fn who_has_seen_more_than_the_log_has_is_told() {
    let disk = SimulatedDisk::new();
    let writing = Writing::open(Path::new(FOLDER), simulated(&disk)).unwrap();
    let error = writing.log.subscribe(Position(5)).next_batch(10, 1000).await.unwrap_err();
    assert!(matches!(error, FeedError::Ahead { after: Position(5), durable: Position(0) }), "{error}");
}

#[test]
fn read_only_tools_work_beside_a_live_writer() {
    let folder = tempfile::tempdir().unwrap();
    let mut writing = Writing::open(folder.path(), small_segments()).unwrap();
    let mut versions = Versions::default();
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for number in 0..3000 {
                append(&mut writing.appender, &mut versions, number).unwrap();
                writing.appender.try_flush();
            }
            writing.settle(0);
        });
        let mut rounds = 0;
        while !writer.is_finished() || rounds < 3 {
            let verified = verify(folder.path(), |_| {}).unwrap();
            assert_eq!(verified.events, 2 * verified.transactions);
            let reader = LogReader::open(folder.path()).unwrap();
            let mut frames = reader.frames_after(Position::START).unwrap();
            let mut expected = 0;
            while let Some(frame) = frames.next_frame().unwrap() {
                assert_eq!(number_of(&frame), expected);
                expected += 1;
            }
            assert!(expected >= verified.transactions);
            rounds += 1;
        }
        writer.join().unwrap();
    });
    assert_eq!(verify(folder.path(), |_| {}).unwrap().transactions, 3000);
    writing.appender.close().unwrap();
}
