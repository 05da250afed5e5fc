//! What the worker tells about itself.

use std::time::Duration;

use domain::ids::Position;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::checkpoint::{ClaimError, TakenOver};
use crate::partition::Gap;

/// Where the worker is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// The last position that was applied; of several partitions, that of the one that is furthest behind.
    pub position: Position,
    /// What it is doing.
    pub state: State,
    /// Whether it follows all partitions, so that its position is that of the read models.
    pub whole: bool,
    /// How many streams are parked in the partitions that it follows: of them nothing is applied until somebody has
    /// looked.
    pub parked_streams: u64,
}

/// What the worker is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Nothing was reached yet.
    Starting,
    /// Applying events, or waiting for some.
    Running,
    /// Something failed; it will be tried again.
    Waiting {
        /// What failed.
        error: String,
    },
    /// Nothing is applied any more, until somebody has looked.
    Stopped(StopReason),
}

impl State {
    /// The word for it.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Waiting { .. } => "waiting",
            Self::Stopped(_) => "stopped",
        }
    }

    /// What went wrong, where something did.
    #[must_use]
    pub fn error(&self) -> Option<String> {
        match self {
            Self::Starting | Self::Running => None,
            Self::Waiting { error } => Some(error.clone()),
            Self::Stopped(reason) => Some(reason.to_string()),
        }
    }
}

/// Why the worker applies nothing any more.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StopReason {
    /// The feed left events out.
    #[error(transparent)]
    Gap(#[from] Gap),
    /// The read models were filled from another log.
    #[error(
        "the read models were filled from log {filled_from}, this is log {log_id}. Use another schema, or empty this \
         one and fill it again"
    )]
    OtherLog {
        /// The log they were filled from.
        filled_from: String,
        /// The log at hand.
        log_id: String,
    },
    /// The read models were filled from a feed that spreads events over partitions in another way.
    #[error("{0}")]
    OtherFeed(String),
    /// Another worker follows a partition now.
    #[error(transparent)]
    TakenOver(#[from] TakenOver),
    /// The read models have seen more than the log has, or the feed cannot go on by itself.
    #[error("{0}")]
    Unusable(String),
}

impl TryFrom<ClaimError> for StopReason {
    type Error = ClaimError;

    /// Gives what can heal back.
    fn try_from(error: ClaimError) -> Result<Self, ClaimError> {
        match error {
            ClaimError::OtherLog { filled_from, log_id } => Ok(Self::OtherLog { filled_from, log_id }),
            error @ ClaimError::OtherFeed { .. } => Ok(Self::OtherFeed(error.to_string())),
            error @ ClaimError::Database { .. } => Err(error),
        }
    }
}

/// Looks at a worker. Cloning is cheap.
#[derive(Debug, Clone)]
pub struct Monitor {
    status: watch::Receiver<Status>,
    head: watch::Receiver<Position>,
}

impl Monitor {
    /// Where the worker is.
    #[must_use]
    pub fn status(&self) -> Status {
        self.status.borrow().clone()
    }

    /// Where the log is.
    #[must_use]
    pub fn head(&self) -> Position {
        *self.head.borrow()
    }

    /// How many events the read models are behind the log.
    #[must_use]
    pub fn lag_events(&self) -> u64 {
        self.head().0.saturating_sub(self.status.borrow().position.0)
    }

    /// Waits until the worker's state or position fits, or `wait_max` has passed, and says which.
    pub async fn wait_until(&mut self, wait_max: Duration, fits: impl FnMut(&Status) -> bool) -> bool {
        self.wait_until_deadline(Instant::now() + wait_max, fits).await
    }

    /// [`Monitor::wait_until`] with a moment instead of a duration.
    pub async fn wait_until_deadline(&mut self, deadline: Instant, fits: impl FnMut(&Status) -> bool) -> bool {
        let waited = tokio::time::timeout_at(deadline, self.status.wait_for(fits)).await;
        waited.is_ok_and(|found| found.is_ok())
    }
}

/// Tells about the worker.
#[derive(Debug)]
pub(super) struct Reporter {
    status: watch::Sender<Status>,
    head: watch::Receiver<Position>,
}

impl Reporter {
    pub(super) fn new(head: watch::Receiver<Position>) -> (Self, Monitor) {
        let (status, seen) = watch::channel(Status {
            position: Position::START,
            state: State::Starting,
            whole: true,
            parked_streams: 0,
        });
        (Self { status, head: head.clone() }, Monitor { status: seen, head })
    }

    pub(super) fn head(&self) -> Position {
        *self.head.borrow()
    }

    pub(super) fn position(&self, position: Position) {
        self.status.send_modify(|status| status.position = position);
        crate::metrics::at(position, self.head());
    }

    /// What was claimed.
    pub(super) fn claimed(&self, position: Position, whole: bool) {
        self.status.send_modify(|status| (status.position, status.whole) = (position, whole));
        crate::metrics::at(position, self.head());
    }

    /// How many streams are parked.
    pub(super) fn parked(&self, streams: u64) {
        self.status.send_if_modified(|status| std::mem::replace(&mut status.parked_streams, streams) != streams);
        crate::metrics::parked(streams);
    }

    pub(super) fn state(&self, state: State) {
        self.status.send_if_modified(|status| {
            let changed = status.state != state;
            status.state = state;
            changed
        });
        crate::metrics::at(self.status.borrow().position, self.head());
    }
}
