//! Fences: for each block of a run its first key and its place, in pages of 4 KiB with a checksum each. They tell the
//! one block that can have a key. No file is opened here.

use super::block::seed;

/// A page: checksum, number of fences, zeros, then the fences.
pub(super) const PAGE_BYTES: usize = 4096;
pub(super) const PAGE_HEADER_BYTES: usize = 32;
pub(super) const FENCE_BYTES: usize = 32;
/// Fences in a full page.
pub(super) const FENCES_PER_PAGE: u64 = ((PAGE_BYTES - PAGE_HEADER_BYTES) / FENCE_BYTES) as u64;

/// Where a block is, and which checksum it has there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Place {
    pub(super) offset: u64,
    pub(super) length: u32,
    pub(super) checksum: u32,
}

/// Fences in ascending order; keys apart from places, so that a search touches few lines of the cache.
#[derive(Debug, Default)]
pub(super) struct Fences {
    keys: Vec<u128>,
    places: Vec<Place>,
}

impl Fences {
    pub(super) fn with_capacity(fences: usize) -> Self {
        Self { keys: Vec::with_capacity(fences), places: Vec::with_capacity(fences) }
    }

    pub(super) fn push(&mut self, first_key: u128, place: Place) {
        self.keys.push(first_key);
        self.places.push(place);
    }

    pub(super) const fn len(&self) -> usize {
        self.keys.len()
    }

    /// The place of the block that has `key` if any has.
    pub(super) fn locate(&self, key: u128) -> Option<Place> {
        let after = not_above(&self.keys, key);
        self.places.get(after.checked_sub(1)?).copied()
    }

    /// The first key and the bytes of a page at `offset` of the run with `stamp`; empties it for the next page.
    pub(super) fn seal_page(&mut self, stamp: u64, offset: u64) -> Option<(u128, [u8; PAGE_BYTES])> {
        let first = *self.keys.first()?;
        let mut bytes = [0; PAGE_BYTES];
        bytes[4..8].copy_from_slice(&(self.keys.len() as u32).to_le_bytes());
        let fences = self.keys.drain(..).zip(self.places.drain(..));
        for (slot, (key, place)) in bytes[PAGE_HEADER_BYTES..].chunks_exact_mut(FENCE_BYTES).zip(fences) {
            slot[..16].copy_from_slice(&key.to_le_bytes());
            slot[16..24].copy_from_slice(&place.offset.to_le_bytes());
            slot[24..28].copy_from_slice(&place.length.to_le_bytes());
            slot[28..32].copy_from_slice(&place.checksum.to_le_bytes());
        }
        let checksum = crc32c::crc32c_append(seed(stamp, offset), &bytes[4..]);
        bytes[..4].copy_from_slice(&checksum.to_le_bytes());
        Some((first, bytes))
    }

    /// Adds the fences of the page at `offset` of the run with `stamp`; `None` when the page is not as it was written.
    pub(super) fn read_page(&mut self, bytes: &[u8], stamp: u64, offset: u64) -> Option<()> {
        if bytes.len() != PAGE_BYTES {
            return None;
        }
        let (checksum, rest) = bytes.split_first_chunk::<4>()?;
        if crc32c::crc32c_append(seed(stamp, offset), rest) != u32::from_le_bytes(*checksum) {
            return None;
        }
        let (count, _) = rest.split_first_chunk::<4>()?;
        let count = u32::from_le_bytes(*count) as usize;
        for slot in bytes[PAGE_HEADER_BYTES..].chunks_exact(FENCE_BYTES).take(count) {
            let (key, place) = slot.split_first_chunk::<16>()?;
            let (offset, place) = place.split_first_chunk::<8>()?;
            let (length, checksum) = place.split_first_chunk::<4>()?;
            let place = Place {
                offset: u64::from_le_bytes(*offset),
                length: u32::from_le_bytes(*length),
                checksum: u32::from_le_bytes(checksum.try_into().ok()?),
            };
            self.push(u128::from_le_bytes(*key), place);
        }
        Some(())
    }
}

/// How many of the ascending `keys` are not above `key`. Starts where an evenly spread key would be and widens from there:
/// with digests that is a few steps, and never more than a binary search twice over.
pub(super) fn not_above(keys: &[u128], key: u128) -> usize {
    if keys.is_empty() {
        return 0;
    }
    let guess = (((key >> 64) * keys.len() as u128) >> 64) as usize;
    let (mut low, mut high, mut step) = (guess, guess, 1);
    if keys[guess] <= key {
        while high < keys.len() && keys[high] <= key {
            low = high;
            high += step;
            step *= 2;
        }
        high = high.min(keys.len());
    } else {
        while low > 0 && keys[low] > key {
            high = low;
            low = low.saturating_sub(step);
            step *= 2;
        }
    }
    low + keys[low..high].partition_point(|first| *first <= key)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn place(offset: u64) -> Place {
        Place { offset, length: 7, checksum: 9 }
    }

    #[test]
    fn a_page_is_read_as_it_was_written_and_nowhere_else() {
        let mut fences = Fences::default();
        for number in 0..FENCES_PER_PAGE {
            fences.push(u128::from(number) * 10, place(number));
        }
        let (first, bytes) = fences.seal_page(3, 8192).unwrap();
        assert_eq!((first, fences.len()), (0, 0));
        let mut read = Fences::default();
        assert_eq!(read.read_page(&bytes, 3, 4096), None);
        assert_eq!(read.read_page(&bytes, 4, 8192), None);
        assert_eq!(read.read_page(&bytes, 3, 8192), Some(()));
        assert_eq!(read.len() as u64, FENCES_PER_PAGE);
        assert_eq!(read.locate(55), Some(place(5)));
        assert_eq!(read.locate(60), Some(place(6)));
        assert_eq!(read.locate(u128::MAX), Some(place(FENCES_PER_PAGE - 1)));
    }

    #[test]
    fn a_key_below_the_first_fence_is_in_no_block() {
        let mut fences = Fences::default();
        assert_eq!(fences.locate(1), None);
        fences.push(2, place(0));
        assert_eq!((fences.locate(1), fences.locate(2)), (None, Some(place(0))));
    }

    proptest! {
        #[test]
        fn searching_from_a_guess_finds_what_a_plain_search_finds(
            mut keys in proptest::collection::vec(prop_oneof![any::<u128>(), 0..20_u128], 0..200),
            key in prop_oneof![any::<u128>(), 0..20_u128],
        ) {
            keys.sort_unstable();
            prop_assert_eq!(not_above(&keys, key), keys.partition_point(|k| *k <= key));
        }
    }
}
