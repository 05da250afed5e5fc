//! The sequencer: the one thread that owns all aggregate state. It decides commands one after another, ahead of the
//! disk, and writes what follows into the log's next group. Nobody is answered from here: answers travel with their
//! group and go out once it is durable, so that nothing is told that a crash could take back.

use std::collections::HashSet;
use std::time::Instant;

use chrono::{DateTime, Utc};
use crossbeam_channel::Receiver;
use domain::aggregate::Context;
use domain::cascade::{Draft, Drafted};
use domain::command::Command;
use domain::event::{CommandRejected, Event};
use domain::ids::{Position, StreamId, Version};
use domain::rejection::Rejection;
use event_store::log::Log;
use event_store::log::appender::{AppendRefused, Appender, Received};
use event_store::log::frame::FramePlace;
use event_store::log::frame_writer::FrameWriter;
use event_store::log::writer::LogFailed;
use event_store::transaction::{EntryHeader, Outcome as Recorded};

use super::checkpoint::{self, Broken, Checkpoints};
use super::counters::Counters;
use super::digest::{ByDigest, Digest};
use super::idempotency::{EntryPlace, Keys, Used};
use super::reply::{Alarm, Reply};
use super::states::Books;
use super::{Accepted, EventPlace, Message, Mode, Outcome, Request, Submission, Unavailable, summary};

/// For how many commands of a batch memory is fetched at once.
const AHEAD: usize = 16;

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
    /// What was asked; it goes back to be freed where it was made, for that costs the sequencer too much.
    pub(super) asked: Submission,
}

/// The owner of all aggregate state.
#[derive(Debug)]
pub(super) struct Sequencer {
    pub(super) appender: Appender<Answer>,
    pub(super) log: Log,
    pub(super) books: Books,
    pub(super) keys: Keys,
    pub(super) checkpoints: Checkpoints,
    /// The time in microseconds since 1970-01-01 UTC.
    pub(super) clock: fn() -> i64,
    /// How far the log goes; its time never goes back, whatever the clock does.
    pub(super) decided: checkpoint::Decided,
    pub(super) counters: Counters,
    pub(super) draft: Draft,
}

impl Sequencer {
    /// Decides until nobody can submit any more, then closes the log.
    pub(super) fn run(mut self, queue: &Receiver<Message>, alarm: &Alarm) -> Result<(), LogFailed> {
        loop {
            let patience = self.checkpoints.patience();
            let worked = match self.appender.receive(queue, Some(Instant::now() + patience)) {
                Received::Command(Message::Work(works)) => self.work(works),
                Received::TimedOut => Ok(()),
                Received::Command(Message::Stop) | Received::Disconnected => return self.close(),
            };
            if let Err(broken) = worked.and_then(|()| self.keep_up(false)) {
                return self.give_up(&broken, queue, alarm);
            }
        }
    }

    /// Decides submissions; their answers go out with the group.
    fn work(&mut self, works: Vec<Work>) -> Result<(), Broken> {
        let mut worked = Ok(());
        for Work { submission, reply } in works {
            if worked.is_ok() {
                match self.decide(&submission) {
                    Ok(decided) => {
                        self.appender.acknowledge(Answer { reply, decided, asked: submission });
                        continue;
                    }
                    Err(broken) => worked = Err(broken),
                }
            }
            // Some of its commands may have been decided.
            let reason = worked.as_ref().err().map(ToString::to_string).unwrap_or_default();
            reply.refuse(Unavailable::Unknown { reason });
        }
        // An idle writer takes what there is; a busy one leaves it to gather.
        self.appender.try_flush();
        worked
    }

    fn decide(&mut self, submission: &Submission) -> Result<Vec<Decided>, Broken> {
        if let Some(why) = self.wait_for_checkpoint()? {
            let not_taken = |_| Decided::Now(Outcome::NotTaken(why.clone()));
            return Ok(submission.requests.iter().map(not_taken).collect());
        }
        match submission.mode {
            Mode::Independent => self.take_each(submission),
            Mode::Atomic => self.take_all(submission),
        }
    }

