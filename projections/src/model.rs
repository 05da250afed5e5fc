//! What a run of events changes in the read models, folded in memory: pure, without IO. The last write of a column
//! wins, sums are summed, rows that are only ever added are listed; `write.rs` turns it into SQL. Streams may overtake
//! one another: what an event changes never depends on whether an event of another stream came before it.

pub(crate) mod accounts;
pub(crate) mod holds;
pub(crate) mod journal;
pub(crate) mod ledger;
pub(crate) mod order_lines;
pub(crate) mod orders;
pub(crate) mod payments;
pub(crate) mod products;
pub(crate) mod rejections;
pub(crate) mod returns;
pub(crate) mod sales;
pub(crate) mod shipments;
pub(crate) mod stamp;
pub(crate) mod transfers;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use domain::event::{Event, RecordedEvent};
use domain::ids::{AccountId, HoldId, OrderId, PaymentId, Position, ProductId, ReturnId, ShipmentId, TransferId};

use self::accounts::AccountChange;
use self::holds::HoldChange;
use self::journal::JournalRow;
use self::ledger::LedgerChanges;
use self::order_lines::LineChange;
use self::orders::OrderChange;
use self::payments::{OperationRow, PaymentChange};
use self::products::ProductChange;
use self::rejections::RejectionRow;
use self::returns::{ReturnChange, ReturnLineRow};
use self::sales::SalesChanges;
use self::shipments::{ShipmentChange, ShipmentLineRow};
use self::stamp::{Stamp, minute_of};
use self::transfers::TransferChange;
use crate::feed::{Content, Record};
use crate::parked::stored::StoredEvent;
use crate::parked::{NewlyParked, Why};
use crate::partition::{Gap, PartitionId, Place, Places, Step, step};

/// What a run of records changes in the read models, and how it moves the places in the partitions they came from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Changes {
    places: BTreeMap<PartitionId, Moved>,
    events: u64,
    /// Streams that cannot be applied any more.
    pub(crate) newly_parked: Vec<NewlyParked>,
    /// Events of parked streams.
    pub(crate) waiting: Vec<StoredEvent>,
    pub(crate) minutes: BTreeMap<DateTime<Utc>, Position>,
    pub(crate) accounts: BTreeMap<AccountId, AccountChange>,
    pub(crate) holds: BTreeMap<(AccountId, HoldId), HoldChange>,
    pub(crate) journal: Vec<JournalRow>,
    pub(crate) transfers: BTreeMap<TransferId, TransferChange>,
    pub(crate) ledger: LedgerChanges,
    pub(crate) products: BTreeMap<ProductId, ProductChange>,
    pub(crate) orders: BTreeMap<OrderId, OrderChange>,
    pub(crate) order_lines: BTreeMap<(OrderId, ProductId), LineChange>,
    pub(crate) shipments: BTreeMap<(OrderId, ShipmentId), ShipmentChange>,
    pub(crate) shipment_lines: Vec<ShipmentLineRow>,
    pub(crate) returns: BTreeMap<(OrderId, ReturnId), ReturnChange>,
    pub(crate) return_lines: Vec<ReturnLineRow>,
    pub(crate) payments: BTreeMap<PaymentId, PaymentChange>,
    pub(crate) payment_operations: Vec<OperationRow>,
    pub(crate) rejections: Vec<RejectionRow>,
    pub(crate) sales: SalesChanges,
}

/// How a run of records moves the place in a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moved {
    pub(crate) from: Place,
    pub(crate) to: Place,
    /// When the last event was recorded; none where there was no event.
    pub(crate) recorded_at: Option<DateTime<Utc>>,
}

impl Changes {
    /// No changes yet, to be made by the records after these places.
    #[must_use]
    pub fn after(places: &Places) -> Self {
        let stay = |(partition, place)| (partition, Moved { from: place, to: place, recorded_at: None });
        Self { places: places.iter().map(stay).collect(), ..Self::default() }
    }

    /// What becomes of a record, were it the next one.
    ///
    /// # Errors
    /// [`Gap`] when records between the last one of its partition and this one are missing.
    pub fn step(&self, record: &Record) -> Result<Step, Gap> {
        let last = self.places.get(&record.partition).map_or(Position::START, |moved| moved.to.last);
        step(record.partition, last, record.previous, record.position)
    }

