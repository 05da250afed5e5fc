//! The thread that keeps the index: it follows the durable log, writes the index file of every segment that is sealed,
//! and makes missing files again. What it fails at it tries again; nobody waits for it but readers, who help themselves.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;

use super::file::{index_folder, write_index};
use super::part::Part;
use super::{Kept, StreamIndex};

/// How long after a failure to write an index file it is tried again; longer and longer while it goes on.
const RETRY: Duration = Duration::from_secs(1);
const RETRY_FACTOR_MAX: u32 = 60;

/// The running thread; dropping it ends the thread and waits for it.
#[derive(Debug)]
pub(crate) struct Keeper {
    index: Arc<StreamIndex>,
    thread: Option<JoinHandle<()>>,
}

impl Keeper {
    /// Starts the thread; `rung` wakes it.
    pub(crate) fn start(index: Arc<StreamIndex>, rung: Receiver<()>) -> io::Result<Self> {
        let kept = Arc::clone(&index);
        let thread = std::thread::Builder::new().name("log-index".into()).spawn(move || keep(&kept, &rung))?;
        Ok(Self { index, thread: Some(thread) })
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.index.stop.store(true, Ordering::Relaxed);
        let _ = self.index.bell.try_send(());
        if let Some(thread) = self.thread.take() {
            // A panic there has been printed; the index can be made again.
            let _ = thread.join();
        }
    }
}

fn keep(index: &StreamIndex, rung: &Receiver<()>) {
    let mut failures = 0;
    // Set after a failure: until then nothing is written, whoever rings.
    let mut again_at: Option<Instant> = None;
    loop {
        let stopping = index.stopping();
        if let Err(error) = index.catch_up() {
            // Who reads gets the error too, and can tell somebody.
            tracing::error!(%error, "the index of the log fell behind");
        }
        if stopping {
            // What is not written now is made again at the next start.
            let _ = write_parts(index);
            return;
        }
        if again_at.is_none_or(|again_at| again_at <= Instant::now()) {
            match make_one(index) {
                Ok(made) => {
                    (failures, again_at) = (0, None);
                    if made {
                        continue;
                    }
                }
                Err(error) => {
                    failures = (failures + 1).min(RETRY_FACTOR_MAX);
                    again_at = Some(Instant::now() + RETRY * failures);
                    tracing::warn!(%error, "an index file of the log could not be written; trying again");
                }
            }
        }
        // Rung, or the time is up: either way it looks what there is to do.
        match again_at {
            None => drop(rung.recv()),
            Some(again_at) => drop(rung.recv_deadline(again_at)),
        }
    }
}

/// Writes what is in memory.
fn write_parts(index: &StreamIndex) -> io::Result<bool> {
    while let Some((segment, part)) = next_part(index) {
        write(index, segment, &part)?;
    }
    Ok(false)
}

/// Makes the next file that is missing; answers whether there was one.
fn make_one(index: &StreamIndex) -> io::Result<bool> {
    if let Some((segment, part)) = next_part(index) {
        return write(index, segment, &part).map(|()| true);
    }
    let missing = index.state().sealed.iter().find(|sealed| matches!(sealed.kept, Kept::Missing)).map(|s| s.number);
    let Some(segment) = missing else { return Ok(false) };
    // What cannot be made is noted as such, and then it is not missing any more.
    match index.part_of(segment) {
        Ok(Some(part)) => write(index, segment, &part).map(|()| true),
        Ok(None) => Ok(true),
        Err(_) => Ok(!index.stopping()),
    }
}

fn next_part(index: &StreamIndex) -> Option<(u32, Arc<Part>)> {
    index.state().sealed.iter().find_map(|sealed| match &sealed.kept {
        Kept::Part(part) => Some((sealed.number, Arc::clone(part))),
        _ => None,
    })
}

fn write(index: &StreamIndex, segment: u32, part: &Part) -> io::Result<()> {
    let folder = index.reader.folder();
    let Some(seal) = part.seal else { return Ok(()) };
    match part.encode(folder.log_id, seal) {
        Ok((header, image)) => {
            let indexes = index_folder(&folder.path);
            if folder.disk.names(&indexes)?.is_empty() {
                folder.disk.create_folder(&indexes)?;
            }
            write_index(folder.disk.as_ref(), &folder.path, segment, &image)?;
            index.put(segment, Kept::File(header));
        }
        Err(gap) => index.put(segment, Kept::Impossible(Arc::new(index.version_gap(segment, None, &gap)))),
    }
    Ok(())
}
