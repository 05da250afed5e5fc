//! Batches that cannot be taken, or of which some lines cannot.

use serde_json::{Value, json};

use super::{expect, said, told};
use crate::scene::{Scene, gbp, new_key};
use crate::wire::{Ask, Wire};

fn open(account_id: &str) -> Value {
    json!({"type": "open_account", "key": new_key(), "account_id": account_id, "owner_id": "o", "currency": "GBP"})
}

/// Lines that cannot be read: code, param and sentence of each.
const MALFORMED: &[(&str, &str, &str, &str)] = &[
    ("{\"type\":", "malformed_json", "", "the line ends too early, at column 8: EOF while parsing a value"),
    ("{\"type\":\"deposit\",}", "malformed_json", "", "the line is not JSON: trailing comma at column 19"),
    (
        "17",
        "malformed_json",
        "",
        "the line is not an object; write each command as one JSON object on a line of its own",
    ),
    (
        "null",
        "malformed_json",
        "",
        "the line is not an object; write each command as one JSON object on a line of its own",
    ),
    ("{} {}", "malformed_json", "", "the line is not JSON: trailing characters at column 4"),
    (
        "\u{feff}{}",
        "malformed_json",
        "",
        "the line begins with a byte order mark (EF BB BF); write it as UTF-8 without one",
    ),
    ("{}", "invalid_request", "type", "type is missing; it must be the command's type, such as \"send_transfer\""),
    ("{\"type\":7}", "invalid_request", "type", "type must be the command's type, such as \"send_transfer\""),
    (
        "{\"type\":\"open_acount\",\"key\":\"k\"}",
        "invalid_request",
        "type",
        "there is no command of type \"open_acount\"; did you mean \"open_account\"?",
    ),
    (
        "{\"type\":\"steal\",\"key\":\"k\"}",
        "invalid_request",
        "type",
        "there is no command of type \"steal\"; /openapi.json lists them under /v1/commands",
    ),
    (
        "{\"type\":\"close_account\",\"account_id\":\"a\"}",
        "invalid_request",
        "key",
        "key is missing; it must be an idempotency key: text of 1 to 255 visible ASCII characters, such as a UUID",
    ),
    (
        "{\"type\":\"close_account\",\"account_id\":\"a\",\"key\":\"a b\"}",
        "invalid_request",
        "key",
        "key: the key has a space or a character that is not visible ASCII; use 1 to 255 visible ASCII characters, such as a UUID",
    ),
    (
        "{\"type\":\"close_account\",\"key\":\"k\"}",
        "invalid_request",
        "account_id",
        "account_id is missing; it must be an id: text of 1 to 64 characters out of A-Z a-z 0-9 _ . : -",
    ),
];

#[tokio::test]
async fn a_line_that_cannot_be_read_fails_alone_in_an_independent_batch() {
    let scene = Scene::new().await;
    let mut wire = Wire::to(&scene.server).await;
    // Good lines around each bad one, blank lines between them, and carriage returns.
    let mut body = String::new();
    for (index, (line, ..)) in MALFORMED.iter().enumerate() {
        body += &format!("{}\r\n\r\n{line}\r\n", open(&format!("good-{index}")));
    }
    let answer = wire.ask(&Ask::batch("", body)).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/x-ndjson")));
    let answers = answer.lines();
    assert_eq!(answers.len(), 2 * MALFORMED.len());
    for (index, (line, code, param, detail)) in MALFORMED.iter().enumerate() {
        let (good, bad) = (&answers[2 * index], &answers[2 * index + 1]);
        assert_eq!(good["result"]["account_id"], format!("good-{index}"));
        assert_eq!(
            (&good["index"], &good["line"], &good["status"]),
            (&json!(2 * index), &json!(3 * index + 1), &json!(201))
        );
        assert_eq!(
            (&bad["index"], &bad["line"], &bad["status"]),
            (&json!(2 * index + 1), &json!(3 * index + 3), &json!(400))
        );
        assert_eq!(said(&bad["problem"]), told(400, code, param, detail), "{line}");
    }
    let last = scene.noted(answers[answers.len() - 2].clone());
    assert_eq!(last["position"], MALFORMED.len());
    let accounts = scene.seen("/v1/accounts?owner_id=o").await;
    assert_eq!(accounts["items"].as_array().unwrap().len(), MALFORMED.len());
    scene.sound().await;
}

