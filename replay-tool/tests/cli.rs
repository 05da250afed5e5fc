//! The program as auditors start it, on logs made by hand.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use domain::account::AccountEvent;
use domain::account::event::{AccountOpened, FundsDeposited, TransferReceived, TransferSent};
use domain::event::{CommandRejected, Event};
use domain::ids::{AccountId, OwnerId, StreamId, TransferId, Version};
use domain::money::{Amount, Money};
use domain::rejection::Rejection;
use domain::text::Text;
use event_store::log::{Log, Opened, Options};
use event_store::transaction::{EntryHeader, Outcome};
use serde_json::{Value, json};

fn pounds(minor_units: i64) -> Money {
    Money::new(Amount::new(minor_units).unwrap(), "GBP".parse().unwrap())
}

fn account(name: &str) -> AccountId {
    AccountId::new(name).unwrap()
}

fn opened(name: &str) -> Event {
    let (owner_id, currency) = (OwnerId::new("owner").unwrap(), "GBP".parse().unwrap());
    AccountEvent::from(AccountOpened { account_id: account(name), owner_id, currency }).into()
}

fn deposited(name: &str, amount: i64) -> Event {
    let reference = Text::new("bank").ok();
    AccountEvent::from(FundsDeposited { account_id: account(name), amount: pounds(amount), reference }).into()
}

fn sent(from: &str, to: &str, amount: i64) -> Event {
    let (transfer_id, amount) = (TransferId::new("t1").unwrap(), pounds(amount));
    AccountEvent::from(TransferSent {
        account_id: account(from),
        transfer_id,
        to: account(to),
        amount,
        reference: None,
    })
    .into()
}

fn received(to: &str, from: &str, amount: i64) -> Event {
    let (transfer_id, amount, from) = (TransferId::new("t1").unwrap(), pounds(amount), account(from));
    AccountEvent::from(TransferReceived { account_id: account(to), transfer_id, from, amount, reference: None }).into()
}

fn refused(name: &str) -> Event {
    let (available, requested) = (pounds(3), pounds(900));
    let rejection = Rejection::InsufficientFunds { account_id: account(name), available, requested };
    let stream = StreamId::Account(account(name));
    Event::Rejected(CommandRejected { command: "withdraw".to_owned(), stream, rejection })
}

/// One command per element, one second apart, each with its events and their versions.
fn write_log(folder: &Path, commands: &[&[(Event, u64)]]) {
    let options = Options { segment_bytes: 16 << 10, ..Options::default() };
    let Opened { appender, .. } = Log::open(folder, options).unwrap();
    let mut appender = appender.start(|_: event_store::log::writer::Committed<()>| {}).unwrap();
    for (number, events) in commands.iter().enumerate() {
        let key = format!("key-{number}");
        let mut frame = appender.begin();
        frame.begin_entry(EntryHeader {
            recorded_at_us: 1_767_225_600_000_000 + number as i64 * 1_000_000,
            effective_at_us: None,
            principal: "alice",
            idempotency_key: &key,
            fingerprint: 0,
            request_id: "request-1",
            correlation_id: "",
            command: "a_command",
            outcome: Outcome::Done,
        });
        for (event, version) in *events {
            let (kind, schema) = (event.event_type(), event.schema_version());
            frame.event(&event.stream(), Version(*version), kind, schema, |data| {
                serde_json::to_writer(data, event).unwrap()
            });
        }
        frame.end_entry(|result| result.extend_from_slice(b"{}"));
        frame.commit().unwrap();
    }
    appender.close().unwrap();
}

fn a_small_log(folder: &Path) {
    write_log(
        folder,
        &[
            &[(opened("a"), 0)],
            &[(opened("b"), 0)],
            &[(deposited("a", 1_250), 1)],
            &[(refused("a"), 0)],
            &[(sent("a", "b", 250), 2), (received("b", "a", 250), 1)],
        ],
    );
}

fn ask(folder: &Path, question: &[&str]) -> Output {
    let mut program = Command::new(env!("CARGO_BIN_EXE_replay-tool"));
    program.env_remove("BURSAR_DATA").args(question).arg("--data").arg(folder).output().unwrap()
}

