//! Lines of orders: what events change in their rows. A line is made by the event that puts its product into the cart,
//! and stands in the order of these events.

use domain::ids::{OrderId, Position, ProductId};
use domain::order::OrderEvent;
use domain::order::command::LineQuantity;
use domain::order::pricing::PricedLine;

use super::Changes;
use super::stamp::Stamp;

/// What changes in the row of a line.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct LineChange {
    /// The row that was there before is dropped.
    pub(crate) dropped: bool,
    /// What is made of the row that is there then, or put where none is.
    pub(crate) kept: Option<KeptLine>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeptLine {
    /// Where the line begins, if there is no row of it yet.
    pub(crate) added: Position,
    /// The quantity from which `more` counts; what the row has where none.
    pub(crate) quantity: Option<i64>,
    pub(crate) more: i64,
    pub(crate) priced: Option<PricedLine>,
    pub(crate) shipped: i64,
    pub(crate) delivered: i64,
    pub(crate) returning: i64,
    pub(crate) returned: i64,
}

pub(super) fn apply(changes: &mut Changes, event: &OrderEvent, stamp: Stamp) {
    let mut lines = Lines { changes, order_id: event.order_id(), position: stamp.position };
    match event {
        OrderEvent::ItemAdded(e) => lines.of(&e.product_id).more += e.quantity,
        OrderEvent::QuantityChanged(e) => {
            let line = lines.of(&e.product_id);
            (line.quantity, line.more) = (Some(e.quantity), 0);
        }
        OrderEvent::ItemRemoved(e) => *lines.change_of(&e.product_id) = LineChange { dropped: true, kept: None },
        OrderEvent::OrderPlaced(e) => {
            for priced in &e.lines {
                let line = lines.of(&priced.product_id);
                (line.quantity, line.more) = (Some(priced.quantity), 0);
                line.priced = Some(priced.clone());
            }
        }
        OrderEvent::OrderShipped(e) => lines.each(&e.lines, |line, pieces| line.shipped += pieces),
        OrderEvent::ShipmentDelivered(e) => lines.each(&e.lines, |line, pieces| line.delivered += pieces),
        OrderEvent::ReturnRequested(e) => lines.each(&e.lines, |line, pieces| line.returning += pieces),
        OrderEvent::ReturnReceived(e) => lines.each(&e.lines, |line, pieces| line.returned += pieces),
        OrderEvent::ReturnRejected(e) => lines.each(&e.lines, |line, pieces| line.returning -= pieces),
        OrderEvent::OrderStarted(_)
        | OrderEvent::ShippingSet(_)
        | OrderEvent::CheckoutStarted(_)
        | OrderEvent::OrderCancelled(_)
        | OrderEvent::OrderCompleted(_)
        | OrderEvent::OrderPaymentRecorded(_) => {}
    }
}

/// The lines of the order that an event speaks of.
struct Lines<'a> {
    changes: &'a mut Changes,
    order_id: &'a OrderId,
    position: Position,
}

impl Lines<'_> {
    fn change_of(&mut self, product_id: &ProductId) -> &mut LineChange {
        self.changes.order_lines.entry((self.order_id.clone(), product_id.clone())).or_default()
    }

    fn of(&mut self, product_id: &ProductId) -> &mut KeptLine {
        let added = self.position;
        self.change_of(product_id).kept.get_or_insert(KeptLine {
            added,
            quantity: None,
            more: 0,
            priced: None,
            shipped: 0,
            delivered: 0,
            returning: 0,
            returned: 0,
        })
    }

    fn each(&mut self, quantities: &[LineQuantity], mut change: impl FnMut(&mut KeptLine, i64)) {
        for LineQuantity { product_id, quantity } in quantities {
            change(self.of(product_id), *quantity);
        }
    }
}
