//! A panic in the thread that decides: a mistake in the program must not leave a server that looks alive.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use command_api::engine::{self, Mode, Options, Submission, Unavailable};
use domain::ids::Position;
use event_store::disk::simulated::SimulatedDisk;
use event_store::log::Log;

use crate::ask::{accepted, deposit, one, open, request};
use crate::disk::{FOLDER, PATIENCE, small_segments, start};

static PANICS: AtomicBool = AtomicBool::new(false);

#[tokio::test]
async fn a_panic_while_deciding_keeps_what_was_answered_and_ends_the_engine_as_failed() {
    let disk = SimulatedDisk::new();
    let opened = Log::open(Path::new(FOLDER), small_segments(&disk)).unwrap();
    let clock = || if PANICS.load(Ordering::SeqCst) { panic!("on purpose, in a test") } else { 0 };
    let options = Options { clock, ..Options::default() };
    let running = engine::start(opened.log, opened.appender, &options).unwrap();
    accepted(one(&running.engine, "1", open("a")).await);
    accepted(one(&running.engine, "2", deposit("a", 5)).await);

    PANICS.store(true, Ordering::SeqCst);
    let deposit_more =
        Submission { requests: vec![request("3", deposit("a", 7))], mode: Mode::Independent, dry_run: false };
    // Nobody can say how far it came.
    let answer = running.engine.submit(deposit_more).await;
    assert!(matches!(answer, Err(Unavailable::Unknown { .. })), "{answer:?}");
    let failed = tokio::time::timeout(PATIENCE, running.engine.failed()).await.expect("somebody must end the process");
    assert_eq!(&*failed.reason, "the thread sequencer panicked");
    assert_eq!(running.stop(), Err(failed));

    let running = start(&disk).unwrap();
    assert_eq!(running.engine.log().durable(), Position(2));
    assert!(accepted(one(&running.engine, "2", deposit("a", 5)).await).replayed);
    running.stop().unwrap();
}
