//! Fingerprints: a digest of all that a command asks, by which a key that is used again for something else is noticed.

use std::hash::Hasher;

use siphasher::sip128::{Hasher128, SipHasher24};

use super::definition::Wire;

/// The keys of the digest. Fingerprints are kept in the log for ever: these must not change.
const KEYS: (u64, u64) = (u64::from_be_bytes(*b"Bursar, "), u64::from_be_bytes(*b"commands"));

/// SipHash-2-4 with 128 bits over the command's type, a zero byte, and its canonical JSON. White space, the order of
/// keys and fields that are null do not matter; ids that are still to be made are not in it, so that asking again
/// without them is the same. `scratch` is overwritten.
pub(super) fn fingerprint<W: Wire>(wire: &W, scratch: &mut Vec<u8>) -> u128 {
    scratch.clear();
    scratch.extend_from_slice(W::TYPE.as_bytes());
    scratch.push(0);
    wire.put_canonical(scratch);
    let mut hasher = SipHasher24::new_with_keys(KEYS.0, KEYS.1);
    hasher.write(scratch);
    hasher.finish128().as_u128()
}