    /// Waits while so many names wait for a checkpoint that there is no room for more. Says why commands cannot be taken
    /// when the checkpoint cannot be written.
    fn wait_for_checkpoint(&mut self) -> Result<Option<Unavailable>, Broken> {
        // A log that has failed refuses everything by itself.
        while self.log.failure().is_none() && self.checkpoints.overdue(&self.books, &self.keys) {
            if let Some(reason) = self.checkpoints.failure() {
                let detail = format!("the state of the engine cannot be saved: {reason}");
                return Ok(Some(Unavailable::NotReady { detail }));
            }
            self.appender.settle();
            self.keep_up(true)?;
        }
        Ok(None)
    }

    fn keep_up(&mut self, wait: bool) -> Result<(), Broken> {
        self.checkpoints.step(&mut self.books, &mut self.keys, &self.log, self.decided, wait)
    }

    /// Closes the log, and saves all state once everything is durable.
    fn close(mut self) -> Result<(), LogFailed> {
        self.appender.close()?;
        if let Err(broken) = self.checkpoints.finish(&mut self.books, &mut self.keys, &self.log, self.decided) {
            discard(self.books, &broken);
        }
        Ok(())
    }

    /// The derived data cannot be relied on: nothing can be decided any more. It is removed, so that the next start makes
    /// it again from the log.
    fn give_up(self, broken: &Broken, queue: &Receiver<Message>, alarm: &Alarm) -> Result<(), LogFailed> {
        // What was decided stands, and is made durable and answered.
        let closed = self.appender.close();
        discard(self.books, broken);
        let reason = format!(
            "the engine's saved state cannot be relied on: {broken}. It was removed and is made again from the log at \
             the next start"
        );
        let failed = closed.err().unwrap_or(LogFailed { reason: reason.into() });
        alarm.ring(failed.clone());
        // Who comes before the process has ended must not wait for ever.
        while let Ok(Message::Work(works)) = queue.recv() {
            for Work { reply, .. } in works {
                reply.refuse(Unavailable::Unknown { reason: failed.reason.to_string() });
            }
        }
        Err(failed)
    }

    fn take_each(&mut self, submission: &Submission) -> Result<Vec<Decided>, Broken> {
        let now = self.now();
        let mut decided = Vec::with_capacity(submission.requests.len());
        let mut not_taken = None;
        let mut scopes = Vec::with_capacity(AHEAD);
        for (index, request) in submission.requests.iter().enumerate() {
            if index % AHEAD == 0 {
                let next = &submission.requests[index..submission.requests.len().min(index + AHEAD)];
                scopes.clear();
                scopes.extend(next.iter().map(|r| self.keys.scope(&r.principal, &r.key)));
                if next.len() > 1 {
                    self.warm(&scopes, next.iter().map(|r| &r.command));
                }
            }
            // What comes after a command that could not be written may build on it, and is not decided without it.
            if let Some(why) = &not_taken {
                decided.push(Decided::Now(Outcome::NotTaken(Unavailable::clone(why))));
                continue;
            }
            let outcome = self.take(request, scopes[index % AHEAD], now, submission.dry_run)?;
            if let Decided::Now(Outcome::NotTaken(why)) = &outcome {
                not_taken = (!matches!(why, Unavailable::TooLarge { .. })).then(|| why.clone());
            }
            decided.push(outcome);
        }
        Ok(decided)
    }

