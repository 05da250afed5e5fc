//! `GET /v1/payments` and `GET /v1/payments/{id}`.

use std::collections::{BTreeSet, HashMap};

use axum::extract::State;
use chrono::{DateTime, Utc};
use domain::ids::{OrderId, PaymentId};
use domain::money::Amount;
use domain::payment::{Payer, PaymentStatus};
use http_problem::Problem;
use serde::Serialize;
use sqlx::{FromRow, PgConnection};
use utoipa::ToSchema;

use super::answer::{Answer, Answered, Problems, failed, not_found, unreadable};
use super::asked::{Asked, AskedOfRows};
use super::money::Money;
use super::page::{Listed, Page};
use super::snapshot::{QueryState, Snapshot};
use super::view::{View, answered};

#[derive(FromRow)]
struct PaymentRow {
    payment_id: String,
    order_id: Option<String>,
    payer_account_id: String,
    payee_account_id: String,
    amount: i64,
    currency: String,
    capture: String,
    authorized: i64,
    captured: i64,
    voided: i64,
    refunded: i64,
    version: i64,
    requested_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

/// A payment.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Payment {
    #[schema(example = "pay-1")]
    payment_id: String,
    /// The order it pays.
    #[schema(example = "inv-536365")]
    order_id: Option<String>,
    #[schema(example = "acct-ann")]
    payer_account_id: String,
    #[schema(example = "acct-merchant")]
    payee_account_id: String,
    /// `pending`, `authorized`, `partially_captured`, `captured`, `partially_refunded`, `refunded` or `voided`.
    #[schema(example = "captured")]
    status: &'static str,
    /// What was asked.
    amount: Money,
    /// When it is taken: `automatic`, `on_shipment` or `manual`.
    #[schema(example = "automatic")]
    capture: String,
    /// Set aside in all.
    authorized: Money,
    /// Taken.
    captured: Money,
    /// Set aside and let go again.
    voided: Money,
    /// Given back.
    refunded: Money,
    /// The number of the payment's last event, for `If-Match`.
    #[schema(example = 2)]
    version: i64,
    /// When it was requested, in business time.
    requested_at: DateTime<Utc>,
    /// When its last event was recorded.
    updated_at: DateTime<Utc>,
}

#[derive(FromRow)]
struct OperationRow {
    payment_id: String,
    position: i64,
    kind: String,
    operation_id: Option<String>,
    cause: Option<String>,
    amount: i64,
    at: DateTime<Utc>,
}

/// Something that was done with a payment.
#[derive(Debug, Serialize, ToSchema)]
struct PaymentOperation {
    /// `authorization`, `capture`, `void` or `refund`.
    #[schema(example = "capture")]
    kind: String,
    /// The name of a capture or refund.
    #[schema(example = "pay-1")]
    operation_id: Option<String>,
    /// What brought a capture or refund about: `request`, `automatic`, `shipment`, `return` or `cancellation`.
    #[schema(example = "automatic")]
    cause: Option<String>,
    amount: Money,
    /// When, in business time.
    at: DateTime<Utc>,
    /// Where the log has it.
    #[schema(example = 4011)]
    position: i64,
}

/// A payment with what was done with it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OnePayment {
    #[serde(flatten)]
    payment: Payment,
    /// In the order in which it happened.
    operations: Vec<PaymentOperation>,
    /// The position of the log that the answer reflects.
    #[schema(example = 4711)]
    position: u64,
}

/// Lists payments
///
/// Sorted by id.
#[utoipa::path(
    get, path = "/v1/payments", operation_id = "list_payments", tag = "payments",
    params(
        ("order_id" = Option<String>, Query, description = "Only of this order.", example = "inv-536365"),
        super::page::Paging, super::snapshot::Recency,
    ),
    responses((status = 200, body = Listed<Payment>, description = "A page of payments."), Problems)
)]
pub(super) async fn list(state: State<QueryState>, asked: Asked) -> Answered<Listed<Payment>> {
    answered::<PaymentsWanted>(state, asked).await
}

/// Which payments are wanted.
pub(crate) struct PaymentsWanted {
    order_id: Option<OrderId>,
    page: Page<PaymentId>,
}

impl View for PaymentsWanted {
    type Body = Listed<Payment>;

    fn asked(asked: &mut Asked) -> Option<Self> {
        let order_id: Option<OrderId> = asked.optional("order_id");
        let page = asked.page(|key| key.first()?.parse::<PaymentId>().ok());
        Some(Self { order_id, page })
    }

    async fn read(self, snapshot: &mut Snapshot) -> Result<Self::Body, Problem> {
        let Self { order_id, page } = self;
        let mut rows: Vec<PaymentRow> = sqlx::query_as(
            "SELECT * FROM payments WHERE ($1::text IS NULL OR order_id = $1) AND ($2::text IS NULL OR payment_id > $2) \
             ORDER BY payment_id LIMIT $3",
        )
        .bind(order_id.as_ref().map(OrderId::as_str))
        .bind(page.after.as_ref().map(PaymentId::as_str))
        .bind(page.rows_to_read())
        .fetch_all(snapshot.rows())
        .await
        .map_err(failed)?;
        let next_cursor = page.cut(&mut rows, |row| vec![row.payment_id.clone()]);
        let items = rows.into_iter().map(Payment::read).collect::<Result<_, _>>()?;
        Ok(Listed { items, next_cursor, position: snapshot.moment.position.0 })
    }
}