#[tokio::test]
async fn a_line_that_cannot_be_read_fails_the_whole_of_an_atomic_batch() {
    let scene = Scene::new().await;
    let mut wire = Wire::to(&scene.server).await;
    let bad: Vec<_> = MALFORMED.iter().map(|(line, ..)| *line).collect();
    let good = open("good");
    let answer = wire.ask(&Ask::batch("?mode=atomic", format!("{good}\n{}\n{}", bad.join("\n"), open("too")))).await;
    let problem = scene.problem(&answer).await;
    let (bad, all) = (MALFORMED.len(), MALFORMED.len() + 2);
    let detail = format!(
        "{bad} of {all} commands cannot be read, so nothing of this atomic batch was done; errors says what is wrong, line by line"
    );
    assert_eq!(said(&problem), told(400, "batch_malformed", "line 2", &detail));
    assert_eq!(problem["figures"], json!({"malformed": bad, "commands": all}));
    for (index, (line, code, param, detail)) in MALFORMED.iter().enumerate() {
        let error = &problem["errors"][index];
        let place = format!("line {}", index + 2);
        let at = if param.is_empty() { place } else { format!("{place}: {param}") };
        assert_eq!((&error["param"], &error["detail"]), (&json!(at), &json!(detail)), "{line}");
        assert!(error["code"] == *code || *code == "invalid_request", "{error}");
    }
    // Nothing was done, and the keys are free.
    assert_eq!(scene.client.get("/v1/accounts/good").await.0, 404);
    let again = wire.ask(&Ask::batch("?mode=atomic", good.to_string())).await.lines();
    assert_eq!((&again[0]["position"], &again[0]["replayed"]), (&json!(1), &json!(false)));
    scene.sound().await;
}

#[tokio::test]
async fn a_batch_without_commands_or_with_a_wrong_frame_is_refused() {
    let scene = Scene::new().await;
    let empty =
        told(400, "batch_empty", "", "the batch has no commands; write one JSON object per line, or an array of them");
    let mut cases = Vec::new();
    for mode in ["", "?mode=atomic"] {
        for body in ["", "\n", " \r\n\t\n", "[]", " [ ] ", "[\n\n]"] {
            cases.push((Ask::batch(mode, body), empty.clone()));
        }
    }
    let parameter =
        |query: &str, param: &str, detail: &str| (Ask::batch(query, "{}"), told(400, "invalid_request", param, detail));
    cases.extend([
        parameter("?mode=both", "mode", "mode must be atomic or independent, not \"both\""),
        parameter("?mode=", "mode", "mode must be atomic or independent, not \"\""),
        parameter("?mod=atomic", "mod", "mod is not a query parameter here; did you mean mode?"),
        parameter("?mode=atomic&mode=atomic", "mode", "the query parameter mode stands twice"),
        (
            Ask::batch("", "{}").without("Content-Type").header("Content-Type", "text/csv"),
            told(
                415,
                "unsupported_media_type",
                "Content-Type",
                "the body has Content-Type \"text/csv\"; send application/x-ndjson or application/json or \
                 application/ndjson or application/jsonl (with curl: -H 'Content-Type: application/x-ndjson')",
            ),
        ),
    ]);
    expect(&scene, cases).await;
    scene.sound().await;
}

#[tokio::test]
async fn an_array_that_is_broken_is_told_where() {
    let scene = Scene::new().await;
    let mut wire = Wire::to(&scene.server).await;
    let no_end = "the array does not end; a ] is missing, so its last element was not taken";
    let after_end = "there is text after the ] that ends the array; write one array, or one command per line";
    let no_element = "there is no command between two commas of the array, or after the last one";
    let no_comma = "the line is not JSON: trailing characters at line 2, column 1";
    // What is sent, the statuses of its lines, and the sentence of the last.
    for (index, (body, statuses, sentence)) in [
        ("[A,]", &[201, 400][..], no_element),
        ("[,A]", &[400, 201], no_element),
        ("[A", &[400], no_end),
        ("[A,", &[201, 400], no_end),
        ("[A] [A]", &[201, 400], after_end),
        ("[\n\nA\nA]", &[400], no_comma),
        ("[[[[[[", &[400], no_end),
    ]
    .into_iter()
    .enumerate()
    {
        for mode in ["", "?mode=atomic"] {
            let account = format!("{index}{}", mode.len());
            let body = body.replace('A', &open(&account).to_string());
            let answer = wire.ask(&Ask::batch(mode, body.clone())).await;
            if mode.is_empty() {
                let lines = answer.lines();
                let told: Vec<_> = lines.iter().map(|line| line["status"].as_u64().unwrap()).collect();
                assert_eq!(told, statuses, "{body}");
                let problem = lines.iter().find_map(|line| line.get("problem")).unwrap();
                assert_eq!((&problem["code"], &problem["detail"]), (&json!("malformed_json"), &json!(sentence)));
            } else {
                let problem = scene.problem(&answer).await;
                assert_eq!(
                    (problem["code"].as_str(), &problem["errors"][0]["detail"]),
                    (Some("batch_malformed"), &json!(sentence))
                );
                assert_eq!(scene.client.get(&format!("/v1/accounts/{account}")).await.0, 404);
            }
        }
    }
    scene.sound().await;
}

