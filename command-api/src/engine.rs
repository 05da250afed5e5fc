//! The engine: takes commands up, decides them, appends what follows, answers once it is durable.
//! This file is its door; what stands behind it is one sequencer thread that owns all aggregate state.

mod checkpoint;
mod claims;
mod counters;
mod digest;
mod idempotency;
mod intake;
mod note;
mod rebuild;
mod register;
mod replay;
mod reply;
mod sequencer;
mod shelf;
mod states;
mod summary;
mod sync;
mod tables;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;

use chrono::{DateTime, Utc};
use crossbeam_channel::bounded;
use domain::command::Command;
use domain::ids::{Position, StreamId, Version};
use domain::rejection::Rejection;
use event_store::log::writer::{Committed, LogFailed};
use event_store::log::{IdleAppender, Log};
use tokio::sync::{oneshot, watch};

pub use checkpoint::Limits;
pub use rebuild::{RebuildError, Rebuilt};

use self::counters::Counters;
use self::intake::Intake;
use self::reply::{Alarm, Delivery, Reply};
use self::sequencer::{Answer, Decided, Sequencer, Work};

/// A command with everything it came with.
#[derive(Debug, Clone)]
pub struct Request {
    /// Who asks. With the key it makes the scope in which a command is done once.
    pub principal: Arc<str>,
    /// The idempotency key.
    pub key: Arc<str>,
    /// What the request is called in logs and answers.
    pub request_id: Arc<str>,
    /// What the caller groups requests by; empty where it gave none.
    pub correlation_id: Arc<str>,
    /// The command's type, such as `send_transfer`.
    pub command_type: &'static str,
    /// What is asked.
    pub command: Command,
    /// A digest of all that was asked, before ids were generated: the same key with another digest is a mistake.
    pub fingerprint: u128,
    /// The version at which the stream must be.
    pub expected_version: Option<Version>,
    /// When it happened in business, where that differs from now.
    pub effective_at: Option<DateTime<Utc>>,
}

/// How the commands of one submission belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Each command stands for itself.
    Independent,
    /// All are accepted, or none.
    Atomic,
}

/// Commands that are handed in together, to be decided in order.
#[derive(Debug, Clone)]
pub struct Submission {
    /// The commands; at least one.
    pub requests: Vec<Request>,
    /// How they belong together.
    pub mode: Mode,
    /// Decide only: nothing is appended and no key is used up.
    pub dry_run: bool,
}

/// Where an accepted command's event stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventPlace {
    /// The event's type.
    pub event_type: &'static str,
    /// Its stream.
    pub stream: StreamId,
    /// Its number within the stream.
    pub version: Version,
    /// Its place in the log; none in a dry run.
    pub position: Option<Position>,
}

/// An accepted command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// Whether it brought something new into being.
    pub created: bool,
    /// The new state's summary, the text of a JSON object.
    pub result: Vec<u8>,
    /// The events, in order.
    pub events: Vec<EventPlace>,
    /// The version at which the command's own stream now is.
    pub version: Version,
    /// The last event's position; none in a dry run.
    pub position: Option<Position>,
    /// Whether this is the answer to an earlier request with the same key.
    pub replayed: bool,
}

/// What became of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It was accepted.
    Accepted(Accepted),
    /// It was refused.
    Refused {
        /// Why.
        rejection: Rejection,
        /// Where the refusal is recorded; none in a dry run.
        position: Option<Position>,
        /// Whether this is the answer to an earlier request with the same key.
        replayed: bool,
    },
    /// Its key was used before for a different command. Nothing is recorded.
    KeyReused,
    /// It was not decided, because another command of its atomic batch was refused. Its key is not used up.
    NotDecided {
        /// The index of the refused command in the batch.
        refused_index: usize,
    },
    /// Some of the keys of its atomic batch were used before and some were not, so it is not the same batch.
    BatchDiffers,
    /// It could not be written: the disk is full, or it is too large. Nothing is recorded and its key is not used up.
    NotTaken(Unavailable),
}

