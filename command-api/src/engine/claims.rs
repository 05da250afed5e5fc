//! Names that are used once and for ever, and what each was used for: the newest in memory, all others in the derived
//! store. What is known of a name beyond a few bytes stands in the log.

use std::collections::HashMap;
use std::sync::Arc;

use event_store::lsm::{Damaged, Records, Store, Table};

use super::digest::{ByDigest, Digest};
use super::tables::bad_value;

/// What a name was used for, in a few bytes.
pub(super) trait Claim: Copy {
    /// Appends the claim in the form in which it is stored.
    fn put(&self, bytes: &mut Vec<u8>);
    /// Reads what [`Claim::put`] wrote.
    fn read(bytes: &[u8]) -> Option<Self>;
}

type Names<C> = HashMap<Digest, C, ByDigest>;

/// The claimed names of one table of the store.
#[derive(Debug)]
pub(super) struct Claims<C> {
    table: Table,
    /// Since the last checkpoint began.
    newest: Names<C>,
    /// On their way into the store; shared with the thread that writes them.
    leaving: Option<Arc<Names<C>>>,
}

impl<C: Claim> Claims<C> {
    /// The names of a table, with room for so many new ones.
    pub(super) fn new(table: Table, room: usize) -> Self {
        Self { table, newest: Names::with_capacity_and_hasher(room, ByDigest::default()), leaving: None }
    }

    /// Claims a name.
    pub(super) fn insert(&mut self, name: Digest, claim: C) {
        self.newest.insert(name, claim);
    }

    /// What a name was used for.
    pub(super) fn get(&self, store: &mut Store, name: Digest) -> Result<Option<C>, Damaged> {
        if let Some(claim) = self.in_memory(name) {
            return Ok(Some(claim));
        }
        let mut bytes = Vec::new();
        if !store.get(self.table, name.to_bits(), &mut bytes)? {
            return Ok(None);
        }
        C::read(&bytes).map(Some).ok_or_else(|| bad_value(self.table, "a claim has another length"))
    }

    /// Whether a name may have been used; asks memory only, and errs only towards "yes".
    pub(super) fn may_have(&self, store: &Store, name: Digest) -> bool {
        self.in_memory(name).is_some() || store.may_contain(self.table, name.to_bits())
    }

    fn in_memory(&self, name: Digest) -> Option<C> {
        let newest = self.newest.get(&name);
        newest.or_else(|| self.leaving.as_ref().and_then(|leaving| leaving.get(&name))).copied()
    }

    /// How many names wait for the next checkpoint.
    pub(super) fn waiting(&self) -> usize {
        self.newest.len()
    }

    /// Sets the newest names aside for a checkpoint. Those of the checkpoint before must have [left](Self::left).
    pub(super) fn leave(&mut self) -> Leaving<C> {
        assert!(self.leaving.is_none(), "one checkpoint at a time");
        let room = self.newest.len();
        let newest = std::mem::replace(&mut self.newest, Names::with_capacity_and_hasher(room, ByDigest::default()));
        let leaving = Arc::new(newest);
        self.leaving = Some(Arc::clone(&leaving));
        Leaving { names: leaving }
    }

    /// The names that were set aside are in the store.
    pub(super) fn left(&mut self) {
        self.leaving = None;
    }
}

/// Names on their way into the store.
#[derive(Debug, Clone)]
pub(super) struct Leaving<C> {
    names: Arc<Names<C>>,
}

impl<C: Claim> Leaving<C> {
    /// The names in the form in which they are stored.
    pub(super) fn records(&self) -> Records {
        let mut records = Records::default();
        for (name, claim) in self.names.iter() {
            records.push_with(name.to_bits(), |bytes| claim.put(bytes));
        }
        records
    }
}
