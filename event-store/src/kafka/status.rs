//! What the relay says of itself, for health checks and metrics.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use domain::ids::Position;

/// How the relay is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RelayState {
    /// It looks for the topic and for where to go on.
    Starting,
    /// It sends, or has nothing to send.
    Running,
    /// It waits for something that may come back by itself, and tries again.
    Waiting {
        /// What is in the way.
        reason: String,
    },
    /// It has stopped until somebody has looked; a restart tries anew.
    Stopped {
        /// Why.
        reason: String,
    },
}

/// How the relay is and how far it has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayStatus {
    /// How it is.
    pub state: RelayState,
    /// Every event at or before this position is in the topic, acknowledged by all its replicas.
    pub position: Position,
    /// Events that were acknowledged since the start.
    pub events_total: u64,
    /// Watermarks that were acknowledged since the start.
    pub watermarks_total: u64,
    /// How often the relay began anew since the start, because brokers or the producer failed.
    pub retries_total: u64,
}

/// Shared between the relay's thread and whoever asks.
#[derive(Debug)]
pub(crate) struct Shared {
    /// Under a mutex because it is a text; taken when it changes and when somebody asks.
    state: Mutex<RelayState>,
    position: AtomicU64,
    pub(crate) events_total: AtomicU64,
    pub(crate) watermarks_total: AtomicU64,
    pub(crate) retries_total: AtomicU64,
}

impl Shared {
    pub(crate) fn new() -> Self {
        Self {
            state: Mutex::new(RelayState::Starting),
            position: AtomicU64::new(0),
            events_total: AtomicU64::new(0),
            watermarks_total: AtomicU64::new(0),
            retries_total: AtomicU64::new(0),
        }
    }

    /// Notes how the relay is, and answers whether that is new.
    pub(crate) fn state(&self, state: RelayState) -> bool {
        let mut held = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = *held != state;
        *held = state;
        is_new
    }

    /// Everything through `position` is in the topic.
    pub(crate) fn position(&self, position: Position) {
        self.position.fetch_max(position.0, Ordering::Relaxed);
    }

    /// How many records were acknowledged.
    pub(crate) fn acknowledged_total(&self) -> u64 {
        self.events_total.load(Ordering::Relaxed) + self.watermarks_total.load(Ordering::Relaxed)
    }

    pub(crate) fn status(&self) -> RelayStatus {
        RelayStatus {
            state: self.state.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            position: Position(self.position.load(Ordering::Relaxed)),
            events_total: self.events_total.load(Ordering::Relaxed),
            watermarks_total: self.watermarks_total.load(Ordering::Relaxed),
            retries_total: self.retries_total.load(Ordering::Relaxed),
        }
    }
}
