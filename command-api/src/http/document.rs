//! The OpenAPI document of the commands, made of their definitions: a route and what is said about it are one value, so
//! that neither can be without the other.

pub(super) mod bodies;
pub(super) mod responses;

use std::sync::Arc;

use axum::routing::{MethodRouter, on};
use serde_json::{Map, Value, json};
use utoipa::openapi::path::{Operation, Paths};
use utoipa::openapi::{HttpMethod, RefOr, Schema};
use utoipa_axum::PathItemExt;
use utoipa_axum::router::UtoipaMethodRouter;

use self::bodies::{body_example, body_schema, line_example, line_schema, schema_name};
use self::responses::{batch_responses, command_responses};
use super::batch::MEDIA_TYPES;
use super::catalogue::{CATALOGUE, CommandType};
use super::definition::{Presence, Wire};
use super::field::FieldType;
use super::idempotency_key::IdempotencyKey;
use super::single::take;
use super::{Commands, Surface};

/// The route on which a command is taken with `POST`.
pub(super) fn post<W: Wire, C: Commands>(path: &'static str) -> UtoipaMethodRouter<Arc<Surface<C>>> {
    route::<W, C>(HttpMethod::Post, path)
}

/// The route on which a command is taken with `PATCH`.
pub(super) fn patch<W: Wire, C: Commands>(path: &'static str) -> UtoipaMethodRouter<Arc<Surface<C>>> {
    route::<W, C>(HttpMethod::Patch, path)
}

/// The route on which a command is taken with `DELETE`.
pub(super) fn delete<W: Wire, C: Commands>(path: &'static str) -> UtoipaMethodRouter<Arc<Surface<C>>> {
    route::<W, C>(HttpMethod::Delete, path)
}

fn route<W: Wire, C: Commands>(method: HttpMethod, path: &'static str) -> UtoipaMethodRouter<Arc<Surface<C>>> {
    let handler = on(method.to_method_filter(), take::<W, C>);
    let command = CommandType::of::<W>();
    let schema = (schema_name(&command), read_schema(body_schema(&command)));
    documented(method, path, handler, vec![schema], operation(&command, path))
}

/// The route of batches.
pub(super) fn batch_route<C: Commands>(
    path: &'static str,
    handler: MethodRouter<Arc<Surface<C>>>,
) -> UtoipaMethodRouter<Arc<Surface<C>>> {
    let line_name = |command: &CommandType| format!("{}Line", schema_name(command));
    let mut schemas: Vec<_> = CATALOGUE.iter().map(|c| (line_name(c), read_schema(line_schema(c)))).collect();
    let lines: Vec<Value> = CATALOGUE.iter().map(|c| reference(&line_name(c))).collect();
    schemas.push(("CommandLine".to_owned(), read_schema(json!({"oneOf": lines}))));
    documented(HttpMethod::Post, path, handler, schemas, batch_operation())
}

fn documented<C: Commands>(
    method: HttpMethod,
    path: &'static str,
    handler: MethodRouter<Arc<Surface<C>>>,
    schemas: Vec<(String, RefOr<Schema>)>,
    operation: Value,
) -> UtoipaMethodRouter<Arc<Surface<C>>> {
    let operation: Operation = serde_json::from_value(operation).expect("an operation written here is one of OpenAPI");
    let mut paths = Paths::new();
    paths.add_path_operation(path, vec![method], operation);
    (schemas, paths, handler)
}

fn read_schema(schema: Value) -> RefOr<Schema> {
    serde_json::from_value(schema).expect("a schema written here is one of OpenAPI")
}

fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

fn operation(command: &CommandType, path: &str) -> Value {
    let mut parameters = Vec::new();
    let names = path.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'));
    let fields = command.fields.iter().filter(|field| field.presence == Presence::Path);
    for (name, field) in names.clone().zip(fields) {
        parameters.push(json!({
            "name": name, "in": "path", "required": true, "description": field.about,
            "schema": (field.schema)(), "example": (field.example)()
        }));
    }
    parameters.push(json!({
        "name": "Idempotency-Key", "in": "header", "required": true, "schema": IdempotencyKey::schema(),
        "description": "A new one for every new command, the same one to repeat a command: it is done once.",
        "example": IdempotencyKey::example()
    }));
    if command.versioned {
        parameters.push(json!({
            "name": "If-Match", "in": "header", "required": false,
            "schema": {"type": "string", "pattern": "^\"[0-9]+\"$"}, "example": "\"3\"",
            "description": "The version at which the stream must be, as an answer gives it in ETag."
        }));
    }
    parameters.push(correlation_id());
    parameters.push(dry_run());
    let creates = names.count() == 0 || command.fields.iter().any(|field| field.presence == Presence::Generated);
    let tag = path.split('/').nth(2).unwrap_or_default();
    let has_required = command.fields.iter().any(|field| field.presence == Presence::Required);
    json!({
        "tags": [tag], "summary": command.about, "operationId": command.name, "parameters": parameters,
        "requestBody": {
            "required": has_required,
            "content": {"application/json": {"schema": reference(&schema_name(command)), "example": body_example(command)}}
        },
        "responses": command_responses(creates)
    })
}

fn batch_operation() -> Value {
    let examples: Vec<Value> =
        CATALOGUE.iter().filter(|c| ["deposit", "send_transfer"].contains(&c.name)).map(line_example).collect();
    let lines: Vec<String> = examples.iter().map(Value::to_string).collect();
    let content = MEDIA_TYPES.iter().map(|media_type| {
        let content = if *media_type == "application/json" {
            json!({"schema": {"type": "array", "items": reference("CommandLine")}, "example": examples})
        } else {
            json!({"schema": reference("CommandLine"), "example": lines.join("\n")})
        };
        ((*media_type).to_owned(), content)
    });
    json!({
        "tags": ["commands"], "summary": "Takes many commands in one request.", "operationId": "batch",
        "description": "One command per line (NDJSON), or an array of them. Every command has a `type`, a `key` of its \
                        own, and the fields of its own route, ids of the path included.",
        "parameters": [
            {
                "name": "mode", "in": "query", "required": false, "example": "independent",
                "schema": {"type": "string", "enum": ["independent", "atomic"], "default": "independent"},
                "description": "independent: each command stands for itself. atomic: all are accepted, or none."
            },
            correlation_id(),
            dry_run()
        ],
        "requestBody": {"required": true, "content": content.collect::<Map<_, _>>()},
        "responses": batch_responses()
    })
}

fn correlation_id() -> Value {
    json!({
        "name": "X-Correlation-Id", "in": "header", "required": false,
        "schema": {"type": "string", "maxLength": 128, "pattern": "^[!-~]*$"},
        "description": "What you group requests by; it is kept with the events."
    })
}

fn dry_run() -> Value {
    json!({
        "name": "dry_run", "in": "query", "required": false, "schema": {"type": "boolean", "default": false},
        "description": "true: decide and answer, but record nothing and use no key up."
    })
}
