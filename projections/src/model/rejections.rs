//! Refused commands: a row each.

use std::sync::Arc;

use domain::event::{CommandRejected, Metadata};
use domain::rejection::Rejection;

use super::Changes;
use super::stamp::Stamp;

/// A command that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RejectionRow {
    pub(crate) stamp: Stamp,
    pub(crate) command: String,
    pub(crate) stream: String,
    pub(crate) rejection: Rejection,
    pub(crate) metadata: Arc<Metadata>,
}

pub(super) fn apply(changes: &mut Changes, event: &CommandRejected, metadata: &Arc<Metadata>, stamp: Stamp) {
    changes.rejections.push(RejectionRow {
        stamp,
        command: event.command.clone(),
        stream: event.stream.to_string(),
        rejection: event.rejection.clone(),
        metadata: Arc::clone(metadata),
    });
}
