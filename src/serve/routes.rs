//! Every route of the server: the commands, the queries, the events, and what operators need, under one description.

use axum::routing::get;
use command_api::engine::Engine;
use event_api::Streams;
use event_store::kafka::relay::RelayMonitor;
use http_problem::{KnownRoutes, completed};
use metrics_exporter_prometheus::PrometheusHandle;
use projections::query::QueryState;
use projections::worker::status::Monitor;
use tokio::runtime::Handle;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_swagger_ui::SwaggerUi;

use super::app::App;
use super::meter::Meter;
use super::{health, prometheus};
use crate::config::Configuration;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Bursar",
        description = "An event-sourced transaction engine for accounts, orders and payments. Commands are answered \
                       when they are durable; queries read models that follow, and say which position they reflect."
    ),
    tags((name = "operations", description = "For whoever runs the server"))
)]
struct Description;

/// Every route.
///
/// Events are read on the runtime of `views`; their streams have to be ended before connections can end.
pub(super) fn all(
    configuration: &Configuration,
    engine: Engine,
    views: (Option<Monitor>, &Handle),
    relay: Option<RelayMonitor>,
    metrics: PrometheusHandle,
) -> (App, Streams) {
    let (views, apart) = views;
    let commands = command_api::http::Options {
        body_bytes_max: configuration.http.body_bytes_max,
        batch_bytes_max: configuration.http.batch_bytes_max,
        body_read_timeout: configuration.http.body_read_timeout,
        ..command_api::http::Options::default()
    };
    let commands = command_api::http::router(engine.clone(), commands);
    let events = event_api::Options {
        readers_max: configuration.read_side.event_readers_max,
        heartbeat: configuration.read_side.event_heartbeat,
    };
    let (events, streams) = event_api::router(engine.log().clone(), apart.clone(), events);
    let parts = health::Parts { engine, views, relay, view_lag_events_max: configuration.health.view_lag_events_max };
    let pool = configuration.read_side.database.query_pool(&configuration.read_side.query_pool);
    let state = QueryState::new(pool, parts.views.clone());
    let graphql = projections::graphql::router(state.clone(), configuration.read_side.graphql.clone());
    let queries = projections::query::router(state);
    let (router, description) = OpenApiRouter::with_openapi(Description::openapi())
        .merge(commands)
        .merge(queries)
        .merge(graphql)
        .merge(events)
        .merge(health::routes(parts))
        .split_for_parts();
    let known = KnownRoutes::of(&description);
    let router = router
        .route("/metrics", get(move || async move { prometheus::read(&metrics) }))
        .merge(http_problem::pages())
        .merge(SwaggerUi::new("/docs").url("/openapi.json", description));
    let app =
        App { meter: Meter::of(&known), router: completed(router, known), limit: configuration.http.request_timeout };
    (app, streams)
}

/// What a worker answers: how it is, and what it measures.
pub(super) fn of_worker(configuration: &Configuration, views: Monitor, metrics: PrometheusHandle) -> App {
    let parts = health::WorkerParts { views, view_lag_events_max: configuration.health.view_lag_events_max };
    let (router, description) =
        OpenApiRouter::with_openapi(Description::openapi()).merge(health::of_worker(parts)).split_for_parts();
    let known = KnownRoutes::of(&description);
    let router =
        router.route("/metrics", get(move || async move { prometheus::read(&metrics) })).merge(http_problem::pages());
    App { meter: Meter::of(&known), router: completed(router, known), limit: configuration.http.request_timeout }
}
