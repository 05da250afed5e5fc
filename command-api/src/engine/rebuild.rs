//! Having all state again at start: the last checkpoint is read, and what came after it out of the log. Without a
//! checkpoint everything is made again from the log.

mod read_ahead;

use std::io;

use chrono::{DateTime, Utc};
use domain::ids::{Position, Version};
use event_store::log::Log;
use event_store::log::reader::ReadError;
use event_store::lsm::{self, Store};
use event_store::transaction::decode::NotUnderstood;

use super::checkpoint::{Broken, Checkpoints, Decided};
use super::digest::Digester;
use super::idempotency::Keys;
use super::note::Note;
use super::states::Books;
use super::{Options, tables};
use read_ahead::{Part, ReadEvent, read_ahead};

/// What was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rebuilt {
    /// Up to where the checkpoint went; the log was read from there.
    pub checkpoint: Position,
    /// How many events of the log were applied.
    pub events: u64,
    /// Why the checkpoint that was there could not be used, where that is so.
    pub discarded: Option<String>,
    /// The time of the last command.
    pub last_recorded_at: DateTime<Utc>,
}

/// Why the states could not be rebuilt.
#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    /// The log could not be read.
    #[error("the state could not be rebuilt, because the log could not be read: {0}")]
    Read(#[from] ReadError),
    /// An event could not be understood.
    #[error("the state could not be rebuilt: {0}")]
    Decode(#[from] NotUnderstood),
    /// The system refused a thread.
    #[error("the state could not be rebuilt, because no thread could be started to read the log: {0}")]
    Thread(#[source] io::Error),
    /// The saved state could not be opened.
    #[error("the saved state could not be opened: {0}")]
    Open(#[from] lsm::OpenError),
    /// The saved state is damaged. It was removed.
    #[error("the saved state is damaged: {reason}. It was removed; start again, and it is made again from the log")]
    Damaged {
        /// What is damaged.
        reason: String,
    },
    /// An event has another version than the count of its stream gives.
    #[error(
        "the state could not be rebuilt: the event at position {position} has version {recorded} in stream {stream}, but {counted} comes next there"
    )]
    VersionGap {
        /// Where it stands.
        position: Position,
        /// Its stream.
        stream: String,
        /// The version it has.
        recorded: Version,
        /// The version it should have.
        counted: Version,
    },
}

impl From<Broken> for RebuildError {
    fn from(broken: Broken) -> Self {
        Self::Damaged { reason: broken.to_string() }
    }
}

/// All state, and how far it goes.
#[derive(Debug)]
pub(super) struct State {
    pub(super) books: Books,
    pub(super) keys: Keys,
    pub(super) checkpoints: Checkpoints,
    pub(super) decided: Decided,
}

pub(super) fn rebuild(log: &Log, options: &Options) -> Result<(Rebuilt, State), RebuildError> {
    let (store, note, discarded) = open(log)?;
    let (digester, base, room) = (Digester::new(store.digest_key()), note.base(), options.checkpoints.names / 2);
    let mut state = State {
        books: Books::new(store, digester, base.totals, room),
        keys: Keys::new(digester, room),
        checkpoints: Checkpoints::after(&note, options.checkpoints.clone()),
        decided: Decided { through: base.through, frame: None, recorded_at: base.recorded_at },
    };
    let mut rebuilt =
        Rebuilt { checkpoint: base.through, events: 0, discarded, last_recorded_at: DateTime::UNIX_EPOCH };
    let replayed = read_ahead(log, digester, note.states_through, |part| {
        rebuilt.events += part.events.len() as u64;
        state.replay(log, part, &note)
    });
    if let Err(error) = replayed {
        if matches!(error, RebuildError::Damaged { .. }) {
            // Failing that, the folder is left and found damaged again.
            let _ = state.books.store.discard();
        }
        return Err(error);
    }
    rebuilt.last_recorded_at = state.decided.recorded_at;
    Ok((rebuilt, state))
}

/// Opens the store; one that was not made of this log is emptied.
fn open(log: &Log) -> Result<(Store, Note, Option<String>), lsm::OpenError> {
    let folder = log.path().join("state");
    let open = || {
        let options = lsm::Options { disk: log.disk().clone(), ..lsm::Options::default() };
        Store::open(&folder, tables::NAMES, tables::FORMAT, options)
    };
    let opened = open()?;
    let Some(bytes) = opened.note else { return Ok((opened.store, Note::default(), opened.discarded)) };
    let read = Note::decode(&bytes).and_then(|note| note.belongs_to(log).map(|()| note));
    match read {
        Ok(note) => Ok((opened.store, note, opened.discarded)),
        Err(reason) => {
            opened.store.discard().map_err(|source| lsm::OpenError::Disk {
                doing: "emptying",
                path: folder.clone(),
                source,
            })?;
            Ok((open()?.store, Note::default(), Some(reason)))
        }
    }
}

impl State {
    /// Applies what was read.
    fn replay(&mut self, log: &Log, part: Part, note: &Note) -> Result<(), RebuildError> {
        let mut events = part.events.into_iter();
        for entry in part.entries {
            let place = entry.place;
            if entry.last_position > note.names_through {
                self.keys.insert(entry.scope, entry.used);
            }
            for ReadEvent { position, version, event, claimed } in events.by_ref().take(entry.events) {
                if let Some(name) = claimed {
                    self.books.transfers.claim(name, place);
                }
                let counted = self.books.replay(&event, version, position, note).map_err(Broken::from)?;
                if counted != version {
                    let stream = event.stream().to_string();
                    return Err(RebuildError::VersionGap { position, stream, recorded: version, counted });
                }
            }
            self.decided.recorded_at = self.decided.recorded_at.max(entry.recorded_at);
            if entry.ends_frame {
                self.decided.through = place.last_position;
                self.decided.frame = Some(place);
                self.keep_up(log)?;
            }
        }
        Ok(())
    }

    fn keep_up(&mut self, log: &Log) -> Result<(), Broken> {
        let Self { books, keys, checkpoints, decided } = self;
        checkpoints.step(books, keys, log, *decided, false)?;
        while checkpoints.overdue(books, keys) && checkpoints.failure().is_none() {
            checkpoints.step(books, keys, log, *decided, true)?;
        }
        Ok(())
    }
}
