//! The end of a log as a crash may leave it: a write that went only so far, or with a hole, or nonsense.

use serde_json::{Value, json};

use super::files::{Frame, begun, copy, frames, segment_path};
use super::{deposits, filled};
use crate::postgres::database;
use crate::random::{Random, times};
use crate::server::Server;
use crate::tools;
use crate::witness::Witness;

const SECTOR: usize = 512;

/// The end of a log as a crash may leave it.
struct Torn {
    segment: Vec<u8>,
    /// Where the first frame begins that is not whole.
    offset: usize,
    what: String,
}

impl Torn {
    /// What cannot be understood stands after the last frame.
    fn garbage(segment: &[u8], end: usize, random: &mut Random) -> Self {
        let mut segment = segment.to_owned();
        let bytes = 1 + random.index(5_000);
        segment[end..end + bytes].fill_with(|| random.index(256) as u8);
        segment[end + bytes - 1] |= 1;
        Self { segment, offset: end, what: format!("{bytes} bytes of garbage") }
    }

    /// A write that went only so far, and of which a sector may be missing: by the rules of writing, everything before
    /// that write was durable.
    fn write(segment: &[u8], end: usize, after: &[u8], random: &mut Random) -> Self {
        let later: Vec<Frame> = frames(after).into_iter().filter(|frame| frame.offset >= end).collect();
        let whole = random.below(5) == 0;
        let cut = if whole {
            later[random.index(later.len())].end
        } else {
            end + 1 + random.index(later.last().unwrap().end - end)
        };
        let mut segment = segment.to_owned();
        segment[end..cut].copy_from_slice(&after[end..cut]);
        let run_start = later.iter().find(|frame| frame.end >= cut).unwrap().run_start;
        let sector = run_start + random.index(cut - run_start);
        let hole = (sector / SECTOR * SECTOR).max(run_start)..(sector / SECTOR * SECTOR + SECTOR).min(cut);
        let what = format!("{} of {} bytes", cut - end, later.last().unwrap().end - end);
        let what = if whole || random.below(2) == 0 {
            what
        } else {
            segment[hole.clone()].fill(0);
            format!("{what} without {hole:?}")
        };
        let whole = |frame: &&Frame| segment[frame.offset..frame.end] == after[frame.offset..frame.end];
        let offset = later.iter().take_while(whole).last().map_or(end, |frame| frame.end);
        Self { segment, offset, what }
    }

    /// The bytes that belong to no whole frame; frames begin and end at multiples of 8.
    fn cut(&self) -> &[u8] {
        let end = self.segment.iter().rposition(|byte| *byte != 0).map_or(0, |last| (last + 1).next_multiple_of(8));
        self.segment.get(self.offset..end).unwrap_or_default()
    }
}

#[tokio::test]
async fn a_write_that_a_crash_cut_through_is_cut_off_kept_and_told() {
    let mut random = Random::seeded();
    let (folder, database) = (tempfile::tempdir().unwrap(), database());
    let data = folder.path().join("log");
    let (server, witness) = filled(&data, &database).await;
    server.kill();
    let segments = begun(&data);
    let (number, last) = (segments.len(), segments.last().unwrap());
    let end = frames(last).last().unwrap().end;
    assert!(last[end..].iter().all(|byte| *byte == 0), "a killed process leaves whole writes");

    // In a copy more is written; of this, each log below has only a part.
    let later = folder.path().join("later");
    copy(&data, &later);
    let server = Server::start(&later, &database.url);
    let unheard = deposits("unheard", 40);
    assert!(Witness::new().batch(&server.client(), "independent", &unheard).await);
    server.kill();
    let after = std::fs::read(segment_path(&later, number)).unwrap();

    let tears = times("BURSAR_TEST_TEARS", 16);
    let mut cut = 0;
    for tear in 0..tears {
        let torn = match tear % 4 {
            0 => Torn::garbage(last, end, &mut random),
            _ => Torn::write(last, end, &after, &mut random),
        };
        let data = folder.path().join(format!("torn-{tear}"));
        copy(folder.path().join("log").as_path(), &data);
        std::fs::write(segment_path(&data, number), &torn.segment).unwrap();
        let (code, report) = tools::ask(&data, &["verify"]);
        let unfinished = json!({"segment": number, "offset": torn.offset, "bytes": torn.cut().len()});
        let expected = if torn.cut().is_empty() { Value::Null } else { unfinished };
        assert_eq!((code, &report[0]["unfinished_write"]), (Some(0), &expected), "{}", torn.what);

        let server = Server::start(&data, &database.url);
        let kept_in = data.join(format!("torn/{number:010}-{}.torn", torn.offset));
        if torn.cut().is_empty() {
            assert!(!data.join("torn").exists(), "{}", torn.what);
        } else {
            cut += 1;
            assert_eq!(std::fs::read(&kept_in).unwrap(), torn.cut(), "{}", torn.what);
            let told = format!("segment={number} bytes={} kept_in={}", torn.cut().len(), kept_in.display());
            let output = server.output();
            assert!(output.contains("cut off a write that a crash had torn") && output.contains(&told), "{output}");
        }
        witness.asks_again(&server.client(), &mut random).await;
        // Whose answer got lost in the crash asks again: what is whole is there, the rest is done now.
        let again = Witness::new();
        again.sends(&unheard);
        assert!(again.batch(&server.client(), "independent", &unheard).await);
        assert_eq!(server.terminate().code(), Some(0));
        let (code, report) = tools::ask(&data, &["verify"]);
        let commands = json!(witness.heard() + unheard.len());
        assert_eq!((code, &report[0]["commands"]), (Some(0), &commands), "{}: {report:?}", torn.what);
        std::fs::remove_dir_all(&data).unwrap();
    }
    println!(
        "{tears} torn ends: {cut} cut off and kept, {} at the end of a frame; 0 acknowledged commands lost",
        tears - cut
    );
}
