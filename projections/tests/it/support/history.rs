//! A history: commands decided by the rules of the domain, and the events they left behind, as the log would hold them.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use domain::command::Command;
use domain::event::{CommandRejected, Event, Metadata, RecordedEvent};
use domain::ids::{Position, StreamId, Version};
use domain::rejection::Rejection;

use crate::world::{Request, World};

/// Commands and their events. Refused commands leave a refusal behind, as in the log.
#[derive(Default)]
pub(crate) struct History {
    pub(crate) world: World,
    pub(crate) events: Vec<RecordedEvent>,
    versions: BTreeMap<StreamId, u64>,
    commands: u64,
}

/// When the first command is recorded; every further one is recorded 10 seconds later.
pub(crate) fn beginning() -> DateTime<Utc> {
    "2026-01-02T03:04:05.000006Z".parse().unwrap()
}

impl History {
    /// Asks for something that is accepted.
    pub(crate) fn ask(&mut self, command: Command) -> &mut Self {
        let asked = self.try_ask(command.clone(), None);
        asked.unwrap_or_else(|rejection| panic!("{command:?} was refused: {rejection}"));
        self
    }

    /// Asks for something that is accepted, and happened at another time.
    pub(crate) fn ask_at(&mut self, effective_at: &str, command: Command) -> &mut Self {
        let asked = self.try_ask(command.clone(), Some(effective_at.parse().unwrap()));
        asked.unwrap_or_else(|rejection| panic!("{command:?} was refused: {rejection}"));
        self
    }

    /// Asks for something; a refusal is recorded too.
    pub(crate) fn try_ask(&mut self, command: Command, effective_at: Option<DateTime<Utc>>) -> Result<(), Rejection> {
        let recorded_at = beginning() + TimeDelta::seconds(10) * i32::try_from(self.commands).unwrap();
        let metadata = Arc::new(Metadata {
            recorded_at,
            effective_at,
            principal: if self.commands.is_multiple_of(2) { "alice" } else { "bob" }.into(),
            command: "a_command".into(),
            idempotency_key: format!("key-{}", self.commands).into(),
            request_id: format!("request-{}", self.commands).into(),
            correlation_id: "".into(),
        });
        self.commands += 1;
        let stream = command.stream().unwrap_or(StreamId::Rejections);
        let request = Request { effective_at, ..Request::from(command) };
        let (events, answer) = match self.world.ask(request) {
            Ok(events) => (events, Ok(())),
            Err(rejection) => {
                let rejected = CommandRejected { command: "a_command".into(), stream, rejection: rejection.clone() };
                (vec![Event::Rejected(rejected)], Err(rejection))
            }
        };
        for event in events {
            let stream = event.stream();
            let next = self.versions.entry(stream.clone()).or_default();
            let version = Version(*next);
            *next += 1;
            let position = Position(self.events.len() as u64 + 1);
            self.events.push(RecordedEvent { position, stream, version, metadata: Arc::clone(&metadata), event });
        }
        answer
    }
}
