//! What a checkpoint hands over for one table: records in the order in which they came. No file is opened here.

/// Records of one table, in memory: keys, and their values one behind the other.
#[derive(Debug, Default)]
pub struct Records {
    bytes: Vec<u8>,
    places: Vec<RecordPlace>,
}

/// Ordered by key, then by age: of two records with the same key, the later one has the greater offset, or the same one
/// and the longer value when the first is empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct RecordPlace {
    key: u128,
    offset: usize,
    length: u32,
}

impl Records {
    /// The longest value, in bytes: 1 GiB.
    pub const VALUE_BYTES_MAX: usize = 1 << 30;

    /// No records, with room for so many records with so many bytes of values in all.
    #[must_use]
    pub fn with_capacity(records: usize, value_bytes: usize) -> Self {
        Self { bytes: Vec::with_capacity(value_bytes), places: Vec::with_capacity(records) }
    }

    /// Adds a record. Of several with the same key the last one counts.
    ///
    /// # Panics
    /// When the value is longer than [`Records::VALUE_BYTES_MAX`].
    pub fn push(&mut self, key: u128, value: &[u8]) {
        self.push_with(key, |bytes| bytes.extend_from_slice(value));
    }

    /// Adds a record whose value `write` appends to the bytes that it is given, without a copy.
    ///
    /// # Panics
    /// When the value is longer than [`Records::VALUE_BYTES_MAX`].
    pub fn push_with(&mut self, key: u128, write: impl FnOnce(&mut Vec<u8>)) {
        let offset = self.bytes.len();
        write(&mut self.bytes);
        let length = self.bytes.len() - offset;
        assert!(length <= Self::VALUE_BYTES_MAX, "a value of {length} bytes is longer than a record may be");
        self.places.push(RecordPlace { key, offset, length: length as u32 });
    }

    /// How many records were added.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether none was added.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Bytes of memory in use.
    #[must_use]
    pub const fn memory_bytes(&self) -> usize {
        self.bytes.capacity() + self.places.capacity() * size_of::<RecordPlace>()
    }

    /// Puts the records into the order of their keys.
    pub(super) fn sort(&mut self) {
        self.places.sort_unstable();
    }

    /// The records, sorted before; of equal keys the last one only.
    pub(super) fn newest(&self) -> impl Iterator<Item = (u128, &[u8])> {
        let next_keys = self.places.iter().skip(1).map(|place| Some(place.key)).chain([None]);
        let newest = self.places.iter().zip(next_keys).filter(|(place, next)| Some(place.key) != *next);
        newest.map(|(place, _)| (place.key, &self.bytes[place.offset..place.offset + place.length as usize]))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn sorting_keeps_the_last_of_equal_keys(
            pushed in proptest::collection::vec((0..12_u128, proptest::collection::vec(any::<u8>(), 0..3)), 0..60),
        ) {
            let mut records = Records::default();
            let mut model = BTreeMap::new();
            for (key, value) in pushed {
                records.push(key, &value);
                model.insert(key, value);
            }
            records.sort();
            let newest: Vec<_> = records.newest().map(|(key, value)| (key, value.to_vec())).collect();
            prop_assert_eq!(newest, model.into_iter().collect::<Vec<_>>());
        }
    }
}
