//! The decoder of recorded events on any bytes: the events of every type and version, as JSON. Included by the tests of
//! the rules too, which have JSON in tests only.

use domain::event::Event;

/// An event: its type and schema version on a line of their own, then its JSON. What decodes is the same again when it
/// is written and read.
pub(crate) fn event(data: &[u8]) {
    let Some(at) = data.iter().position(|byte| *byte == b'\n') else { return };
    let (head, json) = (&data[..at], &data[at + 1..]);
    let Some((event_type, version)) = std::str::from_utf8(head).ok().and_then(|head| head.split_once(' ')) else {
        return;
    };
    let Ok(version) = version.parse::<u16>() else { return };
    let Ok(read) = decode(event_type, version, json) else { return };
    assert_eq!(read.event_type(), event_type);
    let written = serde_json::to_vec(&read).expect("an event can be written");
    let again = decode(read.event_type(), read.schema_version(), &written).expect("what is written can be read");
    assert_eq!(again, read);
    assert_eq!(serde_json::to_vec(&again).expect("an event can be written"), written);
    let stream = read.stream().to_string();
    assert_eq!(stream.parse::<domain::ids::StreamId>().expect("a stream's name can be read"), read.stream());
}

fn decode(event_type: &str, version: u16, json: &[u8]) -> Result<Event, domain::event::DecodeError<serde_json::Error>> {
    Event::decode(event_type, version, &mut serde_json::Deserializer::from_slice(json))
}
