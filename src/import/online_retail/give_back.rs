//! Cancellations: goods that come back to an order of theirs, or a credit note where there is none. Either waits until
//! the merchant can pay it.

use chrono::{DateTime, Utc};
use domain::ids::{CustomerId, OrderId, ProductId};
use domain::money::Amount;
use domain::order::LineQuantity;

use super::keys;
use super::mapping::{Mapping, Problem};
use super::row::Row;
use crate::import::command::Body;

/// A discount has this code; it is never a return.
const DISCOUNT_CODE: &str = "D";

/// A line of a cancellation.
#[derive(Debug)]
pub(super) struct GiveBack {
    pub line: u64,
    at: DateTime<Utc>,
    invoice: String,
    /// Its number within the invoice.
    number: usize,
    customer_id: CustomerId,
    product_id: ProductId,
    quantity: i64,
    pub amount: Amount,
    /// The order it comes from; none makes it a credit note.
    order_id: Option<OrderId>,
}

impl Mapping {
    pub(super) fn cancel(&mut self, row: &Row, number: usize) {
        if row.quantity > 0 {
            let reason = format!("a cancellation of {} pieces: nothing is given back", row.quantity);
            return self.problems.push(Problem { line: row.line, reason });
        }
        let quantity = row.quantity.saturating_neg();
        let credited = match row.price.times_ratio(quantity, 1) {
            Ok(credited) => credited,
            Err(overflow) => return self.report(row.line, &overflow.into()),
        };
        let is_discount = row.product_id.as_str() == DISCOUNT_CODE;
        let sold = (!is_discount).then(|| self.sales.give_back(&row.customer_id, &row.product_id, quantity)).flatten();
        let (order_id, amount) = match sold {
            // What was paid for the goods comes back, whatever the cancellation says they cost.
            Some((order_id, price)) => (Some(order_id), price.times_ratio(quantity, 1).unwrap_or(credited)),
            None if credited == Amount::ZERO => {
                let reason = "a cancellation without a price, of goods that were not sold".to_owned();
                return self.problems.push(Problem { line: row.line, reason });
            }
            None => (None, credited),
        };
        self.waiting.push_back(GiveBack {
            line: row.line,
            at: row.invoiced_at,
            invoice: row.invoice.clone(),
            number,
            customer_id: row.customer_id.clone(),
            product_id: row.product_id.clone(),
            quantity,
            amount,
            order_id,
        });
        self.give_back_what_waited();
    }

    /// Gives back, oldest first, all that the merchant can pay by now.
    pub(super) fn give_back_what_waited(&mut self) {
        for give_back in std::mem::take(&mut self.waiting) {
            if give_back.amount > self.merchant {
                self.waiting.push_back(give_back);
                continue;
            }
            self.merchant = self.merchant.minus(give_back.amount).unwrap_or(self.merchant);
            self.totals.given_back = self.totals.given_back.plus(give_back.amount).unwrap_or(self.totals.given_back);
            match give_back.order_id.clone() {
                Some(order_id) => self.return_goods(&give_back, order_id),
                None => self.credit(&give_back),
            }
        }
    }

    fn return_goods(&mut self, back: &GiveBack, order_id: OrderId) {
        let about = format!("{}:{}", back.invoice, back.number);
        let return_id = keys::return_of(&back.invoice, back.number);
        let lines = vec![LineQuantity { product_id: back.product_id.clone(), quantity: back.quantity }];
        let reason = keys::remark(&format!("cancelled by {}", back.invoice));
        let request = Body::RequestReturn { order_id: order_id.clone(), return_id: return_id.clone(), lines, reason };
        self.ask(back.line, back.at, keys::key(&about, "return"), request);
        self.ask(back.line, back.at, keys::key(&about, "receive"), Body::ReceiveReturn { order_id, return_id });
        if let Some(shelf) = self.products.get_mut(&back.product_id) {
            shelf.available = shelf.available.saturating_add(back.quantity);
        }
        self.totals.returns += 1;
    }

    fn credit(&mut self, back: &GiveBack) {
        let to = keys::account(&back.customer_id);
        self.open(&to, keys::owner(&back.customer_id), back.line, back.at);
        let about = format!("{}:{}", back.invoice, back.number);
        let transfer = Body::SendTransfer {
            transfer_id: keys::credit_note(&back.invoice, back.number),
            from: keys::merchant(),
            to,
            amount: keys::pounds(back.amount),
            reference: keys::remark(&format!("credit note {}", back.invoice)),
        };
        self.ask(back.line, back.at, keys::key(about, "credit"), transfer);
        self.totals.credit_notes += 1;
    }
}
