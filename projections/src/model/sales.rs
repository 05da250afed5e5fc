//! Sales by business day, in all, by product and by customer. What an order sells is told by the event that places it;
//! what a return or a cancellation takes back is told by the order's lines, which the fold does not know: it notes
//! what is needed, and [`SalesChanges::settle`] works it out once the lines were read.

use std::collections::{BTreeMap, HashMap};

use chrono::NaiveDate;
use domain::currency::Currency;
use domain::ids::{CustomerId, OrderId, ProductId, ReturnId};
use domain::money::Amount;
use domain::order::OrderEvent;
use domain::order::pricing::share;

use super::Changes;
use super::stamp::Stamp;

/// What a sum of sales is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Cut {
    All,
    Product(ProductId),
    Customer(CustomerId),
}

impl Cut {
    /// Its name and key in a row.
    pub(crate) fn parts(&self) -> (&'static str, &str) {
        match self {
            Self::All => ("all", ""),
            Self::Product(id) => ("product", id.as_str()),
            Self::Customer(id) => ("customer", id.as_str()),
        }
    }
}

/// What is counted and summed, in pieces or in minor units. Goods are net of discount and tax.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Sums {
    pub(crate) orders: i128,
    pub(crate) quantity: i128,
    pub(crate) goods: i128,
    pub(crate) tax: i128,
    pub(crate) shipping: i128,
}

impl Sums {
    fn add(&mut self, other: Self) {
        self.orders += other.orders;
        self.quantity += other.quantity;
        self.goods += other.goods;
        self.tax += other.tax;
        self.shipping += other.shipping;
    }

    pub(crate) const fn less(self, other: Self) -> Self {
        Self {
            orders: self.orders - other.orders,
            quantity: self.quantity - other.quantity,
            goods: self.goods - other.goods,
            tax: self.tax - other.tax,
            shipping: self.shipping - other.shipping,
        }
    }
}

/// What was sold, and what of it was taken back. Nothing returned counts in orders or shipping.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Sales {
    pub(crate) sold: Sums,
    pub(crate) cancelled: Sums,
    pub(crate) returned: Sums,
}

/// Sales by cut, day and currency.
pub(crate) type SalesRows = BTreeMap<(Cut, NaiveDate, Currency), Sales>;

/// What a run of events changes in the sales.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct SalesChanges {
    pub(crate) rows: SalesRows,
    /// Placed orders that were called off, and on which day.
    pub(crate) cancelled: Vec<(OrderId, NaiveDate)>,
    /// Goods that came back, in the order of the log.
    pub(crate) returned: Vec<ReturnedGoods>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReturnedGoods {
    pub(crate) order_id: OrderId,
    pub(crate) return_id: ReturnId,
    pub(crate) product_id: ProductId,
    pub(crate) quantity: i64,
    pub(crate) day: NaiveDate,
}

/// What an order and its lines are once all events of the run were applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SoldOrder {
    pub(crate) customer_id: CustomerId,
    pub(crate) currency: Currency,
    pub(crate) shipping: Amount,
    pub(crate) lines: BTreeMap<ProductId, SoldLine>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SoldLine {
    pub(crate) quantity: i64,
    pub(crate) tax: Amount,
    pub(crate) total: Amount,
    pub(crate) returned: i64,
}

/// All sales rows of a run, and what the goods of its returns are worth.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Settled {
    pub(crate) rows: SalesRows,
    /// The worth of each of [`SalesChanges::returned`], tax included.
    pub(crate) values: Vec<Amount>,
}

/// An order that a sale needs is not in the read models.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UnknownLine {
    pub(crate) order_id: OrderId,
}

