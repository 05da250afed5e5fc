//! Every route that answers queries, on one screen.

use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::snapshot::QueryState;
use super::{
    accounts, holds, orders, parked, payments, products, projections, rejections, sales, statement, transfers,
    trial_balance,
};

#[derive(OpenApi)]
#[openapi(tags(
    (name = "ledger", description = "The books as a whole."),
    (name = "rejections", description = "Commands that were refused."),
    (name = "analytics", description = "Sums for those who watch the business."),
))]
struct Description;

/// The routes that answer queries, with their OpenAPI document. Merge it with the other routes of the server.
pub fn router(state: QueryState) -> OpenApiRouter {
    OpenApiRouter::with_openapi(Description::openapi())
        .routes(routes!(accounts::list)) //          GET /v1/accounts
        .routes(routes!(accounts::one)) //           GET /v1/accounts/{id}
        .routes(routes!(statement::statement)) //    GET /v1/accounts/{id}/statement
        .routes(routes!(holds::list)) //             GET /v1/accounts/{id}/holds
        .routes(routes!(transfers::one)) //          GET /v1/transfers/{id}
        .routes(routes!(products::list)) //          GET /v1/products
        .routes(routes!(products::one)) //           GET /v1/products/{id}
        .routes(routes!(orders::list)) //            GET /v1/orders
        .routes(routes!(orders::one)) //             GET /v1/orders/{id}
        .routes(routes!(payments::list)) //          GET /v1/payments
        .routes(routes!(payments::one)) //           GET /v1/payments/{id}
        .routes(routes!(trial_balance::whole)) //    GET /v1/ledger/trial-balance
        .routes(routes!(rejections::list)) //        GET /v1/rejections
        .routes(routes!(sales::by)) //               GET /v1/analytics/sales
        .routes(routes!(projections::list)) //       GET /v1/projections
        .routes(routes!(parked::parked)) //          GET /v1/projections/{id}/parked
        .routes(routes!(parked::try_again)) //       POST /v1/projections/{id}/parked/{stream}/retry
        .routes(routes!(parked::leave_out)) //       POST /v1/projections/{id}/parked/{stream}/release
        .with_state(state)
}
