//! All states in memory, with every event that made them: what the engine keeps, without the engine.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, TimeZone, Utc};
use domain::account::Account;
use domain::aggregate::{Context, Versioned, adopt};
use domain::cascade::{Draft, Drafted, States};
use domain::command::Command;
use domain::currency::Currency;
use domain::event::Event;
use domain::ids::{AccountId, OrderId, PaymentId, ProductId, StreamId, TransferId, Version};
use domain::order::Order;
use domain::payment::Payment;
use domain::product::Product;
use domain::rejection::Rejection;
use domain::transfer::Transfer;

#[derive(Debug, Default, Clone, PartialEq)]
pub(crate) struct World {
    pub(crate) accounts: HashMap<AccountId, Versioned<Account>>,
    pub(crate) products: HashMap<ProductId, Versioned<Product>>,
    pub(crate) orders: HashMap<OrderId, Versioned<Order>>,
    pub(crate) payments: HashMap<PaymentId, Versioned<Payment>>,
    pub(crate) transfers: HashMap<TransferId, Transfer>,
    pub(crate) external_cash: HashMap<Currency, i64>,
    /// The events of every stream; the place in the vector is the version.
    pub(crate) streams: BTreeMap<StreamId, Vec<Event>>,
    /// All events in the order in which they happened.
    pub(crate) log: Vec<Event>,
}

/// A command with what comes along with it.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) command: Command,
    pub(crate) expected_version: Option<Version>,
    pub(crate) effective_at: Option<DateTime<Utc>>,
}

impl From<Command> for Request {
    fn from(command: Command) -> Self {
        Self { command, expected_version: None, effective_at: None }
    }
}

impl Request {
    pub(crate) fn at_version(self, version: u64) -> Self {
        Self { expected_version: Some(Version(version)), ..self }
    }

    pub(crate) fn effective_at(self, at: DateTime<Utc>) -> Self {
        Self { effective_at: Some(at), ..self }
    }
}

/// The time at which everything in these tests happens.
pub(crate) fn now() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 1, 2, 3, 4, 5).unwrap()
}

impl World {
    /// Runs requests as one atomic batch: all of it happens, or nothing does.
    pub(crate) fn run(&mut self, batch: &[Request]) -> Result<Vec<Event>, Rejection> {
        let mut draft = Draft::default();
        let mut happened = Vec::new();
        for Request { command, expected_version, effective_at } in batch {
            let context = Context { recorded_at: now(), effective_at: *effective_at };
            happened.extend(draft.run(self, command, *expected_version, &context)?);
        }
        self.adopt(draft);
        for Drafted { version, event } in &happened {
            let stream = self.streams.entry(event.stream()).or_default();
            assert_eq!(version.0, stream.len() as u64, "versions of {} have a gap at {event:?}", event.stream());
            stream.push(event.clone());
        }
        let happened: Vec<Event> = happened.into_iter().map(|drafted| drafted.event).collect();
        self.log.extend(happened.iter().cloned());
        Ok(happened)
    }

    /// Runs a single command.
    pub(crate) fn ask(&mut self, request: impl Into<Request>) -> Result<Vec<Event>, Rejection> {
        self.run(&[request.into()])
    }

    /// The version of a stream's last event.
    pub(crate) fn version(&self, stream: &StreamId) -> Option<Version> {
        self.streams.get(stream).map(|events| Version(events.len() as u64 - 1))
    }

    fn adopt(&mut self, mut draft: Draft) {
        adopt(&mut self.accounts, &mut draft.accounts);
        adopt(&mut self.products, &mut draft.products);
        adopt(&mut self.orders, &mut draft.orders);
        adopt(&mut self.payments, &mut draft.payments);
        self.transfers.extend(draft.transfers);
        self.external_cash.extend(draft.external_cash);
    }
}

impl States for World {
    fn account(&self, id: &AccountId) -> Option<&Versioned<Account>> {
        self.accounts.get(id)
    }

    fn product(&self, id: &ProductId) -> Option<&Versioned<Product>> {
        self.products.get(id)
    }

    fn order(&self, id: &OrderId) -> Option<&Versioned<Order>> {
        self.orders.get(id)
    }

    fn payment(&self, id: &PaymentId) -> Option<&Versioned<Payment>> {
        self.payments.get(id)
    }

    fn transfer(&self, id: &TransferId) -> Option<&Transfer> {
        self.transfers.get(id)
    }

    fn external_cash(&self, currency: Currency) -> i64 {
        self.external_cash.get(&currency).copied().unwrap_or(0)
    }
}
