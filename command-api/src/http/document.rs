//! The OpenAPI document of the commands, made of their definitions: a route and what is said about it are one value, so
//! that neither can be without the other.

use axum::routing::{MethodRouter, on};
use http_problem::{FieldError, Problem};
use serde_json::{Map, Value, json};
use utoipa::PartialSchema;
use utoipa::openapi::path::{Operation, Paths};
use utoipa::openapi::{Components, HttpMethod, OpenApi, RefOr, Schema};
use utoipa_axum::PathItemExt;
use utoipa_axum::router::UtoipaMethodRouter;

use super::batch::MEDIA_TYPES;
use super::catalogue::{CATALOGUE, CommandType};
use super::definition::{Field, Presence, Wire};
use super::field::{self, EffectiveAt, FieldType};
use super::idempotency_key::IdempotencyKey;
use super::single::take;
use super::{Commands, Surface};

/// The route on which a command is taken with `POST`.
pub(super) fn post<W: Wire, C: Commands>(path: &'static str) -> UtoipaMethodRouter<Surface<C>> {
    route::<W, C>(HttpMethod::Post, path)
}

/// The route on which a command is taken with `PATCH`.
pub(super) fn patch<W: Wire, C: Commands>(path: &'static str) -> UtoipaMethodRouter<Surface<C>> {
    route::<W, C>(HttpMethod::Patch, path)
}

/// The route on which a command is taken with `DELETE`.
pub(super) fn delete<W: Wire, C: Commands>(path: &'static str) -> UtoipaMethodRouter<Surface<C>> {
    route::<W, C>(HttpMethod::Delete, path)
}

fn route<W: Wire, C: Commands>(method: HttpMethod, path: &'static str) -> UtoipaMethodRouter<Surface<C>> {
    let handler = on(method.to_method_filter(), take::<W, C>);
    let command = CommandType::of::<W>();
    let schema = (schema_name(&command), read_schema(body_schema(&command)));
    documented(method, path, handler, vec![schema], operation(&command, path))
}

/// The route of batches.
pub(super) fn batch_route<C: Commands>(
    path: &'static str,
    handler: MethodRouter<Surface<C>>,
) -> UtoipaMethodRouter<Surface<C>> {
    let line_name = |command: &CommandType| format!("{}Line", schema_name(command));
    let mut schemas: Vec<_> = CATALOGUE.iter().map(|c| (line_name(c), read_schema(line_schema(c)))).collect();
    let lines: Vec<Value> = CATALOGUE.iter().map(|c| reference(&line_name(c))).collect();
    schemas.push(("CommandLine".to_owned(), read_schema(json!({"oneOf": lines}))));
    documented(HttpMethod::Post, path, handler, schemas, batch_operation())
}

fn documented<C: Commands>(
    method: HttpMethod,
    path: &'static str,
    handler: MethodRouter<Surface<C>>,
    schemas: Vec<(String, RefOr<Schema>)>,
    operation: Value,
) -> UtoipaMethodRouter<Surface<C>> {
    let operation: Operation = serde_json::from_value(operation).expect("an operation written here is one of OpenAPI");
    let mut paths = Paths::new();
    paths.add_path_operation(path, vec![method], operation);
    (schemas, paths, handler)
}

/// A document that has nothing but the schemas that all operations share.
pub(super) fn components() -> OpenApi {
    let mut components = Components::new();
    for (name, schema) in field::components() {
        components.schemas.insert(name.to_owned(), read_schema(schema));
    }
    components.schemas.insert("EventPlace".to_owned(), read_schema(event_place()));
    components.schemas.insert("CommandAnswer".to_owned(), read_schema(answer()));
    components.schemas.insert("BatchAnswerLine".to_owned(), read_schema(answer_line()));
    components.schemas.insert("Problem".to_owned(), Problem::schema());
    components.schemas.insert("FieldError".to_owned(), FieldError::schema());
    let mut document = OpenApi::default();
    document.components = Some(components);
    document
}

fn read_schema(schema: Value) -> RefOr<Schema> {
    serde_json::from_value(schema).expect("a schema written here is one of OpenAPI")
}

fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

/// `open_account` is `OpenAccount`.
fn schema_name(command: &CommandType) -> String {
    let capitalized = command.name.split('_').map(|word| word[..1].to_ascii_uppercase() + &word[1..]);
    capitalized.collect()
}

/// The body of the command's own route.
fn body_schema(command: &CommandType) -> Value {
    let fields = || command.fields.iter().filter(|field| field.presence != Presence::Path);
    let required = fields().filter(|field| field.presence == Presence::Required).map(|field| field.name);
    object(command, fields(), Map::new(), required.collect(), body_example(command))
}

/// The line of a batch.
fn line_schema(command: &CommandType) -> Value {
    let mut first = Map::new();
    first.insert("type".to_owned(), json!({"type": "string", "enum": [command.name]}));
    first.insert("key".to_owned(), described(IdempotencyKey::schema(), "The idempotency key of this command."));
    let is_required = |field: &&Field| matches!(field.presence, Presence::Required | Presence::Path);
    let own = command.fields.iter().filter(is_required).map(|field| field.name);
    let required = ["type", "key"].into_iter().chain(own).collect();
    object(command, command.fields.iter(), first, required, line_example(command))
}

