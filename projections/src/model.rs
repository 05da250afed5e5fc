//! What a run of events changes in the read models, folded in memory: pure, without IO. The last write of a column
//! wins, sums are summed, rows that are only ever added are listed; `write.rs` turns it into SQL.

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

/// What the events after one position, through another, change in the read models.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Changes {
    after: Position,
    through: Position,
    recorded_at: Option<DateTime<Utc>>,
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

/// An event came that does not follow the last one: what lies between was left out by the feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "position {found} came after position {last}; what lies between is missing from the feed. Nothing of it was \
     applied. Compare the log with the feed; a rebuild from position 0 fills the read models anew"
)]
pub struct Gap {
    /// The last position that was applied or taken up.
    pub last: Position,
    /// The position that came instead of the one after it.
    pub found: Position,
}

impl Changes {
    /// No changes yet, to be made by the events after `position`.
    #[must_use]
    pub fn after(position: Position) -> Self {
        Self { after: position, through: position, ..Self::default() }
    }

    /// Takes up the next event; one that was seen before is skipped.
    ///
    /// # Errors
    /// [`Gap`] when events between the last one and this one are missing. The changes stay as they were.
    pub fn take(&mut self, recorded: &RecordedEvent) -> Result<(), Gap> {
        if recorded.position <= self.through {
            return Ok(());
        }
        if recorded.position != self.through.next() {
            return Err(Gap { last: self.through, found: recorded.position });
        }
        apply(self, recorded);
        self.through = recorded.position;
        self.recorded_at = Some(recorded.metadata.recorded_at);
        Ok(())
    }

    /// The position before the first event.
    #[must_use]
    pub const fn from(&self) -> Position {
        self.after
    }

    /// The position of the last event.
    #[must_use]
    pub const fn through(&self) -> Position {
        self.through
    }

    /// How many events were taken up.
    #[must_use]
    pub const fn events(&self) -> u64 {
        self.through.0 - self.after.0
    }

    /// When the last event was recorded.
    #[must_use]
    pub const fn recorded_at(&self) -> Option<DateTime<Utc>> {
        self.recorded_at
    }
}

/// Adds what an event changes. Total: any event has its changes, whatever came before.
pub fn apply(changes: &mut Changes, recorded: &RecordedEvent) {
    let stamp = Stamp::of(recorded);
    changes.minutes.entry(minute_of(stamp.recorded_at)).or_insert(stamp.position);
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
