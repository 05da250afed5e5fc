//! The threads around the queue, and what must hold at each of their steps.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use shuttle::sync::Mutex;
use shuttle::{future, thread};

use crate::handover::{Gone, Incoming, Outgoing, handover};
use crate::intake::Intake;
use crate::reply::{Reply, give_out};
use crate::sequencer::{Answer, Decided, Work};
use crate::sync::{Receiver, Select, TryRecvError, bounded};
use crate::{Message, Unavailable};

/// What happens besides that clients hand in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scene {
    /// How many clients there are; each hands in two submissions, one after another.
    pub(crate) clients: u32,
    /// How many messages the queue takes.
    pub(crate) queue: usize,
    /// Whether the engine is stopped while clients are at work.
    pub(crate) stops_early: bool,
    /// The group whose write fails, and all after it.
    pub(crate) fails_at_group: Option<usize>,
    /// Whether every second client drops its futures after the first poll.
    pub(crate) every_second_goes_away: bool,
    /// Whether the sequencer waits for everything to be durable after each message.
    pub(crate) settles: bool,
}

impl Default for Scene {
    fn default() -> Self {
        Self {
            clients: 1,
            queue: 64,
            stops_early: false,
            fails_at_group: None,
            every_second_goes_away: false,
            settles: false,
        }
    }
}

/// Stands for `event_store::log::group::Group`.
#[derive(Debug)]
struct Group {
    frames: Vec<u32>,
    tokens: Vec<Answer>,
    /// How many groups there are.
    count: Arc<std::sync::atomic::AtomicUsize>,
}

impl Group {
    fn new(count: &Arc<std::sync::atomic::AtomicUsize>) -> Self {
        assert!(count.fetch_add(1, std::sync::atomic::Ordering::Relaxed) < 2, "there are never three groups");
        Self { frames: Vec::new(), tokens: Vec::new(), count: Arc::clone(count) }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.count.fetch_sub(1, std::sync::atomic::Ordering::Relaxed);
    }
}

/// What is on the disk, and whether it has failed.
#[derive(Debug, Default)]
struct Log {
    durable: Vec<u32>,
    failed: bool,
}

/// Stands for `event_store::log::appender::Appender` and `Sequencer`.
struct Sequencer {
    groups: Outgoing<Group>,
    group: Group,
    /// Everything that was decided, in order.
    decided: Vec<u32>,
    log: Arc<Mutex<Log>>,
    settles: bool,
}

impl Sequencer {
    /// `Sequencer::run`, `work` and `close`. Gives what was decided, in order.
    fn run(mut self, queue: &Receiver<Message>) -> Vec<u32> {
        while let Some(Message::Work(works)) = self.receive(queue) {
            for Work { submission, reply } in works {
                self.group.frames.push(submission);
                self.decided.push(submission);
                let decided = vec![Decided { submission, position: self.decided.len() - 1 }];
                self.group.tokens.push(Answer { reply, decided, asked: submission });
            }
            self.try_flush();
            if self.settles {
                self.settle();
            }
        }
        self.flush();
        self.groups.close();
        self.decided
    }

    /// `Appender::receive`, without a deadline.
    fn receive(&mut self, commands: &Receiver<Message>) -> Option<Message> {
        loop {
            match commands.try_recv() {
                Ok(message) => return Some(message),
                Err(TryRecvError::Disconnected) => return None,
                Err(TryRecvError::Empty) => {}
            }
            if self.try_flush() {
                return commands.recv().ok();
            }
            let mut select = Select::default();
            select.recv(commands);
            self.groups.watch(&mut select);
            select.ready();
        }
    }

    /// `Appender::try_flush`.
    fn try_flush(&mut self) -> bool {
        if self.group.tokens.is_empty() {
            return true;
        }
        match self.groups.try_take() {
            Ok(Some(spare)) => {
                self.hand_over(spare);
                true
            }
            Ok(None) => false,
            Err(Gone) => panic!("the writer ends after the appender"),
        }
    }

    /// `Appender::flush`.
    fn flush(&mut self) {
        if !self.group.tokens.is_empty() {
            let spare = self.groups.take().expect("the writer ends after the appender");
            self.hand_over(spare);
        }
    }

    fn hand_over(&mut self, spare: Group) {
        assert!(spare.frames.is_empty() && spare.tokens.is_empty());
        let group = std::mem::replace(&mut self.group, spare);
        assert_eq!(self.groups.give(group), Ok(()));
    }

    /// `Appender::settle`.
    fn settle(&mut self) {
        self.flush();
        assert_eq!(self.groups.settle(), Ok(()));
        let log = self.log.lock().unwrap();
        assert!(log.failed || log.durable == self.decided, "what was settled is durable");
    }
}

/// `Writer::work` and `answer` of the engine. A write has a moment before and after it.
fn write(groups: Incoming<Group>, log: &Mutex<Log>, fails_at_group: Option<usize>) {
    let mut number = 0;
    while let Some(mut group) = groups.next() {
        thread::yield_now();
        let failed = {
            let mut log = log.lock().unwrap();
            log.failed |= fails_at_group.is_some_and(|fails| number >= fails);
            if !log.failed {
                log.durable.extend(&group.frames);
            }
            log.failed
        };
        thread::yield_now();
        let tokens = std::mem::take(&mut group.tokens);
        if failed {
            let reason = "the disk is gone".to_owned();
            tokens.into_iter().for_each(|token| token.reply.refuse(Unavailable::Unknown { reason: reason.clone() }));
        } else {
            give_out(tokens.into_iter());
        }
        group.frames.clear();
        groups.give_back(group);
        number += 1;
    }
}

