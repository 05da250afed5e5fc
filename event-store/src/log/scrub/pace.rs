//! How fast the scrubber may read, and how it is stopped while it waits.

use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, TryRecvError};

/// Spends bytes at a rate.
#[derive(Debug)]
pub(super) struct Pace {
    bytes_per_second: u64,
    /// When the next byte may be read.
    free_at: Instant,
    /// Its other side goes when the scrubber is to stop.
    stopped: Receiver<()>,
}

impl Pace {
    pub(super) fn new(bytes_per_second: u64, stopped: Receiver<()>) -> Self {
        Self { bytes_per_second, free_at: Instant::now(), stopped }
    }

    /// Notes that bytes were read and waits until more may be; answers false at a stop.
    pub(super) fn spend(&mut self, bytes: u64) -> bool {
        let now = Instant::now();
        let takes =
            Duration::from_nanos((u128::from(bytes) * 1_000_000_000 / u128::from(self.bytes_per_second)) as u64);
        // Time in which nothing was read is not saved up.
        self.free_at = self.free_at.max(now) + takes;
        self.rest(self.free_at - now)
    }

    /// Waits; answers false at a stop.
    pub(super) fn rest(&self, rest: Duration) -> bool {
        if rest.is_zero() {
            return !self.stopped();
        }
        matches!(self.stopped.recv_timeout(rest), Err(RecvTimeoutError::Timeout))
    }

    pub(super) fn stopped(&self) -> bool {
        matches!(self.stopped.try_recv(), Err(TryRecvError::Disconnected))
    }
}
