//! Stock: products come into being, change their price and are received before they are needed; lines without a sale
//! correct how many there are.

use chrono::{DateTime, Utc};
use domain::ids::ProductId;
use domain::money::Amount;

use super::keys;
use super::mapping::Mapping;
use super::row::Row;
use crate::import::command::Body;

/// A product as far as the file has told.
#[derive(Debug)]
pub(super) struct Shelf {
    pub price: Amount,
    pub available: i64,
}

impl Mapping {
    pub(super) fn adjust_stock(&mut self, row: &Row, number: usize) {
        let about = format!("{}:{number}", row.invoice);
        let needed = row.quantity.saturating_neg().max(0);
        self.supply(row.invoiced_at, &about, row.line, &row.product_id, needed, None);
        if row.quantity > 0
            && let Some(shelf) = self.products.get_mut(&row.product_id)
        {
            shelf.available = shelf.available.saturating_add(row.quantity);
        }
        let reason = row.description.clone().unwrap_or_else(|| keys::remark(&format!("correction {}", row.invoice)));
        let body = Body::AdjustStock { product_id: row.product_id.clone(), quantity: row.quantity, reason };
        self.ask(row.line, row.invoiced_at, keys::key(about, "adjust"), body);
        self.totals.stock_adjustments += 1;
    }

    /// Sees to it that a product exists, costs what is asked, and that there are enough of it; takes them.
    pub(super) fn supply(
        &mut self,
        at: DateTime<Utc>,
        about: &str,
        line: u64,
        product_id: &ProductId,
        quantity: i64,
        price: Option<Amount>,
    ) {
        let product_id = product_id.clone();
        if !self.products.contains_key(&product_id) {
            let (name, first_price) = (self.catalogue.name(&product_id), self.catalogue.price(&product_id));
            let unit_price = keys::pounds(first_price);
            let create = Body::CreateProduct { product_id: product_id.clone(), name, unit_price, tax_rate_bps: 0 };
            self.ask(line, at, keys::key("product", &product_id), create);
            self.products.insert(product_id.clone(), Shelf { price: first_price, available: 0 });
            self.totals.products += 1;
        }
        let Some(shelf) = self.products.get_mut(&product_id) else { return };
        let new_price = price.filter(|price| *price != shelf.price);
        let missing = quantity.saturating_sub(shelf.available);
        shelf.price = price.unwrap_or(shelf.price);
        shelf.available = shelf.available.saturating_add(missing.max(0)).saturating_sub(quantity);
        if let Some(price) = new_price {
            let change = Body::ChangePrice { product_id: product_id.clone(), unit_price: keys::pounds(price) };
            self.ask(line, at, keys::key(about, format_args!("price:{product_id}")), change);
        }
        if missing > 0 {
            let key = keys::key(about, format_args!("stock:{product_id}"));
            self.ask(line, at, key, Body::ReceiveStock { product_id, quantity: missing });
        }
    }
}