    /// Has the memory that commands are going to need fetched, all of it at once: one after another, each would be waited
    /// for.
    fn warm<'a>(&mut self, scopes: &[Digest], commands: impl Iterator<Item = &'a Command>) {
        let used = scopes.iter().filter(|scope| self.keys.may_have(&self.books.store, **scope)).count();
        std::hint::black_box(used + self.books.warm(commands));
    }

    fn take(&mut self, request: &Request, scope: Digest, now: DateTime<Utc>, dry_run: bool) -> Result<Decided, Broken> {
        if let Some(used) = self.keys.get(&mut self.books.store, scope)? {
            return Ok(self.used_before(request, used));
        }
        self.books.begin_command();
        let context = Context { recorded_at: now, effective_at: request.effective_at };
        let decision = loop {
            self.draft.clear();
            let decision = self.draft.run(&self.books, &request.command, request.expected_version, &context);
            if !self.fetch_missed()? {
                break decision;
            }
        };
        let drafted = match decision {
            Ok(drafted) => drafted,
            Err(rejection) => return Ok(Decided::Now(self.refuse(request, scope, rejection, now, dry_run))),
        };
        let mut frame = self.appender.begin();
        let accepted = write_entry(&mut frame, request, &drafted, now, &self.draft, &self.books);
        self.draft.recycle(drafted);
        if dry_run {
            return Ok(Decided::Now(without_positions(accepted)));
        }
        match frame.commit() {
            Ok(place) => {
                self.committed(place, now);
                self.books.adopt(&mut self.draft, place)?;
                self.note(request, scope, Recorded::Done, place, 0);
                Ok(Decided::Now(Outcome::Accepted(accepted)))
            }
            Err(refused) => Ok(Decided::Now(self.not_taken(request, &refused))),
        }
    }

    /// All commands of a batch in one frame, or none of them.
    fn take_all(&mut self, submission: &Submission) -> Result<Vec<Decided>, Broken> {
        let requests = &submission.requests;
        let scopes: Vec<_> = requests.iter().map(|r| self.keys.scope(&r.principal, &r.key)).collect();
        if let Some(decided) = self.batch_used_before(requests, &scopes)? {
            return Ok(decided);
        }
        let now = self.now();
        self.books.begin_command();
        let (accepted, place) = loop {
            self.draft.clear();
            let mut frame = self.appender.begin();
            let mut accepted = Vec::with_capacity(requests.len());
            let mut refused = None;
            for (index, request) in requests.iter().enumerate() {
                let context = Context { recorded_at: now, effective_at: request.effective_at };
                match self.draft.run(&self.books, &request.command, request.expected_version, &context) {
                    Ok(drafted) => {
                        accepted.push(write_entry(&mut frame, request, &drafted, now, &self.draft, &self.books));
                        self.draft.recycle(drafted);
                    }
                    Err(rejection) => {
                        refused = Some((index, rejection));
                        break;
                    }
                }
            }
            if self.books.missed_any() {
                // It begins anew; with what all its commands name at once, so that it does not begin anew for each.
                drop(frame);
                requests.iter().for_each(|request| self.books.look_ahead(&request.command));
                self.fetch_missed()?;
                continue;
            }
            if let Some((index, rejection)) = refused {
                drop(frame);
                let outcome = self.refuse(&requests[index], scopes[index], rejection, now, submission.dry_run);
                return Ok(only(index, outcome, requests.len()));
            }
            if submission.dry_run {
                return Ok(accepted.into_iter().map(|a| Decided::Now(without_positions(a))).collect());
            }
            match frame.commit() {
                Ok(place) => break (accepted, place),
                Err(refused) => {
                    let not_taken = |request| Decided::Now(self.not_taken(request, &refused));
                    return Ok(requests.iter().map(not_taken).collect());
                }
            }
        };
        self.committed(place, now);
        self.books.adopt(&mut self.draft, place)?;
        for ((index, request), scope) in (0_u32..).zip(requests).zip(scopes) {
            self.note(request, scope, Recorded::Done, place, index);
        }
        Ok(accepted.into_iter().map(|a| Decided::Now(Outcome::Accepted(a))).collect())
    }

    fn fetch_missed(&mut self) -> Result<bool, Broken> {
        let appender = &mut self.appender;
        Ok(self.books.fetch_missed(&self.log, || appender.settle())?)
    }

    /// Takes down how far the log goes.
    const fn committed(&mut self, place: FramePlace, now: DateTime<Utc>) {
        self.decided = checkpoint::Decided { through: place.last_position, frame: Some(place), recorded_at: now };
    }

    /// What a batch is answered with if any of its keys was used before, in the log or in the batch itself.
    fn batch_used_before(&mut self, requests: &[Request], scopes: &[Digest]) -> Result<Option<Vec<Decided>>, Broken> {
        let mut seen = HashSet::with_capacity_and_hasher(requests.len(), ByDigest::default());
        let mut before = Vec::new();
        for (index, (request, scope)) in requests.iter().zip(scopes.iter().copied()).enumerate() {
            if !seen.insert(scope) {
                return Ok(Some(only(index, Outcome::KeyReused, requests.len())));
            }
            let Some(used) = self.keys.get(&mut self.books.store, scope)? else { continue };
            let decided = self.used_before(request, used);
            if used.refused() || matches!(decided, Decided::Now(_)) {
                return Ok(Some(only_decided(index, decided, requests.len())));
            }
            before.push(decided);
        }
        Ok(if before.is_empty() {
            None
        } else if before.len() == requests.len() {
            Some(before)
        } else {
            Some(requests.iter().map(|_| Decided::Now(Outcome::BatchDiffers)).collect())
        })
    }

    fn used_before(&self, request: &Request, used: Used) -> Decided {
        if used.is_for(request.fingerprint) {
            self.counters.replayed.increment(1);
            Decided::Before(used.place())
        } else {
            Decided::Now(Outcome::KeyReused)
        }
    }

    /// Records a refusal, so that an auditor sees it and a retry gets the same answer.
    fn refuse(
        &mut self,
        request: &Request,
        scope: Digest,
        rejection: Rejection,
        now: DateTime<Utc>,
        dry_run: bool,
    ) -> Outcome {
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
        let position = write_event(&mut frame, &StreamId::Rejections, version, &event);
        frame.end_entry(|_| {});
        match frame.commit() {
            Ok(place) => {
                self.committed(place, now);
                self.books.count_rejection();
                self.note(request, scope, Recorded::Refused, place, 0);
                Outcome::Refused { rejection, position: Some(position), replayed: false }
            }
            Err(refused) => self.not_taken(request, &refused),
        }
    }

    fn note(&mut self, request: &Request, scope: Digest, outcome: Recorded, place: FramePlace, entry_index: u32) {
        match outcome {
            Recorded::Refused => self.counters.refused.increment(1),
            Recorded::Created | Recorded::Done => self.counters.accepted.increment(1),
        }
        let used = Used::new(request.fingerprint, outcome, place, entry_index);
        self.keys.insert(scope, used);
    }

    fn not_taken(&self, request: &Request, refused: &AppendRefused) -> Outcome {
        self.counters.not_taken.increment(1);
        // Only for those who ask for details: on a full disk every command comes here, and a log that told of each would
        // fill what is left. That the log cannot grow, or has failed, is told once by those who watch it.
        tracing::debug!(request_id = &*request.request_id, %refused, "a command could not be written");
        let detail = refused.to_string();
        Outcome::NotTaken(match refused {
            AppendRefused::DiskFull { .. } => Unavailable::DiskFull { detail },
            AppendRefused::NotReady { .. } => Unavailable::NotReady { detail },
            AppendRefused::FrameTooLarge { .. } | AppendRefused::TextTooLong(_) => Unavailable::TooLarge { detail },
            AppendRefused::Failed(_) => Unavailable::Unknown { reason: detail },
        })
    }

    /// Now, in the log's resolution of microseconds, and never before the last command.
    fn now(&mut self) -> DateTime<Utc> {
        let last = self.decided.recorded_at;
        let now = DateTime::from_timestamp_micros((self.clock)()).unwrap_or(last);
        self.decided.recorded_at = last.max(now);
        self.decided.recorded_at
    }
}

