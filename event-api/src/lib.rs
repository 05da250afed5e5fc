//! The log over HTTP: pages of events, a live stream, and the schemas of events, straight from the durable log. Nothing
//! here decides a command, and no SQL; what an event is called outside is said by `event_store::cloud_event`.

mod page;
mod problems;
mod reading;
mod router;
mod schemas;
mod selection;
mod stream;

pub use router::{Options, Streams, router};
