//! A disk that runs full, at every segment that is to be made: what finds no room is refused and leaves no trace, what
//! there is can be read, and the same command is taken once there is room.

use std::time::Instant;

use command_api::engine::{Mode, Outcome, Submission, Unavailable};
use event_store::disk::simulated::SimulatedDisk;
use event_store::log::Log;

use crate::ask::{accepted, deposit, one, open, request, submit, withdraw};
use crate::client::{Told, hand_in};
use crate::disk::{PATIENCE, SEGMENT_BYTES, runtime, settled, start};
use crate::oracle::{Oracle, bare};
use crate::random::probes;
use crate::readback::{assert_written, read_back};
use crate::script::script;

/// Room for what the log has besides segments.
const SMALL_FILES_BYTES: u64 = 200;

fn out_of_room(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::NotTaken(Unavailable::DiskFull { .. }))
}

/// Holds answers against the oracle, which is told only of what found room.
fn check(oracle: &mut Oracle, submission: &Submission, answers: &[Outcome], told: &str) {
    let Submission { requests, mode, dry_run } = submission;
    match mode {
        Mode::Atomic if answers.iter().any(out_of_room) => {
            let none = |outcome: &Outcome| out_of_room(outcome) || matches!(outcome, Outcome::NotDecided { .. });
            assert!(answers.iter().all(none), "{told}: half a batch: {answers:?}");
        }
        Mode::Atomic => assert_eq!(bare(answers), oracle.submit(submission), "{told}"),
        Mode::Independent => {
            for (request, answer) in requests.iter().zip(answers).filter(|(_, answer)| !out_of_room(answer)) {
                let answer = bare(std::slice::from_ref(answer)).remove(0);
                assert_eq!(answer, oracle.take(request, *dry_run), "{told}: {request:?}");
            }
        }
    }
}

async fn answers(engine: &command_api::engine::Engine, submission: &Submission) -> Vec<Outcome> {
    match hand_in(engine, std::slice::from_ref(submission)).await.remove(0) {
        Told::Answers(answers) => answers,
        told => panic!("{told:?}"),
    }
}

fn wait_for_room(log: &Log) {
    let deadline = Instant::now() + PATIENCE;
    while log.room().disk_full.is_some() || log.room().bytes < SEGMENT_BYTES {
        assert!(Instant::now() < deadline, "the log must notice that there is room: {:?}", log.room());
        std::thread::yield_now();
    }
}

/// Runs the script with room for so many bytes until something finds none, then with all the room there is. Answers
/// how many commands found none.
async fn run(room_bytes: u64, restart_while_full: bool) -> usize {
    let told = &format!("room for {room_bytes} bytes");
    let disk = SimulatedDisk::new();
    disk.set_capacity(room_bytes);
    let mut running = start(&disk).unwrap();
    let mut oracle = Oracle::default();
    let mut refused = 0;
    let probes = probes().into_iter().map(|command| request("probe", command)).collect();
    let probes = Submission { requests: probes, mode: Mode::Independent, dry_run: true };
    for submission in script().iter().flatten() {
        settled(&running.engine);
        let first = answers(&running.engine, submission).await;
        check(&mut oracle, submission, &first, told);
        let without_room = first.iter().filter(|outcome| out_of_room(outcome)).count();
        if without_room == 0 {
            continue;
        }
        refused += without_room;
        if restart_while_full {
            running.stop().unwrap();
            running = start(&disk).unwrap();
            settled(&running.engine);
        }
        // Nothing but what was taken is there, and all of it can be read.
        check(&mut oracle, &probes, &answers(&running.engine, &probes).await, told);
        assert_written(&read_back(running.engine.log(), told).written, &oracle.written, told);
        let second = answers(&running.engine, submission).await;
        check(&mut oracle, submission, &second, told);
        assert!(second.iter().any(out_of_room), "{told}: {second:?}");
        disk.mend();
        wait_for_room(running.engine.log());
        let third = answers(&running.engine, submission).await;
        check(&mut oracle, submission, &third, told);
        assert_eq!(third.iter().find(|outcome| out_of_room(outcome)), None, "{told}");
    }
    check(&mut oracle, &probes, &answers(&running.engine, &probes).await, told);
    let found = read_back(running.engine.log(), told);
    assert_written(&found.written, &oracle.written, told);
    assert_eq!(found.balances, oracle.balances(), "{told}");
    running.stop().unwrap();
    refused
}

#[test]
fn a_full_disk_at_any_segment_refuses_without_a_trace_and_takes_the_same_once_there_is_room() {
    runtime().block_on(async {
        let mut segments_filled = 0;
        for segments in 1.. {
            // The disk is full before, in the middle of, or at the last byte of the segment that is being made.
            let mut refused = 0;
            for more_bytes in [0, 1, 5_000, SEGMENT_BYTES - 1] {
                for restart_while_full in [false, true] {
                    let room_bytes = segments * SEGMENT_BYTES + SMALL_FILES_BYTES + more_bytes;
                    refused += run(room_bytes, restart_while_full).await;
                }
            }
            if refused == 0 {
                break;
            }
            segments_filled += 1;
        }
        assert!(segments_filled >= 5, "{segments_filled}");
    });
}

#[test]
fn a_log_that_finds_no_room_at_all_is_not_opened_and_can_be_opened_later() {
    runtime().block_on(async {
        for room_bytes in [0, 100, SEGMENT_BYTES - 1, SEGMENT_BYTES, SEGMENT_BYTES + 10] {
            let disk = SimulatedDisk::new();
            disk.set_capacity(room_bytes);
            let refused = start(&disk).unwrap_err().to_string();
            let doing = if room_bytes < SEGMENT_BYTES { "making" } else { "writing" };
            assert!(refused.starts_with(doing) && refused.contains("start again"), "{room_bytes}: {refused}");
            disk.mend();
            let running = start(&disk).unwrap();
            assert_eq!(accepted(one(&running.engine, "1", open("a")).await).position.unwrap().0, 1);
            running.stop().unwrap();
        }
    });
}

#[tokio::test]
async fn what_is_too_large_for_a_transaction_is_refused_without_a_trace() {
    let disk = SimulatedDisk::new();
    let running = start(&disk).unwrap();
    accepted(one(&running.engine, "1", open("a")).await);
    let batch = |commands: usize| (0..commands).map(|n| request(&format!("d{n}"), deposit("a", 1))).collect::<Vec<_>>();
    let outcomes = submit(&running.engine, Mode::Atomic, false, batch(100)).await;
    let too_large = |outcome: &Outcome| matches!(outcome, Outcome::NotTaken(Unavailable::TooLarge { .. }));
    assert!(outcomes.len() == 100 && outcomes.iter().all(too_large), "{outcomes:?}");
    // The keys are not used up, the money is not there, and what follows is decided on what is.
    let outcomes = submit(&running.engine, Mode::Atomic, false, batch(10)).await;
    let positions: Vec<_> = outcomes.into_iter().map(|outcome| accepted(outcome).position.unwrap().0).collect();
    assert_eq!(positions, (2..12).collect::<Vec<_>>());
    let told = accepted(one(&running.engine, "w", withdraw("a", 10)).await).result;
    assert!(String::from_utf8_lossy(&told).contains(r#""balance":{"amount":0"#));
    // A key that no log can hold.
    let long = one(&running.engine, &"k".repeat(70_000), deposit("a", 1)).await;
    assert!(too_large(&long), "{long:?}");
    running.stop().unwrap();
}