/// What a client was told of a submission.
type Told = Result<Decided, Unavailable>;

/// `Engine::submit_one` where it is `gathered`, else `Engine::submit`.
async fn submit(intake: &Intake, log: &Mutex<Log>, submission: u32, gathered: bool) -> Told {
    let (reply, answer) = Reply::channel(gathered);
    if !gathered {
        intake.hand_in(Work { submission, reply });
    } else if let Some(turn) = intake.gather(Work { submission, reply }) {
        future::yield_now().await;
        drop(turn);
    }
    match answer.await {
        Ok(delivery) => delivery.open().map(|mut decided| decided.remove(0)),
        // `Engine::unanswered`.
        Err(_) if log.lock().unwrap().failed => Err(Unavailable::Unknown { reason: "the log failed".to_owned() }),
        Err(_) => Err(Unavailable::Stopping),
    }
}

/// Two submissions, one after another; the second is handed in whatever became of the first.
async fn client(intake: Arc<Intake>, log: Arc<Mutex<Log>>, number: u32, goes_away: bool) -> Vec<(u32, Option<Told>)> {
    let mut told = Vec::new();
    for submission in [2 * number, 2 * number + 1] {
        let mut submitted = pin!(submit(&intake, &log, submission, !number.is_multiple_of(3)));
        if goes_away {
            let polled = std::future::poll_fn(|context| Poll::Ready(submitted.as_mut().poll(context))).await;
            let heard = if let Poll::Ready(heard) = polled { Some(heard) } else { None };
            told.push((submission, heard));
            continue;
        }
        let heard = submitted.await;
        if let Ok(decided) = &heard {
            assert_eq!(decided.submission, submission, "everybody gets the answer to what they asked");
            let log = log.lock().unwrap();
            assert_eq!(log.durable.get(decided.position), Some(&submission), "nothing is told before it is durable");
        }
        told.push((submission, Some(heard)));
    }
    told
}

/// Lets clients, sequencer and writer run to their end. That they come to one is checked by the scheduler: it tells of
/// threads and tasks that wait for each other.
pub(crate) fn play(scene: Scene) {
    let log = Arc::new(Mutex::new(Log::default()));
    let count = Arc::default();
    let (outgoing, incoming) = handover(Group::new(&count));
    let (queue, queued) = bounded(scene.queue);
    let intake = Arc::new(Intake::new(queue));
    let sequencer = Sequencer {
        groups: outgoing,
        group: Group::new(&count),
        decided: Vec::new(),
        log: Arc::clone(&log),
        settles: scene.settles,
    };
    let of_writer = Arc::clone(&log);
    let writer = thread::spawn(move || write(incoming, &of_writer, scene.fails_at_group));
    let sequencer = thread::spawn(move || sequencer.run(&queued));
    let clients: Vec<_> = (0..scene.clients)
        .map(|number| {
            let goes_away = scene.every_second_goes_away && number % 2 == 1;
            future::spawn(client(Arc::clone(&intake), Arc::clone(&log), number, goes_away))
        })
        .collect();
    if scene.stops_early {
        thread::yield_now();
        intake.stop();
    }
    let told: Vec<_> = clients.into_iter().flat_map(|client| future::block_on(client).unwrap()).collect();
    if !scene.stops_early {
        intake.stop();
    }
    let decided = sequencer.join().unwrap();
    writer.join().unwrap();
    judge(scene, &told, &decided, &log.lock().unwrap());
}

/// What must hold in the end.
fn judge(scene: Scene, told: &[(u32, Option<Told>)], decided: &[u32], log: &Log) {
    let mut once = decided.to_vec();
    once.sort_unstable();
    once.dedup();
    assert_eq!(once.len(), decided.len(), "nothing is decided twice: {decided:?}");
    assert!(decided.starts_with(&log.durable), "the log has what was decided, in order");
    assert!(log.failed || log.durable == decided, "a log that works has all of it");
    for (submission, heard) in told {
        match heard {
            Some(Ok(_)) => assert!(log.durable.contains(submission)),
            Some(Err(Unavailable::Stopping)) => {
                assert!(scene.stops_early, "nobody was told to stop");
                assert!(!decided.contains(submission), "{submission} was taken: {decided:?}");
            }
            Some(Err(Unavailable::QueueFull { .. })) => {
                assert!(scene.queue < 64 && !decided.contains(submission), "{submission} was taken: {decided:?}");
            }
            Some(Err(Unavailable::Unknown { .. })) => assert!(log.failed, "the log works"),
            None => {}
        }
    }
    for client in told.chunk_by(|one, other| one.0 / 2 == other.0 / 2) {
        let places: Vec<_> =
            client.iter().filter_map(|(one, _)| decided.iter().position(|other| one == other)).collect();
        assert!(places.is_sorted(), "each client's submissions are decided in order: {decided:?}");
    }
}
