//! A map for what is nearly always a handful of entries, such as the aggregates that one command changes: they are kept
//! in a row and compared one by one, which costs less than hashing. It stays quick when there are thousands.

use std::collections::HashMap;
use std::hash::Hash;
use std::ops::Index;

use foldhash::fast::RandomState;

/// How many entries are looked through one by one.
const FEW: usize = 8;

/// A map that keeps the order in which its keys came.
#[derive(Debug, Clone)]
pub struct Few<K, V> {
    entries: Vec<(K, V)>,
    /// Where each key stands, once there are more than [`FEW`].
    places: HashMap<K, usize, RandomState>,
}

impl<K, V> Default for Few<K, V> {
    fn default() -> Self {
        Self { entries: Vec::new(), places: HashMap::default() }
    }
}

impl<K: Eq + Hash + Clone, V> Few<K, V> {
    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &K) -> Option<&V> {
        self.place(key).map(|place| &self.entries[place].1)
    }

    /// The value of a key, made by `make` if there is none yet.
    pub fn get_or_insert_with(&mut self, key: &K, make: impl FnOnce() -> V) -> &mut V {
        let place = self.place(key).unwrap_or_else(|| self.push(key.clone(), make()));
        &mut self.entries[place].1
    }

    /// Sets the value of a key.
    pub fn insert(&mut self, key: K, value: V) {
        match self.place(&key) {
            Some(place) => self.entries[place].1 = value,
            None => {
                self.push(key, value);
            }
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The entries, in the order in which their keys came.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&K, &V)> {
        self.entries.iter().map(|(key, value)| (key, value))
    }

    /// Takes all entries out, in the order in which their keys came.
    pub fn drain(&mut self) -> impl ExactSizeIterator<Item = (K, V)> {
        self.forget_places();
        self.entries.drain(..)
    }

    /// Forgets all entries but keeps the room for them, unless it has grown beyond `kept` entries.
    pub fn clear(&mut self, kept: usize) {
        if self.entries.capacity() > kept {
            *self = Self::default();
            return;
        }
        self.entries.clear();
        self.forget_places();
    }

    fn forget_places(&mut self) {
        if !self.places.is_empty() {
            self.places.clear();
        }
    }

    fn place(&self, key: &K) -> Option<usize> {
        if self.entries.len() <= FEW {
            return self.entries.iter().position(|(known, _)| known == key);
        }
        self.places.get(key).copied()
    }

    fn push(&mut self, key: K, value: V) -> usize {
        let place = self.entries.len();
        if place == FEW {
            self.places.extend(self.entries.iter().map(|(key, _)| key.clone()).zip(0..));
        }
        if place >= FEW {
            self.places.insert(key.clone(), place);
        }
        self.entries.push((key, value));
        place
    }
}

impl<K: Eq + Hash + Clone, V> Index<&K> for Few<K, V> {
    type Output = V;

    fn index(&self, key: &K) -> &V {
        self.get(key).expect("an entry is indexed by a key that it has")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_answers_like_a_map_whether_few_or_many(
            steps in prop::collection::vec((0_u8..24, any::<u16>(), any::<bool>()), 0..64)
        ) {
            let (mut few, mut map, mut order) = (Few::default(), HashMap::new(), Vec::new());
            for (key, value, overwrite) in steps {
                if !map.contains_key(&key) {
                    order.push(key);
                }
                if overwrite {
                    few.insert(key, value);
                    map.insert(key, value);
                } else {
                    prop_assert_eq!(*few.get_or_insert_with(&key, || value), *map.entry(key).or_insert(value));
                }
                for key in 0..24 {
                    prop_assert_eq!(few.get(&key), map.get(&key));
                }
            }
            prop_assert_eq!(few.iter().map(|(key, _)| *key).collect::<Vec<_>>(), order.clone());
            let drained: Vec<_> = few.drain().collect();
            prop_assert_eq!(drained, order.into_iter().map(|key| (key, map[&key])).collect::<Vec<_>>());
            prop_assert_eq!(few.get(&0), None);
        }
    }
}
