//! What the running log says of itself, for health checks and metrics.

use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use super::preparer::{NotReady, PreparerWatch};
use super::writer::Failure;
use crate::index::follow::DurableEnd;

/// Shared between the appender, the writer and the handles.
#[derive(Debug, Default)]
pub(crate) struct Status {
    pub(crate) failure: Arc<Failure>,
    segment_room_bytes: AtomicU64,
    /// Up to where everything is durable: the segment above, the offset (a multiple of 8) below.
    durable_end: AtomicU64,
    preparer: OnceLock<PreparerWatch>,
}

/// How much can be appended, and what stands in the way of more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Room {
    /// Bytes that can be appended for certain, as of the last group.
    pub bytes: u64,
    /// Set when the disk is full: appends end when `bytes` are used up and resume by themselves.
    pub disk_full: Option<String>,
    /// Set when the next segment cannot be made for another reason.
    pub stalled: Option<String>,
}

impl Status {
    pub(crate) fn publish_room(&self, segment_room_bytes: u64) {
        self.segment_room_bytes.store(segment_room_bytes, Ordering::Relaxed);
    }

    /// Everything before this place is durable. Published before the position is, so that who knows of a durable
    /// position finds it here.
    pub(crate) fn publish_durable_end(&self, end: DurableEnd) {
        self.durable_end.store(u64::from(end.segment) << 32 | end.offset >> 3, Ordering::Release);
    }

    pub(crate) fn durable_end(&self) -> DurableEnd {
        let end = self.durable_end.load(Ordering::Acquire);
        DurableEnd { segment: (end >> 32) as u32, offset: (end & 0xffff_ffff) << 3 }
    }

    pub(crate) fn watch_preparer(&self, preparer: PreparerWatch) {
        // Set once, when the appender starts.
        let _ = self.preparer.set(preparer);
    }

    pub(crate) fn room(&self) -> Room {
        let preparer = self.preparer.get();
        let mut room = Room {
            bytes: self.segment_room_bytes.load(Ordering::Relaxed) + preparer.map_or(0, PreparerWatch::ready_bytes),
            disk_full: None,
            stalled: None,
        };
        match preparer.and_then(PreparerWatch::stalled) {
            Some(NotReady::DiskFull(reason)) => room.disk_full = Some(reason),
            Some(NotReady::Stalled(reason)) => room.stalled = Some(reason),
            Some(NotReady::TimedOut(_)) | None => {}
        }
        room
    }
}
