//! The queue of commands under every order of steps that a scheduler finds: who hands in, the sequencer, the writer, and
//! who waits for an answer. `engine/intake.rs`, `engine/reply.rs` and `log/handover.rs` are the program's own files,
//! compiled a second time against channels and locks that the scheduler can stop at every step (`sync.rs`). What stands
//! around them in the program (the sequencer, `Appender::receive`, `Writer::work`, `Engine::submit`) is written again
//! in `world.rs`, without aggregates, frames and files; there each part names what it stands for.
//!
//! Tokio's `oneshot` is the real one. Its own steps are not interleaved (tokio checks it in the same way); before and
//! after them everything else is.
#![allow(clippy::unwrap_used)]

#[path = "../../../event-store/src/log/handover.rs"]
#[allow(dead_code)]
mod handover;
#[path = "../../src/engine/intake.rs"]
mod intake;
#[path = "../../src/engine/reply.rs"]
#[allow(dead_code, reason = "the alarm is not part of the model")]
#[allow(dropping_copy_types, reason = "numbers stand for what is handed in")]
mod reply;
mod sequencer;
mod sync;
mod world;

use std::hash::{BuildHasher, RandomState};

use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler};
use shuttle::{Config, Runner};

use self::world::{Scene, play};

/// What the sequencer is told, as in `engine.rs`.
#[derive(Debug)]
enum Message {
    Work(Vec<sequencer::Work>),
    Stop,
}

/// What is handed in: a number instead of commands.
type Submission = u32;

/// Why there is no answer, as in `engine.rs`.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Unavailable {
    QueueFull { queued: usize },
    Stopping,
    Unknown { reason: String },
}

/// How many orders each scheduler tries, by default.
const SCHEDULES: usize = 600;
/// How many times the scheduler that gives threads priorities changes them in one run.
const CHANGES: usize = 4;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap())
}

/// Plays a scene under both schedulers.
fn check(scene: Scene) {
    let seed = number("BURSAR_TEST_SEED").unwrap_or_else(|| RandomState::new().hash_one(0));
    println!("to have the same orders again: BURSAR_TEST_SEED={seed}");
    let schedules = SCHEDULES * number("BURSAR_TEST_EFFORT").unwrap_or(1).max(1) as usize;
    run(RandomScheduler::new_from_seed(seed, schedules), scene);
    run(PctScheduler::new_from_seed(seed, CHANGES, schedules), scene);
}

fn run(scheduler: impl Scheduler + 'static, scene: Scene) {
    let mut config = Config::new();
    config.stack_size = 256 << 10;
    Runner::new(scheduler, config).run(move || play(scene));
}

#[test]
fn every_submission_is_answered_once_it_is_durable_and_nobody_waits_for_ever() {
    check(Scene { clients: 4, ..Scene::default() });
}

#[test]
fn a_stop_leaves_nobody_without_an_answer_and_says_not_taken_only_of_what_was_not() {
    check(Scene { clients: 3, stops_early: true, ..Scene::default() });
}

#[test]
fn a_log_that_fails_answers_unknown_to_everybody_from_then_on() {
    check(Scene { clients: 3, fails_at_group: Some(1), ..Scene::default() });
}

#[test]
fn clients_that_go_away_leave_nobody_else_waiting() {
    check(Scene { clients: 4, every_second_goes_away: true, ..Scene::default() });
}

#[test]
fn what_was_settled_is_durable() {
    check(Scene { clients: 3, settles: true, ..Scene::default() });
}

#[test]
fn a_queue_that_clients_who_went_away_have_filled_says_so() {
    check(Scene { clients: 5, every_second_goes_away: true, queue: 1, ..Scene::default() });
}
