//! The states of all aggregates, as far as commands have been decided: ahead of the disk, owned by the sequencer. The
//! ones in use are in memory; all others are in the derived store and are fetched when a decision misses them.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};

use domain::account::{Account, AccountCommand};
use domain::aggregate::Versioned;
use domain::cascade::{Draft, States};
use domain::command::Command;
use domain::currency::Currency;
use domain::event::Event;
use domain::ids::{AccountId, OrderId, PaymentId, Position, ProductId, TransferId, Version};
use domain::order::{Order, OrderCommand};
use domain::payment::{Payment, PaymentCommand};
use domain::posting::{LedgerAccount, posting};
use domain::product::Product;
use domain::transfer::Transfer;
use event_store::log::Log;
use event_store::log::frame::FramePlace;
use event_store::lsm::{Damaged, Records, Store};

use super::digest::{ByDigest, Digest, Digester, Kind};
use super::note::Note;
use super::register::{Found, Register, Unreadable};
use super::shelf::{self, Kept, Shelf};
use super::tables::{self, bad_value};

impl Kept for Account {
    const KIND: Kind = Kind::Account;
}

impl Kept for Product {
    const KIND: Kind = Kind::Product;
}

impl Kept for Order {
    const KIND: Kind = Kind::Order;
}

impl Kept for Payment {
    const KIND: Kind = Kind::Payment;
}

/// What is not kept per aggregate: small enough to be written with every checkpoint.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Totals {
    /// The balance of `external:cash` by currency, in minor units.
    pub(super) external_cash: HashMap<Currency, i64>,
    /// How many refusals there are.
    pub(super) rejections: u64,
}

/// Something that a decision asked for and that is not in memory, although it may exist.
#[derive(Debug)]
enum Missed {
    Account(AccountId),
    Product(ProductId),
    Order(OrderId),
    Payment(PaymentId),
    Transfer(TransferId),
}

/// All aggregates.
#[derive(Debug)]
pub(super) struct Books {
    pub(super) store: Store,
    pub(super) digester: Digester,
    pub(super) accounts: Shelf<Account>,
    pub(super) products: Shelf<Product>,
    pub(super) orders: Shelf<Order>,
    pub(super) payments: Shelf<Payment>,
    pub(super) transfers: Register,
    pub(super) totals: Totals,
    /// What decisions have missed; in a cell because a decision only looks.
    missed: RefCell<Vec<Missed>>,
    /// Names that were looked for and do not exist, for the command at hand.
    absent: HashSet<Digest, ByDigest>,
}

impl Books {
    /// Books over a store, with room for so many new transfers between checkpoints.
    pub(super) fn new(store: Store, digester: Digester, totals: Totals, room: usize) -> Self {
        Self {
            store,
            digester,
            accounts: Shelf::default(),
            products: Shelf::default(),
            orders: Shelf::default(),
            payments: Shelf::default(),
            transfers: Register::new(digester, room),
            totals,
            missed: RefCell::default(),
            absent: HashSet::default(),
        }
    }

    /// Takes over what a cascade has changed and that now stands at a place in the log, and leaves the draft empty.
    pub(super) fn adopt(&mut self, draft: &mut Draft, place: FramePlace) -> Result<(), Damaged> {
        self.accounts.adopt(&mut draft.accounts);
        self.products.adopt(&mut draft.products);
        self.orders.adopt(&mut draft.orders);
        self.payments.adopt(&mut draft.payments);
        for (id, transfer) in draft.transfers.drain() {
            self.transfers.note(&mut self.store, &id, transfer, place)?;
        }
        if !draft.external_cash.is_empty() {
            self.totals.external_cash.extend(draft.external_cash.drain());
        }
        Ok(())
    }

    /// The version that the next refusal gets in its stream.
    pub(super) const fn next_rejection(&self) -> Version {
        Version(self.totals.rejections)
    }

    /// Counts a refusal.
    pub(super) const fn count_rejection(&mut self) {
        self.totals.rejections += 1;
    }

    /// Forgets what was looked up for the command before.
    pub(super) fn begin_command(&mut self) {
        self.missed.get_mut().clear();
        if !self.absent.is_empty() {
            self.absent.clear();
        }
        self.transfers.forget_fetched();
    }

    /// Whether a decision has missed anything.
    pub(super) fn missed_any(&self) -> bool {
        !self.missed.borrow().is_empty()
    }