fn answered(folder: &Path, question: &[&str]) -> Vec<Value> {
    let output = ask(folder, &[question, &["--format", "json"]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn failed(folder: &Path, question: &[&str], code: i32) -> String {
    let output = ask(folder, question);
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

fn segment(folder: &Path) -> PathBuf {
    let mut segments: Vec<_> = fs::read_dir(folder.join("segments")).unwrap().map(|e| e.unwrap().path()).collect();
    segments.sort();
    segments.remove(0)
}

#[test]
fn a_whole_log_is_told_with_its_figures() {
    let folder = tempfile::tempdir().unwrap();
    a_small_log(folder.path());
    let report = answered(folder.path(), &["verify"]).remove(0);
    assert_eq!(report["verified"], true);
    assert_eq!((&report["frames"], &report["commands"], &report["events"]), (&json!(5), &json!(5), &json!(6)));
    assert_eq!((&report["streams"], &report["last_position"]), (&json!(3), &json!(6)));
    assert_eq!(report["last_recorded_at"], "2026-01-01T00:00:04Z");
    let books = json!([{"currency": "GBP", "accounts": 1250, "external_cash": -1250, "clearing": 0, "sum": 0}]);
    assert_eq!(report["trial_balance"], books);

    let shown = String::from_utf8(ask(folder.path(), &["verify"]).stdout).unwrap();
    assert!(shown.contains("accounts 12.50 GBP, external:cash -12.50 GBP, sum 0.00 GBP"), "{shown}");
}

#[test]
fn a_flipped_bit_is_found_and_named_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    a_small_log(folder.path());
    let path = segment(folder.path());
    let mut bytes = fs::read(&path).unwrap();
    let at = bytes.windows(5).position(|w| w == b"key-2").unwrap();
    bytes[at] ^= 1;
    fs::write(&path, bytes).unwrap();

    let told = failed(folder.path(), &["verify"], 1);
    assert!(told.contains("segment 1 (") && told.contains("is damaged at byte "), "{told}");
    assert!(told.contains("Events from position 3"), "{told}");
    let output = ask(folder.path(), &["verify", "--format", "json"]);
    let fault: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&fault["verified"], &fault["segment"], &fault["first_position"]),
        (&json!(false), &json!(1), &json!(3))
    );
    assert!(fault["offset"].as_u64().unwrap() < at as u64, "{fault}");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn money_that_is_left_between_accounts_is_found() {
    let folder = tempfile::tempdir().unwrap();
    write_log(
        folder.path(),
        &[&[(opened("a"), 0), (opened("b"), 0)], &[(deposited("a", 9), 1)], &[(sent("a", "b", 9), 2)]],
    );
    let told = failed(folder.path(), &["verify"], 1);
    let expected = "replay-tool: the log does not verify at position 4: the command left 9 minor units of GBP in \
                    clearing:transfers\n";
    assert_eq!(told, expected);
}

#[test]
fn a_history_has_who_asked_and_what_was_refused() {
    let folder = tempfile::tempdir().unwrap();
    a_small_log(folder.path());
    let rows = answered(folder.path(), &["history", "account-a"]);
    let told: Vec<_> =
        rows.iter().map(|row| (row["position"].as_u64().unwrap(), row["type"].as_str().unwrap())).collect();
    let expected = [(1, "account_opened"), (3, "funds_deposited"), (4, "command_rejected"), (5, "transfer_sent")];
    assert_eq!(told, expected);
    let deposit = json!({
        "position": 3, "stream": "account-a", "version": 1, "type": "funds_deposited", "schema_version": 1,
        "recorded_at": "2026-01-01T00:00:02Z", "principal": "alice", "request_id": "request-1",
        "command": "a_command", "idempotency_key": "key-2",
        "data": {"account_id": "a", "amount": {"amount": 1250, "currency": "GBP"}, "reference": "bank"},
    });
    assert_eq!(rows[1], deposit);
    assert_eq!(rows[2]["data"]["rejection"]["code"], "insufficient_funds");
    assert_eq!(answered(folder.path(), &["history", "account-a", "--no-rejections"]).len(), 3);
    assert_eq!(answered(folder.path(), &["history", "account-b"]).len(), 2);

    let shown = String::from_utf8(ask(folder.path(), &["history", "account-b"]).stdout).unwrap();
    let row = shown.lines().last().unwrap();
    assert!(row.trim_start().starts_with("6       1 2026-01-01T00:00:04.000Z"), "{row}");
    assert!(row.contains("transfer_received by a_command key key-4"), "{row}");
}

#[test]
fn a_state_is_rebuilt_as_of_a_position_or_a_time() {
    let folder = tempfile::tempdir().unwrap();
    a_small_log(folder.path());
    let balance = |at: &str| {
        let answer = answered(folder.path(), &["as-of", "account-a", "--at", at]).remove(0);
        (answer["last_event"]["version"].clone(), answer["state"]["balance"]["amount"].clone())
    };
    assert_eq!(balance("1"), (json!(0), json!(0)));
    assert_eq!(balance("4"), (json!(1), json!(1250)));
    assert_eq!(balance("5"), (json!(2), json!(1000)));
    assert_eq!(balance("2026-01-01T00:00:02Z"), (json!(1), json!(1250)));
    assert_eq!(balance("2026-01-01T00:00:01.999Z"), (json!(0), json!(0)));
    assert_eq!(balance("0"), (Value::Null, Value::Null));
    let shown = String::from_utf8(ask(folder.path(), &["as-of", "account-a", "--at", "5"]).stdout).unwrap();
    assert!(shown.lines().any(|line| line.split_whitespace().eq(["balance", "10.00", "GBP"])), "{shown}");
}

#[test]
fn an_answer_that_cannot_be_given_has_its_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    let told = failed(folder.path(), &["verify"], 3);
    assert!(told.contains("holds no log"), "{told}");
    a_small_log(folder.path());
    assert!(failed(folder.path(), &["history", "wallet-a"], 2).contains("is not a stream"));
    assert!(failed(folder.path(), &["as-of", "account-a", "--at", "noon"], 2).contains("neither a time"));
    assert!(failed(folder.path(), &["as-of", "rejections", "--at", "1"], 2).contains("refusals have no state"));
    let told = String::from_utf8(ask(folder.path(), &["history", "account-z"]).stderr).unwrap();
    assert_eq!(told, "there is nothing about account-z in this log\n");
}

fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut program = Command::new(env!("CARGO_BIN_EXE_replay-tool"));
    let Output { status, stdout, stderr } = program.env_remove("BURSAR_DATA").args(arguments).output().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

#[test]
fn a_log_is_backed_up_checked_and_restored() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (log, backup) = (path("log"), path("backup"));
    a_small_log(Path::new(&log));
    let done = answered(Path::new(&log), &["backup", "--to", &backup]).remove(0);
    let expected = [("backed_up", json!(true)), ("last_position", json!(6)), ("new_events", json!(6))];
    for (name, value) in expected {
        assert_eq!(done[name], value, "{done}");
    }
    assert_eq!((&done["last_recorded_at"], &done["copied_segments"]), (&json!("2026-01-01T00:00:04Z"), &json!(1)));
    let again = answered(Path::new(&log), &["backup", "--to", &backup]).remove(0);
    assert_eq!((&again["new_events"], &again["copied_bytes"]), (&json!(0), &json!(0)));

    let (code, shown, said) = run(&["check-backup", &backup]);
    assert_eq!((code, said.as_str()), (Some(0), ""), "no progress is drawn where nobody looks");
    assert!(shown.contains("result         every byte of the backup is as it was copied"), "{shown}");
    assert_eq!(answered(Path::new(&backup), &["verify"])[0]["last_position"], 6, "a backup reads as a log");

    let (code, shown, _) = run(&["restore", "--from", &backup, "--into", &path("early"), "--position", "5"]);
    assert_eq!(code, Some(0));
    let rows: Vec<Vec<&str>> = shown.lines().map(|line| line.split_whitespace().collect()).collect();
    assert!(rows.contains(&vec!["last", "position", "4"]), "{shown}");
    assert!(shown.contains("not split      positions 5 to 6 are one transaction: all or nothing"), "{shown}");
    let at = ["--time", "2026-01-01T00:00:02Z", "--format", "json"];
    let (code, shown, _) = run(&[&["restore", "--from", &backup, "--into", &path("noon")], &at[..]].concat());
    let done: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!((code, &done["last_position"], &done["backup_position"]), (Some(0), &json!(3), &json!(6)));
    assert_eq!(answered(Path::new(&path("noon")), &["history", "account-a"]).len(), 2);
}

