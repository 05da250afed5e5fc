//! An order with everything that belongs to it.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use domain::ids::Position;
use http_problem::Problem;
use serde::Serialize;
use sqlx::{FromRow, PgConnection};
use utoipa::ToSchema;

use super::super::money::Money;
use super::super::payments::Payment;
use super::summary::{Order, OrderRow};

/// An order with everything that belongs to it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OneOrder {
    #[serde(flatten)]
    order: Order,
    /// Sum of price × quantity; null while it is a cart.
    subtotal: Option<Money>,
    /// Sum of the lines' discounts; null while it is a cart.
    discount: Option<Money>,
    /// Sum of the lines' tax; null while it is a cart.
    tax: Option<Money>,
    /// What sending costs.
    shipping: Money,
    /// How it is sent.
    #[schema(example = "post")]
    shipping_method: Option<String>,
    /// Why it was called off.
    cancel_reason: Option<String>,
    /// When the cart was started, in business time.
    started_at: DateTime<Utc>,
    /// In the order of the cart.
    lines: Vec<OrderLine>,
    /// Oldest first.
    shipments: Vec<Shipment>,
    /// Oldest first.
    returns: Vec<Return>,
    /// Sorted by id.
    payments: Vec<Payment>,
    /// The position of the log that the answer reflects.
    #[schema(example = 4711)]
    position: u64,
}

/// A line of an order. Prices are null while it is a cart.
#[derive(Debug, Serialize, ToSchema)]
struct OrderLine {
    #[schema(example = "85123A")]
    product_id: String,
    name: Option<String>,
    #[schema(example = 6)]
    quantity: i64,
    /// The price of one, without tax.
    unit_price: Option<Money>,
    /// What is taken off the line.
    discount: Option<Money>,
    /// The tax rate in basis points.
    #[schema(example = 825)]
    tax_rate_bps: Option<i64>,
    /// The tax on the line.
    tax: Option<Money>,
    /// Price × quantity − discount + tax.
    total: Option<Money>,
    /// How many were shipped.
    shipped: i64,
    /// How many have arrived.
    delivered: i64,
    /// How many are wanted back or came back.
    wanted_back: i64,
    /// How many came back.
    returned: i64,
}

/// A shipment of an order.
#[derive(Debug, Serialize, ToSchema)]
struct Shipment {
    #[schema(example = "shp-1")]
    shipment_id: String,
    /// `shipped` or `delivered`.
    #[schema(example = "delivered")]
    status: &'static str,
    carrier: Option<String>,
    tracking: Option<String>,
    /// When, in business time.
    shipped_at: DateTime<Utc>,
    /// When, in business time.
    delivered_at: Option<DateTime<Utc>>,
    lines: Vec<Goods>,
}

/// So many of a product.
#[derive(Debug, Serialize, ToSchema)]
struct Goods {
    #[schema(example = "85123A")]
    product_id: String,
    #[schema(example = 6)]
    quantity: i64,
}

/// A return of goods.
#[derive(Debug, Serialize, ToSchema)]
struct Return {
    #[schema(example = "ret-1")]
    return_id: String,
    /// `requested`, `received` or `rejected`.
    #[schema(example = "received")]
    status: String,
    /// Why the customer gives the goods back.
    reason: String,
    /// Why it was rejected.
    rejection_reason: Option<String>,
    /// What the goods are worth, tax included; null until they are back.
    value: Option<Money>,
    /// When, in business time.
    requested_at: DateTime<Utc>,
    /// When it was received or rejected, in business time.
    closed_at: Option<DateTime<Utc>>,
    lines: Vec<ReturnedGoods>,
}

/// So many of a product that come back.
#[derive(Debug, Serialize, ToSchema)]
struct ReturnedGoods {
    #[schema(example = "85123A")]
    product_id: String,
    #[schema(example = 2)]
    quantity: i64,
    /// What they are worth, tax included; null until they are back.
    value: Option<Money>,
}

#[derive(FromRow)]
struct LineRow {
    order_id: String,
    product_id: String,
    name: Option<String>,
    quantity: i64,
    unit_price: Option<i64>,
    discount: Option<i64>,
    tax_rate_bps: Option<i64>,
    tax: Option<i64>,
    total: Option<i64>,
    shipped: i64,
    delivered: i64,
    wanted_back: i64,
    returned: i64,
}

#[derive(FromRow)]
struct ShipmentRow {
    order_id: String,
    shipment_id: String,
    carrier: Option<String>,
    tracking: Option<String>,
    shipped_at: DateTime<Utc>,
    delivered_at: Option<DateTime<Utc>>,
}

#[derive(FromRow)]
struct ReturnRow {
    order_id: String,
    return_id: String,
    status: String,
    reason: String,
    rejection_reason: Option<String>,
    value: Option<i64>,
    requested_at: DateTime<Utc>,
    closed_at: Option<DateTime<Utc>>,
}

#[derive(FromRow)]
struct ShipmentLineRow {
    order_id: String,
    shipment_id: String,
    product_id: String,
    quantity: i64,
}

#[derive(FromRow)]
struct ReturnLineRow {
    order_id: String,
    return_id: String,
    product_id: String,
    quantity: i64,
    value: Option<i64>,
}

/// The rows that belong to an order.
#[derive(Default)]
pub(super) struct Parts {
    lines: Vec<LineRow>,
    shipments: Vec<ShipmentRow>,
    shipment_lines: Vec<ShipmentLineRow>,
    returns: Vec<ReturnRow>,
    return_lines: Vec<ReturnLineRow>,
}

