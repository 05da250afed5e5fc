//! The sequencer: the one thread that owns all aggregate state. It decides commands one after another, ahead of the
//! disk, and writes what follows into the log's next group. Nobody is answered from here: answers travel with their
//! group and go out once it is durable, so that nothing is told that a crash could take back.

use chrono::{DateTime, Utc};
use crossbeam_channel::Receiver;
use domain::aggregate::Context;
use domain::cascade::{Draft, Drafted};
use domain::command::Command;
use domain::event::{CommandRejected, Event};
use domain::ids::{Position, StreamId, Version};
use domain::rejection::Rejection;
use event_store::log::appender::{AppendRefused, Appender, Received};
use event_store::log::frame::FramePlace;
use event_store::log::frame_writer::FrameWriter;
use event_store::log::writer::LogFailed;
use event_store::transaction::{EntryHeader, Outcome as Recorded};

use super::counters::Counters;
use super::idempotency::{EntryPlace, Keys, Used};
use super::reply::Reply;
use super::states::Books;
use super::{Accepted, EventPlace, Message, Mode, Outcome, Request, Submission, Unavailable, summary};

/// What became of a command, as far as the sequencer knows.
#[derive(Debug)]
pub(super) enum Decided {
    /// Decided now.
    Now(Outcome),
    /// Decided before under the same key; the result stands in the log.
    Before(EntryPlace),
}

/// A submission in the queue.
#[derive(Debug)]
pub(super) struct Work {
    pub(super) submission: Submission,
    pub(super) reply: Reply,
}

/// An answer that waits for its group to be durable.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) reply: Reply,
    pub(super) decided: Vec<Decided>,
}

/// The owner of all aggregate state.
#[derive(Debug)]
pub(super) struct Sequencer {
    pub(super) appender: Appender<Answer>,
    pub(super) books: Books,
    pub(super) keys: Keys,
    /// The time in microseconds since 1970-01-01 UTC.
    pub(super) clock: fn() -> i64,
    /// The time of the last command; time in the log never goes back, whatever the clock does.
    pub(super) last_recorded_at: DateTime<Utc>,
    pub(super) counters: Counters,
    pub(super) draft: Draft,
}

impl Sequencer {
    /// Decides until nobody can submit any more, then closes the log.
    pub(super) fn run(mut self, queue: &Receiver<Message>) -> Result<(), LogFailed> {
        while let Received::Command(Message::Work(works)) = self.appender.receive(queue, None) {
            for Work { submission, reply } in works {
                let decided = match submission.mode {
                    Mode::Independent => self.take_each(&submission),
                    Mode::Atomic => self.take_all(&submission),
                };
                self.appender.acknowledge(Answer { reply, decided });
            }
            // An idle writer takes what there is; a busy one leaves it to gather.
            self.appender.try_flush();
        }
        self.appender.close()
    }

    fn take_each(&mut self, submission: &Submission) -> Vec<Decided> {
        let now = self.now();
        let mut decided = Vec::with_capacity(submission.requests.len());
        let mut not_taken = None;
        for request in &submission.requests {
            // What comes after a command that could not be written may build on it, and is not decided without it.
            if let Some(why) = &not_taken {
                decided.push(Decided::Now(Outcome::NotTaken(Unavailable::clone(why))));
                continue;
            }
            let outcome = self.take(request, now, submission.dry_run);
            if let Decided::Now(Outcome::NotTaken(why)) = &outcome {
                not_taken = (!matches!(why, Unavailable::TooLarge { .. })).then(|| why.clone());
            }
            decided.push(outcome);
        }
        decided
    }

    fn take(&mut self, request: &Request, now: DateTime<Utc>, dry_run: bool) -> Decided {
        if let Some(used) = self.keys.get(&request.principal, &request.key) {
            return self.used_before(request, *used);
        }
        self.draft.clear();
        let context = Context { recorded_at: now, effective_at: request.effective_at };
        let decision = self.draft.run(&self.books, &request.command, request.expected_version, &context);
        let drafted = match decision {
            Ok(drafted) => drafted,
            Err(rejection) => return Decided::Now(self.refuse(request, rejection, now, dry_run)),
        };
        let mut frame = self.appender.begin();
        let accepted = write_entry(&mut frame, request, &drafted, now, &self.draft, &self.books);
        if dry_run {
            return Decided::Now(without_positions(accepted));
        }
        match frame.commit() {
            Ok(place) => {
                self.books.adopt(&mut self.draft);
                self.note(request, Recorded::Done, place, 0);
                Decided::Now(Outcome::Accepted(accepted))
            }
            Err(refused) => Decided::Now(self.not_taken(request, &refused)),
        }
    }

