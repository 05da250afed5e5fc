//! `GET /v1/orders` and `GET /v1/orders/{id}`.

mod detail;
mod summary;

use axum::extract::State;
use chrono::{DateTime, Utc};
use domain::ids::{CustomerId, OrderId};
use http_problem::Problem;

use self::detail::OneOrder;
use self::summary::{Order, OrderRow};
use super::answer::{Answer, Answered, Problems, failed, not_found};
use super::asked::{Asked, AskedOfRows};
use super::page::{Listed, Page};
use super::payments;
use super::snapshot::{QueryState, Snapshot};
use super::time::Bound;
use super::view::{View, answered};
use crate::model::stamp::storable;

const STATES: [&str; 5] = ["draft", "placing", "placed", "completed", "cancelled"];

/// Lists orders
///
/// Sorted by when they were ordered: when they were placed, or while they are carts, when they were started. An order
/// that is placed while pages are read moves to its new place.
#[utoipa::path(
    get, path = "/v1/orders", operation_id = "list_orders", tag = "orders",
    params(
        ("customer_id" = Option<String>, Query, description = "Only of this customer.", example = "ann"),
        ("state" = Option<String>, Query, description = "Only in this state: draft, placing, placed, completed or cancelled."),
        ("from" = Option<String>, Query, description = "Ordered from this RFC 3339 time, or day in UTC, on.", example = "2010-12-01"),
        ("to" = Option<String>, Query, description = "Ordered before this RFC 3339 time, or up to the end of this day in UTC.", example = "2010-12-31"),
        super::page::Paging, super::snapshot::Recency,
    ),
    responses((status = 200, body = Listed<Order>, description = "A page of orders."), Problems)
)]
pub(super) async fn list(state: State<QueryState>, asked: Asked) -> Answered<Listed<Order>> {
    answered::<OrdersWanted>(state, asked).await
}

/// Which orders are wanted.
pub(crate) struct OrdersWanted {
    customer_id: Option<CustomerId>,
    status: Option<&'static str>,
    from: Option<Bound>,
    to: Option<Bound>,
    page: Page<(DateTime<Utc>, OrderId)>,
}

impl View for OrdersWanted {
    type Body = Listed<Order>;

    fn asked(asked: &mut Asked) -> Option<Self> {
        let customer_id: Option<CustomerId> = asked.optional("customer_id");
        let status = asked.word("state", &STATES);
        let (from, to): (Option<Bound>, Option<Bound>) = (asked.optional("from"), asked.optional("to"));
        let page = asked.page(|key| match key {
            [ordered_at_us, order_id] => {
                let ordered_at = DateTime::from_timestamp_micros(ordered_at_us.parse().ok()?)?;
                let ordered_at = Some(ordered_at).filter(|at| storable(*at) == *at)?;
                Some((ordered_at, order_id.parse::<OrderId>().ok()?))
            }
            _ => None,
        });
        Some(Self { customer_id, status, from, to, page })
    }

    async fn read(self, snapshot: &mut Snapshot) -> Result<Self::Body, Problem> {
        let Self { customer_id, status, from, to, page } = self;
        let mut rows: Vec<OrderRow> = sqlx::query_as(
            "SELECT * FROM orders WHERE ($1::text IS NULL OR customer_id = $1) AND ($2::text IS NULL OR status = $2) \
             AND ($3::timestamptz IS NULL OR ordered_at >= $3) AND ($4::timestamptz IS NULL OR ordered_at < $4) \
             AND ($5::timestamptz IS NULL OR (ordered_at, order_id) > ($5, $6)) ORDER BY ordered_at, order_id LIMIT $7",
        )
        .bind(customer_id.as_ref().map(CustomerId::as_str))
        .bind(status)
        .bind(from.map(Bound::begins))
        .bind(to.map(Bound::ends))
        .bind(page.after.as_ref().map(|(ordered_at, _)| *ordered_at))
        .bind(page.after.as_ref().map(|(_, order_id)| order_id.as_str()))
        .bind(page.rows_to_read())
        .fetch_all(snapshot.rows())
        .await
        .map_err(failed)?;
        let next_cursor =
            page.cut(&mut rows, |row| vec![row.ordered_at.timestamp_micros().to_string(), row.order_id.clone()]);
        let items = rows.into_iter().map(Order::read).collect::<Result<_, _>>()?;
        Ok(Listed { items, next_cursor, position: snapshot.moment.position.0 })
    }
}

/// Shows an order
///
/// With its lines, shipments, returns and payments.
#[utoipa::path(
    get, path = "/v1/orders/{id}", operation_id = "get_order", tag = "orders",
    params(
        ("id" = String, Path, description = "The order.", example = "inv-536365"),
        super::snapshot::Recency,
    ),
    responses(
        (status = 200, body = OneOrder, description = "The order."),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "`order_not_found`"),
        Problems
    )
)]
pub(super) async fn one(State(state): State<QueryState>, mut asked: Asked) -> Answered<OneOrder> {
    let order_id: Option<OrderId> = asked.id();
    let freshness = asked.freshness();
    let order_id = asked.finish_with(order_id)?;
    let mut snapshot = state.snapshot(freshness).await?;
    let found = named(&mut snapshot, &[order_id.as_str().to_owned()]).await?.pop();
    let moment = snapshot.moment;
    snapshot.close().await;
    let order = found.ok_or_else(|| not_found("order_not_found", "order", order_id.as_str()))?;
    let version = order.version();
    Ok(Answer::at(moment, order).version(version))
}

/// Orders by their names, as far as there are such, with everything that belongs to them.
pub(crate) async fn named(snapshot: &mut Snapshot, ids: &[String]) -> Result<Vec<OneOrder>, Problem> {
    let position = snapshot.moment.position;
    let found: Vec<OrderRow> = sqlx::query_as("SELECT * FROM orders WHERE order_id = ANY($1)")
        .bind(ids)
        .fetch_all(snapshot.rows())
        .await
        .map_err(failed)?;
    let mut parts = detail::read(snapshot.rows(), ids).await.map_err(failed)?;
    let mut payments = payments::of_orders(snapshot.rows(), ids).await?;
    let order = |row: OrderRow| {
        let parts = parts.remove(&row.order_id).unwrap_or_default();
        let payments = payments.remove(&row.order_id).unwrap_or_default();
        OneOrder::new(row, parts, payments, position)
    };
    found.into_iter().map(order).collect()
}
