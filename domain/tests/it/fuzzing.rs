//! Events that are not what was written: any bytes decode to an event that is the same again, or are refused.

#[path = "../../../tests/fuzz/src/event.rs"]
mod event;
#[path = "../../../tests/fuzz/src/replay.rs"]
mod replay;

#[test]
fn no_bytes_are_too_much_for_an_event() {
    replay::replay("event", event::event);
}
