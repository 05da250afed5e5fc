//! An order as lists show it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use domain::ids::ProductId;
use domain::money::Amount;
use domain::order::state::{Fulfilment, Line, OrderPayment, OrderPaymentStatus};
use domain::payment::CaptureMode;
use http_problem::Problem;
use serde::Serialize;
use sqlx::FromRow;
use utoipa::ToSchema;

use super::super::answer::unreadable;
use super::super::money::Money;

#[derive(FromRow)]
pub(super) struct OrderRow {
    pub(super) order_id: String,
    customer_id: String,
    pub(super) currency: String,
    status: String,
    pub(super) ordered_at: DateTime<Utc>,
    pub(super) started_at: DateTime<Utc>,
    placed_at: Option<DateTime<Utc>>,
    cancelled_at: Option<DateTime<Utc>>,
    pub(super) cancel_reason: Option<String>,
    pub(super) shipping_method: Option<String>,
    pub(super) shipping: i64,
    pub(super) subtotal: i64,
    pub(super) discount: i64,
    pub(super) tax: i64,
    total: i64,
    pieces: i64,
    pieces_shipped: i64,
    pieces_delivered: i64,
    credited: i64,
    capturable: i64,
    captured: i64,
    refunded: i64,
    pub(super) version: i64,
    updated_at: DateTime<Utc>,
}

/// An order.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Order {
    #[schema(example = "inv-536365")]
    order_id: String,
    #[schema(example = "cust-17850")]
    customer_id: String,
    /// Where the order itself is: `draft` (a cart), `placing`, `placed`, `completed` or `cancelled`.
    #[schema(example = "completed")]
    state: String,
    /// How far it is paid: `unpaid`, `authorized`, `partially_paid`, `paid`, `partially_refunded` or `refunded`.
    #[schema(value_type = String, example = "paid")]
    payment_status: OrderPaymentStatus,
    /// How far it is fulfilled: `unfulfilled`, `partially_shipped`, `shipped` or `delivered`.
    #[schema(value_type = String, example = "delivered")]
    fulfilment: Fulfilment,
    #[schema(example = "GBP")]
    currency: String,
    /// What it comes to; null while it is a cart.
    total: Option<Money>,
    /// What was taken for it.
    captured: Money,
    /// What was given back of that.
    refunded: Money,
    /// What is neither paid nor set aside yet.
    outstanding: Money,
    /// When it was placed, or while it is a cart, when it was started; in business time.
    ordered_at: DateTime<Utc>,
    /// When it was placed, in business time.
    placed_at: Option<DateTime<Utc>>,
    /// When it was called off, in business time.
    cancelled_at: Option<DateTime<Utc>>,
    /// The number of the order's last event, for `If-Match`.
    #[schema(example = 9)]
    pub(super) version: i64,
    /// When its last event was recorded.
    updated_at: DateTime<Utc>,
}

impl OrderRow {
    /// What it comes to, once it was placed.
    pub(super) fn priced(&self, amount: i64) -> Option<Money> {
        self.placed_at.map(|_| Money::new(amount, &self.currency))
    }

    /// An order of the domain with these sums: all pieces in one line, all payments in one. The rules that tell how far
    /// it is paid and fulfilled look at the sums only, and stand there alone.
    fn state(&self) -> Option<domain::order::Order> {
        let line = Line {
            product_id: ProductId::new("all").ok()?,
            quantity: self.pieces,
            total: Amount::new(self.total).ok()?,
            shipped: self.pieces_shipped,
            delivered: self.pieces_delivered,
            returning: 0,
            returned: 0,
        };
        let captured = Amount::new(self.captured).ok()?;
        let payment = OrderPayment {
            payment_id: "all".parse().ok()?,
            capture: CaptureMode::Manual,
            authorized: captured.plus(Amount::new(self.capturable).ok()?).ok()?,
            captured,
            voided: Amount::ZERO,
            refunded: Amount::new(self.refunded).ok()?,
        };
        Some(domain::order::Order {
            customer_id: self.customer_id.parse().ok()?,
            currency: self.currency.parse().ok()?,
            status: super::super::word(&self.status)?,
            lines: vec![line],
            shipping: Amount::new(self.shipping).ok()?,
            total: Amount::new(self.total).ok()?,
            credited: Amount::new(self.credited).ok()?,
            shipments: BTreeMap::new(),
            returns: BTreeMap::new(),
            payments: vec![payment],
        })
    }
}

impl Order {
    pub(super) fn read(row: OrderRow) -> Result<Self, Problem> {
        let state = row.state().ok_or_else(|| unreadable("orders", &row.order_id))?;
        let money = |amount| Money::new(amount, &row.currency);
        Ok(Self {
            payment_status: state.payment_status(),
            fulfilment: state.fulfilment(),
            total: row.priced(row.total),
            captured: money(row.captured),
            refunded: money(row.refunded),
            outstanding: money(if state.is_placed() { state.outstanding().minor_units() } else { 0 }),
            order_id: row.order_id,
            customer_id: row.customer_id,
            state: row.status,
            currency: row.currency,
            ordered_at: row.ordered_at,
            placed_at: row.placed_at,
            cancelled_at: row.cancelled_at,
            version: row.version,
            updated_at: row.updated_at,
        })
    }
}
