//! What customers can still give back: every order's lines, less what was returned of them.

use std::collections::HashMap;

use domain::ids::{CustomerId, OrderId, ProductId};
use domain::money::Amount;

use super::order::OrderLines;

/// What was sold to whom and not returned yet.
#[derive(Debug, Default)]
pub(crate) struct Sales {
    by_customer: HashMap<CustomerId, Vec<Sale>>,
}

#[derive(Debug)]
struct Sale {
    order_id: OrderId,
    /// How many are left of each product, and the price of one in pence.
    left: HashMap<ProductId, (i64, Amount)>,
}

impl Sales {
    /// Takes up an order.
    pub(crate) fn add(&mut self, customer_id: &CustomerId, order_id: OrderId, lines: &OrderLines) {
        let left = lines.0.iter().map(|line| (line.product_id.clone(), (line.quantity, line.price))).collect();
        self.by_customer.entry(customer_id.clone()).or_default().push(Sale { order_id, left });
    }

    /// Takes so many off the customer's latest order that still has so many of the product, and tells which order that
    /// is and the price of one. `None` where there is no such order.
    pub(crate) fn give_back(
        &mut self,
        customer_id: &CustomerId,
        product_id: &ProductId,
        quantity: i64,
    ) -> Option<(OrderId, Amount)> {
        let sales = self.by_customer.get_mut(customer_id)?;
        sales.iter_mut().rev().find_map(|sale| {
            let (left, price) = sale.left.get_mut(product_id)?;
            if *left < quantity {
                return None;
            }
            *left -= quantity;
            Some((sale.order_id.clone(), *price))
        })
    }
}
