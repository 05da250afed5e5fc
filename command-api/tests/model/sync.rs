//! Locks and channels whose every step is the scheduler's to decide, under the names that the program's own have in
//! `engine/sync.rs` and `log/sync.rs`. The channel does what crossbeam's bounded one does: a sender waits while it is
//! full, what is queued is dropped with the last receiver, and who waits learns that the other side is gone.

use std::collections::VecDeque;
use std::sync::Arc;

pub(crate) use std::sync::PoisonError;

pub(crate) use crossbeam_channel::{RecvError, SendError, TryRecvError, TrySendError};
use shuttle::sync::Condvar;
pub(crate) use shuttle::sync::{Mutex, MutexGuard};

#[derive(Debug)]
struct State<T> {
    queue: VecDeque<T>,
    capacity: usize,
    sender_is_gone: bool,
    receiver_is_gone: bool,
    /// Rung when something can be received, for who selects.
    bells: Vec<Arc<Bell>>,
}

#[derive(Debug, Default)]
struct Bell {
    rung: Mutex<bool>,
    ringing: Condvar,
}

impl Bell {
    fn ring(&self) {
        *self.rung.lock().unwrap() = true;
        self.ringing.notify_all();
    }

    fn wait(&self) {
        let rung = self.rung.lock().unwrap();
        drop(self.ringing.wait_while(rung, |rung| !std::mem::take(rung)).unwrap());
    }
}

#[derive(Debug)]
struct Channel<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
}

impl<T> Channel<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap()
    }

    /// To be called after every change, with nothing locked.
    fn tell(&self) {
        self.changed.notify_all();
        let bells = std::mem::take(&mut self.lock().bells);
        bells.iter().for_each(|bell| bell.ring());
    }
}

pub(crate) fn bounded<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    let (queue, bells) = (VecDeque::new(), Vec::new());
    let state = Mutex::new(State { queue, capacity, sender_is_gone: false, receiver_is_gone: false, bells });
    let channel = Arc::new(Channel { state, changed: Condvar::new() });
    (Sender(Arc::clone(&channel)), Receiver(channel))
}

#[derive(Debug)]
pub(crate) struct Sender<T>(Arc<Channel<T>>);

impl<T> Sender<T> {
    pub(crate) fn send(&self, value: T) -> Result<(), SendError<T>> {
        let state = self.0.lock();
        let is_full = |state: &mut State<T>| state.queue.len() >= state.capacity && !state.receiver_is_gone;
        let mut state = self.0.changed.wait_while(state, is_full).unwrap();
        if state.receiver_is_gone {
            return Err(SendError(value));
        }
        state.queue.push_back(value);
        drop(state);
        self.0.tell();
        Ok(())
    }

    pub(crate) fn try_send(&self, value: T) -> Result<(), TrySendError<T>> {
        let mut state = self.0.lock();
        if state.receiver_is_gone {
            return Err(TrySendError::Disconnected(value));
        }
        if state.queue.len() >= state.capacity {
            return Err(TrySendError::Full(value));
        }
        state.queue.push_back(value);
        drop(state);
        self.0.tell();
        Ok(())
    }

    pub(crate) fn len(&self) -> usize {
        self.0.lock().queue.len()
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.0.lock().sender_is_gone = true;
            self.0.tell();
        }
    }
}

#[derive(Debug)]
pub(crate) struct Receiver<T>(Arc<Channel<T>>);

impl<T> Receiver<T> {
    pub(crate) fn recv(&self) -> Result<T, RecvError> {
        let state = self.0.lock();
        let waits = |state: &mut State<T>| state.queue.is_empty() && !state.sender_is_gone;
        let mut state = self.0.changed.wait_while(state, waits).unwrap();
        let received = state.queue.pop_front().ok_or(RecvError);
        drop(state);
        self.0.tell();
        received
    }

    pub(crate) fn try_recv(&self) -> Result<T, TryRecvError> {
        let mut state = self.0.lock();
        match state.queue.pop_front() {
            Some(received) => {
                drop(state);
                self.0.tell();
                Ok(received)
            }
            None if state.sender_is_gone => Err(TryRecvError::Disconnected),
            None => Err(TryRecvError::Empty),
        }
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let mut state = self.0.lock();
            state.receiver_is_gone = true;
            let queued = std::mem::take(&mut state.queue);
            drop(state);
            self.0.tell();
            drop(queued);
        }
    }
}

trait Ready {
    /// Whether something can be received, or never will be again; else the bell is rung once that changes.
    fn is_ready(&self, bell: &Arc<Bell>) -> bool;
}

impl<T> Ready for Receiver<T> {
    fn is_ready(&self, bell: &Arc<Bell>) -> bool {
        let mut state = self.0.lock();
        let ready = !state.queue.is_empty() || state.sender_is_gone;
        if !ready {
            state.bells.push(Arc::clone(bell));
        }
        ready
    }
}

/// Waits for the first of several receivers.
#[derive(Default)]
pub(crate) struct Select<'a>(Vec<&'a dyn Ready>);

impl<'a> Select<'a> {
    pub(crate) fn recv<T>(&mut self, receiver: &'a Receiver<T>) -> usize {
        self.0.push(receiver);
        self.0.len() - 1
    }

    pub(crate) fn ready(&mut self) -> usize {
        let bell = Arc::new(Bell::default());
        loop {
            if let Some(index) = self.0.iter().position(|receiver| receiver.is_ready(&bell)) {
                return index;
            }
            bell.wait();
        }
    }
}