fn discard(books: Books, broken: &Broken) {
    tracing::error!(%broken, "the engine's saved state cannot be relied on; it is made again at the next start");
    if let Err(error) = books.store.discard() {
        tracing::error!(%error, "the engine's saved state could not be removed; delete the folder `state` of the log");
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
        let stream = event.stream();
        let position = Some(write_event(frame, &stream, *version, event));
        events.push(EventPlace { event_type: event.event_type(), stream, version: *version, position });
    }
    let mut result = Vec::new();
    frame.end_entry(|buffer| {
        let from = buffer.len();
        summary::write(buffer, &request.command, draft, books);
        result.extend_from_slice(&buffer[from..]);
    });
    let position = events.last().and_then(|e| e.position);
    Accepted { created, result, version: own_version(&events), events, position, replayed: false }
}

fn write_event(frame: &mut FrameWriter<'_, Answer>, stream: &StreamId, version: Version, event: &Event) -> Position {
    frame.event(stream, version, event.event_type(), event.schema_version(), |buffer| match event {
        Event::Account(event) => event.put_json(buffer),
        Event::Product(event) => event.put_json(buffer),
        Event::Order(event) => event.put_json(buffer),
        Event::Payment(event) => event.put_json(buffer),
        Event::Rejected(event) => {
            serde_json::to_writer(buffer, event).expect("an event of plain values is always JSON");
        }
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
