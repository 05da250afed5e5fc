//! Progress of long work, on standard error; quiet when nobody looks.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How many steps pass between two looks at the clock.
const STEPS: u64 = 4096;

/// A count of events that goes on; nothing is drawn unless standard error is a terminal.
pub(crate) struct Counter {
    bar: ProgressBar,
    events: u64,
}

impl Counter {
    /// Starts counting.
    pub(crate) fn start(doing: &'static str) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        let style = ProgressStyle::with_template("{spinner} {msg}: {human_pos} events, {per_sec}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
        bar.set_message(doing);
        Self { bar, events: 0 }
    }

    /// Counts one event.
    pub(crate) fn step(&mut self) {
        self.events += 1;
        if self.events.is_multiple_of(STEPS) {
            self.bar.set_position(self.events);
        }
    }
}

impl Drop for Counter {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// A bar over segments; nothing is drawn unless standard error is a terminal.
pub(crate) fn segments(doing: &'static str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template("{msg} segments {bar:40} {pos}/{len} ({eta} left)");
    bar.with_message(doing).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
