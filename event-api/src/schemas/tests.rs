//! The schemas against the events: what the rules have ever written fits, and what they would not read does not.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use boon::{Compiler, Draft, SchemaIndex, Schemas};
use domain::event::Event;
use serde_json::{Map, Value, json};

use super::*;

/// Every schema, ready to hold values against.
struct Judge {
    schemas: Schemas,
    of: BTreeMap<(&'static str, u16), SchemaIndex>,
}

impl Judge {
    fn new() -> Self {
        let (mut compiler, mut schemas, mut of) = (Compiler::new(), Schemas::new(), BTreeMap::new());
        compiler.set_default_draft(Draft::V2020_12);
        compiler.enable_format_assertions();
        for (event_type, version, text) in SCHEMAS {
            let id = schema_id(event_type, *version);
            compiler.add_resource(&id, serde_json::from_str(text).unwrap()).unwrap();
            of.insert((*event_type, *version), compiler.compile(&id, &mut schemas).unwrap());
        }
        Self { schemas, of }
    }

    fn refusal(&self, event_type: &str, version: u16, data: &Value) -> Option<String> {
        let (_, index) = self.of.iter().find(|((name, number), _)| (*name, *number) == (event_type, version)).unwrap();
        self.schemas.validate(data, *index).err().map(|error| error.to_string())
    }
}

fn golden(file: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../domain/tests/golden").join(file);
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// Every event that the rules keep as an example, with its type and version.
fn examples() -> Vec<(String, u16, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../domain/tests/golden");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut examples = Vec::new();
    for file in files.filter(|file| file != "rejections.json") {
        let (event_type, version) = file.strip_suffix(".json").unwrap().split_once(".v").unwrap();
        let Value::Object(of_type) = golden(&file) else { panic!("{file} is no object") };
        examples.extend(of_type.into_iter().map(|(_, data)| (event_type.to_owned(), version.parse().unwrap(), data)));
    }
    examples
}

fn reads(event_type: &str, version: u16, data: &Value) -> bool {
    Event::decode(event_type, version, &mut serde_json::Deserializer::from_str(&data.to_string())).is_ok()
}

#[test]
fn every_version_of_every_type_of_event_has_a_schema_with_its_name() {
    let written: BTreeSet<_> = Event::types()
        .flat_map(|(event_type, newest)| (1..=newest).map(move |version| (event_type, version)))
        .collect();
    assert_eq!(
        SCHEMAS.iter().map(|(event_type, version, _)| (*event_type, *version)).collect::<BTreeSet<_>>(),
        written
    );
    for (event_type, version, text) in SCHEMAS {
        let schema: Value = serde_json::from_str(text).unwrap();
        assert_eq!(schema["$id"], schema_id(event_type, *version));
        assert_eq!(schema["title"], *event_type);
    }
}

#[test]
fn every_event_that_was_ever_written_fits_its_schema() {
    let (judge, examples) = (Judge::new(), examples());
    let types: BTreeSet<_> = examples.iter().map(|(event_type, version, _)| (event_type.as_str(), *version)).collect();
    assert_eq!(types.len(), SCHEMAS.len());
    for (event_type, version, data) in &examples {
        assert_eq!(judge.refusal(event_type, *version, data), None, "{event_type}.v{version} {data}");
    }
}

#[test]
fn every_refusal_that_was_ever_written_fits_its_schema() {
    let judge = Judge::new();
    let Value::Array(refusals) = golden("rejections.json") else { panic!("refusals are a list") };
    for refusal in refusals {
        let data = json!({"command": "withdraw", "stream": "account-a", "rejection": refusal[0]});
        assert_eq!(judge.refusal("command_rejected", 1, &data), None, "{data}");
        let mut without = data.clone();
        for field in refusal[0].as_object().unwrap().keys() {
            without["rejection"] = Value::Object(without_field(&refusal[0], field));
            let fits = judge.refusal("command_rejected", 1, &without).is_none();
            assert_eq!(fits, reads("command_rejected", 1, &without), "{without}");
        }
    }
}

fn without_field(object: &Value, field: &str) -> Map<String, Value> {
    object.as_object().unwrap().iter().filter(|(name, _)| *name != field).map(|(n, v)| (n.clone(), v.clone())).collect()
}

/// The event with one thing changed, in every way that is tried: a field left out, a field too many, a value of another
/// kind, at every depth.
fn changed(data: &Value) -> Vec<Value> {
    let mut all = Vec::new();
    match data {
        Value::Object(fields) => {
            // There may be more codes of refusals one day: who reads them must not stumble.
            for (name, value) in fields.iter().filter(|(name, _)| *name != "code") {
                all.push(Value::Object(without_field(data, name)));
                for other in
                    changed(value).into_iter().chain([json!({"no": 1}), json!(-1.5), json!("a\u{1}b"), json!([])])
                {
                    let mut fields = fields.clone();
                    fields.insert(name.clone(), other);
                    all.push(Value::Object(fields));
                }
            }
            let mut fields = fields.clone();
            fields.insert("extra".to_owned(), json!(1));
            all.push(Value::Object(fields));
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                for other in changed(item) {
                    let mut items = items.clone();
                    items[index] = other;
                    all.push(Value::Array(items));
                }
            }
        }
        Value::String(_) => all.extend([json!(""), json!("x".repeat(300)), json!("a b/c")]),
        Value::Number(_) => all.extend([json!(9_007_199_254_740_992_i64), json!("1")]),
        _ => {}
    }
    all
}

#[test]
fn a_schema_refuses_what_the_rules_would_not_read_and_takes_what_they_would() {
    let judge = Judge::new();
    let (mut refused, mut taken) = (0, 0);
    for (event_type, version, data) in examples() {
        for other in changed(&data) {
            let (fits, reads) =
                (judge.refusal(&event_type, version, &other).is_none(), reads(&event_type, version, &other));
            assert_eq!(fits, reads, "{event_type}.v{version} {other}");
            if fits { taken += 1 } else { refused += 1 }
        }
    }
    assert!(refused > 1_000 && taken > 30, "{refused} refused, {taken} taken");
}
