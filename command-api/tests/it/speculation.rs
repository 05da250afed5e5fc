//! The engine decides ahead of the disk and tells nobody: with a sync that does not come back, no answer of any kind is
//! given, and no reader or follower sees anything, however far the deciding has come.

mod gate;

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use command_api::engine::{self, Mode, Options, Outcome, Request, Running, Submission, Unavailable};
use domain::ids::{Position, StreamId, Version};
use domain::rejection::Rejection;
use event_store::disk::simulated::{Failing, SimulatedDisk, Survival};
use event_store::feed::{FeedError, Subscription};
use event_store::log::{Direction, Log};
use futures::FutureExt;
use tokio::task::JoinHandle;

use crate::ask::{accepted, deposit, gbp, one, open, refused, request, withdraw, withdraw_everything};
use crate::disk::{FOLDER, PATIENCE, small_segments, start};
use crate::hooked::HookedDisk;

use self::gate::Gate;

type Answer = Result<Vec<Outcome>, Unavailable>;

/// Counts how often each engine of this file has asked for the time: once for every submission, when it is taken up.
static TAKEN_UP: [AtomicU64; 2] = [AtomicU64::new(0), AtomicU64::new(0)];

fn start_counting<const TEST: usize>(disk: &HookedDisk) -> Running {
    let opened = Log::open(Path::new(FOLDER), small_segments(disk)).unwrap();
    let clock = || {
        TAKEN_UP[TEST].fetch_add(1, Ordering::SeqCst);
        1_700_000_000_000_000
    };
    engine::start(opened.log, opened.appender, &Options { commands_in_flight_max: 1_024, clock, ..Options::default() })
        .unwrap()
}

fn wait_until_taken_up<const TEST: usize>(submissions: u64) {
    let deadline = Instant::now() + PATIENCE;
    while TAKEN_UP[TEST].load(Ordering::SeqCst) < submissions {
        assert!(Instant::now() < deadline, "the engine must go on deciding while the disk syncs");
        std::thread::yield_now();
    }
}

/// Somebody who hands submissions in, each from a task of its own, and notes the answers as they come.
struct Crowd<'a> {
    running: &'a Running,
    answers: Arc<Mutex<Vec<(&'static str, Answer)>>>,
    tasks: Vec<JoinHandle<()>>,
}

impl<'a> Crowd<'a> {
    fn new(running: &'a Running) -> Self {
        Self { running, answers: Arc::default(), tasks: Vec::new() }
    }

    async fn ask(&mut self, name: &'static str, mode: Mode, dry_run: bool, requests: Vec<Request>) {
        let (engine, answers) = (self.running.engine.clone(), Arc::clone(&self.answers));
        self.tasks.push(tokio::spawn(async move {
            let answer = engine.submit(Submission { requests, mode, dry_run }).await;
            answers.lock().unwrap().push((name, answer));
        }));
        // The task runs up to where it waits for its answer.
        tokio::task::yield_now().await;
    }

    async fn ask_one(&mut self, name: &'static str, request: Request) {
        self.ask(name, Mode::Independent, false, vec![request]).await;
    }

    /// The answers that are there, after everything that could bring one has had its turn.
    async fn answered(&self) -> Vec<&'static str> {
        for _ in 0..20 {
            tokio::task::yield_now().await;
            tokio::task::spawn_blocking(|| ()).await.unwrap();
        }
        self.answers.lock().unwrap().iter().map(|(name, _)| *name).collect()
    }

    async fn all(self) -> Vec<(&'static str, Answer)> {
        for task in self.tasks {
            tokio::time::timeout(PATIENCE, task).await.expect("everybody must be answered").unwrap();
        }
        Arc::into_inner(self.answers).unwrap().into_inner().unwrap()
    }
}

