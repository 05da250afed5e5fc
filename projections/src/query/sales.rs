//! `GET /v1/analytics/sales`.

use axum::extract::State;
use http_problem::Problem;
use serde::Serialize;
use sqlx::FromRow;
use utoipa::ToSchema;

use super::answer::{Answered, Problems, failed, unreadable};
use super::asked::{Asked, AskedOfRows};
use super::money::Sum;
use super::page::{Listed, Page};
use super::snapshot::{QueryState, Snapshot};
use super::time::Day;
use super::view::{View, answered};
use crate::model::sales::Sums;

#[derive(FromRow)]
struct SalesRow {
    key: String,
    currency: String,
    orders: String,
    quantity: String,
    goods: String,
    tax: String,
    shipping: String,
    cancelled_orders: String,
    cancelled_quantity: String,
    cancelled_goods: String,
    cancelled_tax: String,
    cancelled_shipping: String,
    returned_quantity: String,
    returned_goods: String,
    returned_tax: String,
}

/// What was sold, or taken back.
#[derive(Debug, Serialize, ToSchema)]
struct SalesFigures {
    /// How many orders; no order counts as returned. By product: how many orders have the product.
    #[schema(value_type = i64, example = 127)]
    orders: i128,
    /// How many pieces.
    #[schema(value_type = i64, example = 26919)]
    quantity: i128,
    /// The goods, less discounts, without tax.
    goods: Sum,
    /// The tax on them.
    tax: Sum,
    /// Sending, which is of an order and not of a product.
    shipping: Sum,
}

/// The sales of a day, month, product or customer.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Sales {
    /// The day (`2010-12-01`), month (`2010-12`), product or customer.
    #[schema(example = "2010-12-01")]
    key: String,
    #[schema(example = "GBP")]
    currency: String,
    /// Orders placed in the time asked for.
    sold: SalesFigures,
    /// Placed orders called off in the time asked for, whenever they were placed.
    cancelled: SalesFigures,
    /// Goods that came back in the time asked for, whenever they were sold.
    returned: SalesFigures,
    /// Sold, less cancelled and returned.
    net: SalesFigures,
}

/// Sums sales up
///
/// By day, month, product or customer, over the days from `from` to `to`, both included, in business time (UTC). An
/// order counts on the day on which it was placed, a cancellation and a return on the day on which they happened.
/// Sorted by key and currency.
#[utoipa::path(
    get, path = "/v1/analytics/sales", operation_id = "get_sales", tag = "analytics",
    params(
        ("by" = String, Query, description = "day, month, product or customer.", example = "day"),
        ("from" = Option<String>, Query, description = "From this day on.", example = "2010-12-01"),
        ("to" = Option<String>, Query, description = "Up to and with this day.", example = "2010-12-31"),
        super::page::Paging, super::snapshot::Recency,
    ),
    responses((status = 200, body = Listed<Sales>, description = "A page of sums."), Problems)
)]
pub(super) async fn by(state: State<QueryState>, asked: Asked) -> Answered<Listed<Sales>> {
    answered::<SalesWanted>(state, asked).await
}

/// Which sales are wanted, and by what they are summed up.
pub(crate) struct SalesWanted {
    by: &'static str,
    from: Option<Day>,
    to: Option<Day>,
    page: Page<(String, String)>,
}

impl View for SalesWanted {
    type Body = Listed<Sales>;

    fn asked(asked: &mut Asked) -> Option<Self> {
        let by = asked.required_word("by", &["day", "month", "product", "customer"]);
        let (from, to): (Option<Day>, Option<Day>) = (asked.optional("from"), asked.optional("to"));
        let page = asked.page(|key| match key {
            [key, currency] => Some((key.clone(), currency.clone())),
            _ => None,
        });
        Some(Self { by: by?, from, to, page })
    }

    async fn read(self, snapshot: &mut Snapshot) -> Result<Self::Body, Problem> {
        let Self { by, from, to, page } = self;
        let (cut, key) = match by {
            "day" => ("all", "YYYY-MM-DD"),
            "month" => ("all", "YYYY-MM"),
            cut => (cut, ""),
        };
        // An empty pattern takes the key of the row; the sums are text because they may be larger than bigint.
        let mut rows: Vec<SalesRow> = sqlx::query_as(
            "SELECT * FROM (SELECT CASE WHEN $2 = '' THEN key ELSE to_char(day, $2) COLLATE \"C\" END AS key, currency, \
             SUM(orders)::text AS orders, SUM(quantity)::text AS quantity, SUM(goods)::text AS goods, \
             SUM(tax)::text AS tax, SUM(shipping)::text AS shipping, SUM(cancelled_orders)::text AS cancelled_orders, \
             SUM(cancelled_quantity)::text AS cancelled_quantity, SUM(cancelled_goods)::text AS cancelled_goods, \
             SUM(cancelled_tax)::text AS cancelled_tax, SUM(cancelled_shipping)::text AS cancelled_shipping, \
             SUM(returned_quantity)::text AS returned_quantity, SUM(returned_goods)::text AS returned_goods, \
             SUM(returned_tax)::text AS returned_tax FROM sales WHERE cut = $1 AND ($3::date IS NULL OR day >= $3) \
             AND ($4::date IS NULL OR day <= $4) GROUP BY 1, 2) s \
             WHERE ($5::text IS NULL OR (key, currency) > ($5, $6)) ORDER BY key, currency LIMIT $7",
        )
        .bind(cut)
        .bind(key)
        .bind(from.map(|Day(day)| day))
        .bind(to.map(|Day(day)| day))
        .bind(page.after.as_ref().map(|(key, _)| key.as_str()))
        .bind(page.after.as_ref().map(|(_, currency)| currency.as_str()))
        .bind(page.rows_to_read())
        .fetch_all(snapshot.rows())
        .await
        .map_err(failed)?;
        let next_cursor = page.cut(&mut rows, |row| vec![row.key.clone(), row.currency.clone()]);
        let items = rows.into_iter().map(Sales::read).collect::<Result<_, _>>()?;
        Ok(Listed { items, next_cursor, position: snapshot.moment.position.0 })
    }
}

impl Sales {
    fn read(row: SalesRow) -> Result<Self, Problem> {
        let number = |text: &str| text.parse::<i128>().map_err(|_| unreadable("sales", &row.key));
        let sold = Sums {
            orders: number(&row.orders)?,
            quantity: number(&row.quantity)?,
            goods: number(&row.goods)?,
            tax: number(&row.tax)?,
            shipping: number(&row.shipping)?,
        };
        let cancelled = Sums {
            orders: number(&row.cancelled_orders)?,
            quantity: number(&row.cancelled_quantity)?,
            goods: number(&row.cancelled_goods)?,
            tax: number(&row.cancelled_tax)?,
            shipping: number(&row.cancelled_shipping)?,
        };
        let returned = Sums {
            quantity: number(&row.returned_quantity)?,
            goods: number(&row.returned_goods)?,
            tax: number(&row.returned_tax)?,
            ..Sums::default()
        };
        let figures = |sums: Sums| SalesFigures {
            orders: sums.orders,
            quantity: sums.quantity,
            goods: Sum::new(sums.goods, &row.currency),
            tax: Sum::new(sums.tax, &row.currency),
            shipping: Sum::new(sums.shipping, &row.currency),
        };
        let net = figures(sold.less(cancelled).less(returned));
        let (sold, cancelled, returned) = (figures(sold), figures(cancelled), figures(returned));
        Ok(Self { key: row.key.clone(), currency: row.currency.clone(), sold, cancelled, returned, net })
    }
}
