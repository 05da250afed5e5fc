//! Checkpoints: bringing what is in memory into the derived store, a little at a time between commands, so that memory
//! stays bounded and a start reads the end of the log only. Nothing waits for it but the store itself when it falls
//! behind.
//!
//! A checkpoint may hold states that are newer than the place from which the log is read again; their versions tell.
//! But it is published only when everything it knows of is durable in the log.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use domain::ids::Position;
use event_store::log::Log;
use event_store::log::frame::FramePlace;
use event_store::lsm::{Damaged, Records};

use super::claims::Leaving;
use super::idempotency::{Keys, Used};
use super::note::{Base, Note, Witness};
use super::register::{Moved, Unreadable};
use super::states::Books;

/// States that are looked at in one step, between two submissions.
pub(super) const STEP_STATES: usize = 256;
/// A checkpoint that could not be written is tried again after so long.
const RETRY: Duration = Duration::from_secs(1);

/// When a checkpoint is made, and how much is kept in memory.
#[derive(Debug, Clone)]
pub struct Limits {
    /// So many new names (idempotency keys, transfers) in memory begin a checkpoint.
    pub names: usize,
    /// So many events after the last one begin a checkpoint with all changed states.
    pub events_between_snapshots: u64,
    /// So many changed states begin one too.
    pub changed_states: usize,
    /// States of each kind of aggregate that are kept in memory; more only until a checkpoint has saved them.
    pub states_in_memory: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            names: 1_800_000,
            events_between_snapshots: 4_000_000,
            changed_states: 1_000_000,
            states_in_memory: 1_500_000,
        }
    }
}

/// How far the sequencer has come.
#[derive(Debug, Clone, Copy)]
pub(super) struct Decided {
    /// The last position.
    pub(super) through: Position,
    /// The last frame; none before the first.
    pub(super) frame: Option<FramePlace>,
    /// The time of the last command.
    pub(super) recorded_at: DateTime<Utc>,
}

/// What a checkpoint is made of, but for its states.
#[derive(Debug)]
struct Complete {
    note: Note,
    /// Where the log is to be read from once it is published.
    base: Base,
    /// The round of saving that its states are of.
    round: Option<u32>,
    keys: Leaving<Used>,
    transfers: Leaving<Moved>,
}

#[derive(Debug)]
enum Phase {
    Idle,
    /// Changed states are being looked for.
    Saving {
        base: Base,
        keys: Leaving<Used>,
        transfers: Leaving<Moved>,
        states: Records,
    },
    /// Complete, but it knows of events that are not durable yet.
    Settling {
        complete: Complete,
        states: Records,
        decided: Decided,
    },
    /// The store writes it.
    Writing(Complete),
    /// The store could not write it.
    Failed {
        complete: Complete,
        reason: String,
        again_at: Instant,
    },
}

/// Makes checkpoints.
#[derive(Debug)]
pub(super) struct Checkpoints {
    limits: Limits,
    phase: Phase,
    base: Base,
    /// The last position that a saved state may know of.
    reach: Position,
    /// Rounds of saving states that have begun.
    rounds: u32,
    /// The last round that is in the store.
    stored: u32,
}

/// Why no checkpoint can be made any more: the derived data is damaged, or the log cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Broken(pub(super) String);

impl From<Damaged> for Broken {
    fn from(damaged: Damaged) -> Self {
        Self(damaged.to_string())
    }
}

impl From<Unreadable> for Broken {
    fn from(unreadable: Unreadable) -> Self {
        Self(unreadable.to_string())
    }
}

impl Checkpoints {
    /// Goes on from a checkpoint that was read.
    pub(super) fn after(note: &Note, limits: Limits) -> Self {
        Self { limits, phase: Phase::Idle, base: note.base(), reach: note.reach, rounds: 0, stored: 0 }
    }

    /// Whether there is anything to do.
    pub(super) const fn busy(&self) -> bool {
        !matches!(self.phase, Phase::Idle)
    }

    /// How long the sequencer may wait for commands before it takes the next step.
    pub(super) const fn patience(&self) -> Duration {
        match self.phase {
            Phase::Saving { .. } => Duration::ZERO,
            Phase::Settling { .. } | Phase::Writing(_) => Duration::from_millis(2),
            Phase::Idle | Phase::Failed { .. } => Duration::from_secs(1),
        }
    }

    /// Whether so much waits for a checkpoint that commands must wait too.
    pub(super) fn overdue(&self, books: &Books, keys: &Keys) -> bool {
        self.busy() && names(books, keys) >= 2 * self.limits.names.max(1)
    }

    /// Why the last checkpoint could not be written, while that is so.
    pub(super) fn failure(&self) -> Option<&str> {
        match &self.phase {
            Phase::Failed { reason, .. } => Some(reason),
            _ => None,
        }
    }

