//! The HTTP surface of commands: reads requests, hands commands to the engine, writes answers. No rules and no state:
//! what is refused, the domain refuses; what is remembered, the engine remembers.

mod accounts;
mod answer;
mod batch;
mod catalogue;
mod definition;
mod document;
mod explain;
mod field;
mod fingerprint;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod generated_id;
mod head;
mod idempotency_key;
mod json;
mod orders;
mod payments;
mod principal;
mod problem;
mod products;
mod read;
mod router;
mod single;
mod transfers;

#[cfg(test)]
mod tests;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::engine::{Engine, Mode, Outcome, Request, Submission, Unavailable};

pub use router::router;

/// Takes commands up. The engine does; a test can stand in for one that is full, stopping or failing.
pub trait Commands: Clone + Send + Sync + 'static {
    /// Hands commands in, and gives what became of each, in order, once that is durable. Nothing is handed in before
    /// the future is polled; with the first poll all of it is.
    ///
    /// # Errors
    /// [`Unavailable`] when nothing was taken up, or when nobody knows what became of it.
    fn submit(&self, submission: Submission) -> impl Future<Output = Result<Vec<Outcome>, Unavailable>> + Send;

    /// Hands one command in, and gives what became of it once that is durable. The future has to be polled until it is
    /// done, or dropped: others may wait for it.
    ///
    /// # Errors
    /// [`Unavailable`] when it was not taken up, or when nobody knows what became of it.
    fn submit_one(&self, request: Request, dry_run: bool) -> impl Future<Output = Result<Outcome, Unavailable>> + Send {
        let submission = Submission { requests: vec![request], mode: Mode::Independent, dry_run };
        async { self.submit(submission).await.map(|mut outcomes| outcomes.remove(0)) }
    }
}

impl Commands for Engine {
    fn submit(&self, submission: Submission) -> impl Future<Output = Result<Vec<Outcome>, Unavailable>> + Send {
        Engine::submit(self, submission)
    }

    fn submit_one(&self, request: Request, dry_run: bool) -> impl Future<Output = Result<Outcome, Unavailable>> + Send {
        Engine::submit_one(self, request, dry_run)
    }
}

/// Bounds of what one request can be.
#[derive(Debug, Clone)]
pub struct Options {
    /// The largest body of a single command, in bytes; the longest line of a batch too.
    pub body_bytes_max: usize,
    /// The largest body of a batch, in bytes.
    pub batch_bytes_max: usize,
    /// How long the body of a single command may take to arrive, and how long a batch may pause.
    pub body_read_timeout: Duration,
    /// How many commands of an independent batch are handed to the engine at once, at most.
    pub batch_chunk_commands: usize,
    /// How many commands of one independent batch wait for their answer at once, at most; one chunk always may.
    pub batch_commands_in_flight: usize,
    /// How many bytes of answers of one batch wait for the client to read them, at most; the batch waits then.
    pub batch_answer_bytes_max: usize,
    /// How many batches are taken at once, at most; with the bound on answers this bounds the memory of all of them.
    pub batches_max: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            body_bytes_max: 1 << 20,
            batch_bytes_max: 64 << 20,
            body_read_timeout: Duration::from_secs(20),
            batch_chunk_commands: 1_000,
            batch_commands_in_flight: 8_192,
            batch_answer_bytes_max: 64 << 20,
            batches_max: 16,
        }
    }
}

/// What every handler has. Handlers share it: axum clones their state for every request.
#[derive(Debug)]
struct Surface<C> {
    commands: C,
    options: Options,
    /// A permit for each batch that may still be taken.
    batches: Arc<Semaphore>,
}
