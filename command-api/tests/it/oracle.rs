//! What the engine must answer and what its log must hold, worked out without it: the rules of the domain on plain
//! maps, one command after another, with keys and positions counted by hand. No thread, no disk, no log.

mod world;

use std::collections::HashMap;
use std::sync::Arc;

use chrono::DateTime;
use command_api::engine::{Accepted, EventPlace, Mode, Outcome, Request, Submission};
use domain::aggregate::Context;
use domain::cascade::{Draft, Drafted};
use domain::event::{CommandRejected, Event};
use domain::ids::{Position, StreamId, Version};
use domain::posting::LedgerAccount;
use domain::rejection::Rejection;

use self::world::Kept;

/// What a command must have left in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Written {
    /// The number of the transaction it is part of, from 0.
    pub(crate) transaction: usize,
    pub(crate) key: String,
    pub(crate) fingerprint: u128,
    pub(crate) refused: bool,
    pub(crate) events: Vec<WrittenEvent>,
}

/// An event in the log, its content as JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WrittenEvent {
    pub(crate) position: Position,
    pub(crate) stream: String,
    pub(crate) version: Version,
    pub(crate) event_type: String,
    pub(crate) json: String,
}

#[derive(Debug, Clone)]
struct Used {
    fingerprint: u128,
    outcome: Outcome,
}

/// The reference that the engine is held against.
#[derive(Debug, Clone, Default)]
pub(crate) struct Oracle {
    world: Kept,
    used: HashMap<(Arc<str>, Arc<str>), Used>,
    pub(crate) written: Vec<Written>,
    transactions: usize,
    last_position: u64,
    rejections: u64,
}

impl Oracle {
    /// The answers to a submission, without what only the engine knows: see [`bare`].
    pub(crate) fn submit(&mut self, submission: &Submission) -> Vec<Outcome> {
        let Submission { requests, mode, dry_run } = submission;
        match mode {
            Mode::Independent => requests.iter().map(|request| self.take(request, *dry_run)).collect(),
            Mode::Atomic => self.take_all(requests, *dry_run),
        }
    }

    /// The answer to one command that stands for itself.
    pub(crate) fn take(&mut self, request: &Request, dry_run: bool) -> Outcome {
        if let Some(answer) = self.used_before(request) {
            return answer;
        }
        let mut draft = Draft::default();
        match self.decide(&mut draft, request) {
            Err(rejection) => self.refuse(request, rejection, dry_run),
            Ok(drafted) if dry_run => answer(&drafted, None),
            Ok(drafted) => {
                self.world.adopt(draft);
                let outcome = self.write(request, &drafted);
                self.transactions += 1;
                outcome
            }
        }
    }

    fn take_all(&mut self, requests: &[Request], dry_run: bool) -> Vec<Outcome> {
        let only = |index: usize, outcome: Outcome| {
            let mut all = vec![Outcome::NotDecided { refused_index: index }; requests.len()];
            all[index] = outcome;
            all
        };
        let mut before = Vec::new();
        for (index, request) in requests.iter().enumerate() {
            if requests[..index].iter().any(|r| (&r.principal, &r.key) == (&request.principal, &request.key)) {
                return only(index, Outcome::KeyReused);
            }
            match self.used_before(request) {
                Some(accepted @ Outcome::Accepted(_)) => before.push(accepted),
                Some(other) => return only(index, other),
                None => {}
            }
        }
        if before.len() == requests.len() {
            return before;
        }
        if !before.is_empty() {
            return vec![Outcome::BatchDiffers; requests.len()];
        }
        let mut draft = Draft::default();
        let mut decided = Vec::new();
        for (index, request) in requests.iter().enumerate() {
            match self.decide(&mut draft, request) {
                Ok(drafted) => decided.push(drafted),
                Err(rejection) => return only(index, self.refuse(request, rejection, dry_run)),
            }
        }
        if dry_run {
            return decided.iter().map(|drafted| answer(drafted, None)).collect();
        }
        self.world.adopt(draft);
        let outcomes = requests.iter().zip(&decided).map(|(request, drafted)| self.write(request, drafted)).collect();
        self.transactions += 1;
        outcomes
    }

