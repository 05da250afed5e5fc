//! Every bit of a log, turned over: it is named, or it does no harm. Never is anything else read than what was written.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use event_store::disk::simulated::SimulatedDisk;
use event_store::disk::{Access, Disk};
use event_store::log::Log;
use event_store::log::recovery::OpenError;
use event_store::log::scrub::ScrubOptions;

use crate::workload::{
    FOLDER, PATIENCE, Versions, Writing, append_padded, assert_streams, effort, indexed, simulated, try_numbers,
};

/// Transactions of the log: three to a segment.
const COUNT: u64 = 11;
/// By default two bits of every so many bytes are tried: the strides of files with frames and of index files.
const STRIDES: [u64; 2] = [23, 5];

/// What a flip came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Came {
    /// The start refused the log.
    RefusedAtOpen,
    /// The log was opened, and a read named the damage.
    NamedByARead,
    /// Everything was read right, and the scrubber named it.
    NamedByTheScrubber,
    /// Everything was read right, and the derived file is as it was.
    MadeAgain,
    /// Everything was read right, and nothing is wrong with the log: nobody reads those bytes.
    Harmless,
    /// The mark of the last stop, which says only that all before it was durable, was cut and kept aside.
    MarkCut,
}

fn log() -> SimulatedDisk {
    let disk = SimulatedDisk::new();
    let mut versions = Versions::default();
    let mut writing = Writing::open(Path::new(FOLDER), simulated(&disk)).unwrap();
    for number in 0..COUNT {
        append_padded(&mut writing.appender, &mut versions, number, 1700).unwrap();
        writing.settle(number);
    }
    indexed(&writing.log);
    assert!(writing.log.index_status().sealed >= 3);
    writing.appender.close().unwrap();
    disk
}

fn bytes(disk: &SimulatedDisk, path: &Path) -> Vec<u8> {
    let file = disk.open(path, Access::Read).unwrap();
    let mut bytes = vec![0; file.length().unwrap() as usize];
    assert_eq!(file.read_at(&mut bytes, 0).unwrap(), bytes.len());
    bytes
}

/// Starts a log with a flipped bit, reads everything in every way, and scrubs it.
fn came_of(disk: &SimulatedDisk, path: &Path, whole: &[u8], told: &str) -> Came {
    let opened = match Log::open(Path::new(FOLDER), simulated(disk)) {
        Ok(opened) => opened,
        Err(OpenError::Damaged(damage)) => {
            assert_eq!(damage.path, path, "{told}");
            return Came::RefusedAtOpen;
        }
        Err(OpenError::Folder(refused)) => {
            assert!(refused.to_string().contains(path.to_str().unwrap()), "{told}: {refused}");
            return Came::RefusedAtOpen;
        }
        Err(other) => panic!("{told}: {other}"),
    };
    let log = &opened.log;
    match try_numbers(log) {
        Ok(numbers) => {
            assert_eq!(numbers, (0..COUNT).collect::<Vec<_>>(), "{told}");
            assert_streams(log, COUNT, told);
        }
        Err(error) => {
            assert!(error.to_string().contains(path.to_str().unwrap()), "{told}: {error}");
            return Came::NamedByARead;
        }
    }
    if opened.recovery.torn.is_some() {
        return Came::MarkCut;
    }
    let once = ScrubOptions { bytes_per_second: u64::MAX, interval: Duration::from_secs(1 << 30) };
    let scrubber = log.scrub(once).unwrap();
    let deadline = Instant::now() + PATIENCE;
    while log.scrub_status().last_pass_at_us.is_none() {
        assert!(Instant::now() < deadline, "{told}");
        std::thread::yield_now();
    }
    drop(scrubber);
    if let Some(damage) = log.scrub_status().damaged.first() {
        assert_eq!(damage.path, path, "{told}");
        return Came::NamedByTheScrubber;
    }
    indexed(log);
    let derived = path.extension().is_some_and(|extension| extension == "idx");
    if derived {
        assert!(bytes(disk, path) == whole, "{told}: it must be made again as it was");
        return Came::MadeAgain;
    }
    Came::Harmless
}

#[test]
fn a_flipped_bit_anywhere_is_named_or_does_no_harm() {
    let disk = log();
    let mut counts: BTreeMap<(&str, Came), u64> = BTreeMap::new();
    let files = ["segments", "index"].into_iter().flat_map(|folder| {
        let path = Path::new(FOLDER).join(folder);
        let names = disk.names(&path).unwrap();
        names.into_iter().map(move |name| (folder, path.join(name)))
    });
    let files: Vec<(&str, PathBuf)> = files.collect();
    assert!(files.len() >= 8, "{files:?}");
    for (folder, path) in &files {
        let whole = bytes(&disk, path);
        let used = whole.iter().rposition(|byte| *byte != 0).map_or(0, |last| last as u64 + 64);
        let stride = STRIDES[usize::from(*folder == "index")].div_ceil(effort());
        // Where nothing was written, far fewer are tried: all of it is alike.
        let bytes_tried = (0..whole.len() as u64).filter(|byte| {
            let dense = *folder == "index" || *byte < 64 || (4096..used).contains(byte);
            byte.is_multiple_of(if dense { stride } else { stride * 31 })
        });
        for byte in bytes_tried {
            let bits = if effort() >= STRIDES[0] { (0..8).collect() } else { vec![byte % 8, (byte + 3) % 8] };
            for bit in bits {
                let disk = disk.fork();
                disk.flip_bit(path, byte * 8 + bit).unwrap();
                let told = format!("{}: byte {byte}, bit {bit}", path.display());
                let came = came_of(&disk, path, &whole, &told);
                if came == Came::Harmless {
                    let page = (64..4096).contains(&byte);
                    let never_written = byte >= used - 64;
                    assert!(page || never_written, "{told} went unnoticed");
                }
                *counts.entry((folder, came)).or_default() += 1;
            }
        }
    }
    for ((folder, came), count) in &counts {
        println!("{count} flips in {folder}: {came:?}");
    }
    let of = |folder, came| counts.get(&(folder, came)).copied().unwrap_or(0);
    assert!(of("segments", Came::NamedByARead) > 100, "{counts:?}");
    assert!(of("segments", Came::NamedByTheScrubber) > 0 && of("segments", Came::RefusedAtOpen) > 100, "{counts:?}");
    assert!(of("index", Came::MadeAgain) > 100, "{counts:?}");
    assert_eq!(counts.keys().filter(|(folder, _)| *folder == "index").count(), 1, "{counts:?}");
}
