//! What the tests of this crate stand on: a PostgreSQL, a history of events, a feed of it.

pub(crate) mod api;
pub(crate) mod counted;
pub(crate) mod feed;
pub(crate) mod history;
pub(crate) mod partitioned;
pub(crate) mod postgres;
pub(crate) mod random;
pub(crate) mod shop;
