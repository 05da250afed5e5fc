//! A group: what gathers while the writer syncs, and is then written at once. Where its frames go was decided when
//! they were committed; their checksums are made by the writer.

use super::segment::Segment;

/// Buffers that grew beyond this are given back to the system after use.
const BUFFER_KEPT_BYTES: usize = 16 << 20;

/// A contiguous piece of a group that goes into one segment.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) segment: Segment,
    /// Where in the segment it goes.
    pub(crate) offset: u64,
    /// Where in the group's bytes it starts; it ends where the next run starts.
    pub(crate) at: usize,
}

/// Frames and the tokens to acknowledge once they are durable.
#[derive(Debug)]
pub(crate) struct Group<A> {
    pub(crate) bytes: Vec<u8>,
    pub(crate) runs: Vec<Run>,
    pub(crate) tokens: Vec<A>,
    /// The position of the first event after everything committed so far.
    pub(crate) next_position: domain::ids::Position,
}

impl<A> Group<A> {
    pub(crate) const fn new(next_position: domain::ids::Position) -> Self {
        Self { bytes: Vec::new(), runs: Vec::new(), tokens: Vec::new(), next_position }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty() && self.tokens.is_empty()
    }

    /// Makes the group ready to gather again.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(BUFFER_KEPT_BYTES);
        self.runs.clear();
        self.tokens.clear();
    }
}
