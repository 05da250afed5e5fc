//! Transactions with content that can be told from its number alone, and a log to put them into.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, unbounded};
use domain::ids::{AccountId, Position, StreamId, Version};
use event_store::disk::simulated::SimulatedDisk;
use event_store::index::IndexStatus;
use event_store::log::appender::{AppendRefused, Appender};
use event_store::log::frame::{Frame, FramePlace};
use event_store::log::reader::ReadError;
use event_store::log::recovery::{OpenError, RecoveryReport};
use event_store::log::writer::Committed;
use event_store::log::{Direction, Log, Opened, Options};
use event_store::transaction::record::StoredEvent;
use event_store::transaction::{EntryHeader, Outcome};

/// How long a test waits for something that must happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// How much more than by default is tried.
pub(crate) fn effort() -> u64 {
    std::env::var("BURSAR_TEST_EFFORT").ok().and_then(|effort| effort.parse().ok()).unwrap_or(1).max(1)
}

pub(crate) fn account(number: u64) -> StreamId {
    StreamId::Account(AccountId::new(&format!("a{number}")).unwrap())
}

/// Appends transaction `number`: two events, on the streams `number % 3` and 3.
pub(crate) fn append<A>(
    appender: &mut Appender<A>,
    versions: &mut Versions,
    number: u64,
) -> Result<FramePlace, AppendRefused> {
    append_padded(appender, versions, number, 0)
}

/// [`append`] with `padding` more bytes of data.
pub(crate) fn append_padded<A>(
    appender: &mut Appender<A>,
    versions: &mut Versions,
    number: u64,
    padding: usize,
) -> Result<FramePlace, AppendRefused> {
    let (one, other) = (number % 3, 3);
    let mut frame = appender.begin();
    let key = format!("key-{number}");
    frame.begin_entry(header(number, &key));
    for stream in [one, other] {
        let version = Version(versions.0[stream as usize]);
        frame.event(&account(stream), version, "funds_deposited", 1, |json| {
            json.extend_from_slice(data(number, stream).as_bytes());
            json.extend(std::iter::repeat_n(b' ', padding));
        });
    }
    frame.end_entry(|json| json.extend_from_slice(result(number).as_bytes()));
    let place = frame.commit()?;
    for stream in [one, other] {
        versions.0[stream as usize] += 1;
    }
    Ok(place)
}

pub(crate) fn header(number: u64, key: &str) -> EntryHeader<'_> {
    EntryHeader {
        recorded_at_us: 1_700_000_000_000_000 + number.cast_signed(),
        effective_at_us: number.is_multiple_of(2).then_some(-5),
        principal: "alice",
        idempotency_key: key,
        fingerprint: u128::from(number) << 70 | 7,
        request_id: "request",
        correlation_id: "",
        command: "deposit_funds",
        outcome: Outcome::Done,
    }
}

pub(crate) fn data(number: u64, stream: u64) -> String {
    format!("{{\"number\":{number},\"stream\":{stream}}}")
}

pub(crate) fn result(number: u64) -> String {
    format!("{{\"done\":{number}}}")
}

/// The version that each stream's next event gets.
#[derive(Debug, Clone, Default)]
pub(crate) struct Versions(pub(crate) [u64; 4]);

/// The number of the transaction in `frame`, after checking that it has exactly what [`append`] wrote.
pub(crate) fn number_of(frame: &Frame<'_>) -> u64 {
    let entries: Vec<_> = frame.entries().collect();
    assert_eq!(entries.len(), 1);
    let entry = entries[0];
    let number: u64 = entry.idempotency_key().strip_prefix("key-").unwrap().parse().unwrap();
    let key = format!("key-{number}");
    let expected = header(number, &key);
    assert_eq!(entry.header(), expected);
    assert_eq!(entry.result(), result(number).as_bytes());
    let events: Vec<_> = entry.events().collect();
    assert_eq!(events.len(), 2);
    for (event, stream) in events.iter().zip([number % 3, 3]) {
        assert_eq!(event.stream, account(stream).to_string());
        assert_eq!((event.event_type, event.schema_version), ("funds_deposited", 1));
        assert_eq!(event.data.trim_ascii_end(), data(number, stream).as_bytes());
    }
    number
}

