//! The JSON of every event and every refusal, held against files: what was written once must be read for ever, and
//! written again as the same bytes, for the log keeps these bytes. A file is never changed, only joined by others.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use domain::event::Event;
use domain::rejection::Rejection;
use serde_json::Value;
use serde_json::value::RawValue;

mod fields;

type Examples = BTreeMap<String, Box<RawValue>>;

fn read(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(file);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("reading {}: {error}", path.display()))
}

/// The examples of an event type, by name: `full` has every field, `minimal` only those that are always there.
fn examples(event_type: &str, schema_version: u16) -> Examples {
    serde_json::from_str(&read(&format!("{event_type}.v{schema_version}.json"))).unwrap()
}

pub(crate) fn decode(event_type: &str, schema_version: u16, json: &str) -> Result<Event, String> {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let decoded = Event::decode(event_type, schema_version, &mut deserializer).map_err(|error| error.to_string());
    // The quick way reads less, and nothing in another way.
    if let Some(event) = Event::from_json(event_type, schema_version, json.as_bytes()) {
        assert_eq!(decoded.as_ref(), Ok(&event), "{json}");
    }
    decoded
}

/// An event's JSON; there are two ways to it, with one outcome.
pub(crate) fn encode(event: &Event) -> String {
    let json = serde_json::to_string(event).unwrap();
    let mut quickly = Vec::new();
    match event {
        Event::Account(event) => event.put_json(&mut quickly),
        Event::Product(event) => event.put_json(&mut quickly),
        Event::Order(event) => event.put_json(&mut quickly),
        Event::Payment(event) => event.put_json(&mut quickly),
        Event::Rejected(_) => return json,
    }
    assert_eq!(String::from_utf8_lossy(&quickly), json);
    let escapes = json.contains('\\');
    let read = Event::from_json(event.event_type(), event.schema_version(), &quickly);
    assert_eq!(read.as_ref(), (!escapes).then_some(event), "{json}");
    json
}

/// The event type and schema version of every file there is.
fn files() -> Vec<(String, u16)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let files = files.filter(|file| file != "rejections.json");
    let parse = |file: String| {
        let (event_type, version) = file.strip_suffix(".json")?.split_once(".v")?;
        Some((event_type.to_owned(), version.parse().ok()?))
    };
    files
        .map(|file| parse(file.clone()).unwrap_or_else(|| panic!("{file} is not <event_type>.v<version>.json")))
        .collect()
}

/// A name for messages, the type, the version and the JSON of every example there is.
pub(crate) fn each_example(mut check: impl FnMut(&str, &str, u16, &str)) {
    for (event_type, schema_version) in files() {
        for (name, json) in examples(&event_type, schema_version) {
            check(&format!("{event_type}.v{schema_version} {name}"), &event_type, schema_version, json.get());
        }
    }
}

#[test]
fn every_schema_version_ever_written_has_a_file() {
    let files: BTreeSet<_> = files().into_iter().collect();
    for (event_type, newest) in Event::types() {
        for version in 1..=newest {
            assert!(files.contains(&(event_type.to_owned(), version)), "tests/golden/{event_type}.v{version}.json");
        }
    }
}

#[test]
fn an_event_is_written_again_as_the_bytes_it_was_read_from() {
    each_example(|name, event_type, schema_version, json| {
        let event = decode(event_type, schema_version, json).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(event.event_type(), event_type, "{name}");
        if event.schema_version() == schema_version {
            assert_eq!(encode(&event), json, "{name}");
        }
    });
}

#[test]
fn the_full_example_has_every_field_and_the_minimal_one_none_too_many() {
    for (event_type, schema_version) in Event::types() {
        let examples = examples(event_type, schema_version);
        let fields_of = |name: &str| -> BTreeMap<String, Value> { serde_json::from_str(examples[name].get()).unwrap() };
        let declared: BTreeSet<_> = fields::of(event_type, schema_version).iter().map(ToString::to_string).collect();
        assert_eq!(fields_of("full").into_keys().collect::<BTreeSet<_>>(), declared, "{event_type}");
        let minimal = fields_of("minimal");
        for field in minimal.keys() {
            let mut without = minimal.clone();
            without.remove(field);
            let error = decode(event_type, schema_version, &serde_json::to_string(&without).unwrap()).unwrap_err();
            let expected = format!("missing field `{field}`");
            assert!(error.contains(&expected), "{event_type} without {field}: {error}");
        }
    }
}

#[test]
fn an_unknown_field_is_refused_wherever_it_stands() {
    each_example(|name, event_type, schema_version, json| {
        let value: Value = serde_json::from_str(json).unwrap();
        for n in 0..objects(&value) {
            let mut value = value.clone();
            add_field(&mut value, &mut n.clone());
            let json = value.to_string();
            let error = decode(event_type, schema_version, &json).expect_err(&format!("{name}: {json}"));
            let by_name = error.contains("unknown field `extra`");
            // The value of an enum is an object with its variant alone in it; JSON ends there for the reader.
            let as_second_variant = error.contains("expected value");
            assert!(by_name || as_second_variant, "{name}: {json}: {error}");
        }
    });
}

fn objects(value: &Value) -> usize {
    match value {
        Value::Object(fields) => 1 + fields.values().map(objects).sum::<usize>(),
        Value::Array(items) => items.iter().map(objects).sum(),
        _ => 0,
    }
}

/// Adds a field to the object that `n` objects precede.
fn add_field(value: &mut Value, n: &mut usize) -> bool {
    match value {
        Value::Object(fields) if *n == 0 => {
            fields.insert("extra".to_owned(), Value::from(1));
            true
        }
        Value::Object(fields) => {
            *n -= 1;
            fields.values_mut().any(|value| add_field(value, n))
        }
        Value::Array(items) => items.iter_mut().any(|value| add_field(value, n)),
        _ => false,
    }
}

#[test]
fn a_schema_version_of_the_future_is_named_in_the_error() {
    for (event_type, schema_version) in Event::types() {
        let json = &examples(event_type, schema_version)["full"];
        let error = decode(event_type, schema_version + 1, json.get()).unwrap_err();
        let expected = format!(
            "event type \"{event_type}\" with schema version {} is unknown; it was written by a newer version of Bursar",
            schema_version + 1
        );
        assert_eq!(error, expected);
    }
    let error = decode("funds_borrowed", 1, "{}").unwrap_err();
    let expected =
        "event type \"funds_borrowed\" with schema version 1 is unknown; it was written by a newer version of Bursar";
    assert_eq!(error, expected);
}

#[test]
fn every_refusal_is_written_as_it_was_and_says_what_it_said() {
    let examples: Vec<(Box<RawValue>, String)> = serde_json::from_str(&read("rejections.json")).unwrap();
    let mut codes = Vec::new();
    for (json, message) in examples {
        let rejection: Rejection = serde_json::from_str(json.get()).unwrap_or_else(|error| panic!("{json}: {error}"));
        assert_eq!(serde_json::to_string(&rejection).unwrap(), json.get());
        assert_eq!(rejection.to_string(), message, "{json}");
        let fields: Value = serde_json::from_str(json.get()).unwrap();
        assert_eq!(fields["code"], rejection.code());
        codes.push(rejection.code());
    }
    codes.dedup();
    assert_eq!(codes, Rejection::CODES);
}
