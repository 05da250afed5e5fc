//! Events in words, so that a table of rules can say what is expected to happen:
//! `account-a funds_deposited amount=40 JPY`.

use domain::event::Event;
use serde_json::Value;

/// Stream, type and fields of an event. The field that names the stream is left out; the others are sorted by name.
pub(crate) fn tell(event: &Event) -> String {
    let stream = event.stream();
    let own_id = format!("{}_id", stream.parts().0);
    let Value::Object(fields) = serde_json::to_value(event).unwrap() else { panic!("{event:?} is not an object") };
    let mut fields: Vec<_> = fields.into_iter().filter(|(name, _)| *name != own_id).collect();
    fields.sort_by(|(a, _), (b, _)| a.cmp(b));
    let fields = fields.into_iter().map(|(name, value)| format!(" {name}={}", in_words(&value)));
    format!("{stream} {}{}", event.event_type(), fields.collect::<String>())
}

fn in_words(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => format!("[{}]", items.iter().map(in_words).collect::<Vec<_>>().join(", ")),
        Value::Object(fields) => {
            if let (2, Some(amount), Some(currency)) = (fields.len(), fields.get("amount"), fields.get("currency")) {
                return format!("{amount} {}", in_words(currency));
            }
            let mut fields: Vec<_> = fields.iter().map(|(name, value)| format!("{name}={}", in_words(value))).collect();
            fields.sort();
            fields.join(" ")
        }
        other => other.to_string(),
    }
}
