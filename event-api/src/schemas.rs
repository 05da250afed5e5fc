//! `GET /v1/schemas` and `GET /v1/schemas/{type}/{version}`: the JSON Schema of every event ever written. The files stand
//! in `docs/schemas`; a file is never changed, only joined by others.

use axum::Json;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use event_store::cloud_event::schema_id;
use http_problem::{Asked, Problem, nearest};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// An event as it is given outside: CloudEvents 1.0 in its structured form.
#[derive(ToSchema)]
#[allow(dead_code, reason = "it stands for its description in the OpenAPI document")]
pub(super) struct CloudEvent {
    /// Always `1.0`.
    #[schema(example = "1.0")]
    specversion: String,
    /// The position of the event in the log, in decimal.
    #[schema(example = "4011")]
    id: String,
    /// The log.
    #[schema(example = "urn:bursar:log:8f6c1f0a5d3b4c2e9a7180ad3c9e5b21")]
    source: String,
    /// What happened.
    #[schema(example = "funds_deposited")]
    r#type: String,
    /// The stream that it belongs to.
    #[schema(example = "account-acct-ann")]
    subject: String,
    /// When it was recorded.
    #[schema(example = "2026-01-31T08:00:00.000000Z")]
    time: String,
    /// Always `application/json`.
    #[schema(example = "application/json")]
    datacontenttype: String,
    /// The schema of its data: `GET /v1/schemas/{type}/{version}` has it.
    #[schema(example = "urn:bursar:schema:funds_deposited:1")]
    dataschema: String,
    /// The version of that schema, in decimal.
    #[schema(example = "1")]
    schemaversion: String,
    /// Its number within its stream, in decimal.
    #[schema(example = "3")]
    streamversion: String,
    /// When it happened in business, where that differs.
    effectivetime: Option<String>,
    /// Who sent the command that it comes from.
    #[schema(example = "anonymous")]
    principal: String,
    /// The type of that command.
    #[schema(example = "deposit")]
    command: String,
    /// The key of that command.
    #[schema(example = "statement-7")]
    idempotencykey: String,
    /// The request that carried it.
    #[schema(example = "019a3f6e-5a41-7c52-9b86-0f6d1c7e2a11")]
    requestid: String,
    /// What its sender groups requests by.
    correlationid: Option<String>,
    /// What was recorded.
    #[schema(value_type = Object)]
    data: Value,
}

/// A schema that there is.
#[derive(Debug, Serialize, ToSchema)]
struct SchemaName {
    /// The type of events.
    #[schema(example = "funds_deposited")]
    r#type: &'static str,
    /// The version of the schema.
    #[schema(example = 1)]
    version: u16,
    /// Its name, as `dataschema` of events has it.
    #[schema(example = "urn:bursar:schema:funds_deposited:1")]
    id: String,
    /// Where it is.
    #[schema(example = "/v1/schemas/funds_deposited/1")]
    href: String,
}

/// The schemas that there are.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SchemaNames {
    items: Vec<SchemaName>,
}

/// Lists the schemas of events
///
/// One for every type of event and every version of it that was ever written.
#[utoipa::path(
    get, path = "/v1/schemas", operation_id = "list_schemas", tag = "events",
    responses((status = 200, body = SchemaNames, description = "The schemas."))
)]
pub(super) async fn list(asked: Asked) -> Result<Json<SchemaNames>, Problem> {
    asked.finish()?;
    let items = SCHEMAS.iter().map(|(event_type, version, _)| SchemaName {
        r#type: event_type,
        version: *version,
        id: schema_id(event_type, *version),
        href: format!("/v1/schemas/{event_type}/{version}"),
    });
    Ok(Json(SchemaNames { items: items.collect() }))
}

/// Gives the schema of an event's data
///
/// JSON Schema 2020-12. It never changes.
#[utoipa::path(
    get, path = "/v1/schemas/{type}/{version}", operation_id = "get_schema", tag = "events",
    params(
        ("type" = String, Path, description = "The type of events.", example = "funds_deposited"),
        ("version" = u16, Path, description = "The version of the schema.", example = 1),
    ),
    responses(
        (status = 200, content_type = "application/schema+json", body = Value, description = "The schema."),
        (status = 400, body = Problem, content_type = "application/problem+json", description = "`invalid_request`"),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "`schema_not_found`"),
    )
)]
pub(super) async fn one(mut asked: Asked) -> Result<Response, Problem> {
    let event_type: Option<String> = asked.path("type");
    let version: Option<u16> = asked.path("version");
    let (event_type, version) = asked.finish_with(event_type.zip(version))?;
    let found = SCHEMAS.iter().find(|(name, number, _)| *name == event_type && *number == version);
    let (_, _, schema) = found.ok_or_else(|| unknown(&event_type, version))?;
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("application/schema+json")),
        (CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable")),
    ];
    Ok((headers, *schema).into_response())
}

fn unknown(event_type: &str, version: u16) -> Problem {
    let versions: Vec<_> = SCHEMAS.iter().filter(|(name, ..)| *name == event_type).collect();
    let (param, detail) = if versions.is_empty() {
        let shown: String = event_type.chars().take(80).collect();
        let meant = nearest(event_type, SCHEMAS.iter().map(|(name, ..)| *name));
        let meant = meant.map_or_else(String::new, |name| format!("; did you mean {name}?"));
        ("type", format!("there is no type of event {shown:?}{meant} GET /v1/schemas lists them all"))
    } else {
        let there: Vec<_> = versions.iter().map(|(_, number, _)| number.to_string()).collect();
        ("version", format!("{event_type} has no version {version}; there is {}", there.join(", ")))
    };
    Problem::new(StatusCode::NOT_FOUND, "schema_not_found", detail).param(param)
}

/// A schema: the type of events, its version, and what stands in its file.
type Schema = (&'static str, u16, &'static str);

macro_rules! schemas {
    ($($event_type:literal $version:literal,)*) => {
        /// Every schema there is.
        const SCHEMAS: &[Schema] = &[$((
            $event_type, $version,
            include_str!(concat!("../../docs/schemas/", $event_type, "/", $version, ".json")),
        )),*];
    };
}

schemas! {
    "account_opened" 1,
    "funds_deposited" 1,
    "funds_withdrawn" 1,
    "transfer_sent" 1,
    "transfer_received" 1,
    "transfer_reversed" 1,
    "hold_placed" 1,
    "hold_captured" 1,
    "hold_released" 1,
    "capture_received" 1,
    "refund_sent" 1,
    "refund_received" 1,
    "account_frozen" 1,
    "account_unfrozen" 1,
    "account_closed" 1,
    "product_created" 1,
    "price_changed" 1,
    "stock_received" 1,
    "stock_adjusted" 1,
    "stock_reserved" 1,
    "stock_released" 1,
    "stock_shipped" 1,
    "return_restocked" 1,
    "product_discontinued" 1,
    "order_started" 1,
    "item_added" 1,
    "quantity_changed" 1,
    "item_removed" 1,
    "shipping_set" 1,
    "checkout_started" 1,
    "order_placed" 1,
    "order_cancelled" 1,
    "order_shipped" 1,
    "shipment_delivered" 1,
    "order_completed" 1,
    "return_requested" 1,
    "return_received" 1,
    "return_rejected" 1,
    "order_payment_recorded" 1,
    "payment_requested" 1,
    "payment_authorized" 1,
    "payment_captured" 1,
    "payment_voided" 1,
    "payment_refunded" 1,
    "command_rejected" 1,
}

#[cfg(test)]
mod tests;