/// What anybody can see of the log: the durable position, and how many events each way of reading gives.
fn seen(running: &Running, feed: &mut Subscription) -> (Position, [usize; 3], bool) {
    let log = running.engine.log();
    let account = StreamId::Account("a".parse().unwrap());
    let of_stream = log.read_stream(&account, Version(0), Direction::Forward, 100).unwrap().len();
    let of_all = log.read_all(Position(1), 100).unwrap().len();
    let mut frames = log.frames_after(Position::START).unwrap();
    let mut walked = 0;
    while let Some(frame) = frames.next_frame().unwrap() {
        walked += frame.event_count() as usize;
    }
    let fed = feed.next_batch(100, 1 << 20).now_or_never().is_some();
    (log.durable(), [of_stream, of_all, walked], fed)
}

/// Hands in, behind a deposit whose sync is held back, everything that is decided on its money and its key. The last
/// one is there to be taken up after them.
async fn ask_everything(crowd: &mut Crowd<'_>) {
    let again = || request("first", deposit("a", 50));
    crowd.ask_one("spends it", request("spend", withdraw("a", 120))).await;
    crowd.ask_one("is refused", request("refused", withdraw("a", 100))).await;
    let dry = vec![request("dry", withdraw_everything("a"))];
    crowd.ask("dry run refused", Mode::Independent, true, dry).await;
    crowd.ask("dry run accepted", Mode::Atomic, true, vec![request("dry", deposit("a", 1))]).await;
    crowd.ask_one("replayed", again()).await;
    crowd.ask_one("refusal replayed", request("refused", withdraw("a", 100))).await;
    crowd.ask_one("key reused", request("first", deposit("a", 51))).await;
    let batch = vec![request("b1", deposit("a", 1)), request("b2", withdraw("a", 1_000))];
    crowd.ask("batch refused", Mode::Atomic, false, batch).await;
    crowd.ask("batch differs", Mode::Atomic, false, vec![again(), request("b3", deposit("a", 1))]).await;
    let at_version = Request { expected_version: Some(Version(1)), ..request("version", deposit("a", 1)) };
    crowd.ask_one("version conflict", at_version).await;
    crowd.ask_one("has nothing to do with it", request("other", open("b"))).await;
    crowd.ask("last", Mode::Independent, true, vec![request("dry", deposit("a", 1))]).await;
}

/// Of [`ask_everything`]: how many ask for the time. A batch that was decided before does not.
const ASK_FOR_THE_TIME: u64 = 11;

