//! Reading and understanding the log on a thread of its own, ahead of the one that applies what was read.

use std::sync::mpsc::{SyncSender, sync_channel};

use chrono::{DateTime, Utc};
use domain::event::Event;
use domain::ids::{Position, Version};
use event_store::log::Log;
use event_store::log::frame::{Frame, FramePlace};

use super::RebuildError;
use crate::engine::digest::{Digest, Digester};
use crate::engine::idempotency::Used;
use crate::engine::register;

/// How many events are handed over at once, at least, except at the end.
const EVENTS: usize = 4_096;
/// How many parts may wait to be applied.
const WAITING: usize = 4;

/// Frames that follow one another, understood.
#[derive(Debug, Default)]
pub(super) struct Part {
    pub(super) entries: Vec<ReadEntry>,
    /// The events of all entries, in order.
    pub(super) events: Vec<ReadEvent>,
}

/// What one command left behind.
#[derive(Debug)]
pub(super) struct ReadEntry {
    /// Its frame.
    pub(super) place: FramePlace,
    pub(super) last_position: Position,
    pub(super) scope: Digest,
    pub(super) used: Used,
    pub(super) recorded_at: DateTime<Utc>,
    /// How many events it has.
    pub(super) events: usize,
    /// Whether it is the last of its frame.
    pub(super) ends_frame: bool,
}

/// An event with its place.
#[derive(Debug)]
pub(super) struct ReadEvent {
    pub(super) position: Position,
    pub(super) version: Version,
    pub(super) event: Event,
    /// The name of a transfer that it claims.
    pub(super) claimed: Option<Digest>,
}

/// Reads everything after a position and has it applied, in order. Ends with the first error of either.
pub(super) fn read_ahead(
    log: &Log,
    digester: Digester,
    after: Position,
    mut apply: impl FnMut(Part) -> Result<(), RebuildError>,
) -> Result<(), RebuildError> {
    let (parts, received) = sync_channel(WAITING);
    std::thread::scope(|scope| {
        let reader = std::thread::Builder::new().name("log-replay".into());
        let reader = reader.spawn_scoped(scope, move || read(log, digester, after, &parts));
        let reader = reader.map_err(RebuildError::Thread)?;
        // It is dropped with an error, and the reader ends when it finds nobody to hand to.
        let applied = received.into_iter().try_for_each(&mut apply);
        match reader.join() {
            Ok(read) => applied.and(read),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

/// Ends early where nobody receives any more.
fn read(log: &Log, digester: Digester, after: Position, parts: &SyncSender<Part>) -> Result<(), RebuildError> {
    let mut frames = log.frames_after(after)?;
    let mut part = Part::default();
    while let Some(frame) = frames.next_frame()? {
        part.take(&frame, &digester)?;
        if part.events.len() >= EVENTS && parts.send(std::mem::take(&mut part)).is_err() {
            return Ok(());
        }
    }
    let _ = parts.send(part);
    Ok(())
}

impl Part {
    fn take(&mut self, frame: &Frame<'_>, digester: &Digester) -> Result<(), RebuildError> {
        let place = frame.place();
        for (entry_index, entry) in (0_u32..).zip(frame.entries()) {
            let before = self.events.len();
            for record in entry.events() {
                let event = record.decode_event()?;
                let claimed = register::claimed(digester, &event);
                self.events.push(ReadEvent { position: record.position, version: record.version, event, claimed });
            }
            self.entries.push(ReadEntry {
                place,
                last_position: entry.last_position(),
                scope: digester.scope(entry.principal(), entry.idempotency_key()),
                used: Used::new(entry.fingerprint(), entry.outcome(), place, entry_index),
                recorded_at: DateTime::from_timestamp_micros(entry.recorded_at_us()).unwrap_or_default(),
                events: self.events.len() - before,
                ends_frame: false,
            });
        }
        if let Some(last) = self.entries.last_mut() {
            last.ends_frame = true;
        }
        Ok(())
    }
}