    fn decide(&self, draft: &mut Draft, request: &Request) -> Result<Vec<Drafted>, Rejection> {
        let context = Context { recorded_at: DateTime::UNIX_EPOCH, effective_at: request.effective_at };
        draft.run(&self.world, &request.command, request.expected_version, &context)
    }

    /// What a key that was used before is answered with.
    pub(crate) fn used_before(&self, request: &Request) -> Option<Outcome> {
        let used = self.used.get(&(request.principal.clone(), request.key.clone()))?;
        Some(if used.fingerprint == request.fingerprint { again(used.outcome.clone()) } else { Outcome::KeyReused })
    }

    fn refuse(&mut self, request: &Request, rejection: Rejection, dry_run: bool) -> Outcome {
        if dry_run {
            return Outcome::Refused { rejection, position: None, replayed: false };
        }
        let event = Event::Rejected(CommandRejected {
            command: request.command_type.to_owned(),
            stream: request.command.stream().unwrap_or(StreamId::Rejections),
            rejection: rejection.clone(),
        });
        let drafted = Drafted { version: Version(self.rejections), event };
        self.rejections += 1;
        self.put(request, true, &[drafted]);
        self.transactions += 1;
        let position = Some(Position(self.last_position));
        self.note(request, Outcome::Refused { rejection, position, replayed: false })
    }

    fn write(&mut self, request: &Request, drafted: &[Drafted]) -> Outcome {
        let outcome = answer(drafted, Some(self.last_position));
        self.put(request, false, drafted);
        self.note(request, outcome)
    }

    fn note(&mut self, request: &Request, outcome: Outcome) -> Outcome {
        let used = Used { fingerprint: request.fingerprint, outcome: outcome.clone() };
        self.used.insert((request.principal.clone(), request.key.clone()), used);
        outcome
    }

    fn put(&mut self, request: &Request, refused: bool, drafted: &[Drafted]) {
        let events = drafted.iter().map(|Drafted { version, event }| {
            self.last_position += 1;
            WrittenEvent {
                position: Position(self.last_position),
                stream: event.stream().to_string(),
                version: *version,
                event_type: event.event_type().to_owned(),
                json: serde_json::to_string(event).unwrap(),
            }
        });
        let events = events.collect();
        let (key, fingerprint) = (request.key.to_string(), request.fingerprint);
        self.written.push(Written { transaction: self.transactions, key, fingerprint, refused, events });
    }

    /// The position of the last event.
    pub(crate) fn last_position(&self) -> Position {
        Position(self.last_position)
    }

    /// Every balance that is not zero, in minor units: of the accounts, and of the world outside.
    pub(crate) fn balances(&self) -> HashMap<LedgerAccount, i64> {
        world::balances(&self.world)
    }
}

/// An outcome without what the oracle has no part in: the state's summary, and whether something was created. Those
/// are compared between the first answer and the later ones.
pub(crate) fn bare(outcomes: &[Outcome]) -> Vec<Outcome> {
    let bare = |outcome: &Outcome| match outcome {
        Outcome::Accepted(accepted) => {
            Outcome::Accepted(Accepted { created: false, result: Vec::new(), ..accepted.clone() })
        }
        other => other.clone(),
    };
    outcomes.iter().map(bare).collect()
}

/// The answer to the same command under the same key.
pub(crate) fn again(outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::Accepted(accepted) => Outcome::Accepted(Accepted { replayed: true, ..accepted }),
        Outcome::Refused { rejection, position, .. } => Outcome::Refused { rejection, position, replayed: true },
        other => other,
    }
}

fn answer(drafted: &[Drafted], after: Option<u64>) -> Outcome {
    let events: Vec<_> = (1..)
        .zip(drafted)
        .map(|(number, Drafted { version, event })| EventPlace {
            event_type: event.event_type(),
            stream: event.stream(),
            version: *version,
            position: after.map(|after| Position(after + number)),
        })
        .collect();
    let own = events.iter().filter(|event| event.stream == events[0].stream);
    let (version, position) = (own.map(|event| event.version).max().unwrap(), events[events.len() - 1].position);
    Outcome::Accepted(Accepted { created: false, result: Vec::new(), events, version, position, replayed: false })
}
