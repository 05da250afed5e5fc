//! Returns: what events change in their rows.

use chrono::{DateTime, Utc};
use domain::ids::{OrderId, Position, ProductId, ReturnId};
use domain::money::Amount;
use domain::order::OrderEvent;
use domain::order::command::LineQuantity;
use domain::order::state::ReturnStatus;
use domain::text::Text;

use super::Changes;
use super::stamp::Stamp;

/// What changes in a return's row.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct ReturnChange {
    pub(crate) requested: Option<Requested>,
    pub(crate) closed: Option<Closed>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Requested {
    pub(crate) reason: Text,
    pub(crate) position: Position,
    pub(crate) at: DateTime<Utc>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Closed {
    pub(crate) status: ReturnStatus,
    pub(crate) rejection_reason: Option<Text>,
    /// What the goods are worth, in minor units of the order's currency.
    pub(crate) value: Option<Amount>,
    pub(crate) at: DateTime<Utc>,
}

/// Goods of a return.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReturnLineRow {
    pub(crate) order_id: OrderId,
    pub(crate) return_id: ReturnId,
    pub(crate) product_id: ProductId,
    pub(crate) quantity: i64,
}

/// The word for a status, as rows and answers have it.
pub(crate) const fn status_word(status: ReturnStatus) -> &'static str {
    match status {
        ReturnStatus::Requested => "requested",
        ReturnStatus::Received => "received",
        ReturnStatus::Rejected => "rejected",
    }
}

pub(super) fn apply(changes: &mut Changes, event: &OrderEvent, stamp: Stamp) {
    let at = stamp.business_time();
    match event {
        OrderEvent::ReturnRequested(e) => {
            let row = |line: &LineQuantity| ReturnLineRow {
                order_id: e.order_id.clone(),
                return_id: e.return_id.clone(),
                product_id: line.product_id.clone(),
                quantity: line.quantity,
            };
            changes.return_lines.extend(e.lines.iter().map(row));
            let change = changes.returns.entry((e.order_id.clone(), e.return_id.clone())).or_default();
            change.requested = Some(Requested { reason: e.reason.clone(), position: stamp.position, at });
        }
        OrderEvent::ReturnReceived(e) => {
            let change = changes.returns.entry((e.order_id.clone(), e.return_id.clone())).or_default();
            let (status, value) = (ReturnStatus::Received, Some(e.value));
            change.closed = Some(Closed { status, rejection_reason: None, value, at });
        }
        OrderEvent::ReturnRejected(e) => {
            let change = changes.returns.entry((e.order_id.clone(), e.return_id.clone())).or_default();
            let (status, rejection_reason) = (ReturnStatus::Rejected, Some(e.reason.clone()));
            change.closed = Some(Closed { status, rejection_reason, value: None, at });
        }
        _ => {}
    }
}
