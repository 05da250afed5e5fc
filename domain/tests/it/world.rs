//! All states in memory, with every event that made them: what the engine keeps, without the engine.

#[path = "kept.rs"]
mod kept;

use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};

use chrono::{DateTime, TimeZone, Utc};
use domain::aggregate::Context;
use domain::cascade::{Draft, Drafted};
use domain::command::Command;
use domain::event::Event;
use domain::ids::{StreamId, Version};
use domain::rejection::Rejection;

use self::kept::Kept;

#[derive(Debug, Default, Clone, PartialEq)]
pub(crate) struct World {
    pub(crate) kept: Kept,
    /// The events of every stream; the place in the vector is the version.
    pub(crate) streams: BTreeMap<StreamId, Vec<Event>>,
    /// All events in the order in which they happened.
    pub(crate) log: Vec<Event>,
}

/// A command with what comes along with it.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) command: Command,
    pub(crate) expected_version: Option<Version>,
    pub(crate) effective_at: Option<DateTime<Utc>>,
}

impl From<Command> for Request {
    fn from(command: Command) -> Self {
        Self { command, expected_version: None, effective_at: None }
    }
}

impl Request {
    pub(crate) fn at_version(self, version: u64) -> Self {
        Self { expected_version: Some(Version(version)), ..self }
    }

    pub(crate) fn effective_at(self, at: DateTime<Utc>) -> Self {
        Self { effective_at: Some(at), ..self }
    }
}

/// The time at which everything in these tests happens.
pub(crate) fn now() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 1, 2, 3, 4, 5).unwrap()
}

impl World {
    /// Runs requests as one atomic batch: all of it happens, or nothing does.
    pub(crate) fn run(&mut self, batch: &[Request]) -> Result<Vec<Event>, Rejection> {
        let mut draft = Draft::default();
        let mut happened = Vec::new();
        for Request { command, expected_version, effective_at } in batch {
            let context = Context { recorded_at: now(), effective_at: *effective_at };
            happened.extend(draft.run(&self.kept, command, *expected_version, &context)?);
        }
        self.kept.adopt(draft);
        for Drafted { version, event } in &happened {
            let stream = self.streams.entry(event.stream()).or_default();
            assert_eq!(version.0, stream.len() as u64, "versions of {} have a gap at {event:?}", event.stream());
            stream.push(event.clone());
        }
        let happened: Vec<Event> = happened.into_iter().map(|drafted| drafted.event).collect();
        self.log.extend(happened.iter().cloned());
        Ok(happened)
    }

    /// Runs a single command.
    pub(crate) fn ask(&mut self, request: impl Into<Request>) -> Result<Vec<Event>, Rejection> {
        self.run(&[request.into()])
    }

    /// The version of a stream's last event.
    pub(crate) fn version(&self, stream: &StreamId) -> Option<Version> {
        self.streams.get(stream).map(|events| Version(events.len() as u64 - 1))
    }
}

impl Deref for World {
    type Target = Kept;

    fn deref(&self) -> &Kept {
        &self.kept
    }
}

impl DerefMut for World {
    fn deref_mut(&mut self) -> &mut Kept {
        &mut self.kept
    }
}
