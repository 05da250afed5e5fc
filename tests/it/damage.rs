//! Damage to the files of a real log. What was durable and is damaged or missing is refused, by the server and by the
//! auditors' tool in the same words, and nothing is changed; what a crash cut through is cut off, kept and told.

mod files;
mod torn;

use std::os::unix::fs::FileExt;
use std::path::Path;

use serde_json::{Value, json};

use self::files::{PAGE, begun, files, frames, segment_path};
use crate::lifecycle::refused;
use crate::postgres::{Database, database};
use crate::random::{Random, times};
use crate::server::{PATIENCE, SEGMENT_BYTES, Server, within};
use crate::tools;
use crate::witness::Witness;

fn deposits(name: &str, commands: usize) -> Vec<Value> {
    let money = json!({"amount": 7, "currency": "GBP"});
    let deposit =
        |number| json!({"type": "deposit", "key": format!("{name}-{number}"), "account_id": "a", "amount": money});
    (0..commands).map(deposit).collect()
}

/// A server with a log of its own, of several segments, the last of which has room.
async fn filled(data: &Path, database: &Database) -> (Server, Witness) {
    let (server, witness) = (Server::start(data, &database.url), Witness::new());
    let client = server.client();
    let open = json!({"type": "open_account", "key": "open", "account_id": "a", "owner_id": "o", "currency": "GBP"});
    assert!(witness.single(&client, &open).await);
    for batch in 0.. {
        assert!(witness.batch(&client, "independent", &deposits(&format!("batch-{batch}"), 500)).await);
        let segments = begun(data);
        let used = segments.last().map_or(0, |last| frames(last).last().unwrap().end);
        if segments.len() > 3 && used < segments[0].len() / 2 {
            break;
        }
    }
    (server, witness)
}

/// What both programs say of a log that they refuse; neither changes anything.
fn refused_by_both(data: &Path, database: &Database) -> (String, Value) {
    let before = files(data);
    let folder = data.to_str().unwrap();
    let flags = ["--listen", "127.0.0.1:0", "--segment-bytes", SEGMENT_BYTES];
    let (code, server_said) = refused(&[&flags[..], &["--data", folder, "--database-url", &database.url]].concat());
    assert_eq!(code, Some(1), "{server_said}");
    let (code, report) = tools::ask(data, &["verify"]);
    assert_eq!((code, &report[0]["verified"]), (Some(1), &json!(false)));
    let (code, tool_said) = tools::said(data, &["verify"]);
    let reason = tool_said.trim().strip_prefix("replay-tool: ").unwrap();
    assert_eq!(code, Some(1));
    assert!(server_said.contains(reason), "the server said {server_said}\nreplay-tool said {reason}");
    assert!(!server_said.contains("answering on"), "{server_said}");
    assert!(files(data) == before, "refusing changed a file");
    (reason.to_owned(), report[0].clone())
}

/// Starts a server where everything on the list must be there, adds one command, and stops it.
async fn all_there(data: &Path, database: &Database, witness: &Witness, random: &mut Random) {
    let server = Server::start(data, &database.url);
    witness.asks_again(&server.client(), random).await;
    let one_more = deposits(&format!("more-{}", random.below(u64::MAX)), 1);
    assert!(witness.single(&server.client(), &one_more[0]).await);
    assert_eq!(server.terminate().code(), Some(0));
    let (code, report) = tools::ask(data, &["verify"]);
    assert_eq!((code, &report[0]["commands"]), (Some(0), &json!(witness.heard())), "{report:?}");
}

