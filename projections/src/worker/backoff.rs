//! How long to wait before something that failed is tried again.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(50);

/// Doubles with every failure in a row, up to a bound.
#[derive(Debug)]
pub(super) struct Backoff {
    failures: u32,
    wait_max: Duration,
}

impl Backoff {
    pub(super) const fn new(wait_max: Duration) -> Self {
        Self { failures: 0, wait_max }
    }

    /// How long to wait after one more failure.
    pub(super) fn next(&mut self) -> Duration {
        let wait = FIRST.saturating_mul(1 << self.failures.min(16));
        self.failures = self.failures.saturating_add(1);
        wait.min(self.wait_max)
    }

    /// Something went well.
    pub(super) const fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_bound_and_begin_anew_after_a_success() {
        let mut backoff = Backoff::new(Duration::from_millis(300));
        let waits: Vec<_> = (0..5).map(|_| backoff.next().as_millis()).collect();
        assert_eq!(waits, [50, 100, 200, 300, 300]);
        backoff.reset();
        assert_eq!(backoff.next().as_millis(), 50);
        backoff.failures = u32::MAX;
        assert_eq!(backoff.next().as_millis(), 300);
    }
}
