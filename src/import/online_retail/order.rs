//! How the sold lines of an invoice become orders. An order has one price for a product, so a second price of the same
//! product goes to a second order.

use domain::ids::ProductId;
use domain::money::{Amount, AmountOverflow};

use super::row::Row;

/// How many products one order takes.
const ORDER_LINES_MAX: usize = 1_000;

/// A line of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OrderLine {
    /// The product.
    pub product_id: ProductId,
    /// How many.
    pub quantity: i64,
    /// The price of one, in pence.
    pub price: Amount,
    /// The first line of the file that sold it.
    pub line: u64,
}

/// What one order is made of.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct OrderLines(pub Vec<OrderLine>);

impl OrderLines {
    /// What the order comes to, in pence.
    pub(crate) fn total(&self) -> Result<Amount, AmountOverflow> {
        self.0.iter().try_fold(Amount::ZERO, |sum, line| sum.plus(line.price.times_ratio(line.quantity, 1)?))
    }

    /// Whether it took the line in.
    fn take(&mut self, row: &Row) -> bool {
        let known = self.0.iter().position(|line| line.product_id == row.product_id);
        let Some(line) = known.and_then(|at| self.0.get_mut(at)) else {
            let room = self.0.len() < ORDER_LINES_MAX;
            if room {
                let (product_id, quantity, price) = (row.product_id.clone(), row.quantity, row.price);
                self.0.push(OrderLine { product_id, quantity, price, line: row.line });
            }
            return room;
        };
        let sum = line.quantity.checked_add(row.quantity).filter(|_| line.price == row.price);
        line.quantity = sum.unwrap_or(line.quantity);
        sum.is_some()
    }
}

/// Sorts sold lines into as few orders as their prices allow.
pub(crate) fn orders_of<'a>(rows: impl IntoIterator<Item = &'a Row>) -> Vec<OrderLines> {
    let mut orders: Vec<OrderLines> = Vec::new();
    for row in rows {
        if !orders.iter_mut().any(|order| order.take(row)) {
            let mut order = OrderLines::default();
            order.take(row);
            orders.push(order);
        }
    }
    orders
}
