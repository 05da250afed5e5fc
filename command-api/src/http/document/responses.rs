//! What answers look like in the document.

use http_problem::{FieldError, Problem};
use serde_json::{Value, json};
use utoipa::PartialSchema;
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{Components, OpenApi};

use super::{read_schema, reference};
use crate::http::field;

/// A document that has nothing but the schemas that all operations share.
pub(in crate::http) fn components() -> OpenApi {
    let mut components = Components::new();
    for (name, schema) in field::objects::components() {
        components.schemas.insert(name.to_owned(), read_schema(schema));
    }
    components.schemas.insert("EventPlace".to_owned(), read_schema(event_place()));
    components.schemas.insert("CommandAnswer".to_owned(), read_schema(answer()));
    components.schemas.insert("BatchAnswerLine".to_owned(), read_schema(answer_line()));
    components.schemas.insert("Problem".to_owned(), Problem::schema());
    components.schemas.insert("FieldError".to_owned(), FieldError::schema());
    let mut document = OpenApi::default();
    document.components = Some(components);
    let tags = [
        ("accounts", "Accounts: money comes in, goes out, is held."),
        ("transfers", "Transfers between accounts."),
        ("products", "The catalogue and its stock."),
        ("orders", "Orders: from the cart to the return."),
        ("payments", "Payments: authorized, captured, voided, refunded."),
        ("commands", "Many commands in one request."),
    ];
    let tag = |(name, about)| TagBuilder::new().name(name).description(Some(about)).build();
    document.tags = Some(tags.map(tag).into());
    document
}

/// The responses of a command's own route.
pub(super) fn command_responses(creates: bool) -> Value {
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
        "408": problem("The body did not come in time; nothing was done."),
        "409": problem("A name is taken, the version is another one, the key was used for something else, or what was named is not in a state for this."),
        "413": problem("The body is too large."),
        "415": problem("The body is not JSON."),
        "422": problem("The rules refuse it: `code` and `figures` say why."),
        "500": problem("Whether the command counts is unknown: ask again with the same key."),
        "503": problem("Not taken up, or not answered in time: try again with the same key after `Retry-After` seconds.")
    });
    if creates {
        responses["200"] = accepted("Accepted, for a dry run.");
        responses["201"] = accepted("Accepted, and durable: something new came into being.");
    }
    responses
}

/// The responses of the route of batches.
pub(super) fn batch_responses() -> Value {
    let mut responses = command_responses(false);
    responses["200"] = json!({
        "description": "One line for each command, in order, as they become durable. In an independent batch each has its own status.",
        "headers": answer_headers(false),
        "content": {"application/x-ndjson": {"schema": reference("BatchAnswerLine")}}
    });
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
