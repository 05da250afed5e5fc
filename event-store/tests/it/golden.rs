//! A log written once and kept for ever: today's program must read it, and write the same bytes.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use domain::ids::{AccountId, OrderId, Position, StreamId, Version};
use event_store::disk::simulated::SimulatedDisk;
use event_store::disk::{Access, Disk};
use event_store::log::reader::LogReader;
use event_store::log::{Log, Options};
use event_store::transaction::{EntryHeader, Outcome};

static DICE: AtomicU64 = AtomicU64::new(0);

/// Two segments: one sealed, one stopped cleanly.
fn write() -> SimulatedDisk {
    let disk = SimulatedDisk::new();
    DICE.store(0x1122_3344_5566_7700, Ordering::SeqCst);
    let options = Options {
        segment_bytes: 16 << 10,
        disk: Arc::new(disk.clone()),
        clock: || 1_700_000_000_123_456,
        random: || DICE.fetch_add(1, Ordering::SeqCst),
        ..Options::default()
    };
    let opened = Log::open(Path::new("/log"), options).unwrap();
    let (said, committed) = crossbeam_channel::unbounded();
    let mut appender = opened.appender.start(move |outcome| drop(said.send(outcome))).unwrap();
    let account = StreamId::Account(AccountId::new("alice").unwrap());
    let order = StreamId::Order(OrderId::new("o-1").unwrap());
    for number in 0..3_u64 {
        let mut frame = appender.begin();
        frame.begin_entry(EntryHeader {
            recorded_at_us: 1_700_000_000_000_000,
            effective_at_us: Some(-1),
            principal: "teller",
            idempotency_key: "key",
            fingerprint: 0x0102_0304_0506_0708_090a_0b0c_0d0e_0f10,
            request_id: "request",
            correlation_id: "correlation",
            command: "deposit_funds",
            outcome: Outcome::Created,
        });
        frame.event(&account, Version(number), "funds_deposited", 1, |json| {
            json.extend_from_slice(br#"{"amount":"#);
            json.extend(std::iter::repeat_n(b'9', 5000));
            json.push(b'}');
        });
        frame.event(&order, Version(number), "order_placed", 2, |json| json.extend_from_slice("{\"é\":1}".as_bytes()));
        frame.end_entry(|json| json.extend_from_slice(br#"{"ok":true}"#));
        frame.begin_entry(EntryHeader {
            recorded_at_us: -1,
            effective_at_us: None,
            principal: "",
            idempotency_key: "",
            fingerprint: 0,
            request_id: "",
            correlation_id: "",
            command: "",
            outcome: Outcome::Refused,
        });
        frame.event(&StreamId::Rejections, Version(number), "command_refused", 1, |_| {});
        frame.end_entry(|_| {});
        frame.commit().unwrap();
        appender.acknowledge(number);
        appender.flush();
        committed.recv().unwrap();
    }
    appender.close().unwrap();
    disk
}

#[test]
fn the_golden_log_is_written_and_read_as_it_was() {
    let written = write();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/v1");
    for name in ["log.json", "segments/0000000001.seg", "segments/0000000002.seg"] {
        let file = written.open(&Path::new("/log").join(name), Access::Read).unwrap();
        let mut bytes = vec![0; file.length().unwrap() as usize];
        file.read_at(&mut bytes, 0).unwrap();
        let path = folder.join(name);
        if std::env::var_os("WRITE_GOLDEN").is_some() {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, &bytes).unwrap();
        }
        assert!(std::fs::read(&path).unwrap() == bytes, "{name} is written with other bytes than it was");
    }
    let reader = LogReader::open(&folder).unwrap();
    assert_eq!(reader.id().to_string(), "00776655443322110177665544332211");
    let mut frames = reader.frames_after(Position::START).unwrap();
    for number in 0..3 {
        let frame = frames.next_frame().unwrap().unwrap();
        assert_eq!(
            (frame.first_position(), frame.last_position()),
            (Position(3 * number + 1), Position(3 * number + 3))
        );
        let entries: Vec<_> = frame.entries().collect();
        assert_eq!(entries[0].recorded_at_us(), 1_700_000_000_000_000);
        assert_eq!(entries[0].effective_at_us(), Some(-1));
        assert_eq!(entries[0].fingerprint(), 0x0102_0304_0506_0708_090a_0b0c_0d0e_0f10);
        assert_eq!((entries[0].principal(), entries[0].idempotency_key()), ("teller", "key"));
        assert_eq!((entries[0].request_id(), entries[0].correlation_id()), ("request", "correlation"));
        assert_eq!((entries[0].command(), entries[0].outcome()), ("deposit_funds", Outcome::Created));
        assert_eq!(entries[0].result(), br#"{"ok":true}"#);
        assert_eq!((entries[1].recorded_at_us(), entries[1].effective_at_us()), (-1, None));
        assert_eq!((entries[1].outcome(), entries[1].result()), (Outcome::Refused, &b""[..]));
        let events: Vec<_> = frame.events().collect();
        let told: Vec<_> = events.iter().map(|e| (e.stream, e.version.0, e.event_type, e.schema_version)).collect();
        let expected = [
            ("account-alice", number, "funds_deposited", 1),
            ("order-o-1", number, "order_placed", 2),
            ("rejections", number, "command_refused", 1),
        ];
        assert_eq!(told, expected);
        assert_eq!(events[1].data, "{\"é\":1}".as_bytes());
        assert_eq!((events[0].data.len(), events[2].data.len()), (5011, 0));
    }
    assert_eq!(frames.next_frame().unwrap(), None);
}