pub(super) fn apply(changes: &mut Changes, event: &OrderEvent, stamp: Stamp) {
    let day = stamp.business_day();
    let sales = &mut changes.sales;
    match event {
        OrderEvent::OrderPlaced(e) => {
            let mut whole = Sums { orders: 1, shipping: i128::from(e.shipping.minor_units()), ..Sums::default() };
            for line in &e.lines {
                let sold = goods(line.quantity, line.total, line.tax);
                whole.add(sold);
                sales.row(Cut::Product(line.product_id.clone()), day, e.currency).sold.add(Sums { orders: 1, ..sold });
            }
            sales.row(Cut::All, day, e.currency).sold.add(whole);
            sales.row(Cut::Customer(e.customer_id.clone()), day, e.currency).sold.add(whole);
        }
        // Only a placed order has stock reserved; a cart that is called off was never sold.
        OrderEvent::OrderCancelled(e) if !e.reservations.is_empty() => {
            sales.cancelled.push((e.order_id.clone(), day));
        }
        OrderEvent::ReturnReceived(e) => sales.returned.extend(e.lines.iter().map(|line| ReturnedGoods {
            order_id: e.order_id.clone(),
            return_id: e.return_id.clone(),
            product_id: line.product_id.clone(),
            quantity: line.quantity,
            day,
        })),
        _ => {}
    }
}

fn goods(quantity: i64, total: Amount, tax: Amount) -> Sums {
    Sums {
        quantity: i128::from(quantity),
        goods: i128::from(total.minor_units() - tax.minor_units()),
        tax: i128::from(tax.minor_units()),
        ..Sums::default()
    }
}

fn row(rows: &mut SalesRows, cut: Cut, day: NaiveDate, currency: Currency) -> &mut Sales {
    rows.entry((cut, day, currency)).or_default()
}

impl SalesChanges {
    fn row(&mut self, cut: Cut, day: NaiveDate, currency: Currency) -> &mut Sales {
        row(&mut self.rows, cut, day, currency)
    }

    /// The orders that [`SalesChanges::settle`] has to be told.
    pub(crate) fn orders_needed(&self) -> Vec<OrderId> {
        let cancelled = self.cancelled.iter().map(|(order_id, _)| order_id);
        let mut needed: Vec<_> = cancelled.chain(self.returned.iter().map(|r| &r.order_id)).cloned().collect();
        needed.sort_unstable();
        needed.dedup();
        needed
    }

    /// Adds what was cancelled and returned, at the prices of the orders.
    pub(crate) fn settle(&self, orders: &HashMap<OrderId, SoldOrder>) -> Result<Settled, UnknownLine> {
        let mut settled = Settled { rows: self.rows.clone(), values: Vec::with_capacity(self.returned.len()) };
        for (order_id, day) in &self.cancelled {
            let order = orders.get(order_id).ok_or_else(|| UnknownLine { order_id: order_id.clone() })?;
            cancel(&mut settled.rows, order, *day);
        }
        // The lines count all returns of this run already: go back to how many pieces had been returned before each.
        let mut still_returned: HashMap<(&OrderId, &ProductId), i64> = HashMap::new();
        for goods in &self.returned {
            *still_returned.entry((&goods.order_id, &goods.product_id)).or_default() += goods.quantity;
        }
        for back in &self.returned {
            let unknown = || UnknownLine { order_id: back.order_id.clone() };
            let order = orders.get(&back.order_id).ok_or_else(unknown)?;
            let line = order.lines.get(&back.product_id).ok_or_else(unknown)?;
            let left = still_returned.entry((&back.order_id, &back.product_id)).or_default();
            let from = line.returned - *left;
            *left -= back.quantity;
            let of = |amount| share(amount, line.quantity, from, from + back.quantity);
            let value = of(line.total);
            settled.values.push(value);
            let returned = goods(back.quantity, value, of(line.tax));
            for cut in [Cut::All, Cut::Product(back.product_id.clone()), Cut::Customer(order.customer_id.clone())] {
                row(&mut settled.rows, cut, back.day, order.currency).returned.add(returned);
            }
        }
        Ok(settled)
    }
}

fn cancel(rows: &mut SalesRows, order: &SoldOrder, day: NaiveDate) {
    let mut whole = Sums { orders: 1, shipping: i128::from(order.shipping.minor_units()), ..Sums::default() };
    for (product_id, line) in &order.lines {
        let unsold = goods(line.quantity, line.total, line.tax);
        whole.add(unsold);
        let product = row(rows, Cut::Product(product_id.clone()), day, order.currency);
        product.cancelled.add(Sums { orders: 1, ..unsold });
    }
    row(rows, Cut::All, day, order.currency).cancelled.add(whole);
    row(rows, Cut::Customer(order.customer_id.clone()), day, order.currency).cancelled.add(whole);
}
