//! A map whose clone is cheap, so that an aggregate with many parts (an account with a million holds) can be tried out
//! on a copy and the copy thrown away. Not a general persistent map: one fork at a time is what it is good at.

use std::borrow::Borrow;
use std::hash::Hash;
use std::sync::Arc;

use foldhash::fast::RandomState;
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

type HashMap<K, V> = std::collections::HashMap<K, V, RandomState>;

/// A hash map that shares its entries with its clones and keeps only differences apart.
///
/// While a clone is alive, writes go into a small map of differences; once it is the only holder again, the next write
/// or [`ForkMap::settle`] folds the differences into the shared part. Cloning costs what the differences cost, not what
/// the entries cost: whoever keeps a fork in the place of the original must settle it, or differences pile up.
#[derive(Debug, Clone)]
pub struct ForkMap<K, V> {
    shared: Option<Arc<HashMap<K, V>>>,
    /// `None` as a value marks a key that was removed from the shared part. In a box because it is almost always absent,
    /// and there is one of these in every account.
    changed: Option<Box<HashMap<K, Option<V>>>>,
}

impl<K, V> Default for ForkMap<K, V> {
    fn default() -> Self {
        Self { shared: None, changed: None }
    }
}

impl<K: Eq + Hash + Clone, V: Clone> ForkMap<K, V> {
    /// The value under a key.
    pub fn get<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        match self.changed.as_ref().and_then(|changed| changed.get(key)) {
            Some(change) => change.as_ref(),
            None => self.shared.as_ref()?.get(key),
        }
    }

    /// Puts a value under a key, over what was there.
    pub fn insert(&mut self, key: K, value: V) {
        match self.unshared() {
            Some(entries) => {
                entries.insert(key, value);
            }
            None => {
                self.changed.get_or_insert_default().insert(key, Some(value));
            }
        }
    }

    /// Takes a key out.
    pub fn remove<Q: Eq + Hash + ?Sized + ToOwned<Owned = K>>(&mut self, key: &Q)
    where
        K: Borrow<Q>,
    {
        match self.unshared() {
            Some(entries) => {
                entries.remove(key);
            }
            None => {
                self.changed.get_or_insert_default().insert(key.to_owned(), None);
            }
        }
    }

    /// Folds the differences into the shared entries, if no clone is alive. Nothing that can be read changes.
    pub fn settle(&mut self) {
        if self.changed.is_some() {
            self.unshared();
        }
    }

    /// How many entries a clone copies.
    #[must_use]
    pub fn differences(&self) -> usize {
        self.changed.as_ref().map_or(0, |changed| changed.len())
    }

    /// All entries, in no promised order.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        let changed = self.changed.as_deref();
        let kept = move |key: &K| !changed.is_some_and(|c| c.contains_key(key));
        let shared = self.shared.iter().flat_map(|entries| entries.iter()).filter(move |(key, _)| kept(key));
        shared.chain(changed.into_iter().flatten().filter_map(|(key, change)| Some((key, change.as_ref()?))))
    }

    /// The shared entries with all differences folded in, if nobody else holds them.
    fn unshared(&mut self) -> Option<&mut HashMap<K, V>> {
        let entries = Arc::get_mut(self.shared.get_or_insert_default())?;
        if let Some(changed) = self.changed.take() {
            for (key, change) in *changed {
                match change {
                    Some(value) => entries.insert(key, value),
                    None => entries.remove(&key),
                };
            }
        }
        Some(entries)
    }
}

/// Written as a map of what can be read; how much of it is shared with clones is nobody's business.
impl<K: Eq + Hash + Clone + Serialize, V: Clone + Serialize> Serialize for ForkMap<K, V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.iter().count()))?;
        for (key, value) in self.iter() {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

impl<'de, K: Eq + Hash + Clone + Deserialize<'de>, V: Clone + Deserialize<'de>> Deserialize<'de> for ForkMap<K, V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let entries = HashMap::deserialize(deserializer)?;
        Ok(Self { shared: (!entries.is_empty()).then(|| Arc::new(entries)), changed: None })
    }
}

impl<K: Eq + Hash + Clone, V: Clone + PartialEq> PartialEq for ForkMap<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().count() == other.iter().count() && self.iter().all(|(key, value)| other.get(key) == Some(value))
    }
}

impl<K: Eq + Hash + Clone, V: Clone + Eq> Eq for ForkMap<K, V> {}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[derive(Debug, Clone)]
    enum Step {
        Insert(u8, u8),
        Remove(u8),
        Fork,
        Keep,
        Discard,
        Settle,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => (0..16_u8, any::<u8>()).prop_map(|(k, v)| Step::Insert(k, v)),
            2 => (0..16_u8).prop_map(Step::Remove),
            1 => Just(Step::Fork),
            1 => Just(Step::Keep),
            1 => Just(Step::Discard),
            1 => Just(Step::Settle),
        ]
    }

    #[test]
    fn forks_that_are_kept_and_settled_leave_no_differences() {
        let mut kept = ForkMap::default();
        for n in 0..1_000 {
            let mut fork = kept.clone();
            fork.insert(n, n);
            fork.remove(&(n - 2));
            assert_eq!(fork.differences(), if n == 0 { 0 } else { 2 });
            kept = fork;
            kept.settle();
            assert_eq!(kept.differences(), 0);
        }
        assert_eq!(kept.iter().map(|(key, _)| *key).collect::<std::collections::BTreeSet<_>>(), [998, 999].into());
    }

    #[test]
    fn a_fork_that_is_alive_is_not_touched_by_settling() {
        let mut kept = ForkMap::default();
        kept.insert(1, "one");
        let mut fork = kept.clone();
        fork.insert(2, "two");
        fork.settle();
        assert_eq!((kept.get(&2), fork.get(&2), fork.differences()), (None, Some(&"two"), 1));
        drop(kept);
        fork.settle();
        assert_eq!((fork.get(&1), fork.get(&2), fork.differences()), (Some(&"one"), Some(&"two"), 0));
    }

    proptest! {
        #[test]
        fn a_fork_map_behaves_like_a_map_that_is_copied_whole(steps in proptest::collection::vec(step(), 0..200)) {
            let mut maps = vec![(ForkMap::default(), HashMap::default())];
            for step in steps {
                let (map, model) = maps.last_mut().unwrap();
                match step {
                    Step::Insert(k, v) => { map.insert(k, v); model.insert(k, v); }
                    Step::Remove(k) => { map.remove(&k); model.remove(&k); }
                    Step::Fork => { let top = maps.last().unwrap().clone(); maps.push(top); }
                    Step::Keep if maps.len() > 1 => { let top = maps.pop().unwrap(); *maps.last_mut().unwrap() = top; }
                    Step::Discard if maps.len() > 1 => { maps.pop(); }
                    Step::Settle => maps.last_mut().unwrap().0.settle(),
                    Step::Keep | Step::Discard => {}
                }
                // Every fork that is alive, so that none sees what another wrote.
                for (map, model) in &maps {
                    prop_assert_eq!(&map.iter().map(|(k, v)| (*k, *v)).collect::<HashMap<_, _>>(), model);
                    prop_assert!((0..16).all(|k| map.get(&k) == model.get(&k)));
                }
            }
        }
    }
}