/// Why commands were not taken up, or why nobody knows what became of them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unavailable {
    /// The queue is full; nothing was taken up.
    #[error("the engine has {queued} commands waiting; try again in a second")]
    QueueFull {
        /// How many wait.
        queued: usize,
    },
    /// The disk is full; nothing was taken up.
    #[error(
        "the disk that holds the log is full: {detail}; commands are accepted again once there is room, reads go on"
    )]
    DiskFull {
        /// What the log says.
        detail: String,
    },
    /// The log or the engine's state cannot be saved at the moment, for another reason than a full disk of the log;
    /// nothing was taken up.
    #[error("commands cannot be saved at the moment: {detail}; commands are accepted again once they can, reads go on")]
    NotReady {
        /// What the log says.
        detail: String,
    },
    /// More than one transaction can hold; nothing was taken up.
    #[error("the transaction is too large: {detail}; split the batch")]
    TooLarge {
        /// What the log says.
        detail: String,
    },
    /// The server is stopping; nothing was taken up.
    #[error("the server is stopping; try again in a few seconds")]
    Stopping,
    /// The log failed while the commands were being written: they may or may not be durable. Ask again with the same key.
    #[error(
        "the log failed while the command was being written: {reason}; whether it counts is unknown, ask again with the same key"
    )]
    Unknown {
        /// What the log says.
        reason: String,
    },
}

/// How the engine is run.
#[derive(Debug, Clone)]
pub struct Options {
    /// How many commands may wait for their answer at once; more are refused with [`Unavailable::QueueFull`].
    pub commands_in_flight_max: usize,
    /// The time in microseconds since 1970-01-01 UTC. It may go back; the time in the log does not.
    pub clock: fn() -> i64,
    /// When state is saved beside the log, and how much of it is kept in memory.
    pub checkpoints: Limits,
}

impl Default for Options {
    fn default() -> Self {
        Self { commands_in_flight_max: 65_536, clock: || Utc::now().timestamp_micros(), checkpoints: Limits::default() }
    }
}

/// Why the engine did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The states could not be rebuilt from the log.
    #[error(transparent)]
    Rebuild(#[from] RebuildError),
    /// The system refused a thread.
    #[error("the engine could not start a thread: {0}")]
    Thread(#[from] io::Error),
}

/// The engine while it runs. Stop it to have the log closed cleanly.
#[derive(Debug)]
pub struct Running {
    /// The handle that commands are submitted through.
    pub engine: Engine,
    /// What was rebuilt from the log.
    pub rebuilt: Rebuilt,
    sequencer: JoinHandle<Result<(), LogFailed>>,
}

impl Running {
    /// Takes nothing more, decides what waits, makes it durable, answers it and closes the log. Blocks until then.
    ///
    /// # Errors
    /// [`LogFailed`] when the log has failed, now or before.
    pub fn stop(self) -> Result<(), LogFailed> {
        self.engine.intake.stop();
        drop(self.engine);
        match self.sequencer.join() {
            Ok(closed) => closed,
            Err(_) => Err(LogFailed { reason: "the thread sequencer panicked".into() }),
        }
    }
}

/// What the sequencer is told.
#[derive(Debug)]
enum Message {
    /// Submissions, in order.
    Work(Vec<Work>),
    Stop,
}

/// The handle that commands are submitted through; cloning it is cheap.
#[derive(Debug, Clone)]
pub struct Engine {
    intake: Arc<Intake>,
    log: Log,
    in_flight: Arc<AtomicUsize>,
    commands_in_flight_max: usize,
    failed: watch::Receiver<Option<LogFailed>>,
}

/// Rebuilds all state from the log and starts to take commands.
///
/// # Errors
/// [`StartError`] when the log cannot be read, holds events that make no sense, or a thread is refused.
pub fn start(log: Log, appender: IdleAppender, options: &Options) -> Result<Running, StartError> {
    let (rebuilt, rebuild::State { books, keys, checkpoints, decided }) = rebuild::rebuild(&log, options)?;
    let (alarm, failed) = Alarm::channel();
    let of_the_writer = alarm.clone();
    let appender = appender.start(move |committed| answer(committed, &of_the_writer))?;
    // Each message holds at least one command, so the bound on commands in flight bounds the queue too.
    let (queue, queued) = bounded(options.commands_in_flight_max + 1);
    let sequencer = Sequencer {
        appender,
        log: log.clone(),
        books,
        keys,
        checkpoints,
        clock: options.clock,
        decided,
        counters: Counters::new(),
        draft: domain::cascade::Draft::default(),
    };
    let thread = std::thread::Builder::new().name("sequencer".into()).spawn(move || {
        // Dropped in a panic, the alarm rings by itself.
        sequencer.run(&queued, &alarm)
    })?;
    let engine = Engine {
        intake: Arc::new(Intake::new(queue)),
        log,
        in_flight: Arc::new(AtomicUsize::new(0)),
        commands_in_flight_max: options.commands_in_flight_max,
        failed,
    };
    Ok(Running { engine, rebuilt, sequencer: thread })
}

/// Sends the answers of a group out, in order. Runs on the log's writer thread.
fn answer(committed: Committed<Answer>, alarm: &Alarm) {
    match committed {
        Committed::Durable { tokens, .. } => {
            reply::give_out(tokens.into_iter());
        }
        Committed::Failed { error, tokens } => {
            for Answer { reply, .. } in tokens {
                reply.refuse(Unavailable::Unknown { reason: error.reason.to_string() });
            }
            alarm.ring(error);
        }
    }
}

/// Counts commands as in flight until it is dropped.
#[derive(Debug)]
struct InFlight {
    commands: usize,
    of: Arc<AtomicUsize>,
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.of.fetch_sub(self.commands, Ordering::Relaxed);
    }
}

