//! The account aggregate: a ledger balance, what is held of it, and who may move it.

pub mod command;
mod decide;
pub mod event;
pub mod state;

pub use command::{AccountCommand, CaptureTo};
pub use event::AccountEvent;
pub use state::{Account, AccountStatus, Hold};
