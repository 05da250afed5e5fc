//! A client that takes nobody's word: outside of the server it keeps every command that was answered, with the answer,
//! and in the end asks for all of them again. What the commands mean is the tests' affair.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use reqwest::{Method, Response};
use serde_json::{Map, Value, json};
use tokio::sync::watch;

use crate::client::Client;
use crate::random::Random;
use crate::server::PATIENCE;

/// How many commands are asked for again at once.
const AGAIN_COMMANDS: usize = 1_000;

/// What an answer says, apart from how often it was given.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Told {
    status: u64,
    /// The last position that the command brought about.
    pub(crate) position: u64,
    /// Why it was refused.
    pub(crate) code: Option<String>,
    /// The new state's summary.
    pub(crate) result: Value,
    /// The events.
    pub(crate) events: Value,
}

/// A command and what became of it.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    /// As it stands in a batch.
    pub(crate) command: Value,
    /// What the first answer said.
    pub(crate) told: Told,
}

/// The list.
pub(crate) struct Witness {
    /// By key.
    kept: Mutex<BTreeMap<String, Kept>>,
    /// How often each key was sent.
    sent: Mutex<BTreeMap<String, u32>>,
    heard: watch::Sender<usize>,
    /// How many commands were done before anybody was told so.
    found_done: AtomicUsize,
}

impl Witness {
    pub(crate) fn new() -> Self {
        let (kept, sent) = (Mutex::default(), Mutex::default());
        Self { kept, sent, heard: watch::Sender::new(0), found_done: AtomicUsize::new(0) }
    }

    /// Commands are on their way.
    pub(crate) fn sends(&self, commands: &[Value]) {
        let mut sent = self.sent.lock().unwrap();
        for command in commands {
            *sent.entry(key(command).to_owned()).or_default() += 1;
        }
    }

    /// Keeps the answer to a command, as a line of a batch has it, and tells whether it is one: else the command has to
    /// be sent again. What was answered before must be answered in the same way.
    pub(crate) fn hears(&self, command: &Value, line: &Value) -> bool {
        // Held from the beginning: who panics here, in whichever task, poisons it for the test.
        let mut kept = self.kept.lock().unwrap();
        let Some((told, replayed)) = read(line) else {
            assert_eq!(line["problem"]["retryable"], true, "{command}: {line}");
            return false;
        };
        match kept.get(key(command)) {
            Some(before) => {
                assert_eq!((&told, replayed), (&before.told, true), "{command} was answered differently before");
            }
            None => {
                let sent = self.sent.lock().unwrap()[key(command)];
                assert!(sent > 1 || !replayed, "{command} was sent once and is said to be replayed: {line}");
                self.found_done.fetch_add(usize::from(replayed), Ordering::Relaxed);
                kept.insert(key(command).to_owned(), Kept { command: command.clone(), told });
                self.heard.send_replace(kept.len());
            }
        }
        true
    }

    /// Sends commands as a batch and keeps what is answered, also where the answer breaks off. Tells whether all were
    /// answered; an atomic batch that was refused is an answer too.
    pub(crate) async fn batch(&self, client: &Client, mode: &str, commands: &[Value]) -> bool {
        self.sends(commands);
        let body: String = commands.iter().map(|command| format!("{command}\n")).collect();
        let request = client.request(Method::POST, &format!("/v1/commands?mode={mode}"));
        let Ok(mut response) = request.header("content-type", "application/x-ndjson").body(body).send().await else {
            return false;
        };
        if response.status() != 200 {
            return self.whole(commands, response).await;
        }
        let (mut lines, mut answers, mut answered) = (Lines::default(), commands.iter(), 0);
        while let Ok(Some(bytes)) = response.chunk().await {
            for line in lines.push(&bytes) {
                answered += usize::from(self.hears(answers.next().unwrap(), &line));
            }
        }
        answered == commands.len()
    }

    /// One answer for all commands.
    async fn whole(&self, commands: &[Value], response: Response) -> bool {
        let status = response.status().as_u16();
        let Ok(problem) = response.json::<Value>().await else { return false };
        let refused = problem["figures"]["refused_index"].as_u64();
        let line = json!({"status": status, "problem": problem});
        self.hears(&commands[refused.map_or(0, |index| usize::try_from(index).unwrap())], &line)
    }