/// A log being written, and what its writer said.
pub(crate) struct Writing {
    pub(crate) log: Log,
    pub(crate) appender: Appender<u64>,
    pub(crate) committed: Receiver<Committed<u64>>,
    pub(crate) report: RecoveryReport,
}

impl Writing {
    pub(crate) fn open(folder: &Path, options: Options) -> Result<Self, OpenError> {
        let Opened { log, appender, recovery } = Log::open(folder, options)?;
        let (said, committed) = unbounded();
        let appender = appender.start(move |outcome| drop(said.send(outcome))).unwrap();
        Ok(Self { log, appender, committed, report: recovery })
    }

    /// Flushes and waits until everything is durable.
    pub(crate) fn settle(&mut self, token: u64) -> Position {
        self.appender.acknowledge(token);
        self.appender.flush();
        loop {
            match self.committed.recv_timeout(PATIENCE).unwrap() {
                Committed::Durable { through, tokens } if tokens.contains(&token) => return through,
                Committed::Durable { .. } => {}
                Committed::Failed { error, .. } => panic!("{error}"),
            }
        }
    }
}

pub(crate) fn small_segments() -> Options {
    Options { segment_bytes: 16 << 10, ..Options::default() }
}

/// The numbers of the transactions that the log has, each checked.
pub(crate) fn numbers(log: &Log) -> Vec<u64> {
    try_numbers(log).unwrap()
}

/// The numbers of the transactions that the log has, each checked, or where it cannot be read.
pub(crate) fn try_numbers(log: &Log) -> Result<Vec<u64>, ReadError> {
    let mut frames = log.frames_after(Position::START)?;
    let mut numbers = Vec::new();
    while let Some(frame) = frames.next_frame()? {
        numbers.push(number_of(&frame));
    }
    Ok(numbers)
}

/// Checks that the streams have exactly what `count` transactions put into them, read in both directions.
pub(crate) fn assert_streams(log: &Log, count: u64, told: &str) {
    for stream in 0..4 {
        let of_stream = |number: &u64| stream == 3 || number % 3 == stream;
        let expected: Vec<u64> = (0..count).filter(of_stream).collect();
        for direction in [Direction::Forward, Direction::Backward] {
            let from = if direction == Direction::Forward { 0 } else { u64::MAX };
            let read = log.read_stream(&account(stream), Version(from), direction, usize::MAX);
            let read = read.unwrap_or_else(|error| panic!("{told}: {error}"));
            let mut found: Vec<_> = read.iter().map(StoredEvent::record).collect();
            if direction == Direction::Backward {
                found.reverse();
            }
            assert_eq!(found.len(), expected.len(), "{told}: stream {stream}, {direction:?}");
            for ((record, number), version) in found.iter().zip(&expected).zip(0..) {
                assert_eq!(record.version, Version(version), "{told}: stream {stream}, {direction:?}");
                assert_eq!(record.data.trim_ascii_end(), data(*number, stream).as_bytes(), "{told}");
            }
        }
    }
}

/// Waits until every sealed segment has its index file, or `no_more` says that it never will.
pub(crate) fn indexed_unless(log: &Log, no_more: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    let behind = |status: IndexStatus| status.through < log.durable() || status.without_file > 0;
    while behind(log.index_status()) && !no_more() {
        assert!(Instant::now() < deadline, "index files must be made: {:?}", log.index_status());
        std::thread::yield_now();
    }
}

/// Waits until every sealed segment has its index file.
pub(crate) fn indexed(log: &Log) {
    indexed_unless(log, || false);
}

/// Small segments on a simulated disk.
pub(crate) fn simulated(disk: &SimulatedDisk) -> Options {
    Options { disk: Arc::new(disk.clone()), ..small_segments() }
}

/// The folder of a log on a simulated disk.
pub(crate) const FOLDER: &str = "/data/log";
