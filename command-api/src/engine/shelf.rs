//! The states of one kind of aggregate that are in memory, out of all there are. A state that has changed stays until a
//! checkpoint has saved it; one that has not been asked for lately gives way.

#[cfg(test)]
mod golden;

use std::borrow::Borrow;
use std::cell::Cell;
use std::hash::Hash;

use domain::aggregate::{Aggregate, Versioned};
use domain::few::Few;
use event_store::lsm::Records;
use indexmap::IndexMap;
use postcard::ser_flavors::Flavor;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::digest::{Digest, Digester, Kind};

/// A kind of aggregate as it is kept.
pub(super) trait Kept: Aggregate<Id: KeptId> + Serialize + DeserializeOwned {
    /// Tells the digests of its names from those of others.
    const KIND: Kind;
}

/// A name that states are kept under.
pub(super) trait KeptId: Eq + Hash + Clone + Borrow<str> + Serialize + DeserializeOwned {}

impl<I: Eq + Hash + Clone + Borrow<str> + Serialize + DeserializeOwned> KeptId for I {}

#[derive(Debug)]
struct Resident<A> {
    state: Versioned<A>,
    /// Whether the store has an older state, or none.
    dirty: bool,
    /// The round in which it was saved last.
    saved_in: u32,
    /// Whether it was asked for since the hand came by.
    touched: Cell<bool>,
}

/// How many places are remembered of those that were asked for last.
const LATELY: usize = 2;

/// The states in memory.
#[derive(Debug)]
pub(super) struct Shelf<A: Kept> {
    residents: IndexMap<A::Id, Resident<A>, foldhash::fast::RandomState>,
    dirty: usize,
    /// How far the round at hand has come; nothing gives way meanwhile.
    saving: Option<usize>,
    /// Where the search for states to give way goes on.
    hand: usize,
    /// Where the states stand that were asked for last: what a decision looked at is what it changes.
    lately: [Cell<usize>; LATELY],
    /// Which of these is overwritten next.
    oldest: Cell<usize>,
}

impl<A: Kept> Default for Shelf<A> {
    fn default() -> Self {
        Self {
            residents: IndexMap::default(),
            dirty: 0,
            saving: None,
            hand: 0,
            lately: Default::default(),
            oldest: Cell::default(),
        }
    }
}

impl<A: Kept> Shelf<A> {
    /// A state, if it is in memory.
    pub(super) fn get(&self, id: &A::Id) -> Option<&Versioned<A>> {
        let (place, _, resident) = self.residents.get_full(id)?;
        resident.touched.set(true);
        let oldest = self.oldest.get();
        self.lately[oldest].set(place);
        self.oldest.set((oldest + 1) % LATELY);
        Some(&resident.state)
    }

    /// Whether a state is in memory.
    pub(super) fn has(&self, id: &A::Id) -> bool {
        self.residents.get(id).is_some_and(|resident| resident.state.events > 0)
    }

    /// Where a state stands, quickly if it was asked for lately.
    fn place(&self, id: &A::Id) -> Option<usize> {
        let lately = self.lately.iter().map(Cell::get);
        lately
            .into_iter()
            .find(|place| self.residents.get_index(*place).is_some_and(|(known, _)| known == id))
            .or_else(|| self.residents.get_index_of(id))
    }

    /// How many states are in memory.
    pub(super) fn len(&self) -> usize {
        self.residents.len()
    }

    /// How many of them have to be saved.
    pub(super) const fn dirty(&self) -> usize {
        self.dirty
    }

    /// Takes changed states over, and leaves `changed` empty.
    pub(super) fn adopt(&mut self, changed: &mut Few<A::Id, Versioned<A>>) {
        for (id, state) in changed.drain() {
            let place = match self.place(&id) {
                Some(place) => place,
                None => self.insert_saved(id, Versioned::default()),
            };
            let resident = &mut self.residents[place];
            // The original goes first: only then is the copy alone with what they shared, and can settle.
            resident.state = state;
            resident.state.state.iter_mut().for_each(A::settle);
            self.dirty += resident.soil();
        }
    }

