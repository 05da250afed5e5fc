//! The log of Bursar: append transactions, read streams and the whole, subscribe. Event payloads are opaque JSON
//! bytes here; no rule of the domain, no HTTP and no SQL live in this crate.

pub mod backup;
pub mod cloud_event;
pub mod disk;
pub mod feed;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
pub mod index;
pub mod kafka;
pub mod log;
pub mod lsm;
pub mod transaction;