    /// Does the next little step, if one is due; waits for the store first if it is to.
    pub(super) fn step(
        &mut self,
        books: &mut Books,
        keys: &mut Keys,
        log: &Log,
        decided: Decided,
        wait: bool,
    ) -> Result<(), Broken> {
        let told = if wait { books.store.wait() } else { books.store.poll() };
        self.phase = match std::mem::replace(&mut self.phase, Phase::Idle) {
            Phase::Idle if names(books, keys) >= self.limits.names || self.round_due(books, decided) => {
                self.begin(books, keys, decided)
            }
            Phase::Idle => {
                books.give_way(self.limits.states_in_memory, self.stored, STEP_STATES);
                Phase::Idle
            }
            Phase::Saving { base, keys, transfers, mut states } => {
                if books.save(self.rounds, &mut states, STEP_STATES) {
                    self.reach = self.reach.max(decided.through);
                    let note = Note::new(base.through, &base, self.reach);
                    let complete = Complete { note, base, round: Some(self.rounds), keys, transfers };
                    Phase::Settling { complete, states, decided }
                } else {
                    Phase::Saving { base, keys, transfers, states }
                }
            }
            Phase::Settling { mut complete, states, decided } if log.durable() >= decided.through => {
                let witness = decided.frame.map(|frame| Witness::of(log, frame.address())).transpose();
                let untied = |reason| Broken(format!("a checkpoint could not be tied to the log: {reason}"));
                complete.note.witness = witness.map_err(untied)?;
                write(books, complete, states)?
            }
            Phase::Writing(complete) => match told {
                None => Phase::Writing(complete),
                Some(Ok(())) => {
                    self.stored = complete.round.unwrap_or(self.stored);
                    self.base = complete.base;
                    keys.left();
                    books.transfers.left();
                    tell(books, complete.note.names_through);
                    Phase::Idle
                }
                Some(Err(error)) => self.failed(books, complete, error.to_string()),
            },
            Phase::Failed { complete, again_at, .. } if Instant::now() >= again_at => {
                write(books, complete, Records::default())?
            }
            waiting @ (Phase::Settling { .. } | Phase::Failed { .. }) => waiting,
        };
        Ok(())
    }

    /// Brings everything into the store, for a log that is closed. Gives up when the store cannot be written: all of it
    /// can be made again from the log.
    pub(super) fn finish(
        &mut self,
        books: &mut Books,
        keys: &mut Keys,
        log: &Log,
        decided: Decided,
    ) -> Result<(), Broken> {
        self.drain(books, keys, log, decided)?;
        if self.failure().is_none() && decided.through > self.base.through {
            self.phase = self.begin_round(books, keys, decided);
            self.drain(books, keys, log, decided)?;
        }
        Ok(())
    }

    fn drain(&mut self, books: &mut Books, keys: &mut Keys, log: &Log, decided: Decided) -> Result<(), Broken> {
        while self.busy() && self.failure().is_none() {
            self.step(books, keys, log, decided, true)?;
        }
        Ok(())
    }

    fn round_due(&self, books: &Books, decided: Decided) -> bool {
        decided.through.0 - self.base.through.0 >= self.limits.events_between_snapshots
            || books.dirty() >= self.limits.changed_states
    }

    fn begin(&mut self, books: &mut Books, keys: &mut Keys, decided: Decided) -> Phase {
        if self.round_due(books, decided) {
            return self.begin_round(books, keys, decided);
        }
        let note = Note::new(decided.through, &self.base, self.reach);
        let (keys, transfers) = (keys.leave(), books.transfers.leave());
        let complete = Complete { note, base: self.base.clone(), round: None, keys, transfers };
        Phase::Settling { complete, states: Records::default(), decided }
    }

    fn begin_round(&mut self, books: &mut Books, keys: &mut Keys, decided: Decided) -> Phase {
        self.rounds += 1;
        let base = Base { through: decided.through, recorded_at: decided.recorded_at, totals: books.totals.clone() };
        let (keys, transfers) = (keys.leave(), books.transfers.leave());
        books.begin_saving();
        Phase::Saving { base, keys, transfers, states: Records::default() }
    }

    /// Keeps the names for another try; the states are saved again in the next round.
    fn failed(&self, books: &mut Books, mut complete: Complete, reason: String) -> Phase {
        metrics::counter!("bursar_checkpoints_failed_total").increment(1);
        tracing::warn!(%reason, "a checkpoint of the engine's state could not be written; it is tried again");
        if let Some(round) = complete.round.take() {
            books.take_back(round);
        }
        let witness = complete.note.witness;
        complete.note = Note::new(complete.note.names_through, &self.base, self.reach);
        complete.note.witness = witness;
        complete.base = self.base.clone();
        Phase::Failed { complete, reason, again_at: Instant::now() + RETRY }
    }
}

/// Brings the metrics up to date.
fn tell(books: &Books, through: Position) {
    let tables = books.store.stats().tables;
    metrics::gauge!("bursar_checkpoint_position").set(through.0 as f64);
    metrics::gauge!("bursar_checkpoint_disk_bytes").set(tables.iter().map(|t| t.disk_bytes).sum::<u64>() as f64);
    metrics::gauge!("bursar_checkpoint_filter_bytes").set(tables.iter().map(|t| t.filter_bytes).sum::<u64>() as f64);
    metrics::gauge!("bursar_states_in_memory").set(books.in_memory() as f64);
}

fn names(books: &Books, keys: &Keys) -> usize {
    keys.waiting() + books.transfers.waiting()
}

/// Hands a checkpoint to the store.
fn write(books: &mut Books, complete: Complete, states: Records) -> Result<Phase, Broken> {
    let (keys, transfers) = (complete.keys.clone(), complete.transfers.clone());
    let produce = Box::new(move || vec![keys.records(), transfers.records(), states]);
    let begun = books.store.checkpoint(complete.note.encode(), produce);
    begun.map(|()| Phase::Writing(complete)).map_err(|refused| Broken(refused.to_string()))
}
