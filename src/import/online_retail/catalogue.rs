//! What is known of the products before anything is sold: a first pass over the file finds their names and prices.

use std::collections::HashMap;

use domain::ids::ProductId;
use domain::money::Amount;
use domain::text::Text;

use super::row::Row;

/// Names and first prices of all products of a file.
#[derive(Debug, Default)]
pub(crate) struct Catalogue {
    products: HashMap<ProductId, Entry>,
}

#[derive(Debug, Default)]
struct Entry {
    /// From the first line with a price that has one.
    sold_as: Option<Text>,
    /// From the first line that has one; on lines without a price people wrote remarks.
    called: Option<Text>,
    price: Option<Amount>,
}

impl Catalogue {
    /// Takes up what a line says about its product.
    pub(crate) fn note(&mut self, row: &Row) {
        let entry = self.products.entry(row.product_id.clone()).or_default();
        if row.price > Amount::ZERO {
            entry.price.get_or_insert(row.price);
            entry.sold_as = entry.sold_as.take().or_else(|| row.description.clone());
        }
        entry.called = entry.called.take().or_else(|| row.description.clone());
    }

    /// What a product is called: as it was sold, else as it was called anywhere, else by its code.
    pub(crate) fn name(&self, product_id: &ProductId) -> Text {
        let entry = self.products.get(product_id);
        let known = entry.and_then(|entry| entry.sold_as.clone().or_else(|| entry.called.clone()));
        known.unwrap_or_else(|| Text::new(product_id.as_str()).expect("an identifier is a text"))
    }

    /// What it cost first, in pence; nothing where no line has a price.
    pub(crate) fn price(&self, product_id: &ProductId) -> Amount {
        self.products.get(product_id).and_then(|entry| entry.price).unwrap_or(Amount::ZERO)
    }
}