    /// Looks up what commands name, for the sake of having it in the processor's cache when they are decided. Answers how
    /// much of it is in memory.
    pub(super) fn warm<'a>(&mut self, commands: impl Iterator<Item = &'a Command>) -> usize {
        self.transfers.forget_asked();
        let mut found = 0;
        for command in commands {
            let Command::Account(id, command) = command else { continue };
            found += usize::from(self.accounts.has(id));
            if let AccountCommand::SendTransfer { transfer_id, to, .. } = command {
                found += usize::from(self.accounts.has(to));
                found += usize::from(self.transfers.warm(&self.store, transfer_id));
            }
        }
        found
    }

    /// Looks up what a command names, so that what is missed is known before it is decided.
    pub(super) fn look_ahead(&self, command: &Command) {
        match command {
            Command::Account(id, command) => {
                self.account(id);
                if let AccountCommand::SendTransfer { transfer_id, to, .. } = command {
                    self.account(to);
                    self.transfer(transfer_id);
                }
            }
            Command::ReverseTransfer { transfer_id, .. } => {
                self.transfer(transfer_id);
            }
            Command::Product(id, _) => {
                self.product(id);
            }
            Command::Order(id, command) => {
                self.order(id);
                if let OrderCommand::AddItem { product_id, .. } = command {
                    self.product(product_id);
                }
            }
            Command::Payment(id, command) => {
                self.payment(id);
                if let PaymentCommand::Request { payee_account_id, .. } = command {
                    self.account(payee_account_id);
                }
            }
        }
    }

    /// Fetches what a decision has missed and answers whether it missed anything: if so, it was decided without
    /// knowing all and counts for nothing.
    pub(super) fn fetch_missed(&mut self, log: &Log, mut settle: impl FnMut()) -> Result<bool, Unreadable> {
        let missed = std::mem::take(self.missed.get_mut());
        for missed in &missed {
            match missed {
                Missed::Account(id) => {
                    fetch(&mut self.accounts, &mut self.store, &self.digester, &mut self.absent, id)?
                }
                Missed::Product(id) => {
                    fetch(&mut self.products, &mut self.store, &self.digester, &mut self.absent, id)?
                }
                Missed::Order(id) => fetch(&mut self.orders, &mut self.store, &self.digester, &mut self.absent, id)?,
                Missed::Payment(id) => {
                    fetch(&mut self.payments, &mut self.store, &self.digester, &mut self.absent, id)?
                }
                Missed::Transfer(id) => {
                    if let Found::Elsewhere(name) = self.transfers.find(&self.store, id)
                        && !self.transfers.fetch(&mut self.store, log, id, &mut settle)?
                    {
                        self.absent.insert(name);
                    }
                }
            }
        }
        Ok(!missed.is_empty())
    }

    /// Applies an event that stands in the log, unless the checkpoint of `note` had it already. Gives the version that it
    /// should have.
    pub(super) fn replay(
        &mut self,
        event: &Event,
        version: Version,
        position: Position,
        note: &Note,
    ) -> Result<Version, Damaged> {
        let after = note.states_through;
        if position > after {
            self.book_external_cash(event);
        }
        let known = position <= note.reach;
        let (store, digester) = (&mut self.store, &self.digester);
        match event {
            Event::Account(event) => {
                replay(&mut self.accounts, store, digester, event.account_id(), event, version, known)
            }
            Event::Product(event) => {
                replay(&mut self.products, store, digester, event.product_id(), event, version, known)
            }
            Event::Order(event) => replay(&mut self.orders, store, digester, event.order_id(), event, version, known),
            Event::Payment(event) => {
                replay(&mut self.payments, store, digester, event.payment_id(), event, version, known)
            }
            Event::Rejected(_) if position <= after => Ok(version),
            Event::Rejected(_) => {
                let next = self.next_rejection();
                self.count_rejection();
                Ok(next)
            }
        }
    }

    fn book_external_cash(&mut self, event: &Event) {
        let Some(posting) = posting(event) else { return };
        let amount = posting.amount.amount.minor_units();
        for (account, signed) in [(&posting.debit, -amount), (&posting.credit, amount)] {
            if *account == LedgerAccount::ExternalCash {
                *self.totals.external_cash.entry(posting.amount.currency).or_default() += signed;
            }
        }
    }

    /// How many states are in memory.
    pub(super) fn in_memory(&self) -> usize {
        self.accounts.len() + self.products.len() + self.orders.len() + self.payments.len()
    }

    /// How many states have to be saved.
    pub(super) const fn dirty(&self) -> usize {
        self.accounts.dirty() + self.products.dirty() + self.orders.dirty() + self.payments.dirty()
    }

    /// Begins to save what has changed.
    pub(super) const fn begin_saving(&mut self) {
        self.accounts.begin_saving();
        self.products.begin_saving();
        self.orders.begin_saving();
        self.payments.begin_saving();
    }

    /// Looks at up to `budget` states and saves the changed ones; answers whether all have been looked at.
    pub(super) fn save(&mut self, round: u32, records: &mut Records, budget: usize) -> bool {
        let left = self.accounts.save(&self.digester, round, records, budget);
        let left = self.products.save(&self.digester, round, records, left);
        let left = self.orders.save(&self.digester, round, records, left);
        let left = self.payments.save(&self.digester, round, records, left);
        left > 0
    }

    /// Takes a round of saving back that could not be stored.
    pub(super) fn take_back(&mut self, round: u32) {
        self.accounts.take_back(round);
        self.products.take_back(round);
        self.orders.take_back(round);
        self.payments.take_back(round);
    }

    /// Lets states that were not asked for lately give way, until no more than `kept` of each kind are in memory;
    /// looks at up to `budget` of them. `stored` is the last round that the store has.
    pub(super) fn give_way(&mut self, kept: usize, stored: u32, budget: usize) {
        self.accounts.give_way(kept, stored, budget);
        self.products.give_way(kept, stored, budget);
        self.orders.give_way(kept, stored, budget);
        self.payments.give_way(kept, stored, budget);
    }

    /// A state that is in memory, or `None` with a note that it was missed.
    fn look<'a, A: Kept>(
        &self,
        shelf: &'a Shelf<A>,
        id: &A::Id,
        missed: impl FnOnce(A::Id) -> Missed,
    ) -> Option<&'a Versioned<A>> {
        let known = shelf.get(id);
        if known.is_none() {
            let name = shelf::name::<A>(&self.digester, id);
            if self.store.may_contain(tables::STATES, name.to_bits()) && !self.absent.contains(&name) {
                self.missed.borrow_mut().push(missed(id.clone()));
            }
        }
        known
    }
}

