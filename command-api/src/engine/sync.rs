//! What the intake synchronises with. The model of the queue includes `intake.rs` beside another file of this name, whose
//! locks and channels a scheduler can stop at every step (`tests/model/sync.rs`).

pub(super) use std::sync::{Mutex, MutexGuard, PoisonError};

pub(super) use crossbeam_channel::{Sender, TrySendError};
