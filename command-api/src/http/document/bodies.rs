//! What commands look like in the document: as the body of their own route, and as the line of a batch.

use serde_json::{Map, Value, json};

use crate::http::catalogue::CommandType;
use crate::http::definition::{Field, Presence};
use crate::http::field::FieldType;
use crate::http::field::effective_at::EffectiveAt;
use crate::http::idempotency_key::IdempotencyKey;

/// `open_account` is `OpenAccount`.
pub(super) fn schema_name(command: &CommandType) -> String {
    let capitalized = command.name.split('_').map(|word| word[..1].to_ascii_uppercase() + &word[1..]);
    capitalized.collect()
}

/// The body of the command's own route.
pub(super) fn body_schema(command: &CommandType) -> Value {
    let fields = || command.fields.iter().filter(|field| field.presence != Presence::Path);
    let required = fields().filter(|field| field.presence == Presence::Required).map(|field| field.name);
    object(command, fields(), Map::new(), required.collect(), body_example(command))
}

/// The line of a batch.
pub(super) fn line_schema(command: &CommandType) -> Value {
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
pub(in crate::http) fn line_example(command: &CommandType) -> Value {
    let mut example = Map::new();
    example.insert("type".to_owned(), json!(command.name));
    example.insert("key".to_owned(), json!(format!("{}-1", command.name)));
    example.extend(command.fields.iter().map(|field| (field.name.to_owned(), (field.example)())));
    example.into()
}
