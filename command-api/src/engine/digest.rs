//! Names as keyed 128-bit digests: what the derived store is searched by. 128 bits count as identity; the key is drawn
//! with the store, so that nobody outside can prepare two names that collide.

use std::hash::{BuildHasherDefault, Hash, Hasher};

use siphasher::sip128::{Hasher128, SipHasher13};

/// The digest of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Digest(u64, u64);

/// What kind of name it is; names of different kinds have different digests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    Key = 1,
    TransferSent = 2,
    TransferReversed = 3,
    Account = 4,
    Product = 5,
    Order = 6,
    Payment = 7,
}

/// Makes digests.
#[derive(Debug, Clone, Copy)]
pub(super) struct Digester(SipHasher13);

impl Digester {
    /// Digests under a secret key.
    pub(super) fn new(key: u128) -> Self {
        Self(SipHasher13::new_with_keys((key >> 64) as u64, key as u64))
    }

    /// The digest of a name.
    pub(super) fn name(&self, kind: Kind, name: &str) -> Digest {
        let mut digest = self.0;
        digest.write(name.as_bytes());
        // Last, so that the text before it starts on a word; the digest's own length tells where the text ends.
        digest.write_u8(kind as u8);
        Digest::of(&digest)
    }

    /// The digest of an idempotency key within its principal's scope.
    pub(super) fn scope(&self, principal: &str, key: &str) -> Digest {
        let mut digest = self.0;
        // The length first, so that no principal and key read like another principal and key.
        digest.write_u64(principal.len() as u64);
        digest.write(principal.as_bytes());
        digest.write(key.as_bytes());
        digest.write_u8(Kind::Key as u8);
        Digest::of(&digest)
    }
}

impl Digest {
    fn of(digest: &SipHasher13) -> Self {
        let digest = digest.finish128();
        Self(digest.h1, digest.h2)
    }

    /// The digest as a key of the store.
    pub(super) const fn to_bits(self) -> u128 {
        (self.0 as u128) << 64 | self.1 as u128
    }
}

impl Hash for Digest {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.1);
    }
}

/// Takes a digest as its own hash: it is as good as random already.
#[derive(Debug, Default)]
pub(super) struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = word;
    }
}

/// For maps whose keys are digests.
pub(super) type ByDigest = BuildHasherDefault<AsItIs>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_is_told_from_every_other_way_to_cut_the_same_text() {
        let digester = Digester::new(7);
        assert_eq!(digester.scope("ann", "1"), digester.scope("ann", "1"));
        assert_ne!(digester.scope("ann", "1"), digester.scope("an", "n1"));
        assert_ne!(digester.scope("ann", "1"), Digester::new(8).scope("ann", "1"));
        assert_ne!(digester.name(Kind::Account, "a"), digester.name(Kind::Order, "a"));
    }
}
