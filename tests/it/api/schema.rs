//! JSON values held against the schemas of the OpenAPI document: as much of JSON Schema as the document uses, and a
//! schema that uses more is itself an error.

use serde_json::{Map, Value};

const KNOWN: &[&str] = &[
    "$ref",
    "additionalProperties",
    "allOf",
    "default",
    "description",
    "enum",
    "example",
    "format",
    "items",
    "maxLength",
    "maximum",
    "minLength",
    "minimum",
    "oneOf",
    "pattern",
    "properties",
    "required",
    "title",
    "type",
];
const TYPES: &[&str] = &["array", "boolean", "integer", "null", "number", "object", "string"];

/// What is wrong with a schema itself, found in all of it.
pub(super) fn faults_of_schema(document: &Value, schema: &Value, at: &str, faults: &mut Vec<String>) {
    let Value::Object(members) = schema else {
        faults.push(format!("{at} is no schema: {schema}"));
        return;
    };
    for name in members.keys().filter(|name| !KNOWN.contains(&name.as_str())) {
        faults.push(format!("{at}.{name} is not known to JSON Schema, or to this test"));
    }
    if let Some(reference) = schema["$ref"].as_str()
        && resolved(document, schema).is_none()
    {
        faults.push(format!("{at} leads nowhere: {reference}"));
    }
    for name in types(schema).into_iter().filter(|name| !TYPES.contains(name)) {
        faults.push(format!("{at} has an unknown type {name}"));
    }
    let properties = schema["properties"].as_object();
    for name in schema["required"].as_array().into_iter().flatten() {
        if !properties.is_some_and(|properties| properties.contains_key(name.as_str().unwrap_or_default())) {
            faults.push(format!("{at} requires {name}, which it does not describe"));
        }
    }
    for (name, property) in properties.into_iter().flatten() {
        faults_of_schema(document, property, &format!("{at}.{name}"), faults);
    }
    if members.contains_key("items") {
        faults_of_schema(document, &schema["items"], &format!("{at}[]"), faults);
    }
    for several in ["oneOf", "allOf"] {
        for (index, one) in schema[several].as_array().into_iter().flatten().enumerate() {
            faults_of_schema(document, one, &format!("{at}.{several}[{index}]"), faults);
        }
    }
    if let Some(example) = members.get("example") {
        faults.extend(faults_of(document, schema, example, &format!("the example of {at}")));
    }
}

/// What is wrong with a value.
pub(super) fn faults_of(document: &Value, schema: &Value, value: &Value, at: &str) -> Vec<String> {
    let mut faults = Vec::new();
    if schema.get("$ref").is_some() {
        match resolved(document, schema) {
            Some(referred) => faults.extend(faults_of(document, referred, value, at)),
            None => faults.push(format!("the schema of {at} leads nowhere")),
        }
    }
    let types = types(schema);
    if !types.is_empty() && !types.iter().any(|name| is(value, name)) {
        faults.push(format!("{at} is {value}, not {types:?}"));
    }
    if let Some(allowed) = schema["enum"].as_array().filter(|allowed| !allowed.contains(value)) {
        faults.push(format!("{at} is {value}, not one of {allowed:?}"));
    }
    if let (Some(number), Some(minimum)) = (value.as_i64(), schema["minimum"].as_i64())
        && number < minimum
    {
        faults.push(format!("{at} is {number}, below {minimum}"));
    }
    if let (Some(text), Some("date-time")) = (value.as_str(), schema["format"].as_str())
        && chrono::DateTime::parse_from_rfc3339(text).is_err()
    {
        faults.push(format!("{at} is {text:?}, not a time"));
    }
    if let Value::Object(members) = value {
        faults.extend(of_members(document, schema, members, at));
    }
    for (index, element) in value.as_array().into_iter().flatten().enumerate() {
        if let Some(items) = schema.get("items") {
            faults.extend(faults_of(document, items, element, &format!("{at}[{index}]")));
        }
    }
    for all in schema["allOf"].as_array().into_iter().flatten() {
        faults.extend(faults_of(document, all, value, at));
    }
    if let Some(choices) = schema["oneOf"].as_array() {
        let tried: Vec<_> = choices.iter().map(|choice| faults_of(document, choice, value, at)).collect();
        match tried.iter().filter(|faults| faults.is_empty()).count() {
            1 => {}
            0 => faults.push(format!("{at} is none of several: {tried:?}")),
            several => faults.push(format!("{at} is {several} of what it must be one of")),
        }
    }
    faults
}

fn of_members(document: &Value, schema: &Value, members: &Map<String, Value>, at: &str) -> Vec<String> {
    let mut faults = Vec::new();
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if !members.contains_key(name) {
            faults.push(format!("{at}.{name} is missing"));
        }
    }
    for (name, member) in members {
        match schema["properties"].get(name) {
            Some(property) => faults.extend(faults_of(document, property, member, &format!("{at}.{name}"))),
            None if schema["additionalProperties"] == false => faults.push(format!("{at}.{name} is not described")),
            None => {}
        }
    }
    faults
}

fn resolved<'a>(document: &'a Value, schema: &Value) -> Option<&'a Value> {
    document.pointer(schema["$ref"].as_str()?.strip_prefix('#')?)
}

fn types(schema: &Value) -> Vec<&str> {
    match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

fn is(value: &Value, name: &str) -> bool {
    match name {
        "array" => value.is_array(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "null" => value.is_null(),
        "number" => value.is_number(),
        "object" => value.is_object(),
        "string" => value.is_string(),
        _ => false,
    }
}

/// The names of the members that a schema describes, through references and compositions.
pub(super) fn described(document: &Value, schema: &Value) -> Vec<String> {
    let mut names: Vec<String> = schema["properties"].as_object().into_iter().flat_map(|p| p.keys().cloned()).collect();
    names.extend(resolved(document, schema).into_iter().flat_map(|referred| described(document, referred)));
    for several in ["oneOf", "allOf"] {
        names.extend(schema[several].as_array().into_iter().flatten().flat_map(|one| described(document, one)));
    }
    names
}