/// Reads a state from the store onto its shelf, or notes that there is none.
fn fetch<A: Kept>(
    shelf: &mut Shelf<A>,
    store: &mut Store,
    digester: &Digester,
    absent: &mut HashSet<Digest, ByDigest>,
    id: &A::Id,
) -> Result<(), Damaged> {
    if shelf.get(id).is_some() {
        return Ok(());
    }
    match stored(store, digester, id)? {
        Some(state) => {
            shelf.insert_saved(id.clone(), state);
        }
        None => {
            absent.insert(shelf::name::<A>(digester, id));
        }
    }
    Ok(())
}

fn stored<A: Kept>(store: &mut Store, digester: &Digester, id: &A::Id) -> Result<Option<Versioned<A>>, Damaged> {
    let mut bytes = Vec::new();
    if !store.get(tables::STATES, shelf::name::<A>(digester, id).to_bits(), &mut bytes)? {
        return Ok(None);
    }
    let (named, state) = shelf::read::<A>(&bytes)
        .map_err(|error| bad_value(tables::STATES, format!("a state does not read back: {error}")))?;
    if named != *id {
        return Err(bad_value(tables::STATES, "a state stands under another name"));
    }
    Ok(Some(state))
}

/// Applies an event unless the state has it already, and gives the version that it was expected to have.
fn replay<A: Kept>(
    shelf: &mut Shelf<A>,
    store: &mut Store,
    digester: &Digester,
    id: &A::Id,
    event: &A::Event,
    version: Version,
    may_be_known: bool,
) -> Result<Version, Damaged> {
    let index = match shelf.index_of(id) {
        Some(index) => index,
        None => {
            let state = stored(store, digester, id)?.unwrap_or_default();
            shelf.insert_saved(id.clone(), state)
        }
    };
    let next = shelf.events_at(index);
    // A saved state may be ahead of the place from which the log is read again.
    if may_be_known && version.0 < next {
        return Ok(version);
    }
    if version.0 == next {
        shelf.evolve_at(index, event);
    }
    Ok(Version(next))
}

impl States for Books {
    fn account(&self, id: &AccountId) -> Option<&Versioned<Account>> {
        self.look(&self.accounts, id, Missed::Account)
    }

    fn product(&self, id: &ProductId) -> Option<&Versioned<Product>> {
        self.look(&self.products, id, Missed::Product)
    }

    fn order(&self, id: &OrderId) -> Option<&Versioned<Order>> {
        self.look(&self.orders, id, Missed::Order)
    }

    fn payment(&self, id: &PaymentId) -> Option<&Versioned<Payment>> {
        self.look(&self.payments, id, Missed::Payment)
    }

    fn transfer(&self, id: &TransferId) -> Option<&Transfer> {
        match self.transfers.find(&self.store, id) {
            Found::Here(transfer) => Some(transfer),
            Found::Elsewhere(name) if !self.absent.contains(&name) => {
                self.missed.borrow_mut().push(Missed::Transfer(id.clone()));
                None
            }
            Found::Elsewhere(_) | Found::Nowhere => None,
        }
    }

    fn external_cash(&self, currency: Currency) -> i64 {
        self.totals.external_cash.get(&currency).copied().unwrap_or(0)
    }
}
