//! Saying what is wrong: the slow pass over a body or line that could not be taken, which finds every wrong, unknown
//! and missing field at once. It decides nothing: what the fast pass takes never comes here.

use http_problem::{FieldError, nearest};
use serde_json::Value;

use super::field::FieldType;

/// The most faults that are listed; what is beyond is counted.
pub(super) const FAULTS_MAX: usize = 100;

/// The longest path of a field that is shown.
pub(super) const PATH_CHARACTERS_MAX: usize = 120;

/// What was found to be wrong.
#[derive(Debug, Default)]
pub(super) struct Faults {
    listed: Vec<FieldError>,
    found: usize,
}

impl Faults {
    /// Adds a fault; the sentence is made only if it is going to be read.
    pub(super) fn add(&mut self, at: &str, code: &'static str, sentence: impl FnOnce() -> String) {
        self.found += 1;
        if self.listed.len() < FAULTS_MAX {
            self.listed.push(FieldError::new(shown(at, PATH_CHARACTERS_MAX), code, sentence()));
        }
    }

    pub(super) fn found(&self) -> usize {
        self.found
    }

    /// The faults that are listed.
    pub(super) fn listed(self) -> Vec<FieldError> {
        self.listed
    }
}

/// A field that an object has.
pub(super) struct Member {
    name: &'static str,
    required: bool,
    /// Whether it is named to somebody who looks for a field.
    told: bool,
    expected: &'static str,
    explain: fn(&Value, &str, &mut Faults),
}

impl Member {
    pub(super) fn new(
        name: &'static str,
        required: bool,
        expected: &'static str,
        explain: fn(&Value, &str, &mut Faults),
    ) -> Self {
        Self { name, required, told: true, expected, explain }
    }

    /// One that may be there, but is better left out.
    pub(super) fn untold(self) -> Self {
        Self { told: false, ..self }
    }

    pub(super) fn required<T: FieldType>(name: &'static str) -> Self {
        Self::new(name, true, T::EXPECTED, T::explain)
    }

    pub(super) fn optional<T: FieldType>(name: &'static str) -> Self {
        Self::new(name, false, T::EXPECTED, T::explain)
    }
}

/// Says what is wrong with a value that has no fields of its own.
pub(super) fn scalar<T: FieldType>(value: &Value, at: &str, faults: &mut Faults) {
    let Err(error) = T::read(value) else { return };
    let told = error.to_string();
    // What serde says of itself is told again in the words of the field; what the domain says is told as it is.
    let generic = ["invalid type", "invalid value", "unknown variant", "invalid length"];
    if generic.iter().any(|words| told.starts_with(words)) {
        must_be(at, T::EXPECTED, value, faults);
    } else {
        faults.add(at, "invalid_value", || format!("{at}: {told}"));
    }
}

/// Says what is wrong with the elements of an array.
pub(super) fn array_of<T: FieldType>(value: &Value, at: &str, expected: &str, faults: &mut Faults) {
    let Value::Array(elements) = value else { return must_be(at, expected, value, faults) };
    for (index, element) in elements.iter().enumerate() {
        T::explain(element, &format!("{at}[{index}]"), faults);
    }
}

/// Says what is wrong with the fields of an object: unknown, missing, or wrong in themselves.
pub(super) fn members(value: &Value, at: &str, expected: &str, known: &[Member], faults: &mut Faults) {
    let Value::Object(object) = value else { return must_be(at, expected, value, faults) };
    let path = |name: &str| if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") };
    for member in known {
        match object.get(member.name).filter(|value| !value.is_null()) {
            Some(value) => (member.explain)(value, &path(member.name), faults),
            None if member.required => {
                let at = path(member.name);
                faults.add(&at, "missing_field", || format!("{at} is missing; it must be {}", member.expected));
            }
            None => {}
        }
    }
    for name in object.keys().filter(|name| known.iter().all(|member| member.name != **name)) {
        let at = path(&named(name));
        faults.add(&at, "unknown_field", || {
            let names = known.iter().filter(|member| member.told).map(|member| member.name);
            let hint = match nearest(name, names.clone()) {
                Some(near) => format!("did you mean {near}?"),
                None => format!("the fields here are {}", names.collect::<Vec<_>>().join(", ")),
            };
            format!("{at} is not a field here; {hint}")
        });
    }
}

fn must_be(at: &str, expected: &str, value: &Value, faults: &mut Faults) {
    faults.add(at, "invalid_value", || format!("{at} must be {expected}, not {}", described(value)));
}

/// A value in words: short enough for a sentence.
fn described(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => format!("the number {number}"),
        Value::String(text) => format!("the text {:?}", shown(text, 40)),
        Value::Array(_) => "an array".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}

/// A name as sentences have it: short, and to be seen even where it is empty.
pub(super) fn named(name: &str) -> String {
    if name.is_empty() { "\"\"".to_owned() } else { shown(name, 64) }
}

/// The beginning of a text that may be long.
pub(super) fn shown(text: &str, characters_max: usize) -> String {
    match text.char_indices().nth(characters_max) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
