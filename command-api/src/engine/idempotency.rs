//! Which keys were used, by whom, for what, and where the result stands; kept for ever. The result itself stays in the
//! log and is read from there when a key comes again.

use event_store::log::frame::{FrameAddress, FramePlace};
use event_store::lsm::{Damaged, Store};
use event_store::transaction::Outcome;

use super::claims::{Claim, Claims, Leaving};
use super::digest::{Digest, Digester};
use super::tables;

/// Where the entry of a command stands in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct EntryPlace {
    /// The frame.
    pub(super) frame: FrameAddress,
    /// Which of its entries.
    pub(super) entry_index: u32,
}

/// A key that was used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Used {
    /// Half of the digest of what was asked: enough to tell a retry from a mistake.
    fingerprint: u64,
    frame: FrameAddress,
    /// The index of the entry, twice, plus one when it was refused.
    entry_and_refused: u32,
}

impl Used {
    pub(super) fn new(fingerprint: u128, outcome: Outcome, frame: FramePlace, entry_index: u32) -> Self {
        let refused = u32::from(outcome == Outcome::Refused);
        Self { fingerprint: half(fingerprint), frame: frame.address(), entry_and_refused: entry_index << 1 | refused }
    }

    /// Whether the key was used for the same command.
    pub(super) fn is_for(&self, fingerprint: u128) -> bool {
        self.fingerprint == half(fingerprint)
    }

    /// Whether the command was refused.
    pub(super) const fn refused(&self) -> bool {
        self.entry_and_refused & 1 == 1
    }

    /// Where the result stands.
    pub(super) const fn place(&self) -> EntryPlace {
        EntryPlace { frame: self.frame, entry_index: self.entry_and_refused >> 1 }
    }
}

fn half(fingerprint: u128) -> u64 {
    (fingerprint >> 64) as u64 ^ fingerprint as u64
}

impl Claim for Used {
    fn put(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.fingerprint.to_le_bytes());
        bytes.extend_from_slice(&self.frame.to_bits().to_le_bytes());
        bytes.extend_from_slice(&self.entry_and_refused.to_le_bytes());
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let (fingerprint, rest) = bytes.split_first_chunk()?;
        let (frame, rest) = rest.split_first_chunk()?;
        Some(Self {
            fingerprint: u64::from_le_bytes(*fingerprint),
            frame: FrameAddress::from_bits(u64::from_le_bytes(*frame)),
            entry_and_refused: u32::from_le_bytes(rest.try_into().ok()?),
        })
    }
}

/// All keys.
#[derive(Debug)]
pub(super) struct Keys {
    used: Claims<Used>,
    digester: Digester,
}

impl Keys {
    pub(super) fn new(digester: Digester, room: usize) -> Self {
        Self { used: Claims::new(tables::COMMANDS, room), digester }
    }

    /// What a key is looked up by.
    pub(super) fn scope(&self, principal: &str, key: &str) -> Digest {
        self.digester.scope(principal, key)
    }

    /// What a key was used for.
    pub(super) fn get(&self, store: &mut Store, scope: Digest) -> Result<Option<Used>, Damaged> {
        self.used.get(store, scope)
    }

    /// Whether a key may have been used; asks memory only, and errs only towards "yes".
    pub(super) fn may_have(&self, store: &Store, scope: Digest) -> bool {
        self.used.may_have(store, scope)
    }

    /// Notes that a key was used.
    pub(super) fn insert(&mut self, scope: Digest, used: Used) {
        self.used.insert(scope, used);
    }

    /// How many keys wait for the next checkpoint.
    pub(super) fn waiting(&self) -> usize {
        self.used.waiting()
    }

    /// Sets the newest keys aside for a checkpoint.
    pub(super) fn leave(&mut self) -> Leaving<Used> {
        self.used.leave()
    }

    /// The keys that were set aside are in the store.
    pub(super) fn left(&mut self) {
        self.used.left();
    }
}

#[cfg(test)]
mod tests {
    use domain::ids::Position;

    use super::*;

    #[test]
    fn a_used_key_reads_back_as_itself() {
        let frame = FramePlace {
            first_position: Position(9),
            last_position: Position(10),
            segment: 4_000_000_000,
            offset: (2 << 30) - 8,
        };
        let used = Used::new(3 << 64 | 5, Outcome::Refused, frame, 70_000);
        let mut bytes = Vec::new();
        used.put(&mut bytes);
        assert_eq!(bytes.len(), 20);
        assert_eq!(Used::read(&bytes), Some(used));
        assert_eq!(Used::read(&bytes[..19]), None);
        assert!(used.refused() && used.is_for(3 << 64 | 5) && !used.is_for(5));
        assert_eq!((used.place().entry_index, used.place().frame.segment()), (70_000, 4_000_000_000));
        assert_eq!(used.place().frame.offset(), (2 << 30) - 8);
    }
}
