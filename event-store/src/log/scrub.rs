//! The scrubber: a thread that reads sealed segments again, all of them, all the time, slowly, so that damage which
//! nobody happens to read is found while a copy is still there. It reports and repairs nothing but index files; it
//! never stands in the way of writing.

mod pace;
mod progress;
mod report;

use std::collections::BTreeMap;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Sender, bounded};

use self::pace::Pace;
use self::progress::Progress;
pub use self::report::{ScrubDamage, ScrubStatus};
use super::Log;
use super::folder::FolderRefused;
use super::frame::{Frame, FrameFault};
use super::reader::ReadError;
use super::scan::Scan;
use super::segment::segment_path;
use super::survey::{Visitor, survey_sealed};
use crate::disk::Access;
use crate::index::tally::{Tally, tally_file};
use crate::index::{SealedSegment, StreamIndex};

/// Damaged segments that are told one by one; more are counted only.
const DAMAGED_TOLD_MAX: usize = 100;
/// How often a scrubber with nothing to do looks whether there is a sealed segment.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// How a log is scrubbed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScrubOptions {
    /// Bytes that are read in a second at most; more than zero.
    pub bytes_per_second: u64,
    /// A pass over all sealed segments begins this long after the one before has begun.
    pub interval: Duration,
}

/// What the scrubber has found so far; shared by its thread and whoever asks.
#[derive(Debug, Default)]
pub(super) struct Found(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    status: ScrubStatus,
    damaged: BTreeMap<u32, ScrubDamage>,
}

impl Found {
    fn state(&self) -> MutexGuard<'_, State> {
        // Figures only: nothing can be half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn status(&self) -> ScrubStatus {
        let state = self.state();
        ScrubStatus { damaged: state.damaged.values().cloned().collect(), ..state.status.clone() }
    }
}

/// The running scrubber; dropping it ends it at once.
#[derive(Debug)]
pub struct Scrubber {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Scrubber {
    pub(super) fn start(log: Log, options: ScrubOptions) -> io::Result<Self> {
        let (stop, stopped) = bounded(0);
        let pace = Pace::new(options.bytes_per_second.max(1), stopped);
        log.scrub.state().status.running = true;
        let thread = std::thread::Builder::new()
            .name("log-scrubber".into())
            .spawn(move || Scrubbing { log, pace, interval: options.interval }.run())?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Scrubber {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            // A panic there has been printed; nothing depends on it.
            let _ = thread.join();
        }
    }
}

struct Scrubbing {
    log: Log,
    pace: Pace,
    interval: Duration,
}

impl Scrubbing {
    fn run(mut self) {
        self.passes();
        self.log.scrub.state().status.running = false;
    }

    fn passes(&mut self) {
        let folder = self.log.folder().clone();
        let mut progress = Progress::read(&folder).unwrap_or_else(|| Progress::new((self.log.clock)()));
        // What was damaged when the process before ended is looked at first: it may have been cured.
        for number in std::mem::take(&mut progress.damaged) {
            self.segment(number);
        }
        loop {
            self.log.scrub.state().status.last_pass_at_us = progress.last_pass_at_us;
            // What is not indexed yet is scrubbed later.
            let _ = self.log.index.catch_up();
            let segments = self.log.index_status().sealed as u32;
            while progress.segments_done < segments {
                self.segment(progress.segments_done + 1);
                if self.pace.stopped() {
                    return;
                }
                progress.segments_done += 1;
                progress.damaged = self.log.scrub.state().damaged.keys().copied().collect();
                // Without it the next process begins the pass again: no loss.
                let _ = progress.write(&folder);
            }
            let now = (self.log.clock)();
            if segments > 0 && !progress.ended {
                (progress.ended, progress.last_pass_at_us) = (true, Some(now));
                let _ = progress.write(&folder);
                continue;
            }
            let interval = i64::try_from(self.interval.as_micros()).unwrap_or(i64::MAX);
            let due = progress.began_at_us.saturating_add(interval);
            if segments > 0 && now >= due {
                progress = Progress { last_pass_at_us: progress.last_pass_at_us, ..Progress::new(now) };
                continue;
            }
            let rest = Duration::from_micros(due.saturating_sub(now).max(0).unsigned_abs());
            if !self.pace.rest(rest.min(LOOK_AGAIN)) {
                return;
            }
        }
    }

    /// Reads a segment and its index file.
    fn segment(&mut self, number: u32) {
        let Some(sealed) = self.log.index.sealed(number) else { return };
        let scrubbed = self.read(number, &sealed);
        if self.pace.stopped() {
            return;
        }
        let mut state = self.log.scrub.state();
        match scrubbed {
            Ok(()) => {
                state.damaged.remove(&number);
            }
            Err(error) => {
                let damage = ScrubDamage::of(number, &self.log.folder().path, &error);
                tracing::error!(segment = number, "{damage}");
                state.status.damaged_total += 1;
                if state.damaged.len() < DAMAGED_TOLD_MAX || state.damaged.contains_key(&number) {
                    state.damaged.insert(number, damage);
                }
            }
        }
    }

    fn read(&mut self, number: u32, sealed: &SealedSegment) -> Result<(), ReadError> {
        let Log { index, scrub, .. } = &self.log;
        let folder = self.log.folder();
        let open = folder.segment_of(number, Access::Read)?;
        let scan = Scan::new(open.header, sealed.before);
        let mut reading = Reading { index, scrub, pace: &mut self.pace, counted_to: 0, tally: Tally::default() };
        let scan = survey_sealed(folder, &open, scan, &mut reading)?;
        let tally = reading.tally;
        reading.count(open.header.segment_bytes);
        if let Some(header) = &sealed.file {
            if header.after != scan.link() {
                // The file fitted when the log was opened, and so did the segment: it is another segment now.
                let path = segment_path(&folder.path, number);
                let reason = "it is whole, but not the segment that its index file was made from".to_owned();
                return Err(FolderRefused::SegmentHeader { path, reason }.into());
            }
            let told = index.file(number).and_then(|file| tally_file(header, file.as_ref()));
            match told {
                Ok(told) if told == tally => {}
                Ok(_) => index.discard(number, &crate::index::IndexFault::Damaged("it does not fit its segment")),
                Err(fault) => index.discard(number, &fault),
            }
        }
        Ok(())
    }
}

/// Looks at the transactions of a segment on the way, at the pace that is allowed.
struct Reading<'a> {
    index: &'a StreamIndex,
    scrub: &'a Found,
    pace: &'a mut Pace,
    counted_to: u64,
    tally: Tally,
}

impl Reading<'_> {
    /// Counts what was read up to `offset`, and rests when that was too fast; answers false at a stop.
    fn count(&mut self, offset: u64) -> bool {
        let bytes = offset - self.counted_to;
        self.counted_to = offset;
        self.scrub.state().status.bytes_total += bytes;
        self.pace.spend(bytes)
    }
}

/// How often the pace is looked at, in bytes.
const PACE_BYTES: u64 = 64 << 10;

impl Visitor for Reading<'_> {
    fn transaction(&mut self, frame: &Frame<'_>) -> Result<(), FrameFault> {
        let place = frame.place();
        self.tally.transaction(self.index.digest(), frame);
        if place.offset - self.counted_to >= PACE_BYTES && !self.count(place.offset) {
            // Nobody sees this fault: the scrubber is being stopped.
            return Err(FrameFault::Sequence("the scrubber is being stopped"));
        }
        Ok(())
    }
}