    /// All commands of a batch in one frame, or none of them.
    fn take_all(&mut self, submission: &Submission) -> Vec<Decided> {
        let requests = &submission.requests;
        if let Some(decided) = self.batch_used_before(requests) {
            return decided;
        }
        let now = self.now();
        self.draft.clear();
        let mut accepted = Vec::with_capacity(requests.len());
        let mut frame = self.appender.begin();
        let mut refused = None;
        for (index, request) in requests.iter().enumerate() {
            let context = Context { recorded_at: now, effective_at: request.effective_at };
            match self.draft.run(&self.books, &request.command, request.expected_version, &context) {
                Ok(drafted) => {
                    accepted.push(write_entry(&mut frame, request, &drafted, now, &self.draft, &self.books));
                }
                Err(rejection) => {
                    refused = Some((index, rejection));
                    break;
                }
            }
        }
        if let Some((index, rejection)) = refused {
            drop(frame);
            let outcome = self.refuse(&requests[index], rejection, now, submission.dry_run);
            return only(index, outcome, requests.len());
        }
        if submission.dry_run {
            return accepted.into_iter().map(|a| Decided::Now(without_positions(a))).collect();
        }
        match frame.commit() {
            Ok(place) => {
                self.books.adopt(&mut self.draft);
                for (index, request) in (0_u32..).zip(requests) {
                    self.note(request, Recorded::Done, place, index);
                }
                accepted.into_iter().map(|a| Decided::Now(Outcome::Accepted(a))).collect()
            }
            Err(refused) => {
                let not_taken = |request| Decided::Now(self.not_taken(request, &refused));
                requests.iter().map(not_taken).collect()
            }
        }
    }

    /// What a batch is answered with if any of its keys was used before, in the log or in the batch itself.
    fn batch_used_before(&self, requests: &[Request]) -> Option<Vec<Decided>> {
        let mut seen = std::collections::HashSet::with_capacity(requests.len());
        let mut before = Vec::new();
        for (index, request) in requests.iter().enumerate() {
            if !seen.insert((&*request.principal, &*request.key)) {
                return Some(only(index, Outcome::KeyReused, requests.len()));
            }
            let Some(used) = self.keys.get(&request.principal, &request.key) else { continue };
            let decided = self.used_before(request, *used);
            if used.refused || matches!(decided, Decided::Now(_)) {
                return Some(only_decided(index, decided, requests.len()));
            }
            before.push(decided);
        }
        if before.is_empty() {
            None
        } else if before.len() == requests.len() {
            Some(before)
        } else {
            Some(requests.iter().map(|_| Decided::Now(Outcome::BatchDiffers)).collect())
        }
    }

    fn used_before(&self, request: &Request, used: Used) -> Decided {
        if used.fingerprint == request.fingerprint {
            self.counters.replayed.increment(1);
            Decided::Before(used.place)
        } else {
            Decided::Now(Outcome::KeyReused)
        }
    }

    /// Records a refusal, so that an auditor sees it and a retry gets the same answer.
    fn refuse(&mut self, request: &Request, rejection: Rejection, now: DateTime<Utc>, dry_run: bool) -> Outcome {
        self.draft.clear();
        if dry_run {
            return Outcome::Refused { rejection, position: None, replayed: false };
        }
        let version = self.books.next_rejection();
        let command = request.command_type.to_owned();
        let stream = meant_for(&request.command);
        let event = Event::Rejected(CommandRejected { command, stream, rejection: rejection.clone() });
        let mut frame = self.appender.begin();
        frame.begin_entry(header(request, now, Recorded::Refused));
        let position = write_event(&mut frame, version, &event);
        frame.end_entry(|_| {});
        match frame.commit() {
            Ok(place) => {
                self.books.count_rejection();
                self.note(request, Recorded::Refused, place, 0);
                Outcome::Refused { rejection, position: Some(position), replayed: false }
            }
            Err(refused) => self.not_taken(request, &refused),
        }
    }

    fn note(&mut self, request: &Request, outcome: Recorded, place: FramePlace, entry_index: u32) {
        match outcome {
            Recorded::Refused => self.counters.refused.increment(1),
            Recorded::Created | Recorded::Done => self.counters.accepted.increment(1),
        }
        let used = Used::new(request.fingerprint, outcome, place, entry_index);
        self.keys.insert(&request.principal, &request.key, used);
    }

