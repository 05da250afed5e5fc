//! Which keys were used, by whom, for what, and where the result stands. Rebuilt from the log; kept for ever.
//! The result itself stays in the log and is read from there when a key comes again.

use std::collections::HashMap;
use std::hash::Hasher;

use event_store::log::frame::FramePlace;
use event_store::transaction::Outcome;
use siphasher::sip128::{Hasher128, SipHasher13};

/// Where the entry of a command stands in the log.
#[derive(Debug, Clone, Copy)]
pub(super) struct EntryPlace {
    /// The frame.
    pub(super) frame: FramePlace,
    /// Which of its entries.
    pub(super) entry_index: u32,
}

/// A key that was used.
#[derive(Debug, Clone, Copy)]
pub(super) struct Used {
    /// The digest of what was asked.
    pub(super) fingerprint: u128,
    /// Whether it was refused.
    pub(super) refused: bool,
    /// Where the result stands.
    pub(super) place: EntryPlace,
}

/// All keys. A scope is kept as a keyed 128-bit digest, not as text: the key of the digest is drawn anew at every start,
/// so that nobody can prepare two scopes that collide.
#[derive(Debug)]
pub(super) struct Keys {
    used: HashMap<u128, Used, foldhash::fast::RandomState>,
    digest: SipHasher13,
}

impl Keys {
    pub(super) fn new() -> Self {
        let (high, low) = uuid::Uuid::new_v4().as_u64_pair();
        Self { used: HashMap::default(), digest: SipHasher13::new_with_keys(high, low) }
    }

    /// What a key was used for.
    pub(super) fn get(&self, principal: &str, key: &str) -> Option<&Used> {
        self.used.get(&self.scope(principal, key))
    }

    /// Notes that a key was used.
    pub(super) fn insert(&mut self, principal: &str, key: &str, used: Used) {
        self.used.insert(self.scope(principal, key), used);
    }

    fn scope(&self, principal: &str, key: &str) -> u128 {
        let mut digest = self.digest;
        // The length first, so that no principal and key read like another principal and key.
        digest.write_u64(principal.len() as u64);
        digest.write(principal.as_bytes());
        digest.write(key.as_bytes());
        digest.finish128().as_u128()
    }
}

impl Used {
    pub(super) fn new(fingerprint: u128, outcome: Outcome, frame: FramePlace, entry_index: u32) -> Self {
        let place = EntryPlace { frame, entry_index };
        Self { fingerprint, refused: outcome == Outcome::Refused, place }
    }
}