/// Reads the rows that belong to these orders, by order.
pub(super) async fn read(rows: &mut PgConnection, ids: &[String]) -> Result<HashMap<String, Parts>, sqlx::Error> {
    let mut all: HashMap<String, Parts> = HashMap::new();
    let lines = "SELECT * FROM order_lines WHERE order_id = ANY($1) ORDER BY added_position, product_id";
    for row in sqlx::query_as::<_, LineRow>(lines).bind(ids).fetch_all(&mut *rows).await? {
        all.entry(row.order_id.clone()).or_default().lines.push(row);
    }
    let shipments = "SELECT * FROM shipments WHERE order_id = ANY($1) ORDER BY position";
    for row in sqlx::query_as::<_, ShipmentRow>(shipments).bind(ids).fetch_all(&mut *rows).await? {
        all.entry(row.order_id.clone()).or_default().shipments.push(row);
    }
    let shipment_lines = "SELECT order_id, shipment_id, product_id, quantity FROM shipment_lines \
                          WHERE order_id = ANY($1) ORDER BY product_id";
    for row in sqlx::query_as::<_, ShipmentLineRow>(shipment_lines).bind(ids).fetch_all(&mut *rows).await? {
        all.entry(row.order_id.clone()).or_default().shipment_lines.push(row);
    }
    let returns = "SELECT * FROM returns WHERE order_id = ANY($1) ORDER BY position";
    for row in sqlx::query_as::<_, ReturnRow>(returns).bind(ids).fetch_all(&mut *rows).await? {
        all.entry(row.order_id.clone()).or_default().returns.push(row);
    }
    let return_lines = "SELECT order_id, return_id, product_id, quantity, value FROM return_lines \
                        WHERE order_id = ANY($1) ORDER BY product_id";
    for row in sqlx::query_as::<_, ReturnLineRow>(return_lines).bind(ids).fetch_all(rows).await? {
        all.entry(row.order_id.clone()).or_default().return_lines.push(row);
    }
    Ok(all)
}

impl OneOrder {
    /// The number of the order's last event.
    pub(super) const fn version(&self) -> i64 {
        self.order.version
    }

    pub(super) fn new(
        row: OrderRow,
        parts: Parts,
        payments: Vec<Payment>,
        position: Position,
    ) -> Result<Self, Problem> {
        let currency = row.currency.clone();
        let mut shipped: BTreeMap<String, Vec<Goods>> = BTreeMap::new();
        for ShipmentLineRow { shipment_id, product_id, quantity, .. } in parts.shipment_lines {
            shipped.entry(shipment_id).or_default().push(Goods { product_id, quantity });
        }
        let mut returned: BTreeMap<String, Vec<ReturnedGoods>> = BTreeMap::new();
        for ReturnLineRow { return_id, product_id, quantity, value, .. } in parts.return_lines {
            let value = value.map(|value| Money::new(value, &currency));
            returned.entry(return_id).or_default().push(ReturnedGoods { product_id, quantity, value });
        }
        let shipment = |row: ShipmentRow| {
            let lines = shipped.remove(&row.shipment_id).unwrap_or_default();
            row.view(lines)
        };
        let return_of = |row: ReturnRow| {
            let lines = returned.remove(&row.return_id).unwrap_or_default();
            row.view(lines, &currency)
        };
        Ok(Self {
            subtotal: row.priced(row.subtotal),
            discount: row.priced(row.discount),
            tax: row.priced(row.tax),
            shipping: Money::new(row.shipping, &currency),
            shipping_method: row.shipping_method.clone(),
            cancel_reason: row.cancel_reason.clone(),
            started_at: row.started_at,
            order: Order::read(row)?,
            lines: parts.lines.into_iter().map(|line| line.view(&currency)).collect(),
            shipments: parts.shipments.into_iter().map(shipment).collect(),
            returns: parts.returns.into_iter().map(return_of).collect(),
            payments,
            position: position.0,
        })
    }
}

impl LineRow {
    fn view(self, currency: &str) -> OrderLine {
        let money = |amount: Option<i64>| amount.map(|amount| Money::new(amount, currency));
        OrderLine {
            product_id: self.product_id,
            name: self.name,
            quantity: self.quantity,
            unit_price: money(self.unit_price),
            discount: money(self.discount),
            tax_rate_bps: self.tax_rate_bps,
            tax: money(self.tax),
            total: money(self.total),
            shipped: self.shipped,
            delivered: self.delivered,
            wanted_back: self.wanted_back,
            returned: self.returned,
        }
    }
}

impl ShipmentRow {
    fn view(self, lines: Vec<Goods>) -> Shipment {
        Shipment {
            shipment_id: self.shipment_id,
            status: if self.delivered_at.is_some() { "delivered" } else { "shipped" },
            carrier: self.carrier,
            tracking: self.tracking,
            shipped_at: self.shipped_at,
            delivered_at: self.delivered_at,
            lines,
        }
    }
}

impl ReturnRow {
    fn view(self, lines: Vec<ReturnedGoods>, currency: &str) -> Return {
        Return {
            return_id: self.return_id,
            status: self.status,
            reason: self.reason,
            rejection_reason: self.rejection_reason,
            value: self.value.map(|value| Money::new(value, currency)),
            requested_at: self.requested_at,
            closed_at: self.closed_at,
            lines,
        }
    }
}