    fn not_taken(&self, request: &Request, refused: &AppendRefused) -> Outcome {
        self.counters.not_taken.increment(1);
        // Only for those who ask for details: on a full disk every command comes here, and a log that told of each would
        // fill what is left. That the log cannot grow, or has failed, is told once by those who watch it.
        tracing::debug!(request_id = &*request.request_id, %refused, "a command could not be written");
        let detail = refused.to_string();
        Outcome::NotTaken(match refused {
            AppendRefused::DiskFull { .. } | AppendRefused::NotReady { .. } => Unavailable::DiskFull { detail },
            AppendRefused::FrameTooLarge { .. } | AppendRefused::TextTooLong(_) => Unavailable::TooLarge { detail },
            AppendRefused::Failed(_) => Unavailable::Unknown { reason: detail },
        })
    }

    /// Now, in the log's resolution of microseconds, and never before the last command.
    fn now(&mut self) -> DateTime<Utc> {
        let now = DateTime::from_timestamp_micros((self.clock)()).unwrap_or(self.last_recorded_at);
        self.last_recorded_at = self.last_recorded_at.max(now);
        self.last_recorded_at
    }
}

/// One command's outcome, and for the others of its atomic batch that they were not decided.
fn only_decided(index: usize, decided: Decided, commands: usize) -> Vec<Decided> {
    let mut all: Vec<_> = (0..commands).map(|_| Decided::Now(Outcome::NotDecided { refused_index: index })).collect();
    all[index] = decided;
    all
}

fn only(index: usize, outcome: Outcome, commands: usize) -> Vec<Decided> {
    only_decided(index, Decided::Now(outcome), commands)
}

fn meant_for(command: &Command) -> StreamId {
    // A reversal that names no known transfer is meant for no account in particular.
    command.stream().unwrap_or(StreamId::Rejections)
}

fn header<'a>(request: &'a Request, now: DateTime<Utc>, outcome: Recorded) -> EntryHeader<'a> {
    EntryHeader {
        recorded_at_us: now.timestamp_micros(),
        effective_at_us: request.effective_at.map(|at| at.timestamp_micros()),
        principal: &request.principal,
        idempotency_key: &request.key,
        fingerprint: request.fingerprint,
        request_id: &request.request_id,
        correlation_id: &request.correlation_id,
        command: request.command_type,
        outcome,
    }
}

/// Writes what an accepted command leaves behind, and gives its answer.
fn write_entry(
    frame: &mut FrameWriter<'_, Answer>,
    request: &Request,
    drafted: &[Drafted],
    now: DateTime<Utc>,
    draft: &Draft,
    books: &Books,
) -> Accepted {
    let created = creates(&request.command);
    frame.begin_entry(header(request, now, if created { Recorded::Created } else { Recorded::Done }));
    let mut events = Vec::with_capacity(drafted.len());
    for Drafted { version, event } in drafted {
        let position = Some(write_event(frame, *version, event));
        events.push(EventPlace { event_type: event.event_type(), stream: event.stream(), version: *version, position });
    }
    let mut result = String::new();
    frame.end_entry(|buffer| {
        let from = buffer.len();
        summary::write(buffer, &request.command, draft, books);
        result = String::from_utf8_lossy(&buffer[from..]).into_owned();
    });
    let position = events.last().and_then(|e| e.position);
    Accepted { created, result, version: own_version(&events), events, position, replayed: false }
}

fn write_event(frame: &mut FrameWriter<'_, Answer>, version: Version, event: &Event) -> Position {
    frame.event(&event.stream(), version, event.event_type(), event.schema_version(), |buffer| {
        serde_json::to_writer(buffer, event).expect("an event of plain values is always JSON");
    })
}

/// The version at which the first event's stream now is: the command's own stream is the first to change.
pub(super) fn own_version(events: &[EventPlace]) -> Version {
    let Some(first) = events.first() else { return Version(0) };
    events.iter().rev().find(|e| e.stream == first.stream).map_or(first.version, |e| e.version)
}

fn without_positions(mut accepted: Accepted) -> Outcome {
    accepted.position = None;
    for event in &mut accepted.events {
        event.position = None;
    }
    Outcome::Accepted(accepted)
}

/// Whether a command brings something with a name of its own into being.
fn creates(command: &Command) -> bool {
    use domain::account::AccountCommand as A;
    use domain::order::OrderCommand as O;
    use domain::payment::PaymentCommand as P;
    use domain::product::ProductCommand as D;
    match command {
        Command::Account(_, c) => matches!(c, A::Open { .. } | A::SendTransfer { .. } | A::PlaceHold { .. }),
        Command::Product(_, c) => matches!(c, D::Create { .. }),
        Command::Order(_, c) => matches!(c, O::Start { .. } | O::Ship { .. } | O::RequestReturn { .. }),
        Command::Payment(_, c) => matches!(c, P::Request { .. } | P::Capture { .. } | P::Refund { .. }),
        Command::ReverseTransfer { .. } => false,
    }
}