    /// The place of a state, until one gives way.
    pub(super) fn index_of(&self, id: &A::Id) -> Option<usize> {
        self.residents.get_index_of(id)
    }

    /// How many events made the state at a place.
    pub(super) fn events_at(&self, index: usize) -> u64 {
        self.residents[index].state.events
    }

    /// Applies an event to the state at a place.
    pub(super) fn evolve_at(&mut self, index: usize, event: &A::Event) {
        let resident = &mut self.residents[index];
        resident.touched.set(true);
        resident.state.evolve(event);
        self.dirty += resident.soil();
    }

    /// Takes in a state that was read from the store, or one before its first event. Answers its place.
    pub(super) fn insert_saved(&mut self, id: A::Id, state: Versioned<A>) -> usize {
        let saved = Resident { state, dirty: false, saved_in: 0, touched: Cell::new(true) };
        self.residents.insert_full(id, saved).0
    }

    /// Begins to save what has changed.
    pub(super) const fn begin_saving(&mut self) {
        self.saving = Some(0);
    }

    /// Looks at up to `budget` states and saves the changed ones among them. Answers what is left of the budget; nothing
    /// is when there is more to do.
    pub(super) fn save(&mut self, digester: &Digester, round: u32, records: &mut Records, budget: usize) -> usize {
        let Some(from) = self.saving else { return budget };
        // What came since the round began stands at the end and is saved too, or left for the next round.
        let end = self.residents.len().min(from + budget);
        for index in from..end {
            let (id, resident) = self.residents.get_index_mut(index).expect("nothing gives way while states are saved");
            if resident.dirty {
                records.push_with(name::<A>(digester, id).to_bits(), |bytes| put(bytes, id, &resident.state));
                resident.dirty = false;
                resident.saved_in = round;
                self.dirty -= 1;
            }
        }
        self.saving = (end < self.residents.len()).then_some(end);
        if self.saving.is_some() { 0 } else { budget - (end - from) }
    }

    /// Takes a round back that could not be stored.
    pub(super) fn take_back(&mut self, round: u32) {
        for resident in self.residents.values_mut().filter(|resident| resident.saved_in == round) {
            self.dirty += resident.soil();
        }
    }

    /// Lets up to `budget` states be looked at, until no more than `kept` are in memory: one goes that has not been
    /// asked for since it was looked at last and that the store has, out of a round up to `stored`.
    pub(super) fn give_way(&mut self, kept: usize, stored: u32, budget: usize) {
        if self.saving.is_some() {
            return;
        }
        for _ in 0..budget {
            if self.residents.len() <= kept {
                return;
            }
            if self.hand >= self.residents.len() {
                self.hand = 0;
            }
            let resident = &self.residents[self.hand];
            if resident.dirty || resident.saved_in > stored || resident.touched.replace(false) {
                self.hand += 1;
            } else {
                // The last one takes its place and is looked at next.
                self.residents.swap_remove_index(self.hand);
            }
        }
    }
}

impl<A> Resident<A> {
    /// Marks it as changed. Answers how many states have to be saved now that did not before: one or none.
    fn soil(&mut self) -> usize {
        usize::from(!std::mem::replace(&mut self.dirty, true))
    }
}

/// What a state is stored under.
pub(super) fn name<A: Kept>(digester: &Digester, id: &A::Id) -> Digest {
    digester.name(A::KIND, id.borrow())
}

fn put<A: Kept>(bytes: &mut Vec<u8>, id: &A::Id, state: &Versioned<A>) {
    postcard::serialize_with_flavor(&(id, state), Appending(bytes))
        .expect("a state of plain values can always be written");
}

/// Lets postcard write to the end of a buffer.
struct Appending<'a>(&'a mut Vec<u8>);

impl Flavor for Appending<'_> {
    type Output = ();

    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.push(byte);
        Ok(())
    }

    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}

/// Reads a state that was saved.
pub(super) fn read<A: Kept>(bytes: &[u8]) -> postcard::Result<(A::Id, Versioned<A>)> {
    postcard::from_bytes(bytes)
}
