//! Appending, acknowledging and reading back.

use domain::ids::{Position, Version};
use event_store::log::Direction;
use event_store::log::verify::verify;

use crate::workload::{PATIENCE, Versions, Writing, account, append, number_of, small_segments};

#[test]
fn what_was_appended_is_read_back_over_many_segments_and_after_reopening() {
    let folder = tempfile::tempdir().unwrap();
    let mut versions = Versions::default();
    let mut number = 0;
    for round in 1..=4 {
        let mut writing = Writing::open(folder.path(), small_segments()).unwrap();
        assert_eq!(writing.report.last_position, Position(2 * number));
        assert_eq!(writing.report.transactions, number);
        assert_eq!(writing.report.torn, None);
        for _ in 0..100 {
            let place = append(&mut writing.appender, &mut versions, number).unwrap();
            assert_eq!(
                (place.first_position, place.last_position),
                (Position(2 * number + 1), Position(2 * number + 2))
            );
            number += 1;
        }
        assert_eq!(writing.settle(round), Position(2 * number));
        assert_eq!(writing.log.durable(), Position(2 * number));
        let mut frames = writing.log.frames_after(Position::START).unwrap();
        for expected in 0..number {
            assert_eq!(number_of(&frames.next_frame().unwrap().unwrap()), expected);
        }
        assert_eq!(frames.next_frame().unwrap(), None);
        writing.appender.close().unwrap();
    }
    let verified = verify(folder.path(), |_| {}).unwrap();
    assert_eq!(
        (verified.transactions, verified.events, verified.streams, verified.torn),
        (number, 2 * number, 4, None)
    );
    assert!(verified.segments > 5, "{verified:?}");
}

#[test]
fn a_stream_is_read_forward_and_backward() {
    let folder = tempfile::tempdir().unwrap();
    let mut versions = Versions::default();
    let mut writing = Writing::open(folder.path(), small_segments()).unwrap();
    for number in 0..300 {
        append(&mut writing.appender, &mut versions, number).unwrap();
    }
    writing.settle(0);
    let read = |from, direction, limit| -> Vec<(u64, u64)> {
        let events = writing.log.read_stream(&account(1), Version(from), direction, limit).unwrap();
        events.iter().map(|event| (event.record().version.0, event.record().position.0)).collect()
    };
    assert_eq!(read(0, Direction::Forward, 3), [(0, 3), (1, 9), (2, 15)]);
    assert_eq!(read(98, Direction::Forward, 9), [(98, 591), (99, 597)]);
    assert_eq!(read(u64::MAX, Direction::Backward, 2), [(99, 597), (98, 591)]);
    assert_eq!(read(1, Direction::Backward, 9), [(1, 9), (0, 3)]);
    assert_eq!(read(100, Direction::Forward, 9), []);
    let all = writing.log.read_all(Position(301), 3).unwrap();
    assert_eq!(all.iter().map(|event| event.record().position.0).collect::<Vec<_>>(), [301, 302, 303]);
}

#[test]
fn a_dropped_frame_leaves_no_trace() {
    let folder = tempfile::tempdir().unwrap();
    let mut versions = Versions::default();
    let mut writing = Writing::open(folder.path(), small_segments()).unwrap();
    append(&mut writing.appender, &mut versions, 0).unwrap();
    let mut abandoned = writing.appender.begin();
    abandoned.begin_entry(crate::workload::header(9, "abandoned"));
    drop(abandoned);
    append(&mut writing.appender, &mut versions, 1).unwrap();
    writing.settle(0);
    let mut frames = writing.log.frames_after(Position::START).unwrap();
    assert_eq!(number_of(&frames.next_frame().unwrap().unwrap()), 0);
    assert_eq!(number_of(&frames.next_frame().unwrap().unwrap()), 1);
    assert_eq!(frames.next_frame().unwrap(), None);
}

#[test]
fn a_token_without_a_frame_comes_back_in_its_turn() {
    let folder = tempfile::tempdir().unwrap();
    let mut writing = Writing::open(folder.path(), small_segments()).unwrap();
    writing.appender.acknowledge(1);
    append(&mut writing.appender, &mut Versions::default(), 0).unwrap();
    writing.appender.acknowledge(2);
    writing.appender.acknowledge(3);
    assert!(writing.appender.pending());
    writing.appender.flush();
    assert!(!writing.appender.pending());
    let event_store::log::writer::Committed::Durable { through, tokens } =
        writing.committed.recv_timeout(PATIENCE).unwrap()
    else {
        panic!("the log failed");
    };
    assert_eq!((through, tokens), (Position(2), vec![1, 2, 3]));
}
