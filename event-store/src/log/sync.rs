//! The channels that groups change hands over. The model of the queue includes `handover.rs` beside another file of this
//! name, whose channels a scheduler can stop at every step (`command-api/tests/model/sync.rs`).

pub(crate) use crossbeam_channel::{Receiver, Select, Sender, TryRecvError, bounded};