#[tokio::test]
async fn keys_that_stand_twice_in_a_batch_are_told() {
    let scene = Scene::new().await;
    let mut wire = Wire::to(&scene.server).await;
    let (one, mut other) = (open("a"), open("b"));
    other["key"] = one["key"].clone();
    let twice = format!("{one}\n\n{one}\n{other}");

    let answers = wire.ask(&Ask::batch("", twice.clone())).await.lines();
    let told: Vec<_> = answers.iter().map(|a| (a["status"].as_u64().unwrap(), a["replayed"].as_bool())).collect();
    assert_eq!(told, [(201, Some(false)), (201, Some(true)), (409, None)]);
    assert_eq!(answers[2]["problem"]["code"], "idempotency_key_reused");
    assert_eq!(answers[2]["problem"]["param"], "key");

    let fresh = twice.replace(one["key"].as_str().unwrap(), &new_key());
    let problem = scene.problem(&wire.ask(&Ask::batch("?mode=atomic", fresh)).await).await;
    let detail = "line 3 has the same key as line 1, so nothing of this atomic batch was done; give each of its \
                  commands a key of its own";
    assert_eq!(said(&problem), super::told(409, "idempotency_key_reused", "line 3: key", detail));
    assert_eq!(problem["figures"], json!({"refused_index": 1, "refused_line": 3}));
    scene.sound().await;
}

/// A hundred thousand commands in one request, more than the server takes up at once.
#[tokio::test]
async fn a_batch_of_a_hundred_thousand_lines_is_answered_line_by_line() {
    const LINES: u64 = 100_000;
    let scene = Scene::new().await;
    scene.account("a", 0).await;
    let deposit = |key: u64| {
        format!(
            "{{\"type\":\"deposit\",\"key\":\"b{key}\",\"account_id\":\"a\",\"amount\":{{\"amount\":1,\"currency\":\"GBP\"}}}}\n"
        )
    };
    // Every hundredth line cannot be read, and every hundredth takes out more than there is.
    let body: String = (0..LINES)
        .map(|line| match line % 100 {
            49 => "{\n".to_owned(),
            99 => deposit(line).replace("deposit", "withdraw").replace(":1,", ":1000000,"),
            _ => deposit(line),
        })
        .collect();
    let mut wire = Wire::to(&scene.server).await;
    let answer = wire.ask(&Ask::batch("", body)).await;
    assert_eq!(answer.status, 200);
    let (mut counts, mut index) = ([0_u64; 3], 0);
    for line in answer.text().lines() {
        // Parsing all of it would take longer than answering it.
        assert!(line.starts_with(&format!("{{\"index\":{index},\"line\":{},", index + 1)), "{line}");
        let status = ["\"status\":200", "\"status\":400", "\"status\":422"].iter().position(|s| line.contains(s));
        counts[status.unwrap_or_else(|| panic!("{line}"))] += 1;
        index += 1;
    }
    assert_eq!(counts, [LINES * 98 / 100, LINES / 100, LINES / 100]);
    scene.sound().await;
    assert_eq!(scene.seen("/v1/accounts/a").await["balance"], gbp(98_000));

    // As one transaction it is larger than a segment of this log.
    let body: String = (0..LINES / 10).map(|line| deposit(LINES + line)).collect();
    let problem = scene.problem(&wire.ask(&Ask::batch("?mode=atomic", body)).await).await;
    assert_eq!((&problem["status"], &problem["code"]), (&json!(413), &json!("transaction_too_large")));
    scene.sound().await;
    assert_eq!(scene.seen("/v1/accounts/a").await["balance"], gbp(98_000));
}
