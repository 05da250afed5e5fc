//! Time in the log never goes back, whatever the clock does.

use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};

use command_api::engine::{self, Options, Running};
use domain::ids::Position;
use event_store::disk::simulated::SimulatedDisk;
use event_store::log::Log;

use crate::ask::{accepted, deposit, one, open, refused, withdraw};
use crate::disk::{FOLDER, small_segments};

static NOW_US: AtomicI64 = AtomicI64::new(0);

fn start(disk: &SimulatedDisk) -> Running {
    let opened = Log::open(Path::new(FOLDER), small_segments(disk)).unwrap();
    let options = Options { clock: || NOW_US.load(Ordering::SeqCst), ..Options::default() };
    engine::start(opened.log, opened.appender, &options).unwrap()
}

fn recorded_at_us(log: &Log) -> Vec<i64> {
    let mut frames = log.frames_after(Position::START).unwrap();
    let mut times = Vec::new();
    while let Some(frame) = frames.next_frame().unwrap() {
        times.extend(frame.entries().map(|entry| entry.recorded_at_us()));
    }
    times
}

#[tokio::test]
async fn time_in_the_log_never_goes_back_not_even_over_a_restart() {
    let disk = SimulatedDisk::new();
    let running = start(&disk);
    NOW_US.store(1_000, Ordering::SeqCst);
    accepted(one(&running.engine, "open", open("a")).await);
    // Back a little, back before 1970, to where no calendar reaches, and on.
    for (key, now_us) in [("1", 2_000), ("2", 1_999), ("3", -5), ("4", i64::MAX), ("5", i64::MIN), ("6", 2_001)] {
        NOW_US.store(now_us, Ordering::SeqCst);
        accepted(one(&running.engine, key, deposit("a", 1)).await);
    }
    NOW_US.store(0, Ordering::SeqCst);
    assert_eq!(refused(&one(&running.engine, "7", withdraw("a", 100)).await), ("insufficient_funds", false));
    assert_eq!(recorded_at_us(running.engine.log()), [1_000, 2_000, 2_000, 2_000, 2_000, 2_000, 2_001, 2_001]);
    running.stop().unwrap();

    // The clock was set back while nothing ran.
    let running = start(&disk);
    assert_eq!(running.rebuilt.last_recorded_at.timestamp_micros(), 2_001);
    accepted(one(&running.engine, "8", deposit("a", 1)).await);
    NOW_US.store(3_000, Ordering::SeqCst);
    accepted(one(&running.engine, "9", deposit("a", 1)).await);
    assert_eq!(recorded_at_us(running.engine.log())[7..], [2_001, 2_001, 3_000]);
    running.stop().unwrap();
}
