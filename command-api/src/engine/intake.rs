//! The way of commands to the sequencer. Single commands are gathered for a moment, because to wake a thread costs about
//! as much as to decide a command: those that are ready in the same turn of the async runtime wake it once.

use super::sequencer::Work;
use super::sync::{Mutex, MutexGuard, PoisonError, Sender, TrySendError};
use super::{Message, Unavailable};

/// How many submissions are gathered at most; with more than these, waking the sequencer is no cost any more.
const GATHERED_MAX: usize = 16;

/// Where submissions are put in; they are decided in this order.
#[derive(Debug)]
pub(super) struct Intake {
    queue: Sender<Message>,
    /// Handed in under the lock, so that nothing overtakes what came before it.
    gathered: Mutex<Vec<Work>>,
}

impl Intake {
    /// The intake of a queue. It is full only when clients have gone away: each message holds a command at least, and
    /// who submits sees to it that no more commands are waited for than the queue has room for; but what nobody waits for
    /// any more stays in the queue.
    pub(super) fn new(queue: Sender<Message>) -> Self {
        Self { queue, gathered: Mutex::default() }
    }

    /// Hands a submission in, behind what is gathered.
    pub(super) fn hand_in(&self, work: Work) {
        let mut gathered = self.gathered();
        gathered.push(work);
        self.hand_over(&mut gathered);
    }

    /// Gathers a submission. Who is the first gets the turn, and has to end it: what is gathered is handed in then.
    pub(super) fn gather(&self, work: Work) -> Option<Turn<'_>> {
        let mut gathered = self.gathered();
        gathered.push(work);
        if gathered.len() >= GATHERED_MAX {
            self.hand_over(&mut gathered);
        }
        (gathered.len() == 1).then(|| Turn(self))
    }

    /// Hands in what is gathered, and then that no more will come. A sequencer that has ended takes nothing and needs
    /// nothing.
    pub(super) fn stop(&self) {
        self.hand_over(&mut self.gathered());
        let _ = self.queue.send(Message::Stop);
    }

    fn gathered(&self) -> MutexGuard<'_, Vec<Work>> {
        // Nothing that is done under the lock leaves the list half changed.
        self.gathered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hand_over(&self, gathered: &mut Vec<Work>) {
        if gathered.is_empty() {
            return;
        }
        let as_many = Vec::with_capacity(gathered.len());
        let works = std::mem::replace(gathered, as_many);
        let (message, why) = match self.queue.try_send(Message::Work(works)) {
            Ok(()) => return,
            Err(TrySendError::Full(message)) => (message, Unavailable::QueueFull { queued: self.queue.len() }),
            Err(TrySendError::Disconnected(message)) => (message, Unavailable::Stopping),
        };
        if let Message::Work(works) = message {
            works.into_iter().for_each(|work| work.reply.refuse(why.clone()));
        }
    }
}

/// The turn of who was the first to gather. It ends when it is dropped.
#[derive(Debug)]
pub(super) struct Turn<'a>(&'a Intake);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.hand_over(&mut self.0.gathered());
    }
}
