//! A fixed workload of everything that the engine does: single commands, batches of both kinds, refusals, keys that
//! come again, dry runs, and the cascades of orders and payments.

use command_api::engine::{Mode, Request, Submission};
use domain::command::Command;
use domain::ids::Version;
use domain::payment::{CaptureMode, OperationCause, PaymentCommand};

use crate::ask::{
    add_item, cancel, capture_hold, create, deposit, hold, on_payment, open, pay, place, receive, receive_return,
    request, request_return, reverse, send, ship, start_order, withdraw,
};

/// What every request carries along, so that a few of them fill a segment and most frames reach over several sectors.
const BALLAST_BYTES: usize = 700;

fn padded(key: &str, command: Command) -> Request {
    Request { correlation_id: "b".repeat(BALLAST_BYTES).into(), ..request(key, command) }
}

fn single(key: &str, command: Command) -> Submission {
    Submission { requests: vec![padded(key, command)], mode: Mode::Independent, dry_run: false }
}

fn batch<const N: usize>(mode: Mode, commands: [(&str, Command); N]) -> Submission {
    let requests = commands.into_iter().map(|(key, command)| padded(key, command)).collect();
    Submission { requests, mode, dry_run: false }
}

fn dry(submission: Submission) -> Submission {
    Submission { dry_run: true, ..submission }
}

fn at_version(mut submission: Submission, version: u64) -> Submission {
    submission.requests[0].expected_version = Some(Version(version));
    submission
}

/// The workload, in two halves; the server is stopped and started in between.
pub(crate) fn script() -> [Vec<Submission>; 2] {
    [money(), orders()]
}

fn money() -> Vec<Submission> {
    use Mode::{Atomic, Independent};
    vec![
        batch(Independent, [("open-a", open("a")), ("open-b", open("b")), ("open-shop", open("shop"))]),
        single("d1", deposit("a", 10_000)),
        single("w1", withdraw("b", 5)),
        single("t1", send("t1", "a", "b", 700)),
        single("t1", send("t1", "a", "b", 700)),
        single("t1", send("t1", "a", "b", 701)),
        single("w1", withdraw("b", 5)),
        dry(single("dry", deposit("a", 1))),
        batch(Atomic, [("a1", deposit("b", 50)), ("a2", send("t2", "b", "a", 60)), ("a3", hold("a", "h1", 30))]),
        batch(Atomic, [("a4", deposit("b", 1)), ("a5", withdraw("b", 100_000)), ("a6", deposit("b", 1))]),
        batch(Atomic, [("a1", deposit("b", 50)), ("a2", send("t2", "b", "a", 60)), ("a3", hold("a", "h1", 30))]),
        batch(Atomic, [("a4", deposit("b", 1)), ("a5", withdraw("b", 100_000)), ("a6", deposit("b", 1))]),
        batch(Atomic, [("a1", deposit("b", 50)), ("a7", deposit("b", 1))]),
        batch(Atomic, [("a8", deposit("b", 1)), ("a8", deposit("b", 1))]),
        batch(
            Independent,
            [
                ("i1", deposit("a", 1)),
                ("i2", withdraw("a", 1_000_000)),
                ("i3", capture_hold("a", "h1", 10, "b")),
                ("i1", deposit("a", 1)),
                ("i4", reverse("t1")),
                ("i5", reverse("t1")),
                ("i6", send("t3", "a", "b", 5)),
            ],
        ),
        at_version(single("v1", deposit("b", 2)), 99),
        single("a6", deposit("b", 3)),
        // One transaction over many sectors, and a group over the end of a segment.
        batch(
            Atomic,
            [
                ("m1", send("m1", "a", "b", 1)),
                ("m2", send("m2", "b", "a", 1)),
                ("m3", send("m3", "a", "b", 1)),
                ("m4", send("m4", "b", "a", 1)),
                ("m5", send("m5", "a", "b", 1)),
                ("m6", send("m6", "b", "a", 1)),
                ("m7", send("m7", "a", "b", 1)),
                ("m8", send("m8", "b", "a", 1)),
            ],
        ),
        batch(
            Independent,
            [
                ("n1", deposit("a", 1)),
                ("n2", deposit("b", 1)),
                ("n3", deposit("a", 1)),
                ("n4", withdraw("shop", 1)),
                ("n5", deposit("a", 1)),
                ("n6", deposit("b", 1)),
                ("n7", deposit("a", 1)),
                ("n8", deposit("b", 1)),
            ],
        ),
    ]
}

fn orders() -> Vec<Submission> {
    use Mode::{Atomic, Independent};
    let refund = PaymentCommand::Refund {
        refund_id: "r1".parse().unwrap(),
        cause: OperationCause::Request,
        amount: Some(crate::ask::gbp(40)),
    };
    vec![
        batch(
            Atomic,
            [("p1", create("p", 100)), ("q1", create("q", 40)), ("p2", receive("p", 5)), ("q2", receive("q", 3))],
        ),
        batch(Atomic, [("o1", start_order("o")), ("o2", add_item("o", "p", 2)), ("o3", add_item("o", "q", 1))]),
        single("o4", place("o")),
        single("t1", send("t1", "a", "b", 700)),
        single("o5", pay("pay-o", Some("o"), "a", "shop", 240, CaptureMode::OnShipment)),
        single("o6", ship("o", "s1", &[("p", 1)])),
        single("o7", ship("o", "s2", &[])),
        single("o8", request_return("o", "back", &[("p", 1)])),
        single("o9", receive_return("o", "back")),
        single("o4", place("o")),
        batch(Atomic, [("c1", start_order("c")), ("c2", add_item("c", "q", 2)), ("c3", place("c"))]),
        single("c4", pay("pay-c", Some("c"), "b", "shop", 80, CaptureMode::Automatic)),
        single("c5", cancel("c")),
        // The second line cannot be had, so nothing of the first stays reserved.
        batch(
            Independent,
            [
                ("f1", start_order("f")),
                ("f2", add_item("f", "p", 1)),
                ("f3", add_item("f", "q", 9)),
                ("f4", place("f")),
                ("f5", pay("pay-f", Some("f"), "a", "shop", 1, CaptureMode::Automatic)),
            ],
        ),
        single("x1", pay("pay-x", None, "a", "shop", 100, CaptureMode::Manual)),
        single("x2", on_payment("pay-x", PaymentCommand::Void)),
        single("x3", pay("pay-y", None, "a", "shop", 100, CaptureMode::Automatic)),
        single("x4", on_payment("pay-y", refund)),
        single("x3", pay("pay-y", None, "a", "shop", 100, CaptureMode::Automatic)),
        single("i5", reverse("t1")),
    ]
}