#[tokio::test]
async fn nothing_that_is_decided_ahead_of_the_disk_is_told_or_shown_before_the_sync_is_back() {
    let (gate, disk) = Gate::before(&SimulatedDisk::new());
    let running = start_counting::<0>(&disk);
    accepted(one(&running.engine, "open", open("a")).await);
    accepted(one(&running.engine, "deposit", deposit("a", 100)).await);
    let mut feed = running.engine.log().subscribe(Position(2));
    let mut changes = running.engine.log().durable_watch();
    changes.mark_unchanged();

    gate.close();
    let mut crowd = Crowd::new(&running);
    crowd.ask_one("first", request("first", deposit("a", 50))).await;
    gate.wait_until_held();
    ask_everything(&mut crowd).await;
    wait_until_taken_up::<0>(3 + ASK_FOR_THE_TIME);
    assert_eq!(crowd.answered().await, [""; 0]);
    assert_eq!(running.engine.in_flight(), 15);
    assert_eq!(seen(&running, &mut feed), (Position(2), [2, 2, 2], false));
    assert!(!changes.has_changed().unwrap());

    // The first sync comes back, the second, with everything else, does not.
    gate.let_one_through();
    gate.wait_until_held();
    assert_eq!(crowd.answered().await, ["first"]);
    assert_eq!(running.engine.log().durable(), Position(3));
    let batch = feed.next_batch(100, 1 << 20).await.unwrap();
    assert_eq!((batch.first(), batch.last()), (Position(3), Position(3)));
    assert_eq!(seen(&running, &mut feed), (Position(3), [3, 3, 3], false));

    gate.open();
    let answers = crowd.all().await;
    let read_from_the_log = ["replayed", "refusal replayed", "batch differs"];
    let order: Vec<_> =
        answers.iter().map(|(name, _)| *name).filter(|name| !read_from_the_log.contains(name)).collect();
    let in_order = [
        "first",
        "spends it",
        "is refused",
        "dry run refused",
        "dry run accepted",
        "key reused",
        "batch refused",
        "version conflict",
        "has nothing to do with it",
        "last",
    ];
    assert_eq!(order, in_order);
    let of = |wanted: &str| {
        let (_, answer) = answers.iter().find(|(name, _)| *name == wanted).unwrap();
        answer.clone().unwrap()
    };
    let position = |name: &str| accepted(of(name).remove(0)).position.unwrap().0;
    assert_eq!((position("first"), position("spends it"), position("replayed")), (3, 4, 3));
    let short = |position, replayed| Outcome::Refused {
        rejection: Rejection::InsufficientFunds {
            account_id: "a".parse().unwrap(),
            available: gbp(30),
            requested: gbp(100),
        },
        position: Some(Position(position)),
        replayed,
    };
    assert_eq!(of("is refused"), [short(5, false)]);
    assert_eq!(of("refusal replayed"), [short(5, true)]);
    assert_eq!(refused(&of("dry run refused")[0]), ("insufficient_funds", false));
    let told = accepted(of("dry run accepted").remove(0)).result;
    assert!(String::from_utf8_lossy(&told).contains(r#""balance":{"amount":31"#));
    assert_eq!(of("key reused"), [Outcome::KeyReused]);
    assert_eq!(refused(&of("batch refused")[1]), ("insufficient_funds", false));
    assert_eq!(of("batch differs"), [Outcome::BatchDiffers, Outcome::BatchDiffers]);
    assert_eq!(refused(&of("version conflict")[0]), ("version_conflict", false));
    assert_eq!(position("has nothing to do with it"), 8);
    assert_eq!(feed.next_batch(100, 1 << 20).await.unwrap().last(), Position(8));
    running.stop().unwrap();
}

#[tokio::test]
async fn what_was_decided_on_a_sync_that_fails_is_told_to_nobody() {
    let simulated = SimulatedDisk::new();
    let (gate, disk) = Gate::before(&simulated);
    let running = start_counting::<1>(&disk);
    accepted(one(&running.engine, "open", open("a")).await);
    accepted(one(&running.engine, "deposit", deposit("a", 100)).await);
    let mut feed = running.engine.log().subscribe(Position(2));

    gate.close();
    let mut crowd = Crowd::new(&running);
    crowd.ask_one("first", request("first", deposit("a", 50))).await;
    gate.wait_until_held();
    ask_everything(&mut crowd).await;
    wait_until_taken_up::<1>(3 + ASK_FOR_THE_TIME);
    simulated.fail(Failing::Syncs, ".seg");
    gate.open();
    let answers = crowd.all().await;
    assert_eq!(answers.len(), 13);
    for (name, answer) in answers {
        assert!(matches!(answer, Err(Unavailable::Unknown { .. })), "{name}: {answer:?}");
    }
    let failed = tokio::time::timeout(PATIENCE, running.engine.failed()).await.unwrap();
    assert!(failed.reason.starts_with("syncing segment 1 at byte "), "{failed}");
    assert_eq!(seen(&running, &mut feed), (Position(2), [2, 2, 2], false));

    // The disk works again; the log does not.
    simulated.mend();
    for dry_run in [false, true] {
        let requests = vec![request("late", deposit("a", 1))];
        let late = running.engine.submit(Submission { requests, mode: Mode::Independent, dry_run }).await;
        assert!(matches!(late, Err(Unavailable::Unknown { .. })), "{late:?}");
    }
    assert_eq!(running.stop(), Err(failed));
    assert!(matches!(feed.next_batch(100, 1 << 20).await, Err(FeedError::Closed)));

    // After a power cut the money was never there, and the keys are free.
    simulated.restart(Survival::Nothing);
    let running = start(&simulated).unwrap();
    assert_eq!(refused(&one(&running.engine, "spend", withdraw("a", 120)).await), ("insufficient_funds", false));
    let first = accepted(one(&running.engine, "first", deposit("a", 50)).await);
    assert_eq!((first.position, first.replayed), (Some(Position(4)), false));
    running.stop().unwrap();
}
