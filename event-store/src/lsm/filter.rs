//! The filter of a run: which keys it may have. A blocked Bloom filter: all bits of a key are in one line of 64 bytes, so
//! that a question costs one line of the processor's cache, or one small read. No file is opened here.

use super::block::seed;

/// Bytes of a line: four of checksum, then 480 bits.
pub(super) const LINE_BYTES: usize = 64;
const WORDS: usize = LINE_BYTES / 4;
const LINE_BITS: u32 = 480;
/// 12 bits a key.
const KEYS_PER_LINE: u64 = 40;
const BITS_PER_KEY: usize = 7;
/// Each bit's place is made of so many bits of the key; seven times that leaves the key's upper 37 bits to the line.
const PLACE_BITS: u32 = 13;

/// How many lines a filter for so many keys has; at least one.
pub(super) const fn lines_for(keys: u64) -> u64 {
    if keys == 0 { 1 } else { keys.div_ceil(KEYS_PER_LINE) }
}

/// The line of a key. Keys in ascending order have lines in ascending order: a filter is written from front to back.
pub(super) fn line_of(key: u128, lines: u64) -> u64 {
    // Below `lines`, which is a u64.
    (((key >> 64) * u128::from(lines)) >> 64) as u64
}

/// Where a key's bits are in its line: the same in every run, so it is worked out once for all runs of a table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Probe {
    key: u128,
    /// Word in the line, and bit in the word.
    places: [(u8, u8); BITS_PER_KEY],
}

impl Probe {
    pub(super) fn of(key: u128) -> Self {
        let mut places = [(0, 0); BITS_PER_KEY];
        for (number, place) in places.iter_mut().enumerate() {
            let bits = (key >> (PLACE_BITS * number as u32)) as u32 & ((1 << PLACE_BITS) - 1);
            let bit = (bits * LINE_BITS) >> PLACE_BITS;
            // Word 0 is the checksum.
            *place = ((1 + bit / 32) as u8, (bit % 32) as u8);
        }
        Self { key, places }
    }

    pub(super) const fn key(&self) -> u128 {
        self.key
    }
}

/// A line; aligned like a line of the processor's cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(align(64))]
pub(super) struct Line([u32; WORDS]);

impl Line {
    pub(super) const EMPTY: Self = Self([0; WORDS]);

    pub(super) fn insert(&mut self, probe: &Probe) {
        for (word, bit) in probe.places {
            self.0[usize::from(word) % WORDS] |= 1 << bit;
        }
    }

    /// False: the key was not inserted. True: it may have been.
    pub(super) fn may_contain(&self, probe: &Probe) -> bool {
        // No early way out: one branch per run, which is nearly always foreseen, costs less than one per bit.
        let mut all = 1;
        for (word, bit) in probe.places {
            all &= self.0[usize::from(word) % WORDS] >> (bit % 32);
        }
        all & 1 == 1
    }

    /// The line's bytes, at `offset` of the run with `stamp`.
    pub(super) fn encode(&self, stamp: u64, offset: u64) -> [u8; LINE_BYTES] {
        let mut bytes = [0; LINE_BYTES];
        for (place, word) in bytes.chunks_exact_mut(4).zip(self.0) {
            place.copy_from_slice(&word.to_le_bytes());
        }
        let checksum = crc32c::crc32c_append(seed(stamp, offset), &bytes[4..]);
        bytes[..4].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// `None` when the checksum is wrong.
    pub(super) fn decode(bytes: &[u8; LINE_BYTES], stamp: u64, offset: u64) -> Option<Self> {
        let mut words = [0; WORDS];
        for (word, place) in words.iter_mut().zip(bytes.chunks_exact(4)) {
            *word = u32::from_le_bytes([place[0], place[1], place[2], place[3]]);
        }
        let checksum = crc32c::crc32c_append(seed(stamp, offset), &bytes[4..]);
        (words[0] == checksum).then_some(Self(words))
    }
}

/// A whole filter in memory.
#[derive(Debug)]
pub(super) struct Filter(pub(super) Vec<Line>);

impl Filter {
    pub(super) fn may_contain(&self, probe: &Probe) -> bool {
        let line = line_of(probe.key, self.0.len() as u64);
        // A filter has at least one line, and `line_of` is below their number.
        self.0.get(line as usize).is_some_and(|line| line.may_contain(probe))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// Keys as a digest gives them.
    fn key(number: u64) -> u128 {
        let mut wide = u128::from(number) + 1;
        for _ in 0..3 {
            wide = wide.wrapping_mul(0x2360_ed05_1fc6_5da4_4385_df64_9fcc_f645);
            wide ^= wide >> 67;
        }
        wide
    }

    fn filled(keys: u64) -> Filter {
        let lines = lines_for(keys);
        let mut filter = Filter(vec![Line::EMPTY; lines as usize]);
        for number in 0..keys {
            filter.0[line_of(key(number), lines) as usize].insert(&Probe::of(key(number)));
        }
        filter
    }

    #[test]
    fn what_was_inserted_is_found_and_at_most_seven_in_a_thousand_others() {
        for keys in [1, 40, 41, 1000, 200_000] {
            let filter = filled(keys);
            assert!((0..keys).all(|number| filter.may_contain(&Probe::of(key(number)))), "{keys}");
            let others = 200_000;
            let wrong = (0..others).filter(|n| filter.may_contain(&Probe::of(key(1 << 40 | n)))).count() as u64;
            assert!(keys < 1000 || wrong * 1000 <= others * 7, "{keys} keys: {wrong} of {others}");
        }
    }

    #[test]
    fn a_line_is_read_as_it_was_written_and_nowhere_else() {
        let mut line = Line::EMPTY;
        line.insert(&Probe::of(key(5)));
        let bytes = line.encode(7, 640);
        let read = Line::decode(&bytes, 7, 640).unwrap();
        assert!(read.may_contain(&Probe::of(key(5))));
        assert_eq!(Line::decode(&bytes, 7, 704), None);
        assert_eq!(Line::decode(&bytes, 8, 640), None);
        for bit in 0..LINE_BYTES * 8 {
            let mut flipped = bytes;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Line::decode(&flipped, 7, 640), None, "{bit}");
        }
    }
}
