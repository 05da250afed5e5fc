//! How an answer goes back to who waits for it, and what is said when a thread of the engine panics: a mistake in the
//! program must leave neither somebody who waits for ever nor a server that only looks alive.

use event_store::log::writer::LogFailed;
use tokio::sync::{oneshot, watch};

use super::Unavailable;
use super::sequencer::Decided;

type Answer = Result<Vec<Decided>, Unavailable>;

/// Where an answer goes. Dropped unanswered in a panic, it answers that nobody knows.
#[derive(Debug)]
pub(super) struct Reply(Option<oneshot::Sender<Answer>>);

impl Reply {
    /// A place for an answer, and where it arrives. Nothing arrives if the command was not taken up.
    pub(super) fn channel() -> (Self, oneshot::Receiver<Answer>) {
        let (sender, receiver) = oneshot::channel();
        (Self(Some(sender)), receiver)
    }

    pub(super) fn send(mut self, answer: Answer) {
        if let Some(sender) = self.0.take() {
            // Who has gone away needs no answer; what was decided stands.
            let _ = sender.send(answer);
        }
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        if std::thread::panicking()
            && let Some(sender) = self.0.take()
        {
            let _ = sender.send(Err(Unavailable::Unknown { reason: panicked() }));
        }
    }
}

/// Tells whoever watches over the engine that it has failed: when it is told so, and when its thread panics.
#[derive(Debug, Clone)]
pub(super) struct Alarm(watch::Sender<Option<LogFailed>>);

impl Alarm {
    pub(super) fn channel() -> (Self, watch::Receiver<Option<LogFailed>>) {
        let (sender, receiver) = watch::channel(None);
        (Self(sender), receiver)
    }

    pub(super) fn ring(&self, failed: LogFailed) {
        self.0.send_if_modified(|known| {
            let first = known.is_none();
            known.get_or_insert(failed);
            first
        });
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.ring(LogFailed { reason: panicked().into() });
        }
    }
}

fn panicked() -> String {
    format!("the thread {} panicked", std::thread::current().name().unwrap_or("of the engine"))
}
