//! How groups change hands between the appender and the writer. Two groups exist: one gathers, the other is written or
//! lies ready; so neither side ever has a third, and no channel ever blocks who sends. What a group is stands in
//! `group.rs`; `command-api/tests/model` checks this file under every order of steps that its schedulers find.

use super::sync::{Receiver, Select, Sender, TryRecvError, bounded};

/// The other side has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gone;

/// The appender's side: gives full groups away and gets empty ones.
#[derive(Debug)]
pub(crate) struct Outgoing<G> {
    /// Empty groups come back here when the writer can take the next one.
    spares: Receiver<G>,
    /// An empty group that came back while everything was waited for.
    spare: Option<G>,
    /// `None` once closed.
    groups: Option<Sender<G>>,
}

/// The writer's side.
#[derive(Debug)]
pub(crate) struct Incoming<G> {
    groups: Receiver<G>,
    spares: Sender<G>,
}

/// Both sides, for a writer that begins with nothing to do; `empty` is the second group, the appender has the first.
pub(crate) fn handover<G>(empty: G) -> (Outgoing<G>, Incoming<G>) {
    let (groups, groups_in) = bounded(2);
    let (spares, spares_in) = bounded(2);
    // The channel was made for two and is empty.
    let _ = spares.send(empty);
    (Outgoing { spares: spares_in, spare: None, groups: Some(groups) }, Incoming { groups: groups_in, spares })
}

impl<G> Outgoing<G> {
    /// The empty group, if the writer has given it back: then the writer has nothing to do. `None` while it is writing.
    pub(crate) fn try_take(&mut self) -> Result<Option<G>, Gone> {
        match self.spare.take().map_or_else(|| self.spares.try_recv(), Ok) {
            Ok(spare) => Ok(Some(spare)),
            Err(TryRecvError::Empty) => Ok(None),
            Err(TryRecvError::Disconnected) => Err(Gone),
        }
    }

    /// Waits for the empty group.
    pub(crate) fn take(&mut self) -> Result<G, Gone> {
        self.spare.take().map_or_else(|| self.spares.recv(), Ok).map_err(|_| Gone)
    }

    /// Gives a group to the writer; the empty one was taken before.
    pub(crate) fn give(&self, group: G) -> Result<(), Gone> {
        self.groups.as_ref().map_or(Err(Gone), |groups| groups.send(group).map_err(|_| Gone))
    }

    /// Waits until the writer has written everything that it was given.
    pub(crate) fn settle(&mut self) -> Result<(), Gone> {
        // The writer gives the other group back when it has written it; it is kept, as the next one to gather in.
        let spare = self.take()?;
        self.spare = Some(spare);
        Ok(())
    }

    /// Adds "the writer can take a group" to a selection and answers its index there. It is never ready while an empty
    /// group is kept here, so ask [`Outgoing::try_take`] before.
    pub(crate) fn watch<'a>(&'a self, select: &mut Select<'a>) -> usize {
        select.recv(&self.spares)
    }

    /// Whether nothing more can be given.
    pub(crate) const fn is_closed(&self) -> bool {
        self.groups.is_none()
    }

    /// Gives nothing more: the writer ends when it has written what it has.
    pub(crate) fn close(&mut self) {
        self.groups = None;
    }
}

impl<G> Incoming<G> {
    /// Waits for the next group; `None` when there will be none.
    pub(crate) fn next(&self) -> Option<G> {
        self.groups.recv().ok()
    }

    /// Gives an emptied group back. The appender may be gone; then nobody needs it.
    pub(crate) fn give_back(&self, group: G) {
        let _ = self.spares.send(group);
    }
}
