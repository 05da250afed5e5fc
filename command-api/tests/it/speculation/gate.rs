//! A disk whose syncs wait at a gate.

use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};

use event_store::disk::simulated::SimulatedDisk;

use crate::disk::PATIENCE;
use crate::hooked::{Doing, HookedDisk};

/// Holds the syncs of segments back.
#[derive(Debug, Default)]
pub(super) struct Gate {
    state: Mutex<GateState>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct GateState {
    closed: bool,
    /// Syncs that wait before the gate.
    held: u64,
    /// Syncs that may pass though it is closed.
    passes: u64,
}

impl Gate {
    /// A gate before the segments of `disk`.
    pub(super) fn before(disk: &SimulatedDisk) -> (Arc<Self>, HookedDisk) {
        let gate = Arc::new(Self::default());
        let of_disk = Arc::clone(&gate);
        let hooked = HookedDisk::new(disk, move |doing, path: &Path| {
            if doing == Doing::Sync && path.to_string_lossy().ends_with(".seg") {
                of_disk.pass();
            }
        });
        (gate, hooked)
    }

    fn pass(&self) {
        let mut state = self.state.lock().unwrap();
        state.held += 1;
        self.changed.notify_all();
        state = self.changed.wait_while(state, |state| state.closed && state.passes == 0).unwrap();
        state.held -= 1;
        state.passes = state.passes.saturating_sub(1);
    }

    pub(super) fn close(&self) {
        self.state.lock().unwrap().closed = true;
    }

    pub(super) fn open(&self) {
        self.state.lock().unwrap().closed = false;
        self.changed.notify_all();
    }

    pub(super) fn let_one_through(&self) {
        self.state.lock().unwrap().passes += 1;
        self.changed.notify_all();
    }

    /// Waits until a sync is held back, and none is on its way through.
    pub(super) fn wait_until_held(&self) {
        let state = self.state.lock().unwrap();
        let missing = |state: &mut GateState| state.held == 0 || state.passes > 0;
        let (state, waited) = self.changed.wait_timeout_while(state, PATIENCE, missing).unwrap();
        assert!(!waited.timed_out(), "{state:?}");
    }
}