#[tokio::test]
async fn a_flipped_byte_is_named_and_the_log_is_not_written() {
    let mut random = Random::seeded();
    let (folder, database) = (tempfile::tempdir().unwrap(), database());
    let data = folder.path().join("log");
    let (server, witness) = filled(&data, &database).await;
    assert_eq!(server.terminate().code(), Some(0));
    // With its index file, a full segment was checked before and is not read again at a start; without, it is.
    std::fs::remove_dir_all(data.join("index")).unwrap();
    let segments = begun(&data);
    let (mut harmless, flips) = (0, times("BURSAR_TEST_FLIPS", 24));
    for flip in 0..flips {
        let index = random.index(segments.len());
        let (segment, frames) = (&segments[index], frames(&segments[index]));
        // What a clean stop wrote last says only that all before was durable: that it is cut is no loss.
        let last = if index + 1 == segments.len() { frames[frames.len() - 2].end } else { segment.len() };
        let offset = match flip % 12 {
            0 => random.index(64),
            1 => 64 + random.index(PAGE - 64),
            2 => random.index(last),
            _ => frames[0].offset + random.index(frames.last().unwrap().offset.min(last) - frames[0].offset),
        };
        let mut damaged = segment.clone();
        damaged[offset] ^= 1 << random.below(8);
        std::fs::write(segment_path(&data, index + 1), damaged).unwrap();
        if (64..PAGE).contains(&offset) {
            // The rest of the header's page is not looked at.
            assert_eq!(tools::ask(&data, &["verify"]).0, Some(0));
            harmless += 1;
        } else {
            let (reason, report) = refused_by_both(&data, &database);
            let path = segment_path(&data, index + 1);
            assert!(reason.contains(path.to_str().unwrap()), "{reason}");
            if offset >= PAGE {
                let frame = frames.iter().find(|frame| frame.end > offset);
                let place = frame.map_or(frames.last().unwrap().end, |frame| frame.offset);
                let named = [json!(index + 1), json!(path), json!(place)];
                assert_eq!([&report["segment"], &report["path"], &report["offset"]], named.each_ref(), "{reason}");
                let said = format!("segment {} ({}) is damaged at byte {place}", index + 1, path.display());
                assert!(reason.starts_with(&said), "{reason}");
                if let Some(frame) = frame {
                    assert_eq!(report["first_position"], frame.first_position, "{reason}");
                    let said = format!("Events from position {}", frame.first_position);
                    assert!(reason.contains(&said), "{reason}");
                }
            }
        }
        std::fs::write(segment_path(&data, index + 1), segment).unwrap();
    }
    all_there(&data, &database, &witness, &mut random).await;
    println!("{flips} flipped bytes: {} refused with their place, {harmless} where nothing is read", flips - harmless);
}

#[tokio::test]
async fn damage_in_the_log_of_a_running_server_is_a_warning_and_no_stop() {
    let (folder, database) = (tempfile::tempdir().unwrap(), database());
    let data = folder.path().join("log");
    let (server, witness) = filled(&data, &database).await;
    assert_eq!(server.terminate().code(), Some(0));
    let server = Server::start_with(&data, &database.url, &["--scrub-interval-s", "1"]);
    server.ready().await;
    let client = server.client();
    let frames = frames(&begun(&data)[1]);
    let frame = frames[frames.len() / 2];
    let path = segment_path(&data, 2);
    let flip = || {
        let file = std::fs::File::options().read(true).write(true).open(&path).unwrap();
        let mut byte = [0];
        file.read_exact_at(&mut byte, frame.end as u64 - 20).unwrap();
        file.write_all_at(&[byte[0] ^ 4], frame.end as u64 - 20).unwrap();
    };
    flip();
    let warned = async || client.get("/health/ready").await.1["warnings"][0]["code"] == "log_damaged";
    assert!(within(PATIENCE, warned).await, "{:?}", client.get("/health/ready").await);
    let (status, readiness) = client.get("/health/ready").await;
    assert_eq!((status, &readiness["status"]), (200, &json!("ready")), "{readiness}");
    let warning = &readiness["warnings"][0];
    assert_eq!((&warning["segment"], &warning["offset"]), (&json!(2), &json!(frame.offset)), "{warning}");
    assert_eq!((&warning["path"], &warning["first_position"]), (&json!(path), &json!(frame.first_position)));
    assert!(warning["cure"].as_str().unwrap().contains("put the file back from a copy"), "{warning}");
    assert!(server.output().contains(&format!("is damaged at byte {}", frame.offset)), "{}", server.output());
    let counted = async || {
        let Value::String(metrics) = client.found("/metrics").await else { panic!("metrics are text") };
        let line = metrics.lines().find(|line| line.starts_with("bursar_log_scrub_damaged_total "));
        line.is_some_and(|line| !line.ends_with(" 0"))
    };
    assert!(within(PATIENCE, counted).await);
    assert!(witness.single(&client, &deposits("while-damaged", 1)[0]).await);
    flip();
    let cured = async || client.get("/health/ready").await.1.get("warnings").is_none();
    assert!(within(PATIENCE, cured).await, "{:?}", client.get("/health/ready").await);
    witness.asks_again(&client, &mut Random::seeded()).await;
    assert_eq!(server.terminate().code(), Some(0));
}