fn object<'a>(
    command: &CommandType,
    fields: impl Iterator<Item = &'a Field>,
    mut properties: Map<String, Value>,
    required: Vec<&str>,
    example: Value,
) -> Value {
    for field in fields {
        properties.insert(field.name.to_owned(), described((field.schema)(), field.about));
    }
    if command.versioned {
        let about = "The version at which the command's own stream must be; another is refused with version_conflict.";
        properties.insert("expected_version".to_owned(), described(domain::ids::Version::schema(), about));
    }
    let about = "When it happened in business, where that differs from now; not in the future.";
    properties.insert("effective_at".to_owned(), described(EffectiveAt::schema(), about));
    json!({
        "type": "object", "description": command.about, "properties": properties, "required": required,
        "additionalProperties": false, "example": example
    })
}

fn described(mut schema: Value, about: &str) -> Value {
    schema["description"] = json!(about);
    schema
}

/// A body with every field of its own that does not come from the path.
pub(super) fn body_example(command: &CommandType) -> Value {
    let fields = command.fields.iter().filter(|field| field.presence != Presence::Path);
    fields.map(|field| (field.name.to_owned(), (field.example)())).collect::<Map<_, _>>().into()
}

/// A line with every field of its own.
pub(super) fn line_example(command: &CommandType) -> Value {
    let mut example = Map::new();
    example.insert("type".to_owned(), json!(command.name));
    example.insert("key".to_owned(), json!(format!("{}-1", command.name)));
    example.extend(command.fields.iter().map(|field| (field.name.to_owned(), (field.example)())));
    example.into()
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
        "responses": responses(creates)
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
    let mut responses = responses(false);
    responses["200"] = json!({
        "description": "One line for each command, in order, as they become durable. In an independent batch each has its own status.",
        "headers": answer_headers(false),
        "content": {"application/x-ndjson": {"schema": reference("BatchAnswerLine")}}
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
        "responses": responses
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

fn responses(creates: bool) -> Value {
    let problem = |description: &str| {
        json!({
            "description": description,
            "content": {"application/problem+json": {"schema": reference("Problem")}}
        })
    };
    let accepted = |description: &str| {
        json!({
            "description": description, "headers": answer_headers(true),
            "content": {"application/json": {"schema": reference("CommandAnswer")}}
        })
    };
    let mut responses = json!({
        "200": accepted("Accepted, and durable."),
        "400": problem("The request cannot be read: `errors` lists every field that is wrong."),
        "404": problem("What was named does not exist."),
        "409": problem("A name is taken, the version is another one, the key was used for something else, or what was named is not in a state for this."),
        "413": problem("The body is too large."),
        "415": problem("The body is not JSON."),
        "422": problem("The rules refuse it: `code` and `figures` say why."),
        "500": problem("Whether the command counts is unknown: ask again with the same key."),
        "503": problem("Nothing was done; try again after `Retry-After` seconds.")
    });
    if creates {
        responses["200"] = accepted("Accepted, for a dry run.");
        responses["201"] = accepted("Accepted, and durable: something new came into being.");
    }
    responses
}

fn answer_headers(of_one_command: bool) -> Value {
    let mut headers = json!({
        "Bursar-Position": {
            "description": "The position of the answer in the log, for `min_position` of queries.",
            "schema": {"type": "integer", "format": "int64"}
        }
    });
    if of_one_command {
        headers["ETag"] = json!({
            "description": "The version of the stream, for `If-Match`.", "schema": {"type": "string"}
        });
    }
    headers
}

fn event_place() -> Value {
    json!({
        "type": "object", "description": "An event and where it stands.",
        "required": ["type", "stream", "version", "position"],
        "properties": {
            "type": {"type": "string", "example": "funds_deposited"},
            "stream": {"type": "string", "example": "account-acct_alice"},
            "version": {"type": "integer", "format": "int64", "minimum": 0, "example": 3},
            "position": {"type": ["integer", "null"], "format": "int64", "description": "Null for a dry run.", "example": 123}
        }
    })
}

fn answer_members() -> Value {
    json!({
        "result": {
            "type": "object", "description": "What the command's subject is now.",
            "example": {"account_id": "acct_alice", "status": "open", "balance": {"amount": 1250, "currency": "USD"}}
        },
        "events": {"type": "array", "items": reference("EventPlace")},
        "position": {"type": ["integer", "null"], "format": "int64", "description": "Of the last event; null for a dry run.", "example": 123},
        "replayed": {"type": "boolean", "description": "Whether this is the answer to an earlier request with the same key."}
    })
}

fn answer() -> Value {
    json!({
        "type": "object", "description": "A command was accepted.",
        "required": ["result", "events", "position", "replayed"], "properties": answer_members()
    })
}

fn answer_line() -> Value {
    let mut properties = answer_members();
    properties["index"] = json!({"type": "integer", "format": "int64", "description": "Of the command, from 0."});
    properties["line"] = json!({"type": "integer", "format": "int64", "description": "Of the body, from 1."});
    properties["status"] =
        json!({"type": "integer", "description": "What its own route would have answered.", "example": 201});
    properties["problem"] = reference("Problem");
    json!({
        "type": "object", "description": "What became of one command: its answer, or `problem`.",
        "required": ["index", "line", "status"], "properties": properties
    })
}