    /// Sends one command over its own route and keeps what is answered. Tells whether it was.
    pub(crate) async fn single(&self, client: &Client, command: &Value) -> bool {
        self.sends(std::slice::from_ref(command));
        let (path, body) = route(command);
        let request = client.request(Method::POST, &path).header("idempotency-key", key(command)).json(&body);
        let Ok(response) = request.send().await else { return false };
        let status = response.status();
        let Ok(mut answer) = response.json::<Value>().await else { return false };
        if status.is_success() {
            answer["status"] = json!(status.as_u16());
            return self.hears(command, &answer);
        }
        self.hears(command, &json!({"status": status.as_u16(), "problem": answer}))
    }

    /// How many commands turned out to be done already when they were sent again, because the first answer was lost.
    pub(crate) fn found_done(&self) -> usize {
        self.found_done.load(Ordering::Relaxed)
    }

    /// How many commands were answered.
    pub(crate) fn heard(&self) -> usize {
        *self.heard.borrow()
    }

    /// Waits until so many commands were answered.
    pub(crate) async fn has_heard(&self, count: usize) {
        let mut heard = self.heard.subscribe();
        let waited = tokio::time::timeout(PATIENCE, heard.wait_for(|heard| *heard >= count)).await;
        assert!(waited.is_ok(), "{} commands were answered, waited for {count}", self.heard());
    }

    /// Everything that was answered.
    pub(crate) fn list(&self) -> Vec<Kept> {
        self.kept.lock().unwrap().values().cloned().collect()
    }

    /// The position that the answer to a command named.
    pub(crate) fn last_of(&self, key: &str) -> u64 {
        self.kept.lock().unwrap()[key].told.position
    }

    /// The last position that any answer named.
    pub(crate) fn last_position(&self) -> u64 {
        self.kept.lock().unwrap().values().map(|kept| kept.told.position).max().unwrap_or(0)
    }

    /// Asks for everything again, in any order: every answer is the one that was given first, and says so.
    pub(crate) async fn asks_again(&self, client: &Client, random: &mut Random) {
        let mut commands: Vec<Value> = self.list().into_iter().map(|kept| kept.command).collect();
        random.shuffle(&mut commands);
        for commands in commands.chunks(AGAIN_COMMANDS) {
            assert!(self.batch(client, "independent", commands).await, "not every command was answered again");
        }
    }
}

fn key(command: &Value) -> &str {
    command["key"].as_str().unwrap()
}

/// What a line says and whether it is a replay; none where nothing was decided.
fn read(line: &Value) -> Option<(Told, bool)> {
    let problem = line.get("problem");
    let about = problem.unwrap_or(line);
    let told = Told {
        status: line["status"].as_u64().unwrap(),
        position: about["position"].as_u64()?,
        code: problem.map(|problem| problem["code"].as_str().unwrap().to_owned()),
        result: line["result"].clone(),
        events: line["events"].clone(),
    };
    Some((told, about["replayed"].as_bool().unwrap()))
}

/// The route and body of a command that stands as in a batch.
fn route(command: &Value) -> (String, Map<String, Value>) {
    let mut body = command.as_object().unwrap().clone();
    let mut take = |name: &str| body.remove(name).unwrap().as_str().unwrap().to_owned();
    take("key");
    let path = match take("type").as_str() {
        "open_account" => "/v1/accounts".to_owned(),
        "deposit" => format!("/v1/accounts/{}/deposits", take("account_id")),
        "withdraw" => format!("/v1/accounts/{}/withdrawals", take("account_id")),
        "send_transfer" => "/v1/transfers".to_owned(),
        "place_hold" => format!("/v1/accounts/{}/holds", take("account_id")),
        "request_payment" => "/v1/payments".to_owned(),
        "capture_payment" => format!("/v1/payments/{}/captures", take("payment_id")),
        "void_payment" => format!("/v1/payments/{}/void", take("payment_id")),
        "release_hold" => format!("/v1/accounts/{}/holds/{}/release", take("account_id"), take("hold_id")),
        other => panic!("no route is known here for {other}"),
    };
    (path, body)
}

/// Lines of JSON as they arrive.
#[derive(Debug, Default)]
pub(crate) struct Lines(Vec<u8>);

impl Lines {
    /// Takes some more bytes; gives the lines that are complete now.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Vec<Value> {
        self.0.extend_from_slice(bytes);
        let complete = self.0.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let rest = self.0.split_off(complete);
        let complete = std::mem::replace(&mut self.0, rest);
        let lines = complete.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        lines.map(|line| serde_json::from_slice(line).unwrap()).collect()
    }
}