#[tokio::test]
async fn a_log_whose_files_are_missing_or_mixed_up_is_refused() {
    let mut random = Random::seeded();
    let (folder, database) = (tempfile::tempdir().unwrap(), database());
    let (data, other) = (folder.path().join("log"), folder.path().join("other"));
    let (server, _) = filled(&other, &database).await;
    server.kill();
    let server = Server::start(&data, &database.url);
    let early = Witness::new();
    let open = json!({"type": "open_account", "key": "early", "account_id": "b", "owner_id": "o", "currency": "GBP"});
    assert!(early.single(&server.client(), &open).await);
    let backup = std::fs::read(segment_path(&data, 1)).unwrap();
    assert_eq!(server.terminate().code(), Some(0));
    let (server, witness) = filled(&data, &database).await;
    assert_eq!(server.terminate().code(), Some(0));

    let (first, second, third) = (segment_path(&data, 1), segment_path(&data, 2), segment_path(&data, 3));
    let read = |path: &Path| std::fs::read(path).unwrap();
    let (whole, foreign) = (read(&second), read(&segment_path(&other, 2)));
    let cases: [(&Path, Option<&[u8]>, String); 7] = [
        (&second, None, format!("segment 2 is missing: {} does not exist but segment 3 does", second.display())),
        (&first, None, format!("segment 1 is missing: {} does not exist but segment 2 does", first.display())),
        (&second, Some(&foreign), format!("{} belongs to log ", second.display())),
        (&second, Some(&read(&third)), format!("{} says that it is segment 3", second.display())),
        (&second, Some(&whole[..whole.len() / 2]), format!("{} is damaged at byte 0: the file has", second.display())),
        (&second, Some(&[]), format!("{} is damaged at byte 0:", second.display())),
        (&first, Some(&backup), "but segment 2 has begun".to_owned()),
    ];
    for (path, instead, told) in cases {
        let before = read(path);
        match instead {
            Some(bytes) => std::fs::write(path, bytes).unwrap(),
            None => std::fs::remove_file(path).unwrap(),
        }
        let (reason, _) = refused_by_both(&data, &database);
        assert!(reason.contains(&told), "{reason}\ndoes not say: {told}");
        assert!(reason.contains("from a copy"), "what to do is not said: {reason}");
        std::fs::write(path, before).unwrap();
    }
    let server = Server::start(&data, &database.url);
    early.asks_again(&server.client(), &mut random).await;
    witness.asks_again(&server.client(), &mut random).await;
    assert_eq!(tools::ask(&data, &["verify"]).1[0]["commands"], early.heard() + witness.heard());
}

#[tokio::test]
async fn a_second_server_is_told_who_has_the_log_and_the_first_goes_on() {
    let (folder, database) = (tempfile::tempdir().unwrap(), database());
    let data = folder.path().join("log");
    let (first, witness) = (Server::start(&data, &database.url), Witness::new());
    let open = json!({"type": "open_account", "key": "open", "account_id": "a", "owner_id": "o", "currency": "GBP"});
    assert!(witness.single(&first.client(), &open).await);
    for again in deposits("while", 3) {
        let folder = data.to_str().unwrap();
        let (code, said) = refused(&["--data", folder, "--listen", "127.0.0.1:0", "--database-url", &database.url]);
        let told = format!("{folder} is in use by process {} since ", first.pid());
        assert!(code == Some(1) && said.contains(&told) && said.contains("Stop that process"), "{code:?} {said}");
        assert!(witness.single(&first.client(), &again).await);
    }
    // What holds the log is the process, not the file that names it.
    first.kill();
    let next = Server::start(&data, &database.url);
    witness.asks_again(&next.client(), &mut Random::seeded()).await;
    assert_eq!(next.position().await, 4);
}
