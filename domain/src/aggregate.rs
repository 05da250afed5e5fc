//! What an aggregate is: a state that only its own events change, and a rule that turns commands into events.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::ids::Version;
use crate::rejection::Rejection;

/// What a command brings along besides its own fields. The rules have no clock: time comes in here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Context {
    /// When the engine took the command up.
    pub recorded_at: DateTime<Utc>,
    /// When it happened in business, where that differs (an import, a correction).
    pub effective_at: Option<DateTime<Utc>>,
}

/// A consistency boundary. `None` as a state means that nothing of that name exists yet.
pub trait Aggregate: Clone + Sized {
    /// What names one of these.
    type Id;
    /// What can be asked of it.
    type Command;
    /// What can have happened to it.
    type Event;
    /// The events of one decision; an array where there is always one, so that nothing is allocated for it.
    type Events: IntoIterator<Item = Self::Event>;

    /// Accepts a command (the events that follow from it, at least one) or refuses it. A total function of its
    /// arguments: the same arguments give the same answer, and nothing else is looked at.
    ///
    /// # Errors
    /// The [`Rejection`] that says why, with the figures.
    fn decide(
        id: &Self::Id,
        state: Option<&Self>,
        command: &Self::Command,
        context: &Context,
    ) -> Result<Self::Events, Rejection>;

    /// Applies an event. It never fails: an event is a fact. One that makes no sense in this state (which `decide`
    /// never lets happen) leaves the state as it is.
    fn evolve(state: &mut Option<Self>, event: &Self::Event);

    /// Puts a copy that took the place of its original in order, so that the next copy is cheap again. Nothing that
    /// can be read changes.
    fn settle(&mut self) {}
}

/// A state and how many events made it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Versioned<A> {
    /// The state; `None` before the first event.
    pub state: Option<A>,
    /// How many events have been applied; the last of them has version `events - 1`.
    pub events: u64,
}

impl<A> Default for Versioned<A> {
    fn default() -> Self {
        Self { state: None, events: 0 }
    }
}

impl<A: Aggregate> Versioned<A> {
    /// Applies the next event and gives its version.
    pub fn evolve(&mut self, event: &A::Event) -> Version {
        A::evolve(&mut self.state, event);
        let version = Version(self.events);
        self.events += 1;
        version
    }

    /// The version of the last event, if there is any.
    #[must_use]
    pub fn version(&self) -> Option<Version> {
        self.events.checked_sub(1).map(Version)
    }
}
