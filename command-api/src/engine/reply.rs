//! How an answer goes back to who waits for it, and what is said when a thread of the engine panics: a mistake in the
//! program must leave neither somebody who waits for ever nor a server that only looks alive.

use std::vec::IntoIter;

use event_store::log::writer::LogFailed;
use tokio::sync::{oneshot, watch};

use super::sequencer::{Answer, Decided};
use super::{Submission, Unavailable};

/// What became of a submission.
type Told = Result<Vec<Decided>, Unavailable>;

/// Where an answer goes. Dropped unanswered in a panic, it answers that nobody knows.
#[derive(Debug)]
pub(super) struct Reply {
    waiting: Option<oneshot::Sender<Delivery>>,
    passes_on: bool,
}

/// An answer as it arrives.
#[derive(Debug)]
pub(super) struct Delivery {
    told: Told,
    /// What was asked, to be freed here.
    asked: Option<Submission>,
    others: Others,
}

/// Answers of the same group, to be given out by who receives them: dropping them does.
#[derive(Debug, Default)]
struct Others(IntoIter<Answer>);

impl Delivery {
    /// Gives out what came with it, and takes the answer.
    pub(super) fn open(self) -> Told {
        drop(self.others);
        drop(self.asked);
        self.told
    }
}

impl Drop for Others {
    fn drop(&mut self) {
        give_out(std::mem::take(&mut self.0));
    }
}

/// Gives out the answers of a group that is durable, in order. The first one who passes answers on gets all that come
/// after: to wake one task from outside of the async runtime costs as much as to wake many from within.
pub(super) fn give_out(mut answers: IntoIter<Answer>) {
    while let Some(Answer { reply, decided, asked }) = answers.next() {
        answers = reply.send(decided, asked, answers);
    }
}

impl Reply {
    /// A place for an answer, and where it arrives. Nothing arrives if the command was not taken up. Who `passes_on`
    /// receives at once what arrives, or drops it: others wait for it.
    pub(super) fn channel(passes_on: bool) -> (Self, oneshot::Receiver<Delivery>) {
        let (sender, receiver) = oneshot::channel();
        (Self { waiting: Some(sender), passes_on }, receiver)
    }

    /// Sends the answer, with others if they are passed on there. Gives what is left to be given out.
    fn send(mut self, decided: Vec<Decided>, asked: Submission, others: IntoIter<Answer>) -> IntoIter<Answer> {
        let Some(waiting) = self.waiting.take() else { return others };
        let (with_it, left) =
            if self.passes_on { (others, IntoIter::default()) } else { (IntoIter::default(), others) };
        match waiting.send(Delivery { told: Ok(decided), asked: Some(asked), others: Others(with_it) }) {
            Err(Delivery { mut others, .. }) if self.passes_on => std::mem::take(&mut others.0),
            // Who has gone away needs no answer; what was decided stands.
            Ok(()) | Err(_) => left,
        }
    }

    /// Says why there is no answer.
    pub(super) fn refuse(mut self, why: Unavailable) {
        if let Some(waiting) = self.waiting.take() {
            let _ = waiting.send(Delivery { told: Err(why), asked: None, others: Others::default() });
        }
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        if std::thread::panicking()
            && let Some(waiting) = self.waiting.take()
        {
            let told = Err(Unavailable::Unknown { reason: panicked() });
            let _ = waiting.send(Delivery { told, asked: None, others: Others::default() });
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
