//! `GET /v1/products` and `GET /v1/products/{id}`.

use axum::extract::State;
use chrono::{DateTime, Utc};
use domain::ids::ProductId;
use http_problem::Problem;
use serde::Serialize;
use sqlx::{FromRow, PgConnection};
use utoipa::ToSchema;

use super::answer::{Answer, Answered, Problems, failed, not_found};
use super::asked::{Asked, AskedOfRows};
use super::money::Money;
use super::page::{Listed, Page};
use super::snapshot::{QueryState, Snapshot};
use super::view::{View, answered};

#[derive(FromRow)]
struct ProductRow {
    product_id: String,
    name: String,
    unit_price: i64,
    currency: String,
    tax_rate_bps: i64,
    on_hand: i64,
    reserved: i64,
    discontinued: bool,
    version: i64,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

/// A product and its stock.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Product {
    #[schema(example = "85123A")]
    product_id: String,
    #[schema(example = "white hanging heart t-light holder")]
    name: String,
    /// The price of one, without tax.
    unit_price: Money,
    /// The tax rate in basis points: 825 is 8.25 %.
    #[schema(example = 825)]
    tax_rate_bps: i64,
    /// How many are in the house.
    #[schema(example = 50)]
    on_hand: i64,
    /// How many of them are set aside for orders.
    #[schema(example = 8)]
    reserved: i64,
    /// How many can still be ordered.
    #[schema(example = 42)]
    available: i64,
    /// Whether it is no longer sold.
    discontinued: bool,
    /// The number of the product's last event, for `If-Match`.
    #[schema(example = 3)]
    version: i64,
    /// When it came into the catalogue, in business time.
    created_at: DateTime<Utc>,
    /// When its last event was recorded.
    updated_at: DateTime<Utc>,
}

/// A product as it is.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct OneProduct {
    #[serde(flatten)]
    product: Product,
    /// The position of the log that the answer reflects.
    #[schema(example = 4711)]
    position: u64,
}

/// Lists products
///
/// Sorted by id.
#[utoipa::path(
    get, path = "/v1/products", operation_id = "list_products", tag = "products",
    params(
        ("discontinued" = Option<bool>, Query, description = "Only those that are, or are not, discontinued."),
        super::page::Paging, super::snapshot::Recency,
    ),
    responses((status = 200, body = Listed<Product>, description = "A page of products."), Problems)
)]
pub(super) async fn list(state: State<QueryState>, asked: Asked) -> Answered<Listed<Product>> {
    answered::<ProductsWanted>(state, asked).await
}

/// Which products are wanted.
pub(crate) struct ProductsWanted {
    discontinued: Option<bool>,
    page: Page<ProductId>,
}

impl View for ProductsWanted {
    type Body = Listed<Product>;

    fn asked(asked: &mut Asked) -> Option<Self> {
        let discontinued: Option<bool> = asked.optional("discontinued");
        let page = asked.page(|key| key.first()?.parse::<ProductId>().ok());
        Some(Self { discontinued, page })
    }

    async fn read(self, snapshot: &mut Snapshot) -> Result<Self::Body, Problem> {
        let Self { discontinued, page } = self;
        let mut rows: Vec<ProductRow> = sqlx::query_as(
            "SELECT * FROM products WHERE ($1::boolean IS NULL OR discontinued = $1) \
             AND ($2::text IS NULL OR product_id > $2) ORDER BY product_id LIMIT $3",
        )
        .bind(discontinued)
        .bind(page.after.as_ref().map(ProductId::as_str))
        .bind(page.rows_to_read())
        .fetch_all(snapshot.rows())
        .await
        .map_err(failed)?;
        let next_cursor = page.cut(&mut rows, |row| vec![row.product_id.clone()]);
        let items = rows.into_iter().map(Product::from).collect();
        Ok(Listed { items, next_cursor, position: snapshot.moment.position.0 })
    }
}

/// Shows a product and its stock
#[utoipa::path(
    get, path = "/v1/products/{id}", operation_id = "get_product", tag = "products",
    params(
        ("id" = String, Path, description = "The product.", example = "85123A"),
        super::snapshot::Recency,
    ),
    responses(
        (status = 200, body = OneProduct, description = "The product."),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "`unknown_product`"),
        Problems
    )
)]
pub(super) async fn one(State(state): State<QueryState>, mut asked: Asked) -> Answered<OneProduct> {
    let product_id: Option<ProductId> = asked.id();
    let freshness = asked.freshness();
    let product_id = asked.finish_with(product_id)?;
    let mut snapshot = state.snapshot(freshness).await?;
    let row: Option<ProductRow> = sqlx::query_as("SELECT * FROM products WHERE product_id = $1")
        .bind(product_id.as_str())
        .fetch_optional(snapshot.rows())
        .await
        .map_err(failed)?;
    let moment = snapshot.moment;
    snapshot.close().await;
    let row = row.ok_or_else(|| not_found("unknown_product", "product", product_id.as_str()))?;
    let version = row.version;
    Ok(Answer::at(moment, OneProduct { product: row.into(), position: moment.position.0 }).version(version))
}

/// Products by their names, as far as there are such.
pub(crate) async fn named(rows: &mut PgConnection, ids: &[String]) -> Result<Vec<Product>, Problem> {
    let found: Vec<ProductRow> = sqlx::query_as("SELECT * FROM products WHERE product_id = ANY($1)")
        .bind(ids)
        .fetch_all(rows)
        .await
        .map_err(failed)?;
    Ok(found.into_iter().map(Product::from).collect())
}

impl From<ProductRow> for Product {
    fn from(row: ProductRow) -> Self {
        Self {
            unit_price: Money::new(row.unit_price, &row.currency),
            available: row.on_hand - row.reserved,
            product_id: row.product_id,
            name: row.name,
            tax_rate_bps: row.tax_rate_bps,
            on_hand: row.on_hand,
            reserved: row.reserved,
            discontinued: row.discontinued,
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}