#[test]
fn a_backup_or_restore_that_cannot_be_has_its_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (log, backup) = (path("log"), path("backup"));
    a_small_log(Path::new(&log));
    assert!(failed(Path::new(&log), &["backup", "--to", &log], 4).contains("is not empty and holds no backup"));
    assert!(
        failed(Path::new(&log), &["backup", "--to", &backup, "--acknowledged", "7"], 4).contains("ends at position 6")
    );
    assert!(failed(Path::new(&path("no")), &["backup", "--to", &backup], 3).contains("holds no log"));
    answered(Path::new(&log), &["backup", "--to", &backup]);
    let other = path("other");
    write_log(Path::new(&other), &[&[(opened("a"), 0)]]);
    assert!(failed(Path::new(&other), &["backup", "--to", &backup], 4).contains("Give each log a folder of its own"));

    let restore = |more: &[&str]| run(&[&["restore", "--from", &backup], more].concat());
    assert_eq!(restore(&["--into", &log]).0, Some(4));
    assert_eq!(restore(&["--into", &path("new"), "--position", "7"]).0, Some(4));
    assert_eq!(restore(&["--into", &path("new"), "--time", "noon"]).0, Some(2));
    assert_eq!(restore(&["--into", &path("new"), "--time", "2026-01-01T00:00:00Z", "--position", "1"]).0, Some(2));
    assert!(!Path::new(&path("new")).exists(), "nothing was made");
    assert_eq!(run(&["check-backup", &log]).0, Some(3));

    let damaged = segment(Path::new(&backup));
    let mut bytes = fs::read(&damaged).unwrap();
    let at = bytes.windows(5).position(|w| w == b"key-2").unwrap();
    bytes[at] ^= 1;
    fs::write(&damaged, bytes).unwrap();
    let (code, shown, said) = run(&["check-backup", &backup, "--format", "json"]);
    let fault: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!((code, &fault["sound"]), (Some(1), &json!(false)));
    assert!(said.contains("0000000001.seg is damaged at byte "), "{said}");
    assert_eq!(restore(&["--into", &path("new")]).0, Some(1));
}