/// All payments of these orders, by order.
pub(super) async fn of_orders(
    rows: &mut PgConnection,
    orders: &[String],
) -> Result<HashMap<String, Vec<Payment>>, Problem> {
    let rows: Vec<PaymentRow> = sqlx::query_as("SELECT * FROM payments WHERE order_id = ANY($1) ORDER BY payment_id")
        .bind(orders)
        .fetch_all(rows)
        .await
        .map_err(failed)?;
    let mut of_orders: HashMap<String, Vec<Payment>> = HashMap::new();
    for row in rows {
        let order_id = row.order_id.clone().unwrap_or_default();
        of_orders.entry(order_id).or_default().push(Payment::read(row)?);
    }
    Ok(of_orders)
}

/// Payments by their names, as far as there are such, with what was done with them.
pub(crate) async fn named(snapshot: &mut Snapshot, ids: &[String]) -> Result<Vec<OnePayment>, Problem> {
    let position = snapshot.moment.position.0;
    let found: Vec<PaymentRow> = sqlx::query_as("SELECT * FROM payments WHERE payment_id = ANY($1)")
        .bind(ids)
        .fetch_all(snapshot.rows())
        .await
        .map_err(failed)?;
    let rows: Vec<OperationRow> =
        sqlx::query_as("SELECT * FROM payment_operations WHERE payment_id = ANY($1) ORDER BY position")
            .bind(ids)
            .fetch_all(snapshot.rows())
            .await
            .map_err(failed)?;
    let mut operations: HashMap<String, Vec<OperationRow>> = HashMap::new();
    for row in rows {
        operations.entry(row.payment_id.clone()).or_default().push(row);
    }
    let payment = |row: PaymentRow| {
        let done = operations.remove(&row.payment_id).unwrap_or_default();
        let operations = done.into_iter().map(|operation| operation.view(&row.currency)).collect();
        Ok(OnePayment { operations, payment: Payment::read(row)?, position })
    };
    found.into_iter().map(payment).collect()
}

/// Shows a payment and what was done with it
#[utoipa::path(
    get, path = "/v1/payments/{id}", operation_id = "get_payment", tag = "payments",
    params(
        ("id" = String, Path, description = "The payment.", example = "pay-1"),
        super::snapshot::Recency,
    ),
    responses(
        (status = 200, body = OnePayment, description = "The payment."),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "`payment_not_found`"),
        Problems
    )
)]
pub(super) async fn one(State(state): State<QueryState>, mut asked: Asked) -> Answered<OnePayment> {
    let payment_id: Option<PaymentId> = asked.id();
    let freshness = asked.freshness();
    let payment_id = asked.finish_with(payment_id)?;
    let mut snapshot = state.snapshot(freshness).await?;
    let found = named(&mut snapshot, &[payment_id.as_str().to_owned()]).await?.pop();
    let moment = snapshot.moment;
    snapshot.close().await;
    let payment = found.ok_or_else(|| not_found("payment_not_found", "payment", payment_id.as_str()))?;
    let version = payment.payment.version;
    Ok(Answer::at(moment, payment).version(version))
}

impl OperationRow {
    fn view(self, currency: &str) -> PaymentOperation {
        PaymentOperation {
            kind: self.kind,
            operation_id: self.operation_id,
            cause: self.cause,
            amount: Money::new(self.amount, currency),
            at: self.at,
            position: self.position,
        }
    }
}

impl PaymentRow {
    /// The status that the rules of the domain give to these sums.
    fn status(&self) -> Option<PaymentStatus> {
        let payment = domain::payment::Payment {
            order_id: None,
            payer: Payer::Account(self.payer_account_id.parse().ok()?),
            payee_account_id: self.payee_account_id.parse().ok()?,
            amount: domain::money::Money::new(Amount::new(self.amount).ok()?, self.currency.parse().ok()?),
            capture: super::word(&self.capture)?,
            authorized: Amount::new(self.authorized).ok()?,
            captured: Amount::new(self.captured).ok()?,
            voided: Amount::new(self.voided).ok()?,
            refunded: Amount::new(self.refunded).ok()?,
            operations: BTreeSet::new(),
        };
        Some(payment.status())
    }
}

impl Payment {
    fn read(row: PaymentRow) -> Result<Self, Problem> {
        let status = row.status().ok_or_else(|| unreadable("payments", &row.payment_id))?;
        let money = |amount| Money::new(amount, &row.currency);
        Ok(Self {
            status: status.as_str(),
            amount: money(row.amount),
            authorized: money(row.authorized),
            captured: money(row.captured),
            voided: money(row.voided),
            refunded: money(row.refunded),
            payment_id: row.payment_id,
            order_id: row.order_id,
            payer_account_id: row.payer_account_id,
            payee_account_id: row.payee_account_id,
            capture: row.capture,
            version: row.version,
            requested_at: row.requested_at,
            updated_at: row.updated_at,
        })
    }
}