    /// Moves the place of a record's partition behind it, and says whether what it holds is to be applied: not when it
    /// was seen before.
    ///
    /// # Errors
    /// [`Gap`] as of [`Changes::step`]. The changes stay as they were.
    pub fn pass(&mut self, record: &Record) -> Result<Step, Gap> {
        let step = self.step(record)?;
        let new = Moved { from: Place::default(), to: Place::default(), recorded_at: None };
        let moved = self.places.entry(record.partition).or_insert(new);
        moved.to.offset = record.offset.or(moved.to.offset);
        if step == Step::Apply {
            moved.to.last = record.position;
            if let Content::Event(event) = &record.content {
                moved.recorded_at = Some(event.metadata.recorded_at);
            }
        }
        Ok(step)
    }

    /// Takes up the next record, whose event waits behind its parked stream, or parks it.
    ///
    /// # Errors
    /// [`Gap`] as of [`Changes::step`].
    pub(crate) fn set_aside(&mut self, record: &Record, because: Option<(Why, &str)>) -> Result<(), Gap> {
        if self.pass(record)? == Step::Skip {
            return Ok(());
        }
        let event = match &record.content {
            Content::Event(event) => StoredEvent::of(event),
            Content::Undecodable(event) => StoredEvent::of_undecodable(event),
            Content::Watermark => return Ok(()),
        };
        self.newly_parked.extend(because.map(|(why, error)| NewlyParked {
            stream: event.stream.clone(),
            position: event.position,
            event_type: event.event_type.clone(),
            why,
            error: error.to_owned(),
        }));
        self.waiting.push(event);
        Ok(())
    }

    /// Takes up the next record and applies the event that it holds.
    ///
    /// # Errors
    /// [`Gap`] as of [`Changes::pass`].
    pub fn take(&mut self, record: &Record) -> Result<(), Gap> {
        if self.pass(record)? == Step::Apply
            && let Content::Event(event) = &record.content
        {
            self.add(event);
        }
        Ok(())
    }

    /// Applies an event, wherever it stands.
    pub(crate) fn add(&mut self, event: &RecordedEvent) {
        apply(self, event);
        self.events += 1;
    }

    /// Where the records begin, in every partition that is followed.
    #[must_use]
    pub fn from(&self) -> Places {
        self.places.iter().map(|(partition, moved)| (*partition, moved.from)).collect()
    }

    /// Where the records end, in every partition that is followed.
    #[must_use]
    pub fn through(&self) -> Places {
        self.places.iter().map(|(partition, moved)| (*partition, moved.to)).collect()
    }

    /// The places that were moved, in the order of partitions.
    pub(crate) fn moved(&self) -> Vec<(PartitionId, Moved)> {
        let moved = self.places.iter().filter(|(_, moved)| moved.from != moved.to);
        moved.map(|(partition, moved)| (*partition, *moved)).collect()
    }

    /// Whether there is nothing to write: no event, and no place that moved.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.places.values().all(|moved| moved.from == moved.to)
    }

    /// How many events were applied.
    #[must_use]
    pub const fn events(&self) -> u64 {
        self.events
    }
}

/// Adds what an event changes. Total: any event has its changes, whatever came before.
pub fn apply(changes: &mut Changes, recorded: &RecordedEvent) {
    let stamp = Stamp::of(recorded);
    let first = changes.minutes.entry(minute_of(stamp.recorded_at)).or_insert(stamp.position);
    *first = stamp.position.min(*first);
    match &recorded.event {
        Event::Account(event) => {
            accounts::apply(changes, event, stamp);
            holds::apply(changes, event, stamp);
            transfers::apply(changes, event, stamp);
            journal::apply(changes, &recorded.event, event, stamp);
        }
        Event::Product(event) => products::apply(changes, event, stamp),
        Event::Order(event) => {
            orders::apply(changes, event, stamp);
            order_lines::apply(changes, event, stamp);
            shipments::apply(changes, event, stamp);
            returns::apply(changes, event, stamp);
            sales::apply(changes, event, stamp);
        }
        Event::Payment(event) => payments::apply(changes, event, stamp),
        Event::Rejected(event) => rejections::apply(changes, event, &recorded.metadata, stamp),
    }
}
