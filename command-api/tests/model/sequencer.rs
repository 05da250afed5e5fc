//! What goes through the queue: numbers instead of commands. The names are those of `engine/sequencer.rs`.

use crate::Submission;
use crate::reply::Reply;

/// What became of a submission: where it stands in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Decided {
    pub(crate) submission: Submission,
    pub(crate) position: usize,
}

/// A submission in the queue.
#[derive(Debug)]
pub(crate) struct Work {
    pub(crate) submission: Submission,
    pub(crate) reply: Reply,
}

/// An answer that waits for its group to be durable.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) reply: Reply,
    pub(crate) decided: Vec<Decided>,
    pub(crate) asked: Submission,
}