impl Engine {
    /// Hands commands in, and gives what became of each once that is durable. Dropping the future changes nothing: what
    /// was handed in is decided.
    ///
    /// # Errors
    /// [`Unavailable`] when nothing was taken up, or when nobody knows what became of it.
    pub async fn submit(&self, submission: Submission) -> Result<Vec<Outcome>, Unavailable> {
        let _in_flight = self.take_up(submission.requests.len())?;
        let (reply, answer) = Reply::channel(false);
        self.intake.hand_in(Work { submission, reply });
        self.outcomes(answer).await
    }

    /// Hands one command in, together with others that are handed in so at the same moment, and gives what became of it
    /// once that is durable. The future has to be polled until it is done, or dropped: what others have handed in, and
    /// their answers, may wait for it. Dropping it changes nothing: what was handed in is decided.
    ///
    /// # Errors
    /// [`Unavailable`] when it was not taken up, or when nobody knows what became of it.
    pub async fn submit_one(&self, request: Request, dry_run: bool) -> Result<Outcome, Unavailable> {
        let _in_flight = self.take_up(1)?;
        let (reply, answer) = Reply::channel(true);
        let submission = Submission { requests: vec![request], mode: Mode::Independent, dry_run };
        if let Some(turn) = self.intake.gather(Work { submission, reply }) {
            // Tasks that are ready run now, and what they submit is gathered.
            tokio::task::yield_now().await;
            drop(turn);
        }
        let outcome = self.outcomes(answer).await?.pop();
        Ok(outcome.expect("there is an outcome for every command"))
    }

    /// Counts commands as in flight, if there is room for so many.
    fn take_up(&self, commands: usize) -> Result<InFlight, Unavailable> {
        let queued = self.in_flight.fetch_add(commands, Ordering::Relaxed);
        let in_flight = InFlight { commands, of: Arc::clone(&self.in_flight) };
        if queued > 0 && queued + commands > self.commands_in_flight_max {
            return Err(Unavailable::QueueFull { queued });
        }
        Ok(in_flight)
    }

    async fn outcomes(&self, answer: oneshot::Receiver<Delivery>) -> Result<Vec<Outcome>, Unavailable> {
        let decided = answer.await.map_or_else(|_| Err(self.unanswered()), Delivery::open)?;
        if decided.iter().all(|d| matches!(d, Decided::Now(_))) {
            let now = |decided| match decided {
                Decided::Now(outcome) => Some(outcome),
                Decided::Before(_) => None,
            };
            return Ok(decided.into_iter().filter_map(now).collect());
        }
        replay::look_up(self.log.clone(), decided).await
    }

    /// How many commands wait for their answer.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// The log that the engine writes.
    #[must_use]
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Waits until the log has failed, or a thread of the engine has panicked; never ends while it works. The process has to end then.
    pub async fn failed(&self) -> LogFailed {
        let mut failed = self.failed.clone();
        match failed.wait_for(Option::is_some).await {
            Ok(reason) => reason.clone().unwrap_or(LogFailed { reason: "unknown".into() }),
            // The writer has ended without a failure: the engine was stopped.
            Err(_) => std::future::pending().await,
        }
    }

    /// Why an answer never came: the sequencer has stopped before the command was taken up, or has failed.
    fn unanswered(&self) -> Unavailable {
        match self.log.failure() {
            Some(failed) => Unavailable::Unknown { reason: failed.reason.to_string() },
            None => Unavailable::Stopping,
        }
    }
}
