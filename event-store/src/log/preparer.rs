//! The thread that makes the next segment ahead of need, so that an append never waits for blocks to be allocated
//! and a full disk is met here and not in the middle of a write.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::segment::{Segment, SegmentHeader, SegmentNotMade, make_segment};
use super::{LogId, Options};

/// Tries of a segment that cannot be made come at most so many times the first delay apart.
const RETRY_FACTOR_MAX: u32 = 10;

/// What the thread needs to know to make segments.
#[derive(Debug, Clone)]
pub(crate) struct Blueprint {
    pub(crate) options: Options,
    pub(crate) folder: PathBuf,
    pub(crate) log_id: LogId,
}

impl Blueprint {
    pub(crate) fn make(&self, number: u32, stop: &AtomicBool) -> Result<Segment, SegmentNotMade> {
        let header = SegmentHeader {
            number,
            log_id: self.log_id,
            stamp: (self.options.random)(),
            segment_bytes: self.options.segment_bytes,
            created_at_us: (self.options.clock)(),
        };
        make_segment(self.options.disk.as_ref(), &self.folder, &header, stop)
    }
}

/// Why no next segment can be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NotReady {
    /// The disk has no room; it is tried again by itself.
    DiskFull(String),
    /// It could not be made for another reason; it is tried again by itself.
    Stalled(String),
    /// It was not made within the time allowed.
    TimedOut(Duration),
}

#[derive(Debug)]
enum State {
    Wanted(u32),
    Ready(Segment),
    Stalled { number: u32, reason: NotReady },
    Stopped,
}

/// The state is under a mutex because two threads hand it over and wait for it: the appender takes a segment, the
/// thread brings one.
#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    stop: AtomicBool,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // A panic while holding the lock cannot leave half a state: every change is one assignment.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A view on the preparer for health and metrics.
#[derive(Debug, Clone)]
pub(crate) struct PreparerWatch(Arc<Shared>);

impl PreparerWatch {
    /// Bytes of the segment that stands ready; 0 when none does.
    pub(crate) fn ready_bytes(&self) -> u64 {
        match &*self.0.state() {
            State::Ready(segment) => segment.bytes,
            _ => 0,
        }
    }

    /// Why the next segment cannot be made, where that is so.
    pub(crate) fn stalled(&self) -> Option<NotReady> {
        match &*self.0.state() {
            State::Stalled { reason, .. } => Some(reason.clone()),
            _ => None,
        }
    }
}

/// The appender's side.
#[derive(Debug)]
pub(crate) struct Preparer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    wait_max: Duration,
}

impl Preparer {
    /// Starts the thread. `ready` is a segment that an earlier run left behind; else number `next` is made.
    pub(crate) fn start(blueprint: Blueprint, ready: Option<Segment>, next: u32) -> io::Result<Self> {
        let state = ready.map_or(State::Wanted(next), State::Ready);
        let shared =
            Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new(), stop: AtomicBool::new(false) });
        let wait_max = blueprint.options.segment_wait_max;
        let for_thread = Arc::clone(&shared);
        let thread =
            std::thread::Builder::new().name("log-preparer".into()).spawn(move || work(&for_thread, &blueprint))?;
        Ok(Self { shared, thread: Some(thread), wait_max })
    }

    pub(crate) fn watch(&self) -> PreparerWatch {
        PreparerWatch(Arc::clone(&self.shared))
    }

    /// The next segment; waits for it while it is being made.
    pub(crate) fn take(&self) -> Result<Segment, NotReady> {
        let deadline = Instant::now() + self.wait_max;
        let mut state = self.shared.state();
        loop {
            match &*state {
                State::Ready(segment) => {
                    let segment = segment.clone();
                    *state = State::Wanted(segment.number + 1);
                    self.shared.changed.notify_all();
                    return Ok(segment);
                }
                State::Stalled { reason, .. } => return Err(reason.clone()),
                State::Wanted(_) | State::Stopped => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return Err(NotReady::TimedOut(self.wait_max));
                    }
                    let waited = self.shared.changed.wait_timeout(state, left);
                    state = waited.unwrap_or_else(PoisonError::into_inner).0;
                }
            }
        }
    }
}

impl Drop for Preparer {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        *self.shared.state() = State::Stopped;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            // A panic there has been printed; there is nothing to save from it.
            let _ = thread.join();
        }
    }
}

fn work(shared: &Shared, blueprint: &Blueprint) {
    let retry = blueprint.options.disk_full_retry;
    let mut failures = 0;
    let mut state = shared.state();
    loop {
        let number = match &*state {
            State::Wanted(number) => *number,
            State::Stalled { number, .. } => {
                let number = *number;
                let waited = shared
                    .changed
                    .wait_timeout_while(state, retry * failures, |state| !matches!(state, State::Stopped));
                state = waited.unwrap_or_else(PoisonError::into_inner).0;
                if matches!(*state, State::Stopped) {
                    return;
                }
                number
            }
            State::Ready(_) => {
                state = shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            State::Stopped => return,
        };
        drop(state);
        let made = blueprint.make(number, &shared.stop);
        state = shared.state();
        if matches!(*state, State::Stopped) {
            return;
        }
        *state = match made {
            Ok(segment) => {
                failures = 0;
                State::Ready(segment)
            }
            Err(error) => {
                // A try takes what room there is for a moment, from others too: less often while it is of no use.
                failures = (failures + 1).min(RETRY_FACTOR_MAX);
                let reason = match &error {
                    SegmentNotMade::Io(error) if is_full(error) => NotReady::DiskFull(error.to_string()),
                    _ => NotReady::Stalled(error.to_string()),
                };
                tracing::warn!(segment = number, %error, "the next segment of the log could not be made; trying again");
                State::Stalled { number, reason }
            }
        };
        shared.changed.notify_all();
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
